"""Buggy twins: each historical bug in a few lines. A check passes on the real function and must fail on its twin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.metrics.frechet_distance import frechet, leave_group_out, moments
from harness.metrics.kernel_distance import mmd2
from harness.metrics.manifold import precision, recall
from harness.metrics.neighbors import Points, nearest_others
from harness.metrics.spectrum import Similarity
from harness.stats.groups import jackknife_groups
from harness.stats.intervals import interval, standard_error
from harness.stats.multiplicity import holm
from harness.stats.paired import paired_difference
from harness.stats.power import detectable
from harness.stats.proportions import wilson
from harness.stats.student import normal_quantile
from harness.stats.units import Estimator, Interval, UnitKind, Units


def _units(value: Any, cluster: Any = None) -> Units:
    key = np.array([f"{i:04d}" for i in range(len(value))])
    return Units(
        UnitKind.ITEMS, key, key if cluster is None else np.asarray(cluster, dtype=str), np.asarray(value, float)
    )


# --- Fréchet distance -------------------------------------------------------------------------------------------------


def frechet_biased(x: np.ndarray, y: np.ndarray) -> float:
    """Covariances with N in the denominator."""
    shrink = [np.sqrt((len(s) - 1) / len(s)) * (s - s.mean(0)) + s.mean(0) for s in (x, y)]
    return frechet(*shrink)


def frechet_one_pass(x: np.ndarray, y: np.ndarray) -> float:
    """Moments in one pass and float32: ΣxxT - N mmT."""

    def covariance(s: np.ndarray) -> np.ndarray:
        t = s.astype(np.float32)
        m = t.mean(0)
        return (t.T @ t - len(t) * np.outer(m, m)) / (len(t) - 1)

    a, b = covariance(x), covariance(y)
    trace = np.sqrt(np.clip(np.linalg.eigvals(a @ b).real, 0, None)).sum()
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a) + np.trace(b) - 2 * trace)


def frechet_without_mean(x: np.ndarray, y: np.ndarray) -> float:
    """The mean term forgotten."""
    return frechet(x - x.mean(0), y - y.mean(0))


def check_frechet(distance: Callable[..., float]) -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(40, 8))
    z -= z.mean(0)
    z = z @ np.linalg.inv(np.linalg.cholesky(z.T @ z / 39)).T
    assert distance(z, 2 * z + 0.5) == pytest.approx(10.0, abs=1e-8)  # d (1 - σ)² + |δ|²
    assert distance(z + 1e4, 2 * z + 0.5 + 1e4) == pytest.approx(10.0, abs=1e-4)


@pytest.mark.parametrize("twin", [frechet_biased, frechet_one_pass, frechet_without_mean])
def test_wrong_moments_are_seen(twin: Callable[..., float]) -> None:
    check_frechet(frechet)
    with pytest.raises(AssertionError):
        check_frechet(twin)


def jackknife_fd(x: np.ndarray, y: np.ndarray) -> Interval:
    groups = jackknife_groups(np.array([f"{i % 10}" for i in range(len(x))]))
    full, left_out = leave_group_out(x, moments(y), groups.index, len(groups))
    return interval(Estimator.PLUG_IN, groups.units(full, left_out), value=full)


def bootstrap_fd(x: np.ndarray, y: np.ndarray) -> Interval:
    """Percentiles over resampled items."""
    rng = np.random.default_rng(1)
    values = [frechet(x[rng.integers(len(x), size=len(x))], y) for _ in range(100)]
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(low), float(high), "bootstrap")


def check_interval_holds_its_value(make: Callable[..., Interval]) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(500, 64)) + 0.1, rng.normal(size=(500, 64))
    found = make(x, y)
    assert found.low < frechet(x, y) < found.high


def test_bootstrap_of_a_distance_is_seen() -> None:  # T14
    check_interval_holds_its_value(jackknife_fd)
    with pytest.raises(AssertionError):
        check_interval_holds_its_value(bootstrap_fd)


# --- kernel distance --------------------------------------------------------------------------------------------------


def mmd2_biased(x: np.ndarray, y: np.ndarray) -> tuple[float, None]:
    """Own pairs kept: a V-statistic, positive at the null."""

    def mean(a: np.ndarray, b: np.ndarray) -> float:
        return float(((a @ b.T / a.shape[1] + 1) ** 3).mean())

    return mean(x, x) + mean(y, y) - 2 * mean(x, y), None


def mmd2_clamped(x: np.ndarray, y: np.ndarray) -> tuple[float, None]:
    return max(0.0, mmd2(x, y)[0]), None


def check_unbiased(distance: Callable[..., Any]) -> None:  # T19
    rng = np.random.default_rng(3)
    values = [distance(rng.normal(size=(50, 16)), rng.normal(size=(50, 16)))[0] for _ in range(400)]
    assert abs(np.mean(values)) < 3 * np.std(values, ddof=1) / 20


@pytest.mark.parametrize("twin", [mmd2_biased, mmd2_clamped])
def test_biased_and_clamped_kernel_distances_are_seen(twin: Callable[..., Any]) -> None:
    check_unbiased(mmd2)
    with pytest.raises(AssertionError):
        check_unbiased(twin)


# --- neighborhoods ----------------------------------------------------------------------------------------------------


def swapped_precision(x: np.ndarray, y: np.ndarray, *rest: Any) -> Any:
    """Arguments in the order of another library."""
    return precision(y, x, np.zeros(len(y), dtype=int), *rest[1:])


def check_collapse(quantity: Callable[..., Any]) -> None:  # T23
    rng = np.random.default_rng(4)
    centers = 20 * rng.normal(size=(10, 16))
    real = centers[np.arange(300) % 10] + rng.normal(size=(300, 16))
    fake = centers[0] + 0.3 * rng.normal(size=(300, 16))
    assert quantity(fake, real, np.zeros(300, dtype=int), 1, 5, False).full >= 0.95


@pytest.mark.parametrize("twin", [swapped_precision, recall])
def test_swapped_precision_is_seen(twin: Callable[..., Any]) -> None:
    check_collapse(precision)
    with pytest.raises(AssertionError):
        check_collapse(twin)


def nearest_by_product(x: np.ndarray) -> np.ndarray:
    """|a|² + |b|² - 2ab in float32."""
    a = x.astype(np.float32)
    square = (a**2).sum(1)
    distance = square[:, None] + square[None] - 2 * a @ a.T
    np.fill_diagonal(distance, np.inf)
    return np.sqrt(np.clip(distance.min(1), 0, None))


def check_twins_are_at_zero(neighbor: Callable[..., np.ndarray]) -> None:  # T24
    x = np.random.default_rng(5).normal(3.0, 1.0, size=(200, 512))
    assert (neighbor(np.concatenate([x, x])) == 0.0).all()


def test_distances_by_float32_products_are_seen() -> None:
    check_twins_are_at_zero(lambda x: np.sqrt(nearest_others(Points.together(x)[0], 1)[0][:, 0]))
    with pytest.raises(AssertionError):
        check_twins_are_at_zero(nearest_by_product)


# --- spectrum ---------------------------------------------------------------------------------------------------------


def vendi(x: np.ndarray, q: float) -> float:
    return Similarity.of(x, "cosine", None).value(q, np.zeros(len(x), dtype=int), 0)[0]


def vendi_without_q(x: np.ndarray, q: float) -> float:
    """vendi-score 0.0.3, score_X: q is ignored."""
    return vendi(x, 1.0)


def vendi_of_raw_features(x: np.ndarray, q: float) -> float:
    """Rows not scaled to unit length."""
    gram = x.T @ x
    scale = np.sqrt(np.trace(gram) / len(x))
    return Similarity(x / scale, None).value(q, np.zeros(len(x), dtype=int), 0)[0]


def check_nine_and_one(score: Callable[..., float]) -> None:  # T26, T27
    x = np.array([[3.0, 0.0]] * 9 + [[0.0, 0.5]])
    assert score(x, 2.0) == pytest.approx(1.21951, abs=1e-5)


@pytest.mark.parametrize("twin", [vendi_without_q, vendi_of_raw_features])
def test_ignored_order_and_length_are_seen(twin: Callable[..., float]) -> None:
    check_nine_and_one(vendi)
    with pytest.raises(AssertionError):
        check_nine_and_one(twin)


# --- intervals and tests ----------------------------------------------------------------------------------------------


def mean_interval(value: np.ndarray, cluster: np.ndarray) -> tuple[float, float]:
    found = interval(Estimator.MEAN, _units(value, cluster))
    return found.low, found.high


def interval_without_clusters(value: np.ndarray, cluster: np.ndarray) -> tuple[float, float]:
    return mean_interval(value, np.arange(len(value)))


def interval_by_z(value: np.ndarray, cluster: np.ndarray) -> tuple[float, float]:
    """1.96 standard errors of cluster means, however few."""
    half = 1.96 * standard_error(_units(value, cluster))
    return value.mean() - half, value.mean() + half


def check_level(make: Callable[..., tuple[float, float]]) -> None:  # T54
    rng = np.random.default_rng(6)
    cluster, hits = np.repeat(np.arange(6), 5), []
    for _ in range(1500):
        value = np.sqrt(0.6) * np.repeat(rng.normal(size=6), 5) + np.sqrt(0.4) * rng.normal(size=30)
        low, high = make(value, cluster)
        hits.append(low < 0 < high)
    assert 0.93 < np.mean(hits) < 0.97


@pytest.mark.parametrize("twin", [interval_without_clusters, interval_by_z])
def test_short_intervals_are_seen(twin: Callable[..., tuple[float, float]]) -> None:
    check_level(mean_interval)
    with pytest.raises(AssertionError):
        check_level(twin)


def streaming_error(units: Units) -> float:
    """E[x²] - E[x]², as in helm's statistic."""
    return float(np.sqrt(abs((units.value**2).mean() - units.value.mean() ** 2) / (len(units.value) - 1)))


