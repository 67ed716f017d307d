"""Encoded images to uint8 RGB: the one reader of files that others wrote (metrics.md section 1.1, test T4).

What is not plain 8-bit RGB or gray is handled by name or refused, never silently:

gray, palette      converted; both are exact (three equal channels; the palette's own colors)
alpha              refused unless every pixel is opaque; or composited on white or black, in sRGB levels:
                   round(c·α/255 + background·(1 - α/255))
16 bits            refused; or the nearest of 256 levels, round(255 v / 65535); or the high byte, as Pillow (and so
                   clean-fid and torch-fidelity) reads 16-bit color: a level off for a quarter of the values
CMYK               refused; or Pillow's (1 - C)(1 - K) without profile
ICC profile        refused unless it describes sRGB; or ignored (as clean-fid and torch-fidelity do); or converted to
                   sRGB by LittleCMS, perceptual intent
frames             a file with several is refused
EXIF orientation   ignored: pixels as they are stored, as the reference evaluators read them
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
LOSSLESS = frozenset({"png", "webp-lossless", "npz"})  # containers that keep every level: equal for any metric
MOST_PIXELS = 2**26  # of one image: 8192², above which a header is taken for an attack
Alpha = Literal["refuse", "white", "black"]
SixteenBit = Literal["refuse", "round", "high_byte"]
Cmyk = Literal["refuse", "convert"]
Icc = Literal["refuse", "ignore", "srgb"]


class BadImages(ValueError):
    """Images that cannot be used as they are: which, why, and what to write instead."""


@dataclass(frozen=True)
class Reader:
    """What to do with each kind of image that is not plain RGB."""

    alpha: Alpha = "refuse"
    sixteen_bit: SixteenBit = "refuse"
    cmyk: Cmyk = "refuse"
    icc: Icc = "refuse"

    def read(self, data: bytes, name: str) -> tuple[NDArray[np.uint8], str]:
        """Pixels (H, W, 3) uint8 and the container of an encoded image; `name` is for messages. Raises BadImages."""
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise BadImages(f"{name}: {image.width}×{image.height} pixels; at most {MOST_PIXELS} are read")
                if getattr(image, "n_frames", 1) > 1:
                    raise BadImages(f"{name}: {getattr(image, 'n_frames', 1)} frames; an image has one")
                pixels = np.asarray(self._rgb(image, data, name), dtype=np.uint8)
                return pixels, container_of(data)
        except UnidentifiedImageError:
            raise BadImages(f"{name}: not a PNG, JPEG or WebP image") from None
        except (OSError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
            raise BadImages(f"{name}: damaged ({error})") from error

    def _rgb(self, image: Image, data: bytes, name: str) -> Image:
        if image.mode.startswith("I") or (image.format == "PNG" and data[24:25] == b"\x10"):
            image = self._eight_bit(image, data, name)
        if image.mode in ("1", "P", "PA") and "transparency" not in image.info and image.mode != "PA":
            image = _keep_info(image, image.convert("RGB"))
        if image.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info:
            return self._composited(image, name)
        image = self._profile(image, name)
        if image.mode == "CMYK":
            if self.cmyk == "refuse":
                raise BadImages(f"{name} is CMYK; `cmyk: convert` takes (1 - C)(1 - K)")
            return image.convert("RGB")
        if image.mode in ("L", "RGB"):
            return image.convert("RGB")
        raise BadImages(f"{name} has mode {image.mode}; RGB, gray, palette and CMYK images are read")

    def _eight_bit(self, image: Image, data: bytes, name: str) -> Image:
        from PIL import Image as images

        if self.sixteen_bit == "refuse":
            text = "`sixteen_bit: round` takes the nearest of 256 levels, `high_byte` cuts"
            raise BadImages(f"{name} has 16 bits a channel; {text}")
        if image.mode.startswith("I"):
            values = np.asarray(image).astype(np.uint32)
        elif self.sixteen_bit == "high_byte":
            return image  # Pillow drops the low byte of color by itself
        else:
            high = np.asarray(image).astype(np.uint32)
            values = np.asarray((high << 8) + _low_bytes(data, image.mode, name), dtype=np.uint32)
        if "transparency" in image.info and self.sixteen_bit == "round":
            raise BadImages(f"{name} names a transparent color in 16 bits; `sixteen_bit: high_byte` reads it")
        levels = values >> 8 if self.sixteen_bit == "high_byte" else (values + 128) // 257  # 65535 = 255 · 257
        return _keep_info(image, images.fromarray(levels.astype(np.uint8)))

    def _composited(self, image: Image, name: str) -> Image:
        from PIL import Image as images

        full = image.convert("RGBA")
        levels = np.asarray(full)
        color, alpha = levels[..., :3], levels[..., 3:].astype(np.float64) / 255.0
        opaque = bool((levels[..., 3] == 255).all())
        if not opaque and self.alpha == "refuse":
            raise BadImages(f"{name} has transparent pixels; `alpha: white` or `alpha: black` states a background")
        ground = 0.0 if self.alpha == "black" else 255.0
        flat = color if opaque else np.rint(color * alpha + ground * (1.0 - alpha)).astype(np.uint8)
        return self._profile(_keep_info(image, images.fromarray(np.ascontiguousarray(flat))), name)

    def _profile(self, image: Image, name: str) -> Image:
        profile = image.info.get("icc_profile")
        if not profile or self.icc == "ignore":
            return image
        from PIL import ImageCms

        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            described = ImageCms.getProfileDescription(source).strip()
            if described.lower().startswith("srgb"):
                return image
            if self.icc == "srgb":
                target = ImageCms.createProfile("sRGB")
                made: Image | None = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
                assert made is not None
                return made
        except (ImageCms.PyCMSError, OSError) as error:
            described = f"unreadable: {error}"
        text = f"{name} embeds the color profile {described!r}"
        raise BadImages(f"{text}; `icc: srgb` converts to sRGB, `icc: ignore` takes the levels as they are")


def _low_bytes(data: bytes, mode: str, name: str) -> NDArray[np.uint8]:
    """The low bytes of a 16-bit color PNG: read as if the order of bytes were the other, of which Pillow keeps one."""
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("PNG",)) as swapped:
        (tile,) = swapped.tile
        if tile.args not in ("RGB;16B", "RGBA;16B"):
            raise BadImages(f"{name} holds 16-bit pixels as {tile.args}; `sixteen_bit: high_byte` reads them")
        swapped.tile = [tile._replace(args=tile.args[:-1] + "L")]
        assert swapped.mode == mode
        return np.asarray(swapped, dtype=np.uint8)


def _keep_info(before: Image, after: Image) -> Image:
    """The converted image, with the profile of the original and without its transparency."""
    after.info = {k: v for k, v in before.info.items() if k == "icc_profile"}
    return after


def container_of(data: bytes) -> str:
    """png | jpeg | webp | webp-lossless, from the first bytes (never from a name). Raises BadImages."""
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if data[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp-lossless" if "VP8L" in _chunks(data) else "webp"
    raise BadImages("not a PNG, JPEG or WebP image")


def _chunks(data: bytes) -> Iterator[str]:
    """Names of the RIFF chunks."""
    at = 12
    while at + 8 <= len(data):
        yield data[at : at + 4].decode("latin-1")
        (size,) = struct.unpack("<I", data[at + 4 : at + 8])
        at += 8 + size + size % 2


def kinds_of(containers: set[str] | frozenset[str]) -> frozenset[str]:
    """Containers as far as a metric can tell them apart: "lossless", and each lossy one by its name."""
    return frozenset("lossless" if c in LOSSLESS else c for c in containers)
