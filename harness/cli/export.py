"""`harness export RUN`: artifacts as the files that other evaluators read (clean-fid, torch-fidelity, ADM)."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.arguments import Json, RunFolder
from harness.cli.output import BadInput, print_json, put


class ImageFormat(StrEnum):
    PNG = "png"
    NPZ = "npz"


def export(
    run: RunFolder,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder to write; made when missing.")],
    method: Annotated[str, typer.Option("--method", metavar="NAME", help="Label of the row.")],
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="One seed; all without it.")] = None,
    format_: Annotated[
        ImageFormat, typer.Option("--format", help="png: one file an image, named prompt-sample. npz: arr_0, as ADM.")
    ] = ImageFormat.PNG,
    as_json: Json = False,
) -> None:
    """Write a row's images for other evaluators.

    A folder of PNGs, or one npz a seed; bytes and names depend on the cells only.
    """
    from rich.text import Text

    from harness.runs import read_run

    found = read_run(run)
    cells = _chosen(found.record["cells"], method, seed)
    several = len({cell["seed"] for cell in cells}) > 1
    records = []
    for cell in cells:
        stored = found.store.cell(cell["cell"])
        if stored is None:
            reason = f"{cell['status']}: {cell['reason']}" if cell["status"] != "ok" else "no longer in the store"
            title = f"{method} seed {cell['seed']} has no artifacts: {reason}"
            raise BadInput(title, "run the suite again to make them")
        images = stored.arrays("images")["images"]
        items = stored.items()
        names = [f"{p:04d}-{s:04d}" for p, s in zip(items.prompt, items.sample, strict=True)]
        if format_ is ImageFormat.PNG:
            where = to / f"seed-{cell['seed']}" if several else to
            _pngs(where, images, names)
        else:
            where = to / f"{'seed-' + str(cell['seed']) if several else 'images'}.npz"
            _npz(where, images)
        count = len(images)
        records.append(
            {"method": method, "seed": cell["seed"], "cell": cell["cell"], "images": count, "to": str(where)}
        )
    if as_json:
        print_json(records)
        return
    for record in records:
        line = f"{record['images']} images of {method} seed {record['seed']} → {record['to']}"
        put(Text(line), wrap=False)


def _chosen(cells: list[dict[str, Any]], method: str, seed: int | None) -> list[dict[str, Any]]:
    from harness.options import nearest

    labels = list(dict.fromkeys(c["method"] for c in cells))
    if method not in labels:
        near = nearest(method, labels)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise BadInput(f"the run has no row {method!r}{hint}", f"rows: {', '.join(labels)}")
    mine = [c for c in cells if c["method"] == method and str(seed) in ("None", str(c["seed"]))]
    if not mine:
        seeds = ", ".join(str(c["seed"]) for c in cells if c["method"] == method)
        raise BadInput(f"row {method!r} has no seed {seed}", f"seeds: {seeds}")
    return mine


def _pngs(folder: Path, images: Any, names: list[str]) -> None:
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for pixels, name in zip(images, names, strict=True):
        Image.fromarray(pixels).save(folder / f"{name}.png", compress_level=6)


def _npz(path: Path, images: Any) -> None:
    """ADM's form: `arr_0` (N, H, W, 3) uint8. Uncompressed, with fixed times inside, so that bytes repeat."""
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, np.ascontiguousarray(images))
