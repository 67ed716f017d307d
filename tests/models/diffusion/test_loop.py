"""Hooks, micro-batches, history, memory, counting: what the loop promises to methods and to the engine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from harness import keys
from harness.methods import METHODS
from harness.methods.method import Condition, Couples, Group, Sampling
from harness.models.diffusion.loop import active_hooks, sample
from harness.models.diffusion.microbatch import MicroBatches
from harness.models.model import OutOfMemory
from harness.options import build

Groups = Callable[..., list[Group]]


class Plain(Sampling):
    name = "plain"


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_the_micro_batch_changes_no_draw_and_values_only_by_rounding(
    tiny_model: Any, toy: Any, make_groups: Groups, size: int
) -> None:
    """Exactly equal noise; 1e-4 on a random U-Net, whose kernels are chosen by shape; the analytic denoiser: equal."""
    for model, tolerance in ((tiny_model(), 1e-4), (toy(), 0.0)):
        whole, cut = (sample(model, Plain(), make_groups(), seed=7, micro_batch=m) for m in (16, size))
        assert whole.digests["noise"] == cut.digests["noise"]
        assert np.abs(whole.latents - cut.latents).max() <= tolerance
        assert whole.calls["conditional"] == cut.calls["conditional"] == 8 * model.steps
        assert (np.abs(whole.images.astype(int) - cut.images) <= 1).all()


@pytest.mark.parametrize("size", [2, 4])
def test_a_shard_of_whole_micro_batches_gives_the_same_bytes(tiny_model: Any, make_groups: Groups, size: int) -> None:
    model, groups = tiny_model(), make_groups(prompts=3, size=2)
    whole = sample(model, Plain(), groups, seed=7, micro_batch=size)
    parts = [sample(model, Plain(), shard, seed=7, micro_batch=size) for shard in (groups[:2], groups[2:])]
    assert np.array_equal(whole.latents, np.concatenate([p.latents for p in parts]))
    assert np.array_equal(whole.images, np.concatenate([p.images for p in parts]))


def test_the_remainder_is_padded_to_the_micro_batch_and_dropped(toy: Any, make_groups: Groups) -> None:
    model = toy()
    samples = sample(model, Plain(), make_groups(1, 5), seed=7, micro_batch=4, guidance=1.0)
    assert set(model.batches) == {4}
    assert len(samples.latents) == len(samples.images) == 5
    assert samples.calls == {
        "conditional": 25, "unconditional": 0, "auxiliary": 0, "decoder": 5, "padding": 3 * 5 + 3
    }  # fmt: skip


@pytest.mark.parametrize(("count", "size"), [(3, 8), (9, 16), (16, 16), (40, 32)])
def test_few_items_are_padded_to_a_power_of_two_not_to_the_limit(
    toy: Any, make_groups: Groups, count: int, size: int
) -> None:
    model = toy()
    samples = sample(model, Plain(), make_groups(1, count), seed=7, micro_batch=32, guidance=1.0)
    assert set(model.batches) == {size}
    assert samples.micro_batch == 32


def test_the_same_seed_gives_the_same_bytes_whatever_the_global_state(tiny_model: Any, make_groups: Groups) -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002 - that it is untouched is the point
    first = sample(tiny_model(), Plain(), make_groups(), seed=7, micro_batch=4)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()  # noqa: NPY002
    torch.rand(3)
    second = sample(tiny_model(), Plain(), make_groups(), seed=7, micro_batch=4)
    assert np.array_equal(first.latents, second.latents)
    assert first.digests == second.digests


def test_base_noise_is_keyed_by_prompt_and_sample_and_shared_by_methods(toy: Any) -> None:
    seen: list[torch.Tensor] = []

    class Watch(Sampling):
        def initial_noise(self, noise: torch.Tensor, group: Group) -> torch.Tensor:
            seen.append(noise.clone())
            return noise

    sample(toy(), Watch(), [Group(7, 4, "hat", 0, (2, 9))], seed=7)
    for row, index in zip(seen[0], (2, 9), strict=True):
        assert torch.equal(row, keys.normal((2, 4, 4), 7, "init_noise", 4, index))


def test_permuting_a_group_permutes_the_result(toy: Any) -> None:
    order = [2, 0, 3, 1]
    plain, permuted = (
        sample(toy(), Plain(), [Group(7, 0, "hat", 0, samples)], seed=7) for samples in ((0, 1, 2, 3), tuple(order))
    )
    assert np.array_equal(plain.latents[order], permuted.latents)


# --- hooks --------------------------------------------------------------------------------------------------------


def test_only_overridden_hooks_are_active() -> None:
    class One(Sampling):
        def latent(self, x: Any, step: Any, group: Any) -> Any:
            return x

    class Several(Sampling):
        def clean_samples(self, x0s: Any, step: Any, groups: Any) -> Any:
            return x0s

    assert active_hooks(Plain()) == frozenset()
    assert active_hooks(One()) == {"latent"}
    assert active_hooks(Several()) == {"clean_sample"}


@pytest.mark.parametrize("kind", ["sd", "sd3"])
@pytest.mark.parametrize("scheduler", ["own", "euler"])
def test_hooks_that_return_what_they_got_leave_every_bit(
    tiny_model: Any, make_groups: Groups, kind: str, scheduler: str
) -> None:
    class Idle(Sampling):
        def initial_noise(self, noise: Any, group: Any) -> Any:
            return noise

        def condition(self, condition: Any, step: Any, group: Any) -> Any:
            return condition

        def negative(self, condition: Any, step: Any, group: Any) -> Any:
            return condition

        def guidance(self, scale: float, step: Any, group: Any) -> float:
            return scale

        def clean_sample(self, x0: Any, step: Any, group: Any) -> Any:
            return x0

        def score(self, x: Any, step: Any, group: Any) -> Any:
            return None

        def latent(self, x: Any, step: Any, group: Any) -> Any:
            return x

    model = tiny_model(kind, "own" if kind == "sd3" else scheduler)
    idle, plain = (sample(model, m, make_groups(), seed=7, micro_batch=8) for m in (Idle(), Plain()))
    assert np.array_equal(idle.latents, plain.latents)
    assert idle.activity == ()


def test_a_clean_sample_returned_as_a_new_equal_tensor_changes_no_bit_either(
    tiny_model: Any, make_groups: Groups
) -> None:
    class Copy(Sampling):
        def clean_sample(self, x0: Any, step: Any, group: Any) -> Any:
            return x0.clone()

    copied, plain = (sample(tiny_model(), m, make_groups(), seed=7, micro_batch=8) for m in (Copy(), Plain()))
    assert np.array_equal(copied.latents, plain.latents)
    assert {row[2:] for row in copied.activity if row[2] == "x0.changed"} == {("x0.changed", i, 0.0) for i in range(4)}


def test_a_group_is_untouched_by_another_groups_correction(toy: Any, make_groups: Groups) -> None:
    class First(Sampling):
        def clean_sample(self, x0: Any, step: Any, group: Group) -> Any:
            return x0 + 1 if group.prompt_index == 0 else x0

    changed, plain = (sample(toy(), m, make_groups(), seed=7) for m in (First(), Plain()))
    assert not np.array_equal(changed.latents[:4], plain.latents[:4])
    assert np.array_equal(changed.latents[4:], plain.latents[4:])
    assert {row[0] for row in changed.activity} == {0}


@pytest.mark.parametrize(("w", "conditional", "unconditional"), [(1.0, 20, 0), (0.0, 0, 20), (2.0, 20, 20)])
def test_weight_one_and_zero_save_the_other_call(
    toy: Any, make_groups: Groups, w: float, conditional: int, unconditional: int
) -> None:
    class Weight(Sampling):
        def guidance(self, scale: float, step: Any, group: Any) -> float:
            return w

    by_hook = sample(toy(), Weight(), make_groups(1), seed=7)
    by_option = sample(toy(), Plain(), make_groups(1), seed=7, guidance=w)
    assert (by_hook.calls["conditional"], by_hook.calls["unconditional"]) == (conditional, unconditional)
    assert np.array_equal(by_hook.latents, by_option.latents)


def test_guidance_follows_the_diffusers_convention(toy: Any, make_groups: Groups) -> None:
    """The clean estimate is linear in w: D_u + w (D_c - D_u)."""

    def first(w: float) -> torch.Tensor:
        shown: list[torch.Tensor] = []

        class Show(Sampling):
            def clean_sample(self, x0: Any, step: Any, group: Any) -> Any:
                shown.append(x0)
                return x0

        sample(toy("sample"), Show(), make_groups(1), seed=7, guidance=w)
        return shown[0]

    assert torch.allclose(first(3.0), first(0.0) + 3.0 * (first(1.0) - first(0.0)), atol=1e-5)


def test_groups_may_have_different_weights(toy: Any, make_groups: Groups) -> None:
    class Mixed(Sampling):
        def guidance(self, scale: float, step: Any, group: Group) -> float:
            return float(group.prompt_index)

    mixed = sample(toy(), Mixed(), make_groups(2), seed=7, micro_batch=16)
    for p, w in ((0, 0.0), (1, 1.0)):
        alone = sample(toy(), Plain(), make_groups(2)[p : p + 1], seed=7, guidance=w)
        assert np.array_equal(mixed.latents[4 * p : 4 * p + 4], alone.latents)


def test_a_changed_condition_reaches_the_network_and_only_its_group(toy: Any, make_groups: Groups) -> None:
    class Blank(Sampling):
        def condition(self, condition: Condition, step: Any, group: Group) -> Condition:
            if group.prompt_index:
                return condition
            return dataclasses.replace(condition, embeddings=torch.zeros_like(condition.embeddings))

    changed, plain = (sample(toy(), m, make_groups(), seed=7) for m in (Blank(), Plain()))
    unconditional = sample(toy(), Plain(), make_groups(), seed=7, guidance=0.0)
    assert np.allclose(changed.latents[:4], unconditional.latents[:4], atol=1e-5)
    assert np.array_equal(changed.latents[4:], plain.latents[4:])


def test_hooks_work_in_float32_under_half_precision_weights(toy: Any, make_groups: Groups) -> None:
    seen: set[torch.dtype] = set()

    class Types(Sampling):
        def initial_noise(self, noise: Any, group: Any) -> Any:
            seen.add(noise.dtype)
            return noise

        def condition(self, condition: Condition, step: Any, group: Any) -> Condition:
            seen.update({condition.embeddings.dtype, condition.pooled.dtype})  # type: ignore[union-attr]
            return dataclasses.replace(condition, embeddings=condition.embeddings * 1.0)

        def clean_sample(self, x0: Any, step: Any, group: Any) -> Any:
            seen.add(x0.dtype)
            return x0 + 0.1

        def score(self, x: Any, step: Any, group: Any) -> Any:
            seen.add(x.dtype)
            return 0.01 * x

        def latent(self, x: Any, step: Any, group: Any) -> Any:
            seen.add(x.dtype)
            return x + 0.01

    model = toy(dtype="float16")
    samples = sample(model, Types(), make_groups(1), seed=7)
    assert seen == {torch.float32}
    assert {x.dtype for x in model.inputs} == {torch.float16}
    assert np.isfinite(samples.latents).all()


def test_the_latent_hook_sees_the_sampler_in_variance_preserving_scale(toy: Any, make_groups: Groups) -> None:
    """x/a of the hook's latent is the Euler scheduler's own; the last one is the clean latent itself."""
    shown: list[torch.Tensor] = []

    class Show(Sampling):
        def latent(self, x: Any, step: Any, group: Any) -> Any:
            shown.append(x)
            return x

    model = toy()
    samples = sample(model, Show(), make_groups(1), seed=7, guidance=1.0, micro_batch=4)
    for after, network_input in zip(shown, model.inputs[1:], strict=False):
        assert torch.allclose(after, network_input, atol=1e-5)
    assert np.array_equal(shown[-1].flatten(1).numpy(), samples.latents)


def test_the_latent_hook_is_not_called_in_the_middle_of_a_second_order_step(tiny_model: Any) -> None:
    calls: list[int] = []

    class Count(Sampling):
        def clean_sample(self, x0: Any, step: Any, group: Any) -> Any:
            calls.append(step.index)
            return x0

        def latent(self, x: Any, step: Any, group: Any) -> Any:
            calls.append(100 + step.index)
            return x

    sample(tiny_model("sd", "heun"), Count(), [Group(7, 0, "hat", 0, (0,))], seed=7, steps=3, micro_batch=1)
    assert [c for c in calls if c < 100] == [0, 1, 2, 3, 4]  # corrections at both stages
    assert [s.stage for s in tiny_model("sd", "heun").timetable(3).steps] == [0, 1, 0, 1, 0]
    assert [c for c in calls if c >= 100] == [101, 103, 104]


def test_corrections_stop_where_the_noise_is_below_a_thousandth(toy: Any, make_groups: Groups) -> None:
    class Push(Sampling):
        def clean_sample(self, x0: Any, step: Any, group: Any) -> Any:
            return x0 + 1

    model = toy()
    table = model.timetable

    def quiet(steps: int) -> Any:
        result = table(steps)
        result.steps = tuple(dataclasses.replace(s, b=5e-4) for s in result.steps)
        return result

    model.timetable = quiet
    pushed = sample(model, Push(), make_groups(1), seed=7)
    assert pushed.activity == ()


# --- history, candidates, step noise ------------------------------------------------------------------------------


class Remember(Sampling):
    name = "remember"
    couples = Couples.HISTORY

    def __init__(self) -> None:
        self.known: dict[tuple[int, int], Any] = {}

    def clean_sample(self, x0: Any, step: Any, group: Group) -> Any:
        self.known[group.prompt_index, group.index] = group.finished
        return x0


def test_groups_of_a_prompt_run_in_waves_and_see_the_finished_ones(toy: Any, make_groups: Groups) -> None:
    method = Remember()
    groups = make_groups(prompts=2, size=2, each=3)
    samples = sample(toy(), method, groups[::-1], seed=7)  # the order given is the order handed back
    plain = sample(toy(), Plain(), groups[::-1], seed=7)
    assert np.array_equal(samples.latents, plain.latents)
    rows = {(g.prompt_index, g.index): samples.latents[2 * i : 2 * i + 2] for i, g in enumerate(groups[::-1])}
    for p in range(2):
        assert method.known[p, 0] is None
        for k in (1, 2):
            expected = np.concatenate([rows[p, j] for j in range(k)])
            assert np.array_equal(method.known[p, k].numpy(), expected)


def test_history_of_an_earlier_shard_comes_in_with_the_group(toy: Any, make_groups: Groups) -> None:
    whole, late = Remember(), Remember()
    groups = make_groups(prompts=1, size=2, each=3)
    all_at_once = sample(toy(), whole, groups, seed=7)
    second = make_groups(prompts=1, size=2, each=3)[1:]
    second[0].finished = torch.from_numpy(all_at_once.latents[:2])
    sample(toy(), late, second, seed=7)
    assert all(torch.equal(whole.known[0, k], late.known[0, k]) for k in (1, 2))


def test_candidates_start_from_the_shared_noise_and_the_kept_ones_are_decoded(toy: Any, make_groups: Groups) -> None:
    class Best(Sampling):
        name = "best"

        def oversample(self) -> int:
            return 3

        def select(self, x0: torch.Tensor, group: Group) -> list[int]:
            assert len(x0) == len(group) == 6
            self.last = x0
            return [4, 1]

    method = Best()
    chosen, plain = (sample(toy(), m, make_groups(1, 2), seed=7) for m in (method, Plain()))
    assert np.array_equal(method.last[:2].flatten(1).numpy(), plain.latents)
    assert np.array_equal(chosen.latents, method.last[[4, 1]].flatten(1).numpy())
    assert chosen.calls["conditional"] == 3 * plain.calls["conditional"]
    assert chosen.calls["decoder"] == 2
    assert not torch.equal(method.last[2], method.last[4])


def test_stochastic_schedulers_draw_keyed_noise_per_item_and_step(tiny_model: Any, make_groups: Groups) -> None:
    for name in ("ddim_eta1", "dpmpp_2m_sde"):
        model = tiny_model("sd", name)
        one, again, cut = (sample(model, Plain(), make_groups(), seed=7, micro_batch=m) for m in (8, 8, 2))
        assert np.array_equal(one.latents, again.latents)
        assert np.abs(one.latents - cut.latents).max() <= 1e-3
        alone = sample(model, Plain(), make_groups()[1:], seed=7, micro_batch=8)
        assert np.abs(one.latents[4:] - alone.latents).max() <= 1e-3
        deterministic = sample(tiny_model("sd", name.removesuffix("_eta1").removesuffix("_sde")), Plain(),
                               make_groups(), seed=7, micro_batch=8)  # fmt: skip
        assert np.abs(one.latents - deterministic.latents).max() > 0.05


# --- memory -------------------------------------------------------------------------------------------------------


def _failing(*at: int) -> Callable[[], None]:
    """Raises torch's error at the given network calls, counted from 0."""
    count = iter(range(10**6))

    def fault() -> None:
        if next(count) in at:
            raise torch.OutOfMemoryError("injected")

    return fault


