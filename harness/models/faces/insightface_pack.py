"""Packs of insightface (FaceAnalysis): detector, five points, recognition network, from a folder on this machine.

    recogniser: insightface-pack
    pack: buffalo_l
    accept_licence: true

The code of insightface is MIT; the weights of its packs are for non-commercial research only. A pack of theirs is not
opened before the user accepts that, here or by HARNESS_ACCEPT_LICENCE=buffalo_l (several joined by commas). Nothing is
downloaded. insightface says which file is the recogniser and what its mean and std are; the crop and the network's run
are ours, so that what is seen and what is differentiated are one computation (parity with theirs: a test).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.data.face_geometry import Detector, Face
from harness.metrics.embeddings import weights_folder
from harness.models.extractors.places import ABSENT
from harness.models.faces import embedding
from harness.models.faces.alignment import aligner
from harness.models.faces.detection import INSTEAD, SMALLEST_PX, installed
from harness.models.faces.embedding import Input
from harness.models.faces.onnx_network import converted, packages, runtime
from harness.models.faces.recogniser import Differentiable, Lineage, Opened, Recogniser
from harness.models.model import Missing, MissingWeights
from harness.models.weights import sha256
from harness.options import option

CONSENT = "HARNESS_ACCEPT_LICENCE"
LICENCE = "insightface weights: non-commercial research only"
RESTRICTED = ("antelopev2", "buffalo_l", "buffalo_m", "buffalo_s", "buffalo_sc", "raccoon_l", "raccoon_s")
DETECT_AT = (128, 640)  # px of the squares that insightface looks at by default


def accepted(name: str) -> bool:
    """Whether the environment says that the licence of a pack is accepted."""
    return name in [part.strip() for part in os.environ.get(CONSENT, "").split(",")]


@dataclass(frozen=True)
class Pack:
    """A pack by name or folder."""

    name: str
    consent: bool = False

    def places(self) -> tuple[Path, ...]:
        """Where it is looked for."""
        given = Path(self.name).expanduser()
        if given.is_absolute():
            return (given,)
        return (weights_folder() / self.name, Path.home() / ".insightface" / "models" / self.name)

    def folder(self) -> Path | None:
        """The folder that holds it."""
        return next((p for p in self.places() if any(p.glob("*.onnx"))), None)

    @property
    def is_restricted(self) -> bool:
        return Path(self.name).name in RESTRICTED

    def missing(self) -> tuple[Missing, ...]:
        name = Path(self.name).name
        out = []
        if self.folder() is None:
            fetch = f"python -c \"from insightface.utils import ensure_available as e; e('models', '{name}')\""
            looked = tuple(str(p) for p in self.places())
            if not self.is_restricted:
                fetch = f"put the pack's .onnx files into {looked[0]}"
            out.append(Missing(f"insightface pack {name}", looked, fetch, INSTEAD))
        if self.is_restricted and not (self.consent or accepted(name)):
            looked = ("option accept_licence", f"{CONSENT} in the environment")
            how = f"read the licence ({LICENCE}), then state accept_licence: true, or {CONSENT}={name}"
            out.append(Missing(f"your consent to the licence of {name}", looked, how, INSTEAD))
        return tuple(out)

    def hashes(self) -> dict[str, str]:
        """File → sha256 of the networks and the manifest, if any."""
        folder = self.folder()
        if folder is None:
            return {Path(self.name).name: ABSENT}
        return {p.name: sha256(p) for p in sorted([*folder.glob("*.onnx"), *folder.glob("manifest.json")])}

    def analysis(self, *tasks: str) -> Any:
        """insightface's FaceAnalysis with these tasks, on the CPU. Raises MissingWeights."""
        folder = self.folder()
        if (missing := self.missing()) or folder is None:
            raise MissingWeights(missing)
        return _analysis(str(folder), tasks, tuple(sorted(self.hashes().items())))

    def detector(self) -> Detector:
        """Its detector."""
        network = self.analysis("detection").det_model

        def detect(image: NDArray[np.uint8]) -> Sequence[Face]:
            if min(image.shape[:2]) < SMALLEST_PX or max(image.shape[:2]) >= DETECT_AT[0] * min(image.shape[:2]):
                return ()
            boxes, points = network.detect(np.ascontiguousarray(image[:, :, ::-1]))
            if points is None:
                raise ValueError(f"the detector of {self.name} gives no points: crops cannot be aligned")
            rows = zip(boxes.astype(np.float64), points.astype(np.float64), strict=True)
            return [Face((b[0], b[1], b[2], b[3]), five, float(b[4])) for b, five in rows]

        return detect