def check_shift(error: Callable[[Units], float]) -> None:  # T58
    value = np.random.default_rng(7).normal(size=100)
    assert error(_units(value + 1e8)) == pytest.approx(error(_units(value)), rel=1e-6)


def test_variance_by_streaming_is_seen() -> None:
    check_shift(standard_error)
    with pytest.raises(AssertionError):
        check_shift(streaming_error)


def wald(share: float, n: float) -> tuple[float, float]:
    half = normal_quantile(0.975) * np.sqrt(share * (1 - share) / n)
    return share - half, share + half


def check_zero_of_hundred(make: Callable[..., tuple[float, float]]) -> None:
    assert make(0.0, 100)[1] == pytest.approx(0.036993, abs=1e-6)


def test_wald_interval_is_seen() -> None:
    check_zero_of_hundred(wilson)
    with pytest.raises(AssertionError):
        check_zero_of_hundred(wald)


def bonferroni(p: Any) -> np.ndarray:
    return np.minimum(np.asarray(p) * len(p), 1.0)


def holm_without_steps(p: Any) -> np.ndarray:
    """Factors n, n - 1, … without keeping the running maximum."""
    order = np.argsort(p)
    result = np.empty(len(p))
    result[order] = np.asarray(p)[order] * (len(p) - np.arange(len(p)))
    return result


