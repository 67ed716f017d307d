"""Searches of text-to-image: what they are refused, what they leave alone, what they pay for."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from harness import keys
from harness.methods import METHODS
from harness.methods.method import Method
from harness.models import judges
from harness.models.diffusion.adjustable import Adjustable
from harness.models.judges import JUDGES, NotDifferentiable
from harness.options import build
from harness.tasks.prompt_search import NoiseOracle, PromptSearch
from harness.tasks.task import RunContext, ShardResult
from harness.tasks.text_to_image import TextToImage

PROMPTS, TUNE = ("a portrait", "portrait of"), ("of baker", "baker hat")


@pytest.fixture(autouse=True)
def toy_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, cls in (("toy-redness", "Redness"), ("toy-refusal", "Refusal")):
        monkeypatch.setitem(JUDGES.entries, name, f"toy_judges:{cls}")  # type: ignore[index]
    judges._open.cache_clear()


def asked(**options: Any) -> TextToImage:
    return TextToImage(**{"prompts": PROMPTS, "images_per_prompt": 4, "judge": "toy-redness", **options})


def method(name: str, **options: Any) -> Method:
    made: Method = build(METHODS.get(name), options)
    return made


class Result:
    """One cell in memory: shards by index, what was charged and recorded outside of them."""

    def __init__(self, task: TextToImage, model: Any, made: Method, seed: int = 7, **context: Any) -> None:
        self.charged: Counter[str] = Counter()
        self.search: dict[str, Any] = {}
        self.progress: list[float] = []
        self.context = RunContext(
            "cpu",
            context.pop("micro_batch", 8),
            self.progress.append,
            charge=lambda kind, count: self.charged.update({kind: count}),
            record=self.search.update,
            **context,
        )
        self.task, self.model, self.seed = task, model, seed
        self.prepared = task.prepare(model, made, seed, self.context)

    def shard(self, index: int = 0) -> ShardResult:
        shard = self.task.shards()[index]
        return self.task.run(self.model, self.prepared, self.seed, shard, self.context)


def same(a: ShardResult, b: ShardResult) -> bool:
    return all(a.arrays[k].tobytes() == b.arrays[k].tobytes() for k in ("images", "latents"))


# --- addresses and refusals -------------------------------------------------------------------------------------------


def test_suites_without_a_search_keep_their_addresses() -> None:
    """Neither parameters nor content name what is not there; judge and tune prompts are identified by content."""
    from harness.options import params_of

    plain, searched = asked(judge=None), asked(tune_prompts=TUNE)
    assert params_of(plain, in_id_only=True) == params_of(searched, in_id_only=True)
    assert set(params_of(plain, in_id_only=True)) == {"images_per_prompt", "group_size", "first"}
    assert set(plain.content()) == {"prompts"}
    assert plain.content()["prompts"] == searched.content()["prompts"]
    assert searched.content()["judge"] == judges.identity(judges.find("toy-redness"))
    assert searched.content()["tune_prompts"] != asked(tune_prompts=TUNE[:1]).content()["tune_prompts"]


def test_without_a_judge_no_search_is_possible(toy: Any) -> None:
    with pytest.raises(ValueError, match="needs the option `judge`"):
        Result(asked(judge=None), toy(), method("evolgan"))
    assert "needs the option `judge`" in asked(judge=None).refuses(method("best_of_n"))
    assert asked(judge=None).refuses(method("iid")) == ""


def test_an_offline_search_needs_tune_prompts_and_an_online_one_does_not(toy: Any) -> None:
    with pytest.raises(ValueError, match="needs the option `tune_prompts`"):
        Result(asked(), toy(), method("afterlearner", parameterisation="decoding"))
    assert asked().refuses(method("evolgan")) == ""
    assert asked(tune_prompts=TUNE).refuses(method("untouched")) == ""


@pytest.mark.parametrize("tune", [("of baker", "portrait of"), (" A  Portrait",)])
def test_prompts_that_are_reported_may_not_be_tuned_on(tune: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="1 tune prompts are reported too"):
        asked(tune_prompts=tune).content()


def test_a_gradient_search_is_refused_where_the_loop_keeps_no_gradients(toy: Any) -> None:
    with pytest.raises(NotDifferentiable):
        Result(asked(), toy(), method("gradient_latent", steps=1)).shard()


# --- online -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "options"), [("evolgan", {"budget": 1}), ("best_of_n", {"n": 1})])
@pytest.mark.parametrize("micro_batch", [8, 3])
def test_a_budget_of_one_is_the_untouched_sampler_byte_for_byte(
    name: str, options: dict[str, Any], micro_batch: int, toy: Any, tiny_model: Any
) -> None:
    for model in (toy(), toy("flow"), tiny_model(), tiny_model(scheduler="ddim_eta1")):
        searched, base = (
            Result(asked(), model, m, micro_batch=micro_batch).shard() for m in (method(name, **options), method("iid"))
        )
        assert same(searched, base)


def test_where_nothing_is_accepted_the_images_are_those_of_the_start(tiny_model: Any) -> None:
    model = tiny_model()
    searched = Result(asked(judge="toy-refusal"), model, method("evolgan", budget=5)).shard()
    assert same(searched, Result(asked(), model, method("iid")).shard())
    assert (np.diff(searched.arrays["best"], axis=1) == 0).all()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("evolgan", {"budget": 12}),
        ("evolgan", {"budget": 12, "mutation": "lengler"}),
        ("best_of_n", {"n": 12}),
        ("afterlearner", {"parameterisation": "latent", "optimiser": "OnePlusOne", "budget": 12}),
    ],
)
def test_a_search_raises_what_it_is_told_and_the_stored_images_are_those_it_chose(
    name: str, options: dict[str, Any], toy: Any
) -> None:
    found = Result(asked(), toy(), method(name, **options)).shard()
    base = Result(asked(), toy(), method("iid")).shard()
    best = found.arrays["best"]
    redness = [r.arrays["images"][..., 0].mean((1, 2)) / 255 for r in (base, found)]
    assert best.shape == (8, 12)
    assert np.allclose(best[:, 0], redness[0], atol=1e-6)
    assert np.allclose(best[:, -1], redness[1], atol=1e-6)
    assert np.allclose(found.arrays["tune_loss"], 1 - redness[1], atol=1e-6)
    assert (redness[1] >= redness[0]).all()
    assert (redness[1] > redness[0]).sum() >= 4


def test_every_evaluation_is_a_full_sampling_run_and_the_images_are_made_once_more(toy: Any) -> None:
    model, budget = toy(), 6
    found = Result(asked(), model, method("evolgan", budget=budget)).shard()
    runs = budget + 1
    assert found.calls["item_evaluations"] == found.calls["scorer"] == 8 * budget
    assert found.calls["conditional"] == found.calls["unconditional"] == 8 * model.steps * runs
    assert found.calls["decoder"] == 8 * runs
    assert len(model.batches) == model.steps * runs


def test_the_latent_is_the_initial_noise_as_the_loop_scales_it(toy: Any) -> None:
    """z itself for flows, σ_max z for VE-scaled latents: the first input of the network, unscaled again, is z."""
    for kind in ("epsilon", "flow"):
        model = toy(kind)
        task = PromptSearch(asked(images_per_prompt=2), RunContext("cpu", 8, lambda _: None))
        oracle = NoiseOracle(task, Adjustable(model), range(4), 7, 1)
        noise = keys.generator(1, "world").standard_normal(oracle.latents.shape).astype(np.float32)
        model.inputs.clear()
        oracle.sampled(noise)
        table = model.timetable(model.steps)
        start = table.network_input(table.start(torch.from_numpy(noise).reshape(4, 2, 4, 4)), 0)
        assert torch.equal(model.inputs[0][:4], start)
        shared = [keys.normal((2, 4, 4), 7, "init_noise", p, s).flatten() for p, s in oracle.keys]
        assert np.array_equal(oracle.latents, torch.stack(shared).numpy())


def test_an_item_does_not_feel_its_shard_and_a_run_goes_on_after_a_kill(
    toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shards of one prompt, the second first and by a fresh preparation, against one shard of both."""
    from types import SimpleNamespace

    from harness.models import feature_spaces
    from harness.tasks import text_to_image

    means = SimpleNamespace(open=lambda _: lambda pixels: pixels.mean((2, 3)))
    monkeypatch.setattr(feature_spaces, "feature_space", lambda _: means)
    made = method("evolgan", budget=8, cells=2, pool=12)
    whole = Result(asked(), toy(), made).shard()
    monkeypatch.setattr(text_to_image, "SHARD_ITEMS", 4)
    second, first = (Result(asked(), toy(), made).shard(i) for i in (1, 0))
    for name in ("images", "latents", "best"):
        assert np.array_equal(whole.arrays[name], np.concatenate([first.arrays[name], second.arrays[name]]))


