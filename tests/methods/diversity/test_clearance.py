"""A search is left out only where no ball can have been entered, and the result has the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import keys
from harness.data.references import References
from harness.methods.diversity import balls, clearance
from harness.methods.diversity.balls import push, within
from harness.methods.diversity.clearance import Clearance, push_moved
from harness.methods.diversity.spell import Among, Spell
from harness.methods.method import Group
from harness.models.diffusion.loop import sample
from harness.models.diffusion.stage import LoopStage


@pytest.fixture(autouse=True)
def _always_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balls, "FEW_PAIRS", 0)


def _draw(count: int, *key: int | str) -> torch.Tensor:
    return torch.from_numpy(keys.generator(0, "world", *key).standard_normal((count, 64), dtype=np.float32))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), stride=st.floats(1e-4, 0.5), radius=st.floats(4.0, 9.0))
def test_a_walk_with_skips_is_the_walk_without(seed: int, stride: float, radius: float) -> None:
    centres = References.of(_draw(60, "z", seed).half())
    x, memory = 0.7 * _draw(5, "x", seed), {}
    for step in range(8):
        ((found, share),) = push_moved([x], [memory], centres, radius)
        plain = push(x, centres, radius)
        assert torch.equal(found.delta, plain.delta)
        assert torch.equal(found.inside, plain.inside)
        assert 0.0 <= share <= 1.0
        assert share == 0.0 or step
        x = x + stride * _draw(5, "move", seed, step)


def test_points_that_rest_outside_are_searched_once() -> None:
    centres, memory = References.of(_draw(60, "z")), {}
    x = _draw(5, "x")
    shares = [push_moved([x + 1e-5 * i], [memory], centres, 3.0)[0][1] for i in range(4)]
    assert shares == [0.0, 1.0, 1.0, 1.0]
    assert push_moved([x], [memory], centres, 3.5)[0][1] == 0.0  # another radius
    assert push_moved([x], [memory], References.of(_draw(60, "z")), 3.5)[0][1] == 0.0  # another set


def test_a_point_walks_exactly_to_the_surface() -> None:
    """One center at the origin: the room is the distance to its ball, and using it up ends the skipping."""
    centres, memory = References.of(torch.cat([torch.zeros(1, 64), 100.0 + _draw(40, "z")])), {}
    x = torch.zeros(1, 64)
    x[0, 0] = 10.0
    push_moved([x], [memory], centres, 4.0)
    room = float(memory[clearance.KEY].room[0])
    assert 0.0 < room <= 6.0
    for inward, skipped in ((0.999 * room, 1.0), (1.001 * room, 0.0)):
        state = dict(memory)
        y = x.clone()
        y[0, 0] -= inward
        assert push_moved([y], [state], centres, 4.0)[0][1] == skipped


def test_a_point_inside_is_searched_at_every_step_and_nan_is_never_safe() -> None:
    centres, memory = References.of(_draw(60, "z")), {}
    x = centres.rows[:2] + 0.01
    assert [push_moved([x], [memory], centres, 3.0)[0][1] for _ in range(3)] == [0.0] * 3
    far = Clearance(centres, 3.0, x, torch.full((2,), 1e9, dtype=torch.float64))
    assert far.holds(x, centres, 3.0).all()
    assert not far.holds(x * torch.nan, centres, 3.0).any()


def test_a_skip_that_forgets_the_radius_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: room = m instead of m - r."""
    monkeypatch.setattr(
        Clearance,
        "holds",
        lambda self, x, c, r: (x.double() - self.then.double()).norm(dim=1) < self.room + self.radius,
    )
    centres, memory = References.of(torch.cat([torch.zeros(1, 64), 100.0 + _draw(40, "z")])), {}
    x = torch.zeros(1, 64)
    x[0, 0] = 10.0
    push_moved([x], [memory], centres, 4.0)
    x[0, 0] = 3.9
    assert not torch.equal(push_moved([x], [memory], centres, 4.0)[0][0].inside, push(x, centres, 4.0).inside)


def test_whole_sampling_runs_with_and_without_skips_have_the_same_bytes(
    toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = toy()

    def groups() -> list[Group]:
        return [Group(7, 0, "hat", 0, (0, 1, 2, 3)), Group(7, 1, "a portrait", 0, (0, 1, 2, 3))]

    stage = LoopStage(model, ("hat",), lambda _: np.zeros((1, 4, 4, 3), np.uint8))
    shield = stage.base_latents(8)[0]
    radius = 0.3 * float(within(shield[None]).mean())
    method = Spell(protected="p", among=Among.NOTHING, radius_protected=radius, centres=References.of(shield))
    skipping = sample(model, method, groups(), seed=7)
    monkeypatch.setattr(Clearance, "holds", lambda self, x, c, r: torch.zeros(len(x), dtype=torch.bool))
    looking = sample(model, method, groups(), seed=7)
    assert np.array_equal(skipping.latents, looking.latents)
    rows = lambda s, name: [row for row in s.activity if row[2] == name]  # noqa: E731
    assert rows(skipping, "pushed") == rows(looking, "pushed")
    assert max(row[4] for row in rows(skipping, "search.skipped")) > 0
    assert max(row[4] for row in rows(looking, "search.skipped")) == 0
    assert len(rows(skipping, "search.skipped")) == 2 * model.steps
