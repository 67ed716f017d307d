"""`harness export RUN`: artifacts as files that others read: PNG folders and npz, JSONL of texts, WAV folders.

Bytes and names depend on the cells only, so that two exports of a run are the same files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.arguments import Json, RunFolder
from harness.cli.output import BadInput, print_json, put

if TYPE_CHECKING:
    from harness.engine.store import StoredCell


class ExportFormat(StrEnum):
    PNG = "png"
    NPZ = "npz"
    JSONL = "jsonl"
    WAV = "wav"


ARTIFACT = {
    ExportFormat.PNG: "images",
    ExportFormat.NPZ: "images",
    ExportFormat.JSONL: "texts",
    ExportFormat.WAV: "audio",
}


def export(
    run: RunFolder,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder to write; made when missing.")],
    method: Annotated[str, typer.Option("--method", metavar="NAME", help="Label of the row.")],
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="One seed; all without it.")] = None,
    format_: Annotated[
        ExportFormat | None,
        typer.Option(
            "--format",
            help="png: one file an image, named prompt-sample. npz: arr_0, as ADM. jsonl: one line a text, with key,"
            " source, reference. wav: one file an utterance, and manifest.jsonl."
            " [dim]default: what fits the task[/]",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a row's images, texts or sound for other evaluators.

    A folder of PNGs, one npz a seed, one JSONL a seed, or a folder of WAVs; bytes and names depend on the cells only.
    """
    from rich.text import Text

    from harness.runs import read_run

    found = read_run(run)
    cells = _chosen(found.record["cells"], method, seed)
    several = len({cell["seed"] for cell in cells}) > 1
    records: list[dict[str, Any]] = []
    for cell in cells:
        stored = found.store.cell(cell["cell"])
        if stored is None:
            reason = f"{cell['status']}: {cell['reason']}" if cell["status"] != "ok" else "no longer in the store"
            title = f"{method} seed {cell['seed']} has no artifacts: {reason}"
            raise BadInput(title, "run the suite again to make them")
        chosen = _format(stored, format_)
        folder = f"seed-{cell['seed']}" if several else ""
        count, where = WRITERS[chosen](to, folder, stored, found.record.get("specimens") or {})
        what = "sounds" if chosen is ExportFormat.WAV else ARTIFACT[chosen]
        records.append({"method": method, "seed": cell["seed"], "cell": cell["cell"], what: count, "to": str(where)})
    if as_json:
        print_json(records)
        return
    for record in records:
        what = next(w for w in ("images", "texts", "sounds") if w in record)
        line = f"{record[what]} {what} of {method} seed {record['seed']} → {record['to']}"
        put(Text(line), wrap=False)


def _format(stored: StoredCell, asked: ExportFormat | None) -> ExportFormat:
    """The format asked for, or the first that fits what the cell holds."""
    fitting = [f for f in ExportFormat if ARTIFACT[f] in stored.names]
    if not fitting:
        held = ", ".join(stored.names) or "nothing"
        raise BadInput(f"there is no file format for what this row made: {held}", "images, texts and audio have one")
    if asked is not None and asked not in fitting:
        raise BadInput(
            f"this row made no {ARTIFACT[asked]}: it cannot be written as {asked.value}",
            f"formats that fit: {', '.join(f.value for f in fitting)}",
        )
    return asked or fitting[0]


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


def _keys(stored: StoredCell) -> list[tuple[int, int]]:
    """(cluster, sample) of each item: what names its file."""
    table = stored.items()
    return [(int(p), int(s)) for p, s in zip(table.prompt, table.sample, strict=True)]


def _pngs(to: Path, folder: str, stored: StoredCell, _: Mapping[str, Any]) -> tuple[int, Path]:
    from PIL import Image

    images, where = stored.arrays("images")["images"], to / folder
    where.mkdir(parents=True, exist_ok=True)
    for pixels, (p, s) in zip(images, _keys(stored), strict=True):
        Image.fromarray(pixels).save(where / f"{p:04d}-{s:04d}.png", compress_level=6)
    return len(images), where


def _npz(to: Path, folder: str, stored: StoredCell, _: Mapping[str, Any]) -> tuple[int, Path]:
    """ADM's form: `arr_0` (N, H, W, 3) uint8. Uncompressed, with fixed times inside, so that bytes repeat."""
    import numpy as np

    images, path = stored.arrays("images")["images"], to / f"{folder or 'images'}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, np.ascontiguousarray(images))
    return len(images), path


def _jsonl(to: Path, folder: str, stored: StoredCell, asked: Mapping[str, Any]) -> tuple[int, Path]:
    """One line a text: key "cluster/sample", source and reference ("" where the task has none), output."""
    texts, path = stored.arrays("texts")["texts"], to / f"{folder or 'texts'}.jsonl"
    lines = [
        {"key": f"{p:04d}/{s:04d}", "source": source, "reference": reference, "output": str(text)}
        for (p, s), source, reference, text in zip(
            _keys(stored), *(_asked(asked, k, len(texts)) for k in ("sources", "references")), texts, strict=True
        )
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_lines(lines))
    return len(lines), path


def _wavs(to: Path, folder: str, stored: StoredCell, asked: Mapping[str, Any]) -> tuple[int, Path]:
    """One mono 16-bit WAV an utterance, named as images are, and manifest.jsonl with what was said."""
    from harness.report.sound import wav
    from harness.scoring.specimens import RATE

    arrays, where = stored.arrays("audio", "lengths"), to / folder
    where.mkdir(parents=True, exist_ok=True)
    lines = []
    said = _asked(asked, "references", len(arrays["audio"]))
    for (p, s), sound, length, text in zip(_keys(stored), arrays["audio"], arrays["lengths"], said, strict=True):
        name = f"{p:04d}-{s:04d}.wav"
        (where / name).write_bytes(wav(sound[: int(length)], RATE))
        lines.append({"file": name, "key": f"{p:04d}/{s:04d}", "reference": text, "samples": int(length), "rate": RATE})
    (where / "manifest.jsonl").write_bytes(_lines(lines))
    return len(lines), where


def _asked(asked: Mapping[str, Any], name: str, count: int) -> list[str]:
    """What the run's record says was asked, item by item; empty texts where it says nothing."""
    found = [str(t) for t in asked.get(name, ())]
    return found if len(found) == count else [""] * count


def _lines(records: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records).encode()


WRITERS: dict[ExportFormat, Callable[[Path, str, StoredCell, Mapping[str, Any]], tuple[int, Path]]] = {
    ExportFormat.PNG: _pngs,
    ExportFormat.NPZ: _npz,
    ExportFormat.JSONL: _jsonl,
    ExportFormat.WAV: _wavs,
}
