"""Frames: similarities in closed form, cuts that do not alias, and photographs that keep every other byte."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.face_frames import centred, cut, paste_back
from harness.data.face_geometry import ARCFACE, Face, inverse, largest, moved, similarity, template
from harness.keys import generator


def turned(angle: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, shift[0]], [s, c, shift[1]]])


def scene(height: int, width: int) -> np.ndarray:
    """Smooth colors with some texture."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 17 + k) + np.cos(y / 13 - k) for k in range(3)]
    noise = generator(0, "world", "scene").normal(0, 4, size=(height, width, 3))
    return np.clip(127 + 50 * np.stack(waves, -1) + noise, 0, 255).astype(np.uint8)


@given(st.floats(-3, 3), st.floats(0.2, 5), st.tuples(st.floats(-50, 50), st.floats(-50, 50)))
def test_a_similarity_is_recovered_exactly_and_its_inverse_leads_back(
    angle: float, scale: float, shift: tuple[float, float]
) -> None:
    truth = turned(angle, scale, shift)
    found = similarity(ARCFACE, moved(ARCFACE, truth))
    np.testing.assert_allclose(found, truth, atol=1e-8)
    np.testing.assert_allclose(moved(moved(ARCFACE, found), inverse(found)), ARCFACE, atol=1e-8)


def test_a_similarity_never_mirrors_and_is_the_nearest() -> None:
    mirrored = ARCFACE * np.array([-1.0, 1.0])
    found = similarity(ARCFACE, mirrored)
    assert np.linalg.det(found[:, :2]) > 0
    best = ((moved(ARCFACE, found) - mirrored) ** 2).sum()
    for k in range(4):
        bent = found.copy()
        bent[0, 2] += [1e-2, -1e-2, 0, 0][k]
        bent[:, :2] *= [1, 1, 1.001, 0.999][k]
        assert ((moved(ARCFACE, bent) - mirrored) ** 2).sum() > best
    with pytest.raises(ValueError, match="one place"):
        similarity(np.ones((5, 2)), ARCFACE)


def test_the_similarity_is_that_of_skimage() -> None:
    from skimage.transform import SimilarityTransform

    points = ARCFACE * 2.3 + generator(1, "world", "points").normal(0, 4, size=(5, 2)) + 30
    np.testing.assert_allclose(
        similarity(points, ARCFACE), SimilarityTransform.from_estimate(points, ARCFACE).params[:2]
    )


def test_a_template_with_a_margin_holds_the_crop_in_its_middle() -> None:
    np.testing.assert_allclose(template(168, 0.25), ARCFACE + 28)
    np.testing.assert_allclose(template(224), 2 * ARCFACE)


def test_the_largest_face_counts_and_ties_are_by_place() -> None:
    def face(left: float, top: float, side: float) -> Face:
        return Face((left, top, left + side, top + side), ARCFACE, 1.0)

    assert largest([]) is None
    assert largest([face(0, 0, 5), face(9, 9, 8), face(3, 3, 8)]) == face(3, 3, 8)


def test_a_cut_at_the_same_scale_is_the_photo_and_beyond_it_black() -> None:
    photo = scene(90, 120)
    at = np.array([[1.0, 0.0, -20.0], [0.0, 1.0, -10.0]])
    np.testing.assert_array_equal(cut(photo, at, 64), photo[10:74, 20:84])
    beyond = cut(photo, np.array([[1.0, 0.0, 8.0], [0.0, 1.0, 0.0]]), 64)
    assert not beyond[:, :8].any()
    np.testing.assert_array_equal(beyond[:, 8:], photo[:64, :56])


def test_an_aligned_picture_of_the_frames_size_is_its_frame() -> None:
    photo = scene(64, 64)
    np.testing.assert_array_equal(cut(photo, centred(64, 64, 64), 64), photo)
    wide = scene(64, 100)
    np.testing.assert_array_equal(cut(wide, centred(64, 100, 64), 64), wide[:, 18:82])


def test_cuts_of_large_photos_average_what_they_shrink() -> None:
    checks = np.zeros((800, 800, 3), np.uint8)
    checks[::2, ::2] = checks[1::2, 1::2] = 255  # finest checks: their mean is gray, sampling alone would give both
    frame = cut(checks, centred(800, 800, 100), 100)
    assert np.abs(frame.astype(int) - 127).max() <= 1
    ramp = np.tile(np.linspace(0, 255, 800)[None, :, None], (800, 1, 3)).astype(np.uint8)
    made = cut(ramp, centred(800, 800, 100), 100)[50, :, 0].astype(float)
    expected = ramp[0, :, 0].reshape(100, 8).mean(1)
    assert np.abs(made - expected)[2:-2].max() <= 1.0


@pytest.mark.parametrize("how", ["difference", "replace"])
def test_outside_the_frame_every_byte_stays(how: str) -> None:
    photo = scene(300, 400)
    matrix = inverse(turned(0.3, 1.4, (120.0, 60.0)))
    frame = cut(photo, matrix, 96)
    protected = np.clip(frame.astype(int) + 30, 0, 255).astype(np.uint8)
    made = paste_back(photo, frame, protected, matrix, how=how)  # type: ignore[arg-type]
    y, x = np.mgrid[0:300, 0:400]
    at = moved(np.stack([x.ravel(), y.ravel()], 1).astype(float), matrix)
    outside = ((at < -0.5) | (at > 95.5)).any(axis=1).reshape(300, 400)
    np.testing.assert_array_equal(made[outside], photo[outside])
    middle = ((at > 20) & (at < 75)).all(axis=1).reshape(300, 400)
    assert (made[middle].astype(int) - photo[middle]).mean() > 20
    ring = ((at > -0.5) & (at < 0.5)).any(axis=1).reshape(300, 400) & ~outside
    assert np.abs(made[ring].astype(int) - photo[ring]).max() <= 6  # no visible edge: it rises from nothing


def test_an_unchanged_frame_gives_the_same_photo() -> None:
    photo = scene(200, 200)
    matrix = inverse(turned(-0.2, 1.7, (20.0, 60.0)))
    frame = cut(photo, matrix, 80)
    np.testing.assert_array_equal(paste_back(photo, frame, frame, matrix), photo)


def test_what_is_put_back_is_cut_out_again() -> None:
    photo = scene(260, 260)
    matrix = inverse(turned(0.1, 2.0, (40.0, 20.0)))
    frame = cut(photo, matrix, 96)
    y, x = np.mgrid[0:96, 0:96]
    cloak = (12 * np.sin(x / 5) * np.cos(y / 6))[..., None]
    protected = np.clip(frame + cloak, 0, 255).astype(np.uint8)
    again = cut(paste_back(photo, frame, protected, matrix), matrix, 96)
    inner = (slice(12, -12), slice(12, -12))
    apart = np.abs(again[inner].astype(float) - protected[inner])
    assert apart.mean() < 1.0  # two bilinear samplings of a smooth cloak
    assert np.abs(frame[inner].astype(float) - protected[inner]).mean() > 4.0


def test_wrong_frames_and_feathers_are_refused() -> None:
    photo = scene(50, 50)
    frame = photo[:20, :20]
    with pytest.raises(ValueError, match="one square size"):
        paste_back(photo, frame, frame[:10], np.eye(3)[:2])
    with pytest.raises(ValueError, match="feather"):
        paste_back(photo, frame, frame, np.eye(3)[:2], feather=0.0)