def test_cells_are_kept_through_the_sampler(toy: Any) -> None:
    """The extractor is asked of the items' own images; those of the pool go over all prompts."""
    task = PromptSearch(asked(), RunContext("cpu", 8, lambda _: None))
    oracle = NoiseOracle(task, Adjustable(toy()), range(8), 7, 1)
    alone = NoiseOracle(task, Adjustable(toy()), range(4, 8), 7, 1)
    means: Any = lambda pixels: pixels.mean((2, 3))  # noqa: E731 - stands in for a network
    oracle._spaces["means"] = alone._spaces["means"] = means
    own = oracle.features(oracle.latents, "means")
    assert np.allclose(own, oracle.sampled(oracle.latents).images.mean((1, 2)) / 255, atol=1e-6)
    assert np.array_equal(alone.features(alone.latents, "means"), own[4:])
    draws = np.concatenate([oracle.latents[:1]] * 5)
    prior = oracle.prior_features(draws, "means")
    assert np.array_equal(prior, alone.prior_features(draws, "means"))
    assert np.allclose(prior[[0, 2, 4]], own[0], atol=1e-6)  # the first prompt, from the first item's noise
    assert not np.allclose(prior[1], own[0], atol=1e-3)
    assert task.calls["extractor"] == 8 + 4 + 5 + 5


