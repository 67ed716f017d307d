"""The shipped diffusion models: real Stable Diffusion pipelines, only small, trained by the recipes of the worlds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from harness.models.diffusion.directory import incomplete
from harness.models.diffusion.hub import Dtype, Pipeline, Scheduler
from harness.models.model import Missing, model
from harness.options import option

ZOO = Path(__file__).parents[1] / "zoo"


class Shipped(Pipeline):
    """A pipeline directory under harness/models/zoo with its card."""

    folder: ClassVar[str]

    def directory(self) -> Path:
        return ZOO / self.folder

    def card(self) -> dict[str, Any]:
        """The card beside the weights; empty where there is none."""
        path = self.directory() / "card.json"
        return json.loads(path.read_text()) if path.is_file() else {}

    def defaults(self) -> dict[str, Any]:
        sampling = self.card().get("sampling", {})
        return {"steps": sampling.get("steps", 20), "guidance": sampling.get("guidance", 3.0)}

    @property
    def licence(self) -> str:
        return str(self.card().get("licence", "unknown"))

    def missing(self) -> tuple[Missing, ...]:
        root, where = self.directory(), f"harness/models/zoo/{self.folder}"
        if not (root / "model_index.json").is_file():
            return (Missing(f"shipped model {self.folder}", (where,), f"harness zoo train {self.folder}"),)
        return tuple(
            Missing(f"weights of component {part!r}", (f"{where}/{part}",), f"harness zoo train {self.folder}")
            for part in incomplete(root)
        )


@model("avatars-sd")
@dataclass(frozen=True)
class AvatarsSd(Shipped):
    """Text to portraits of the avatars world, 64×64."""

    folder = "avatars-sd"

    steps: int | None = option(None, unit="steps", at_least=1, help="scheduler steps", source="the model's card")
    guidance: float | None = option(None, unit="w", at_least=0, help="guidance weight", source="the model's card")
    scheduler: Scheduler = option("own", help="sampler; own = the pipeline's")
    size: int | None = option(None, unit="px", at_least=8, help="image side; default: the model's")
    dtype: Dtype = option("float32", help="precision of weights and network calls")


@model("digits-sd")
@dataclass(frozen=True)
class DigitsSd(Shipped):
    """Text to handwritten digits, trained on so few images that it memorises some."""

    folder = "digits-sd"

    steps: int | None = option(None, unit="steps", at_least=1, help="scheduler steps", source="the model's card")
    guidance: float | None = option(None, unit="w", at_least=0, help="guidance weight", source="the model's card")
    scheduler: Scheduler = option("own", help="sampler; own = the pipeline's")
    size: int | None = option(None, unit="px", at_least=8, help="image side; default: the model's")
    dtype: Dtype = option("float32", help="precision of weights and network calls")
