"""Truncation sets one knob of a view of the model, and nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.methods.retrofitting.truncation import Truncation
from harness.models.parameterisations import Knob


def session(name: str = "psi") -> Any:
    return SimpleNamespace(knobs={name: Knob(1.0, 0.0, 1.0, 0.2)}, settings={name: 1.0, "other": 3.0}, weights=[1, 2])


@pytest.mark.parametrize("name", ["psi", "truncation"])
def test_the_given_model_keeps_its_settings_and_shares_its_weights(name: str) -> None:
    model = session(name)
    edited = Truncation(psi=0.5).edit(model, None, seed=0)
    assert edited.settings == {name: 0.5, "other": 3.0}
    assert model.settings == {name: 1.0, "other": 3.0}
    assert edited.weights is model.weights


def test_one_is_the_untouched_model() -> None:
    model = session()
    assert Truncation(psi=1.0).edit(model, None, seed=0).settings == model.settings


def test_a_model_without_the_knob_or_outside_its_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match="the knob psi; this one has beams"):
        Truncation().edit(session("beams"), None, seed=0)
    with pytest.raises(ValueError, match=r"psi of this model lies in \[0, 1\], found 1.2"):
        Truncation(psi=1.2).edit(session(), None, seed=0)
