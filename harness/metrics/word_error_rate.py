"""WER and CER: how many words or characters a recogniser gets wrong of what should have been said.

`wer.{recogniser}` is the corpus rate: all substitutions, deletions and insertions over all reference words. It may
exceed 1 and is never clipped. `.macro` is the mean over utterances of their own rates: another number, another name.
An utterance with an empty reference has no rate of its own; its insertions count in the corpus rate, and the companion
`empty` says how many there are. Intervals: delta method of a ratio of sums, clustered by sentence; never a binomial
over words (its coverage is .74 where .95 is claimed). Source: metrics.md section 14.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from harness.metrics.error_rates import Counts, Unit, counts
from harness.metrics.inputs import Floats, Ints
from harness.metrics.metric import (
    CannotMeasure,
    Direction,
    Evidence,
    Measurement,
    Metric,
    MetricId,
    Need,
    ScoreStatus,
    metric,
)
from harness.metrics.normaliser import NormaliserName, is_cjk, normalised, normaliser
from harness.options import option
from harness.stats.intervals import ratio_items
from harness.stats.units import Estimator, UnitKind, Units

SOURCE = "metrics.md section 14"


def corpus_rate(found: Counts) -> float:
    """Sum of errors over sum of lengths. Raises CannotMeasure where all references are empty."""
    total = int(found.length.sum())
    if total == 0:
        raise CannotMeasure(ScoreStatus.UNDEFINED, "every reference is empty: there is nothing to get right")
    return int(found.errors.sum()) / total


def own_rates(found: Counts) -> Floats:
    """(N,) float64 rate of each utterance, NaN where its reference is empty."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(found.length > 0, found.errors / found.length, np.nan)


class _ErrorRate(Metric):
    """What the four rates share."""

    recogniser: str
    normaliser: NormaliserName
    counted: ClassVar[Unit]
    average: ClassVar[str]

    def needs(self) -> tuple[Need, ...]:
        return (Need("judged", "generated", self.recogniser), Need("references"))

    def identify(self, context: Sequence[tuple[str, str]] = ()) -> MetricId:
        own = ("average", self.average), ("empty", "insertions-count"), ("rules", normaliser(self.normaliser).digest)
        unit = () if hasattr(self, "tokens") else (("tokens", self.counted),)
        return super().identify((*unit, *own, *context))

    def edits(self, evidence: Evidence) -> Counts:
        """The counts of all items. Raises CannotMeasure for what is missing, ambiguous or not in words."""
        texts = evidence.judged.get(self.recogniser, {}).get("text")
        if texts is None:
            raise CannotMeasure(ScoreStatus.FAILED, f"transcripts of {self.recogniser!r}: not brought by the scorer")
        n = len(evidence.items)
        if n == 0:
            raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, "no utterances")
        if len(texts) != n or len(evidence.references) != n:
            raise CannotMeasure(
                ScoreStatus.PROTOCOL_MISMATCH,
                f"{len(texts)} transcripts and {len(evidence.references)} references for {n} utterances",
            )
        several = sum(len(texts) != 1 for texts in evidence.references)
        if several:
            raise CannotMeasure(
                ScoreStatus.PROTOCOL_MISMATCH, f"{several} utterances do not have exactly one reference: {self.name}"
            )
        references = [texts[0] for texts in evidence.references]
        unit = self.counted_unit()
        if unit == "word" and any(is_cjk(normalised(text, self.normaliser)) for text in references):
            raise CannotMeasure(
                ScoreStatus.PROTOCOL_MISMATCH,
                "references in a script without spaces between words: use cer, or tokens: mixed",
            )
        return counts(references, [str(t) for t in texts], self.normaliser, unit)

    def counted_unit(self) -> Unit:
        """What is counted."""
        return self.counted


class _Micro(_ErrorRate):
    """The corpus rate."""

    average = "micro"

    def measure(self, evidence: Evidence) -> Measurement:
        found, items = self.edits(evidence), evidence.items
        value = corpus_rate(found)
        parts = {name: getattr(found, name) for name in ("substitutions", "deletions", "insertions")}

        def share(errors: Ints) -> Measurement:
            linear = ratio_items(errors.astype(np.float64), found.length.astype(np.float64))
            units = Units(UnitKind.ITEMS, items.keys, items.clusters, linear)
            return Measurement(float(errors.sum() / found.length.sum()), len(errors), units)

        whole, kept = share(found.errors), found.length > 0
        companions = {name: share(errors) for name, errors in parts.items()}
        if not kept.all():
            companions["empty"] = Measurement(float((~kept).sum()), len(kept), None)
        own = (items.keys[kept], items.clusters[kept], own_rates(found)[kept])
        return Measurement(value, len(items), whole.units, own, companions)


class _Macro(_ErrorRate):
    """The mean over utterances."""

    average = "macro"

    def measure(self, evidence: Evidence) -> Measurement:
        found, items = self.edits(evidence), evidence.items
        kept = found.length > 0
        corpus_rate(found)  # refuses what has no words at all
        key, cluster, value = items.keys[kept], items.clusters[kept], own_rates(found)[kept]
        units = Units(UnitKind.ITEMS, key, cluster, value)
        empty = {} if kept.all() else {"empty": Measurement(float((~kept).sum()), len(kept), None)}
        return Measurement(float(value.mean()), len(value), units, (key, cluster, value), empty)


@metric(
    "wer.{recogniser}",
    unit="errors a reference word",
    direction=Direction.LOWER,
    estimator=Estimator.RATIO,
    ideal=0.0,
    right=0.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class WordErrorRate(_Micro):
    """Word errors over reference words, summed over all utterances."""

    recogniser: str = option(help="judge that reads the speech")
    normaliser: NormaliserName = option(
        "basic-en-v1", help="named rules applied to both texts", source="metrics.md T41"
    )
    tokens: Literal["word", "mixed"] = option("word", help="mixed: characters of scripts without spaces, else words")

    def counted_unit(self) -> Unit:
        return self.tokens


@metric(
    "wer.{recogniser}.macro",
    unit="errors a reference word",
    direction=Direction.LOWER,
    estimator=Estimator.MEAN,
    ideal=0.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class WordErrorRateMacro(_Macro):
    """Mean over utterances of their word error rates."""

    recogniser: str = option(help="judge that reads the speech")
    normaliser: NormaliserName = option(
        "basic-en-v1", help="named rules applied to both texts", source="metrics.md T41"
    )
    tokens: Literal["word", "mixed"] = option("word", help="mixed: characters of scripts without spaces, else words")

    def counted_unit(self) -> Unit:
        return self.tokens


@metric(
    "cer.{recogniser}",
    unit="errors a reference character",
    direction=Direction.LOWER,
    estimator=Estimator.RATIO,
    ideal=0.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class CharacterErrorRate(_Micro):
    """Character errors, spaces counted, over reference characters, summed over all utterances."""

    recogniser: str = option(help="judge that reads the speech")
    normaliser: NormaliserName = option(
        "basic-en-v1", help="named rules applied to both texts", source="metrics.md T41"
    )

    counted = "character"


@metric(
    "cer.{recogniser}.macro",
    unit="errors a reference character",
    direction=Direction.LOWER,
    estimator=Estimator.MEAN,
    ideal=0.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class CharacterErrorRateMacro(_Macro):
    """Mean over utterances of their character error rates."""

    recogniser: str = option(help="judge that reads the speech")
    normaliser: NormaliserName = option(
        "basic-en-v1", help="named rules applied to both texts", source="metrics.md T41"
    )

    counted = "character"
