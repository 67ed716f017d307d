"""The one reader of foreign images: what is exact, what is refused, what is done by name (metrics.md 1.1, T4)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from harness.data.reader import BadImages, Reader, container_of, kinds_of

Encode = Callable[..., bytes]
RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (5, 4, 3), dtype=np.uint8)


def test_png_and_lossless_webp_keep_every_level(encode: Encode) -> None:
    for form, options, container in (("PNG", {}, "png"), ("WEBP", {"lossless": True}, "webp-lossless")):
        found, kept = Reader().read(encode(RGB, form, **options), "a")
        assert np.array_equal(found, RGB)
        assert kept == container


def test_lossy_files_are_known_by_their_bytes_not_by_their_name(encode: Encode) -> None:
    assert container_of(encode(RGB, "JPEG")) == "jpeg"
    assert container_of(encode(RGB, "WEBP", quality=80)) == "webp"
    assert Reader().read(encode(RGB, "JPEG"), "named.png")[1] == "jpeg"
    assert kinds_of({"png", "npz", "webp-lossless"}) == {"lossless"}
    assert kinds_of({"png", "jpeg"}) == {"lossless", "jpeg"}


def test_jpeg_pixels_are_those_of_pillow(encode: Encode) -> None:
    import io

    data = encode(RGB, "JPEG", quality=90)
    assert np.array_equal(Reader().read(data, "a")[0], np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def test_gray_and_palette_are_exact(encode: Encode) -> None:
    gray = RGB[..., 0]
    assert np.array_equal(Reader().read(encode(gray), "a")[0], np.repeat(gray[..., None], 3, axis=2))
    few = Image.fromarray(RGB // 128 * 128).quantize(8)
    assert np.array_equal(Reader().read(encode(few), "a")[0], np.asarray(few.convert("RGB")))


@given(st.integers(0, 255), st.integers(0, 255))
def test_alpha_is_composited_on_the_stated_background(level: int, alpha: int) -> None:
    from tests.data.conftest import encoded

    image = np.full((2, 2, 4), (level, level, level, alpha), dtype=np.uint8)
    white = Reader(alpha="white").read(encoded(image), "a")[0]
    black = Reader(alpha="black").read(encoded(image), "a")[0]
    assert white[0, 0, 0] == round(level * alpha / 255 + 255 * (1 - alpha / 255))
    assert black[0, 0, 0] == round(level * alpha / 255)


def test_transparency_is_refused_unless_named_and_opaque_alpha_is_dropped(encode: Encode) -> None:
    opaque = np.concatenate([RGB, np.full((5, 4, 1), 255, np.uint8)], axis=2)
    assert np.array_equal(Reader().read(encode(opaque), "a")[0], RGB)
    with pytest.raises(BadImages, match=r"x\.png has transparent pixels; `alpha: white`"):
        Reader().read(encode(np.zeros((2, 2, 4), np.uint8)), "x.png")
    hidden = Image.fromarray(RGB // 128 * 128).quantize(4)
    with pytest.raises(BadImages, match="transparent"):
        Reader().read(encode(hidden, transparency=hidden.getpixel((0, 0))), "x")


def _png16(levels: np.ndarray, color: int, by_difference: bool = False) -> bytes:
    """A 16-bit PNG written by hand: Pillow writes none in color. by_difference: filter 1, less the pixel left."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    height, width = levels.shape[:2]
    planes = np.ascontiguousarray(levels.astype(">u2")).view(np.uint8).reshape(height, width, -1)
    if by_difference:
        planes = planes - np.concatenate([np.zeros_like(planes[:, :1]), planes[:, :-1]], axis=1)
    rows = b"".join((b"\1" if by_difference else b"\0") + row.tobytes() for row in planes)
    header = struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("channels", "color"), [(1, 0), (3, 2)])
def test_sixteen_bits_are_refused_or_cut_to_the_high_byte(channels: int, color: int) -> None:
    levels = RNG.integers(0, 65536, (3, 4, channels), dtype=np.uint16)
    data = _png16(levels, color)
    with pytest.raises(BadImages, match="16 bits a channel"):
        Reader().read(data, "deep.png")
    found = Reader(sixteen_bit="high_byte").read(data, "deep.png")[0]
    assert np.array_equal(found, np.broadcast_to(levels >> 8, (3, 4, 3)))


