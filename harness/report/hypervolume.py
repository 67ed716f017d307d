"""Hypervolume of a sweep: the area that its points dominate, between them and a reference point, for two metrics.

Exact in two dimensions: points sorted by one metric, rectangles summed under the upper envelope. Both metrics are
oriented so that more is better; a pair with a metric that has no better side has none. Reference point: the worst value
of any ranked row of the run on either metric, the same for every sweep and printed beside the number; `share` is the
area over that of the box from there to the best values. Inert rows do not compete. A point dominates more than none and
a longer sweep more than a shorter one, so the number of points stands beside it.
Uncertainty: delete-one-prompt jackknife, both metrics and all points left out jointly, the reference point held fixed.
It needs values an item whose mean is the score; a set statistic (fd, recall, vendi) has none, and then no interval is
given. The area is smooth where the front does not change; where points cross it is optimistic, as any best-of is.
Closed forms: one point (a, b) from (0, 0): ab; (1, 2), (2, 1): 3; a dominated point adds 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.report.curves import MOST_AXES
from harness.report.entries import Direction
from harness.report.run_view import RunView
from harness.report.summary import Column, Row, Summary
from harness.stats.student import t_quantile

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
SIGN = {Direction.HIGHER: 1.0, Direction.LOWER: -1.0}
FEWEST = 5  # prompts below which the jackknife says little


@dataclass(frozen=True)
class Volume:
    """One sweep (or single row) by two metrics.

    points      rows of it that have both scores;  reference_x, reference_y  in the metrics' own units
    area        in unit of x times unit of y;  share  of the box from the reference point to the best values, in [0, 1]
    low, high   95 % interval of the area, or None with the reason in `why`
    """

    family: str
    x: str
    y: str
    points: int
    reference_x: float
    reference_y: float
    area: float
    share: float | None
    low: float | None
    high: float | None
    why: str


def area(points: Floats, reference: Floats) -> float:
    """Area dominated by points (N, 2), more is better on both axes, above reference (2,)."""
    above = np.maximum(np.asarray(points, dtype=np.float64) - reference, 0.0)
    total, height = 0.0, 0.0
    for x, y in sorted(map(tuple, above), reverse=True):  # from the right: each adds what it rises above the others
        total += x * max(y - height, 0.0)
        height = max(height, y)
    return total


def volumes(view: RunView, summary: Summary) -> tuple[Volume, ...]:
    """Of every sweep and single row, for every pair of the metrics that the trade-off plots offer."""
    columns = [c for c in summary.columns if sum(summary.entry(r.label, c.name).ok for r in summary.rows) > 1]
    sided = [c for c in columns[:MOST_AXES] if c.direction in SIGN]
    items = item_sums(view.table_items)
    found = []
    for x, y in combinations(sided, 2):
        rows = [r for r in summary.rows if not r.inert and all(summary.entry(r.label, c.name).ok for c in (x, y))]
        values = {r.label: oriented(summary, r, x, y) for r in rows}
        if len(values) < 2:
            continue
        worst, best = (f(np.array([*values.values()]), axis=0) for f in (np.min, np.max))
        families: dict[str, list[Row]] = {}
        for row in rows:
            families.setdefault(row.family, []).append(row)
        found += [volume(family, rows, x, y, values, worst, best, items) for family, rows in families.items()]
    return tuple(found)


def volume(
    family: str,
    rows: Sequence[Row],
    x: Column,
    y: Column,
    values: Mapping[str, Floats],
    worst: Floats,
    best: Floats,
    items: Mapping[tuple[str, str], Mapping[str, tuple[float, int]]],
) -> Volume:
    """One family's; `values` are oriented, by label."""
    whole = area(np.array([values[r.label] for r in rows]), worst)
    box = float(np.prod(best - worst))
    low, high, why = jackknifed([r.label for r in rows], (x, y), values, worst, items)
    point_x, point_y = float(SIGN[x.direction] * worst[0]), float(SIGN[y.direction] * worst[1])
    share = whole / box if box > 0 else None
    return Volume(family, x.name, y.name, len(rows), point_x, point_y, whole, share, low, high, why)


def oriented(summary: Summary, row: Row, x: Column, y: Column) -> Floats:
    """(2,) both scores of a row, more is better."""
    return np.array([SIGN[c.direction] * (summary.entry(row.label, c.name).value or 0.0) for c in (x, y)])


def item_sums(items: pd.DataFrame) -> dict[tuple[str, str], dict[str, tuple[float, int]]]:
    """(method, metric) → prompt → sum and number of its items, over all seeds."""
    found: dict[tuple[str, str], dict[str, tuple[float, int]]] = {}
    columns = [items[c].astype(str) for c in ("method", "metric", "group")]
    for method, metric, group, value in zip(*columns, items["value"].astype(float), strict=True):
        own = found.setdefault((method, metric), {})
        total, count = own.get(group, (0.0, 0))
        own[group] = total + value, count + 1
    return {key: dict(sorted(own.items())) for key, own in found.items()}


def jackknifed(
    labels: Sequence[str],
    columns: tuple[Column, Column],
    values: Mapping[str, Floats],
    worst: Floats,
    items: Mapping[tuple[str, str], Mapping[str, tuple[float, int]]],
) -> tuple[float | None, float | None, str]:
    """95 % interval of the area over prompts, cut at 0; or None twice and why there is none."""
    prompts: list[str] | None = None
    left_out = np.empty((0, 0, 0))
    for i, label in enumerate(labels):
        for j, column in enumerate(columns):
            own = items.get((label, column.name))
            if not own:
                return None, None, f"{column.name} has no values an item"
            total, count = (sum(v[k] for v in own.values()) for k in (0, 1))
            sign = SIGN[column.direction]
            if abs(sign * total / count - values[label][j]) > 1e-6 * max(1.0, abs(values[label][j])):
                return None, None, f"{column.name} is not the mean of its items"
            if prompts is None:
                prompts = [*own]
                left_out = np.empty((len(prompts), len(labels), 2))
            if [*own] != prompts:
                return None, None, "the two metrics do not have the same clusters of items"
            left_out[:, i, j] = [sign * (total - s) / max(count - n, 1) for s, n in own.values()]
    if len(left_out) < FEWEST:
        return None, None, f"{len(left_out)} clusters of items, fewer than {FEWEST}"
    areas = np.array([area(points, worst) for points in left_out])
    count = len(areas)
    error = float(np.sqrt((count - 1) / count * ((areas - areas.mean()) ** 2).sum()))
    middle = area(np.array([values[label] for label in labels]), worst)
    half = t_quantile(0.975, count - 1) * error
    return max(0.0, middle - half), middle + half, ""


def by_pair(found: Sequence[Volume]) -> dict[tuple[str, str], list[Volume]]:
    """Volumes by the metrics across and up, in either order, largest first."""
    pairs: dict[tuple[str, str], list[Volume]] = {}
    for v in sorted(found, key=lambda v: -v.area):
        for key in ((v.x, v.y), (v.y, v.x)):
            pairs.setdefault(key, []).append(v)
    return pairs


def table(found: Sequence[Volume]) -> pd.DataFrame:
    """The machine-readable form: one row a volume, columns as the fields."""
    import pandas as pd

    return pd.DataFrame([astuple(v) for v in found], columns=[f.name for f in fields(Volume)])
