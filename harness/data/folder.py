"""A folder of PNG, JPEG or WebP files as an image set: recursive, sorted by name; the folder of a file is its label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.data.files import ImageFiles, MissingData, Raw
from harness.data.reader import SUFFIXES
from harness.options import option


def image_files(folder: Path) -> list[Path]:
    """The image files below a folder, hidden ones left out, sorted by their path from it. Raises MissingData."""
    if not folder.is_dir():
        raise MissingData(f"no folder of images at {folder}")
    found = [
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in p.relative_to(folder).parts)
    ]
    if not found:
        raise MissingData(f"no images ({', '.join(SUFFIXES)}) in {folder}")
    return sorted(found, key=lambda p: p.relative_to(folder).as_posix())


@dataclass(frozen=True, kw_only=True)
class ImageFolder(ImageFiles):
    """Image files of a folder and the folders in it."""

    path: str = option(in_id=False, help="the folder; the images are identified by their pixels")

    name = "folder"
    version = 1

    def files(self) -> list[Path]:
        return image_files(Path(self.path))

    def images(self, file: Path) -> Iterator[Raw]:
        inside = file.relative_to(self.path)
        yield Raw(file.read_bytes(), inside.parts[0] if len(inside.parts) > 1 else None, inside.as_posix())
