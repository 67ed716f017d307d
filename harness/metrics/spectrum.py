"""Vendi score and RKE: the effective number of distinct items, from the spectrum of their similarity matrix.

Features of unit length, K_ij = k(f_i, f_j), λ = eigenvalues of K/N. Vendi of order q = exp H_q(λ) (arXiv 2210.02410,
2310.12952), H₁ Shannon, H_∞ = -ln max λ. RKE = order 2 = N² / |K|²_F, without any eigen-decomposition.
Both grow with N (Vendi most), so N belongs to the id and only equal N are compared. `vendi.<extractor>` pools all
items; `.prompt` is the mean over prompts of each prompt's own value: another question, another id.
Precision: float64; the N x N and the D x D route agree to 1e-8. Never resampled: a duplicate lowers the value (153.7
becomes 104.2). Traps: metrics.md section 5, T26 to T28, T66.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.metrics.feature_sets import Features, feature_needs, feature_sets, jackknifed
from harness.metrics.inputs import unit_rows
from harness.metrics.metric import CannotMeasure, Direction, Evidence, Measurement, Metric, Need, ScoreStatus, metric
from harness.options import OptionError, Problem, option
from harness.stats.units import Estimator, UnitKind, Units


def gaussian(x: Features, bandwidth: float) -> Features:
    """exp(-|a - b|² / (2 bandwidth²)) over unit rows (..., N, D) → (..., N, N)."""
    square = np.clip(2.0 - 2.0 * (x @ np.swapaxes(x, -1, -2)), 0.0, None)
    kernel = np.exp(-square / (2.0 * bandwidth**2))
    n = x.shape[-2]
    kernel[..., np.arange(n), np.arange(n)] = 1.0
    return np.asarray(kernel)


def effective_number(shares: NDArray[np.float64], q: float) -> NDArray[np.float64]:
    """exp H_q of eigenvalues (..., K) that sum to 1; rounding below 0 counts as 0."""
    p = np.clip(shares, 0.0, None)
    if math.isinf(q):
        return np.asarray(1.0 / p.max(axis=-1))
    if q == 1.0:
        return np.asarray(np.exp(-(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=-1)))
    return np.asarray((p**q).sum(axis=-1) ** (1.0 / (1.0 - q)))


@dataclass(frozen=True)
class Similarity:
    """Rows as vectors (cosine) or as a kernel matrix, ready for the spectrum of any subset of them.

    vectors (N, D) or None; kernel (N, N) or None: cosine takes the smaller of the two Gram matrices.
    """

    vectors: Features | None
    kernel: Features | None

    @classmethod
    def of(cls, x: Features, kernel: Literal["cosine", "gaussian"], bandwidth: float | None) -> Similarity:
        """Similarity of features (N, D), which are scaled to unit length here."""
        rows = unit_rows(x)
        if kernel == "gaussian" and bandwidth is not None:
            return cls(None, gaussian(rows, bandwidth))
        return cls(None, rows @ rows.T) if len(rows) <= rows.shape[1] else cls(rows, None)

    def value(self, q: float, group: NDArray[np.int64], groups: int) -> tuple[float, NDArray[np.float64]]:
        """Vendi of order q of all rows, and (G,) without each group of rows; G may be 0."""
        n = len(group)
        left = n - np.bincount(group, minlength=groups)[:groups]
        if self.vectors is not None:
            grams = self._dual_grams(group, groups)
            if q == 2.0:
                return n**2 / float((grams[0] ** 2).sum()), left**2 / (grams[1:] ** 2).sum(axis=(1, 2))
            everything = np.linalg.eigvalsh(grams) / np.concatenate([[n], left])[:, None]
            values = effective_number(everything, q)
            return float(values[0]), values[1:]
        kernel = self.kernel
        assert kernel is not None
        if q == 2.0:
            member = (group[:, None] == np.arange(groups)).astype(np.float64)
            blocks = member.T @ kernel**2 @ member
            total = float((kernel**2).sum())
            return n**2 / total, left**2 / (total - 2.0 * blocks.sum(axis=1) + np.diagonal(blocks))
        full = float(effective_number(np.linalg.eigvalsh(kernel) / n, q))
        kept = [np.flatnonzero(group != g) for g in range(groups)]
        parts = [effective_number(np.linalg.eigvalsh(kernel[np.ix_(k, k)]) / len(k), q) for k in kept]
        return full, np.array(parts, dtype=np.float64)

    def _dual_grams(self, group: NDArray[np.int64], groups: int) -> Features:
        rows = self.vectors
        assert rows is not None
        whole = rows.T @ rows
        without = [whole - rows[group == g].T @ rows[group == g] for g in range(groups)]
        return np.stack([whole, *without])


def per_prompt(
    x: Features, q: float, kernel: Literal["cosine", "gaussian"], bandwidth: float | None
) -> NDArray[np.float64]:
    """Vendi of order q of each prompt: features (P, S, D) → (P,)."""
    prompts, n, d = x.shape
    rows = np.asarray(unit_rows(x.reshape(prompts * n, d)).reshape(prompts, n, d))
    if kernel == "gaussian" and bandwidth is not None:
        gram = gaussian(rows, bandwidth)
    elif n <= d:
        gram = rows @ np.swapaxes(rows, 1, 2)
    else:
        gram = np.swapaxes(rows, 1, 2) @ rows
    if q == 2.0:
        return np.asarray(n**2 / (gram**2).sum(axis=(1, 2)))
    return effective_number(np.linalg.eigvalsh(gram) / n, q)


def _check_kernel(kernel: Literal["cosine", "gaussian"], bandwidth: float | None) -> None:
    if (kernel == "gaussian") != (bandwidth is not None):
        text = "needs a bandwidth" if kernel == "gaussian" else "takes no bandwidth"
        raise OptionError([Problem(("bandwidth",), f"the {kernel} kernel {text}")])


def _pooled(
    evidence: Evidence, extractor: str, q: float, kernel: Literal["cosine", "gaussian"], bandwidth: float | None
) -> Measurement:
    sets = feature_sets(evidence, extractor, reference=False)
    similarity = Similarity.of(sets.generated, kernel, bandwidth)
    return jackknifed(sets.groups, *similarity.value(q, sets.groups.index, len(sets.groups)))


def _averaged(
    evidence: Evidence, extractor: str, q: float, kernel: Literal["cosine", "gaussian"], bandwidth: float | None
) -> Measurement:
    sets = feature_sets(evidence, extractor, reference=False)
    prompts, count = np.unique(evidence.items.prompt, return_counts=True)
    if count.min() != count.max():
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH,
            f"prompts have {count.min()} to {count.max()} items; the value grows with n, so all must have the same",
        )
    if count[0] < 2:
        raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, "at least 2 items a prompt needed; found 1")
    order = np.argsort(evidence.items.prompt, kind="stable")
    cube = sets.generated[order].reshape(len(prompts), int(count[0]), -1)
    values = per_prompt(cube, q, kernel, bandwidth)
    keys = np.array([f"{p:04d}" for p in prompts])
    labels = np.array([evidence.items.prompts[p] for p in prompts])
    return Measurement(
        float(values.mean()), len(prompts), Units(UnitKind.ITEMS, keys, keys, values), (keys, labels, values)
    )


@metric(
    "vendi.{extractor}",
    unit="effective items",
    direction=Direction.HIGHER,
    estimator=Estimator.SPECTRUM,
    source="arXiv 2210.02410",
)
@dataclass(frozen=True)
class Vendi(Metric):
    """Vendi score: effective number of different items of the whole cell, exp of the spectrum's entropy."""

    extractor: str = option(help="name of a feature extractor")
    q: float = option(1.0, help="order of the entropy; .inf for the largest share", unit="1", above=0.0)
    kernel: Literal["cosine", "gaussian"] = option("cosine", help="similarity of unit-length features")
    bandwidth: float | None = option(None, help="of the gaussian kernel", unit="feature distance", above=0.0)

    def __post_init__(self) -> None:
        _check_kernel(self.kernel, self.bandwidth)

    def needs(self) -> tuple[Need, ...]:
        return feature_needs(self.extractor, reference=False)

    def measure(self, evidence: Evidence) -> Measurement:
        return _pooled(evidence, self.extractor, self.q, self.kernel, self.bandwidth)


