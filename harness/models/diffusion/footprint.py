"""Device memory of a diffusion pipeline before it is opened: weights, and what a network call keeps alive beside them.

weights       parameters × bytes of the dtype, of the parts that are on the device together
denoising     items × branches × maps × bytes; 26 maps of (h · w · first width) for a U-Net, 18 rows of
              (tokens · width) for a transformer; attention does not store its matrix
decoding      items × 3 × (H · W · the decoder's width there) × bytes
The counts are the peaks of live tensors over the denoisers of SD 1.5 (26.1), SD 2.1 (26.0), SDXL (15.8), SD3 (12.5),
Flux (17.3), DiT (12.0) and of their autoencoders (3.0), run without data on the meta device; a test repeats it.
Parameters are counted in the headers of local weights, else declared (published.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.models.diffusion.directory import index_of
from harness.models.diffusion.placement import Offload
from harness.models.diffusion.published import Shape
from harness.models.footprint import Phase

UNET_MAPS, TOKEN_ROWS, DECODER_MAPS = 26, 18, 3
BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
TEXT_TOKENS = {"StableDiffusion3Pipeline": 333, "FluxPipeline": 512}


def local_shape(root: Path) -> Shape:
    """The shape of a pipeline directory, from its configurations."""
    pipeline = str(index_of(root)["_class_name"])
    is_transformer = (root / "transformer").is_dir()
    network = _config(root / ("transformer" if is_transformer else "unet"))
    vae = _config(root / "vae")
    channels = vae["block_out_channels"]
    if pipeline == "FluxPipeline":
        side, patch = 128, 2  # the stock pipeline's own size
    else:
        side, patch = int(network["sample_size"]), int(network.get("patch_size") or 0) if is_transformer else 0
    width = (
        network["num_attention_heads"] * network["attention_head_dim"]
        if is_transformer
        else network["block_out_channels"][0]
    )
    return Shape(
        width=int(width),
        patch=patch,
        side=side,
        factor=2 ** (len(channels) - 1),
        decoder_width=int(channels[1] if len(channels) > 1 else channels[0]),
        text_tokens=TEXT_TOKENS.get(pipeline, 0),
        lifted=pipeline == "StableDiffusionXLPipeline" and bool(vae.get("force_upcast")),
        distilled=bool(network.get("guidance_embeds")),
    )


def _config(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return found


def phases(
    counts: Mapping[str, int],
    shape: Shape,
    *,
    dtype: str,
    size_px: int | None,
    branches: int,
    offload: Offload,
    slicing: bool,
) -> dict[str, Phase]:
    """Encoding, denoising and decoding.

    counts   parameters by component;  branches  network evaluations of an item and step
    """
    each = BYTES[dtype]
    text = sum(n for part, n in counts.items() if part.startswith("text_encoder")) * each
    vae = counts.get("vae", 0) * each
    network = sum(counts.values()) * each - text - vae
    weights = {"encoding": text, "denoising": network, "decoding": vae}
    if offload is Offload.NOTHING:
        resident = dict.fromkeys(weights, sum(weights.values()))
    elif offload is Offload.TEXT:
        resident = {k: network + vae + (text if k == "encoding" else 0) for k in weights}
    else:
        resident = weights
    pixels = (size_px or shape.side * shape.factor) ** 2
    cells = pixels // shape.factor**2
    if shape.patch:
        live = TOKEN_ROWS * (cells // shape.patch**2 + shape.text_tokens) * shape.width
    else:
        live = UNET_MAPS * cells * shape.width
    wide = 4 if shape.lifted and dtype == "float16" else each
    return {
        "encoding": Phase(resident["encoding"], 0),
        "denoising": Phase(resident["denoising"], branches * live * each),
        "decoding": Phase(
            resident["decoding"], DECODER_MAPS * pixels * shape.decoder_width * wide, 1 if slicing else None
        ),
    }
