"""Mean quality of images by a named judge: `quality.avatars-quality-b`, `quality.sharpness`, `quality.NAME`.

The mean over images of what the judge gives each; clusters are blocks (prompts). Companion `worst_decile`: the mean of
the worst tenth, rounded up, of the images, since averages hide failures (rules.md 24). The judge's identity is part of
the id. What a search was tuned on is not reported by the same judge alone (rules.md B): no-reference scorers can be
raised without any better image (arXiv 2211.00366). Precision: float64 means of float32 scores, 1e-12.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.inputs import Floats
from harness.metrics.metric import (
    CannotMeasure,
    Direction,
    Evidence,
    Measurement,
    Metric,
    Need,
    ScoreStatus,
    metric,
)
from harness.options import option
from harness.stats.units import Estimator, UnitKind, Units


def worst_decile(value: Floats) -> float:
    """Mean of the worst ceil(N / 10) of N values."""
    count = -(-len(value) // 10)
    return float(np.sort(value)[:count].mean())


@metric(
    "quality.{scorer}",
    unit="score of the judge",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    source="metrics.md section 1; rules.md 8 and 24",
)
@dataclass(frozen=True)
class Quality(Metric):
    """How good single images look to a quality scorer: mean score."""

    scorer: str = option(help="an image scorer: a judge of harness/models/judges, or the user's own")

    def needs(self) -> tuple[Need, ...]:
        return (Need("judged", name=self.scorer),)

    def measure(self, evidence: Evidence) -> Measurement:
        judged = evidence.judged.get(self.scorer)
        if judged is None:
            raise CannotMeasure(ScoreStatus.FAILED, f"judgements of {self.scorer!r}: not brought by the scorer")
        if "score" not in judged:
            found = ", ".join(sorted(judged)) or "nothing"
            raise CannotMeasure(
                ScoreStatus.PROTOCOL_MISMATCH, f"judge {self.scorer!r} gives {found}: it scores no quality"
            )
        items, value = evidence.items, np.asarray(judged["score"], dtype=np.float64)
        if len(items) == 0:
            raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, "no items")
        if value.shape != (len(items),):
            raise CannotMeasure(
                ScoreStatus.PROTOCOL_MISMATCH, f"scores {value.shape} of {self.scorer!r} for {len(items)} items"
            )
        if not np.isfinite(value).all():
            raise CannotMeasure(
                ScoreStatus.FAILED, f"{int((~np.isfinite(value)).sum())} scores of {self.scorer!r} are not finite"
            )
        worst = Measurement(worst_decile(value), -(-len(value) // 10), None)
        return Measurement(
            float(value.mean()),
            len(value),
            Units(UnitKind.ITEMS, items.keys, items.clusters, value),
            (items.keys, items.clusters, value),
            {"worst_decile": worst},
        )