@metric(
    "rke.{extractor}",
    unit="effective items",
    direction=Direction.HIGHER,
    estimator=Estimator.SPECTRUM,
    source="arXiv 2410.21719",
)
@dataclass(frozen=True)
class RKE(Metric):
    """RKE: effective number of different items of order 2, n² / ‖K‖²."""

    extractor: str = option(help="name of a feature extractor")
    kernel: Literal["cosine", "gaussian"] = option("cosine", help="similarity of unit-length features")
    bandwidth: float | None = option(None, help="of the gaussian kernel", unit="feature distance", above=0.0)

    def __post_init__(self) -> None:
        _check_kernel(self.kernel, self.bandwidth)

    def needs(self) -> tuple[Need, ...]:
        return feature_needs(self.extractor, reference=False)

    def measure(self, evidence: Evidence) -> Measurement:
        return _pooled(evidence, self.extractor, 2.0, self.kernel, self.bandwidth)


@metric(
    "vendi.{extractor}.prompt",
    unit="effective items",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    source="arXiv 2210.02410; mean over prompts",
)
@dataclass(frozen=True)
class VendiPrompt(Vendi):
    """Vendi score among the samples of one prompt, averaged over prompts."""

    def measure(self, evidence: Evidence) -> Measurement:
        return _averaged(evidence, self.extractor, self.q, self.kernel, self.bandwidth)


@metric(
    "rke.{extractor}.prompt",
    unit="effective items",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    source="arXiv 2410.21719; mean over prompts",
)
@dataclass(frozen=True)
class RKEPrompt(RKE):
    """RKE among the samples of one prompt, averaged over prompts."""

    def measure(self, evidence: Evidence) -> Measurement:
        return _averaged(evidence, self.extractor, 2.0, self.kernel, self.bandwidth)
