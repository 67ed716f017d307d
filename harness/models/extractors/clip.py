"""CLIP image and text towers through transformers: projected embeddings, not normalised (arXiv 2103.00020).

Images: shortest side 224 by Pillow's bicubic on bytes, middle square, levels / 255, CLIP's mean and deviation. Texts:
the checkpoint's own tokenizer; what exceeds its length (77 tokens) is cut, and reported as cut.
Source: hub ids openai/clip-vit-*; MIT (code), the model card restricts deployment. Hashes are recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.models.extractors.declaration import Declaration, Forward, TextForward
from harness.models.extractors.places import HubFolder
from harness.models.extractors.quiet import quiet
from harness.models.extractors.resize import Resize

MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
MODELS = {
    "vit-b-32": ("openai/clip-vit-base-patch32", 512),
    "vit-b-16": ("openai/clip-vit-base-patch16", 512),
    "vit-l-14": ("openai/clip-vit-large-patch14", 768),
}
_TEXTS = 64  # texts a pass


def _declared(model: str) -> Declaration:
    repo, dimension = MODELS[model]
    return Declaration(
        name=f"clip-{model}",
        summary=f"CLIP {model} image embedding (hub id {repo})",
        licence="MIT (OpenAI CLIP); see the model card for its limits of use",
        weights=HubFolder(f"clip-{model}", repo, ("config.json", "tokenizer_config.json")),
        resize=Resize("pil-bicubic-u8-aa", 224, edge="shortest", crop=True),
        input="clip mean and deviation of x/255",
        layer="image projection",
        dimension=dimension,
        build="harness.models.extractors.clip:open_images",
        text="harness.models.extractors.clip:open_texts",
        batch=32,
    )


CLIP = tuple(_declared(model) for model in MODELS)


def _model(files: Mapping[str, Path], device: str) -> Any:
    import torch
    from transformers import CLIPModel

    folder = files["config.json"].parent
    with quiet():
        model = CLIPModel.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    return model.to(device).eval().requires_grad_(False)


def open_images(files: Mapping[str, Path], device: str, _: Declaration) -> Forward:
    """The image tower and its projection."""
    import torch

    model = _model(files, device)
    mean, deviation = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, DEVIATION))

    def forward(levels: torch.Tensor) -> torch.Tensor:
        pooled = model.vision_model(pixel_values=(levels / 255 - mean) / deviation).pooler_output
        rows: torch.Tensor = model.visual_projection(pooled)
        return rows

    return forward


def open_texts(files: Mapping[str, Path], device: str, _: Declaration) -> TextForward:
    """The text tower and its projection, with the checkpoint's tokenizer."""
    import torch
    from transformers import CLIPTokenizer

    model = _model(files, device)
    tokenizer = CLIPTokenizer.from_pretrained(files["config.json"].parent, local_files_only=True)
    length = min(tokenizer.model_max_length, model.config.text_config.max_position_embeddings)

    def forward(texts: tuple[str, ...]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        with quiet():
            cut = np.array([len(ids) > length for ids in tokenizer(list(texts))["input_ids"]])
        rows = []
        for start in range(0, len(texts), _TEXTS):
            tokens = tokenizer(
                list(texts[start : start + _TEXTS]),
                padding="max_length",  # one length for all, so that no text feels its neighbours
                truncation=True,
                max_length=length,
                return_tensors="pt",
            ).to(device)
            with torch.inference_mode():
                pooled = model.text_model(**tokens).pooler_output
                rows.append(model.text_projection(pooled).float().cpu().numpy())
        return np.concatenate(rows), cut

    return forward
