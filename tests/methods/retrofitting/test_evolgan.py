"""EvolGAN: closed forms of generation.md section 2, and cells (section 4 B)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from latent_toys import ToyLatents, constant, separable
from scipy import stats

from harness.methods.retrofitting.best_of_n import BestOfN
from harness.methods.retrofitting.evolgan import EvolGan, Home
from harness.methods.retrofitting.mutation import Mutation

MUTATIONS = list(Mutation)


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_budget_of_one_is_the_start_bit_for_bit(mutation: Mutation) -> None:
    oracle = separable(16, 5)
    found = EvolGan(budget=1, mutation=mutation).refine(oracle, seed=0)
    assert found.latents.tobytes() == oracle.latents.tobytes()
    assert oracle.scored == 1
    assert oracle.seen == 0


@pytest.mark.parametrize("mutation", MUTATIONS)
@pytest.mark.parametrize("cells", [0, 3])
def test_the_score_never_falls_and_the_scorer_is_asked_as_often_as_said(mutation: Mutation, cells: int) -> None:
    oracle = separable(16, 6)
    method = EvolGan(budget=30, mutation=mutation, cells=cells, pool=20)
    found = method.refine(oracle, seed=0)
    assert oracle.scored == method.evaluations == 30
    assert found.best.shape == (6, 30)
    assert (np.diff(found.best, axis=1) >= 0).all()
    assert (found.best[:, -1] > found.best[:, 0]).any()
    assert np.array_equal(found.best[:, 0], separable(16, 6).score(oracle.latents))
    assert np.array_equal(found.best[:, -1], separable(16, 6).score(found.latents))


def test_the_start_is_left_as_it_was() -> None:
    oracle = separable(16, 4)
    before = oracle.latents.copy()
    EvolGan(budget=20).refine(oracle, seed=0)
    assert np.array_equal(oracle.latents, before)


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_under_a_constant_scorer_every_proposal_is_taken_and_z_stays_a_prior_draw(mutation: Mutation) -> None:
    """Mean ‖z‖² = d within four standard errors, and N(0, 1) coordinates by Kolmogorov-Smirnov."""
    d, n = 64, 150
    oracle = constant(d, n)
    found = EvolGan(budget=60, mutation=mutation).refine(oracle, seed=0)
    squares = (found.latents.astype(np.float64) ** 2).sum(1)
    assert abs(squares.mean() - d) < 4 * (2 * d / n) ** 0.5
    assert stats.kstest(found.latents.ravel(), "norm").pvalue > 0.001
    assert (found.latents != oracle.latents).mean() > 0.5  # 59 proposals of 1.58 coordinates, all taken
    for t in range(1, 4):  # each of the first proposals is another point than the one before
        earlier, later = (EvolGan(budget=b, mutation=mutation).refine(constant(d, 20), 0).latents for b in (t, t + 1))
        assert (earlier != later).any(axis=1).all()


def best_of(d: int, n: int) -> float:
    """E[max of n draws of -‖z - c‖²] by quadrature: given c the distance is noncentral χ²(d, ‖c‖²), ‖c‖² is χ²(d)."""
    x = np.linspace(0, 6 * d + 8 * (6 * d) ** 0.5, 4000)
    noncentral = stats.chi2.ppf((np.arange(15) + 0.5) / 15, d)
    return -float(np.mean([np.trapezoid(stats.ncx2.sf(x, d, c) ** n, x) for c in noncentral]))


@pytest.mark.parametrize(
    ("d", "budget", "evolved", "winner"),
    [(32, 100, -15, EvolGan), (256, 100, -402, EvolGan), (512, 100, -906, BestOfN), (512, 500, -563, EvolGan)],
)
def test_the_separable_toy_gives_its_computed_values_random_search_winning_in_many_dimensions(
    d: int, budget: int, evolved: float, winner: type
) -> None:
    """-‖z - c‖² of 80 items (24 where each costs 500); four standard errors, half a unit for the table's rounding.

    The table of section 2 has -883 for random search at d = 512, b = 500, where quadrature and simulation have -863.
    """
    items = 80 if budget == 100 else 24
    final = {m: m(budget).refine(separable(d, items), seed=0).best[:, -1] for m in (EvolGan, BestOfN)}
    for method, expected in ((EvolGan, evolved), (BestOfN, best_of(d, budget))):
        assert abs(final[method].mean() - expected) < 4 * final[method].std() / items**0.5 + 0.5
    assert max(final, key=lambda m: final[m].mean()) is winner


def test_a_larger_budget_goes_on_where_a_smaller_one_stopped() -> None:
    short, long = (EvolGan(budget=b).refine(separable(16, 4), seed=0) for b in (10, 25))
    assert np.array_equal(short.best, long.best[:, :10])


@pytest.mark.parametrize("mutation", MUTATIONS)
@pytest.mark.parametrize("cells", [0, 3])
def test_an_item_does_not_feel_which_others_are_at_hand(mutation: Mutation, cells: int) -> None:
    def oracle(samples: Any) -> ToyLatents:
        return ToyLatents(8, samples, lambda z, of: (z * (1 + np.array(of))[:, None]).sum(1))

    method = EvolGan(budget=15, mutation=mutation, cells=cells, pool=20)
    whole, part = method.refine(oracle(range(6)), seed=3), method.refine(oracle((4, 2)), seed=3)
    assert np.array_equal(whole.latents[[4, 2]], part.latents)
    assert np.array_equal(whole.best[[4, 2]], part.best)


def test_another_seed_searches_elsewhere() -> None:
    first, again, other = (EvolGan(budget=10).refine(separable(16, 4), seed).latents for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


# --- cells ------------------------------------------------------------------------------------------------------------


def drained(count: int) -> ToyLatents:
    """A score that empties one half of the space: images are their first two coordinates, and right is better."""
    return ToyLatents(6, range(count), lambda z, _: z[:, 0], features=lambda z: z[:, :2])


def test_cells_keep_their_histogram_where_the_plain_search_drains_them() -> None:
    count, k = 80, 4
    oracle = drained(count)
    home = Home(oracle, k, "any", 200)
    before = np.bincount(home.cells, minlength=k)
    assert (before > 0).all()
    kept, plain = (EvolGan(budget=60, cells=c, pool=200).refine(drained(count), seed=0) for c in (k, 0))
    assert np.array_equal(home.of(kept.latents), home.cells)  # item by item, so the histogram too
    assert (np.bincount(home.of(plain.latents), minlength=k) != before).any()
    assert (np.diff(kept.best, axis=1) >= 0).all()
    assert kept.best[:, -1].mean() > kept.best[:, 0].mean() + 0.3


def test_one_cell_is_the_plain_search() -> None:
    one, plain = (EvolGan(budget=20, cells=c, pool=10).refine(drained(5), seed=0) for c in (1, 0))
    assert np.array_equal(one.latents, plain.latents)


def test_cells_are_of_the_prior_and_the_same_for_all_seeds_and_shards() -> None:
    a, b = (Home(ToyLatents(6, s, lambda z, _: z[:, 0], seed=i), 3, "any", 50) for i, s in ((0, (0, 1)), (1, (5,))))
    assert np.array_equal(a.centres.numpy(), b.centres.numpy())


def test_a_pool_smaller_than_the_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="3 cells of 2 points"):
        EvolGan(budget=2, cells=3, pool=2).refine(drained(2), seed=0)
