"""People's photographs: a folder `person/photo.jpg` (LFW's layout too), every file accounted for.

Each file ends as a row with a status and the reason; none is dropped in silence:

ok          a face was found and its frame cut; `notes` say what was done to get there
no_face     the detector found none
too_small   a side below 32 px
unreadable  not a PNG, JPEG or WebP image, or damaged (truncated)
refused     read, but not ours to use: it lies in no person's folder, or is too large (2^26 pixels)
duplicate   the same bytes, or nearly the same picture (perceptual hash), as an earlier row of the table

Rules that a note states: gray becomes three equal channels; transparent pixels lie on white; 16 bits are rounded; CMYK
and foreign color profiles are converted; EXIF orientation is applied (a camera's portrait is sideways otherwise); of
several faces the largest counts; a photo above 1600 px is searched in a smaller copy, and cut from the full one. The
person is the first folder's name. Without a detector the middle square of every picture is the aligned frame. Nothing
here learns who anybody is, and no picture of a face is ever written by it.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.data.face_frames import Pixels, centred, cut
from harness.data.face_geometry import Detector, Face, Points, largest, similarity, template
from harness.data.face_memo import FaceMemo
from harness.data.files import MissingData
from harness.data.reader import MOST_PIXELS, BadImages, Reader

Status = Literal["ok", "no_face", "too_small", "unreadable", "refused", "duplicate"]
SMALLEST_PX = 32
SEARCH_PX = 1600  # longest side of the copy that a detector sees
FRAME_PX, MARGIN = 160, 0.25
NEAR_BITS = 4  # of 64 of the perceptual hash: at most so many differ in near copies (face_privacy.md R2)
READER = Reader(alpha="white", sixteen_bit="round", cmyk="convert", icc="srgb")
TURNS = {2: "mirrored", 3: "180°", 4: "mirrored 180°", 5: "transposed", 6: "270°", 7: "transverse", 8: "90°"}


@dataclass(frozen=True)
class Photograph:
    """One file. `matrix` (2, 3) takes pixels of the upright photo to pixels of its frame, None without a frame."""

    image_id: str
    person: str
    sha256: str
    status: Status
    reason: str = ""
    notes: tuple[str, ...] = ()
    height: int = 0
    width: int = 0
    faces: int = 0
    matrix: tuple[tuple[float, ...], ...] | None = None
    hash_bits: int = 0
    dup_group: str = ""

    @property
    def transform(self) -> Points:
        """`matrix` as an array. Raises ValueError for a row without a frame."""
        if self.matrix is None:
            raise ValueError(f"{self.image_id} has no frame: {self.status} ({self.reason})")
        return np.array(self.matrix, dtype=np.float64)


@dataclass(frozen=True)
class FacePhotos:
    """A folder as it was read: all rows, and the frames (K, side, side, 3) uint8 of those with status ok, in order.

    consent  what the user states of it; "" is flagged in reports
    """

    folder: Path
    rows: tuple[Photograph, ...]
    frames: Pixels
    consent: str = ""
    rules: dict[str, Any] = field(default_factory=dict)

    @property
    def usable(self) -> tuple[Photograph, ...]:
        """Rows with a frame, in the order of `frames`."""
        return tuple(r for r in self.rows if r.status == "ok")

    @property
    def manifest_hash(self) -> str:
        """32 hexadecimal digits of files, people and what became of them, with the rules."""
        rows = [[r.image_id, r.person, r.sha256, r.status] for r in self.rows]
        text = json.dumps([self.rules, rows], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def counts(self) -> dict[str, int]:
        """Status → files."""
        return {s: n for s in Status.__args__ if (n := sum(r.status == s for r in self.rows))}  # type: ignore[attr-defined]

    def table(self) -> list[dict[str, Any]]:
        """The rows as plain values, for a CSV file or a report."""
        return [{**asdict(r), "notes": "; ".join(r.notes), "hash_bits": f"{r.hash_bits:016x}"} for r in self.rows]

    def photo(self, row: Photograph) -> Pixels:
        """The upright photo (H, W, 3) of a row, read again. Raises BadImages where the file has changed."""
        data = (self.folder / row.image_id).read_bytes()
        if hashlib.sha256(data).hexdigest() != row.sha256:
            raise BadImages(f"{row.image_id} is not the file that was read; read the folder again")
        return upright(data, row.image_id)[0]


def read_folder(
    folder: Path, detect: Detector | None, *, side: int = FRAME_PX, margin: float = MARGIN, consent: str = "",
    detector: str = "", near_bits: int | None = NEAR_BITS,
) -> FacePhotos:  # fmt: skip
    """Every file below `folder`, hidden ones left out. Raises MissingData where there is no file.

    detect     finds faces; None: pictures are aligned already
    side       px of a frame;  margin  around ArcFace's crop, in sizes of the crop
    detector   all that decides what `detect` finds, for the manifest; where it is said, findings are remembered by it
    near_bits  bits of the perceptual hash that near copies may differ in; None: only equal files are copies
    """
    if not folder.is_dir():
        raise MissingData(f"no folder of photographs at {folder}")
    files = [p for p in sorted(folder.rglob("*"), key=lambda p: p.relative_to(folder).as_posix()) if p.is_file()]
    files = [p for p in files if not any(part.startswith(".") for part in p.relative_to(folder).parts)]
    if not files:
        raise MissingData(f"no photographs in {folder}: person/photo.jpg is expected")
    rules = {"side": side, "margin": margin, "detector": detector or ("given" if detect else "none"), "near": near_bits}
    seen, frames = [], []
    memo = FaceMemo(json.dumps([detector, SEARCH_PX, SMALLEST_PX]) if detect and detector else "")
    for path in files:
        row, frame = _read(path, folder, detect, memo, side, margin)
        seen.append(row)
        frames.append(frame)
    memo.save()
    rows = _grouped(seen, near_bits)
    kept = [f for r, f in zip(rows, frames, strict=True) if r.status == "ok" and f is not None]
    shape = (len(kept), side, side, 3)
    return FacePhotos(folder, rows, np.array(kept, dtype=np.uint8).reshape(shape), consent, rules)


def upright(data: bytes, name: str) -> tuple[Pixels, tuple[str, ...]]:
    """Pixels (H, W, 3) of a file as a person would look at it, and what was done. Raises BadImages."""
    from PIL import Image

    pixels, _ = READER.read(data, name)
    with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as image:
        notes = list(_conversions(image))
        turn = int(image.getexif().get(0x0112, 1))
    if turn in TURNS:
        pixels = _turned(pixels, turn)
        notes.append(f"turned by EXIF orientation {turn} ({TURNS[turn]})")
    return np.ascontiguousarray(pixels), tuple(notes)


def _read(
    path: Path, folder: Path, detect: Detector | None, memo: FaceMemo, side: int, margin: float
) -> tuple[Photograph, Any]:
    inside = path.relative_to(folder)
    image_id, person = inside.as_posix(), inside.parts[0] if len(inside.parts) > 1 else ""
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()

    def row(status: Status, reason: str, **more: Any) -> Photograph:
        return Photograph(image_id, person, digest, status, reason, **more)

    if not person:
        return row("refused", "it lies in no person's folder; put it into PERSON/photo.jpg"), None
    try:
        photo, notes = upright(data, image_id)
    except BadImages as error:
        status: Status = "refused" if f"at most {MOST_PIXELS}" in str(error) else "unreadable"
        return row(status, str(error).removeprefix(f"{image_id}: ")), None
    height, width = photo.shape[:2]
    size: dict[str, Any] = {"height": height, "width": width, "hash_bits": perceptual_hash(photo)}
    if min(height, width) < SMALLEST_PX:
        return row("too_small", f"{width}×{height} px; at least {SMALLEST_PX} are needed", notes=notes, **size), None
    if detect is None:
        matrix = centred(height, width, side)
        if height != width:
            notes = (*notes, "the middle square is the frame")
        return row("ok", "", notes=notes, matrix=_plain(matrix), **size), cut(photo, matrix, side)
    faces, more = _found(photo, digest, detect, memo)
    if (face := largest(faces)) is None:
        return row("no_face", "the detector found no face", notes=(*notes, *more), **size), None
    if len(faces) > 1:
        more = (*more, f"{len(faces)} faces: the largest")
    matrix = similarity(face.points, template(side, margin))
    made = row("ok", "", notes=(*notes, *more), faces=len(faces), matrix=_plain(matrix), **size)
    return made, cut(photo, matrix, side)


def _found(photo: Pixels, sha256: str, detect: Detector, memo: FaceMemo) -> tuple[list[Face], tuple[str, ...]]:
    """Faces in pixels of the photo, sought in a smaller copy of large ones."""
    from PIL import Image

    factor = -(-max(photo.shape[:2]) // SEARCH_PX)
    notes = () if factor == 1 else (f"searched at 1/{factor} of its size",)
    if (known := memo.get(sha256)) is not None:
        return known, notes
    small = photo if factor == 1 else np.asarray(Image.fromarray(photo).reduce(factor), dtype=np.uint8)
    found = [
        Face(
            (f.box[0] * factor, f.box[1] * factor, f.box[2] * factor, f.box[3] * factor),
            (f.points + 0.5) * factor - 0.5,
            f.score,
        )
        for f in detect(small)
    ]
    memo.put(sha256, found)
    return found, notes


def _conversions(image: Any) -> Iterator[str]:
    if image.mode in ("L", "1", "LA", "I", "I;16", "I;16B"):
        yield "gray: three equal channels"
    if image.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info:
        yield "transparent pixels on white"
    if image.mode.startswith("I"):
        yield "16 bits rounded to 8"
    if image.mode == "CMYK":
        yield "CMYK converted"


def _turned(pixels: Pixels, orientation: int) -> Pixels:
    """Stored pixels as EXIF orientation 2 … 8 says they are to be shown."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def perceptual_hash(photo: Pixels) -> int:
    """64 bits: signs of the low frequencies (8 × 8 of a DCT of 32 × 32 gray levels) against their median."""
    from PIL import Image
    from scipy.fft import dctn

    small = Image.fromarray(photo).convert("L").resize((32, 32), Image.Resampling.LANCZOS)
    low: NDArray[np.float64] = np.asarray(dctn(np.asarray(small, dtype=np.float64), norm="ortho"))[:8, :8].ravel()
    bits = low > np.median(low[1:])
    bits[0] = False  # brightness says nothing of the picture
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _grouped(rows: list[Photograph], near_bits: int | None) -> tuple[Photograph, ...]:
    """Rows with their group of copies; of a group the first usable row stays, the others become `duplicate`."""
    from dataclasses import replace

    usable = [i for i, r in enumerate(rows) if r.status == "ok"]
    hashes = np.array([rows[i].hash_bits for i in usable], dtype=np.uint64)
    files = [rows[i].sha256 for i in usable]
    first: dict[str, int] = {}
    copy_of: dict[int, int] = {}
    for at, i in enumerate(usable):
        same = first.setdefault(files[at], at)
        if near_bits is not None and same == at:
            close = np.flatnonzero(np.bitwise_count(hashes[:at] ^ hashes[at]) <= near_bits)
            same = int(close[0]) if len(close) else at
        if same != at:
            copy_of[i] = copy_of.get(usable[same], usable[same])
    made = []
    for i, r in enumerate(rows):
        if i not in copy_of:
            made.append(replace(r, dup_group=r.image_id if r.status == "ok" else ""))
            continue
        original = rows[copy_of[i]]
        equal = "the same file as" if original.sha256 == r.sha256 else "nearly the same picture as"
        made.append(replace(r, status="duplicate", reason=f"{equal} {original.image_id}", dup_group=original.image_id))
    return tuple(made)


def _plain(matrix: Points) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(v) for v in line) for line in matrix)
