"""Balance by cells: what is kept, at what price, and that no label is ever read (generation.md section 4)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from harness import keys
from harness.data.image_set import ImageData, ImageSet
from harness.methods.diversity.cells import cell_of
from harness.methods.diversity.cluster_balance import Balance, ClusterBalance
from harness.methods.method import Group
from harness.models.diffusion.loop import sample, with_candidates
from harness.models.diffusion.stage import LoopStage
from harness.models.feature_spaces import FeatureSpace
from harness.tasks.task import RunContext
from harness.tasks.text_to_image import TextToImage

SHAPE = (2, 4, 4)


def _balanced(p: tuple[float, ...], **options: Any) -> ClusterBalance:
    """Two cells along the first coordinate, around 0 and 1, with pool masses p."""
    centres = torch.zeros(2, 32, dtype=torch.float64)
    centres[1, 0] = 1.0
    method = ClusterBalance(cells=2, **options)
    return dataclasses.replace(method, balances=(Balance(centres, np.array(p), np.array([0.5, 0.5])),))


def _candidates(cell: list[int]) -> torch.Tensor:
    x = torch.zeros(len(cell), *SHAPE)
    x[:, 0, 0, 0] = torch.tensor(cell, dtype=torch.float32)
    return x


@pytest.mark.parametrize("how", ["rejection", "resampling"])
def test_a_minority_cell_is_raised_towards_its_target(how: str) -> None:
    """Pool .8/.2: among 300 groups of 8 from 32 candidates the share of the minority rises from .2 to .5 (rejection:
    20 % of candidates are 6.4 on average, 1.6 of the majority accepted; groups run short, so a little less)."""
    method, kept = _balanced((0.8, 0.2), how=how), []
    for index in range(300):
        group = with_candidates(Group(7, index, "hat", 0, tuple(range(8))), 4.0)
        cell = (keys.generator(index, "world", "cells").random(32) > 0.8).astype(int).tolist()
        method_at = dataclasses.replace(method, scope="suite")
        kept += [cell[i] for i in method_at.select(_candidates(cell), group)]
    assert 0.4 < np.mean(kept) < 0.55


def test_equal_masses_keep_the_base_samples_in_order() -> None:
    group = with_candidates(Group(7, 0, "hat", 0, (0, 1, 2, 3)), 3.0)
    cell = [0, 1, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1]
    for how in ("rejection", "resampling"):
        assert list(_balanced((0.5, 0.5), how=how).select(_candidates(cell), group)) == [0, 1, 2, 3]


def test_what_is_filled_and_what_it_costs_is_logged() -> None:
    filled = []
    for seed in range(12):
        group = with_candidates(Group(seed, 0, "hat", 0, (0, 1, 2, 3)), 1.5)
        kept = _balanced((0.8, 0.2)).select(_candidates([1] + [0] * 5), group)
        log = {name: value for name, _, value in group.activity}
        assert log["bound"] == pytest.approx(2.5)
        assert log["effective"] == pytest.approx(0.64)
        uniform = [keys.generator(seed, "method", 0, i % 4, "balance", i // 4).random() for i in range(1, 6)]
        assert log["filled"] == max(0, 3 - sum(u < 0.25 for u in uniform)) / 4
        assert kept[0] == 0  # the scarce one is always accepted
        assert len(set(kept)) == 4
        filled.append(log["filled"])
    assert len(set(filled)) > 1


def _stage(model: Any, images: np.ndarray[Any, Any] | None = None, **changes: Any) -> LoopStage:
    return LoopStage(model, ("a portrait", "portrait of"), lambda _: images, **changes)  # type: ignore[arg-type, return-value]


def test_cells_are_those_of_the_pool_by_prompt_or_of_all_prompts(toy: Any) -> None:
    model = toy()
    by_prompt = ClusterBalance(cells=2, pilot=12).prepare(_stage(model))
    whole = ClusterBalance(cells=2, pilot=12, scope="suite").prepare(_stage(model))
    assert by_prompt.balances is not None
    assert whole.balances is not None
    assert len(by_prompt.balances) == 2
    assert len(whole.balances) == 1
    pool = _stage(model).base_latents(12).double()
    for balance, own in zip(by_prompt.balances, pool, strict=True):
        share = np.bincount(cell_of(own, balance.centres).numpy(), minlength=2) / 12
        assert balance.p == pytest.approx(np.maximum(share, 0.05) / np.maximum(share, 0.05).sum())
        assert balance.q == pytest.approx([0.5, 0.5])
    # the toy's prompts are far apart: the two cells of the whole suite are the prompts
    assert whole.balances[0].p == pytest.approx([0.5, 0.5])


def _pictures(count: int = 20, seed: int = 0) -> np.ndarray[Any, Any]:
    return keys.generator(seed, "world", "pictures").integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)


def test_a_reference_set_gives_cells_and_masses(toy: Any) -> None:
    images = _pictures()
    method = ClusterBalance(cells=3, pilot=8, reference="real", target="reference").prepare(_stage(toy(), images))
    assert method.balances is not None
    known = _stage(toy(), images).encode("real").double()
    share = np.bincount(cell_of(known, method.balances[0].centres).numpy(), minlength=3) / 20
    assert method.balances[0].q == pytest.approx(np.maximum(share, 0.05) / np.maximum(share, 0.05).sum())
    with pytest.raises(ValueError, match="target: reference needs `reference`"):
        ClusterBalance(target="reference")


def test_deep_features_of_samples_and_of_a_reference_set_are_one_space(toy: Any) -> None:
    """The network sees pictures: samples through the decoder, the set as it is. Its cache is by content and weights."""
    spaces = {"mean": lambda: FeatureSpace("mean", "h", lambda _: lambda images: images.mean((2, 3)))}
    images = _pictures()
    stage = _stage(toy(), images, spaces=spaces)
    expected = images.astype(np.float64).mean((1, 2)) / 255.0
    assert np.allclose(stage.image_features("mean", "real").numpy(), expected, atol=1e-6)
    method = ClusterBalance(cells=2, pilot=8, space="mean", reference="real").prepare(stage)
    assert method.balances is not None
    assert method.balances[0].centres.shape == (2, 3)
    group = Group(7, 0, "a portrait", 0, (0, 1, 2, 3))
    found = sample(toy(), method, [group], seed=7)
    assert found.calls["extractor"] == 16
    assert found.calls["decoder"] == 16 + 4


@dataclass(frozen=True)
class Labelled(ImageSet):
    """Pictures with a sensitive label and a prompt each; labels may be permuted or missing."""

    name = "labelled"
    labels: tuple[int, ...] | None = None
    prompt: tuple[int, ...] | None = None

    def size(self, prompts: tuple[str, ...]) -> int:
        return 20

    def load(self, prompts: tuple[str, ...]) -> ImageData:
        stated = np.full(20, -1) if self.prompt is None else np.array(self.prompt)
        return ImageData(_pictures(), stated.astype(np.int64))


@pytest.mark.parametrize("how", ["rejection", "resampling"])
@pytest.mark.parametrize("target", ["uniform", "reference"])
def test_labels_can_be_permuted_or_removed_without_changing_a_byte(toy: Any, how: str, target: str) -> None:
    """Through the task, as a suite runs it: the label of every reference picture, and the prompt it answers, are
    permuted and then taken away; images, latents and activity stay the same. Another picture changes them."""
    labels = tuple(i % 2 for i in range(20))
    answers = tuple(i % 2 for i in range(20))
    order = keys.generator(0, "world", "labels").permutation(20)
    sets = [
        Labelled(labels, answers),
        Labelled(tuple(labels[i] for i in order), tuple(answers[i] for i in order)),
        Labelled(None, None),
    ]
    task = TextToImage(prompts=("a portrait", "portrait of"), images_per_prompt=4)
    method = ClusterBalance(how=how, cells=3, pilot=8, reference="real", target=target)
    results = []
    for found in sets:
        context = RunContext("cpu", 8, lambda _: None, image_sets={"real": found})
        model = toy(spread=3.0)  # wide enough for the samples of one prompt to fall into several cells
        prepared = task.prepare(model, method, 7, context)
        results.append(task.run(model, prepared, 7, task.shards()[0], context))
    for other in results[1:]:
        assert np.array_equal(results[0].arrays["images"], other.arrays["images"])
        assert np.array_equal(results[0].arrays["latents"], other.arrays["latents"])
        assert results[0].activity == other.activity
    base = task.run(toy(spread=3.0), ClusterBalance(factor=1.0), 7, task.shards()[0], context)
    assert not np.array_equal(results[0].arrays["latents"], base.arrays["latents"])


def test_a_partition_is_the_same_for_every_seed_of_a_suite(toy: Any) -> None:
    first, second = (ClusterBalance(cells=3, pilot=12).prepare(_stage(toy())) for _ in range(2))
    assert first.balances is not None
    assert second.balances is not None
    for a, b in zip(first.balances, second.balances, strict=True):
        assert torch.equal(a.centres, b.centres)


def test_pools_that_are_too_small_and_missing_preparation_are_errors(toy: Any) -> None:
    with pytest.raises(ValueError, match="8 cells of 4 points"):
        ClusterBalance(cells=8, pilot=4).prepare(_stage(toy()))
    with pytest.raises(ValueError, match="cluster_balance is not prepared"):
        ClusterBalance().select(torch.zeros(4, *SHAPE), Group(7, 0, "hat", 0, (0, 1)))


def test_a_planted_minority_mode_is_found_and_raised(toy: Any) -> None:
    """Samples of a two-mode world, one of them with mass .15, through prepare and select: the share of the rare mode
    among what is kept rises, though nobody said what the modes are."""
    factory: Callable[..., Any] = toy
    stage = _stage(factory())

    def world(count: int, seed: int) -> torch.Tensor:
        random = keys.generator(seed, "world", "modes")
        rare = random.random(count) < 0.15
        x = 0.1 * torch.from_numpy(random.standard_normal((count, 32)))
        return x + 3.0 * torch.from_numpy(rare.astype(float))[:, None]

    stage.base_latents = lambda per_prompt: torch.stack([world(per_prompt, 1), world(per_prompt, 2)])  # type: ignore[method-assign]
    method = ClusterBalance(cells=2, pilot=64).prepare(stage)
    before, after = [], []
    for index in range(100):
        group = with_candidates(Group(index, 0, "hat", 0, tuple(range(8))), 4.0)
        x = world(32, 100 + index)
        kept = list(method.select(x.view(32, *SHAPE).float(), group))
        before.append(float((x[:8, 0] > 1.5).double().mean()))
        after.append(float((x[kept, 0] > 1.5).double().mean()))
    assert np.mean(before) == pytest.approx(0.15, abs=0.05)
    assert 0.38 < np.mean(after) < 0.55