# --- offline ----------------------------------------------------------------------------------------------------------


def offline(**options: Any) -> Method:
    default = {"parameterisation": "decoding", "optimiser": "RandomSearch", "budget": 8}
    return method("afterlearner", **{**default, **options})


def test_the_knobs_of_a_session_are_what_its_scheduler_has(tiny_model: Any, toy: Any) -> None:
    known = {
        ("sd", "own"): {"guidance", "eta"},
        ("sd", "ddim_eta1"): {"guidance", "eta"},
        ("sd", "euler"): {"guidance"},
        ("sd3", "own"): {"guidance", "shift"},
    }
    for (kind, scheduler), names in known.items():
        session = Adjustable(tiny_model(kind, scheduler))
        assert set(session.knobs) == set(session.settings) == names
        assert session.settings == {n: k.default for n, k in session.knobs.items()}
    assert Adjustable(tiny_model("sd", "ddim_eta1")).knobs["eta"].default == 1.0
    assert set(Adjustable(toy()).knobs) == {"guidance"}


@pytest.mark.parametrize(("kind", "scheduler"), [("sd", "own"), ("sd", "ddim_eta1"), ("sd3", "own")])
def test_the_identity_is_the_untouched_model_byte_for_byte(kind: str, scheduler: str, tiny_model: Any) -> None:
    model, task = tiny_model(kind, scheduler), asked(tune_prompts=TUNE, images_per_prompt=2)
    base = Result(task, model, method("iid")).shard()
    gains = [offline(budget=1, parameterisation=p) for p in ("block_gains", "channel_gains") if kind == "sd"]
    for made in (method("untouched"), offline(budget=1), *gains):
        assert same(Result(task, model, made).shard(), base)


