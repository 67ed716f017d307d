"""commands-codec: zero leaves it untouched, utterances do not see each other, and it loses intelligibility."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch

from harness.models import MODELS
from harness.models.model import MissingWeights
from harness.models.parameterisations.block_gains import BlockGains
from harness.models.parameterisations.channel_gains import ChannelGains
from harness.models.parameterisations.decoding import Decoding
from harness.models.parameterisations.rank_one import RankOne
from harness.models.speech.commands_codec import CommandsCodec
from harness.models.speech.log_mel import Frames
from harness.models.speech.session import SpeechSession
from harness.models.speech.shaping import shaped
from harness.models.speech.vq_codec import Quantiser, VqCodec
from harness.worlds.speech import synthesise, utterances

SPACES = [BlockGains(), ChannelGains(biases=True), ChannelGains(layer="enter"), Decoding(), RankOne()]


@pytest.fixture(scope="module")
def session() -> SpeechSession:
    return CommandsCodec().open("cpu")


@pytest.fixture(scope="module")
def audio() -> tuple[Any, Any]:
    waves = [synthesise(u) for u in utterances("tune", 3)]
    lengths = np.array([len(w) for w in waves], dtype=np.int64)
    padded = np.zeros((3, lengths.max()), dtype=np.int16)
    for row, wave in enumerate(waves):
        padded[row, : len(wave)] = wave
    return padded, lengths


@pytest.fixture(scope="module")
def said(session: SpeechSession, audio: tuple[Any, Any]) -> Any:
    return session.resynthesise(*audio)


def test_it_says_something_else_of_the_same_length(audio: tuple[Any, Any], said: Any) -> None:
    assert said.shape == audio[0].shape
    assert said.dtype == np.int16
    for row, length in enumerate(audio[1]):
        assert not said[row, length:].any()
        assert np.abs(said[row, :length].astype(int)).max() > 1000
        assert not np.array_equal(said[row], audio[0][row])


def test_an_utterance_does_not_see_its_neighbours_or_its_padding(
    session: SpeechSession, audio: tuple[Any, Any], said: Any
) -> None:
    waves, lengths = audio
    alone = session.resynthesise(waves[1:2, : lengths[1]], lengths[1:2])
    assert np.array_equal(alone[0], said[1, : lengths[1]])
    noisy = np.pad(waves, ((0, 0), (0, 999)), constant_values=77)
    assert np.array_equal(session.resynthesise(noisy, lengths)[:, : waves.shape[1]], said)
    assert np.array_equal(session.resynthesise(waves[::-1], lengths[::-1])[::-1], said)


@pytest.mark.parametrize("space", SPACES, ids=lambda s: s.name)
def test_zero_is_the_untouched_model_and_other_points_are_not(
    space: Any, session: SpeechSession, audio: tuple[Any, Any], said: Any
) -> None:
    first = audio[0][:1], audio[1][:1]
    size = space.size(session)
    with space.applied(session, np.zeros(size)):
        assert np.array_equal(session.resynthesise(*first), said[:1])
    with space.applied(session, np.full(size, 0.7)):
        assert not np.array_equal(session.resynthesise(*first), said[:1])
    assert np.array_equal(session.resynthesise(*first), said[:1])


def test_the_last_layers_channels_are_bands(session: SpeechSession) -> None:
    assert next(reversed(session.layers)) == "to_mel"
    assert session.layers["to_mel"].weight.shape[0] == Frames().bands
    assert ChannelGains(biases=True).size(session) == 2 * Frames().bands


def test_a_copy_is_a_model_of_its_own(session: SpeechSession, audio: tuple[Any, Any], said: Any) -> None:
    other = deepcopy(session)
    assert other.layers["to_mel"] is other.module.to_mel
    first = audio[0][:1], audio[1][:1]
    with Decoding().applied(other, np.ones(2)):
        assert np.array_equal(session.resynthesise(*first), said[:1])
        assert not np.array_equal(other.resynthesise(*first), said[:1])


def test_the_knobs_do_what_they_say() -> None:
    mel = torch.from_numpy(np.random.default_rng(0).standard_normal((48, 20)).astype(np.float32))
    assert shaped(mel, {"expansion": 0.0, "tilt": 0.0}) is mel
    wide = shaped(mel, {"expansion": 0.5, "tilt": 0.0})
    assert wide.mean(1).numpy() == pytest.approx(mel.mean(1).numpy(), abs=1e-5)
    assert wide.std(1).numpy() == pytest.approx(1.5 * mel.std(1).numpy(), rel=1e-4)
    change = (shaped(mel, {"expansion": 0.0, "tilt": 1.0}) - mel).numpy()
    assert change[0] == pytest.approx(-0.5, abs=1e-5)
    assert change[-1] == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize(
    ("waves", "lengths"),
    [
        (np.zeros((2, 100)), np.array([5, 5])),
        (np.zeros((2, 100), np.int16), np.array([5])),
        (np.zeros((2, 100), np.int16), np.array([5, 101])),
    ],
)
def test_other_shapes_and_lengths_are_refused(session: SpeechSession, waves: Any, lengths: Any) -> None:
    with pytest.raises(ValueError):
        session.resynthesise(waves, lengths)


def test_an_empty_utterance_stays_empty_and_a_short_one_is_said(session: SpeechSession) -> None:
    waves = np.full((2, 400), 1000, dtype=np.int16)
    said = session.resynthesise(waves, np.array([0, 300]))
    assert not said[0].any()
    assert said.shape == (2, 400)


def test_a_code_is_the_nearest_vector() -> None:
    g = np.random.default_rng(0)
    quantiser = Quantiser(7, 3)
    quantiser.codebook.copy_(torch.from_numpy(g.standard_normal((7, 3))))
    x = torch.from_numpy(g.standard_normal((2, 3, 5)).astype(np.float32))
    codes = quantiser.codes_of(x)
    distance = (x.movedim(1, 2)[:, :, None] - quantiser.codebook).square().sum(-1)
    assert torch.equal(codes, distance.argmin(-1))
    assert torch.equal(quantiser.vectors_of(codes)[1, :, 4], quantiser.codebook[codes[1, 4]])


def test_180_bits_a_second_and_a_megabyte_at_most() -> None:
    model = CommandsCodec()
    codec = VqCodec.load(model.directory())
    assert codec.bits_per_second == 180.0
    assert sum(p.stat().st_size for p in model.directory().iterdir()) < 1_000_000
    assert set(model.weights()) == {"config.json", "model.safetensors"}
    assert model.missing() == ()
    assert MODELS.get("commands-codec") is CommandsCodec


def test_missing_weights_say_how_to_make_them(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CommandsCodec, "directory", lambda self: tmp_path)
    with pytest.raises(MissingWeights, match="harness zoo train commands-codec"):
        CommandsCodec().open("cpu")
