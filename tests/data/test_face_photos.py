"""Folders of people: every file ends in a row with its reason, whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from harness.data.face_geometry import ARCFACE, Face
from harness.data.face_photos import FacePhotos, perceptual_hash, read_folder, upright
from harness.data.files import MissingData
from harness.data.reader import BadImages
from harness.keys import generator


def picture(seed: int, height: int = 120, width: int = 120, *, red_at: tuple[int, int] | None = (60, 60)) -> np.ndarray:
    """(H, W, 3) uint8: smooth random colors, and a red disc as the "face"."""
    draw = generator(seed, "world", "face photos")
    coarse = draw.integers(0, 200, size=(6, 6, 3)).astype(np.uint8)
    image = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)).copy()
    image[..., 0] = np.minimum(image[..., 0], 150)
    if red_at is not None:
        y, x = np.mgrid[0:height, 0:width]
        image[(x - red_at[0]) ** 2 + (y - red_at[1]) ** 2 <= 20**2] = (255, 0, 0)
    return image


def red_discs(image: np.ndarray) -> list[Face]:
    """A detector of red: one face a connected red region."""
    from scipy import ndimage

    red = (image[..., 0] > 200) & (image[..., 1] < 90)
    marks, _ = ndimage.label(red)
    faces = []
    for rows, columns in ndimage.find_objects(marks):
        if rows.stop - rows.start < 8:
            continue
        box = (float(columns.start), float(rows.start), float(columns.stop), float(rows.stop))
        scale = (columns.stop - columns.start) / 112
        faces.append(Face(box, (ARCFACE * scale + np.array(box[:2])), 1.0))
    return faces


def save(path: Path, image: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One file of every kind of trouble."""
    root = tmp_path / "people"
    save(root / "Ann_Lee" / "Ann_Lee_0001.jpg", picture(1), quality=95)
    save(root / "Ann_Lee" / "Ann_Lee_0002.png", picture(2))
    save(root / "Bob" / "nobody.png", picture(3, red_at=None))
    two = picture(4, 140, 260)
    two[20:50, 200:230] = (255, 0, 0)
    save(root / "Bob" / "two.png", two)
    gray = np.full((64, 64), 90, np.uint8)
    save(root / "Cem" / "gray.png", gray)
    alpha = np.dstack([picture(5), np.full((120, 120), 255, np.uint8)])
    alpha[:10, :, 3] = 0
    save(root / "Cem" / "alpha.png", alpha)
    upside = Image.Exif()
    upside[0x0112] = 6
    save(root / "Cem" / "side.jpg", picture(6, 100, 160, red_at=(50, 40)), exif=upside, quality=98, subsampling=0)
    cut = save(root / "Dee" / "cut.jpg", picture(7))
    cut.write_bytes(cut.read_bytes()[:800])
    save(root / "Dee" / "dot.png", np.full((1, 1, 3), 9, np.uint8))
    save(root / "Dee" / "again.jpg", picture(1), quality=60)  # Ann's first, compressed again
    (root / "Dee" / "copy.png").write_bytes((root / "Ann_Lee" / "Ann_Lee_0002.png").read_bytes())
    (root / "Dee" / "notes.txt").write_text("taken in May")
    save(root / "lost.png", picture(8))
    (root / ".hidden").mkdir()
    save(root / ".hidden" / "x.png", picture(9))
    return root


def by_name(photos: FacePhotos) -> dict[str, tuple[str, str]]:
    return {r.image_id: (r.status, r.reason + "|" + "; ".join(r.notes)) for r in photos.rows}


