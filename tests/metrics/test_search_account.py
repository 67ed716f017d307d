"""search.gap: closed forms, the interval of a difference of two samples, pairing with the untouched row, the bound."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.metrics.metric import CannotMeasure, Evidence, Items
from harness.metrics.search_account import SearchGap, bound_of, gap_units
from harness.stats.intervals import interval
from harness.stats.paired import paired_difference
from harness.stats.student import t_quantile
from harness.stats.units import Estimator


def evidence(losses: np.ndarray, chosen: int, report: np.ndarray, nats: float = 0.0) -> Evidence:
    count = len(report)
    items = Items(np.arange(count), np.zeros(count, dtype=np.int64), np.arange(count), ("",) * count)
    search = {"losses": losses, "chosen": np.array(chosen), "nats": np.array(nats), "tune_loss": report}
    return Evidence(items, search=search)


def test_by_hand() -> None:
    losses = np.array([[1.0, 1, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0]])
    found = SearchGap().measure(evidence(losses, 1, np.array([1.0, 0, 0, 1, 1, 0]), nats=math.log(3)))
    assert found.value == pytest.approx(0.25)
    values = {k: m.value for k, m in found.companions.items()}
    expected = {"tune": 0.25, "report": 0.5, "identity": 0.5, "evaluations": 3.0, "ties": 1.0}
    assert {k: values[k] for k in expected} == expected
    assert values["bound"] == pytest.approx(math.sqrt(math.log(2 * 3 / 0.05) / 8))


def test_spread_is_that_of_a_difference_of_two_independent_means() -> None:
    rng = np.random.default_rng(0)
    tune, report = rng.random(40), rng.random(300) ** 2
    keys = np.array([str(i) for i in range(300)])
    units = gap_units(tune, report, keys, keys)
    assert units.value.mean() == pytest.approx(report.mean() - tune.mean(), abs=1e-12)
    found = interval(Estimator.MEAN, units)
    welch = math.sqrt(tune.var(ddof=1) / 40 + report.var(ddof=1) / 300)
    assert (found.high - found.low) / 2 == pytest.approx(t_quantile(0.975, 339) * welch, rel=1e-9)


def test_the_interval_covers_the_true_gap() -> None:
    rng = np.random.default_rng(1)
    keys = np.array([str(i) for i in range(120)])
    hits = 0
    for _ in range(2000):
        tune, report = rng.beta(2, 5, 50), rng.beta(2, 3, 120)
        found = interval(Estimator.MEAN, gap_units(tune, report, keys, keys))
        hits += found.low <= 2 / 5 - 2 / 7 <= found.high
    assert hits / 2000 == pytest.approx(0.95, abs=0.012)


def test_pairing_with_the_untouched_row_removes_the_difference_between_the_splits() -> None:
    rng = np.random.default_rng(2)
    hard = rng.random(200) * 0.5 + 0.4  # a harder report split
    easy = rng.random(30) * 0.2
    base = SearchGap().measure(evidence(easy[None], 0, hard))
    learnt = rng.random(30) * 0.1
    moved = np.stack([easy, easy - learnt])
    over = SearchGap().measure(evidence(moved, 1, hard))
    assert base.units is not None
    assert over.units is not None
    difference = paired_difference(Estimator.MEAN, over.units, base.units, value=over.value - base.value)
    assert difference.delta == pytest.approx(learnt.mean())
    assert difference.missing == 0
    assert 0.03 < difference.interval.low < difference.interval.high < 0.07


def test_an_optimiser_of_which_nothing_is_known_promises_nothing() -> None:
    search = {"nats": np.array(np.nan), "losses": np.zeros((5, 1000))}
    assert bound_of(search, 0.05) == 1.0


def test_without_an_offline_search_there_is_no_gap() -> None:
    with pytest.raises(CannotMeasure, match="no offline search"):
        SearchGap().measure(Evidence(Items(np.arange(1), np.zeros(1, dtype=np.int64), np.arange(1), ("",))))
