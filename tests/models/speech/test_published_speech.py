"""EnCodec and HiFi-GAN: tiny random checkpoints of the very classes, saved and opened by path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_checkpoints import speech_model

from harness.models.model import MissingWeights
from harness.models.parameterisations.block_gains import BlockGains
from harness.models.parameterisations.channel_gains import ChannelGains
from harness.models.speech.encodec_session import plain_weights, resampled
from harness.models.speech.hifigan_session import SPEECHT5
from harness.models.speech.log_mel import log_mel
from harness.models.speech.published import Encodec, HifiGan

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: speech_model(tmp_path_factory.mktemp(name), name) for name in ("encodec", "hifigan")}


def model(name: str, folder: Path) -> Any:
    return Encodec(path=str(folder)) if name == "encodec" else HifiGan(path=str(folder))


def waves() -> tuple[Any, Any]:
    g = np.random.default_rng(0)
    audio = (g.standard_normal((2, 6000)) * 3000).astype(np.int16)
    audio[1, 4000:] = 0
    return audio, np.array([6000, 4000])


@pytest.mark.parametrize("name", ["encodec", "hifigan"])
def test_a_checkpoint_says_utterances_again_one_by_one(name: str, folders: dict[str, Path]) -> None:
    session, (audio, lengths) = model(name, folders[name]).open("cpu"), waves()
    said = session.resynthesise(audio, lengths)
    assert said.shape == audio.shape
    assert said[0].any()
    assert not said[1, 4000:].any()
    alone = session.resynthesise(audio[1:, :4000], lengths[1:])
    assert np.array_equal(alone[0], said[1, :4000])


@pytest.mark.parametrize("name", ["encodec", "hifigan"])
@pytest.mark.parametrize("space", [BlockGains(), ChannelGains(biases=True)], ids=lambda s: s.name)
def test_gains_act_and_zero_does_not(name: str, space: Any, folders: dict[str, Path]) -> None:
    session, (audio, lengths) = model(name, folders[name]).open("cpu"), waves()
    said = session.resynthesise(audio, lengths)
    size = space.size(session)
    with space.applied(session, np.zeros(size)):
        assert np.array_equal(session.resynthesise(audio, lengths), said)
    with space.applied(session, np.full(size, 3.0)):
        assert not np.array_equal(session.resynthesise(audio, lengths), said)
    assert np.array_equal(session.resynthesise(audio, lengths), said)


def test_every_layer_that_is_named_can_be_moved(folders: dict[str, Path]) -> None:
    session, (audio, lengths) = Encodec(path=str(folders["encodec"])).open("cpu"), waves()
    said = session.resynthesise(audio, lengths)
    for name in session.layers:
        space = ChannelGains(layer=name)
        with space.applied(session, np.full(space.size(session), 5.0)):
            assert not np.array_equal(session.resynthesise(audio, lengths), said), name


def test_folding_weight_normalisation_changes_no_output(folders: dict[str, Path]) -> None:
    network = transformers.EncodecModel.from_pretrained(folders["encodec"]).eval()
    wave = torch.from_numpy(waves()[0][:1].astype(np.float32) / 32768)[None]
    with torch.inference_mode():
        before = network(wave).audio_values
        plain_weights(network)
        after = network(wave).audio_values
    assert torch.allclose(before, after, atol=1e-5)


def test_bandwidths_are_the_checkpoints(folders: dict[str, Path]) -> None:
    folder = str(folders["encodec"])
    assert Encodec(path=folder).open("cpu").bandwidth == 1.5  # type: ignore[attr-defined]
    low, high = (Encodec(path=folder, bandwidth=b).open("cpu").resynthesise(*waves()) for b in (1.5, 24.0))
    assert not np.array_equal(low, high)
    with pytest.raises(ValueError, match="no bandwidth 7"):
        Encodec(path=folder, bandwidth=7.0).open("cpu")


def test_the_vocoders_mels_are_those_of_its_feature_extractor() -> None:
    extractor = transformers.SpeechT5FeatureExtractor()
    wave = (np.random.default_rng(0).standard_normal(8000) * 0.1).astype(np.float32)
    theirs = extractor(audio_target=wave, sampling_rate=16_000, return_tensors="np").input_values[0]
    ours = log_mel(torch.from_numpy(wave), SPEECHT5).T.numpy() / np.log(10)
    assert theirs.shape == ours.shape
    assert np.abs(theirs - ours).max() < 2e-3  # float32 against float64 filters, where a band is nearly silent


def test_a_vocoder_of_another_kind_is_refused(tmp_path: Path) -> None:
    config = transformers.SpeechT5HifiGanConfig(
        sampling_rate=22_050, upsample_initial_channel=32, resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1]]
    )
    transformers.SpeechT5HifiGan(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="22050 Hz"):
        HifiGan(path=str(tmp_path)).open("cpu")


def test_the_weights_name_the_model_and_missing_ones_what_to_fetch(folders: dict[str, Path], tmp_path: Path) -> None:
    assert "model.safetensors" in Encodec(path=str(folders["encodec"])).weights()
    assert Encodec(path=str(folders["encodec"])).missing() == ()
    absent = Encodec(path="nobody/no-such-codec")
    assert "hf download nobody/no-such-codec" in str(absent.missing()[0])
    assert "commands-codec" in str(absent.missing()[0])
    with pytest.raises(MissingWeights):
        absent.open("cpu")
    (tmp_path / "config.json").write_text("{}")
    assert "weights" in str(HifiGan(path=str(tmp_path)).missing()[0])


def test_resampling_there_and_back_keeps_a_tone() -> None:
    tone = torch.sin(2 * np.pi * 440 * torch.arange(8000) / 16_000)
    back = resampled(resampled(tone, 16_000, 24_000), 24_000, 16_000)
    assert float((back - tone)[400:-400].abs().max()) < 1e-2
    assert resampled(tone, 16_000, 16_000) is tone
