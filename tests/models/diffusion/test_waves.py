"""Sequences: who sees whose finished latents, and that nothing but the plan decides it (Couples.SEQUENCE)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from harness.methods.method import Couples, Group, Sampling
from harness.models.diffusion.loop import sample

Groups = Callable[..., list[Group]]


class Follower(Sampling):
    """Moves towards the mean of what is finished, and remembers what it saw."""

    name = "follower"
    couples = Couples.SEQUENCE

    def __init__(self) -> None:
        self.seen: dict[tuple[int, int], tuple[Any, tuple[int, ...]]] = {}

    def clean_sample(self, x0: Any, step: Any, group: Group) -> Any:
        assert len(group) == len(x0) == 1
        self.seen[group.prompt_index, group.samples[0]] = group.finished, group.finished_prompts
        assert group.memory.setdefault("own", group.samples) == group.samples
        if group.finished is None:
            return x0
        group.log("followed", step.index, 1.0)
        return x0 + 0.1 * (group.finished.mean(0).view_as(x0[0]) - x0)


def test_a_sample_sees_all_samples_of_lower_rank_of_all_prompts(toy: Any, make_groups: Groups) -> None:
    method, groups = Follower(), make_groups(prompts=3, size=3)
    samples = sample(toy(), method, groups, seed=7)
    rows = samples.latents.reshape(3, 3, -1)
    for p in range(3):
        assert method.seen[p, 0] == (None, ())
        for k in (1, 2):
            finished, prompts = method.seen[p, k]
            assert prompts == (0, 1, 2) * k
            assert np.array_equal(finished.numpy(), np.concatenate([rows[:, j] for j in range(k)]))


@pytest.mark.parametrize("change", ["order", "groups", "micro_batch", "samples"])
def test_order_grouping_and_micro_batches_change_no_byte(toy: Any, make_groups: Groups, change: str) -> None:
    plain = sample(toy(), Follower(), make_groups(prompts=3, size=4), seed=7)
    groups, size = make_groups(prompts=3, size=4), 32
    if change == "order":
        groups = [groups[i] for i in (2, 0, 1)]
    elif change == "groups":
        groups = make_groups(prompts=3, size=2, each=2)
    elif change == "samples":
        groups = [Group(7, g.prompt_index, g.prompt, 0, (2, 0, 3, 1)) for g in groups]
    else:
        size = 2
    found = sample(toy(), Follower(), groups, seed=7, micro_batch=size)
    order = [(g.prompt_index, s) for g in groups for s in g.samples]
    rows = [order.index((p, s)) for p in range(3) for s in range(4)]
    assert np.array_equal(found.latents[rows], plain.latents)
    assert np.array_equal(found.images[rows], plain.images)
    assert np.array_equal(found.noise["norm"][rows], plain.noise["norm"])
    if change in ("groups", "micro_batch"):
        assert found.digests["latents"] == plain.digests["latents"]


def test_waves_stay_batched_and_everything_is_counted_and_logged(toy: Any, make_groups: Groups) -> None:
    model, seen = toy(), []
    samples = sample(model, Follower(), make_groups(prompts=9, size=3), seed=7, progress=seen.append)
    assert set(model.batches) == {2 * 16}  # nine prompts padded to 16, both branches
    assert len(model.batches) == 3 * model.steps
    assert samples.calls["conditional"] == 27 * model.steps
    assert seen == sorted(seen)
    assert seen[-1] == 27
    followed = [row for row in samples.activity if row[2] == "followed"]
    assert len(followed) == 9 * 2 * model.steps
    assert samples.noise["norm"].shape == (27,)


def test_without_effect_it_is_the_untouched_sampler(toy: Any, tiny_model: Any, make_groups: Groups) -> None:
    class Idle(Sampling):
        couples = Couples.SEQUENCE

    class Plain(Sampling):
        pass

    groups = make_groups(prompts=8, size=2)
    plain, idle = (sample(toy(), m, groups, seed=7) for m in (Plain(), Idle()))
    assert np.array_equal(plain.latents, idle.latents)
    assert plain.digests["noise"] == idle.digests["noise"]
    assert plain.digests["x@1"] == idle.digests["x@1"]
    real = [sample(tiny_model(), m, groups, seed=7, micro_batch=8) for m in (Plain(), Idle())]
    assert np.array_equal(real[0].latents, real[1].latents)


@pytest.mark.parametrize("kind", ["epsilon", "flow"])
def test_the_latent_hook_sees_latents_of_unit_scale_whatever_the_sampler(toy: Any, kind: str) -> None:
    """x / √(a² + b²): of a toy with spread 1 and mean 0, its deviation is 1 at every step, but for Euler's own error.

    Unscaled, a flow's would fall to .71 half way.
    """
    shown: list[float] = []

    class Show(Sampling):
        def latent(self, x: Any, step: Any, group: Any) -> Any:
            shown.append(float(x.std()))
            return x + 0.0

    group = Group(7, 0, "hat", 0, tuple(range(64)))
    touched = sample(toy(kind, spread=1.0), Show(), [group], seed=7, steps=60, guidance=0.0)  # the negative's mean is 0
    assert shown == pytest.approx([1.0] * 60, abs=0.06)
    plain = sample(toy(kind, spread=1.0), Sampling(), [group], seed=7, steps=60, guidance=0.0)
    assert torch.allclose(torch.from_numpy(touched.latents), torch.from_numpy(plain.latents), atol=1e-5)
