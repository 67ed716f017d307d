"""Named arrays as npz bytes: equal content gives equal bytes, and no reader executes or inflates anything.

Members are stored uncompressed (zlib versions differ in their output) under a fixed time, sorted by name. Refused on
reading: object arrays, compressed members, members whose size is not what their header says.
"""

from __future__ import annotations

import hashlib
import io
import math
import struct
import tokenize
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TIME = (1980, 1, 1, 0, 0, 0)


class Damaged(ValueError):
    """Bytes that are not what the store wrote: truncated, flipped, or never written by it."""


def _plain(array: NDArray[Any]) -> NDArray[Any]:
    """Little-endian and C-contiguous. Raises TypeError for objects, which only pickle could store."""
    if array.dtype.hasobject:
        raise TypeError(
            f"an array of {array.dtype} objects cannot be stored; give numbers, booleans or fixed-width text"
        )
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def digest(array: NDArray[Any]) -> str:
    """sha256 over dtype, shape and values."""
    plain = _plain(np.asarray(array))
    state = hashlib.sha256(f"{plain.dtype.str}{plain.shape}".encode())
    state.update(plain.tobytes())
    return state.hexdigest()


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """npz bytes of named arrays."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, _plain(np.asarray(arrays[name])), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", _TIME)
            info.create_system, info.external_attr = 3, 0o644 << 16
            archive.writestr(info, member.getvalue())
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, NDArray[Any]]:
    """The arrays of npz bytes, writable. Raises Damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {info.filename.removesuffix(".npy"): _member(archive, info) for info in archive.infolist()}
    except Damaged:
        raise
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, KeyError, struct.error, tokenize.TokenError) as error:
        raise Damaged(f"no readable npz: {error}") from error
    except (NotImplementedError, RuntimeError, SyntaxError, TypeError, OverflowError, RecursionError) as error:
        raise Damaged(f"not an npz of this store: {error}") from error


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    if info.compress_type != zipfile.ZIP_STORED:
        raise Damaged(f"{info.filename} is compressed; the store writes uncompressed members")
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(member)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(member)
        else:
            raise Damaged(f"{info.filename} has npy version {version}; expected 1.0 or 2.0")
        if dtype.hasobject:
            raise Damaged(f"{info.filename} holds objects, which are refused")
        values = bytearray(member.read())
    if len(values) != math.prod(shape) * dtype.itemsize:
        raise Damaged(f"{info.filename} has {len(values)} bytes; its header says {shape} of {dtype}")
    return np.ndarray(shape, dtype, buffer=values if values else None, order="F" if fortran else "C")
