"""Fréchet distance: closed forms, routes, bias, leave-one-group-out, and the level of its interval."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harness
from harness.metrics.frechet_distance import (
    FrechetDistance,
    Moments,
    covariance_root,
    frechet,
    frechet_of_moments,
    leave_group_out,
    moments,
)
from harness.metrics.metric import CannotMeasure, Evidence, Items, ScoreStatus
from harness.stats.groups import jackknife_groups
from harness.stats.intervals import interval, standard_error
from harness.stats.paired import paired_difference
from harness.stats.units import CannotInfer, Estimator, UnitKind, Units


def evidence(x: np.ndarray, y: np.ndarray, prompts: int = 10) -> Evidence:
    prompt = np.arange(len(x)) % prompts
    who = Items(prompt, np.arange(len(x)) // prompts, prompt, tuple(f"prompt {p}" for p in range(prompts)))
    return Evidence(who, features={("generated", "avatars"): x, ("reference", "avatars"): y})


def whitened(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    """A sample (n, d) whose mean is exactly 0 and covariance exactly 1."""
    x = rng.normal(size=(n, d))
    x -= x.mean(axis=0)
    return x @ np.linalg.inv(np.linalg.cholesky(x.T @ x / (n - 1))).T


def direct(x: np.ndarray, y: np.ndarray) -> float:
    """The formula by general eigenvalues of the product: slow, unstable, independent of the routes under test."""
    a, b = np.cov(x.T), np.cov(y.T)
    trace = np.sqrt(np.clip(np.linalg.eigvals(a @ b).real, 0, None)).sum()
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * trace)


@pytest.mark.parametrize(("d", "n"), [(8, 50), (64, 200)])
def test_closed_form_of_two_normals(d: int, n: int) -> None:  # T7: d (1 - σ)² + |δ|²
    rng = np.random.default_rng(0)
    x, y = whitened(rng, n, d), 2.0 * whitened(rng, n + 7, d) + 0.5
    assert frechet(x, y) == pytest.approx(d * 1.0 + d * 0.25, abs=1e-10)
    if d == 8:
        assert frechet(x, y) == pytest.approx(10.0, abs=1e-10)


@pytest.mark.parametrize(("n", "m", "d"), [(60, 80, 16), (12, 80, 16), (60, 12, 16), (12, 10, 16), (16, 17, 16)])
def test_every_route_agrees_with_the_formula(n: int, m: int, d: int) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(n, d)), rng.normal(size=(m, d)) @ rng.normal(size=(d, d)) + 1
    assert frechet(x, y) == pytest.approx(direct(x, y), rel=1e-6)  # the formula loses half the digits on rank loss
    assert frechet(x, y) == pytest.approx(frechet(y, x), rel=1e-9)


@pytest.mark.parametrize(("n", "m", "d"), [(60, 80, 16), (17, 10, 16), (12, 80, 16)])
def test_moments_alone_give_the_distance_of_the_sets(n: int, m: int, d: int) -> None:
    rng = np.random.default_rng(20)
    x, y = rng.normal(size=(n, d)), 2 * rng.normal(size=(m, d)) + 1
    whole = leave_group_out(x, moments(y), np.zeros(n, dtype=int), 0)[0]
    # a covariance without full rank has eigenvalues of the size of rounding, whose roots are 1e-8 of the trace each
    full = min(n, m) > d + 1  # of both: where one lacks rank the last digits differ from processor to processor
    assert frechet_of_moments(x.mean(0), np.cov(x.T), moments(y)) == pytest.approx(whole, rel=1e-9 if full else 1e-6)


def test_a_distance_from_moments_below_zero_is_an_error() -> None:  # T6
    x = np.random.default_rng(21).normal(size=(100, 4))
    with pytest.raises(CannotMeasure, match="negative Fréchet distance"):
        frechet_of_moments(x.mean(0), np.cov(x.T), Moments(x.mean(0), 0.5, moments(x).root))


def test_cholesky_and_eigenvector_roots_give_the_same_distance() -> None:  # T7, at a size that runs in a blink
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(600, 256)), rng.normal(size=(700, 256)) @ rng.normal(size=(256, 256)) / 16
    covariance = np.cov(y.T)
    values, vectors = np.linalg.eigh(covariance)
    by_vectors = Moments(y.mean(0), float(np.trace(covariance)), (vectors * np.sqrt(values)).T)
    group = np.zeros(len(x), dtype=int)
    assert leave_group_out(x, by_vectors, group, 0)[0] == pytest.approx(frechet(x, y), rel=5e-8)
    few = x[:200]  # the route by singular values against eigenvalues of the same product
    projected = (few - few.mean(0)) @ by_vectors.root.T
    eigen = np.sqrt(np.clip(np.linalg.eigvalsh(projected @ projected.T), 0, None)).sum()
    assert np.linalg.svd(projected, compute_uv=False).sum() == pytest.approx(eigen, rel=5e-8)


@pytest.mark.slow
def test_routes_agree_at_the_size_of_inception_features() -> None:  # T7
    rng = np.random.default_rng(14)
    scale = np.geomspace(1, 1e-2, 2048)
    x, y = rng.normal(size=(2500, 2048)) * scale, (rng.normal(size=(2600, 2048)) + 0.1) * scale
    group = np.zeros(len(x), dtype=int)
    by_cholesky = frechet(x, y)
    covariance = np.cov(y.T)
    values, vectors = np.linalg.eigh(covariance)
    by_vectors = Moments(y.mean(0), float(np.trace(covariance)), (vectors * np.sqrt(values)).T)
    assert leave_group_out(x, by_vectors, group, 0)[0] == pytest.approx(by_cholesky, rel=5e-8)
    root = moments(y).root
    own = (x - x.mean(0)) / np.sqrt(len(x) - 1)
    nuclear = np.linalg.svd(own @ root.T, compute_uv=False).sum()
    spread = (own**2).sum() + np.trace(covariance)
    by_singular_values = ((x.mean(0) - y.mean(0)) ** 2).sum() + spread - 2 * nuclear
    assert by_singular_values == pytest.approx(by_cholesky, rel=5e-8)


@pytest.mark.parametrize(("n", "d"), [(400, 32), (100, 256), (33, 32)])
@pytest.mark.parametrize("dead", [0, 10])
def test_distance_of_a_set_to_itself_is_zero(n: int, d: int, dead: int) -> None:  # T6
    x = np.random.default_rng(3).normal(size=(n, d)) * np.linspace(0.01, 10, d)
    x[:, :dead] = 1.5  # features that never fire: a covariance without full rank
    assert 0.0 <= frechet(x, x) <= 1e-6 * np.trace(np.cov(x.T))


def test_a_distance_below_zero_by_more_than_rounding_is_an_error() -> None:  # T6
    x = np.random.default_rng(4).normal(size=(100, 4))
    wrong = Moments(x.mean(0), 0.5, moments(x).root)  # a variance that does not belong to the root
    with pytest.raises(CannotMeasure, match="negative Fréchet distance"):
        leave_group_out(x, wrong, np.zeros(100, dtype=int), 0)


def test_root_of_a_singular_covariance_has_its_rank() -> None:
    x = np.random.default_rng(5).normal(size=(50, 3)) @ np.random.default_rng(6).normal(size=(3, 8))
    covariance = np.cov(x.T)
    root = covariance_root(covariance)
    assert root.shape == (3, 8)
    assert root.T @ root == pytest.approx(covariance, abs=1e-10)


def test_a_common_shift_changes_nothing() -> None:  # T8
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(2000, 64)), rng.normal(size=(2000, 64)) + 0.1
    assert frechet(x + 1e4, y + 1e4) == pytest.approx(frechet(x, y), abs=1e-9)
    stored = ((x + 1e4).astype(np.float32).astype(float), (y + 1e4).astype(np.float32).astype(float))
    assert frechet(*stored) == pytest.approx(frechet(x, y), abs=1e-3)  # float32 at 1e4 rounds each feature by 5e-4


def test_bias_falls_with_one_over_n() -> None:  # T5: FD(N)·N is constant; measured 17.54·128 = 2245
    rng = np.random.default_rng(8)
    products = []
    for n, repeats in ((128, 40), (500, 20), (2000, 6)):
        draws = [frechet(rng.normal(size=(n, 64)), rng.normal(size=(n, 64))) for _ in range(repeats)]
        products.append(np.mean(draws) * n)
    assert max(products) / min(products) < 1.1


@settings(max_examples=40, deadline=None)
@given(st.integers(5, 60), st.integers(5, 60), st.integers(1, 20), st.integers(0, 2**31))
def test_leaving_a_group_out_is_computing_without_it(n: int, m: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(n, d)), 3 + 2 * rng.normal(size=(m, d))
    groups = jackknife_groups(np.array([f"{i % 7}" if n >= 14 else f"{i}" for i in range(n)]))
    full, left_out = leave_group_out(x, moments(y), groups.index, len(groups))
    assert full == pytest.approx(frechet(x, y), rel=1e-9, abs=1e-7)
    again = [frechet(x[groups.index != g], y) for g in range(len(groups))]
    assert left_out == pytest.approx(again, rel=1e-7, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 10))
def test_rotation_order_and_scale(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(40, 6)), rng.normal(size=(30, 6)) + 1
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    base = frechet(x, y)
    assert frechet(x @ turn, y @ turn) == pytest.approx(base, rel=1e-9)
    assert frechet(rng.permutation(x), rng.permutation(y)) == pytest.approx(base, rel=1e-9)
    assert frechet(scale * x, scale * y) == pytest.approx(scale**2 * base, rel=1e-9)


def _coverage(d: int, n: int, groups: int, runs: int) -> tuple[float, float]:
    """N(.1, I) against known N(0, I): shares of intervals of the value that hold its mean, and of jack the truth."""
    rng = np.random.default_rng(9)
    known = Moments(np.zeros(d), float(d), np.eye(d))
    cells = jackknife_groups(np.array([f"{i % groups:02d}" for i in range(n)]))
    values, bounds, corrected = [], [], []
    for _ in range(runs):
        full, left_out = leave_group_out(0.1 + rng.normal(size=(n, d)), known, cells.index, groups)
        units = cells.units(full, left_out)
        found, jack = interval(Estimator.PLUG_IN, units, value=full), interval(Estimator.PLUG_IN, units)
        values.append(full)
        bounds.append((found.low, found.high))
        corrected.append(jack.low < 0.01 * d < jack.high)
    mean, (low, high) = np.mean(values), np.array(bounds).T
    return float(((low < mean) & (mean < high)).mean()), float(np.mean(corrected))


def test_jackknife_interval_holds_its_level() -> None:  # T14; measured .950 and .952
    value, jack = _coverage(d=16, n=500, groups=10, runs=400)
    assert 0.93 <= value <= 0.97
    assert 0.93 <= jack <= 0.97


def test_jackknife_interval_is_conservative_in_many_dimensions() -> None:  # T14; measured .987 and .987
    value, jack = _coverage(d=64, n=2000, groups=20, runs=200)
    assert value >= 0.93
    assert jack >= 0.93


def test_pairing_by_group_shrinks_the_error_of_a_difference() -> None:
    """Same noise, d = 16, n = 500, G = 10; measured .0208 paired, .0701 unpaired."""
    rng = np.random.default_rng(10)
    known = Moments(np.zeros(16), 16.0, np.eye(16))
    groups = jackknife_groups(np.array([f"{i % 10}" for i in range(500)]))
    noise = rng.normal(size=(500, 16))
    a, b = (
        groups.units(*leave_group_out(shift + noise + 0.1 * rng.normal(size=noise.shape), known, groups.index, 10))
        for shift in (0.15, 0.1)
    )
    found = paired_difference(Estimator.PLUG_IN, a, b)
    paired = (found.interval.high - found.interval.low) / 2 / 2.262
    assert paired < 0.5 * np.hypot(standard_error(a), standard_error(b))


def test_measurement_has_pseudo_values_and_the_corrected_value_beside_it() -> None:
    rng = np.random.default_rng(11)
    x, y = rng.normal(size=(200, 8)).astype(np.float32), rng.normal(size=(300, 8)).astype(np.float32)
    found = FrechetDistance("avatars").measure(evidence(x, y))
    assert found.value == pytest.approx(frechet(x.astype(float), y.astype(float)))
    assert found.n == 200
    jack = found.companions["jack"]
    assert found.units is not None
    assert found.units.kind is UnitKind.PSEUDO
    assert jack.value == pytest.approx(found.units.value.mean())
    assert jack.value < found.value  # the bias is positive
    assert np.array_equal(jack.units.value, found.units.value)  # the same error
    assert FrechetDistance("avatars").name == "fd.avatars"


def test_cells_of_unequal_n_cannot_be_compared() -> None:  # T5
    rng = np.random.default_rng(12)
    y = rng.normal(size=(200, 8))
    one, two = (FrechetDistance("avatars").measure(evidence(rng.normal(size=(n, 8)), y)) for n in (200, 100))
    with pytest.raises(CannotInfer, match="another n"):
        paired_difference(Estimator.PLUG_IN, one.units, two.units)


def test_bootstrap_is_refused() -> None:  # T14
    key = np.array([f"{i}" for i in range(500)])
    with pytest.raises(CannotInfer, match="Use jackknife"):
        interval(FrechetDistance.estimator, Units(UnitKind.REPLICATES, key, key, np.arange(500.0)))


def _broken(**change) -> Evidence:
    rng = np.random.default_rng(13)
    x, y = rng.normal(size=(50, 4)), rng.normal(size=(60, 4))
    if change.get("nan"):
        x[7, 2] = np.nan
    if change.get("flat"):
        x = x.reshape(-1)
    if change.get("long"):
        y = np.hstack([y, y])
    if "keep" in change:
        x = x[: change["keep"]]
    built = evidence(x, y, prompts=change.get("prompts", 10))
    if change.get("row_lost"):
        return Evidence(built.items, features={**built.features, ("generated", "avatars"): x[:-1]})
    return built


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"nan": True}, ScoreStatus.FAILED, "1 of 50 rows hold NaN or infinity"),
        ({"flat": True}, ScoreStatus.PROTOCOL_MISMATCH, "expected"),  # T10: one-dimensional features gave FID 1e-5
        ({"long": True}, ScoreStatus.PROTOCOL_MISMATCH, "have length 4, reference features 8"),
        ({"row_lost": True}, ScoreStatus.PROTOCOL_MISMATCH, "49"),
        ({"keep": 0}, ScoreStatus.INSUFFICIENT_N, "none"),
        ({"keep": 1}, ScoreStatus.INSUFFICIENT_N, "found 1"),
        ({"prompts": 4}, ScoreStatus.INSUFFICIENT_N, "at least 5 clusters are needed for a jackknife; found 4"),
    ],
)
def test_what_cannot_be_measured_has_a_status_and_a_reason(change: dict, status: ScoreStatus, reason: str) -> None:
    with pytest.raises(CannotMeasure, match=reason) as caught:
        FrechetDistance("avatars").measure(_broken(**change))
    assert caught.value.status is status


def test_the_matrix_square_root_of_scipy_is_used_nowhere() -> None:  # T7
    root = Path(harness.__file__).parent
    assert not [p for p in root.rglob("*.py") if "sqrtm" in p.read_text(encoding="utf-8")]
