"""dlib's face ResNet (128 numbers), from the files of the package face_recognition_models: a real black box.

HOG detector, 5-point predictor, chip of 150 px with a quarter of padding, one pass (no jitter). Its own convention is
Euclidean distance below .6 on vectors that are not normalised; here vectors are brought to unit length as everybody's
are, and thresholds are calibrated. It has no gradients: it can be a target, not a surrogate.
Licence: model CC0 (its author); trained on FaceScrub, VGG and scraped photographs, about 3 million of 7 485 people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from harness.models.faces.detection import (
    SMALLEST_PX,
    UPSAMPLE,
    file_hash,
    installed,
    model_file,
    model_file_missing,
)
from harness.models.faces.embedding import SMALLEST_NORM
from harness.models.faces.onnx_network import packages
from harness.models.faces.recogniser import Lineage, Opened, Recogniser, Seen
from harness.models.model import Missing, MissingWeights
from harness.options import option

NETWORK = "dlib_face_recognition_resnet_model_v1.dat"
FIVE_POINTS = "shape_predictor_5_face_landmarks.dat"
CHIP_PX, PADDING, DIMENSION = 150, 0.25, 128


@dataclass(frozen=True, kw_only=True)
class DlibResnet(Recogniser):
    """align: dlib150 detects and cuts dlib's chip; frame takes the picture as the chip, resized."""

    name: str = "dlib-resnet"
    align: Literal["dlib150", "frame"] = option("dlib150", help="dlib150: detect and cut; frame: the picture is cut")
    lineage: Lineage = option(
        Lineage("dlib-resnet-v1", "dlib-3m", "dlib-resnet"), in_id=False, help="weights, training, architecture"
    )
    released: str = option("2017-02-12", in_id=False, help="ISO date")
    licence: str = option(
        "CC0-1.0; its landmarks were trained on iBUG 300-W, which excludes commercial use",
        in_id=False,
        help="of the weights",
    )

    kind: ClassVar[str] = "dlib-resnet"
    differentiable: ClassVar[bool] = False  # type: ignore[misc]

    def facts(self) -> Mapping[str, Any]:
        own = {"weights": file_hash(NETWORK), "dlib": installed("dlib"), "dimension": DIMENSION, "policy": self.align}
        crop = {"chip": CHIP_PX, "padding": PADDING, "order": "rgb", "flip": False, "jitter": 0}
        if self.align == "frame":
            return {**own, **crop, "detector": "none", "resize": "dlib"}
        return {**own, **crop, "detector": "dlib-hog", "up": UPSAMPLE, "landmarks": file_hash(FIVE_POINTS)}

    def missing(self) -> tuple[Missing, ...]:
        files = (NETWORK,) if self.align == "frame" else (NETWORK, FIVE_POINTS)
        return (*packages("dlib"), *(m for f in files for m in model_file_missing(f)))

    def open(self, device: str) -> Opened:  # noqa: ARG002 - dlib-bin runs on the CPU
        if missing := self.missing():
            raise MissingWeights(missing)
        network, cut = _network(), (_resized if self.align == "frame" else _chip)

        def see(images: NDArray[np.uint8]) -> Seen:
            if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
                raise TypeError(f"pictures must be uint8 (N, H, W, 3), found {images.dtype} {images.shape}")
            vectors = np.zeros((len(images), DIMENSION), dtype=np.float32)
            found = np.zeros(len(images), dtype=np.bool_)
            for i, image in enumerate(images):
                if (chip := cut(np.ascontiguousarray(image))) is None:
                    continue
                row = np.asarray(network.compute_face_descriptor(chip), dtype=np.float64)
                norm = float(np.linalg.norm(row))
                if not norm >= SMALLEST_NORM:
                    raise ValueError(f"picture {i} has a vector without direction (norm {norm:g})")
                vectors[i], found[i] = row / norm, True
            return Seen(vectors, found)

        return see


@lru_cache(maxsize=1)
def _network() -> Any:
    return import_module("dlib").face_recognition_model_v1(str(model_file(NETWORK)))


@lru_cache(maxsize=1)
def _parts() -> tuple[Any, Any]:
    dlib = import_module("dlib")
    return dlib.get_frontal_face_detector(), dlib.shape_predictor(str(model_file(FIVE_POINTS)))


def _chip(image: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """dlib's chip of the largest face, None without one."""
    if min(image.shape[:2]) < SMALLEST_PX:
        return None
    frontal, shape = _parts()
    boxes, _, _ = frontal.run(image, UPSAMPLE, 0.0)
    if not boxes:
        return None
    box = min(boxes, key=lambda b: (-b.area(), b.top(), b.left()))  # the largest, as of face_geometry.largest
    cut: NDArray[np.uint8] = import_module("dlib").get_face_chip(image, shape(image, box), CHIP_PX, PADDING)
    return cut


def _resized(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if image.shape[:2] == (CHIP_PX, CHIP_PX):
        return image
    made: NDArray[np.uint8] = import_module("dlib").resize_image(image, CHIP_PX, CHIP_PX)
    return made