def test_every_file_has_a_row_and_a_reason(folder: Path) -> None:
    photos = read_folder(folder, red_discs)
    rows = by_name(photos)
    assert set(rows) == {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} - {".hidden/x.png"}
    expected = {
        "Ann_Lee/Ann_Lee_0001.jpg": ("ok", ""),
        "Ann_Lee/Ann_Lee_0002.png": ("ok", ""),
        "Bob/nobody.png": ("no_face", "found no face"),
        "Bob/two.png": ("ok", "2 faces: the largest"),
        "Cem/gray.png": ("no_face", "gray: three equal channels"),
        "Cem/alpha.png": ("ok", "transparent pixels on white"),
        "Cem/side.jpg": ("ok", "turned by EXIF orientation 6"),
        "Dee/cut.jpg": ("unreadable", "damaged"),
        "Dee/dot.png": ("too_small", "1×1 px; at least 32"),
        "Dee/again.jpg": ("duplicate", "nearly the same picture as Ann_Lee/Ann_Lee_0001.jpg"),
        "Dee/copy.png": ("duplicate", "the same file as Ann_Lee/Ann_Lee_0002.png"),
        "Dee/notes.txt": ("unreadable", "not a PNG, JPEG or WebP image"),
        "lost.png": ("refused", "lies in no person's folder"),
    }
    for name, (status, reason) in expected.items():
        assert rows[name][0] == status, name
        assert reason in rows[name][1], (name, rows[name])
    assert sum(photos.counts().values()) == len(rows)
    assert photos.counts()["ok"] == 5
    assert len(photos.frames) == len(photos.usable) == 5
    assert {r.person for r in photos.usable} == {"Ann_Lee", "Bob", "Cem"}
    assert len(photos.table()) == len(rows)


def test_frames_hold_the_face_where_the_template_says(folder: Path) -> None:
    photos = read_folder(folder, red_discs, side=112, margin=0.25)
    for row, frame in zip(photos.usable, photos.frames, strict=True):
        inner = slice(30, -30)  # the box is the crop's 75 px in the middle: its disc fills it
        assert (frame[inner, inner, 0] > 180).mean() > 0.9, row.image_id
        assert (frame[:10, :, 0] > 200).mean() < 0.3, row.image_id


def test_a_sideways_photo_stands_upright_and_its_frame_goes_back(folder: Path) -> None:
    from harness.data.face_frames import paste_back

    photos = read_folder(folder, red_discs)
    (row,) = (r for r in photos.usable if r.image_id == "Cem/side.jpg")
    assert (row.height, row.width) == (160, 100)
    photo = photos.photo(row)
    frame = photos.frames[photos.usable.index(row)]
    green = frame.copy()
    green[..., 1] = np.maximum(green[..., 1], 200)
    made = paste_back(photo, frame, green, row.transform)
    assert made[50, 60].tolist() != photo[50, 60].tolist()  # (50, 40) of the stored picture, turned
    np.testing.assert_array_equal(made[100:], photo[100:])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_those_of_pillow(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "o.png", picture(1, 60, 90), exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    pixels, notes = upright(path.read_bytes(), "o.png")
    np.testing.assert_array_equal(pixels, expected)
    assert len(notes) == (orientation > 1)


def test_twenty_megapixels_are_searched_small_and_cut_from_the_full_photo(tmp_path: Path) -> None:
    large = np.full((4000, 5000, 3), 80, np.uint8)
    y, x = np.mgrid[0:600, 0:600]
    disc = (x - 300) ** 2 + (y - 300) ** 2 <= 290**2
    large[1500:2100, 2000:2600][disc] = (255, 0, 0)
    save(tmp_path / "p" / "large.jpg", large, quality=90)
    sizes = []

    def watched(image: np.ndarray) -> list[Face]:
        sizes.append(image.shape)
        return red_discs(image)

    photos = read_folder(tmp_path, watched)
    (row,) = photos.rows
    assert row.status == "ok"
    assert row.notes == ("searched at 1/4 of its size",)
    assert sizes == [(1000, 1250, 3)]
    scale = np.linalg.norm(row.transform[:, 0])
    assert 1 / scale == pytest.approx(580 / 112 * (112 * 1.5 / 160), rel=0.02)  # the disc in the template's crop
    assert (photos.frames[0][55:105, 55:105, 0] > 240).all()


def test_aligned_folders_need_no_detector(tmp_path: Path) -> None:
    small = picture(1, 64, 64)
    save(tmp_path / "a" / "1.png", small)
    save(tmp_path / "b" / "wide.png", picture(2, 64, 90))
    photos = read_folder(tmp_path, None, side=64)
    np.testing.assert_array_equal(photos.frames[0], small)
    assert photos.rows[1].notes == ("the middle square is the frame",)


def test_the_manifest_hash_is_of_files_people_and_rules(folder: Path) -> None:
    first = read_folder(folder, red_discs)
    assert read_folder(folder, red_discs).manifest_hash == first.manifest_hash
    assert read_folder(folder, red_discs, margin=0.3).manifest_hash != first.manifest_hash
    assert read_folder(folder, red_discs, near_bits=None).counts()["duplicate"] == 1  # equal files only
    (folder / "Bob" / "nobody.png").unlink()
    assert read_folder(folder, red_discs).manifest_hash != first.manifest_hash


def test_a_file_that_changed_since_is_not_taken_for_it(folder: Path) -> None:
    photos = read_folder(folder, red_discs)
    row = photos.usable[0]
    save(folder / row.image_id, picture(77))
    with pytest.raises(BadImages, match="read the folder again"):
        photos.photo(row)
    with pytest.raises(ValueError, match="has no frame"):
        _ = next(r for r in photos.rows if r.status == "no_face").transform


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match="no folder"):
        read_folder(tmp_path / "none", None)
    with pytest.raises(MissingData, match=r"person/photo\.jpg"):
        read_folder(tmp_path, None)


