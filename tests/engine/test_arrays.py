"""npz bytes: equal for equal content, and hostile ones refused (E20)."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from harness.engine.arrays import Damaged, digest, pack, unpack

DTYPES = st.sampled_from(["u1", "<f4", "<f8", "<i8", "?", "<U5", ">f4"])


@given(array=DTYPES.flatmap(lambda d: npst.arrays(d, npst.array_shapes(min_dims=0, max_dims=3, min_side=0))))
@settings(max_examples=60, deadline=None)
def test_packing_and_unpacking_is_the_identity(array: np.ndarray[Any, Any]) -> None:
    back = unpack(pack({"a": array, "b": np.arange(3)}))
    assert list(back) == ["a", "b"]
    assert back["a"].shape == array.shape
    np.testing.assert_array_equal(back["a"], array)
    assert digest(back["a"]) == digest(array)


def test_equal_content_gives_equal_bytes_whatever_order_layout_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = np.arange(12.0).reshape(3, 4), np.ones(2)
    first = pack({"a": a, "b": b})
    monkeypatch.setattr("time.time", lambda: 2e9)
    assert pack({"b": b, "a": np.asfortranarray(a)}) == first


def test_digest_tells_dtype_and_shape_apart() -> None:
    zeros = [np.zeros(4, "u1"), np.zeros((2, 2), "u1"), np.zeros(1, "<f4"), np.zeros(1, "<i4")]
    assert len({digest(z) for z in zeros}) == len(zeros)


def test_objects_are_not_written() -> None:
    with pytest.raises(TypeError, match="objects"):
        pack({"a": np.array([object()])})


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was executed",))


def hostile() -> dict[str, bytes]:
    def archive(data: bytes, compression: int = zipfile.ZIP_STORED, name: str = "a.npy") -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", compression) as file:
            file.writestr(name, data)
        return buffer.getvalue()

    pickled, header = io.BytesIO(), io.BytesIO()
    np.savez(pickled, a=np.array([Bomb()], dtype=object))
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**15,)})
    text = b"\x93NUMPY\x01\x00\x40\x00" + b"__import__('os').abort()".ljust(63) + b"\n"
    good = pack({"a": np.arange(1000)})
    flipped = bytearray(good)
    flipped[500] ^= 1
    return {
        "pickle": pickled.getvalue(),
        "giant header": archive(header.getvalue()),
        "code in header": archive(text),
        "zip bomb": archive(b"\0" * 10**7, zipfile.ZIP_DEFLATED),
        "no npy": archive(b"hello"),
        "unknown npy version": archive(b"\x93NUMPY\x09\x00" + b"\0" * 100),
        "truncated": good[:-30],
        "bit flipped": bytes(flipped),
        "empty": b"",
        "text": b"PK\x03\x04 not really",
    }


@pytest.mark.parametrize("name", sorted(hostile()))
def test_hostile_bytes_are_refused(name: str) -> None:
    with pytest.raises(Damaged):
        unpack(hostile()[name])
