"""The frames: exact columns, aggregates over seeds, pairing, Holm's families, gaps that stay gaps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.keys import generator
from harness.metrics.metric import Direction, Evidence, Measurement, Metric, Need, ScoreStatus, metric
from harness.scoring.columns import ITEMS, SCORES
from harness.scoring.frame import CellScores, frames
from harness.scoring.scorer import Scored
from harness.stats.units import Estimator, UnitKind, Units

PROMPTS, SAMPLES = 12, 4


@metric("toy.first", unit="1", direction=Direction.HIGHER, estimator=Estimator.MEAN)
@dataclass(frozen=True)
class First(Metric):
    def needs(self) -> tuple[Need, ...]:
        return ()

    def measure(self, evidence: Evidence) -> Measurement:
        raise AssertionError("frames do not measure")


@metric("toy.second", unit="1", direction=Direction.LOWER, estimator=Estimator.PLUG_IN)
@dataclass(frozen=True)
class Second(First):
    pass


METRICS = (First(), Second())
IDS: dict[Metric, str] = {m: f"{m.name}[n=48,v=1]" for m in METRICS}


def _measurement(shift: float, seed: int, name: str) -> Measurement:
    shared = generator(seed, "stats", "shared").standard_normal(PROMPTS * SAMPLES)
    own = generator(seed, "stats", name).standard_normal(PROMPTS * SAMPLES)
    values = shared + 0.1 * own + shift
    prompt = np.repeat(np.arange(PROMPTS), SAMPLES)
    key = np.array([f"{p:04d}/{i % SAMPLES:04d}" for i, p in enumerate(prompt)])
    cluster = np.array([f"{p:04d}" for p in prompt])
    companion = Measurement(0.5, 48, None)
    units = Units(UnitKind.ITEMS, key, cluster, values)
    return Measurement(float(values.mean()), 48, units, items=(key, cluster, values), companions={"beside": companion})


def _pseudo(shift: float, seed: int) -> Measurement:
    values = generator(seed, "stats", "pseudo").standard_normal(10) + shift
    group = np.array([f"g{i:02d}" for i in range(10)])
    return Measurement(float(values.mean()) + 0.25, 48, Units(UnitKind.PSEUDO, group, group, values))


def _cell(method: str, seed: int, shift: float, status: str = "ok") -> CellScores:
    info: dict[str, Any] = {
        "run": "r", "suite": "s", "suite_version": 1, "task": "t", "model": "m", "method": method, "role": "method",
        "params": "{}", "split": "report", "seed": str(seed), "cell": f"{method}{seed}", "seconds": 2.0 + seed,
        "denoiser_calls": 10, "peak_memory_mb": 100.0 + seed,
    }  # fmt: skip
    scores = (
        Scored(METRICS[0], IDS[METRICS[0]], ScoreStatus.OK, "", _measurement(shift, seed, method)),
        Scored(METRICS[1], IDS[METRICS[1]], ScoreStatus.OK, "", _pseudo(shift, seed)),
    )
    return CellScores(info, status, "" if status == "ok" else "it broke", scores if status == "ok" else ())


def _frames(cells: list[CellScores]) -> tuple[pd.DataFrame, pd.DataFrame]:
    made = frames(cells, METRICS, IDS, compare_to="iid", primary=("toy.first",))
    return made.scores, made.items


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    cells = [_cell(m, s, shift) for m, shift in (("iid", 0.0), ("better", 0.3), ("same", 0.0)) for s in (0, 1, 2)]
    return _frames(cells)[0]


def _row(scores: pd.DataFrame, method: str, seed: str, name: str) -> pd.Series[Any]:
    found = scores[(scores.method == method) & (scores.seed == seed) & (scores.metric == name)]
    assert len(found) == 1
    return found.iloc[0]


def test_columns_are_exactly_those_of_the_issue(scores: pd.DataFrame) -> None:
    assert list(scores.columns) == list(SCORES)
    assert _frames([_cell("iid", 0, 0.0)])[1].columns.tolist() == list(ITEMS)


def test_one_row_a_cell_and_metric_and_one_an_aggregate(scores: pd.DataFrame) -> None:
    # 3 methods x (3 seeds + all) x (2 metrics + 1 companion)
    assert len(scores) == 3 * 4 * 3


def test_the_aggregate_is_the_mean_over_seeds(scores: pd.DataFrame) -> None:
    for name in ("toy.first", "toy.second"):
        each = [_row(scores, "better", str(s), name).value for s in (0, 1, 2)]
        assert _row(scores, "better", "all", name).value == pytest.approx(np.mean(each), rel=1e-12)


def test_n_of_pooled_items_adds_up_and_n_of_a_plug_in_stays(scores: pd.DataFrame) -> None:
    assert _row(scores, "better", "all", "toy.first").n == 3 * 48
    assert _row(scores, "better", "all", "toy.second").n == 48


def test_a_paired_shift_is_seen_and_the_plain_intervals_would_hide_it(scores: pd.DataFrame) -> None:
    row, base = _row(scores, "better", "all", "toy.first"), _row(scores, "iid", "all", "toy.first")
    assert row.delta == pytest.approx(0.3, abs=0.05)
    assert row.delta_ci_low > 0
    assert row.ci_low < base.ci_high  # the unpaired intervals overlap


def test_the_difference_of_plug_in_values_is_centred_on_them(scores: pd.DataFrame) -> None:
    cells = [_cell("iid", 0, 0.0), _cell("better", 0, 0.3)]
    cells[1].scores[1].measurement.units.value[0] += 0.5  # type: ignore[union-attr]
    row = _row(_frames(cells)[0], "better", "0", "toy.second")
    assert row.delta == pytest.approx(0.3, abs=1e-12)
    assert (row.delta_ci_low + row.delta_ci_high) / 2 == pytest.approx(row.delta, abs=1e-9)


def test_the_baseline_is_not_compared_with_itself(scores: pd.DataFrame) -> None:
    assert scores[scores.method == "iid"].delta.isna().all()


def test_holm_corrects_primary_and_other_metrics_as_two_families(scores: pd.DataFrame) -> None:
    rows = scores[(scores.seed == "all") & (scores.metric == "toy.first") & scores.p_value.notna()]
    smallest = rows.p_value.min()
    assert rows[rows.p_value == smallest].p_holm.iloc[0] == pytest.approx(2 * smallest)  # two methods, one metric
    assert scores[(scores.seed != "all")].p_holm.isna().all()


def test_companions_are_rows_without_direction_or_comparison(scores: pd.DataFrame) -> None:
    row = _row(scores, "better", "0", "toy.first.beside")
    assert (row.value, row.direction, row.ci_method) == (0.5, "none", "exact")
    assert pd.isna(row.delta)


def test_a_failed_cell_has_rows_without_numbers_and_its_aggregate_too() -> None:
    cells = [_cell("iid", 0, 0.0), _cell("iid", 1, 0.0), _cell("bad", 0, 0.0), _cell("bad", 1, 0.0, status="failed")]
    scores = _frames(cells)[0]
    row = _row(scores, "bad", "1", "toy.first")
    assert (row.status, row.reason) == ("failed", "it broke")
    assert pd.isna(row.value)
    total = _row(scores, "bad", "all", "toy.first")
    assert pd.isna(total.value)
    assert total.reason == "1/2 seeds: it broke"


def test_an_identical_method_says_so_instead_of_a_p_value() -> None:
    copy = _cell("iid", 0, 0.0)
    inert = CellScores({**copy.info, "method": "inert", "cell": "x"}, "ok", "", copy.scores)
    row = _row(_frames([copy, inert])[0], "inert", "0", "toy.first")
    assert row.delta == 0.0
    assert pd.isna(row.p_value)
    assert "identical on every unit" in row.reason


def test_items_hold_every_value_once() -> None:
    items = _frames([_cell("iid", 0, 0.0), _cell("better", 0, 0.3)])[1]
    assert len(items) == 2 * 48
    assert not items.duplicated(["method", "seed", "metric", "item"]).any()


def test_order_of_cells_changes_no_value() -> None:
    cells = [_cell(m, s, shift) for m, shift in (("iid", 0.0), ("better", 0.3)) for s in (0, 1)]
    one, other = _frames(cells)[0], _frames(cells[::-1])[0]
    key = ["method", "seed", "metric"]
    pd.testing.assert_frame_equal(
        one.sort_values(key).reset_index(drop=True), other.sort_values(key).reset_index(drop=True), check_exact=True
    )


def test_a_row_is_compared_with_the_control_made_for_it() -> None:
    shifts = (("iid", 0.0), ("better", 0.3), ("control", 0.3), ("weak", 0.1))
    cells = [_cell(m, s, shift) for m, shift in shifts for s in (0, 1)]
    pairs = [("better", "control"), ("better", "weak")]
    found = frames(cells, METRICS, IDS, compare_to="iid", primary=("toy.first",), controls=pairs).comparisons
    assert found[["method", "metric", "baseline"]].values.tolist() == [
        ["better", "toy.first", "control"],
        ["better", "toy.first", "weak"],
    ]
    assert found.delta_ci_low[0] < 0 < found.delta_ci_high[0]
    assert found.delta_ci_low[1] > 0
    assert (found.p_holm >= found.p_value).all()
