"""Fréchet distance between the normal laws with the moments of two feature sets.

FD = |μ₁ - μ₂|² + tr Σ₁ + tr Σ₂ - 2 tr (Σ₁Σ₂)^½, covariances with N - 1 (arXiv 1706.08500). Only Inception features
under a named protocol are FID; in every other space this is `fd.<extractor>`.
The estimate is biased upwards by about c/N with a c that differs between models, so N belongs to the id, and
`fd.<extractor>.jack`, the mean of the jackknife pseudo-values, stands beside it: the value with the 1/N term of the
generated set removed. The reference's own 1/M term stays in both: it is the same for every method.
Precision: float64, moments in two passes; closed forms to 1e-10; routes agree to 5e-8 relative at D = 2048. The matrix
square root of scipy is used nowhere: it is 15 times slower, may turn complex and changes between its versions.
Traps: metrics.md sections 1.4 and 2, T5 to T8, T14.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.metrics.feature_moments import FeatureMoments
from harness.metrics.feature_sets import Features, feature_needs, feature_sets, jackknifed
from harness.metrics.inputs import moments_only
from harness.metrics.metric import CannotMeasure, Direction, Evidence, Measurement, Metric, Need, ScoreStatus, metric
from harness.options import option
from harness.stats.units import Estimator

ROUNDING = 1e-6
"""Share of the trace below 0 that is rounding (T6: the symmetric route gives -1e-7 of it at D = 2048)."""


@dataclass(frozen=True)
class Moments:
    """mean (D,), total variance, and a root (K, D) with rootᵀ root = covariance, K the rank found."""

    mean: Features
    variance: float
    root: Features


def moments(x: Features) -> Moments:
    """Moments of a set (N, D) in two passes.

    The root is the centred set itself for N ≤ D (exact, never rank-deficient), else the Cholesky factor, else the
    symmetric root on the range of the covariance.
    """
    mean = x.mean(axis=0)
    centred = (x - mean) / np.sqrt(len(x) - 1)
    variance = float((centred**2).sum())
    if len(x) <= x.shape[1]:
        return Moments(mean, variance, centred)
    return Moments(mean, variance, covariance_root(centred.T @ centred))


def moments_of_file(known: FeatureMoments) -> Moments:
    """The same of a set of which a statistics file is all there is."""
    return Moments(known.mean, float(np.trace(known.covariance)), covariance_root(known.covariance))


def covariance_root(covariance: Features) -> Features:
    """A root (K, D) of a covariance (D, D): Cholesky where it is well-conditioned, else by symmetric eigenvectors."""
    negligible = len(covariance) * np.finfo(np.float64).eps
    try:
        lower = np.linalg.cholesky(covariance)
        pivots = np.diagonal(lower) ** 2
        if pivots.min() > negligible * pivots.max():
            return np.ascontiguousarray(lower.T)
    except np.linalg.LinAlgError:
        pass
    values, vectors = np.linalg.eigh(covariance)
    kept = values > negligible * max(float(values[-1]), 0.0)
    return np.asarray((vectors[:, kept] * np.sqrt(values[kept])).T)


def frechet(x: Features, y: Features) -> float:
    """The distance between two sets (N, D) and (M, D), each of at least 2 rows."""
    if len(x) <= x.shape[1]:
        return leave_group_out(x, moments(y), np.zeros(len(x), dtype=np.int64), groups=0)[0]
    mean = x.mean(axis=0)
    centred = x - mean
    return frechet_of_moments(mean, centred.T @ centred / (len(x) - 1), moments(y))


def frechet_of_moments(mean: Features, covariance: Features, reference: Moments) -> float:
    """The distance of the law with a mean (D,) and a covariance (D, D) of full rank to the reference.

    Raises CannotMeasure(failed) for a distance below 0 by more than rounding.
    """
    away = mean - reference.mean
    spread = float(np.trace(covariance)) + reference.variance
    trace = _sum_of_roots(_through(reference.root, covariance))
    return _guarded(float(away @ away) + spread - 2.0 * trace, spread)


def leave_group_out(
    x: Features, reference: Moments, group: NDArray[np.int64], groups: int
) -> tuple[float, NDArray[np.float64]]:
    """The distance of x to the reference, and the distances (G,) without each group of x, the reference whole.

    x is projected once on the root of the reference, P = X̃ Rᵀ; tr (Σ₁Σ₂)^½ is the nuclear norm of the centred rows of P
    that remain or, where more than D rows remain, the sum of roots of the eigenvalues of their scatter, which loses the
    rows of a group. So a group costs one symmetric eigenvalue problem (or one SVD), neither moments nor a projection.
    Raises CannotMeasure(failed) for a distance below 0 by more than rounding.
    """
    mean = x.mean(axis=0)
    centred = x - mean
    square = np.einsum("nd,nd->n", centred, centred)
    projected = centred @ reference.root.T
    scatter = projected.T @ projected if len(x) > x.shape[1] else None
    if scatter is None and projected.shape[1] > len(x):
        # P = L Q with orthonormal Q: rows of L have the singular values of the same rows of P, and are shorter.
        projected = np.asarray(np.linalg.qr(projected.T, mode="r")).T
    offset = mean - reference.mean

    def distance(dropped: NDArray[np.bool_] | None) -> float:
        n, shift, total, rows, inside = len(x), np.zeros(x.shape[1]), float(square.sum()), projected, scatter
        if dropped is not None:
            n -= int(dropped.sum())
            shift = -centred[dropped].sum(axis=0) / n
            total -= float(square[dropped].sum()) + n * float(shift @ shift)
            out = projected[dropped]
            middle = -out.sum(axis=0) / n
            if scatter is not None and n > x.shape[1]:
                inside = scatter - out.T @ out - n * np.outer(middle, middle)
            else:
                rows, inside = projected[~dropped] - middle, None
        trace = _sum_of_roots(inside) if inside is not None else float(np.linalg.svd(rows, compute_uv=False).sum())
        away = offset + shift
        spread = total / (n - 1) + reference.variance
        return _guarded(float(away @ away) + spread - 2.0 * trace / np.sqrt(n - 1), spread)

    return distance(None), np.array([distance(group == g) for g in range(groups)])


def _through(root: Features, covariance: Features) -> Features:
    """R C Rᵀ (K, K), of which the lower triangle counts; a triangular root (Cholesky) costs a third of two products."""
    if root.shape[0] != root.shape[1] or np.tril(root, -1).any():
        return np.asarray(root @ covariance @ root.T)
    from scipy.linalg.lapack import dsygst

    product, info = dsygst(covariance.T, root.T, itype=2, lower=1)  # the transposes are in LAPACK's order, uncopied
    if info:
        raise ValueError(f"argument {-info} of dsygst is not valid")
    return np.asarray(product)


def _sum_of_roots(symmetric: Features) -> float:
    """Sum of the square roots of the eigenvalues of a positive semi-definite matrix; rounding below 0 counts as 0.

    Read from the lower triangle. Divide and conquer is a quarter faster than numpy's call of the same library.
    """
    from scipy.linalg import eigh

    values = eigh(symmetric, lower=True, eigvals_only=True, driver="evd", check_finite=False)
    return float(np.sqrt(np.clip(values, 0.0, None)).sum())


def _guarded(value: float, trace: float) -> float:
    if value < -ROUNDING * trace:
        raise CannotMeasure(ScoreStatus.FAILED, f"negative Fréchet distance {value:.3g} at total variance {trace:.3g}")
    return max(value, 0.0)


@metric(
    "fd.{space}",
    unit="squared feature distance",
    direction=Direction.LOWER,
    estimator=Estimator.PLUG_IN,
    source="arXiv 1706.08500",
)
@dataclass(frozen=True)
class FrechetDistance(Metric):
    """Fréchet distance between generated and reference features (FID's formula in another feature space)."""

    space: str = option(help="name of a feature extractor other than Inception")

    def needs(self) -> tuple[Need, ...]:
        return feature_needs(self.space)

    def measure(self, evidence: Evidence) -> Measurement:
        known = moments_only(evidence, self.space)
        sets = feature_sets(evidence, self.space, reference=known is None)
        if known is not None and len(known.mean) != sets.generated.shape[1]:
            text = f"features have length {sets.generated.shape[1]}, those of the statistics file {len(known.mean)}"
            raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, f"generated {text}")
        groups, reference = sets.groups, moments(sets.against()) if known is None else moments_of_file(known)
        full, left_out = leave_group_out(sets.generated, reference, groups.index, len(groups))
        units = groups.units(full, left_out)
        corrected = Measurement(float(units.value.mean()), len(sets.generated), units)
        return jackknifed(groups, full, left_out, jack=corrected)
