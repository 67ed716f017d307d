"""All pairs of LPIPS within prompts of 32 images: ours against the lpips package called for every pair.

Random trunks of the real classes with the published linear weights: the arithmetic and its cost are those of the
published nets, which need a download. The peer takes each pair as a user of the package writes it, one call a pair; a
second row gives it each pair of a prompt in batches of 32. equal_to is the largest difference of a prompt's mean.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

from bench.measure import Row, alternate, peak_extra_mb

NETS = {"alex": 2, "vgg": 1}  # net: repetitions
PROMPTS, EACH, SIDE = 2, 32, 64
FASTER, EQUAL = 10.0, 1e-5


def run() -> list[Row]:
    return [row for net, repeat in NETS.items() for row in rows_of(net, repeat)]


def rows_of(net: str, repeat: int) -> list[Row]:
    import warnings

    import lpips
    import numpy as np
    import torch

    from harness import keys
    from harness.metrics.perceptual import mean_pair_distance
    from harness.models.lpips_features import features, signed

    prompts = PROMPTS if net == "alex" else 1
    images = keys.generator(0, "world", "bench", "lpips").integers(0, 256, (prompts * EACH, SIDE, SIDE, 3), np.uint8)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        torch.manual_seed(0)
        network = lpips.LPIPS(net=net, version="0.1", pnet_rand=True, eval_mode=True, verbose=False)
    each = [signed(images[p * EACH : (p + 1) * EACH]) for p in range(prompts)]
    pairs = list(combinations(range(EACH), 2))

    def ours() -> Any:
        rows = features(network, images)
        return np.array([mean_pair_distance(rows[p * EACH : (p + 1) * EACH]) for p in range(prompts)])

    def one_by_one() -> Any:
        with torch.no_grad():
            return np.array([np.mean([float(network(t[i : i + 1], t[j : j + 1])) for i, j in pairs]) for t in each])

    def batched() -> Any:
        values = []
        with torch.no_grad():
            for t in each:
                parts = [pairs[s : s + 32] for s in range(0, len(pairs), 32)]
                found = [network(t[[i for i, _ in part]], t[[j for _, j in part]]).flatten() for part in parts]
                values.append(float(torch.cat(found).double().mean()))
        return np.array(values)

    extra = peak_extra_mb(ours)
    timed = alternate({"ours": ours, "one": one_by_one, "batched": batched}, repeat=repeat)
    mine = timed["ours"]
    rows = []
    for peer, what in (("one", "lpips package, a call a pair"), ("batched", "lpips package, 32 pairs a call")):
        theirs = timed[peer]
        apart = float(np.abs(mine.value - theirs.value).max())
        rows.append(
            Row(
                f"lpips.{net}, {prompts} x {EACH} images of {SIDE} px, all pairs",
                mine.best,
                what,
                theirs.best,
                f"{FASTER:g} times faster, equal to {EQUAL:g}",
                bool(theirs.best / mine.best >= FASTER and apart <= EQUAL),
                apart,
                f"adds {extra:.0f} MB at its peak",
            )
        )
    return rows
