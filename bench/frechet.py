"""Fréchet distance at D = 2048: ours against clean-fid's and torchmetrics' own functions.

The comparison is from features to the value, as a user meets it: N rows a side, float64, moments included on both
sides. The peers take moments, so theirs come from numpy (mean and np.cov, as clean-fid does) and from torch sums of
products (as torchmetrics' metric does). A second pair of rows starts from the moments, where the trace term stands
alone. The features have a decaying spectrum, as those of networks have; equal_to is relative.
"""

from __future__ import annotations

from typing import Any

from bench.measure import Row, alternate, cannot

N, D = 5000, 2048
GOALS = {"clean-fid": 8.0, "torchmetrics": 3.0}
EQUAL = 1e-6


def drawn() -> tuple[Any, Any]:
    """Two feature sets (N, D) float64, correlated and shifted against each other."""
    import numpy as np

    from harness import keys

    rng = keys.generator(0, "world", "bench", "frechet")
    mix = rng.normal(size=(D, D)) * np.exp(-np.arange(D) / 400.0)
    return rng.normal(size=(N, D)) @ mix / 30.0, rng.normal(size=(N, D)) @ mix / 28.0 + 0.02


def run() -> list[Row]:
    import numpy as np

    from harness.metrics.frechet_distance import Moments, covariance_root, frechet, frechet_of_moments, moments

    x, y = drawn()
    mean_x, mean_y, cov_x, cov_y = x.mean(0), y.mean(0), np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    from_features: dict[str, Any] = {"ours": lambda: frechet(x, y)}
    from_moments: dict[str, Any] = {
        "ours": lambda: frechet_of_moments(
            mean_x, cov_x, Moments(mean_y, float(np.trace(cov_y)), covariance_root(cov_y))
        )
    }
    rows = []
    try:
        from cleanfid.fid import frechet_distance

        from_features["clean-fid"] = lambda: frechet_distance(
            x.mean(0), np.cov(x, rowvar=False), y.mean(0), np.cov(y, rowvar=False)
        )
        from_moments["clean-fid"] = lambda: frechet_distance(mean_x, cov_x, mean_y, cov_y)
    except ImportError as error:
        rows.append(cannot("frechet", "", str(error), "clean-fid"))
    try:
        import torch
        from torchmetrics.image.fid import FrechetInceptionDistance, _compute_fid

        class Passed(torch.nn.Module):
            """An extractor that hands on what it is given."""

            num_features = D

            def forward(self, features: Any) -> Any:
                return features

        def torchmetrics() -> float:
            metric = FrechetInceptionDistance(Passed(), input_img_size=(D,)).set_dtype(torch.float64)
            metric.update(torch.from_numpy(x), real=True)
            metric.update(torch.from_numpy(y), real=False)
            return float(metric.compute())

        from_features["torchmetrics"] = torchmetrics
        tensors = [torch.from_numpy(a) for a in (mean_x, cov_x, mean_y, cov_y)]
        from_moments["torchmetrics"] = lambda: float(_compute_fid(*tensors))
    except ImportError as error:
        rows.append(cannot("frechet", "", str(error), "torchmetrics"))
    moments(x[:64])  # the libraries are loaded before the clock runs
    for what, calls in (("features", from_features), ("moments", from_moments)):
        timed = alternate(calls, repeat=2)
        ours = timed.pop("ours")
        for peer, other in timed.items():
            apart = abs(ours.value / other.value - 1.0)
            ratio = other.best / ours.best
            goal = f"{GOALS[peer]:g} times faster, same value to {EQUAL:g}"
            row = Row(f"frechet, {N} x {D}, from {what}", ours.best, peer, other.best, goal,
                      bool(ratio >= GOALS[peer] and apart <= EQUAL), float(apart))  # fmt: skip
            rows.append(row)
    return rows
