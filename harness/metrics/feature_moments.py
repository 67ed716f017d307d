"""A feature set of which only mean, covariance and size are known: what a statistics file holds (metrics.md T15).

Mean and covariance are all that a Fréchet distance asks for. Everything that looks at single rows (kernel distances,
precision and recall, nearest neighbours, shields) cannot be had from them, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SERVES = "Fréchet distances (fid, fd)"


@dataclass(frozen=True)
class FeatureMoments:
    """mean (D,) and covariance (D, D), with n - 1, float64 and finite; n, the size of the set behind them."""

    mean: Floats
    covariance: Floats
    n: int

    @classmethod
    def of(cls, rows: NDArray[np.floating]) -> FeatureMoments:
        """The moments of rows (N, D), N at least 2: float64, mean first, then centred products."""
        wide = rows.astype(np.float64)
        mean = wide.mean(axis=0)
        centred = wide - mean
        return cls(mean, centred.T @ centred / (len(wide) - 1), len(wide))

    def says(self, role: str) -> str:
        """Why a metric that needs more cannot be had."""
        return (
            f"the {role} set is a statistics file: mean, covariance and N serve {SERVES}; this metric looks at the"
            " images or features one by one, so name the images themselves as the data set"
        )