@pytest.mark.parametrize(
    ("kind", "scheduler", "knob", "value"),
    [("sd", "own", "guidance", 1.5), ("sd", "own", "eta", 0.7), ("sd3", "own", "shift", 1.3)],
)
def test_a_knob_changes_the_images_and_comes_back(
    kind: str, scheduler: str, knob: str, value: float, tiny_model: Any
) -> None:
    task = PromptSearch(asked(), RunContext("cpu", 8, lambda _: None))
    session = Adjustable(tiny_model(kind, scheduler))
    before = task.answer(session, "report", range(8), 7)["latents"]
    session.settings[knob] = value
    changed = task.answer(session, "report", range(8), 7)["latents"]
    assert np.abs(changed - before).max() > 1e-3
    session.settings[knob] = session.knobs[knob].default
    assert np.array_equal(task.answer(session, "report", range(8), 7)["latents"], before)


def test_guidance_and_eta_are_what_the_model_itself_would_do_with_them(tiny_model: Any) -> None:
    session = Adjustable(tiny_model("sd", "ddim"))
    session.settings.update(guidance=2.0, eta=1.0)
    task = PromptSearch(asked(), RunContext("cpu", 8, lambda _: None))
    own = Adjustable(tiny_model("sd", "ddim_eta1", guidance=2.0))
    assert np.array_equal(*(task.answer(s, "report", range(8), 7)["latents"] for s in (session, own)))


def test_an_offline_search_improves_the_tune_prompts_and_is_charged_for_what_it_asks(toy: Any) -> None:
    model, task = toy(), asked(tune_prompts=TUNE)
    result = Result(task, model, offline())
    losses = result.search["losses"]
    assert losses.shape == (8, 8)
    assert losses[result.search["chosen"]].mean() == losses.mean(axis=1).min() < losses[0].mean()
    assert result.search["points"][0].tolist() == [0.0]
    assert result.charged["evaluations"] == 8
    assert result.charged["decoder"] == 64
    assert result.charged["conditional"] == 8 * 8 * model.steps  # the toy's guidance never gets to 0
    w = [Adjustable(model).knobs["guidance"].at(float(p[0])) for p in result.search["points"]]
    assert result.charged["unconditional"] == sum(x != 1 for x in w) * 8 * model.steps
    assert not same(result.shard(), Result(task, model, method("iid")).shard())


def test_what_is_charged_is_what_the_loop_counted(tiny_model: Any) -> None:
    for guidance in (0.0, 1.0, 3.0):
        task = PromptSearch(asked(tune_prompts=TUNE), RunContext("cpu", 8, lambda _: None))
        session = Adjustable(tiny_model("sd", guidance=guidance))
        task.answer(session, "tune", range(5), 7)
        assert task.cost(session, 5) == {k: task.calls[k] for k in ("conditional", "unconditional", "decoder")}


def test_tune_images_are_of_other_prompts_and_other_noise(toy: Any) -> None:
    task = PromptSearch(asked(tune_prompts=TUNE), RunContext("cpu", 8, lambda _: None))
    assert [f["subject"] for f in task.facts_of("tune")] == [t for t in TUNE for _ in range(4)]
    model = toy()
    task.answer(Adjustable(model), "tune", range(6), 7)
    tuned, model.inputs[:] = model.inputs[0][:6], []
    task.answer(Adjustable(model), "report", range(8), 7)
    apart = (tuned[:, None] - model.inputs[0][None, :8]).flatten(2).norm(dim=2)
    assert float(apart.min()) > 0.1
    part = task.answer(Adjustable(toy()), "tune", range(3), 7)["latents"]
    assert np.array_equal(part, task.answer(Adjustable(toy()), "tune", range(6), 7)["latents"][:3])
