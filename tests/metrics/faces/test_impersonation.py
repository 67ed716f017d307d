from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from toy_faces import a_cast, a_view, evidence_of, photos_of, random_rows, unit

from harness.metrics.faces.calibration import calibration_of
from harness.metrics.faces.impersonation import Impersonation, ImpersonationClean, ImpersonationGain
from harness.metrics.faces.view import Cast, FaceView
from harness.metrics.metric import CannotMeasure


def towards(cast: Cast, targets: int) -> Cast:
    """Every person pretends to be one of so many targets, in turn."""
    _, number = np.unique(cast.person, return_inverse=True)
    return dataclasses.replace(cast, target=np.array([f"t{i % targets:02d}" for i in number]))


def other_photos(targets: int, noise: float, *key: str) -> dict[str, np.ndarray]:
    own = random_rows(targets, 64, "targets")
    moved = unit(own + noise * random_rows(targets, 64, "target photo", *key))
    return {f"t{i:02d}": moved[i] for i in range(targets)}


def a_case(noise: float = 0.5, targets: int = 25) -> tuple[Cast, FaceView]:
    cast = towards(a_cast(75, probes=2, gallery=1), targets)
    clean = photos_of(cast, 0.5)
    photo = other_photos(targets, noise, "optimised against")
    protected = np.stack([photo[t] for t in cast.target])
    return cast, a_view(cast, protected, clean, targets=other_photos(targets, noise, "evaluation"))


def test_t05_the_identity_gains_nothing() -> None:
    cast, view = a_case()
    still = dataclasses.replace(view, protected=view.clean)
    assert ImpersonationGain("toy").measure(evidence_of(cast, still)).value == 0.0


def test_t08_a_photo_of_the_target_succeeds_as_often_as_the_target() -> None:
    cast, view = a_case(noise=1.6)
    tau = calibration_of(view, 0.01, 0).value
    genuine = [
        float(np.dot(view.targets[j].astype(float), photo.astype(float)) > tau)
        for j, photo in enumerate(other_photos(25, 1.6, "optimised against").values())
    ]
    found = Impersonation("toy").measure(evidence_of(cast, view))
    assert found.value == pytest.approx(np.mean(genuine))
    assert 0.1 < found.value < 0.95
    gain = ImpersonationGain("toy").measure(evidence_of(cast, view)).value
    clean = ImpersonationClean("toy").measure(evidence_of(cast, view)).value
    assert gain == pytest.approx(found.value - clean)


def test_t13_a_stricter_rate_never_lets_more_pretend() -> None:
    cast, view = a_case(noise=1.6)
    found = [Impersonation("toy", far=far).measure(evidence_of(cast, view)).value for far in (0.001, 0.01, 0.1, 0.3)]
    assert found == sorted(found)
    assert len(set(found)) == 4


def test_t20_a_lost_face_never_moves_impersonation_upward() -> None:
    cast, view = a_case()
    everybody = Impersonation("toy").measure(evidence_of(cast, view)).value
    seen = np.ones(len(cast), dtype=bool)
    seen[np.flatnonzero(cast.role == "probe")[::10]] = False
    lost = dataclasses.replace(view, protected_found=seen, protected=view.protected * seen[:, None])
    found = Impersonation("toy").measure(evidence_of(cast, lost))
    assert found.value == pytest.approx(0.9 * everybody, abs=0.02)
    assert found.companions["fta"].value == 15
    blank = dataclasses.replace(view, targets=np.zeros_like(view.targets))
    assert Impersonation("toy").measure(evidence_of(cast, blank)).value == 0.0


def test_every_target_counts_once_however_many_aim_at_it() -> None:
    cast = a_cast(10, probes=1, gallery=1)
    cast = dataclasses.replace(cast, target=np.where(cast.person == "p0000", "t00", "t01"))
    clean = photos_of(cast, 0.5)
    photos = other_photos(2, 0.0)
    protected = np.where((cast.target == "t00")[:, None], photos["t00"], clean)
    found = Impersonation("toy").measure(evidence_of(cast, a_view(cast, protected, clean, targets=photos)))
    assert found.value == 0.5  # one of two targets, though only one person in ten reached it
    assert [found.companions[f"target_{n}"].value for n in ("min", "median", "max")] == [0.0, 0.5, 1.0]
    assert found.companions["few_targets"].value == 2


def test_twenty_targets_are_enough_and_the_interval_draws_them() -> None:
    cast, view = a_case(noise=1.6)
    found = Impersonation("toy").measure(evidence_of(cast, view))
    assert "few_targets" not in found.companions
    assert found.units is not None
    # 25 targets that succeed or fail as a whole: the spread is that of 25, not of 150 probes
    assert found.units.value.std() == pytest.approx(np.sqrt(found.value * (1 - found.value) / 25), rel=0.25)


def test_a_person_cannot_pretend_to_be_themselves() -> None:
    cast = a_cast(3)
    cast = dataclasses.replace(cast, target=cast.person.copy())
    clean = photos_of(cast, 0.5)
    view = a_view(cast, clean, clean, targets=dict.fromkeys(np.unique(cast.person), clean[0]))
    with pytest.raises(CannotMeasure, match="own impersonation target"):
        Impersonation("toy").measure(evidence_of(cast, view))
