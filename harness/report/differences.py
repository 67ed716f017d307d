"""Where a difference comes from: item by item against the baseline on the same noise, and prompt by prompt.

Descriptive: single items and prompts carry no interval here, and the page says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from harness.report.grids import Gallery, Sprite
from harness.report.rounding import Digits, adjusted
from harness.report.run_view import RunView
from harness.report.summary import Column, Summary

ENDS = 6  # pairs shown at each end of the order
MOST_GROUPS = 12
MOST_METHODS = 12
IMAGE_KEY = re.compile(r"^(\d+)/(\d+)$")


@dataclass(frozen=True)
class Tile:
    """One image of a sprite: its position, or none where the page does not carry the image."""

    sprite: Sprite | None
    position: int


@dataclass(frozen=True)
class Pair:
    """One item: value and image with the baseline and with the method."""

    item: str
    seed: str
    group: str
    before: float
    after: float
    base: Tile
    method: Tile

    @property
    def delta(self) -> float:
        return self.after - self.before

    def text(self, value: float, *, signed: bool = False) -> str:
        """A number of the pair, with three significant digits of the larger one."""
        return Digits(2 - adjusted(max(abs(self.before), abs(self.after)))).text(value, signed=signed)


@dataclass(frozen=True)
class PairPanel:
    """Pairs of one (metric, method), ordered by difference: the largest gains of value, then the largest drops."""

    metric: str
    method: str
    against: str
    count: int
    higher: float
    up: tuple[Pair, ...]
    down: tuple[Pair, ...]


@dataclass(frozen=True)
class GroupTable:
    """Mean difference from the baseline by group (prompt, identity) and method; the groups that differ most first.

    scale  the largest absolute difference, for shading
    """

    column: Column
    methods: tuple[str, ...]
    groups: tuple[tuple[str, tuple[float | None, ...]], ...]
    left_out: int
    scale: float


def baseline_pairs(view: RunView, summary: Summary, metric: str) -> pd.DataFrame:
    """Items of a metric beside those of the baseline: method, seed, group, item, value, before, delta."""
    rows = view.table_items[(view.table_items["metric"] == metric) & view.table_items["value"].notna()]
    rows = rows[["method", "seed", "group", "item", "value"]].astype({"seed": str, "group": str, "item": str})
    base = rows[rows["method"] == summary.baseline][["seed", "item", "value"]].rename(columns={"value": "before"})
    joined = rows[rows["method"] != summary.baseline].merge(base, on=["seed", "item"])
    return joined.assign(delta=joined["value"] - joined["before"])


def with_items(view: RunView, summary: Summary) -> list[Column]:
    known = set(view.table_items["metric"].unique())
    return [c for c in summary.columns if c.name in known]


def pair_panels(view: RunView, summary: Summary, gallery: Gallery | None) -> tuple[PairPanel, ...]:
    """A panel for every image-wise metric and every method, from pairs whose images the page carries."""
    if gallery is None or not summary.baseline or not len(view.items):
        return ()
    panels = []
    methods = compared(summary)
    for column in with_items(view, summary):
        pairs = baseline_pairs(view, summary, column.name)
        pairs = pairs[pairs["item"].str.match(IMAGE_KEY.pattern)]
        for method in methods:
            mine = pairs[pairs["method"] == method]
            if not len(mine):
                continue
            here = mine[mine["seed"] == gallery.seed]
            records = [{str(k): v for k, v in r.items()} for r in here.to_dict("records")]
            shown = [p for p in records if has_tiles(gallery, summary.baseline, method, p)]
            shown.sort(key=lambda p: -float(p["delta"]))
            up = [p for p in shown if p["delta"] > 0][:ENDS]
            down = [p for p in reversed(shown) if p["delta"] < 0][:ENDS]
            if up or down:
                made = [tuple(pair_of(gallery, summary.baseline, method, p) for p in end) for end in (up, down)]
                wins = float((mine["delta"] > 0).mean() + (mine["delta"] == 0).mean() / 2)
                panels.append(PairPanel(column.name, method, summary.baseline, len(mine), wins, *made))
    return tuple(panels)


def compared(summary: Summary) -> list[str]:
    """Rows other than the baseline; of each sweep only its middle point when there are many rows."""
    rows = [r for r in summary.rows if r.label != summary.baseline]
    if len(rows) > MOST_METHODS:
        middle = {f[len(f) // 2].label for f in summary.families().values()}
        rows = [r for r in rows if not r.point or r.label in middle or r.family not in summary.families()]
    return [r.label for r in rows[:MOST_METHODS]]


def tile(gallery: Gallery, method: str, item: str) -> Tile:
    match = IMAGE_KEY.match(item)
    sprite = gallery.sprites.get((method, int(match[1]))) if match else None
    if match is None or sprite is None or int(match[2]) not in sprite.samples:
        return Tile(None, 0)
    return Tile(sprite, sprite.samples.index(int(match[2])))


def has_tiles(gallery: Gallery, base: str, method: str, pair: Mapping[str, object]) -> bool:
    return all(tile(gallery, m, str(pair["item"])).sprite is not None for m in (base, method))


def pair_of(gallery: Gallery, base: str, method: str, pair: Mapping[str, object]) -> Pair:
    item = str(pair["item"])
    texts = {g.prompt: g.text for g in gallery.grids}
    match = IMAGE_KEY.match(item)
    group = texts.get(int(match[1]), str(pair["group"])) if match else str(pair["group"])
    before, after = float(str(pair["before"])), float(str(pair["value"]))
    tiles = tile(gallery, base, item), tile(gallery, method, item)
    return Pair(item, str(pair["seed"]), group, before, after, *tiles)


def group_tables(view: RunView, summary: Summary, prompts: Sequence[str]) -> tuple[GroupTable, ...]:
    """One table a metric with items, over all seeds."""
    if not summary.baseline or not len(view.items):
        return ()
    tables = []
    for column in with_items(view, summary):
        pairs = baseline_pairs(view, summary, column.name)
        methods = [m for m in compared(summary) if m in set(pairs["method"])]
        if not methods:
            continue
        wide = pairs.pivot_table(index="group", columns="method", values="delta", aggfunc="mean")[methods]
        order = wide.abs().max(axis=1).sort_values(ascending=False, kind="stable").index
        groups = []
        for name in order[:MOST_GROUPS]:
            values = tuple(None if math.isnan(v) else float(v) for v in wide.loc[name])
            groups.append((group_text(str(name), prompts), values))
        scale = float(wide.abs().max().max())
        tables.append(GroupTable(column, tuple(methods), tuple(groups), len(order) - len(groups), scale))
    return tuple(tables)


def group_text(group: str, prompts: Sequence[str]) -> str:
    """The prompt's text where the group is its index."""
    return prompts[int(group)] if group.isdigit() and int(group) < len(prompts) else group
