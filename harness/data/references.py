"""A reference set of points kept where it lies (memory, a memory-mapped file, a device), and what makes search fast.

Beside the rows (K, D) of any floating type stand, for a center c and Q with orthonormal rows:
* sketch  [Q(z - c), sqrt(|z - c|² - |Q(z - c)|²)], as float32. Distances between sketches never exceed distances
          between points; Q holds the leading directions of a sample of the rows, because images live near few of them.
* squares |z_S - c_S|² for runs S of coordinates (`edges`), as float32: partial distances and the norms of what is left.
Any c and any orthonormal Q are exact; a good choice only rules out more. All of it is computed in float64, in one pass.

A folder holds rows.npy, sketch.npy, squares.npy, basis.npy, center.npy and references.json. It is made under another
name and renamed when it is whole, so that processes may share it. bfloat16, which .npy does not know, is stored as
uint16 and named in references.json.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
FIRST_SLAB = 64  # the first run of coordinates is a 64th of them; runs double, so that few passes see all
SKETCH = 16, 128  # sketch: a 16th of the coordinates, at most so many
SAMPLE = 512  # rows that the center and the directions are taken from
NUMBERS_A_BLOCK = 2**21  # float64 numbers held at once while measuring


@dataclass(frozen=True)
class References:
    """K points: rows (K, D), center (D,) float32, basis (m, D) float64, sketch (K, m + 1), squares (L, K) float32.

    edges  L + 1 rising indices from 0 to D, the runs of coordinates that `squares` are over
    """

    rows: Tensor
    center: Tensor
    basis: Tensor
    sketch: Tensor
    squares: Tensor
    edges: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, rows: Tensor, *, directions: int | None = None) -> References:
        """The set with rows (K, D) where they are; directions: rows of the basis, 0 for sets searched only once.

        Raises ValueError when rows are not a matrix.
        """
        import torch

        _check(rows.shape)
        center, basis, edges = _frame(rows, directions)
        sketch = torch.empty((len(rows), len(basis) + 1), dtype=torch.float32, device=rows.device)
        squares = torch.empty((len(edges) - 1, len(rows)), dtype=torch.float32, device=rows.device)
        result = cls(rows, center, basis, sketch, squares, edges)
        result._measure()
        return result

    @classmethod
    def write(
        cls, folder: Path | str, shape: tuple[int, int], dtype: str, fill: Callable[[Tensor], None]
    ) -> References:
        """The set written to a folder, memory-mapped.

        fill  writes the rows into the tensor (K, D) of `dtype` ("float16", …) that it is given, in any order
        Raises OSError, and what `fill` raises; the folder is then what it was.
        """
        import torch

        folder = Path(folder)
        aside = folder.with_name(f".{folder.name}.{os.getpid()}-{threading.get_ident()}")
        aside.mkdir(parents=True)
        try:
            rows = _create(aside / "rows.npy", shape, getattr(torch, dtype))
            fill(rows)
            center, basis, edges = _frame(rows, None)
            result = cls(
                rows,
                center,
                basis,
                _create(aside / "sketch.npy", (len(rows), len(basis) + 1), torch.float32),
                _create(aside / "squares.npy", (len(edges) - 1, len(rows)), torch.float32),
                edges,
            )
            result._measure()
            np.save(aside / "center.npy", center.numpy())
            np.save(aside / "basis.npy", basis.numpy())
            facts = {"format": FORMAT, "dtype": dtype, "edges": edges}
            (aside / "references.json").write_text(json.dumps(facts), encoding="utf-8")
            for path in aside.iterdir():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
            shutil.rmtree(folder, ignore_errors=True)  # who has it mapped keeps what is mapped
            aside.replace(folder)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        return result

    @classmethod
    def open(cls, folder: Path | str) -> References:
        """A written set, memory-mapped. Raises FileNotFoundError when it is not there (or not finished), ValueError."""
        import torch

        folder = Path(folder)
        facts = json.loads((folder / "references.json").read_text(encoding="utf-8"))
        if facts.get("format") != FORMAT:
            raise ValueError(f"{folder}: references of format {facts.get('format')}, this version reads {FORMAT}")
        # copy-on-write maps: torch wants writable memory, and nothing here writes
        parts = {n: torch.from_numpy(np.load(folder / f"{n}.npy", mmap_mode="c")) for n in _PARTS}
        if facts["dtype"] == "bfloat16":
            parts["rows"] = parts["rows"].view(torch.bfloat16)
        return cls(edges=tuple(facts["edges"]), **parts)

    def to(self, device: Any) -> References:
        """The whole set on a device."""
        return replace(self.on(device), **{n: getattr(self, n).to(device) for n in ("rows", "sketch", "squares")})

    def on(self, device: Any) -> References:
        """The center and the basis on a device; rows, sketch and squares stay, and are streamed by the search."""
        return replace(self, center=self.center.to(device), basis=self.basis.to(device))

    def sketched(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """points (N, D) → their sketches (N, m + 1) and (N,) distances to the center, float64."""
        import torch

        away = points.double() - self.center.double()
        few = len(away) < 64  # a product of few rows is fastest with the rows first, one of many with the basis first
        along = away @ self.basis.T if few else (self.basis @ away.T).T
        square = (away * away).sum(1)
        rest = (square - (along * along).sum(1)).clamp_min(0).sqrt()
        return torch.cat([along, rest[:, None]], dim=1), square.sqrt()

    def _measure(self) -> None:
        step = max(1, NUMBERS_A_BLOCK // self.rows.shape[1])
        for start in range(0, len(self.rows), step):
            block = self.rows[start : start + step].double()
            self.sketch[start : start + step] = self.sketched(block)[0].float()
            block = block - self.center.double()  # no writing into rows that are float64 themselves
            block *= block
            for i, (a, b) in enumerate(zip(self.edges, self.edges[1:], strict=False)):
                self.squares[i, start : start + step] = block[:, a:b].sum(1).float()


_PARTS = ("rows", "center", "basis", "sketch", "squares")


def _check(shape: Any) -> None:
    if len(shape) != 2:
        raise ValueError(f"reference points must be (K, D), found shape {tuple(shape)}")


def _frame(rows: Tensor, directions: int | None) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """Center (D,) float32, basis (D, m) float64 and edges for a set of rows."""
    import torch

    count, length = rows.shape
    some = torch.linspace(0, max(count - 1, 0), min(count, SAMPLE), dtype=torch.float64).long()
    sample = rows.index_select(0, some.to(rows.device)).double()
    center = sample.mean(0).float() if count else torch.zeros(length, device=rows.device)
    share, most = SKETCH
    wanted = min(length // share, most) if directions is None else directions
    wanted = min(wanted, max(len(some) - 1, 0))
    if wanted:
        sample -= center.double()
        leading = torch.linalg.eigh(sample @ sample.T).eigenvectors[:, -wanted:]
        basis = torch.linalg.qr(sample.T @ leading).Q.T.contiguous()
    else:
        basis = torch.zeros((0, length), dtype=torch.float64, device=rows.device)
    edges, width = [0], max(1, length // FIRST_SLAB)
    while edges[-1] < length:
        edges.append(min(edges[-1] + width, length))
        width = edges[-1]
    return center, basis, tuple(edges)


def _create(path: Path, shape: tuple[int, ...], kind: Any) -> Tensor:
    """A writable memory-mapped tensor of a new .npy file."""
    import torch

    stored = np.uint16 if kind is torch.bfloat16 else torch.empty(0, dtype=kind).numpy().dtype
    made = torch.from_numpy(np.lib.format.open_memmap(path, mode="w+", dtype=stored, shape=shape))
    return made.view(torch.bfloat16) if kind is torch.bfloat16 else made
