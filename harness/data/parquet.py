"""Parquet files in the Hugging Face layout as an image set: a column of encoded images, a column of labels.

The image column holds structs with `bytes` (and a path that is not followed) or bytes; the label column whole numbers
or names. Names of classes come from the metadata that the `datasets` library writes, where it did.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data.files import ImageFiles, MissingData, Raw
from harness.data.reader import BadImages
from harness.options import nearest, option

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 256  # decoded at once
LABELS = ("label", "labels", "fine_label", "class")  # looked for, in this order


@dataclass(frozen=True, kw_only=True)
class ParquetImages(ImageFiles):
    """What parquet files share wherever they lie. Subclasses give `files`."""

    glob: str = option("**/*.parquet", help="which files of a folder, as in 'data/train-*.parquet'")
    image_column: str = option("", help="column of the images; default: the only one that holds encoded images")
    label_column: str = option("", help="column of the labels; default: label, labels, fine_label or class")

    def how_read(self) -> list[Any]:
        return [self.image_column, self.label_column]

    def images(self, file: Path) -> Iterator[Raw]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(file) as table:
                column, label = self._columns(table.schema_arrow, file.name)
                at = 0
                for batch in table.iter_batches(ROWS, columns=[column, *([label] if label else [])]):
                    labels = batch.column(label).to_pylist() if label else [None] * batch.num_rows
                    for image, mark in zip(batch.column(column).to_pylist(), labels, strict=True):
                        yield Raw(
                            _bytes(image, f"{file.name} row {at}"), _label(mark, file.name), f"{file.name} row {at}"
                        )
                        at += 1
        except (pa.ArrowException, OSError) as error:
            raise BadImages(f"{file.name}: no readable parquet ({error})") from error

    def _columns(self, schema: pa.Schema, name: str) -> tuple[str, str]:
        """Names of the image and the label column, the latter "" where there is none."""
        known = [f.name for f in schema if _holds_images(f.type)]
        column = self.image_column or (known[0] if len(known) == 1 else "")
        if column not in known:
            near = nearest(column, schema.names) if column else ()
            hint = f"; did you mean {near[0]!r}?" if near else ""
            what = f"no column {column!r} of encoded images" if column else f"{len(known)} columns of encoded images"
            raise BadImages(f"{name}: {what}{hint} (columns: {', '.join(schema.names)}); name it with `image_column`")
        label = self.label_column or next((c for c in LABELS if c in schema.names and c != column), "")
        if label and label not in schema.names:
            raise BadImages(f"{name}: no column {label!r} of labels (columns: {', '.join(schema.names)})")
        return column, label

    def class_names(self) -> tuple[str, ...]:
        return self.classes or self._stated()

    def _stated(self) -> tuple[str, ...]:
        """Names of the classes in the metadata of the first file."""
        import pyarrow.parquet as pq

        file = self.files()[0]
        schema = pq.read_schema(file)
        _, label = self._columns(schema, file.name)
        try:
            features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
            return tuple(str(n) for n in features[label]["names"])
        except (KeyError, TypeError, ValueError):
            return ()


@dataclass(frozen=True, kw_only=True)
class ImageParquet(ParquetImages):
    """Images of one parquet file or of a folder of shards, sorted by name."""

    path: str = option(in_id=False, help="a file, or a folder of shards; the images are identified by their pixels")

    name = "parquet"
    version = 1

    def files(self) -> list[Path]:
        path = Path(self.path)
        if path.is_file():
            return [path]
        found = sorted(path.glob(self.glob), key=lambda p: p.relative_to(path).as_posix()) if path.is_dir() else []
        if not found:
            raise MissingData(f"no parquet files at {path}" + (f" that fit {self.glob!r}" if path.is_dir() else ""))
        return found


def _holds_images(kind: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(kind.field(i).name == "bytes" for i in range(kind.num_fields))
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _bytes(value: Any, name: str) -> bytes:
    data = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(data, bytes):
        raise BadImages(f"{name} holds no image bytes; a path is not followed")
    return data


def _label(value: Any, name: str) -> int | str | None:
    if value is None or isinstance(value, int | str):
        return value
    raise BadImages(f"{name}: label {value!r} is neither a whole number nor a name")