@pytest.mark.parametrize(("channels", "color"), [(1, 0), (3, 2)])
@pytest.mark.parametrize("by_difference", [False, True])
def test_sixteen_bits_are_rounded_to_the_nearest_level(channels: int, color: int, by_difference: bool) -> None:
    levels = RNG.integers(0, 65536, (40, 50, channels), dtype=np.uint16)
    edges = [0, 128, 129, 255, 256, 257, 385, 386, 65278, 65407, 65535]  # 128.5 lies between levels 0 and 1
    levels[0, : len(edges)] = np.array(edges)[:, None]
    data = _png16(levels, color, by_difference)
    found = Reader(sixteen_bit="round").read(data, "deep.png")[0]
    nearest = np.rint(levels.astype(np.float64) * 255 / 65535)  # no value lies half-way: 257 is odd
    assert np.array_equal(found, np.broadcast_to(nearest, (40, 50, 3)))
    cut = Reader(sixteen_bit="high_byte").read(data, "deep.png")[0].astype(int)
    assert (found != cut).mean() == pytest.approx(0.25, abs=0.05)


def test_sixteen_bit_colors_with_alpha_are_rounded_before_they_are_laid_on_a_ground() -> None:
    levels = RNG.integers(0, 65536, (6, 5, 4), dtype=np.uint16)
    levels[..., 3] = 65535
    levels[0, 0] = (65535, 300, 129, 0)
    data = _png16(levels, 6)
    with pytest.raises(BadImages, match="transparent pixels"):
        Reader(sixteen_bit="round").read(data, "deep.png")
    found = Reader(sixteen_bit="round", alpha="black").read(data, "deep.png")[0]
    expected = np.rint(levels[..., :3].astype(np.float64) * 255 / 65535)
    expected[0, 0] = 0
    assert np.array_equal(found, expected)


def test_sixteen_bit_gray_with_alpha_is_refused_by_name() -> None:
    data = _png16(RNG.integers(0, 65536, (3, 4, 2), dtype=np.uint16), 4)
    with pytest.raises(BadImages, match="sixteen_bit: high_byte"):
        Reader(sixteen_bit="round", alpha="white").read(data, "deep.png")


def test_cmyk_is_refused_or_converted(encode: Encode) -> None:
    image = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    with pytest.raises(BadImages, match="is CMYK"):
        Reader().read(encode(image, "JPEG", quality=100), "x.jpg")
    found = Reader(cmyk="convert").read(encode(image, "JPEG", quality=100), "x.jpg")[0]
    assert np.abs(found[0, 0].astype(int) - [0, 255, 255]).max() <= 3  # the JPEG's own error


def test_profiles_other_than_srgb_are_refused_ignored_or_converted(encode: Encode) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(Reader().read(encode(RGB, icc_profile=srgb), "a")[0], RGB)
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    other = encode(RGB, icc_profile=lab)
    with pytest.raises(BadImages, match="embeds the color profile"):
        Reader().read(other, "a")
    assert np.array_equal(Reader(icc="ignore").read(other, "a")[0], RGB)


def test_frames_damage_bombs_and_other_formats_are_refused(encode: Encode, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [Image.fromarray(RGB), Image.fromarray(RGB[::-1].copy())]
    with pytest.raises(BadImages, match="2 frames"):
        Reader().read(encode(frames[0], save_all=True, append_images=frames[1:]), "moving.png")
    with pytest.raises(BadImages, match=r"cut\.png: damaged"):
        Reader().read(encode(np.tile(RGB, (20, 20, 1)))[:-200], "cut.png")
    for data in (b"", b"GIF89a", encode(RGB, "GIF"), b"\x80\x04pickle"):
        with pytest.raises(BadImages, match="not a PNG, JPEG or WebP"):
            Reader().read(data, "x")
    monkeypatch.setattr("harness.data.reader.MOST_PIXELS", 19)
    with pytest.raises(BadImages, match="at most 19 are read"):
        Reader().read(encode(RGB), "x")
