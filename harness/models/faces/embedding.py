"""From pictures to unit vectors: one computation for what is seen and for what is differentiated.

align → resize → channel order, mean, std → network (→ plus the mirrored picture's) → unit length. Every step before the
network is torch in float32, whichever engine runs the network, because resizing by OpenCV, Pillow and torch differ by
whole levels. Resize: bilinear, antialiased where it shrinks, nothing rounded back to bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.models.faces.recogniser import Differentiable, Opened, Seen

if TYPE_CHECKING:
    from torch import Tensor

RESIZE = "torch-bilinear-f32-aa"
Order = Literal["rgb", "bgr"]
SMALLEST_NORM = 1e-12  # face_privacy.md 8.1: below, a vector has no direction
Network = Callable[["Tensor"], "Tensor"]
Align = Callable[["Tensor"], "tuple[Tensor, NDArray[np.bool_]]"]


@dataclass(frozen=True)
class Input:
    """What a network reads: (x - mean) / std of the levels x in 0 … 255, on a square of `side` px.

    order      channels as the network reads them
    mean, std  levels, one number or three in that order;  defaults: ArcFace's convention
    """

    side: int = 112
    order: Order = "rgb"
    mean: tuple[float, ...] = (127.5,)
    std: tuple[float, ...] = (127.5,)

    def __post_init__(self) -> None:
        for key in ("mean", "std"):
            if len(getattr(self, key)) not in (1, 3):
                raise ValueError(f"{key} {getattr(self, key)}: one number or three expected")
        if min(self.std) <= 0 or self.side < 1:
            raise ValueError(f"std {self.std} must be above 0 and side {self.side} at least 1")

    def facts(self) -> dict[str, Any]:
        """Plain values for the identity."""
        stated = {"side": self.side, "order": self.order, "resize": RESIZE}
        return {**stated, "mean": [float(v) for v in self.mean], "std": [float(v) for v in self.std]}

    def __call__(self, pixels: Tensor) -> Tensor:
        """(n, 3, H, W) RGB in [0, 1] → (n, 3, side, side) as the network reads it."""
        import torch

        if tuple(pixels.shape[2:]) != (self.side, self.side):
            size = (self.side, self.side)
            pixels = torch.nn.functional.interpolate(
                pixels, size=size, mode="bilinear", align_corners=False, antialias=True
            )
        if self.order == "bgr":
            pixels = pixels.flip(1)
        mean, std = (pixels.new_tensor(v).view(1, -1, 1, 1) for v in (self.mean, self.std))
        return (pixels * 255.0 - mean) / std


def embed(network: Network, crops: Tensor, read: Input, *, flip: bool) -> Tensor:
    """Aligned crops (n, 3, H, W) in [0, 1] → (n, D) of unit rows. Raises ValueError for a vector without direction."""
    import torch

    ready = read(crops)
    rows = network(ready)
    if flip:
        rows = rows + network(ready.flip(3))
    rows = rows.reshape(len(rows), -1).float()
    norm = rows.norm(dim=1, keepdim=True)
    wrong = ~torch.isfinite(norm) | (norm < SMALLEST_NORM)
    if bool(wrong.any()):
        raise ValueError(f"{int(wrong.sum())} of {len(rows)} vectors are zero or not finite: they have no direction")
    unit: Tensor = rows / norm
    return unit


def opened(align: Align, network: Network, read: Input, device: str, *, flip: bool = False, batch: int = 1) -> Opened:
    """The function of `Recogniser.open`. batch: pictures a pass; every pass is filled up to it."""
    import torch

    from harness.models.determinism import full_precision

    def see(images: NDArray[np.uint8]) -> Seen:
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise TypeError(f"pictures must be uint8 (N, H, W, 3), found {images.dtype} {images.shape}")
        found = np.zeros(len(images), dtype=np.bool_)
        rows: dict[int, NDArray[np.float32]] = {}
        with torch.inference_mode(), full_precision(device):
            for start in range(0, len(images), batch):
                part = torch.from_numpy(images[start : start + batch].copy()).to(device)
                crops, here = align(part.permute(0, 3, 1, 2).float() / 255.0)
                found[start : start + len(part)] = here
                if not len(crops):
                    continue
                # filled up, so that every pass has one shape and a row is the same in any of them
                full = torch.cat([crops, crops[:1].expand(batch - len(crops), -1, -1, -1)])
                made = embed(network, full, read, flip=flip)[: len(crops)].cpu().numpy()
                rows.update(zip((start + np.flatnonzero(here)).tolist(), made, strict=True))
        width = len(next(iter(rows.values()))) if rows else dimension()
        vectors = np.zeros((len(images), width), dtype=np.float32)
        for i, row in rows.items():
            vectors[i] = row
        return Seen(vectors, found)

    def dimension() -> int:
        with torch.inference_mode():
            blank = torch.zeros(batch, 3, read.side, read.side, device=device)
            return network(read(blank)).flatten(1).shape[1]

    return see


def differentiable(align: Align, network: Network, read: Input, device: str, *, flip: bool = False) -> Differentiable:
    """The function of `Recogniser.gradient`."""
    import torch

    from harness.models.determinism import full_precision

    def vectors(pixels: Tensor) -> Tensor:
        with full_precision(device):
            crops, found = align(pixels)
            if not len(crops):
                raise ValueError(
                    f"no face was found in any of {len(pixels)} pictures: there is nothing to differentiate"
                )
            made = embed(network, crops, read, flip=flip)
        if found.all():
            return made
        at = torch.from_numpy(np.flatnonzero(found)).to(made.device)
        return made.new_zeros(len(pixels), made.shape[1]).index_copy(0, at, made)

    return vectors


def whole(pixels: Tensor) -> tuple[Tensor, NDArray[np.bool_]]:
    """The policies "frame" and "none": the picture is the crop, and counts as found."""
    return pixels, np.ones(len(pixels), dtype=np.bool_)
