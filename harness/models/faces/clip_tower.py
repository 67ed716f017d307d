"""A CLIP image tower as the recogniser of the future: no face network, trained later and on something else.

FaceCure's point (arXiv 2106.14851): a cloak made against face networks must also meet features that nobody had thought
of. The projected embedding, of unit length (arXiv 2103.00020); CLIP's mean and deviation, the whole picture resized
bilinearly: CLIP's own bicubic on bytes lets no gradient pass, so this is another id than the extractor clip-vit-b-32.
Checkpoints of transformers, by hub id or folder; the code of a checkpoint is never run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from harness.models.extractors.checkpoint import Folder
from harness.models.extractors.clip import DEVIATION, MEAN
from harness.models.extractors.quiet import quiet
from harness.models.faces.alignment import Policy
from harness.models.faces.embedder import INSTEAD, Embedder
from harness.models.faces.embedding import Input, Network
from harness.models.faces.recogniser import Lineage
from harness.models.model import Missing
from harness.options import option

SIDE_PX = 224  # where config.json is not here yet


@dataclass(frozen=True, kw_only=True)
class ClipTower(Embedder):
    """Any CLIP checkpoint with an image projection."""

    checkpoint: str = option(help="hub id, or a folder: absolute, or below the weights folder")
    revision: str = option("main", in_id=False, help="branch, tag or commit of a hub id")
    align: Policy = option("none", help="none: the whole picture; frame; or arcface112")
    lineage: Lineage = option(
        Lineage(architecture="clip-vit"), in_id=False, help="weights, training, architecture: the family"
    )

    kind: ClassVar[str] = "clip-tower"
    batch: ClassVar[int] = 8
    needs: ClassVar[tuple[str, ...]] = ("transformers",)

    def _files(self) -> Folder:
        return Folder(self.kind, self.checkpoint, ("config.json",), self.revision)

    def read(self) -> Input:
        folder = self._files().folder()
        config = {} if folder is None else json.loads((folder / "config.json").read_text(encoding="utf-8"))
        side = (config.get("vision_config") or config).get("image_size", SIDE_PX)
        mean, std = (tuple(255.0 * v for v in row) for row in (MEAN, DEVIATION))
        return Input(int(side), "rgb", mean, std)

    def weights(self) -> Mapping[str, str]:
        return self._files().hashes()

    def files_missing(self) -> tuple[Missing, ...]:
        gone = self._files().missing(INSTEAD)
        return () if gone is None else (gone,)

    def network(self, device: str, *, gradient: bool) -> Network:  # noqa: ARG002 - one module for both
        import torch
        from transformers import CLIPVisionModelWithProjection

        folder = self._files().folder()
        with quiet():
            model, report = CLIPVisionModelWithProjection.from_pretrained(
                folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
            )
        if gone := sorted(report["missing_keys"]):
            raise ValueError(f"{self.name}: {self.checkpoint} has no weights for {len(gone)} parts, as {gone[0]}")
        model = model.to(device).eval().requires_grad_(False)

        def embed(pixels: Any) -> Any:
            return model(pixel_values=pixels).image_embeds

        return embed


@dataclass(frozen=True, kw_only=True)
class ClipVitB32(ClipTower):
    """OpenAI's CLIP ViT-B/32, whole picture."""

    name: str = "clip-vit-b-32"
    checkpoint: str = "openai/clip-vit-base-patch32"
    lineage: Lineage = field(default=Lineage("openai-clip-vit-b-32", "clip-wit", "clip-vit"))
    released: str = "2021-01-05"
    licence: str = "MIT (OpenAI CLIP); see the model card for its limits of use"

    kind: ClassVar[str] = "clip-vit-b-32"
