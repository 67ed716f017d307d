"""What every method that forgets must do: leave the given network, be reproducible, hand back a classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from harness.methods import METHODS
from harness.methods.unlearning.request import Forgetting
from harness.options import build
from tests.builders.forgetting import CLASSES, examples, original, request, same, state

# at which a method does much in little time on the toy
PARAMS: dict[str, dict[str, Any]] = {
    "retrain": {},
    "do_nothing": {},
    "ridge_head": {},
    "random_weights": {"like": "gradient_ascent", "epochs": 2, "rate": 0.05},
    "fine_tune": {"epochs": 2},
    "gradient_ascent": {"epochs": 6, "rate": 0.5},
    "random_label": {"epochs": 4, "rate": 0.1},
    "neggrad_plus": {"epochs": 8, "alpha": 0.5, "rate": 0.2},
    "l1_sparse": {"epochs": 4, "alpha": 2e-2, "rate": 0.2},
    "salun": {"epochs": 4, "rate": 0.1},
    "scrub": {"epochs": 3, "rate": 5e-3, "weight_decay": 0.0},
    "ssd": {"alpha": 0.5, "lam": 0.1},
    "bad_teacher": {"epochs": 4, "rate": 5e-3},
    "boundary_shrink": {"epochs": 4, "rate": 0.02},
    "boundary_expand": {"epochs": 4, "rate": 0.02},
    "duck": {"epochs": 4, "rate": 5e-3},
}
FORGETS = [n for n in METHODS.entries if issubclass(METHODS.get(n), Forgetting)]
KINDS = ("mlp", "resnet")


def test_every_method_that_forgets_is_in_the_table_of_this_contract() -> None:
    assert set(FORGETS) == set(PARAMS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PARAMS)
def test_the_given_network_stays_and_the_same_seed_gives_the_same_bytes(name: str, kind: str) -> None:
    given, asked = original(kind), request(kind)
    before = state(given)
    method: Forgetting = build(METHODS.get(name), PARAMS[name])
    first, again = (method.forget(given, asked, seed=3) for _ in range(2))
    after = state(given)
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert same(first, again)
    assert first.network is not given.network
    assert not any(p.requires_grad for p in first.network.parameters())
    assert not any(layer.training for layer in first.network.modules())
    logits = first.logits(asked.held_out)
    assert logits.shape == (len(asked.held_out), CLASSES)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("name", PARAMS)
def test_no_global_generator_is_read_or_moved(name: str) -> None:
    method: Forgetting = build(METHODS.get(name), PARAMS[name])
    given, asked = original("resnet"), request("resnet")
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = method.forget(given, asked, seed=3)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()  # noqa: NPY002
    torch.rand(1)
    assert same(first, method.forget(given, asked, seed=3))


@pytest.mark.parametrize(
    "name", [n for n in PARAMS if n not in ("do_nothing", "retrain", "random_weights", "fine_tune")]
)
def test_at_its_strength_it_forgets_and_costs_gradients(name: str) -> None:
    given, charged = original(), []
    asked = request(charge=lambda *c: charged.append(c))
    made = build(METHODS.get(name), PARAMS[name]).forget(given, asked, seed=3)
    forget, retain, _ = examples()

    def held(classifier: Any, shown: Any) -> float:
        p = torch.from_numpy(classifier.logits(shown)).softmax(1)
        return float(p[torch.arange(len(shown)), shown.labels].mean())

    assert held(made, forget) < held(given, forget) - 0.1
    assert held(made, forget) < held(made, retain)
    assert charged or name == "ridge_head"


def test_data_of_another_task_are_refused() -> None:
    with pytest.raises(TypeError, match="forgets examples of a classifier"):
        build(METHODS.get("salun"), {}).edit(original(), object(), 0)
