"""Images made elsewhere and the items they answer: three layouts, nothing guessed, nothing dropped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.outputs import BadOutputs, match, missing_text

TEXTS = ("a cat", "a dog", "two birds")
EACH = 2


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Six files of odd names; nothing here opens them."""
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    for name in ("a", "b", "c", "d", "sub/e", "sub/f"):
        (folder / f"{name}.png").write_bytes(b"")
    return folder


ROWS = [("a.png", 0), ("b.png", 0), ("c.png", 1), ("d.png", 1), ("sub/e.png", 2), ("./sub/f.png", 2)]


def _manifest(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "m.jsonl"
    path.write_text("\n".join(json.dumps(r) for r in rows))
    return path


def _records(**more: Any) -> list[dict[str, Any]]:
    return [{"file": f, "prompt": TEXTS[p], **more} for f, p in ROWS]


def _found(answers: Any) -> dict[tuple[int, int, int], str]:
    return {item: source.name for item, source in answers.items.items()}


def test_without_samples_the_order_of_the_lines_counts(images: Path, tmp_path: Path) -> None:
    answers = match(images, _manifest(tmp_path, _records()), TEXTS, EACH, (5,))
    assert _found(answers)[5, 0, 0] == "a.png"
    assert _found(answers)[5, 0, 1] == "b.png"
    assert _found(answers)[5, 2, 1] == "sub/f.png"
    assert answers.missing == ()


@given(st.permutations(range(6)))
def test_with_samples_the_order_of_the_lines_changes_nothing(order: list[int]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sub").mkdir()
        for file, _ in ROWS:
            (folder / file).write_bytes(b"")
        rows = [{**r, "sample": i % 2} for i, r in enumerate(_records())]
        plain = match(folder, _manifest(folder, rows), TEXTS, EACH, (0,))
        mixed = match(folder, _manifest(folder, [rows[i] for i in order]), TEXTS, EACH, (0,))
        assert _found(plain) == _found(mixed)


def test_csv_reads_quoted_prompts_with_commas_and_a_byte_order_mark(images: Path, tmp_path: Path) -> None:
    texts = ("a cat, asleep", *TEXTS[1:])
    path = tmp_path / "m.csv"
    lines = [f'{f},"{texts[p]}",{i % 2},0' for i, (f, p) in enumerate(ROWS)]
    path.write_text("\n".join(["file,prompt,sample,seed", *lines]), encoding="utf-8-sig")
    assert len(match(images, path, texts, EACH, (0, 1), (0,)).items) == 6


BAD: dict[str, tuple[Any, str]] = {
    "unknown prompt": (
        lambda r: r[3].update(prompt="a dgo"), "line 4: the suite has no prompt 'a dgo'; did you mean 'a dog'",
    ),
    "twice listed": (lambda r: r.append(dict(r[0])), "line 7: a.png is listed in line 1 already"),
    "not there": (lambda r: r[0].update(file="aa.png"), "line 1: no image aa.png"),
    "not listed": (lambda r: r.pop(), "sub/f.png: not listed in m.jsonl"),
    "no prompt": (lambda r: r[1].pop("prompt"), "line 2: `file` and `prompt` are needed; found file"),
    "no file": (lambda r: r[1].pop("file"), "line 2: `file` and `prompt` are needed"),
    "a sample too many": (lambda r: r[1].update(prompt="a dog"), "sample 2 of 'a dog'; the suite has 2 a prompt"),
    "sample twice": (lambda r: [x.update(sample=0) for x in r[:2]], "answer the same prompt, sample and seed"),
    "no number": (lambda r: r[0].update(sample=-1), "line 1: sample -1 is no whole number"),
    "true": (lambda r: r[0].update(seed=True), "line 1: seed True is no whole number"),
    "other seed": (lambda r: r[0].update(seed=9), "a.png: seed 9 is not one of the suite's (5)"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_every_fault_of_a_manifest_has_its_line(case: str, images: Path, tmp_path: Path) -> None:
    rows = _records()
    BAD[case][0](rows)
    with pytest.raises(BadOutputs) as caught:
        match(images, _manifest(tmp_path, rows), TEXTS, EACH, (5,))
    assert BAD[case][1] in str(caught.value)


def test_all_faults_are_said_at_once(images: Path, tmp_path: Path) -> None:
    rows = _records()
    rows[0]["prompt"], rows[2]["file"] = "a fish", "zz.png"
    with pytest.raises(BadOutputs) as caught:
        match(images, _manifest(tmp_path, rows), TEXTS, EACH, (5,))
    assert len(caught.value.problems) == 3  # the prompt, the file that is not there, the one that is not listed


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("m.jsonl", "{", "line 1: not JSON"),
        ("m.jsonl", "[1]", "line 1: an object is expected"),
        ("m.yaml", "x", "a .jsonl, .csv or .txt file"),
        ("m.csv", "\xff", "cannot be read"),
    ],
)
def test_what_is_no_manifest_is_said(name: str, text: str, message: str, images: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(BadOutputs, match=message):
        match(images, tmp_path / name, TEXTS, EACH, (0,))


def _named(folder: Path) -> Path:
    folder.mkdir()
    for p in range(3):
        for s in range(EACH):
            (folder / f"{p:04d}-{s:04d}.png").write_bytes(b"")
    return folder


def test_a_text_file_says_which_prompts_the_numbers_mean(tmp_path: Path) -> None:
    folder, path = _named(tmp_path / "x"), tmp_path / "p.txt"
    path.write_text("two birds\n\na cat\na dog\n")
    found = _found(match(folder, path, TEXTS, EACH, (0,)))
    assert found[0, 2, 1] == "0000-0001.png"
    assert found[0, 0, 0] == "0001-0000.png"
    path.write_text("a cat\na cat\na wolf\n")
    with pytest.raises(BadOutputs, match=r"no prompt 'a wolf'[\s\S]*'a cat' stands twice"):
        match(folder, path, TEXTS, EACH, (0,))


def test_an_npz_is_read_in_order_or_by_index(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", arr_0=np.zeros((6, 2, 2, 3), np.uint8))
    found = match(tmp_path / "x.npz", None, TEXTS, EACH, (3,)).items
    assert found[3, 1, 0].row == 2
    rows = [{"index": 5 - i, "prompt": TEXTS[i // 2]} for i in range(6)]
    found = match(tmp_path / "x.npz", _manifest(tmp_path, rows), TEXTS, EACH, (3,)).items
    assert found[3, 1, 0].row == 3
    rows[0]["index"] = 6
    with pytest.raises(BadOutputs, match=r"no image x\.npz:6"):
        match(tmp_path / "x.npz", _manifest(tmp_path, rows), TEXTS, EACH, (3,))
    np.savez(tmp_path / "x.npz", arr_0=np.zeros((7, 2, 2, 3), np.uint8))
    with pytest.raises(BadOutputs, match=r"x\.npz:6 answers prompt 3; there are 3"):
        match(tmp_path / "x.npz", None, TEXTS, EACH, (3,))


def test_missing_images_are_returned_and_named(tmp_path: Path) -> None:
    folder = _named(tmp_path / "x")
    (folder / "0001-0001.png").unlink()
    answers = match(folder, None, TEXTS, EACH, (0,))
    assert answers.missing == ((0, 1, 1),)
    assert missing_text(answers.missing, TEXTS, 6) == (
        "1 of 6 images are missing: seed 0 prompt 0001 ('a dog') sample 1"
    )
    many = [(0, 0, s) for s in range(9)]
    assert missing_text(many, TEXTS, 20).endswith("and 4 more")


def test_single_images_beside_npz_files_are_refused(tmp_path: Path) -> None:
    folder = _named(tmp_path / "x")
    np.savez(folder / "seed-0.npz", arr_0=np.zeros((6, 2, 2, 3), np.uint8))
    with pytest.raises(BadOutputs, match="give one kind"):
        match(folder, None, TEXTS, EACH, (0,))
