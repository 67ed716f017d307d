"""Prompt adherence: the mean probability that the shipped classifier gives to the attributes stated of an image.

A fact states them under "expected": attribute name → class name, {"hat": "beanie", "glasses": "none"}. The metric
`attr.match.avatars` counts hits; this has no plateaus. Both read through one classifier, so what was tuned on this
judge is not reported by that metric alone (rules.md B).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.models.judges import pictures
from harness.models.judges.judge import Judge, Opened, judge
from harness.models.zoo import entry
from harness.options import nearest

CLASSIFIER = "avatars-attributes"


def stated(
    facts: Sequence[Mapping[str, Any]], classes: Mapping[str, Sequence[str]]
) -> list[tuple[tuple[str, int], ...]]:
    """(attribute, class number) pairs of every fact. Raises ValueError for a fact that states nothing or wrongly."""
    out = []
    for i, fact in enumerate(facts):
        pairs = []
        for attribute, label in dict(fact.get("expected", {})).items():
            if attribute not in classes:
                hint = nearest(attribute, classes) or tuple(classes)
                raise ValueError(f"item {i} states {attribute!r}, which {CLASSIFIER} does not read; try {hint[0]!r}")
            if label not in classes[attribute]:
                raise ValueError(f"item {i} states {attribute} {label!r}; one of {', '.join(classes[attribute])}")
            pairs.append((attribute, list(classes[attribute]).index(label)))
        if not pairs:
            raise ValueError(f"item {i} states no attribute: there is nothing to adhere to")
        out.append(tuple(pairs))
    return out


@judge("avatars-adherence")
@dataclass(frozen=True)
class Adherence(Judge):
    """Mean probability of the stated attributes by avatars-attributes, in [0, 1]."""

    reads: ClassVar[tuple[str, ...]] = ("images",)

    def digest(self) -> str:
        hashes = {name: f["sha256"] for name, f in sorted(entry(CLASSIFIER).card["files"].items())}
        return hashlib.blake2b(json.dumps(hashes).encode(), digest_size=16).hexdigest()

    def open(self, device: str) -> Opened:
        import torch

        from harness.models.classifier import AttributeClassifier

        model = AttributeClassifier.load(entry(CLASSIFIER).directory).to(device)
        names = tuple(model.classes)
        starts = dict(zip(names, np.cumsum([0, *(len(model.classes[n]) for n in names)]).tolist(), strict=False))

        def forward(levels: torch.Tensor) -> torch.Tensor:
            logits = model(levels / 255)
            return torch.cat([logits[name].float().softmax(1) for name in names], dim=1)

        def read(artifacts: Mapping[str, NDArray[Any]], facts: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
            images = pictures.of(artifacts)
            if len(facts) != len(images):
                raise ValueError(f"{len(facts)} facts for {len(images)} images")
            wanted = stated(facts, model.classes)
            found = pictures.rows(forward, images, device).numpy()
            score = [found[i, [starts[a] + k for a, k in pairs]].mean() for i, pairs in enumerate(wanted)]
            return {"score": np.array(score, dtype=np.float32)}

        return read
