"""Planted models: what an attack must find, and what it must not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.keys import generator
from harness.metrics.metric import Evidence, Items
from harness.metrics.unlearning.outcomes import Outcomes

CLASSES = 4


def planted(
    seed: int = 0,
    *,
    forget: int = 120,
    retain: int = 500,
    test: int = 200,
    seen: float = 0.0,
    over: float = 3.0,
    others: int = 2,
    hard: float = 1.0,
) -> Evidence:
    """Evidence of models that are surer of the true class by `over` where they trained: D_r, and `seen` of it on D_f.

    `seen` 0 is a Retrain, 1 an over-fitted original, below 0 a model that forgot too much. Retrain and the other
    retrained models are drawn alike: the same examples, other weights.
    """
    random = generator(seed, "world", "planted")
    role = np.repeat(["forget", "retain", "test"], [forget, retain, test])
    n = len(role)
    label = random.integers(0, CLASSES, size=n)
    hardness = hard * random.normal(size=n)

    def model(on_forget: float) -> np.ndarray:
        sure = (
            hardness
            + 0.5 * random.normal(size=n)
            + over * np.select([role == "forget", role == "retain"], [on_forget, 1.0])
        )
        return np.asarray(sure[:, None] * np.eye(CLASSES)[label], dtype=np.float32)

    attacked, original, retrained = model(seen), model(1.0), model(0.0)
    number = np.arange(n)
    items = Items(number, np.zeros(n, dtype=np.int64), number, tuple(map(str, number)))
    more = tuple(model(0.0) for _ in range(others))
    return Evidence(items, outcomes=Outcomes(role, label, attacked, original, retrained, more, seed=seed))


@pytest.fixture(scope="session")
def plant() -> Callable[..., Evidence]:
    return planted
