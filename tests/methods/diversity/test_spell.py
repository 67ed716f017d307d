"""Sparse repellency in closed form (generation.md section 5)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from harness import keys
from harness.data.references import References
from harness.methods.diversity import balls, search
from harness.methods.diversity.balls import nearest, push, within
from harness.methods.diversity.spell import Among, Spell
from harness.methods.method import Couples, Group, Step
from harness.models.diffusion.loop import sample
from harness.models.diffusion.stage import LoopStage

STEP = Step(0, 5, 999.0, 0.95, 0.1, 0.995)
SHAPE = (2, 4, 4)


def _points(count: int, *key: int | str, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.stack([keys.normal((32,), 0, "world", *key, i) for i in range(count)])


def _moved(points: torch.Tensor, group: Group | None = None, step: Step = STEP, **options: Any) -> torch.Tensor:
    centres = options.pop("centres", None)
    method = Spell(protected=None if centres is None else "protected", centres=centres, **options)
    group = group or Group(3, 0, "hat", 0, tuple(range(len(points))))
    return method.clean_samples([points.view(-1, *SHAPE)], step, [group])[0].flatten(1)


def _one_ball(distance: float, radius: float, overcompensation: float) -> float:
    """Distance after the push of a point at `distance` from a protected point."""
    z = _points(1, "z")
    direction = _points(1, "u")
    x = z + distance * direction / direction.norm()
    moved = _moved(x, centres=z, among=Among.NOTHING, radius_protected=radius, overcompensation=overcompensation)
    return float((moved - z).norm())


@pytest.mark.parametrize("distance", [0.5, 3.0, 9.9])
def test_one_ball_puts_the_point_on_its_surface(distance: float) -> None:
    assert _one_ball(distance, 10.0, 1.0) == pytest.approx(10.0, rel=1e-5)


@pytest.mark.parametrize("distance", [0.5, 3.0, 9.9])
def test_overcompensation_goes_beyond_by_its_factor(distance: float) -> None:
    assert _one_ball(distance, 10.0, 1.6) == pytest.approx(distance + 1.6 * (10.0 - distance), rel=1e-5)


@pytest.mark.parametrize(("overcompensation", "expected"), [(1.0, 2 * 10.0 - 4.0), (1.6, 4.0 + 2 * 1.6 * 6.0)])
def test_a_pair_of_a_group_moves_apart_from_both_sides(overcompensation: float, expected: float) -> None:
    x = _points(1, "x").repeat(2, 1)
    direction = _points(1, "u")
    x[1] += (4.0 * direction / direction.norm())[0]
    moved = _moved(x, radius=10.0, among=Among.GROUP, overcompensation=overcompensation)
    assert float((moved[0] - moved[1]).norm()) == pytest.approx(expected, rel=1e-5)


def test_outside_every_ball_the_object_itself_comes_back() -> None:
    x = _points(4, "x").view(-1, *SHAPE)
    group = Group(3, 0, "hat", 0, (0, 1, 2, 3))
    for options in ({"radius": 1e-3}, {"radius": 0.0}, {"radius": 1e3, "overcompensation": 0.0}):
        assert Spell(**options).clean_samples([x], STEP, [group])[0] is x
    assert {value for name, _, value in group.activity if name == "pushed"} == {0.0, 1.0}


def test_only_the_items_inside_a_ball_move() -> None:
    x = _points(4, "x")
    centres = x[2:3] + 0.01
    moved = _moved(x, centres=centres, among=Among.NOTHING, radius_protected=1.0)
    assert torch.equal(moved[[0, 1, 3]], x[[0, 1, 3]])
    assert not torch.equal(moved[2], x[2])


def test_two_opposite_balls_cancel_and_are_counted() -> None:
    x, u = _points(1, "x"), _points(1, "u")
    u = u / u.norm()
    group = Group(3, 0, "hat", 0, (0,))
    moved = _moved(x, group, centres=torch.cat([x + u, x - u]), among=Among.NOTHING, radius_protected=2.0)
    assert torch.allclose(moved, x, atol=1e-5)
    assert ("cancelled", 0, 1.0) in group.activity
    assert ("pushed", 0, 1.0) in group.activity


def test_a_point_on_a_centre_takes_a_keyed_direction_and_is_counted() -> None:
    x = _points(2, "x")
    groups = [Group(3, 0, "hat", 0, (0, 1)) for _ in range(2)]
    options: dict[str, Any] = {"centres": x[:1], "among": Among.NOTHING, "radius_protected": 2.0}
    first, second = (_moved(x, g, overcompensation=1.0, **options) for g in groups)
    assert float((first[0] - x[0]).norm()) == pytest.approx(2.0, rel=1e-5)
    assert torch.equal(first, second)
    assert torch.equal(first[1], x[1])
    assert ("coincident", 0, 0.5) in groups[0].activity
    other = _moved(x, Group(4, 0, "hat", 0, (0, 1)), overcompensation=1.0, **options)
    assert not torch.equal(first[0], other[0])


def test_identical_samples_of_a_group_leave_each_other() -> None:
    x = _points(1, "x").repeat(3, 1)
    moved = _moved(x, radius=2.0, among=Among.GROUP)
    assert float(torch.nn.functional.pdist(moved).min()) > 1.0


def test_permuting_the_points_permutes_the_push_to_rounding_of_float64() -> None:
    x, order = _points(6, "x").double(), torch.tensor([3, 0, 5, 1, 4, 2])
    plain, permuted = push(x, x, 9.0, own=True), push(x[order], x[order], 9.0, own=True)
    assert plain.inside.min() > 0
    assert float((plain.delta[order] - permuted.delta).abs().max()) <= 1e-12


@pytest.mark.parametrize("own", [True, False])
def test_blocks_and_chunks_change_no_bit(monkeypatch: pytest.MonkeyPatch, own: bool) -> None:
    x = _points(9, "x")
    centres = x if own else _points(23, "z")
    radius = 8.0
    whole = push(x, centres, radius, own=own)
    monkeypatch.setattr(search, "PAIRS_A_BLOCK", 4 * 9)
    monkeypatch.setattr(search, "NUMBERS_A_PRODUCT", 50)
    monkeypatch.setattr(balls, "FEW_PAIRS", 0)
    monkeypatch.setattr(balls, "NUMBERS_A_CHUNK", 32 * 5)
    cut = push(x, centres, radius, own=own)
    assert 0 < int(whole.inside.sum()) < len(x) * len(centres)
    assert torch.equal(whole.inside, cut.inside)
    assert torch.allclose(whole.delta, cut.delta, atol=1e-14)


def test_the_push_is_the_formula() -> None:
    """Against the dense double loop in float64, far from the origin where float32 screening cancels."""
    x, z = _points(5, "x") + 100.0, _points(7, "z") + 100.0
    found = push(x, z, 8.0)
    for i in range(5):
        total = torch.zeros(32, dtype=torch.float64)
        for k in range(7):
            away = x[i].double() - z[k].double()
            total += max(8.0 / float(away.norm()) - 1.0, 0.0) * away
        assert torch.allclose(found.delta[i], total, atol=1e-12)


@pytest.mark.parametrize("sign", [-1, 1])
def test_membership_is_decided_in_float64_at_the_surface(sign: int) -> None:
    """A distance that float32 cannot tell from the radius is still on its right side."""
    z = torch.full((1, 32), 50.0)
    x = z.clone()
    x[0, 0] += 3.0
    found = push(x, z, 3.0 * (1 + sign * 1e-12))
    assert int(found.inside[0]) == (1 if sign > 0 else 0)


def test_float32_screening_loses_no_point_just_inside() -> None:
    """Far from the origin |x|² + |z|² - 2 x·z is wrong by far more than the last hundredth of the ball."""
    z = _points(100, "z") + 200.0
    u = _points(100, "u")
    x = z + 2.99 * u / u.norm(dim=1, keepdim=True)
    for i in range(100):
        assert int(push(x[i : i + 1], z[i : i + 1], 3.0).inside[0]) == 1, i


def test_earlier_groups_of_the_prompt_repel_only_with_history() -> None:
    x = _points(2, "x", scale=10.0)
    for among, moves in ((Among.HISTORY, True), (Among.GROUP, False)):
        group = Group(3, 0, "hat", 1, (2, 3), finished=x[:1] + 0.01)
        moved = _moved(x, group, radius=1.0, among=among)
        assert torch.equal(moved[1], x[1])
        assert torch.equal(moved[0], x[0]) != moves
        assert Spell(radius=1.0, among=among).coupling() is Couples(among.value)


def test_one_pass_over_the_protected_set_gives_each_group_its_own() -> None:
    points = [_points(3, "x", g) for g in range(3)]
    centres = _points(40, "z")
    method = Spell(protected="p", centres=centres, among=Among.GROUP, radius=7.0, radius_protected=7.0)
    groups = [Group(3, g, "hat", 0, (0, 1, 2)) for g in range(3)]
    x0s = [p.view(-1, *SHAPE) for p in points]
    together = method.clean_samples(x0s, STEP, groups)
    for g in range(3):
        alone = method.clean_samples([x0s[g]], STEP, [groups[g]])[0]
        assert torch.equal(together[g], alone)


@pytest.mark.parametrize(("sigma", "active"), [(0.5, False), (1.0, False), (1.5, True), (2.0, True), (2.1, False)])
def test_the_gate_is_open_below_and_closed_above(sigma: float, active: bool) -> None:
    """sigma in (1, 2]."""
    a = (1 + sigma**2) ** -0.5
    step = Step(3, 5, 500.0, 0.5, a, sigma * a)
    assert step.sigma == pytest.approx(sigma)
    step = Step(3, 5, 500.0, 0.5, 1.0, sigma)  # exact
    x = _points(2, "x")
    moved = _moved(x, step=step, radius=100.0, sigma_min=1.0, sigma_max=2.0)
    assert torch.equal(moved, x) != active


@pytest.mark.parametrize(("apply_at", "moves"), [("both", [True, True]), ("first", [True, False])])
def test_second_stages_are_corrected_unless_told_otherwise(apply_at: str, moves: list[bool]) -> None:
    x = _points(2, "x")
    for stage, expected in enumerate(moves):
        step = Step(1, 5, 900.0, 0.9, 0.1, 0.995, stage)
        assert torch.equal(_moved(x, step=step, radius=100.0, apply_at=apply_at), x) != expected


# --- radii --------------------------------------------------------------------------------------------------------


class _Stage:
    latent_shape = SHAPE
    prompts = ("a", "b")

    def __init__(self) -> None:
        self.asked: list[int] = []

    def base_latents(self, per_prompt: int) -> torch.Tensor:
        self.asked.append(per_prompt)
        return torch.stack([_points(per_prompt, "base", p) for p in range(2)])

    def encode(self, data: str) -> torch.Tensor:
        return _points(20, data)

    def references(self, data: str) -> References:
        return References.of(self.encode(data))


def test_the_radius_is_a_quantile_of_distances_within_prompts() -> None:
    stage = _Stage()
    prepared = Spell(radius_quantile=0.25, pilot=5).prepare(stage)
    base = stage.base_latents(5)
    distances = [float((base[p, i] - base[p, j]).norm()) for p in range(2) for i in range(5) for j in range(i)]
    assert prepared.radius == pytest.approx(np.quantile(distances, 0.25), rel=1e-6)
    assert prepared.radius_protected is None
    assert len(within(base)) == len(distances) == 20


def test_the_protected_radius_is_the_base_models_in_shield_rate() -> None:
    stage = _Stage()
    prepared = Spell(protected="shield", among=Among.NOTHING, radius_quantile=0.25, pilot=40).prepare(stage)
    to_nearest = nearest(stage.base_latents(40).flatten(0, 1), stage.encode("shield"))
    assert prepared.radius is None
    assert prepared.radius_protected is not None
    assert float((to_nearest < prepared.radius_protected).double().mean()) == pytest.approx(0.25, abs=0.02)


def test_a_given_radius_asks_for_no_pilot_and_serves_both() -> None:
    stage = _Stage()
    prepared = Spell(protected="shield", radius=5.0).prepare(stage)
    assert (prepared.radius, prepared.radius_protected) == (5.0, 5.0)
    assert stage.asked == []
    assert torch.equal(prepared.centres.rows, stage.encode("shield"))


def test_an_unprepared_quantile_is_an_error_not_an_inert_method() -> None:
    x, group = _points(2, "x").view(-1, *SHAPE), Group(3, 0, "hat", 0, (0, 1))
    with pytest.raises(ValueError, match="not prepared: give `radius`"):
        Spell().clean_samples([x], STEP, [group])
    with pytest.raises(ValueError, match="protected set is not encoded"):
        Spell(protected="p", radius=1.0).clean_samples([x], STEP, [group])
    with pytest.raises(ValueError, match="nothing repels"):
        Spell(among=Among.NOTHING)


def test_a_shield_is_left_by_whole_sampling_runs(toy: Any) -> None:
    """The toy's own samples as the protected set: without the method they are recreated, with it they are not."""
    model = toy()
    group = lambda: [Group(7, 0, "hat", 0, tuple(range(8)))]  # noqa: E731
    base = sample(model, Spell(radius=0.0), group(), seed=7)
    shield = torch.from_numpy(base.latents)
    stage = LoopStage(model, ("hat",), lambda _: np.zeros((1, 4, 4, 3), np.uint8))
    radius = 0.3 * float(within(stage.base_latents(8)).mean())
    method = Spell(protected="p", among=Among.NOTHING, radius_protected=radius, centres=shield)
    shielded = sample(model, method, group(), seed=7)
    inside = [float((nearest(torch.from_numpy(s.latents), shield) < radius).double().mean()) for s in (base, shielded)]
    assert inside[0] == 1.0
    assert inside[1] <= 0.2
    pushed = [row for row in shielded.activity if row[2] == "pushed"]
    assert len(pushed) == model.steps  # the active share is recorded at every step
    assert max(row[4] for row in pushed) > 0
