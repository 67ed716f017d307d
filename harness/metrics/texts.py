"""What metrics of texts may rely on: one generated text an item and its references; what judges say of every item.

Lists of unequal length raise, where sacrebleu's corpus functions would cut the longer one without a word (T38).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.metrics.metric import Array, CannotMeasure, Evidence, ScoreStatus


def outputs(evidence: Evidence) -> list[str]:
    """The generated texts. Raises CannotMeasure when absent, none, or not one an item."""
    if evidence.outputs is None:
        raise CannotMeasure(ScoreStatus.FAILED, "generated texts: not brought by the scorer")
    texts = [str(t) for t in evidence.outputs]
    if not texts:
        raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, "generated texts: none")
    if len(texts) != len(evidence.items):
        raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, f"{len(texts)} texts for {len(evidence.items)} items")
    return texts


def references(evidence: Evidence) -> list[tuple[str, ...]]:
    """The reference texts of every item, the same number for all. Raises CannotMeasure as `outputs` does."""
    found = [tuple(r) for r in evidence.references]
    if not found and len(evidence.items):
        raise CannotMeasure(ScoreStatus.FAILED, "reference texts: not brought by the scorer")
    if len(found) != len(evidence.items):
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH, f"references of {len(found)} items for {len(evidence.items)} items"
        )
    counts = {len(r) for r in found}
    if len(counts) != 1 or 0 in counts:
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH, f"every item needs the same number of references, found {sorted(counts)}"
        )
    return found


def judged(evidence: Evidence, judge: str, array: str) -> Array:
    """(N,) what a judge says of every item. Raises CannotMeasure as `outputs` does."""
    found = evidence.judged.get(judge, {}).get(array)
    if found is None:
        raise CannotMeasure(ScoreStatus.FAILED, f"{array!r} of judge {judge!r}: not brought by the scorer")
    if len(found) == 0:
        raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, f"{array!r} of judge {judge!r}: none")
    if len(found) != len(evidence.items):
        raise CannotMeasure(
            ScoreStatus.PROTOCOL_MISMATCH, f"{len(found)} judgements of {judge!r} for {len(evidence.items)} items"
        )
    return np.asarray(found)


def streams(references: Sequence[tuple[str, ...]]) -> list[list[str]]:
    """One list a reference number, as sacrebleu takes them, of the references of every item."""
    return [list(stream) for stream in zip(*references, strict=True)]
