"""Images a second of the denoising loop and of the stock diffusers pipeline.

Both draw the same images (bit for bit, tests/models/diffusion) with the steps and guidance of the shipped model. The
peer is the pipeline's own __call__; the loop may not be slower by more than a tenth.
"""

from __future__ import annotations

from bench.measure import Row, alternate
from harness import keys
from harness.data.prompts import load_prompts
from harness.methods.diversity.iid import Iid
from harness.methods.method import Group
from harness.models import MODELS
from harness.models.determinism import settle
from harness.models.diffusion.loop import sample
from harness.options import build

MODEL, PROMPTS, EACH = "avatars-sd", "avatars/open", 1
SLOWER = 0.9


def run() -> list[Row]:
    import numpy as np
    import torch

    settle(threads=torch.get_num_threads())
    model = build(MODELS.get(MODEL), {}).open("cpu")
    model.pipe.set_progress_bar_config(disable=True)
    texts = load_prompts(PROMPTS)
    groups = [Group(0, p, text, 0, tuple(range(EACH))) for p, text in enumerate(texts)]
    count = EACH * len(texts)
    noise = torch.stack(
        [keys.normal(model.latent_shape, 0, "init_noise", p, s) for p in range(len(texts)) for s in range(EACH)]
    )
    captions = [text for text in texts for _ in range(EACH)]

    def loop() -> object:
        return sample(model, Iid(), groups, seed=0, micro_batch=count)

    def stock() -> object:
        return model.pipe(
            captions, latents=noise, num_inference_steps=model.steps, guidance_scale=model.guidance, output_type="np"
        )

    timed = alternate({"ours": loop, "peer": stock}, repeat=5, warm=1)
    ours, peer = timed["ours"], timed["peer"]
    stock_images = np.rint(np.clip(peer.value.images, 0, 1) * 255).astype(np.uint8)
    apart = np.abs(ours.value.images.astype(int) - stock_images).max()
    return [
        Row(
            f"loop, {count} images, {model.steps} steps",
            ours.best,
            "diffusers StableDiffusionPipeline",
            peer.best,
            f"ratio at least {SLOWER:g}",
            bool(peer.best / ours.best >= SLOWER and apart == 0),
            float(apart),
            "equal_to in levels of uint8",
        )
    ]