@pytest.mark.parametrize("twin", [bonferroni, holm_without_steps])
def test_other_corrections_are_seen(twin: Callable[..., np.ndarray]) -> None:  # T56
    def check(adjust: Callable[..., np.ndarray]) -> None:
        assert adjust((0.01, 0.04, 0.03, 0.005)) == pytest.approx([0.03, 0.06, 0.06, 0.02])

    check(holm)
    with pytest.raises(AssertionError):
        check(twin)


def pairing_by_position(a: Units, b: Units) -> float:
    return float((a.value - b.value).mean() / (np.std(a.value - b.value, ddof=1) / np.sqrt(len(a.value))))


def pairing_by_key(a: Units, b: Units) -> float:
    found = paired_difference(Estimator.MEAN, a, b)
    return found.delta / ((found.interval.high - found.interval.low) / 2 / 2.0096)  # t with 49 degrees


def test_pairing_by_position_is_seen() -> None:  # T55
    rng = np.random.default_rng(8)
    shared = rng.normal(size=50)
    a, b = _units(shared + 0.1 + 0.05 * rng.normal(size=50)), _units(shared)
    order = rng.permutation(50)
    b = Units(b.kind, b.key[order], b.cluster[order], b.value[order])

    def check(statistic: Callable[[Units, Units], float]) -> None:
        assert statistic(a, b) > 8

    check(pairing_by_key)
    with pytest.raises(AssertionError):
        check(pairing_by_position)


def test_normal_formula_of_the_detectable_effect_is_seen() -> None:  # T71: 1.253 instead of 1.682
    def check(effect: Callable[[int], float]) -> None:
        assert effect(5) == pytest.approx(1.682, abs=5e-4)

    check(detectable)
    with pytest.raises(AssertionError):
        check(lambda n: 2.80 / np.sqrt(n))


def test_groups_of_items_instead_of_prompts_are_seen() -> None:
    """Pseudo-values of groups that cut prompts apart are too alike: the error is short."""

    def check(group: Callable[[np.ndarray], Any]) -> None:
        rng = np.random.default_rng(9)
        cluster, hits = np.repeat([f"{c:02d}" for c in range(20)], 10), []
        for _ in range(400):
            value = np.sqrt(0.6) * np.repeat(rng.normal(size=20), 10) + np.sqrt(0.4) * rng.normal(size=200)
            groups = group(cluster)
            left_out = np.array([value[groups.index != g].mean() for g in range(len(groups))])
            found = interval(Estimator.U_STATISTIC, groups.units(float(value.mean()), left_out), value=value.mean())
            hits.append(found.low < 0 < found.high)
        assert np.mean(hits) > 0.92

    check(jackknife_groups)
    with pytest.raises(AssertionError):
        check(lambda cluster: jackknife_groups(np.array([f"{i % 20}" for i in range(len(cluster))])))
