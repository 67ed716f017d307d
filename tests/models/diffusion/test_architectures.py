"""Every sampling method acts on every architecture and keeps finite values, or refuses in words."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_pipelines import KINDS, build_pipeline

from harness import keys
from harness.methods import METHODS
from harness.methods.method import Condition, Group, Kind, Sampling, Step
from harness.models.diffusion.adapter import Diffusion
from harness.models.diffusion.conditioning import NoUnconditionalBranch
from harness.models.diffusion.dit import class_number
from harness.models.diffusion.loop import sample
from harness.models.diffusion.stage import LoopStage
from harness.options import build

ARCHITECTURES = [kind for kind in KINDS if kind != "dit-untied"]
SAMPLING = [n for n in METHODS.names() if METHODS.get(n).kind is Kind.SAMPLING and n != "iid"]


def _contract_params() -> dict[str, tuple[dict[str, Any], list[dict[str, Any]], bool]]:
    """Parameters at which each method does something: the table of the method contract, which every method is in."""
    path = Path(__file__).parents[2] / "methods" / "test_method_contract.py"
    spec = importlib.util.spec_from_file_location("method_contract_table", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    table: dict[str, tuple[dict[str, Any], list[dict[str, Any]], bool]] = module.PARAMS
    return table


PARAMS = _contract_params()
# Kernel widths are in the scale of the latents, and those of an untrained DiT are ten times the toy's.
WIDER = {("sparke", "dit"): {"sigma_image": 40.0}}


def _model(kind: str, **changes: Any) -> Diffusion:
    return Diffusion(build_pipeline(kind), **{"steps": 4, "guidance": 3.0, "size_px": 16, **changes})


def _groups(kind: str, size: int = 4) -> list[Group]:
    prompts = ("207", "1") if kind.startswith("dit") else ("a portrait", "of baker")
    return [Group(7, p, text, 0, tuple(range(size))) for p, text in enumerate(prompts)]


def _run(model: Diffusion, kind: str, method: Sampling) -> Any:
    groups = _groups(kind)
    images = keys.generator(0, "world", "images").integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    stage = LoopStage(model, tuple(g.prompt for g in groups), lambda _: images, micro_batch=8, group_size=4)
    return sample(model, method.prepare(stage), groups, seed=7, micro_batch=8)


@pytest.fixture(scope="module")
def base() -> dict[str, Any]:
    iid = build(METHODS.get("iid"), {})
    return {kind: _run(_model(kind), kind, iid) for kind in ARCHITECTURES}


@pytest.mark.parametrize("kind", ARCHITECTURES)
@pytest.mark.parametrize("name", SAMPLING)
def test_every_sampling_method_acts_on_every_architecture(name: str, kind: str, base: dict[str, Any]) -> None:
    method = build(METHODS.get(name), {**PARAMS[name][0], **WIDER.get((name, kind), {})})
    found = _run(_model(kind), kind, method)
    assert np.isfinite(found.latents).all()
    assert found.images.std() > 1.0
    assert not np.array_equal(found.latents, base[kind].latents)
    assert found.activity


class _Recorder(Sampling):
    """Remembers what the network's branches were given; w as told."""

    name = "recorder"

    def __init__(self, w: float) -> None:
        self.w = w

    def guidance(self, scale: float, step: Step, group: Group) -> float:
        return self.w if step.index else scale


def test_w_is_the_guidance_input_of_a_distilled_network(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _model("flux-dev", guidance=3.5)
    told: list[Any] = []
    forward = model.family.network.forward
    monkeypatch.setattr(
        model.family.network, "forward", lambda **given: (told.append(given["guidance"]), forward(**given))[1]
    )
    found = _run(model, "flux-dev", _Recorder(2.0))
    assert [t.unique().tolist() for t in told] == [[3.5], [2.0], [2.0], [2.0]]
    assert all(t.shape == (8,) and t.dtype == torch.float32 for t in told)
    assert found.calls["unconditional"] == 0
    assert found.calls["conditional"] == 4 * 8


def test_a_distilled_network_refuses_what_it_has_no_branch_for() -> None:
    with pytest.raises(NoUnconditionalBranch, match=r"w = 0.5 asks for the unconditional model.*network_guidance"):
        _run(_model("flux-dev"), "flux-dev", _Recorder(0.5))

    class OnlyNegative(Sampling):
        name = "only_negative"

        def negative(self, condition: Condition, step: Step, group: Group) -> Condition:
            return Condition(condition.embeddings * 2, condition.pooled, condition.extra)

    with pytest.raises(NoUnconditionalBranch, match="'only_negative' acts on the unconditional branch"):
        _run(_model("flux-dev"), "flux-dev", OnlyNegative())
    iid = build(METHODS.get("iid"), {})
    two = _run(_model("flux-dev", network_guidance=3.5), "flux-dev", OnlyNegative())
    assert not np.array_equal(two.latents, _run(_model("flux-dev", network_guidance=3.5), "flux-dev", iid).latents)


def test_a_hook_on_the_missing_branch_is_neither_asked_nor_logged() -> None:
    both = build(METHODS.get("cads"), {"branches": "both"})
    found = _run(_model("flux-dev"), "flux-dev", both)
    names = {row[2] for row in found.activity}
    assert "condition.changed" in names
    assert "negative.changed" not in names


def test_network_guidance_needs_a_network_that_takes_it() -> None:
    for kind in ("sd", "flux-schnell", "dit"):
        with pytest.raises(ValueError, match="no guidance input"):
            _model(kind, network_guidance=3.5)


def test_a_prompt_of_dit_is_a_class() -> None:
    labels = {"golden retriever": 207, "goldfish": 1}
    assert [class_number(p, labels, 1000) for p in ("207", "207: anything", "golden retriever", " 1: goldfish")] == [
        207,
        207,
        207,
        1,
    ]
    for wrong, message in (
        ("a dog", "no class of the model: write its number, 0 to 999"),
        ("1000", "not among the model's 1000"),
        ("3: goldfish", "calls class 1 'goldfish'"),
    ):
        with pytest.raises(ValueError, match=message):
            class_number(wrong, labels, 1000)


def test_a_class_is_one_vector_where_the_blocks_share_their_table_and_one_a_block_otherwise() -> None:
    shapes = {kind: _model(kind).conditions("207")[0].embeddings.shape for kind in ("dit", "dit-untied")}
    assert shapes == {"dit": (1, 1, 16), "dit-untied": (1, 2, 16)}
    positive, negative = _model("dit").conditions("207")
    assert not torch.equal(positive.embeddings, negative.embeddings)
    assert torch.equal(negative.embeddings, _model("dit").conditions("1")[1].embeddings)


def test_dit_refuses_another_size_and_its_network_still_takes_numbers() -> None:
    with pytest.raises(ValueError, match="makes images of 16 px, not of 32"):
        _model("dit", size_px=32)
    model = _model("dit")
    z = torch.stack([keys.normal(model.latent_shape, 0, "world", "z")])
    with torch.no_grad():
        numbers = model.family.network(z, timestep=torch.tensor([5]), class_labels=torch.tensor([207])).sample
        vectors = model.denoise(z, torch.tensor(5), model.conditions("207")[0])
    assert torch.equal(numbers[:, :4], vectors)
