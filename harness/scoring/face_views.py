"""What recognisers see of a cloaking cell: vectors of its photographs and of everybody else, each computed once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.face_set import FaceSet
from harness.engine.cell import digest_of
from harness.engine.store import Store
from harness.metrics.faces.transforms import Transform, transformed
from harness.metrics.faces.view import NONE, Cast, FaceView
from harness.metrics.metric import CannotMeasure, ScoreStatus
from harness.models import faces
from harness.models.faces.recogniser import Seen

Pixels = NDArray[np.uint8]
SEED = 0  # of the crops that a transform draws


def cast(found: FaceSet, surrogates: tuple[str, ...]) -> Cast:
    """Who the photographs show, and what the cell's method optimised."""
    lineages = {name: _lineage(faces.find(name)) for name in surrogates}
    return Cast(found.users.person, found.role, found.target, surrogates, lineages)


def face_view(
    store: Store, found: FaceSet, device: str, name: str, transform: Transform, images: Pixels, content: str
) -> FaceView:
    """Vectors by recogniser `name` of the cell's images (with that content hash) and of the whole face set.

    transform  applied to protected and clean photographs alike, "none" for none
    Raises CannotMeasure where the recogniser's weights are missing, or where images have another shape than the photos.
    """
    recogniser = faces.find(name)
    if absent := recogniser.missing():
        raise CannotMeasure(ScoreStatus.FAILED, str(absent[0]))
    if images.shape != found.users.pixels.shape:
        text = f"images {images.shape} for photographs {found.users.pixels.shape}"
        raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, text)
    identity = recogniser.identity()

    def see(what: str, pixels: Callable[[], Pixels], by: str = NONE) -> Seen:
        key = digest_of({"faces": what, "recogniser": identity, "transform": by})

        def compute() -> dict[str, NDArray[Any]]:
            seen = faces.opened(name, device)(pixels())
            return {"vectors": seen.vectors, "found": seen.found}

        stored = store.derived(key, compute, kind="faces")
        return Seen(stored["vectors"], stored["found"])

    def of(part: str) -> Seen:
        return see(f"{found.digest} {part}", lambda: getattr(found, part).pixels)

    keys = [(person, str(i)) for i, person in enumerate(found.users.person.tolist())]
    protected = see(content, lambda: transformed(images, transform, keys, SEED), transform)
    clean = see(f"{found.digest} users", lambda: transformed(found.users.pixels, transform, keys, SEED), transform)
    return FaceView(
        name=name,
        identity=identity,
        lineage=_lineage(recogniser),
        released=recogniser.released,
        protected=protected.vectors,
        protected_found=protected.found,
        clean=clean.vectors,
        clean_found=clean.found,
        calibration=of("calibration").vectors,
        calibration_person=found.calibration.person,
        distractors=of("distractors").vectors,
        targets=of("target_eval").vectors,
        target_person=found.target_eval.person,
    )


def _lineage(recogniser: Any) -> tuple[str, str, str]:
    of = recogniser.lineage
    return of.weights, of.training, of.architecture
