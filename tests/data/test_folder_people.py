"""A folder as a face set: the rules of a fair split hold, and a copy in two roles is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.data.face_photos import read_folder
from harness.data.face_split import Plan
from harness.data.folder_people import folder_people
from harness.metrics.faces.manifest import BrokenSplit

PLAN = Plan(far=None, users=4, targets=0, decoys=0)


def a_folder(where: Path, people: int, photos: int) -> Path:
    random = np.random.default_rng(0)
    for person in range(people):
        (where / f"p{person}").mkdir(parents=True)
        for photo in range(photos):
            pixels = random.integers(0, 256, (8, 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
            Image.fromarray(pixels).save(where / f"p{person}" / f"{photo}.png")
    return where


def test_users_stand_person_by_person_with_probes_first_and_their_files_named(tmp_path: Path) -> None:
    found, dealt = folder_people(read_folder(a_folder(tmp_path, 4, 3), None, side=64), PLAN)
    assert found.role.tolist() == ["probe", "gallery"] * 4
    assert found.users.person.tolist() == [f"p{i}" for i in range(4) for _ in range(2)]
    assert [Path(i).parts[0] for i in found.image_id] == found.users.person.tolist()
    assert dealt.people["probe"] == 4
    assert set(found.target.tolist()) == {""}
    assert found.other is None


def test_the_same_folder_gives_the_same_people_and_another_seed_others(tmp_path: Path) -> None:
    photos = read_folder(a_folder(tmp_path, 8, 3), None, side=64)
    one, again = (folder_people(photos, PLAN, 0)[0] for _ in range(2))
    assert one.digest == again.digest
    assert any(folder_people(photos, PLAN, seed)[0].digest != one.digest for seed in range(1, 4))


def test_nearly_the_same_picture_in_two_roles_is_refused(tmp_path: Path) -> None:  # R2
    folder = a_folder(tmp_path, 3, 2)
    for person in range(3):  # a probe and its gallery photo that differ in one level of one pixel
        pixels = np.asarray(Image.open(folder / f"p{person}" / "0.png")).copy()
        pixels[0, 0, 0] ^= 1
        Image.fromarray(pixels).save(folder / f"p{person}" / "1.png")
    with pytest.raises(BrokenSplit, match="R2"):
        folder_people(read_folder(folder, None, side=64, near_bits=None), PLAN)
