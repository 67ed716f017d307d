"""Divergence of attribute shares: closed forms, bias, correction and its condition number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.attribute_divergence import Divergence, DivergenceCorrected, divergence
from harness.metrics.attribute_shares import total_variation
from harness.metrics.confusion import condition, corrected
from harness.metrics.metric import CannotMeasure, Evidence, Items, ScoreStatus

MATRIX = np.array([[0.9, 0.1], [0.2, 0.8]])


@pytest.fixture
def seen(make_items: Callable[..., Items]) -> Callable[..., Evidence]:
    """counts of two classes a prompt → evidence with a sure classifier; uniform target unless given."""

    def build(*counts: tuple[int, int], target: tuple[float, float] = (0.5, 0.5)) -> Evidence:
        labels = np.concatenate([np.repeat([0, 1], c) for c in counts])
        each = sum(counts[0])
        return Evidence(
            make_items(len(counts), each, each),
            predictions={"avatars": {"hat": np.eye(2, dtype=np.float32)[labels]}},
            targets={"hat": np.tile(target, (len(counts), 1))},
            confusion={"avatars": {"hat": MATRIX, "hat.n": np.full(2, 400)}},
        )

    return build


def test_shares_of_seven_tenths_by_hand(seen: Callable[..., Evidence]) -> None:
    """ln 2 - H(.7) = .0822828 nats; a missing class is ln 2; the target itself is 0; prompts are averaged."""
    assert Divergence("hat").measure(seen((70, 30))).value == pytest.approx(0.0822828, abs=1e-7)
    assert Divergence("hat").measure(seen((100, 0))).value == pytest.approx(np.log(2))
    assert Divergence("hat").measure(seen((25, 75), target=(0.25, 0.75))).value == pytest.approx(0.0, abs=1e-15)
    assert Divergence("hat").measure(seen((70, 30), (100, 0))).value == pytest.approx((0.0822828 + np.log(2)) / 2)


@given(st.lists(st.integers(0, 40), min_size=3, max_size=3), st.lists(st.integers(1, 40), min_size=3, max_size=3))
def test_it_is_that_of_scipy_and_above_pinskers_bound(counts: list[int], wanted: list[int]) -> None:
    from scipy.stats import entropy

    p = np.array(counts) / max(sum(counts), 1) if sum(counts) else np.full(3, 1 / 3)
    q = np.array(wanted) / sum(wanted)
    found = float(divergence(p, q))
    assert found == pytest.approx(float(entropy(p, q)), abs=1e-12)
    assert found >= 2 * float(total_variation(p, q)) ** 2 - 1e-12


def test_the_null_is_the_known_bias(seen: Callable[..., Evidence]) -> None:
    """(K - 1)/(2n) = .0025 at n = 200 to first order; 4000 draws, so a standard error of about .00006."""
    null = Divergence("hat").measure(seen((100, 100))).companions["null"].value
    assert null == pytest.approx(0.0025, abs=3e-4)


def test_the_correction_gives_the_reference_shares_and_its_condition(seen: Callable[..., Evidence]) -> None:
    """Accuracies .9/.8, truth .7/.3: observed .69/.31 wait for inversion (generation.md section 4)."""
    assert (np.array([0.7, 0.3]) @ MATRIX).tolist() == pytest.approx([0.69, 0.31])
    assert corrected(np.array([0.69, 0.31]), MATRIX).tolist() == pytest.approx([0.7, 0.3])
    found = DivergenceCorrected("hat").measure(seen((69, 31)))
    assert found.value == pytest.approx(0.0822828, abs=1e-7)
    assert found.companions["condition"].value == pytest.approx(np.linalg.cond(MATRIX, 2))
    assert found.companions["condition"].units is None
    assert found.companions["uncorrected"].value == pytest.approx(float(divergence([0.69, 0.31], [0.5, 0.5])))


def test_a_perfect_reader_has_condition_one() -> None:
    assert condition(np.eye(3)) == pytest.approx(1.0)
    assert condition(np.array([[0.6, 0.4], [0.4, 0.6]])) == pytest.approx(5.0)


def test_a_target_that_excludes_a_class_has_no_divergence(seen: Callable[..., Evidence]) -> None:
    assert divergence(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == np.inf
    for made in (Divergence("hat"), DivergenceCorrected("hat")):
        with pytest.raises(CannotMeasure, match=r"excludes a class.*use attr\.tv") as caught:
            made.measure(seen((5, 5), target=(1.0, 0.0)))
        assert caught.value.status is ScoreStatus.UNDEFINED
