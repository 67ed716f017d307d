"""Casts and views for tests of face metrics: people as random directions, photos as noisy copies."""

from __future__ import annotations

import numpy as np

from harness.keys import generator
from harness.metrics.faces.view import Cast, FaceView
from harness.metrics.metric import Evidence, Items


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1, float32."""
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def random_rows(n: int, dimension: int, *key: str | int) -> np.ndarray:
    return unit(generator(0, "world", "toy faces", *key).normal(size=(n, dimension)))


def a_cast(people: int = 40, probes: int = 2, gallery: int = 2, **more: object) -> Cast:
    """`people` with so many probe and gallery photos each, in that order."""
    each = probes + gallery
    person = np.repeat([f"p{i:04d}" for i in range(people)], each)
    role = np.tile(["probe"] * probes + ["gallery"] * gallery, people)
    return Cast(person, role, np.full(people * each, ""), **more)  # type: ignore[arg-type]


def photos_of(cast: Cast, noise: float, dimension: int = 64, *key: str) -> np.ndarray:
    """(N, D) one row a photo: the person's direction and noise of relative length `noise`."""
    names, number = np.unique(cast.person, return_inverse=True)
    own = random_rows(len(names), dimension, "people", *key)
    return unit(own[number] + noise * random_rows(len(cast), dimension, "noise", *key))


def a_view(
    cast: Cast,
    protected: np.ndarray,
    clean: np.ndarray,
    *,
    name: str = "toy",
    found: np.ndarray | None = None,
    strangers: int = 300,
    distractors: int = 0,
    targets: dict[str, np.ndarray] | None = None,
    lineage: tuple[str, str, str] = ("w", "d", "a"),
    released: str = "2020-01-01",
) -> FaceView:
    dimension = clean.shape[1]
    seen = np.ones(len(cast), dtype=bool) if found is None else found
    shown = targets or {}
    return FaceView(
        name=name,
        identity=name,
        lineage=lineage,
        released=released,
        protected=protected * seen[:, None],
        protected_found=seen,
        clean=clean,
        clean_found=np.ones(len(cast), dtype=bool),
        calibration=random_rows(strangers, dimension, "strangers", name),
        calibration_person=np.array([f"s{i:04d}" for i in range(strangers)]),
        distractors=random_rows(distractors, dimension, "distractors", name),
        targets=np.array(list(shown.values()), dtype=np.float32).reshape(len(shown), dimension),
        target_person=np.array(list(shown), dtype=np.str_),
    )


def items_of(cast: Cast) -> Items:
    names, number = np.unique(cast.person, return_inverse=True)
    seen: dict[int, int] = {}
    sample = [seen.setdefault(int(p), 0) or 0 for p in number]
    for i, p in enumerate(number.tolist()):
        sample[i] = seen[p]
        seen[p] += 1
    return Items(number.astype(np.int64), np.array(sample), np.arange(len(cast)), tuple(names.tolist()))


def evidence_of(cast: Cast, *views: FaceView, transform: str = "") -> Evidence:
    return Evidence(items=items_of(cast), cast=cast, faces={(v.name, transform): v for v in views})
