"""Class shares corrected for the classifier's errors, by its confusion matrix on labelled held-out images.

M_ij = P(predicted j | true i); observed shares are Mᵀ p, so p solves Mᵀ p = observed, clipped at 0 and renormalised.
Two classes give Rogan and Gladen: (observed + specificity - 1) / (sensitivity + specificity - 1). On generated images M
is an assumption, which the report states. Source: metrics.md section 8. Precision: 1e-12. Traps: T63.
"""

from __future__ import annotations

import numpy as np

from harness.metrics.inputs import Floats, Ints
from harness.metrics.metric import Array, CannotMeasure, Evidence, ScoreStatus

SMALLEST = 0.2  # singular value of M below which the correction multiplies errors too much (metrics.md section 8)


def confusion_of(evidence: Evidence, classifier: str, attribute: str, classes: int) -> tuple[Floats, Ints]:
    """The matrix (K, K) and its held-out images per true class (K,). Raises CannotMeasure: absent, unusable."""
    known = evidence.confusion.get(classifier, {})
    if attribute not in known or attribute + ".n" not in known:
        raise CannotMeasure(
            ScoreStatus.FAILED, f"no confusion matrix of {classifier!r} for {attribute!r} was brought by the scorer"
        )
    matrix = np.asarray(known[attribute], dtype=np.float64)
    counts = np.asarray(known[attribute + ".n"], dtype=np.float64)
    if matrix.shape != (classes, classes) or counts.shape != (classes,):
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH,
            f"confusion matrix of {attribute!r}: {matrix.shape} with {counts.shape} counts, for {classes} classes",
        )
    if not (matrix >= 0).all() or not np.allclose(matrix.sum(axis=1), 1.0, atol=1e-6) or not (counts >= 1).all():
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH,
            f"the confusion matrix of {attribute!r} must have rows that sum to 1 and counts of at least 1",
        )
    smallest = float(np.linalg.svd(matrix, compute_uv=False).min())
    if smallest < SMALLEST:
        raise CannotMeasure(
            ScoreStatus.UNDEFINED,
            f"{classifier!r} confuses the classes of {attribute!r} too much to correct for: the smallest singular"
            f" value of its confusion matrix is {smallest:.3f}, at least {SMALLEST:g} is needed",
        )
    return matrix / matrix.sum(axis=1, keepdims=True), np.rint(counts).astype(np.int64)


def corrected(observed: Array, matrix: Array) -> Floats:
    """Shares (..., K), on the simplex, that a classifier with `matrix` (..., K, K) shows as `observed` (..., K)."""
    inverse = np.linalg.pinv(np.swapaxes(matrix, -1, -2))
    shares = np.maximum((inverse @ np.asarray(observed)[..., None])[..., 0], 0.0)
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


def condition(matrix: Floats) -> float:
    """σ_max/σ_min of M: how much the correction can magnify an error of the observed shares; 1 for a perfect reader."""
    values = np.linalg.svd(matrix, compute_uv=False)
    return float(values.max() / values.min())


def redrawn(matrix: Floats, counts: Ints, random: np.random.Generator, size: int) -> Floats:
    """(size, K, K) matrices as `counts` held-out images per class would have given them."""
    rows = [random.multinomial(n, row, size=size) / n for n, row in zip(counts, matrix, strict=True)]
    return np.stack(rows, axis=1)
