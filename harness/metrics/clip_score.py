"""CLIP score: cosine between the embedding of an image and that of its prompt, times a scale.

cos(E_image, E_text), both of unit length; the mean over images is the mean over prompts of their means, as every prompt
has as many. `clip.<model>[scale=100,clamp=none]` is ours; max(0, 100 cos) is `clamp: item`, 2.5 max(0, cos) (arXiv
2104.08718) is `scale: 2.5, clamp: item`: other ids. The clamp is on the item; torchmetrics clamps the mean, which is
another number and not offered. The items table holds the raw cosine. `.truncated` counts prompts that CLIP's tokenizer
cut at 77 tokens. A method that guides with CLIP must be reported with another scorer (rules.md, rule 3); what is
outside the middle square is not seen. Precision: float32 networks, 1e-5. Traps: metrics.md section 9, T34.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.metrics.inputs import features, prompt_texts, unit_rows
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


@metric(
    "clip.{clip}",
    unit="scaled cosine",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    source="arXiv 2104.08718, 2103.00020",
)
@dataclass(frozen=True)
class ClipScore(Metric):
    """How well images follow their prompts by CLIP: scaled cosine of image and prompt."""

    clip: str = option(help="CLIP model: vit-b-32, vit-b-16 or vit-l-14")
    scale: float = option(100.0, above=0.0, help="factor on the cosine", source="arXiv 2104.08718 with 100 for 2.5")
    clamp: Literal["none", "item"] = option("none", help="item: a negative cosine counts as 0")

    @property
    def extractor(self) -> str:
        """Name of the network, both towers."""
        return f"clip-{self.clip}"

    def needs(self) -> tuple[Need, ...]:
        return (Need("features", "generated", self.extractor), Need("texts", "generated", self.extractor))

    def measure(self, evidence: Evidence) -> Measurement:
        own = unit_rows(features(evidence, self.extractor))
        texts, cut = prompt_texts(evidence, self.extractor)
        if texts.shape[1] != own.shape[1]:
            raise CannotMeasure(
                ScoreStatus.PROTOCOL_MISMATCH, f"images have {own.shape[1]} numbers, texts {texts.shape[1]}"
            )
        items = evidence.items
        cosine = np.einsum("nd,nd->n", own, unit_rows(texts)[items.prompt])
        value = self.scale * (np.maximum(cosine, 0.0) if self.clamp == "item" else cosine)
        units = Units(UnitKind.ITEMS, items.keys, items.clusters, value)
        truncated = Measurement(float(cut.sum()), len(cut), None)
        shown = (items.keys, items.clusters, cosine)
        return Measurement(float(value.mean()), len(value), units, shown, {"truncated": truncated})
