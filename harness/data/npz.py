"""An npz file in the ADM layout as an image set: `arr_0` (N, H, W, 3) uint8, labels in `arr_1` where it is there.

Read front to back, block by block, compressed or not: an array larger than memory passes through.
"""

from __future__ import annotations

import struct
import tokenize
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from harness.data.files import ImageFiles, MissingData, Raw
from harness.data.reader import BadImages
from harness.options import option

_DAMAGE = (zipfile.BadZipFile, ValueError, EOFError, OSError, struct.error, NotImplementedError, SyntaxError)


def rows(path: Path, array: str, count: int = 256) -> Iterator[NDArray[Any]]:
    """The rows of an array of an npz in blocks. Raises BadImages for what is no plain array; KeyError without it."""
    try:
        with zipfile.ZipFile(path) as archive:
            if f"{array}.npy" not in archive.namelist():
                raise KeyError(array)
            with archive.open(f"{array}.npy") as member:
                shape, fortran, dtype = _header(member)
                if dtype.hasobject or fortran or not shape:
                    raise BadImages(f"{path.name}: {array} is no plain array in C order")
                row = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
                for start in range(0, shape[0], count):
                    here = min(count, shape[0] - start)
                    data = member.read(here * row)
                    if len(data) != here * row:
                        raise BadImages(f"{path.name}: {array} ends early")
                    yield np.frombuffer(data, dtype).reshape(here, *shape[1:])
    except BadImages:
        raise
    except (*_DAMAGE, tokenize.TokenError) as error:
        raise BadImages(f"{path.name}: no readable npz ({error})") from error


def count_of(path: Path, array: str) -> int:
    """Number of rows of an array, from its header. Raises BadImages."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{array}.npy") as member:
            shape, _, _ = _header(member)
            return shape[0] if shape else 0
    except KeyError:
        raise BadImages(f"{path.name} has no array {array!r}") from None
    except (*_DAMAGE, tokenize.TokenError) as error:
        raise BadImages(f"{path.name}: no readable npz ({error})") from error


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(member)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(member)
    return np.lib.format.read_array_header_2_0(member)


@dataclass(frozen=True, kw_only=True)
class ImageNpz(ImageFiles):
    """Images of one npz file."""

    path: str = option(in_id=False, help="the file; the images are identified by their pixels")
    images_in: str = option("arr_0", help="name of the array of images", source="ADM (guided-diffusion) batches")
    labels_in: str = option("arr_1", help="name of the array of labels, where there is one", source="as above")

    name = "npz"
    version = 1

    def files(self) -> list[Path]:
        path = Path(self.path)
        if not path.is_file():
            raise MissingData(f"no npz file at {path}")
        return [path]

    def how_read(self) -> list[Any]:
        return [self.images_in, self.labels_in]

    def images(self, file: Path) -> Iterator[Raw]:
        labels = self._labels(file)
        at = 0
        try:
            for block in rows(file, self.images_in):
                if block.dtype != np.uint8 or block.ndim != 4 or block.shape[3] != 3:
                    found = f"{block.dtype} {('N', *block.shape[1:])}"
                    raise BadImages(f"{file.name}: {self.images_in} is {found}; expected uint8 (N, H, W, 3)")
                for pixels in block:
                    if labels is not None and at >= len(labels):
                        raise BadImages(f"{file.name}: more images than the {len(labels)} labels in {self.labels_in}")
                    yield Raw(pixels, None if labels is None else int(labels[at]), f"{file.name} image {at}")
                    at += 1
        except KeyError:
            raise BadImages(f"{file.name} has no array {self.images_in!r}; name it with `images_in`") from None

    def _labels(self, file: Path) -> NDArray[Any] | None:
        try:
            found = np.concatenate([np.asarray(b) for b in rows(file, self.labels_in, 1 << 16)])
        except (KeyError, ValueError) as error:
            if isinstance(error, BadImages):
                raise
            return None
        if found.ndim != 1 or found.dtype.kind not in "iu":
            raise BadImages(f"{file.name}: {self.labels_in} is {found.dtype} {found.shape}; labels are whole numbers")
        return found
