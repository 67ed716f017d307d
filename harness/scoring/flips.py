"""Flips of a run: every row against the baseline, item by item, for the metrics that call an item right or wrong.

Items are paired by seed and key. What has no partner, or no verdict, is counted as `unpaired`, never dropped silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.scoring.columns import AGGREGATE
from harness.stats.flips import Flips, flips

if TYPE_CHECKING:
    import pandas as pd


def flips_of(items: pd.DataFrame, right: Mapping[str, float], compare_to: str | None) -> list[dict[str, Any]]:
    """Rows with the columns FLIPS, of each seed and, with seed "all", of all pooled.

    items  the items frame;  right  metric id → item value that means "right";  compare_to  label of the baseline
    """
    found: list[dict[str, Any]] = []
    if not compare_to or not len(items):
        return found
    for metric_id, value in right.items():
        mine = items[items["metric_id"] == metric_id].astype({"seed": str, "item": str, "group": str})
        mine = mine.assign(right=mine["value"] == value)
        base = mine[mine["method"] == compare_to]
        for method in dict.fromkeys(mine["method"]):
            if method == compare_to or not len(base):
                continue
            both = base.merge(
                mine[mine["method"] == method], on=["seed", "item"], how="outer", suffixes=("_before", "_after")
            )
            for seed in (*sorted(set(both["seed"])), AGGREGATE):
                pairs = both if seed == AGGREGATE else both[both["seed"] == seed]
                about = {"method": method, "metric": mine["metric"].iloc[0], "metric_id": metric_id, "seed": seed}
                found.append({**about, "baseline": compare_to, **_counted(pairs)})
    return found


def _counted(pairs: pd.DataFrame) -> dict[str, Any]:
    known = pairs[pairs["value_before"].notna() & pairs["value_after"].notna()]
    made: Flips = flips(
        known["right_before"].to_numpy(dtype=bool),
        known["right_after"].to_numpy(dtype=bool),
        known["group_before"].to_numpy(dtype=np.str_),
    )
    return {
        "lost": made.lost,
        "gained": made.gained,
        "both": made.both,
        "neither": made.neither,
        "unpaired": len(pairs) - len(known),
        "clusters": made.clusters,
        "p_value": made.p_value,
    }