def test_out_of_memory_at_any_call_gives_the_same_samples(toy: Any, make_groups: Groups) -> None:
    whole = sample(toy(), Plain(), make_groups(), seed=7, micro_batch=4)
    total = 2 * 5 + 2
    for k in range(total):
        cut = sample(toy(), Plain(), make_groups(), seed=7, micro_batch=4, fault=_failing(k))
        assert np.array_equal(whole.latents, cut.latents), k
        assert np.array_equal(whole.images, cut.images), k
        assert (cut.micro_batch, cut.tries) == (2, 1), k
        assert {n: cut.calls[n] for n in ("conditional", "decoder")} == {"conditional": 40, "decoder": 8}, k


def test_out_of_memory_on_a_real_network_changes_only_rounding(tiny_model: Any, make_groups: Groups) -> None:
    whole = sample(tiny_model(), Plain(), make_groups(), seed=7, micro_batch=8)
    cut = sample(tiny_model(), Plain(), make_groups(), seed=7, micro_batch=8, fault=_failing(1, 2))
    assert (cut.micro_batch, cut.tries) == (2, 2)
    assert np.abs(whole.latents - cut.latents).max() <= 1e-4
    assert whole.digests["noise"] == cut.digests["noise"]


def test_out_of_memory_at_one_item_is_typed_and_says_what_was_tried(toy: Any, make_groups: Groups) -> None:
    def always() -> None:
        raise torch.OutOfMemoryError("injected")

    with pytest.raises(OutOfMemory, match="micro-batch 4, 2, 1: injected") as caught:
        sample(toy(), Plain(), make_groups(), seed=7, micro_batch=4, fault=always)
    assert caught.value.tried == (4, 2, 1)


