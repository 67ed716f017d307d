"""Flips of an items frame: pairing by seed and key, missing partners, and what has no verdict."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.scoring.columns import FLIPS
from harness.scoring.flips import flips_of

ID = "exact[v=1]"


def items(method, values, *, seed="0", metric_id=ID, start=0):
    return [
        {"method": method, "seed": seed, "metric": "exact", "metric_id": metric_id, "group": f"{i + start:04d}",
         "item": f"{i + start:04d}/0000", "value": v}
        for i, v in enumerate(values)
    ]  # fmt: skip


def found(rows, right=1.0):
    made = flips_of(pd.DataFrame(rows), {ID: right}, "untouched")
    assert all(tuple(sorted(r)) == tuple(sorted(FLIPS)) for r in made)
    return {(r["method"], r["seed"]): r for r in made}


def counts(row):
    return tuple(row[k] for k in ("lost", "gained", "both", "neither", "unpaired"))


def test_rows_are_compared_with_the_baseline_item_by_item():
    made = found([*items("untouched", [1, 1, 0, 0]), *items("gains", [1, 0, 1, 1])])
    assert set(made) == {("gains", "0"), ("gains", "all")}
    assert counts(made["gains", "0"]) == counts(made["gains", "all"]) == (1, 2, 1, 0, 0)


def test_right_is_the_value_that_the_metric_declares():
    made = found([*items("untouched", [0.0, 0.5, 0.0]), *items("gains", [0.0, 0.0, 0.25])], right=0.0)
    assert counts(made["gains", "all"]) == (1, 1, 1, 0, 0)


def test_items_without_a_partner_and_without_a_verdict_are_counted():
    rows = [*items("untouched", [1, 1, 1]), *items("gains", [0.0, np.nan, 1.0], start=1)]
    made = found(rows)  # items 0 … 2 against 1 … 3: 0 and 3 are alone, 2 has no verdict
    assert counts(made["gains", "all"]) == (1, 0, 0, 0, 3)


def test_seeds_pool_and_a_seed_that_failed_leaves_its_items_unpaired():
    rows = [r for s in ("0", "1") for r in items("untouched", [1, 0], seed=s)] + items("gains", [0, 0], seed="0")
    made = found(rows)
    assert counts(made["gains", "0"]) == (1, 0, 0, 1, 0)
    assert counts(made["gains", "1"]) == (0, 0, 0, 0, 2)
    assert counts(made["gains", "all"]) == (1, 0, 0, 1, 2)


def test_the_same_item_at_several_seeds_is_one_cluster():
    rows = [r for s in "012345" for m, v in (("untouched", 1), ("gains", 0)) for r in items(m, [v], seed=s)]
    made = found(rows)["gains", "all"]
    assert (made["lost"], made["clusters"], made["p_value"]) == (6, 1, 1.0)


def test_nothing_is_paired_without_a_baseline_or_with_another_metric():
    rows = [*items("untouched", [1]), *items("gains", [0])]
    assert flips_of(pd.DataFrame(rows), {ID: 1.0}, None) == []
    assert flips_of(pd.DataFrame(rows), {"exact[v=2]": 1.0}, "untouched") == []
    assert found(items("gains", [0])) == {}
