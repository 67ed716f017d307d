"""Labelled pictures: shipped sets by name, users' files by content, superclasses that fit their classes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.data.labelled import COARSE, load_labelled
from harness.registry import UnknownName
from harness.tasks.classification import Classification


def picture(value: int) -> bytes:
    made = io.BytesIO()
    Image.fromarray(np.full((6, 6, 3), value, dtype=np.uint8)).save(made, format="PNG")
    return made.getvalue()


def parquet(path: Path, labels: list[int]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"bytes": picture(10 * i), "path": f"{i}.png"} for i in range(len(labels))]
    pq.write_table(pa.table({"image": rows, "label": pa.array(labels, pa.int64())}), path)


@pytest.mark.parametrize(("name", "classes", "shape"), [("digits", 10, (8, 8, 1)), ("digits/parity", 2, (8, 8, 1))])
def test_shipped_sets_hold_what_they_say(name: str, classes: int, shape: tuple[int, ...]) -> None:
    found = load_labelled(name)
    assert len(found.names) == classes
    for split in ("train", "test"):
        pixels = found.read(split)
        assert pixels.shape == (len(found.labels[split]), *shape)
        assert pixels.dtype == np.uint8
        assert set(found.labels[split]) == set(range(classes))
        assert (found.labels[split] == found.parts[split] % classes).all()
    assert found.digest != load_labelled("avatars/people").digest


def test_people_have_other_pictures_in_the_test_split() -> None:
    found = load_labelled("avatars/people")
    train, test = ({p.tobytes() for p in found.read(s)} for s in ("train", "test"))
    assert not train & test
    assert set(found.labels["train"]) == set(found.labels["test"]) == set(range(len(found.names)))


def test_a_parquet_folder_is_named_by_its_content_and_not_by_its_path(tmp_path: Path) -> None:
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
        parquet(tmp_path / folder / "train-0.parquet", [0, 1, 2, 0] if folder != "c" else [0, 1, 2, 1])
        parquet(tmp_path / folder / "test-0.parquet", [0, 1])
    a, b, c = (load_labelled("parquet", str(tmp_path / f)) for f in ("a", "b", "c"))
    assert a.labels["train"].tolist() == [0, 1, 2, 0]
    assert a.read("train")[:, 0, 0, 0].tolist() == [0, 10, 20, 30]
    assert a.digest == b.digest != c.digest
    named = Classification(data="parquet", path=str(tmp_path / "a"), called="mine", scenario="class", forget="1")
    assert named.content() == {"data": f"mine:{a.digest}"}


def test_a_folder_of_folders_has_their_names_as_classes(tmp_path: Path) -> None:
    for i, name in enumerate(["train/cat/0", "train/dog/1", "train/dog/2", "test/cat/3"]):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(i))
    found = load_labelled("folder", str(tmp_path))
    assert found.names == ("cat", "dog")
    assert found.labels["train"].tolist() == [0, 1, 1]
    assert found.labels["test"].tolist() == [0]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'digits'"):
        load_labelled("digit")
    with pytest.raises(ValueError, match="give their folder as `path`"):
        load_labelled("cifar10")
    with pytest.raises(FileNotFoundError, match="no files of CIFAR10"):
        load_labelled("cifar10", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no parquet files"):
        load_labelled("parquet", str(tmp_path))


def test_every_superclass_of_cifar_has_five_classes() -> None:
    assert np.bincount(COARSE).tolist() == [5] * 20
    # apple, mushroom, orange, pear, sweet pepper are fruit and vegetables; beaver, dolphin, otter, seal, whale swim
    assert set(np.flatnonzero(COARSE == 4)) == {0, 51, 53, 57, 83}
    assert set(np.flatnonzero(COARSE == 0)) == {4, 30, 55, 72, 95}
