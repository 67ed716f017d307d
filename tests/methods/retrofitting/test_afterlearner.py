"""AfterLearnER offline: the identity first, budgets exact, runs that extend each other, ties, restarts, bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from tiny_session import TinySession

from harness.methods.method import Search
from harness.methods.oracle import Losses, Oracle
from harness.methods.retrofitting.afterlearner import AfterLearner, generations
from harness.methods.retrofitting.optimiser import Optimiser, learns
from harness.methods.retrofitting.untouched import Untouched
from harness.models.parameterisations import Parameterisation, Point
from harness.stats.overfitting import Learns


@dataclass
class ToyOracle(Oracle):
    """Losses of 20 items: distance of the point from `aim`, squashed, with item noise; counts what it is asked."""

    aim: float = 1.0
    flat: bool = False
    items: int = 20
    session: TinySession = field(default_factory=TinySession)
    asked: list[Point] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    def evaluate(self, space: Parameterisation, points: Sequence[Point], items: int) -> list[Losses]:
        self.asked += [p.copy() for p in points]
        self.batches.append(len(points))
        spread = np.linspace(0, 0.1, self.items)[:items]
        far = [0.5 if self.flat else 1 - np.exp(-0.1 * float(((p - self.aim) ** 2).sum())) for p in points]
        return [np.clip(0.9 * f + spread, 0, 1) for f in far]


OPTIMISERS = ("NGOpt", "DiscreteOnePlusOne", "OptimisticDiscreteOnePlusOne", "DiscreteLenglerOnePlusOne", "OnePlusOne",
              "CMA", "DiagonalCMA", "DE", "TBPSA", "RandomSearch", "ScrHammersleySearch")  # fmt: skip


@pytest.mark.parametrize("name", OPTIMISERS)
def test_identity_first_budget_exact_and_a_run_is_the_beginning_of_a_longer_one(name: str) -> None:
    short, long = ToyOracle(), ToyOracle()
    trace = AfterLearner("block_gains", name, budget=12, horizon=40).search(short, seed=3)
    AfterLearner("block_gains", name, budget=40).search(long, seed=3)
    assert len(short.asked) == len(trace.points) == 12
    assert len(long.asked) == 40
    assert not short.asked[0].any()
    np.testing.assert_array_equal(np.array(short.asked), np.array(long.asked[:12]))
    assert trace.losses[trace.chosen].mean() == trace.losses.mean(1).min()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_same_seed_same_run_other_seed_other_run_global_state_untouched(name: str) -> None:
    method = AfterLearner("block_gains", name, budget=10)
    before = np.random.get_state()[1].copy()  # type: ignore[index,union-attr]  # noqa: NPY002
    a, b, c = (method.search(ToyOracle(), seed).points for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    if name != "ScrHammersleySearch":  # its scrambling is all that is random in it
        assert not np.array_equal(a, c)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # type: ignore[index]  # noqa: NPY002


def test_budget_one_returns_the_identity_without_optimism() -> None:
    trace = AfterLearner("block_gains", budget=1).search(ToyOracle(), 0)
    assert trace.chosen == 0
    assert not trace.point.any()
    assert trace.nats == 0.0
    assert Untouched().search(ToyOracle(), 0).nats == 0.0


def test_the_identity_wins_ties() -> None:
    trace = AfterLearner("block_gains", "RandomSearch", budget=20).search(ToyOracle(flat=True), 0)
    assert trace.chosen == 0


def test_it_finds_what_is_there_to_find() -> None:
    oracle = ToyOracle(aim=0.7)
    trace = AfterLearner("block_gains", "CMA", budget=120).search(oracle, 0)
    assert trace.losses[trace.chosen].mean() < 0.3 * trace.losses[0].mean()


def test_the_best_of_all_restarts_is_returned_and_all_are_counted() -> None:
    oracle = ToyOracle()
    method = AfterLearner("block_gains", "RandomSearch", budget=30, restarts=3)
    trace = method.search(oracle, 0)
    assert len(oracle.asked) == method.evaluations == 30
    assert [i for i, p in enumerate(oracle.asked) if not p.any()] == [0, 10, 20]
    assert trace.chosen == int(trace.losses.mean(1).argmin())
    assert not np.array_equal(trace.points[1:10], trace.points[11:20])
    with pytest.raises(ValueError, match="restarts 4 do not divide"):
        AfterLearner("block_gains", budget=30, restarts=4)


def test_parallel_asks_come_together() -> None:
    oracle = ToyOracle()
    AfterLearner("block_gains", "CMA", budget=14, parallel=4).search(oracle, 0)
    assert oracle.batches == [1, 4, 4, 4, 1]
    assert list(generations(1, 4)) == [1]


def test_a_smaller_tune_subset_is_what_the_oracle_is_asked_for() -> None:
    trace = AfterLearner("block_gains", budget=3, tune_items=7).search(ToyOracle(), 0)
    assert trace.losses.shape == (3, 7)


def test_parameters_of_another_parameterisation_are_refused() -> None:
    for wrong in ({"layer": "head"}, {"knobs": ("beams",)}, {"tokens": (1,)}, {"biases": True}):
        with pytest.raises(ValueError, match="block_gains takes no"):
            AfterLearner("block_gains", **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no optimiser 'OnePlusTwo'; did you mean 'OnePlusOne'"):
        Optimiser("OnePlusTwo", 3, 10, 1, (0, 0))
    assert isinstance(AfterLearner("latent"), Search)
    assert AfterLearner("latent").online


def test_one_number_can_be_searched_and_spoils_no_later_search() -> None:
    """nevergrad's CMA switches to an optional package at d = 1, for good and for all of the process."""
    before = AfterLearner("block_gains", "CMA", budget=10).search(ToyOracle(), 0).points
    one = AfterLearner("decoding", "CMA", budget=10, knobs=("beams",)).search(ToyOracle(), 0)
    assert one.points.shape == (10, 1)
    np.testing.assert_array_equal(AfterLearner("block_gains", "CMA", budget=10).search(ToyOracle(), 0).points, before)


