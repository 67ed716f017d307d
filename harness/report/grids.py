"""Image grids: the same prompt and the same noise in every column, one method a row, one sprite a row.

Every row of a grid is one picture (samples side by side), so that a page of hundreds of images holds a few dozen.
Small images are stored losslessly (PNG); images above THUMB_PX are shown as JPEG thumbnails, and the page says so.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from harness.report.run_view import GridImages, RunView
from harness.report.summary import Row, Summary

THUMB_PX = 128  # longest side of an image in the page
BUDGET = 4_300_000  # bytes of all sprites as base64 text; the page as a whole stays under about 6 MB
MOST_SAMPLES = 12  # columns
MOST_PROMPTS = 24
MOST_ROWS = 14


@dataclass(frozen=True)
class Sprite:
    """Samples of one (method, prompt) side by side. name: the CSS class; samples: which, in order; uri: a data URI."""

    name: str
    samples: tuple[int, ...]
    uri: str


@dataclass(frozen=True)
class GridRow:
    """A method's sprite, or why there is none."""

    row: Row
    sprite: Sprite | None
    missing: str = ""


@dataclass(frozen=True)
class Grid:
    prompt: int
    text: str
    samples: tuple[int, ...]
    rows: tuple[GridRow, ...]


@dataclass(frozen=True)
class Gallery:
    """Grids by prompt, of the cells of one seed.

    shown     "8 of 16 samples, 6 of 24 prompts, …" where the page does not carry everything, else ""
    reduced   images were scaled down for the page
    size_px   height and width of the stored images
    """

    seed: str
    grids: tuple[Grid, ...]
    shown: str = ""
    reduced: bool = False
    size_px: tuple[int, int] = (0, 0)
    sprites: Mapping[tuple[str, int], Sprite] = field(default_factory=dict)


def gallery(view: RunView, summary: Summary) -> Gallery | None:
    """Grids of the first seed with images; None when no cell has any."""
    for seed in view.seeds:
        loaded, missing = load(view, seed)
        if loaded:
            return lay_out(seed, summary, loaded, missing)
    return None


def load(view: RunView, seed: str) -> tuple[dict[str, GridImages], dict[str, str]]:
    """Images by method label of the seed's cells; for the others the reason why there are none."""
    loaded: dict[str, GridImages] = {}
    missing: dict[str, str] = {}
    for row in view.cells[view.cells["seed"].astype(str) == seed].itertuples(index=False):
        if row.status != "ok":
            missing[str(row.method)] = f"{row.status}: {row.reason}"
            continue
        try:
            loaded[str(row.method)] = view.images(str(row.cell))
        except (KeyError, OSError, ValueError) as error:
            missing[str(row.method)] = f"no images: {error}"
    return loaded, missing


def lay_out(seed: str, summary: Summary, loaded: Mapping[str, GridImages], missing: Mapping[str, str]) -> Gallery:
    first = next(iter(loaded.values()))
    rows = chosen_rows(summary)
    names = cluster_names(first.prompts, summary.cluster)
    prompts = sorted({int(p) for g in loaded.values() for p in g.prompt})
    samples = sorted({int(s) for g in loaded.values() for s in g.sample})
    height, width = first.images.shape[1:3]
    kept_prompts, kept_samples = spread(prompts, MOST_PROMPTS), samples[:MOST_SAMPLES]
    size = measure(loaded, rows, kept_prompts[0], kept_samples)
    while size * len(kept_prompts) > BUDGET and len(kept_prompts) > 6:
        kept_prompts = spread(prompts, len(kept_prompts) - 1)
    while size * len(kept_prompts) > BUDGET and len(kept_samples) > 4:
        size *= (len(kept_samples) - 1) / len(kept_samples)
        kept_samples = kept_samples[:-1]
    while size * len(kept_prompts) > BUDGET and len(kept_prompts) > 1:
        kept_prompts = spread(prompts, len(kept_prompts) - 1)
    sprites: dict[tuple[str, int], Sprite] = {}
    grids = []
    for prompt in kept_prompts:
        made = []
        for row in rows:
            sprite = None
            if row.label in loaded:
                sprite = sprite_of(f"sp{len(sprites)}", loaded[row.label], prompt, kept_samples)
            if sprite is not None:
                sprites[row.label, prompt] = sprite
            reason = "" if sprite else missing.get(row.label, f"no image of this {summary.cluster}")
            made.append(GridRow(row, sprite, reason))
        grids.append(Grid(prompt, names[prompt], tuple(kept_samples), tuple(made)))
    counts = [
        (len(kept_samples), len(samples), "samples"), (len(kept_prompts), len(prompts), f"{summary.cluster}s"),
        (len(rows), len(summary.rows), "rows"),
    ]  # fmt: skip
    shown = ", ".join(f"{a} of {b} {word}" for a, b, word in counts if a < b)
    return Gallery(seed, tuple(grids), shown, max(height, width) > THUMB_PX, (height, width), sprites)