def test_out_of_memory_inside_a_method_is_typed_and_not_retried(toy: Any, make_groups: Groups) -> None:
    class Huge(Sampling):
        name = "huge"

        def clean_sample(self, x0: Any, step: Any, group: Any) -> Any:
            raise torch.OutOfMemoryError("too many pairs")

    with pytest.raises(OutOfMemory, match="in method 'huge': too many pairs"):
        sample(toy(), Huge(), make_groups(), seed=7, micro_batch=4)


def test_other_errors_pass_through_the_back_off() -> None:
    def broken(rows: list[int], kept: int) -> None:
        raise ValueError("not memory")

    batches = MicroBatches(4)
    with pytest.raises(ValueError, match="not memory"):
        batches.run(4, broken)
    assert (batches.size, batches.tried) == (4, [])


# --- bookkeeping --------------------------------------------------------------------------------------------------


def test_progress_ends_at_the_number_of_items_and_never_falls(toy: Any, make_groups: Groups) -> None:
    seen: list[float] = []
    sample(toy(), Remember(), make_groups(2, 2, 2), seed=7, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 8


def test_noise_facts_are_those_of_white_noise(toy: Any, make_groups: Groups) -> None:
    facts = sample(toy(), Plain(), make_groups(8, 8), seed=7).noise
    assert facts["norm"].shape == (64,)
    assert facts["channel_mean"].shape == (64, 2)
    assert facts["norm"].mean() == pytest.approx(32**0.5, rel=0.05)
    assert facts["spectrum"].mean(0) == pytest.approx(np.ones(3), abs=0.3)


def test_groups_of_another_seed_and_empty_calls_are_refused(toy: Any, make_groups: Groups) -> None:
    with pytest.raises(ValueError, match=r"seed \[7\] in a call for seed 8"):
        sample(toy(), Plain(), make_groups(), seed=8)
    with pytest.raises(ValueError, match="no groups"):
        sample(toy(), Plain(), [], seed=8)


def test_iid_of_the_registry_is_the_untouched_sampler(toy: Any, make_groups: Groups) -> None:
    iid = build(METHODS.get("iid"), {})
    assert active_hooks(iid) == frozenset()
    assert sample(toy(), iid, make_groups(), seed=7).digests == sample(toy(), Plain(), make_groups(), seed=7).digests
