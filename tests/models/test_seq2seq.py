"""Sequence-to-sequence adapters on tiny random checkpoints of the very classes: T5, BART, PLBART."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_checkpoints import translator

from harness.models import MODELS
from harness.models.model import MissingWeights
from harness.models.parameterisations import PARAMETERISATIONS, ChannelGains, Decoding, LogitBias, RankOne
from harness.models.parameterisations.block_gains import BlockGains
from harness.models.seq2seq import Seq2Seq
from harness.models.translator import Translator
from harness.options import build
from harness.worlds.programs import problems
from harness.worlds.recipes.programs_tokenizer import build as build_tokenizer

SOURCES = [p.source for p in problems("tune")[::12]] + ["x", "function f(a) {\n    return a;\n}\n", ""]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Kind → directory of a tiny random checkpoint."""
    texts = [t for p in problems("tune") for t in (p.source, p.target)]
    found = {}
    for kind in ("t5", "tied", "bart", "plbart"):
        folder = tmp_path_factory.mktemp(kind)
        tokenizer = build_tokenizer(texts, folder)
        translator(kind, len(tokenizer), tokenizer.pad_token_id, tokenizer.eos_token_id).save_pretrained(folder)
        found[kind] = folder
    return found


ALL = ["t5", "tied", "bart", "plbart"]
KINDS = ["t5", "plbart"]  # what costs seconds is asked of one model of each kind of block


@pytest.fixture(scope="module")
def sessions(checkpoints: dict[str, Path]) -> dict[str, Translator]:
    return {k: Seq2Seq(path=str(p), max_length=12, batch=4).open("cpu") for k, p in checkpoints.items()}


@pytest.fixture(params=KINDS)
def session(request: pytest.FixtureRequest, sessions: dict[str, Translator]) -> Translator:
    return sessions[request.param]


@pytest.mark.parametrize("kind", ALL)
def test_translations_are_those_of_plain_generation(kind: str, sessions: dict[str, Translator]) -> None:
    session = sessions[kind]
    found = session.translate(SOURCES)
    for text, source in zip(found, SOURCES, strict=True):
        given = session.tokenizer(source, return_tensors="pt")
        written = session.network.generate(
            input_ids=given.input_ids,
            attention_mask=given.attention_mask,
            max_new_tokens=12,
            do_sample=False,
            num_beams=1,
        )
        assert text == session.tokenizer.decode(written[0], skip_special_tokens=True)
    assert len(set(found)) > 1


def test_a_translation_does_not_depend_on_its_batch(session: Translator) -> None:
    whole = session.translate(SOURCES)
    assert [session.translate([s])[0] for s in SOURCES] == whole
    assert session.translate(SOURCES[::-1])[::-1] == whole
    assert session.translate(SOURCES[:3] * 2) == whole[:3] * 2
    assert session.translate([]) == []


def test_logits_do_not_depend_on_the_rows_beside_them(session: Translator) -> None:
    rows = [session._tokens(p.source) for p in problems("tune")]
    bucket = [r for r in rows if 32 < len(r) <= 64][:4]
    first = torch.tensor([[session.network.config.decoder_start_token_id]] * 4)

    def logits(chosen: list[list[int]]) -> torch.Tensor:
        ids, mask = session._padded(chosen, 64)
        return session.network(input_ids=ids, attention_mask=mask, decoder_input_ids=first).logits  # type: ignore[no-any-return]

    with torch.no_grad():
        together, repeated = logits(bucket), logits([bucket[2]] * 4)
    assert torch.equal(together[2], repeated[2])  # bit for bit, wherever the row stands
    assert torch.equal(repeated[0], repeated[3])


def moved(session: Translator, space: Any, point: np.ndarray) -> list[str]:
    with space.applied(session, point):
        return session.translate(SOURCES)


@pytest.mark.parametrize("name", sorted(PARAMETERISATIONS))
def test_zero_is_the_untouched_model_and_another_point_is_not(name: str, session: Translator) -> None:
    space = PARAMETERISATIONS[name]()
    before, state = session.translate(SOURCES), {k: v.clone() for k, v in session.network.state_dict().items()}
    size = space.size(session)
    with space.applied(session, np.zeros(size)):
        assert session.translate(SOURCES) == before
    assert any(moved(session, space, np.linspace(-far, far, size)) != before for far in (2, -2, 20, -20))
    assert session.translate(SOURCES) == before
    assert all(torch.equal(v, state[k]) for k, v in session.network.state_dict().items())


def test_blocks_and_layers_have_names_in_the_order_of_the_computation(session: Translator) -> None:
    assert list(session.blocks) == ["encoder.0", "encoder.1", "decoder.0", "decoder.1"]
    assert list(session.layers) == ["cross_attention", "feed_forward", "head"]
    assert all(isinstance(layer, torch.nn.Linear) for layer in session.layers.values())
    assert session.bias_size == session.layers["head"].weight.shape[0] == len(session.tokenizer)


@pytest.mark.parametrize("layer", ["cross_attention", "feed_forward", "head"])
def test_every_layer_and_every_block_moves_what_is_written(layer: str, session: Translator) -> None:
    before = session.translate(SOURCES)
    for space in (ChannelGains(layer=layer, scale=0.5), RankOne(layer=layer, scale=2.0)):
        point = np.sin(np.arange(space.size(session)) + 1.0)
        assert any(moved(session, space, far * point) != before for far in (2, 5, 20))


