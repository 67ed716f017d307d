"""How visible a change is, for methods that limit it: a differentiable distance of two pictures, by name.

lpips-alex, lpips-vgg, lpips-squeeze   LPIPS v0.1 (arXiv 1801.03924) where the published weights are here
dssim                                  (1 - SSIM) / 2, no weights (harness/models/structural.py)
a feature space                        squared Euclidean distance of unit vectors (the metric pd.NAME.source)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from harness.models.feature_spaces import feature_space

if TYPE_CHECKING:
    from torch import Tensor

PREFIX, DSSIM = "lpips-", "dssim"


def identity(name: str) -> str:
    """Digest of the network's weights. Raises UnknownName."""
    if name.startswith(PREFIX):
        from harness.models.lpips_features import published_digest

        return published_digest(name.removeprefix(PREFIX))
    if name == DSSIM:
        return DSSIM
    return feature_space(name).digest


@lru_cache(maxsize=4)
def perceptual_distance(name: str, device: str) -> Callable[[Tensor, Tensor], Tensor]:
    """(n,) distances of pictures (n, 3, H, W) in [0, 1]. Raises UnknownName, MissingWeights."""
    from torch.nn.functional import normalize

    if name.startswith(PREFIX):
        from harness.models.lpips_features import open_lpips

        lpips = open_lpips(name.removeprefix(PREFIX), device=device)
        return lambda a, b: lpips(2 * a - 1, 2 * b - 1).flatten()
    if name == DSSIM:
        from harness.models.structural import dssim

        return dssim
    network = feature_space(name).open(device)
    return lambda a, b: (normalize(network(a), dim=1) - normalize(network(b), dim=1)).square().sum(dim=1)
