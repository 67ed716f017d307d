from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.keys import generator
from harness.metrics.metric import CannotMeasure, Evidence, Items, ScoreStatus
from harness.metrics.nearest_neighbour import Normalize
from harness.metrics.neighbors import nearest, nearest_other
from harness.metrics.shield import Control, Of, ShieldRate, inside
from harness.options import OptionError, build

MakeItems = Callable[..., Items]


@pytest.fixture
def space(make_items: MakeItems) -> Callable[..., Evidence]:
    def made(generated: np.ndarray, protected: np.ndarray, heldout: np.ndarray | None = None) -> Evidence:
        features = {("generated", "latent"): generated, ("protected", "latent"): protected}
        if heldout is not None:
            features["heldout", "latent"] = heldout
        return Evidence(make_items(len(generated), 1, 1), features=features)

    return made


def cloud(n: int, name: str) -> np.ndarray:
    return generator(0, "world", name).normal(size=(n, 3))


def test_an_item_at_exactly_the_radius_is_outside(space: Callable[..., Evidence]) -> None:
    shield = np.zeros((1, 2))
    for distance, rate in ((0.0, 1), (1.9, 1), (2.0 * (1 - 2e-6), 1), (2.0 * (1 - 0.5e-6), 0), (2.0, 0), (2.1, 0)):
        evidence = space(np.array([[distance, 0.0]]), shield)
        assert ShieldRate("latent", radius=2.0).measure(evidence).value == rate, distance


def test_the_tolerance_and_the_radius_stand_in_the_id() -> None:
    text = str(ShieldRate("latent", radius=2.0).identify())
    assert text.startswith("shield.inside.latent[radius=2,quantile=None,of=protected,tolerance=1e-06")


def test_radius_zero_holds_nothing_not_even_a_copy(space: Callable[..., Evidence]) -> None:
    assert ShieldRate("latent", radius=0.0).measure(space(np.zeros((3, 2)), np.zeros((1, 2)))).value == 0


def test_a_radius_beyond_every_distance_holds_all(space: Callable[..., Evidence]) -> None:
    generated, protected = cloud(40, "g"), cloud(10, "p")
    furthest = nearest(generated, protected).distance.max()
    assert ShieldRate("latent", radius=furthest * 1.001).measure(space(generated, protected)).value == 1


@settings(max_examples=25)
@given(st.floats(0, 5), st.floats(0, 5))
def test_the_rate_grows_with_the_radius(first: float, second: float) -> None:
    distance = nearest(cloud(40, "g"), cloud(10, "p")).distance
    low, high = sorted((first, second))
    assert inside(distance, low, 1e-6).sum() <= inside(distance, high, 1e-6).sum()


def test_the_radius_may_be_a_quantile_of_the_shields_own_spacing(space: Callable[..., Evidence]) -> None:
    generated, protected = cloud(40, "g"), cloud(25, "p")
    measurement = ShieldRate("latent", quantile=0.2).measure(space(generated, protected))
    radius = np.quantile(nearest_other(protected).distance, 0.2)
    assert measurement.companions["radius"].value == radius
    assert measurement.value == inside(nearest(generated, protected).distance, float(radius), 1e-6).mean()


def test_a_duplicate_in_the_shield_counts_in_its_spacing(space: Callable[..., Evidence]) -> None:
    # Self is left out by number, not by distance: the two equal points are 0 apart.
    protected = np.array([[0.0, 0], [0, 0], [5, 0]])
    measurement = ShieldRate("latent", quantile=0.5).measure(space(np.ones((2, 2)), protected))
    assert measurement.companions["radius"].value == 0


def test_the_control_is_the_rate_of_images_never_trained_on(space: Callable[..., Evidence]) -> None:
    protected, heldout = cloud(30, "p"), cloud(200, "h")
    copies = protected[:20] + 1e-4
    measurement = ShieldRate("latent", quantile=0.1, of=Of.HELDOUT).measure(space(copies, protected, heldout))
    control = measurement.companions["control"]
    assert measurement.value == 1
    assert control.value == pytest.approx(0.1, abs=0.01)
    assert control.n == 200
    assert control.units is not None
    assert len(set(control.units.cluster.tolist())) == 200


def test_without_held_out_images_there_is_no_control(space: Callable[..., Evidence]) -> None:
    measurement = ShieldRate("latent", radius=1.0).measure(space(cloud(5, "g"), cloud(5, "p")))
    assert set(measurement.companions) == {"radius"}
    with pytest.raises(CannotMeasure, match="heldout features"):
        ShieldRate("latent", quantile=0.1, of=Of.HELDOUT).measure(space(cloud(5, "g"), cloud(5, "p")))
    assert {n.role for n in ShieldRate("latent", radius=1.0, control=Control.NONE).needs()} == {
        "generated",
        "protected",
    }


def test_shields_and_items_are_normalised_alike(space: Callable[..., Evidence]) -> None:
    points = cloud(10, "p")
    evidence = space(9 * points, points)
    assert ShieldRate("latent", radius=0.01, normalize=Normalize.UNIT).measure(evidence).value == 1
    assert ShieldRate("latent", radius=0.01).measure(evidence).value == 0


def test_the_units_are_the_items_with_their_prompts(evidence: Evidence) -> None:
    measurement = ShieldRate("avatars", radius=1.5).measure(evidence)
    assert 0 < measurement.value < 1
    assert measurement.units is not None
    assert measurement.units.key.tolist() == evidence.items.keys.tolist()
    assert measurement.units.cluster.tolist() == evidence.items.clusters.tolist()
    assert set(measurement.units.value.tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(("params", "found"), [({}, "neither"), ({"radius": 1.0, "quantile": 0.1}, "both")])
def test_the_radius_is_stated_once(params: dict[str, float], found: str) -> None:
    with pytest.raises(OptionError, match=f"state one of 'radius' and 'quantile', found {found}"):
        build(ShieldRate, params, extractor="latent")


def test_one_protected_point_has_no_spacing(space: Callable[..., Evidence]) -> None:
    with pytest.raises(CannotMeasure) as caught:
        ShieldRate("latent", quantile=0.5).measure(space(cloud(4, "g"), cloud(1, "p")))
    assert caught.value.status is ScoreStatus.INSUFFICIENT_N


def test_held_out_items_of_another_length_are_refused(space: Callable[..., Evidence]) -> None:
    evidence = space(cloud(4, "g"), cloud(4, "p"), np.zeros((3, 7)))
    with pytest.raises(CannotMeasure, match="not in one space"):
        ShieldRate("latent", radius=1.0).measure(evidence)
    plain = dataclasses.replace(evidence, features={k: v for k, v in evidence.features.items() if k[0] != "heldout"})
    assert ShieldRate("latent", radius=100.0).measure(plain).value == 1
