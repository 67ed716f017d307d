"""Alignment policies: what is done to a picture before a network reads it. Part of every identity.

frame        nothing: the picture is the aligned frame (the avatars world, folders of aligned crops)
none         nothing either, but the picture is known not to be aligned ("resize whole image")
arcface112   a detector's five points brought to ArcFace's template by a similarity, bilinear, black outside; sampled as
             insightface does, without antialiasing, so a network made for such crops gets what it was made for

The face is sought in the picture as an 8-bit file would hold it; gradients pass the sampling, not the search.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.data.face_geometry import Detector, Points, inverse, largest, similarity, template
from harness.models.faces import detection
from harness.models.faces.embedding import Align, whole
from harness.models.model import Missing

if TYPE_CHECKING:
    from torch import Tensor

Policy = Literal["frame", "arcface112", "none"]


def policy_facts(policy: Policy, detector: str, margin: float) -> dict[str, Any]:
    """Plain values for the identity."""
    if policy != "arcface112":
        return {"policy": policy, "detector": "none"}
    points = {"template": "arcface", "margin": margin, "sampling": "torch-bilinear-f32", "chosen": "largest"}
    return {"policy": policy, **points, "search": dict(detection.detector_facts(detector))}


def policy_missing(policy: Policy, detector: str) -> tuple[Missing, ...]:
    """What the policy needs and is not here."""
    return detection.detector_missing(detector) if policy == "arcface112" else ()


def policy_open(policy: Policy, detector: str, side: int, margin: float) -> Align:
    """The policy as a function of pictures. Raises MissingWeights."""
    return aligner(detection.detector(detector), side, margin) if policy == "arcface112" else whole


def aligner(detect: Detector, side: int, margin: float = 0.0) -> Align:
    """Pictures (n, 3, H, W) in [0, 1] → crops (m, 3, side, side) of those with a face, and which had one (n,)."""

    def align(pixels: Tensor) -> tuple[Tensor, NDArray[np.bool_]]:
        import torch

        levels = (pixels.detach().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        faces = [largest(detect(np.ascontiguousarray(one))) for one in levels]
        found = np.array([face is not None for face in faces], dtype=np.bool_)
        crops = [
            warp(pixels[i : i + 1], similarity(face.points, template(side, margin)), side)
            for i, face in enumerate(faces)
            if face is not None
        ]
        return torch.cat(crops) if crops else pixels.new_zeros(0, 3, side, side), found

    return align


def warp(pixels: Tensor, matrix: Points, side: int) -> Tensor:
    """(1, C, H, W) → (1, C, side, side), matrix (2, 3) from source to crop pixels; bilinear, zeros outside."""
    import torch

    height, width = pixels.shape[2:]
    back = torch.from_numpy(inverse(matrix)).to(device=pixels.device)
    at = torch.arange(side, dtype=torch.float64, device=pixels.device)
    y, x = torch.meshgrid(at, at, indexing="ij")
    source = torch.stack([x, y, torch.ones_like(x)], dim=-1) @ back.T
    scale = torch.tensor([2.0 / max(width - 1, 1), 2.0 / max(height - 1, 1)], dtype=torch.float64).to(source)
    grid = (source * scale - 1.0).to(pixels.dtype)[None]
    return torch.nn.functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