def cluster_names(texts: Sequence[str], cluster: str) -> tuple[str, ...]:
    """The clusters' texts; where all of several are the same text it names none of them: "block 1", "block 2"."""
    if len(texts) > 1 and len(set(texts)) == 1:
        return tuple(f"{cluster} {i + 1}" for i in range(len(texts)))
    return tuple(texts)


def chosen_rows(summary: Summary) -> tuple[Row, ...]:
    """All rows; of long sweeps the lowest, middle and highest point."""
    if len(summary.rows) <= MOST_ROWS:
        return summary.rows
    dropped: set[str] = set()
    for family in summary.families().values():
        kept = {family[i].label for i in (0, len(family) // 2, len(family) - 1)}
        dropped |= {r.label for r in family} - kept
    return tuple(r for r in summary.rows if r.label not in dropped)


def spread(values: Sequence[int], count: int) -> list[int]:
    """At most `count` of the values, evenly spaced, first and last included."""
    if len(values) <= count:
        return list(values)
    return [values[i] for i in sorted({round(x) for x in np.linspace(0, len(values) - 1, count)})]


def measure(loaded: Mapping[str, GridImages], rows: Sequence[Row], prompt: int, samples: Sequence[int]) -> float:
    """Bytes of the sprites of one prompt, from at most three of its rows."""
    probes = [loaded[r.label] for r in rows if r.label in loaded][:3]
    sizes = [len(s.uri) for g in probes if (s := sprite_of("probe", g, prompt, samples)) is not None]
    return (sum(sizes) / len(sizes) if sizes else 0.0) * sum(r.label in loaded for r in rows)


def sprite_of(name: str, grid: GridImages, prompt: int, samples: Sequence[int]) -> Sprite | None:
    """The strip of the samples that exist, in the given order; None when the prompt has none."""
    index = {int(grid.sample[i]): int(i) for i in np.flatnonzero(grid.prompt == prompt)}
    present = [s for s in samples if s in index]
    if not present:
        return None
    return Sprite(name, tuple(present), data_uri(strip(grid.images[[index[s] for s in present]])))


def strip(images: NDArray[np.uint8]) -> Image.Image:
    """(N, H, W, 3) uint8 → one picture of height H and width N·W, scaled down to THUMB_PX where larger."""
    n, height, width, _ = images.shape
    scale = THUMB_PX / max(height, width)
    if scale >= 1:
        return Image.fromarray(np.ascontiguousarray(images.transpose(1, 0, 2, 3).reshape(height, n * width, 3)))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    sheet = Image.new("RGB", (n * size[0], size[1]))
    for i, image in enumerate(images):
        sheet.paste(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS), (i * size[0], 0))
    sheet.info["lossy"] = True
    return sheet


def data_uri(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    if picture.info.get("lossy"):
        picture.save(buffer, "JPEG", quality=86, optimize=True)
        kind = "jpeg"
    else:
        picture.save(buffer, "PNG", compress_level=4)
        kind = "png"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
