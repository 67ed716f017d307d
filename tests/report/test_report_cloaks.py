"""People before and after: whose pictures are shown, which pixels, and how far a difference is amplified."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from made_cloaks import PEOPLE, ROWS, SIZE, make_view
from PIL import Image

from harness.report import GridImages, render
from harness.report.cloaks import amplification, amplified, cloaks
from harness.report.grids import BUDGET
from harness.report.summary import summarise

FEW = tuple(r for r in ROWS if r.label in ("identity", "pgd eps=8", "lowkey", "noise eps=4", "another_photo"))


@pytest.fixture(scope="module")
def view():
    return make_view(FEW)


@pytest.fixture(scope="module")
def found(view):
    return cloaks(view, summarise(view))


def pixels(sprite):
    image = Image.open(io.BytesIO(base64.b64decode(sprite.uri.split(",")[1]))).convert("RGB")
    sheet = np.asarray(image)
    side = sheet.shape[0]
    return [sheet[:, i * side : (i + 1) * side] for i in range(sheet.shape[1] // side)]


def test_pictures_are_the_stored_ones_and_differences_are_signed_and_amplified(view, found):
    people = [int(p.removeprefix("person ")) for p in found.people]
    clean = view.images("identity/0")
    photo = {p: int(np.flatnonzero((clean.prompt == p) & (clean.sample == 0))[0]) for p in people}
    assert all(
        np.array_equal(a, clean.images[photo[p]]) for a, p in zip(pixels(found.original.pictures), people, strict=True)
    )
    for line in found.rows:
        own = view.images(f"{line.row.label}/0").images
        shown = zip(people, pixels(line.pictures), pixels(line.differences), strict=True)
        for p, picture, difference in shown:
            assert np.array_equal(picture, own[photo[p]])
            moved = own[photo[p]].astype(int) - clean.images[photo[p]].astype(int)
            assert np.array_equal(difference, np.clip(128 + found.factor * moved, 0, 255))


def test_an_unchanged_picture_has_a_gray_difference_and_the_sign_is_kept():
    before = np.full((1, 2, 2, 3), 100, dtype=np.uint8)
    assert (amplified(before, before, 8) == 128).all()
    assert (amplified(before, before + np.uint8(3), 8) == 152).all()
    assert (amplified(before, before - np.uint8(3), 8) == 104).all()
    assert (amplified(before, before + np.uint8(90), 8) == 255).all()  # cut off, not wrapped around
    assert (amplified(before, before - np.uint8(90), 8) == 0).all()


def test_one_factor_is_chosen_for_the_page_by_the_middle_row():
    def steps(*sizes):
        return [np.full(100, s, dtype=np.int16) for s in sizes]

    assert amplification(steps(4, 4, 4)) == 16
    assert amplification(steps(4, 8, 200)) == 8
    assert amplification(steps(15)) == 8
    assert amplification(steps(16)) == 4
    assert amplification(steps(120)) == 1
    assert amplification(steps(0, 0)) == 8
    assert amplification([]) == 8


def test_the_page_says_the_factor_and_how_many_people(view, found):
    page = render(view)
    assert f"×{found.factor} around middle gray" in page
    assert f"{len(found.people)} of {PEOPLE} people" in page
    section = page.split('<section id="cloaks">')[1].split("</section>")[0]
    assert re.findall(r'data-row="([^"]+)"', section)[0] == "original"
    for sprite in found.sprites:
        assert page.count(f'url("{sprite.uri}")') == 1
        assert f'class="t {sprite.name}"' in section


@pytest.mark.parametrize("faces", [{}, {"consent": "", "world": ""}, {"consent": " ", "world": "  "}])
def test_no_picture_is_shown_of_people_without_stated_consent(view, faces):
    asked = []

    def images(address):
        asked.append(address)
        return view.images(address)

    silent = replace(view, faces=faces, images=images)
    page = render(silent)
    assert "data:image" not in page
    assert "Nothing is stated about the consent" in page
    assert not asked
    assert "data:image" not in render(silent, "md")


@pytest.mark.parametrize("faces", [{"consent": "signed, 2026", "world": ""}, {"consent": "", "world": "avatars"}])
def test_drawn_people_and_people_who_consent_are_shown(view, faces):
    assert render(replace(view, faces=faces)).count("data:image") == len(FEW) * 2 - 1


def test_without_an_identity_row_there_is_no_original(view):
    none = make_view(FEW[1:])
    found = cloaks(none, summarise(none))
    assert not found.sprites
    assert "identity" in found.refused
    assert "data:image" not in render(none)


def test_an_identity_row_under_another_label_is_known_by_its_method(view):
    methods = [{"label": r.label, "preset": "identity" if r.label == "noise eps=4" else "other"} for r in FEW]
    other = replace(view, suite={**view.suite, "methods": methods})
    assert cloaks(other, summarise(other)).original.row.label == "noise eps=4"


def test_a_row_without_pictures_says_why(view):
    failed = view.cells.copy()
    failed.loc[failed["cell"] == "lowkey/0", ["status", "reason"]] = ("oom", "out of memory")
    gone = replace(view, cells=failed)
    line = next(r for r in cloaks(gone, summarise(gone)).rows if r.row.label == "lowkey")
    assert line.pictures is None
    assert line.missing == "oom: out of memory"
    assert "oom: out of memory" in render(gone)


def test_people_of_whom_a_row_has_no_photo_leave_a_gap_in_their_own_column(view):
    def images(address):
        grid = view.images(address)
        if not address.startswith("lowkey"):
            return grid
        kept = grid.prompt >= PEOPLE // 2
        return replace(grid, images=grid.images[kept], prompt=grid.prompt[kept], sample=grid.sample[kept])

    part = replace(view, images=images)
    found = cloaks(part, summarise(part))
    line = next(r for r in found.rows if r.row.label == "lowkey")
    late = [i for i, p in enumerate(found.people) if int(p.removeprefix("person ")) >= PEOPLE // 2]
    assert list(line.pictures.samples) == late
    own, whole = view.images("lowkey/0"), pixels(line.pictures)
    for at, shown in zip(late, whole, strict=True):
        person = int(found.people[at].removeprefix("person "))
        assert np.array_equal(shown, own.images[(own.prompt == person) & (own.sample == 0)][0])


def test_the_sprites_keep_to_the_budget_of_a_page(view):
    rng = np.random.default_rng(3)
    person, photo = np.divmod(np.arange(2 * PEOPLE), 2)

    def images(address):
        noise = rng.integers(0, 255, (2 * PEOPLE, 128, 128, 3), dtype=np.uint8)  # no file format makes it small
        return GridImages(noise, person, photo, tuple(f"person {i:04d}" for i in range(PEOPLE)))

    heavy = replace(view, images=images)
    found = cloaks(heavy, summarise(heavy))
    assert sum(len(s.uri) for s in found.sprites) <= BUDGET
    assert 1 <= len(found.people) < 8
    assert not found.reduced


def test_large_pictures_are_scaled_down_and_the_page_says_so(view):
    def images(address):
        grid = view.images(address)
        return replace(grid, images=np.repeat(np.repeat(grid.images, 4, axis=1), 4, axis=2))

    large = replace(view, images=images)
    assert cloaks(large, summarise(large)).reduced
    assert f"{4 * SIZE}×{4 * SIZE} px" in render(large)
