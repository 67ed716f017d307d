"""Best of N: the expected maxima and bounds of generation.md section 6.8, and no favour for the first of equals."""

from __future__ import annotations

import numpy as np
import pytest
from latent_toys import ToyLatents, constant, linear
from scipy import stats

from harness.methods.retrofitting.best_of_n import BestOfN, divergence_bound

EXPECTED = {2: 0.5642, 4: 1.0294, 8: 1.4236, 16: 1.7660, 64: 2.3437, 100: 2.5076}


def test_expected_maxima_of_standard_normals() -> None:
    """One run of N = 100 over 700 items holds all smaller N; four standard errors, each below .13."""
    found = BestOfN(n=100).refine(linear(3, 700), seed=0).best
    for n, expected in EXPECTED.items():
        reached = found[:, n - 1]
        assert abs(reached.mean() - expected) < 4 * reached.std() / 700**0.5


@pytest.mark.parametrize("n", [1, 3, 10])
def test_a_uniform_score_reaches_n_over_n_plus_one(n: int) -> None:
    toy = ToyLatents(3, range(500), lambda z, _: stats.norm.cdf(z[:, 0]))
    reached = BestOfN(n=n).refine(toy, seed=0).best[:, -1]
    assert abs(reached.mean() - n / (n + 1)) < 4 * reached.std() / 500**0.5


@pytest.mark.parametrize(("n", "bound"), [(1, 0.0), (4, 0.6363), (16, 1.8351), (64, 3.1745)])
def test_the_bound_on_the_divergence_from_the_prior(n: int, bound: float) -> None:
    assert divergence_bound(n) == pytest.approx(bound, abs=5e-5)


def test_one_draw_is_the_start_bit_for_bit() -> None:
    oracle = linear(4, 5)
    assert BestOfN(n=1).refine(oracle, seed=0).latents.tobytes() == oracle.latents.tobytes()
    assert oracle.scored == 1


def test_the_latents_are_those_of_the_best_scores_and_each_draw_is_paid_for() -> None:
    oracle = linear(4, 50)
    found = BestOfN(n=12).refine(oracle, seed=0)
    assert oracle.scored == BestOfN(n=12).evaluations == 12
    assert np.array_equal(found.latents[:, 0].astype(np.float64), found.best[:, -1])
    assert (np.diff(found.best, axis=1) >= 0).all()


def test_of_equal_scores_every_draw_is_as_likely_the_start_included() -> None:
    """N = 4, constant score: the start is kept by a quarter of 600 items; by index it would be all, or none."""
    oracle = constant(2, 600)
    kept = (BestOfN(n=4).refine(oracle, seed=0).latents == oracle.latents).all(axis=1).mean()
    assert abs(kept - 0.25) < 4 * (0.25 * 0.75 / 600) ** 0.5


def test_a_larger_n_goes_on_with_the_draws_of_a_smaller_one() -> None:
    """Ties included: a constant score is decided by lots that the smaller run drew too."""
    for toy in (linear, constant):
        short, long = (BestOfN(n=n).refine(toy(3, 40), seed=0) for n in (5, 9))
        assert np.array_equal(short.best, long.best[:, :5])
    same = (BestOfN(n=5).refine(constant(3, 400), 0).latents == BestOfN(n=9).refine(constant(3, 400), 0).latents).all(1)
    assert 0.4 < same.mean() < 0.72  # 5/9 of the winners of five stay winners of nine


def test_an_item_does_not_feel_which_others_are_at_hand() -> None:
    def oracle(samples: tuple[int, ...]) -> ToyLatents:
        return ToyLatents(4, samples, lambda z, of: np.round(z[:, 0] * (1 + np.array(of))))

    whole, part = (BestOfN(n=9).refine(oracle(s), seed=3) for s in ((0, 1, 2, 3), (3, 1)))
    assert np.array_equal(whole.latents[[3, 1]], part.latents)