def test_near_copies_hash_alike_and_others_do_not() -> None:
    base = picture(1)
    bits = perceptual_hash(base)
    darker = (base * 0.9).astype(np.uint8)
    smaller = np.asarray(Image.fromarray(base).resize((90, 90), Image.Resampling.BICUBIC))
    assert (bits ^ perceptual_hash(darker)).bit_count() <= 4
    assert (bits ^ perceptual_hash(smaller)).bit_count() <= 4
    assert (bits ^ perceptual_hash(picture(2))).bit_count() > 8


def test_a_named_detector_searches_a_file_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    searched = []

    def watched(image: np.ndarray) -> list[Face]:
        searched.append(image.shape)
        return red_discs(image)

    first = read_folder(folder, watched, detector="red discs 1")
    once = len(searched)
    again = read_folder(folder, watched, detector="red discs 1", side=96)
    assert len(searched) == once > 5
    assert [(r.status, r.reason, r.notes, r.faces) for r in again.rows] == [
        (r.status, r.reason, r.notes, r.faces) for r in first.rows
    ]
    np.testing.assert_array_equal(read_folder(folder, watched, detector="red discs 1").frames, first.frames)
    save(folder / "Ann_Lee" / "Ann_Lee_0001.jpg", picture(31))  # the file changed: it is searched again
    read_folder(folder, watched, detector="red discs 1")
    assert len(searched) == once + 1
    read_folder(folder, watched, detector="red discs 2")
    assert len(searched) == 2 * once + 1
    (memo, _) = sorted((tmp_path / "cache" / "posthoc-harness" / "faces").iterdir())
    memo.write_text("{")
    assert len(read_folder(folder, watched, detector="red discs 1").rows) == len(again.rows)  # a broken memo is no harm


def test_a_real_detector_on_a_real_photograph(tmp_path: Path) -> None:
    """insightface's own sample picture, read where the package lies and never copied."""
    from importlib.util import find_spec

    from harness.data.face_frames import paste_back
    from harness.models.faces.detection import detector

    spec = find_spec("insightface")
    assert spec is not None
    assert spec.origin is not None
    (tmp_path / "six").mkdir()
    (tmp_path / "six" / "t1.jpg").symlink_to(Path(spec.origin).parent / "data/images/t1.jpg")
    photos = read_folder(tmp_path, detector("dlib"))
    (row,) = photos.rows
    assert row.status == "ok"
    assert row.notes == ("6 faces: the largest",)
    assert len(detector("dlib")(photos.frames[0])) == 1  # the frame holds one face, and it is found again
    photo = photos.photo(row)
    shaded = (photos.frames[0] * 0.8).astype(np.uint8)
    made = paste_back(photo, photos.frames[0], shaded, row.transform)
    share = (made != photo).any(axis=2).mean()
    assert 0.005 < share < 0.1  # one face of six, nothing else
