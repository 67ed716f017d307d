"""Image sets in users' files: named by pixels, read in blocks, equal whatever holds them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.data.files import ImageFiles, MissingData, duplicate_rate
from harness.data.memo import Memo
from harness.data.reader import BadImages

Make = Callable[..., ImageFiles]
Layouts = dict[str, Path]
Pixels = NDArray[np.uint8]
NAMES = ("folder", "npz", "parquet")


@pytest.mark.parametrize("name", NAMES)
def test_every_layout_gives_the_same_pixels_and_the_same_content(
    name: str, make: Make, layouts: Layouts, pixels: Pixels
) -> None:
    made = make(name, path=str(layouts[name]))
    assert made.size(()) == 7
    assert np.array_equal(made.load(()).images, pixels)
    assert made.content == make("npz", path=str(layouts["npz"])).content
    assert made.load(()).prompt.tolist() == [-1] * 7


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 3, 7, 100])
def test_blocks_are_the_whole_in_order(name: str, count: int, make: Make, layouts: Layouts, pixels: Pixels) -> None:
    blocks = list(make(name, path=str(layouts[name])).blocks((), count))
    assert all(len(b.images) == count for b in blocks[:-1])
    assert np.array_equal(np.concatenate([b.images for b in blocks]), pixels)


@pytest.mark.parametrize("name", NAMES)
def test_the_id_follows_the_pixels_and_no_path(name: str, make: Make, layouts: Layouts, tmp_path: Path) -> None:
    before = make(name, path=str(layouts[name])).digest(())
    moved = tmp_path / f"moved{layouts[name].suffix}"
    layouts[name].rename(moved)
    assert make(name, path=str(moved)).digest(()) == before
    assert make(name, path=str(moved), called="mine").digest(()) == before
    assert make(name, path=str(moved), first=6).digest(()) != before
    assert "moved" not in str(make(name, path=str(moved)).identity(()))


def test_one_changed_level_is_another_data_set(make: Make, layouts: Layouts, pixels: Pixels) -> None:
    before = make("npz", path=str(layouts["npz"])).digest(())
    pixels[3, 2, 1, 0] ^= 1
    np.savez(layouts["npz"], arr_0=pixels)
    assert make("npz", path=str(layouts["npz"])).digest(()) != before


def test_files_are_decoded_once_for_their_name(
    make: Make, layouts: Layouts, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    decoded: list[str] = []
    plain = ImageFiles._decoded

    def counting(self: ImageFiles, file: Path) -> Any:
        decoded.append(file.name)
        return plain(self, file)

    monkeypatch.setattr(ImageFiles, "_decoded", counting)
    first = make("folder", path=str(layouts["folder"])).digest(())
    assert len(decoded) == 7
    assert len(list(cache.iterdir())) == 1
    assert make("folder", path=str(layouts["folder"])).digest(()) == first
    assert len(decoded) == 7
    touched = layouts["folder"] / "cat" / "0.png"
    os.utime(touched, ns=(1, 1))
    assert make("folder", path=str(layouts["folder"])).digest(()) == first
    assert decoded[7:] == ["0.png"]


def test_another_way_of_reading_never_meets_remembered_digests(make: Make, layouts: Layouts) -> None:
    path = str(layouts["folder"])
    plain, fitted = make("folder", path=path), make("folder", path=path, fit="stretch", side=4)
    assert plain.content != fitted.content
    assert fitted.load(()).images.shape == (7, 4, 4, 3)


def test_a_damaged_memory_is_no_memory(make: Make, layouts: Layouts, cache: Path) -> None:
    first = make("npz", path=str(layouts["npz"])).digest(())
    (file,) = cache.iterdir()
    for text in ("{", "[]", file.read_text().replace('"shapes"', '"shape"')):
        file.write_text(text)
        assert make("npz", path=str(layouts["npz"])).digest(()) == first


def test_a_file_that_changed_behind_its_time_stamp_is_found_on_loading(
    make: Make, layouts: Layouts, pixels: Pixels, encode: Callable[..., bytes]
) -> None:
    made = make("folder", path=str(layouts["folder"]))
    made.digest(())
    file = layouts["folder"] / "dog" / "6.png"
    file.write_bytes(encode(pixels[0]))
    with pytest.raises(BadImages, match=r"dog/6\.png is not the image that the set was named by"):
        made.load(())


def test_order_is_by_name_and_hidden_or_other_files_do_not_count(
    make: Make, tmp_path: Path, pixels: Pixels, encode: Callable[..., bytes]
) -> None:
    for name, image in zip(("b/1.png", "a/10.png", "a/9.PNG", ".hidden/0.png", "c.txt"), pixels, strict=False):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(encode(image))
    found = make("folder", path=str(tmp_path / "set")).load(()).images
    assert np.array_equal(found, pixels[[1, 2, 0]])


def test_duplicates_and_containers_are_counted(
    make: Make, tmp_path: Path, pixels: Pixels, encode: Callable[..., bytes]
) -> None:
    for i, image in enumerate(pixels[[0, 1, 0, 0]]):
        (tmp_path / f"{i}.png").write_bytes(encode(image, "WEBP", lossless=True) if i == 3 else encode(image))
    (tmp_path / "4.jpg").write_bytes(encode(pixels[2], "JPEG"))
    made = make("folder", path=str(tmp_path))
    assert made.duplicates(()) == pytest.approx(2 / 5)
    assert made.kept_as(()) == {"png", "webp-lossless", "jpeg"}
    assert duplicate_rate(["a", "b", "c"]) == 0.0


@pytest.mark.parametrize("name", NAMES)
def test_labels_name_the_prompt_that_an_image_answers(name: str, make: Make, layouts: Layouts) -> None:
    prompts = ("a photo of a dog", "a photo of a cat")
    options: dict[str, Any] = {} if name != "npz" else {"classes": ("cat", "dog")}
    made = make(name, path=str(layouts[name]), labels="name", template="a photo of a {}", **options)
    assert made.load(prompts).prompt.tolist() == [1, 1, 1, 1, 0, 0, 0]
    assert made.digest(prompts) != made.digest(prompts[::-1])
    other = make(name, path=str(layouts[name]), labels="name", **options)
    with pytest.raises(BadImages, match="no label answers a prompt"):
        other.load(prompts)


def test_whole_number_labels_are_prompt_numbers(make: Make, layouts: Layouts) -> None:
    made = make("npz", path=str(layouts["npz"]), labels="index")
    assert made.load(("only",)).prompt.tolist() == [0, 0, 0, 0, -1, -1, -1]
    with pytest.raises(BadImages, match="needs whole numbers"):
        make("folder", path=str(layouts["folder"]), labels="index").load(("only",))


def test_first_takes_the_first_images_in_order(make: Make, layouts: Layouts, pixels: Pixels) -> None:
    for name in NAMES:
        assert np.array_equal(make(name, path=str(layouts[name]), first=5).load(()).images, pixels[:5])
    with pytest.raises(BadImages, match="`first: 8`, but there are 7"):
        make("npz", path=str(layouts["npz"]), first=8).size(())


def test_images_of_several_sizes_need_a_rule(
    make: Make, tmp_path: Path, pixels: Pixels, encode: Callable[..., bytes]
) -> None:
    (tmp_path / "0.png").write_bytes(encode(pixels[0]))
    (tmp_path / "1.png").write_bytes(encode(pixels[1][:6]))
    with pytest.raises(BadImages, match=r"2 sizes \(8×8, 6×8"):
        make("folder", path=str(tmp_path)).load(())
    assert make("folder", path=str(tmp_path), fit="crop", side=6).load(()).images.shape == (2, 6, 6, 3)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_there_is_said(name: str, make: Make, tmp_path: Path) -> None:
    with pytest.raises(MissingData, match="nowhere"):
        make(name, path=str(tmp_path / "nowhere")).size(())


def test_bad_options_are_refused_when_built(make: Make) -> None:
    for options, message in (
        ({"fit": "crop"}, "belong together"),
        ({"called": "a,b"}, "letters, digits"),
        ({"template": "a cat"}, "no {}"),
    ):
        with pytest.raises(ValueError, match=message):
            make("folder", path="x", **options)


def test_hostile_and_wrong_npz_files_are_refused(make: Make, tmp_path: Path, pixels: Pixels) -> None:
    path = tmp_path / "x.npz"
    for arrays, message in (
        ({"arr_0": np.array([{}], dtype=object)}, "no plain array"),
        ({"arr_0": pixels.astype(np.float32)}, "expected uint8"),
        ({"arr_0": pixels[..., 0]}, "expected uint8"),
        ({"other": pixels}, "no array 'arr_0'"),
        ({"arr_0": pixels, "arr_1": np.zeros(3, np.int64)}, "more images than the 3 labels"),
        ({"arr_0": pixels, "arr_1": np.zeros(7)}, "labels are whole numbers"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(BadImages, match=message):
            make("npz", path=str(path)).size(())
    for data in (b"", b"PK\x03\x04", b"\x80\x04K"):
        path.write_bytes(data)
        with pytest.raises(BadImages, match="no readable npz"):
            make("npz", path=str(path)).size(())


def test_compressed_npz_is_read_as_well(make: Make, tmp_path: Path, pixels: Pixels) -> None:
    np.savez_compressed(tmp_path / "x.npz", arr_0=pixels)
    assert np.array_equal(make("npz", path=str(tmp_path / "x.npz")).load(()).images, pixels)


def test_parquet_columns_are_found_or_named(
    make: Make, tmp_path: Path, pixels: Pixels, encode: Callable[..., bytes]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = [encode(p) for p in pixels]
    path = tmp_path / "two.parquet"
    pq.write_table(pa.table({"img": images, "mask": images[::-1], "n": range(7)}), path)
    with pytest.raises(BadImages, match=r"2 columns of encoded images \(columns: img, mask, n\)"):
        make("parquet", path=str(path)).size(())
    with pytest.raises(BadImages, match="did you mean 'mask'"):
        make("parquet", path=str(path), image_column="masc").size(())
    made = make("parquet", path=str(path), image_column="mask", label_column="n", labels="index")
    assert np.array_equal(made.load(("p",)).images, pixels[::-1])
    assert made.content != make("parquet", path=str(path), image_column="img").content
    pq.write_table(pa.table({"img": [{"bytes": None, "path": "a.png"}]}), path)
    with pytest.raises(BadImages, match="no image bytes; a path is not followed"):
        make("parquet", path=str(path), image_column="img").size(())
    path.write_bytes(b"PAR1")
    with pytest.raises(BadImages, match="no readable parquet"):
        make("parquet", path=str(path)).size(())


def test_a_memory_that_cannot_be_written_costs_no_result(
    make: Make, layouts: Layouts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert make("npz", path=str(layouts["npz"])).size(()) == 7
    assert not Memo("x").path.exists()
