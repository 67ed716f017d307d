"""What a metric may rely on: arrays of the evidence, present, finite, of the declared shape and one row an item.

Whatever is missing, empty, of another length or not finite becomes a `CannotMeasure` with its reason, never a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.metrics.feature_moments import FeatureMoments
from harness.metrics.metric import Array, CannotMeasure, Evidence, ScoreStatus

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Rows(Protocol):
    """(N, D) features by rows: an array, or what computes them."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, indices: Any, /) -> Array: ...

    def __iter__(self) -> Iterator[Any]: ...


def images(evidence: Evidence, role: str = "generated") -> NDArray[np.uint8]:
    """(N, H, W, 3) uint8. Raises CannotMeasure when absent, empty, of another kind or of another length."""
    array = _present(evidence.images.get(role), f"{role} images")
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] != 3:
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH,
            f"images of role {role!r} are {array.dtype} {array.shape}, expected uint8 (N, H, W, 3): 16-bit, gray, alpha"
            " and CMYK images are converted by the reader, under a name",
        )
    return _one_an_item(evidence, role, array, "images")


def features(evidence: Evidence, extractor: str, role: str = "generated") -> NDArray[Any]:
    """(N, D) finite features. Raises CannotMeasure as `images` does, and undefined where only their moments are had."""
    found = evidence.features.get((role, extractor))
    if isinstance(found, FeatureMoments):
        raise CannotMeasure(ScoreStatus.UNDEFINED, found.says(role))
    array = _present(found, f"{role} features of {extractor!r}")
    if array.ndim != 2 or array.shape[1] == 0:
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH, f"features of {extractor!r} ({role}) are {array.shape}, expected (N, D)"
        )
    _finite(array, f"features of {extractor!r} ({role})")
    return _one_an_item(evidence, role, array, f"features of {extractor!r}")


def long_features(evidence: Evidence, extractor: str, role: str = "generated") -> Rows:
    """Features by rows, which the scorer may compute only when asked for: (N, D), checked as they come."""
    rows: Rows | None = evidence.features.get((role, extractor))
    if rows is None or isinstance(rows, np.ndarray | FeatureMoments):
        return features(evidence, extractor, role)
    if role == "generated" and len(rows) != len(evidence.items):
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH, f"{len(rows)} features of {extractor!r} for {len(evidence.items)} items"
        )
    return rows


def moments_only(evidence: Evidence, extractor: str, role: str = "reference") -> FeatureMoments | None:
    """The moments of a set that is a statistics file; None for one whose features are there."""
    found = evidence.features.get((role, extractor))
    return found if isinstance(found, FeatureMoments) else None


def prompt_texts(evidence: Evidence, extractor: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """(P, D) finite embeddings of the prompts, (P,) whether each was cut. Raises CannotMeasure as `features` does."""
    what = f"prompt embeddings of {extractor!r}"
    rows, cut = (_present(table.get(extractor), what) for table in (evidence.texts, evidence.cut))
    if rows.ndim != 2 or len(rows) != len(evidence.items.prompts) or len(cut) != len(rows):
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH,
            f"{what} are {rows.shape}, expected a row for each of {len(evidence.items.prompts)} prompts",
        )
    _finite(rows, what)
    return rows, cut


def predictions(evidence: Evidence, classifier: str, attribute: str, role: str = "generated") -> NDArray[Any]:
    """(N, K) finite class probabilities of the items, or of their sources. Raises CannotMeasure as `images` does."""
    heads = (evidence.of_source if role == "source" else evidence.predictions).get(classifier)
    what = f"predictions of {classifier!r}" + (" on sources" if role == "source" else "")
    if heads is not None and attribute not in heads:
        known = ", ".join(sorted(heads)) or "none"
        raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, f"{what} have no attribute {attribute!r}; it reads: {known}")
    array = _present(None if heads is None else heads[attribute], what)
    if array.ndim != 2:
        raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, f"{what} are {array.shape}, expected (N, K)")
    _finite(array, what)
    return _one_an_item(evidence, role, array, what)


def unit_rows(rows: Array) -> Floats:
    """Rows divided by their Euclidean length, float64. Raises CannotMeasure when a row has length 0."""
    wide = np.asarray(rows, dtype=np.float64)
    peak = np.abs(wide).max(axis=1, keepdims=True)
    if not (peak > 0).all():
        raise CannotMeasure(
            ScoreStatus.UNDEFINED, f"{int((peak == 0).sum())} feature rows are all zero and have no direction"
        )
    scaled = wide / peak  # so that squares neither overflow nor vanish
    unit: Floats = scaled / np.sqrt((scaled * scaled).sum(axis=1, keepdims=True))
    return unit


def _present(array: Array | None, what: str) -> Array:
    if array is None:
        raise CannotMeasure(ScoreStatus.FAILED, f"{what}: not brought by the scorer")
    if len(array) == 0:
        raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, f"{what}: none")
    return array


def _finite(array: Array, what: str) -> None:
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).reshape(len(array), -1).any(axis=1).sum())
        raise CannotMeasure(ScoreStatus.FAILED, f"{what}: {bad} of {len(array)} rows hold NaN or infinity")


def _one_an_item(evidence: Evidence, role: str, array: Array, what: str) -> Array:
    if role in ("generated", "source") and len(array) != len(evidence.items):
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH, f"{len(array)} {role} {what} for {len(evidence.items)} items"
        )
    return array