def test_each_block_is_hooked_where_its_output_leaves_it(session: Translator) -> None:
    space = BlockGains(scale=0.9)
    ids, mask = session._padded([session._tokens(SOURCES[0])], 64)
    first = torch.tensor([[0, 5, 9]])

    def logits() -> torch.Tensor:
        with torch.no_grad():
            return session.network(input_ids=ids, attention_mask=mask, decoder_input_ids=first).logits  # type: ignore[no-any-return]

    plain = logits()
    for coordinate in range(space.size(session)):
        point = np.zeros(space.size(session))
        point[coordinate] = -1.0
        with space.applied(session, point):
            assert not torch.equal(logits(), plain), coordinate


def test_a_tied_head_moves_alone(sessions: dict[str, Translator]) -> None:
    session = sessions["tied"]
    embeddings = session.network.get_input_embeddings().weight
    assert session.layers["head"].weight is not embeddings
    before = embeddings.clone()
    with ChannelGains(layer="head").applied(session, np.ones(ChannelGains(layer="head").size(session))):
        assert torch.equal(session.network.get_input_embeddings().weight, before)


def test_a_bias_forces_a_token_and_the_end(session: Translator) -> None:
    token = session.tokenizer("return").input_ids[0]
    with LogitBias(tokens=(token,), scale=1e6).applied(session, np.ones(1)):
        assert session.translate(["x"]) == ["return" * 12]
    with Decoding(knobs=("end_bias",)).applied(session, np.array([100.0])):
        assert session.settings["end_bias"] == 8.0  # the knob's bound
        session.settings["end_bias"] = 1e8
        assert session.translate(["x"]) == [""]


def test_copy_bias_favors_tokens_of_the_source(session: Translator) -> None:
    source = "return total"
    present = set(session.tokenizer(source).input_ids)
    session.settings["copy_bias"] = 1e8
    try:
        written = session.translate([source])[0]
    finally:
        session.settings["copy_bias"] = 0.0
    assert written
    assert set(session.tokenizer(written).input_ids) <= present | {session.tokenizer.eos_token_id}


def test_beams_change_nothing_but_the_search(session: Translator) -> None:
    session.settings["beams"] = 3.0
    try:
        found = session.translate(SOURCES)
        assert [session.translate([s])[0] for s in SOURCES] == found
    finally:
        session.settings["beams"] = 1.0
    written = session.network.generate(
        **{k: v for k, v in session.tokenizer(SOURCES[0], return_tensors="pt").items() if k != "token_type_ids"},
        max_new_tokens=12, do_sample=False, num_beams=3,
    )  # fmt: skip
    assert found[0] == session.tokenizer.decode(written[0], skip_special_tokens=True)


def test_a_session_can_be_copied_and_its_copy_moves_alone(session: Translator) -> None:
    other = copy.deepcopy(session)
    before = session.translate(SOURCES[:2])
    with BlockGains(scale=0.9).applied(other, -np.ones(BlockGains().size(other))):
        assert other.translate(SOURCES[:2]) != before
        assert session.translate(SOURCES[:2]) == before


def test_the_loss_is_that_of_the_model_and_has_gradients(session: Translator) -> None:
    trained = copy.deepcopy(session)
    trained.network.requires_grad_(True)
    loss = trained.loss(SOURCES[:2], [p.target for p in problems("tune")[:2]])
    assert loss.ndim == 0
    loss.backward()
    assert all(p.grad is not None for p in trained.layers["head"].parameters())


def test_prefix_start_and_length_are_used(checkpoints: dict[str, Path]) -> None:
    path = str(checkpoints["plbart"])
    plain = Seq2Seq(path=path, max_length=12, batch=4).open("cpu")
    other = Seq2Seq(path=path, max_length=12, batch=4, prefix="def ").open("cpu")
    assert other.translate(["x"]) == plain.translate(["def x"])
    started = Seq2Seq(path=path, max_length=12, batch=4, start="return").open("cpu")
    assert started.translate(SOURCES) != plain.translate(SOURCES)
    with pytest.raises(ValueError, match="__java__"):
        Seq2Seq(path=path, start="__java__").open("cpu")


def test_weights_are_named_and_what_is_missing_is_said(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    model = build(MODELS.get("seq2seq"), {"path": str(checkpoints["t5"])})
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(model.weights())
    assert model.missing() == ()
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "config.json").write_text(json.dumps({"model_type": "t5"}))
    half = Seq2Seq(path=str(tmp_path / "half"))
    assert [m.what.split(" of ")[0] for m in half.missing()] == ["a tokenizer", "weights"]
    with pytest.raises(MissingWeights, match="programs-t5"):
        half.open("cpu")
    absent = Seq2Seq(path="Salesforce/codet5-small")
    assert "hf download Salesforce/codet5-small" in str(absent.missing()[0])
    assert absent.directory() is None


def test_half_precision_weights_open_in_the_asked_precision(checkpoints: dict[str, Path]) -> None:
    session = Seq2Seq(path=str(checkpoints["t5"]), max_length=4, batch=2, dtype="bfloat16").open("cpu")
    assert session.layers["head"].weight.dtype == torch.bfloat16
    assert len(session.translate(["x", "y"])) == 2
