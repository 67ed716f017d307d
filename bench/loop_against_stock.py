"""Images a second of the denoising loop and of the stock diffusers pipeline, in pairs within one run.

    python bench/loop_against_stock.py [--model avatars-sd] [--images 64] [--pairs 5] [--device cpu]

Both draw the same images (bit for bit, tests/models/diffusion) with the own steps and guidance of the model. The ratio
is the claim; the rates belong to the machine, whose cores and load are printed beside them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

from harness import keys
from harness.data.prompts import load_prompts
from harness.methods.diversity.iid import Iid
from harness.methods.method import Group
from harness.models import MODELS
from harness.models.determinism import settle
from harness.models.diffusion.loop import sample
from harness.options import build


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="avatars-sd")
    parser.add_argument("--prompts", default="avatars/open")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()

    import torch

    settle(threads=None)
    model = build(MODELS.get(arguments.model), {}).open(arguments.device)
    texts = load_prompts(arguments.prompts)
    each = max(1, arguments.images // len(texts))
    groups = [Group(0, p, text, 0, tuple(range(each))) for p, text in enumerate(texts)]
    count = each * len(texts)
    noise = torch.stack(
        [keys.normal(model.latent_shape, 0, "init_noise", p, s) for p in range(len(texts)) for s in range(each)]
    )
    captions = [text for text in texts for _ in range(each)]

    def loop() -> None:
        sample(model, Iid(), groups, seed=0, micro_batch=count)

    def stock() -> None:
        model.pipe(
            captions,
            latents=noise.to(arguments.device),
            num_inference_steps=model.steps,
            guidance_scale=model.guidance,
            output_type="np",
        )

    rates: dict[str, list[float]] = {"loop": [], "stock": []}
    for pair in range(arguments.pairs + 1):
        for name, call in (("loop", loop), ("stock", stock)) if pair % 2 else (("stock", stock), ("loop", loop)):
            began = time.perf_counter()
            call()
            if pair:  # the first pair warms up
                rates[name].append(count / (time.perf_counter() - began))
    print(f"{arguments.model}: {count} images, {model.steps} steps, w = {model.guidance}, {os.cpu_count()} cores")
    for name, values in rates.items():
        print(f"{name:>6}  {statistics.median(values):6.1f} images/s  ({min(values):.1f} to {max(values):.1f})")
    ratios = [a / b for a, b in zip(rates["loop"], rates["stock"], strict=True)]
    print(f" ratio  {statistics.median(ratios):6.2f} loop / stock  ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
