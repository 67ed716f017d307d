"""Small image sets on disk in every layout, and a cache of digests of their own."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.data import IMAGE_SETS
from harness.data.files import ImageFiles
from harness.options import build

Pixels = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "posthoc-harness" / "pixels"


@pytest.fixture
def pixels() -> Pixels:
    """Seven different images, 8×8."""
    return (np.arange(7 * 8 * 8 * 3, dtype=np.uint32).reshape(7, 8, 8, 3) * 2654435761 >> 13).astype(np.uint8)


def encoded(image: Any, form: str = "PNG", **options: Any) -> bytes:
    """An image or array as the bytes of a file."""
    from PIL import Image

    buffer = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.fixture
def encode() -> Callable[..., bytes]:
    return encoded


@pytest.fixture
def make() -> Callable[..., ImageFiles]:
    """name, parameters → an image set."""

    def made(name: str, **params: Any) -> ImageFiles:
        found: ImageFiles = build(IMAGE_SETS.get(name), params)
        return found

    return made


@pytest.fixture
def layouts(tmp_path: Path, pixels: Pixels) -> dict[str, Path]:
    """The same images and labels (0 0 0 0 1 1 1) as folder, npz and parquet (two shards)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    labels = [0, 0, 0, 0, 1, 1, 1]
    folder = tmp_path / "folder"
    for i, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        where = folder / ("cat", "dog")[label]
        where.mkdir(parents=True, exist_ok=True)
        (where / f"{i}.png").write_bytes(encoded(image))
    np.savez(tmp_path / "batch.npz", arr_0=pixels, arr_1=np.array(labels))
    shards = tmp_path / "shards"
    shards.mkdir()
    features = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}, "image": {"_type": "Image"}}
    meta = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    for shard, part in enumerate((slice(0, 3), slice(3, 7))):
        columns = {
            "image": [{"bytes": encoded(p), "path": None} for p in pixels[part]],
            "label": labels[part],
        }
        pq.write_table(pa.table(columns).replace_schema_metadata(meta), shards / f"train-0000{shard}.parquet")
    return {"folder": folder, "npz": tmp_path / "batch.npz", "parquet": shards}
