"""The frames: one row a (cell, metric), aggregates over seeds, paired differences from the baseline, Holm's correction.

Every interval comes from the metric's units by its estimator class (harness/stats). A row has a value only with status
ok; a difference only between equal metric ids.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.metrics.metric import Direction, Measurement, Metric, ScoreStatus
from harness.scoring.columns import AGGREGATE, COMPARISONS, ITEMS, SCORES
from harness.scoring.scorer import Scored
from harness.stats.intervals import interval
from harness.stats.multiplicity import holm
from harness.stats.paired import by_cluster, paired_difference
from harness.stats.units import CannotInfer, UnitKind, over_seeds

if TYPE_CHECKING:
    import pandas as pd

UNCHANGED = "inert: the output equals that of the untouched model; not ranked"  # reason of an inert row's scores
BY_PROMPT = "difference paired by prompt only: images made elsewhere share no noise with ours"


@dataclass(frozen=True)
class CellScores:
    """The scores of one cell with what its rows need: identity in the suite, status and costs.

    info  run, suite, suite_version, task, model, method (label), role, params (JSON), split, seed (str), cell,
          seconds, denoiser_calls, evaluations, peak_memory_mb, inert (True where nothing changed), and origin
          "external" for images made elsewhere
    status, reason   of the cell; scores are empty unless it is ok
    """

    info: Mapping[str, Any]
    status: str
    reason: str
    scores: tuple[Scored, ...] = ()


@dataclass(frozen=True)
class _Entry:
    """One row before comparison."""

    info: Mapping[str, Any]
    metric: Metric
    name: str
    metric_id: str
    direction: Direction
    status: str
    reason: str
    measurement: Measurement | None


@dataclass(frozen=True)
class Frames:
    """scores and items of a run; comparisons of rows with the controls made for them, on the aggregates."""

    scores: pd.DataFrame
    items: pd.DataFrame
    comparisons: pd.DataFrame


def frames(
    cells: Sequence[CellScores],
    metrics: Sequence[Metric],
    ids: Mapping[Metric, str],
    *,
    compare_to: str,
    primary: Sequence[str],
    controls: Sequence[tuple[str, str]] = (),
) -> Frames:
    """The frames of a run, columns as in harness/scoring/columns.py. controls: (row, its control), by label."""
    import pandas as pd

    entries = [e for c in cells for m, s in _pairs(c, metrics, ids) for e in _entries(c, m, s)]
    entries += _aggregates(entries)
    base = {(e.info["seed"], e.metric_id, e.name): e for e in entries if e.info["method"] == compare_to}
    rows = [_row(e, base.get((e.info["seed"], e.metric_id, e.name)), compare_to) for e in entries]
    _correct(rows, set(primary))
    compared = _comparisons([e for e in entries if e.info["seed"] == AGGREGATE], controls, set(primary))
    return Frames(
        pd.DataFrame(rows, columns=list(SCORES)),
        pd.DataFrame(_items(entries), columns=list(ITEMS)),
        pd.DataFrame(compared, columns=list(COMPARISONS)),
    )


def _comparisons(
    entries: Sequence[_Entry], controls: Sequence[tuple[str, str]], primary: set[str]
) -> list[dict[str, Any]]:
    """Rows against the controls made for them, on the primary metrics; Holm over this family."""
    at = {(e.info["method"], e.metric_id): e for e in entries}
    rows = []
    for label, control in controls:
        for entry in [e for e in entries if e.info["method"] == label and e.name in primary]:
            other = at.get((control, entry.metric_id))
            found = {} if other is None else _delta(entry, other, control)
            if found.get("p_value") is not None:
                rows.append({"method": label, "metric": entry.name, **{k: found[k] for k in COMPARISONS if k in found}})
    for row, p in zip(rows, holm([r["p_value"] for r in rows]), strict=True):
        row["p_holm"] = float(p)
    return rows


def _pairs(cell: CellScores, metrics: Sequence[Metric], ids: Mapping[Metric, str]) -> list[tuple[Metric, Scored]]:
    scored = {s.metric: s for s in cell.scores}
    return [(m, scored.get(m) or Scored(m, ids[m], ScoreStatus.FAILED, "not scored")) for m in metrics]


def _entries(cell: CellScores, metric: Metric, scored: Scored) -> list[_Entry]:
    if cell.status != "ok":
        return [
            _Entry(cell.info, metric, metric.name, scored.metric_id, metric.direction, cell.status, cell.reason, None)
        ]
    own = _Entry(
        cell.info,
        metric,
        metric.name,
        scored.metric_id,
        metric.direction,
        scored.status.value,
        scored.reason,
        scored.measurement,
    )
    companions = () if scored.measurement is None else scored.measurement.companions.items()
    return [own] + [
        replace(
            own,
            name=f"{metric.name}.{name}",
            metric_id=f"{scored.metric_id}.{name}",
            direction=Direction.NONE,
            measurement=measurement,
        )
        for name, measurement in companions
    ]


def _aggregates(entries: Sequence[_Entry]) -> list[_Entry]:
    """Rows with seed "all": the mean over seeds with pooled units; no number over a set with gaps."""
    grouped: dict[tuple[str, str, str], list[_Entry]] = {}
    for entry in entries:
        grouped.setdefault((entry.info["method"], entry.info["params"], entry.metric_id), []).append(entry)
    return [_aggregate(group) for group in grouped.values()]


def _aggregate(group: Sequence[_Entry]) -> _Entry:
    group = sorted(group, key=lambda e: str(e.info["seed"]))  # sums must not feel the order of the cells
    first = group[0]
    costs = {k: _mean([e.info.get(k) for e in group]) for k in ("seconds", "denoiser_calls", "evaluations")}
    peaks = [e.info["peak_memory_mb"] for e in group if e.info["peak_memory_mb"] is not None]
    unchanged = all(e.info.get("inert") for e in group)
    info = {
        **first.info,
        **costs,
        "inert": unchanged,
        "seed": AGGREGATE,
        "cell": "",
        "peak_memory_mb": max(peaks, default=None),
    }
    present = [e.measurement for e in group if e.measurement is not None]
    if len(present) < len(group):
        bad = next(e for e in group if e.measurement is None)
        seeds = f"{len(present)}/{len(group)} seeds"
        return replace(first, info=info, status=bad.status, reason=f"{seeds}: {bad.reason}", measurement=None)
    value = sum(m.value for m in present) / len(present)
    units = None
    if all(m.units is not None for m in present):
        units = over_seeds([str(e.info["seed"]) for e in group], [m.units for m in present if m.units is not None])
    pooled = units is None or units.kind is UnitKind.ITEMS
    n = sum(m.n for m in present) if pooled else min(m.n for m in present)  # a mean of values at n is still at n
    return replace(first, info=info, measurement=Measurement(value, n, units))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else None


def _row(entry: _Entry, base: _Entry | None, compare_to: str) -> dict[str, Any]:
    row = dict.fromkeys(SCORES)
    row.update({k: v for k, v in entry.info.items() if k in row})
    row.update(
        metric=entry.name,
        metric_id=entry.metric_id,
        direction=entry.direction.value,
        unit=entry.metric.unit,
        status=entry.status,
        reason=entry.reason,
    )
    measurement = entry.measurement
    if measurement is None:
        return row
    row.update(value=measurement.value, n=measurement.n)
    if measurement.units is not None:
        try:
            found = interval(entry.metric.estimator, measurement.units, value=measurement.value)
            row.update(ci_low=found.low, ci_high=found.high, ci_method=found.method)
        except CannotInfer as why:
            row.update(ci_method="none", reason=f"no interval: {why}")
    else:
        row.update(ci_method="exact")
    if base is not None and entry.info["method"] != compare_to:
        difference = _delta(entry, base, compare_to)
        if row["reason"] and difference.get("reason", "").startswith(BY_PROMPT):
            difference["reason"] = f"{row['reason']}; {difference['reason']}"
        row.update(difference)
    if entry.info.get("inert"):
        row.update(reason=f"{UNCHANGED}; {row['reason']}" if row["reason"] else UNCHANGED, p_value=None)
    return row


def _delta(entry: _Entry, base: _Entry, compare_to: str) -> dict[str, Any]:
    ours, theirs = entry.measurement, base.measurement
    if (
        entry.direction is Direction.NONE
        or ours is None
        or theirs is None
        or ours.units is None
        or theirs.units is None
    ):
        return {}
    delta = ours.value - theirs.value
    found: dict[str, Any] = {"baseline": compare_to, "delta": delta}
    pair, elsewhere = (ours.units, theirs.units), entry.info.get("origin") != base.info.get("origin")
    if elsewhere:
        pair = by_cluster(pair[0]), by_cluster(pair[1])
        found["reason"] = BY_PROMPT
    try:
        paired = paired_difference(entry.metric.estimator, *pair, value=delta)
    except CannotInfer as why:
        refused = f"no interval of the difference: {why}"
        return {**found, "reason": f"{found['reason']}; {refused}" if elsewhere else refused}
    low, high = paired.interval.low, paired.interval.high
    return {**found, "delta_ci_low": low, "delta_ci_high": high, "p_value": paired.p_value}


def _correct(rows: Sequence[dict[str, Any]], primary: set[str]) -> None:
    """p_holm over the aggregate rows: the primary metrics are one family, all others a second, exploratory one."""
    for is_primary in (True, False):
        family = [
            r
            for r in rows
            if r["seed"] == AGGREGATE and r["p_value"] is not None and (r["metric"] in primary) is is_primary
        ]
        for row, p in zip(family, holm([r["p_value"] for r in family]), strict=True):
            row["p_holm"] = float(p)


def _items(entries: Sequence[_Entry]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for entry in entries:
        if entry.measurement is None or entry.measurement.items is None:
            continue
        keys, groups, values = entry.measurement.items
        shared = {k: entry.info[k] for k in ("run", "cell", "method", "params", "seed")}
        shared |= {"metric": entry.name, "metric_id": entry.metric_id}
        rows += [
            {**shared, "group": str(g), "item": str(k), "value": float(v)}
            for k, g, v in zip(keys, groups, values, strict=True)
        ]
    return rows


def params_text(params: Mapping[str, Any]) -> str:
    """Parameters as the JSON text of the frame's `params` column."""
    return json.dumps(dict(params), sort_keys=True)
