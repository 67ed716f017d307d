from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.metrics import METRICS
from harness.metrics.judge_names import SCORERS
from harness.metrics.metric import CannotMeasure, Direction, Evidence, Items, Need, ScoreStatus
from harness.metrics.quality import Quality, worst_decile

MakeItems = Callable[..., Items]


def judged(items: Items, scores: list[float]) -> Evidence:
    return Evidence(items, judged={"sharpness": {"score": np.array(scores, dtype=np.float32)}})


def test_the_value_is_the_mean_over_images_and_blocks_are_the_clusters(make_items: MakeItems) -> None:
    scores = [0.5, 0.25, 1.0, 0.75]
    measurement = Quality("sharpness").measure(judged(make_items(2, 2, 2), scores))
    assert measurement.value == 0.625
    assert measurement.n == 4
    assert measurement.units is not None
    assert measurement.units.cluster.tolist() == ["0000", "0000", "0001", "0001"]
    assert measurement.items is not None
    assert measurement.items[2].tolist() == scores
    assert Quality.direction is Direction.HIGHER


@pytest.mark.parametrize(("count", "taken"), [(1, 1), (10, 1), (11, 2), (40, 4)])
def test_the_worst_decile_is_the_mean_of_the_worst_tenth_rounded_up(
    count: int, taken: int, make_items: MakeItems
) -> None:
    scores = np.arange(count)[::-1] / count
    assert worst_decile(scores) == pytest.approx(np.arange(taken).mean() / count)
    companion = Quality("sharpness").measure(judged(make_items(count, 1, 1), scores.tolist())).companions
    assert companion["worst_decile"].value == pytest.approx(np.arange(taken).mean() / count, abs=1e-7)
    assert companion["worst_decile"].n == taken


def test_one_bad_image_moves_the_worst_decile_more_than_the_mean(make_items: MakeItems) -> None:
    items = make_items(20, 1, 1)
    good, bad = (Quality("sharpness").measure(judged(items, [0.9] * 18 + [x] * 2)) for x in (0.9, 0.1))
    assert good.value - bad.value == pytest.approx(0.08)
    assert good.companions["worst_decile"].value - bad.companions["worst_decile"].value == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({}, ScoreStatus.FAILED),
        ({"sharpness": {"text": np.array(["a", "b"])}}, ScoreStatus.PROTOCOL_MISMATCH),
        ({"sharpness": {"score": np.ones(3)}}, ScoreStatus.PROTOCOL_MISMATCH),
        ({"sharpness": {"score": np.ones((2, 1))}}, ScoreStatus.PROTOCOL_MISMATCH),
        ({"sharpness": {"score": np.array([1.0, np.nan])}}, ScoreStatus.FAILED),
    ],
)
def test_what_is_not_a_score_for_each_item_is_no_number(
    given: dict[str, dict[str, np.ndarray]], status: ScoreStatus, make_items: MakeItems
) -> None:
    with pytest.raises(CannotMeasure) as caught:
        Quality("sharpness").measure(Evidence(make_items(2, 1, 1), judged=given))
    assert caught.value.status is status


def test_it_asks_for_its_judge_and_names_are_those_of_the_judges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.models.judges import JUDGES, find

    assert Quality("sharpness").needs() == (Need("judged", name="sharpness"),)
    assert METRICS.resolve("quality.avatars-quality-b").bound == {"scorer": "avatars-quality-b"}
    for name in SCORERS:
        assert name in JUDGES
        assert find(name).reads == ("images",)
    assert "quality.koncept" not in METRICS
    monkeypatch.setenv("HARNESS_WEIGHTS", str(tmp_path))
    (tmp_path / "koncept.judge.yaml").write_text("judge: torchscript-scorer\n")
    assert METRICS.resolve("quality.koncept").bound == {"scorer": "koncept"}
