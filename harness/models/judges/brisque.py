"""BRISQUE: no-reference quality from the statistics of locally normalised luminance (Mittal, Moorthy, Bovik, 2012).

MSCN = (I - mu) / (sigma + 1), I luminance in 0 … 255, mu and sigma in a Gaussian window of 7 x 7, deviation 7/6. At two
scales, a generalised normal law is fitted to MSCN (shape, variance) and an asymmetric one to its products with its four
neighbours (shape, mean, left and right variance): 36 numbers, scaled to [-1, 1], into a support-vector regression whose
value is about 0 (clean) to 100; the score here is 1 - value / 100. Source: doi 10.1109/TIP.2012.2214050; window, zeros
beyond the border, wrapped shifts and MATLAB's bicubic halving as in the authors' release (unverified). With its files,
skimage's astronaut, coffee and cat have values of -2 to 4, of 54 to 68 blurred by 1.5 px, of 65 to 76 with noise of 25.

The regression is not shipped: it is the pair of text files of the authors' release, in LIBSVM's formats. On PyPI no
package installs and runs with numpy 2.4 (brisque 0.2.0 stops in its scaling; image-quality is of 2021; piq downloads).
It is fitted to photographs: on drawings it orders blur and noise, its level means nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.metrics.embeddings import weights_folder
from harness.models.judges import pictures
from harness.models.judges.judge import Judge, Opened, judge
from harness.models.model import Missing, MissingWeights
from harness.models.weights import sha256
from harness.options import option

Floats = NDArray[np.float64]
LUMA = np.array([0.2989, 0.5870, 0.1140])
FEATURES = 36
SHAPES = np.arange(0.2, 10.0005, 0.001)  # of the fits, as in the release


def normalised(image: Floats) -> Floats:
    """MSCN (H, W) of luminance (H, W) in 0 … 255."""
    from scipy.ndimage import correlate1d

    axis = np.arange(-3, 4)
    window = np.exp(-0.5 * (axis / (7 / 6)) ** 2)
    window /= window.sum()

    def local(x: Floats) -> Floats:
        rows = correlate1d(x, window, axis=0, mode="constant")
        return np.asarray(correlate1d(rows, window, axis=1, mode="constant"))

    mean = local(image)
    return np.asarray((image - mean) / (np.sqrt(np.abs(local(image**2) - mean**2)) + 1))


def symmetric_fit(x: Floats) -> tuple[float, float]:
    """Shape and variance of a generalised normal law, by moments (1 is Laplace's, 2 the normal law)."""
    from scipy.special import gamma

    ratio = gamma(1 / SHAPES) * gamma(3 / SHAPES) / gamma(2 / SHAPES) ** 2
    variance = float((x**2).mean())
    wanted = variance / max(float(np.abs(x).mean()) ** 2, np.finfo(float).tiny)
    return float(SHAPES[np.abs(ratio - wanted).argmin()]), variance


def asymmetric_fit(x: Floats) -> tuple[float, float, float, float]:
    """Shape, mean, left and right variance of an asymmetric generalised normal law, by moments."""
    from scipy.special import gamma

    left, right = (float(np.sqrt((side**2).mean())) if side.size else 0.0 for side in (x[x < 0], x[x > 0]))
    lean = left / max(right, np.finfo(float).eps)
    moment = float(np.abs(x).mean()) ** 2 / max(float((x**2).mean()), np.finfo(float).tiny)
    wanted = moment * (lean**3 + 1) * (lean + 1) / (lean**2 + 1) ** 2
    ratio = gamma(2 / SHAPES) ** 2 / (gamma(1 / SHAPES) * gamma(3 / SHAPES))
    shape = float(SHAPES[((ratio - wanted) ** 2).argmin()])
    spread = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, float((right - left) * gamma(2 / shape) / gamma(1 / shape) * spread), left**2, right**2


def features(image: Floats) -> Floats:
    """The 36 numbers of luminance (H, W) in 0 … 255."""
    from PIL import Image

    out: list[float] = []
    for halved in (False, True):
        if halved:
            small = Image.fromarray(image.astype(np.float32), mode="F")
            image = np.asarray(
                small.resize((-(-image.shape[1] // 2), -(-image.shape[0] // 2)), Image.Resampling.BICUBIC)
            )
        x = normalised(image.astype(np.float64))
        out += symmetric_fit(x)
        for shift in ((0, 1), (1, 0), (1, 1), (-1, 1)):
            out += asymmetric_fit(x * np.roll(x, shift, axis=(0, 1)))
    return np.array(out)


@dataclass(frozen=True)
class Regression:
    """An epsilon-SVR with a radial kernel. vectors (S, 36), weights (S,), low and high (36,) scaled to [-1, 1]."""

    vectors: Floats
    weights: Floats
    gamma: float
    rho: float
    low: Floats
    high: Floats

    def __call__(self, rows: Floats) -> Floats:
        """Values (n,) of features (n, 36)."""
        x = 2 * (rows - self.low) / (self.high - self.low) - 1
        square = ((x[:, None] - self.vectors[None]) ** 2).sum(2)
        return np.asarray(np.exp(-self.gamma * square) @ self.weights - self.rho)


def read_regression(model: Path, scaling: Path) -> Regression:
    """From LIBSVM's model text and svm-scale's range text. Raises ValueError naming the file that is something else."""
    try:
        head, _, body = model.read_text(encoding="ascii").partition("SV\n")
        said = dict(line.split(maxsplit=1) for line in head.splitlines() if line)
        if (said["svm_type"], said["kernel_type"]) != ("epsilon_svr", "rbf"):
            raise ValueError(f"{said['svm_type']} with kernel {said['kernel_type']}, expected epsilon_svr with rbf")
        lines = [line.split() for line in body.splitlines() if line.strip()]
        vectors = np.zeros((len(lines), FEATURES))
        for row, line in enumerate(lines):
            for pair in line[1:]:
                index, value = pair.split(":")
                vectors[row, int(index) - 1] = float(value)
        weights = np.array([float(line[0]) for line in lines])
        numbers = float(said["gamma"]), float(said["rho"])
    except (KeyError, IndexError, ValueError, UnicodeError) as error:
        raise ValueError(f"{model} is no LIBSVM regression of {FEATURES} numbers: {error}") from error
    try:
        rows = [line.split() for line in scaling.read_text(encoding="ascii").splitlines()[2:] if line.strip()]
        limits = {int(i): (float(a), float(b)) for i, a, b in rows}
        low, high = np.array([limits[i] for i in range(1, FEATURES + 1)]).T
    except (KeyError, ValueError, UnicodeError) as error:
        raise ValueError(f"{scaling} is no range file of svm-scale of {FEATURES} numbers: {error}") from error
    return Regression(vectors, weights, *numbers, low, high)


@judge("brisque")
@dataclass(frozen=True)
class Brisque(Judge):
    """1 - BRISQUE / 100 by the regression files of the authors' release."""

    model: str = option("brisque.allmodel", help="LIBSVM model text, in the weights folder or a path")
    scaling: str = option("brisque.allrange", help="svm-scale range text of the same release")

    reads: ClassVar[tuple[str, ...]] = ("images",)

    def _paths(self) -> tuple[Path, Path]:
        return weights_folder() / Path(self.model).expanduser(), weights_folder() / Path(self.scaling).expanduser()

    def digest(self) -> str:
        found = [sha256(p) if p.is_file() else "absent" for p in self._paths()]
        return hashlib.blake2b(" ".join(found).encode(), digest_size=16).hexdigest()

    def missing(self) -> tuple[Missing, ...]:
        return tuple(
            Missing(
                p.name,
                (str(p),),
                f"copy the file of that name from the authors' BRISQUE release to {p}",
                "the judge sharpness",
            )
            for p in self._paths()
            if not p.is_file()
        )

    def open(self, device: str) -> Opened:  # noqa: ARG002 - it runs on the processor
        if missing := self.missing():
            raise MissingWeights(missing)
        regression = read_regression(*self._paths())

        def read(artifacts: Mapping[str, NDArray[Any]], _facts: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
            images = pictures.of(artifacts)
            rows = [regression(features(image.astype(np.float64) @ LUMA)[None])[0] for image in images]
            return {"score": (1 - np.array(rows, dtype=np.float64) / 100).astype(np.float32)}

        return read