def test_what_optimisers_learn() -> None:
    expected = {
        "RandomSearch": Learns.NOTHING,
        "ScrHammersleySearch": Learns.NOTHING,
        "OnePlusOne": Learns.COMPARISONS,
        "DiscreteLenglerOnePlusOne": Learns.COMPARISONS,
        "OptimisticDiscreteOnePlusOne": Learns.RANKS,
        "CMA": Learns.RANKS,
        "NGOpt": Learns.VALUES,
        "Cobyla": Learns.VALUES,
    }
    assert {name: learns(name) for name in expected} == expected


@pytest.mark.parametrize("name", ["RandomSearch", "ScrHammersleySearch", "LHSSearch", "HaltonSearch"])
def test_what_is_said_to_learn_nothing_asks_the_same_whatever_it_is_told(name: str) -> None:
    """The bound for fixed candidates is only true of these."""
    a, b = ToyOracle(aim=1.0), ToyOracle(aim=-3.0)
    for oracle in (a, b):
        AfterLearner("block_gains", name, budget=15).search(oracle, 0)
    assert learns(name) is Learns.NOTHING
    np.testing.assert_array_equal(np.array(a.asked), np.array(b.asked))


@pytest.mark.parametrize("name", ["OnePlusOne", "DiscreteOnePlusOne", "DiscreteLenglerOnePlusOne", "CMA", "DE", "PSO",
                                  "DiagonalCMA", "TBPSA"])  # fmt: skip
def test_what_is_said_to_learn_ranks_ignores_the_values(name: str) -> None:
    """Any growing function of the losses gives the same points; one that changed them would break the bound."""

    class Squared(ToyOracle):
        def evaluate(self, space: Parameterisation, points: Sequence[Point], items: int) -> list[Losses]:
            return [np.full(items, loss.mean() ** 3) for loss in super().evaluate(space, points, items)]

    plain, squared = ToyOracle(), Squared()
    for oracle in (plain, squared):
        AfterLearner("block_gains", name, budget=60).search(oracle, 0)
    np.testing.assert_array_equal(np.array(plain.asked), np.array(squared.asked))