@lru_cache(maxsize=4)
def _analysis(folder: str, tasks: tuple[str, ...], _hashes: tuple[tuple[str, str], ...]) -> Any:
    made: Any = import_module("insightface.app").FaceAnalysis(
        folder, allowed_modules=list(tasks), providers=["CPUExecutionProvider"]
    )
    made.prepare(ctx_id=-1, det_size=[(s, s) for s in DETECT_AT])
    return made


@dataclass(frozen=True, kw_only=True)
class InsightfacePack(Recogniser):
    """The recognition network of a pack, behind the pack's own detector or on aligned frames."""

    name: str = ""
    pack: str = option(help="name of a pack, or its folder")
    accept_licence: bool = option(False, in_id=False, help="true: you accept the licence of the pack's weights")
    aligned: bool = option(False, help="true: pictures are aligned frames already; false: detect and align")
    lineage: Lineage = option(Lineage(), in_id=False, help="weights, training, architecture: the family")
    released: str = option("", in_id=False, help="ISO date")
    licence: str = option(LICENCE, in_id=False, help="of the weights")

    kind: ClassVar[str] = "insightface-pack"
    differentiable: ClassVar[bool] = True  # type: ignore[misc]

    def files(self) -> Pack:
        """The pack."""
        return Pack(self.pack, self.accept_licence)

    def facts(self) -> Mapping[str, Any]:
        own = {"weights": self.files().hashes(), "insightface": installed("insightface"), "resize": embedding.RESIZE}
        if self.aligned:
            return {**own, "policy": "frame", "detector": "none"}
        return {**own, "policy": "arcface112", "chosen": "largest", "at_px": list(DETECT_AT)}

    def missing(self) -> tuple[Missing, ...]:
        return (*packages("insightface", "onnxruntime"), *self.files().missing())

    def _parts(self) -> tuple[Path, Input, embedding.Align]:
        if missing := self.missing():
            raise MissingWeights(missing)
        found = self.files().analysis("detection", "recognition").models.get("recognition")
        if found is None:
            raise ValueError(f"pack {self.pack} has no recognition network")
        read = Input(int(found.input_size[0]), "rgb", (float(found.input_mean),), (float(found.input_std),))
        align = embedding.whole if self.aligned else aligner(self.files().detector(), read.side)
        return Path(found.model_file), read, align

    def open(self, device: str) -> Opened:
        path, read, align = self._parts()
        return embedding.opened(align, runtime(path, device), read, device)

    def gradient(self, device: str) -> Differentiable:
        path, read, align = self._parts()
        if gone := packages("onnx", "onnx2torch"):
            raise MissingWeights(gone)
        return embedding.differentiable(align, converted(path, device, read.side, self.name), read, device)


@dataclass(frozen=True, kw_only=True)
class BuffaloL(InsightfacePack):
    """insightface's buffalo_l: ResNet-50, ArcFace, WebFace600K; behind its SCRFD detector."""

    name: str = "buffalo-l"
    pack: str = "buffalo_l"
    accept_licence: bool = False
    aligned: bool = False
    lineage: Lineage = field(default=Lineage("insightface-w600k-r50", "webface600k", "resnet"))
    released: str = "2021-11-30"
    licence: str = LICENCE

    kind: ClassVar[str] = "buffalo-l"
