"""Detectors of faces with five points: dlib's, and those of insightface packs. Names are part of identities.

dlib            frontal HOG detector (faces from 80 px, or 40 with one upsampling) and the 68-point predictor of the
                package face_recognition_models, of which eyes, nose tip and mouth corners are taken
insightface:X   the detector of pack X (a folder in the weights folder, in insightface's own, or a path)
auto            insightface:buffalo_l where that pack is here and its licence accepted, else dlib

Of several faces the largest counts. A picture with a side below 16 px has no face, whatever a detector might say.
face_recognition_models no longer imports (it asks for pkg_resources), so its files are found by path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.face_geometry import Detector, Face
from harness.metrics.embeddings import weights_folder
from harness.models.extractors.places import ABSENT
from harness.models.faces.onnx_network import packages
from harness.models.model import Missing, MissingWeights
from harness.models.weights import sha256

SMALLEST_PX = 16
UPSAMPLE = 1  # times dlib doubles a picture before it looks
LANDMARKS = "shape_predictor_68_face_landmarks.dat"
DLIB, INSIGHTFACE, AUTO = "dlib", "insightface:", "auto"
DEFAULT_PACK = "buffalo_l"
INSTEAD = "the shipped recognisers (avatars-resnet-a, …) with align: frame"


def resolved(name: str) -> str:
    """`auto` made plain."""
    if name != AUTO:
        return name
    from harness.models.faces.insightface_pack import Pack

    pack = Pack(DEFAULT_PACK)
    return INSIGHTFACE + DEFAULT_PACK if not pack.missing() and not packages("insightface") else DLIB


def detector_facts(name: str) -> Mapping[str, Any]:
    """Everything that decides what a detector finds, as plain values. Raises ValueError for an unknown name."""
    plain = resolved(name)
    if plain == DLIB:
        return {"detector": DLIB, "version": installed("dlib"), "landmarks": file_hash(LANDMARKS), "up": UPSAMPLE}
    from harness.models.faces.insightface_pack import DETECT_AT, Pack

    pack = Pack(_pack_name(plain))
    at = list(DETECT_AT)
    return {"detector": "insightface", "version": installed("insightface"), "files": pack.hashes(), "at_px": at}


def detector_missing(name: str) -> tuple[Missing, ...]:
    """What is missing; empty when `detector` can work."""
    plain = resolved(name)
    if plain == DLIB:
        return (*packages("dlib"), *model_file_missing(LANDMARKS))
    from harness.models.faces.insightface_pack import Pack

    return (*packages("insightface", "onnxruntime"), *Pack(_pack_name(plain)).missing())


def detector(name: str) -> Detector:
    """The opened detector. Raises MissingWeights, ValueError for an unknown name."""
    if missing := detector_missing(name):
        raise MissingWeights(missing)
    plain = resolved(name)
    if plain == DLIB:
        return dlib_detector
    from harness.models.faces.insightface_pack import Pack

    return Pack(_pack_name(plain)).detector()


def dlib_detector(image: NDArray[np.uint8]) -> Sequence[Face]:
    """Faces of a picture (H, W, 3) uint8 RGB by dlib."""
    if min(image.shape[:2]) < SMALLEST_PX:
        return ()
    frontal, shape = _dlib_parts()
    image = np.ascontiguousarray(image)
    boxes, scores, _ = frontal.run(image, UPSAMPLE, 0.0)
    faces = []
    for box, score in zip(boxes, scores, strict=True):
        found = shape(image, box)
        points = np.array([(found.part(i).x, found.part(i).y) for i in range(found.num_parts)], dtype=np.float64)
        five = np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])
        around = tuple(float(v) for v in (box.left(), box.top(), box.right() + 1, box.bottom() + 1))
        faces.append(Face((around[0], around[1], around[2], around[3]), five, float(score)))
    return faces


@lru_cache(maxsize=1)
def _dlib_parts() -> tuple[Any, Any]:
    dlib = import_module("dlib")
    path = model_file(LANDMARKS)
    if path is None:
        raise MissingWeights(model_file_missing(LANDMARKS))
    return dlib.get_frontal_face_detector(), dlib.shape_predictor(str(path))


def _pack_name(name: str) -> str:
    if not name.startswith(INSIGHTFACE):
        raise ValueError(f"unknown detector {name!r}; one of {AUTO}, {DLIB}, {INSIGHTFACE}PACK")
    return name.removeprefix(INSIGHTFACE)


def installed(package: str) -> str:
    """Version of a Python package, "absent" without it; dlib comes as dlib-bin too."""
    for name in (package, f"{package}-bin"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return ABSENT


def model_file(name: str) -> Path | None:
    """A file of dlib's models: in the weights folder, else in the package face_recognition_models."""
    spec = find_spec("face_recognition_models")
    inside = [] if spec is None or spec.origin is None else [Path(spec.origin).parent / "models"]
    return next((p / name for p in (weights_folder(), *inside) if (p / name).is_file()), None)


def model_file_missing(name: str) -> tuple[Missing, ...]:
    """Missing, when `model_file` finds none."""
    if model_file(name) is not None:
        return ()
    looked = (str(weights_folder()), "package face_recognition_models")
    return (Missing(name, looked, "pip install --no-deps face_recognition_models==0.3.0", INSTEAD),)


def file_hash(name: str) -> str:
    """sha256 of a file of dlib's models, "absent" without it."""
    path = model_file(name)
    return ABSENT if path is None else sha256(path)
