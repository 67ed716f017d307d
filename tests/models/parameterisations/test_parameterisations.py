"""Parameterisations: 0 is the untouched model bit for bit, everything else acts, and nothing stays behind."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_session import TinySession

from harness.models.parameterisations import (
    BlockGains,
    ChannelGains,
    Decoding,
    Knob,
    LogitBias,
    Nothing,
    Parameterisation,
    RankOne,
)

SPACES: list[tuple[Parameterisation, int]] = [
    (BlockGains(), 4),
    (ChannelGains(), 5),
    (ChannelGains(biases=True), 10),
    (ChannelGains(layer="conv", groups=2), 2),
    (ChannelGains(layer="up", biases=True), 4),
    (RankOne(), 13),
    (RankOne(layer="conv"), 5),
    (Decoding(), 2),
    (Decoding(knobs=("beams",)), 1),
    (LogitBias(), 5),
    (LogitBias(tokens=(4, 1)), 2),
]
IDS = [f"{s.name}-{n}" for s, n in SPACES]
X = torch.linspace(-1, 1, 12).view(3, 4)


def state(session: TinySession) -> str:
    """A digest of every byte that a parameterisation could have left changed."""
    parts = [p.detach().numpy().tobytes() for m in (*session.blocks.values(), *session.layers.values())
             for p in m.parameters()]  # fmt: skip
    hooks = [len(m._forward_hooks) for m in session.blocks.values()]
    rest = repr((hooks, session.settings, session.logit_bias)).encode()
    return hashlib.sha256(b"".join(parts) + rest).hexdigest()


@pytest.mark.parametrize(("space", "size"), SPACES, ids=IDS)
def test_zero_is_the_untouched_model_bit_for_bit(space: Parameterisation, size: int) -> None:
    session = TinySession()
    assert space.size(session) == size
    before = session.run(X).numpy().tobytes()
    for zero in (np.zeros(size), -np.zeros(size)):
        with space.applied(session, zero):
            assert session.run(X).numpy().tobytes() == before


@pytest.mark.parametrize(("space", "size"), SPACES, ids=IDS)
def test_every_coordinate_acts_and_nothing_stays(space: Parameterisation, size: int) -> None:
    session = TinySession()
    untouched, before = session.run(X), state(session)
    base = np.ones(size) if space.name == "rank_one" else np.zeros(size)  # u vT is 0 where one of them is
    with space.applied(session, base):
        reference = session.run(X)
    for i in range(size):
        point = base.copy()
        point[i] += 1.0
        with space.applied(session, point):
            assert not torch.equal(session.run(X), reference), i
    assert state(session) == before
    assert torch.equal(session.run(X), untouched)


@pytest.mark.parametrize(("space", "size"), SPACES, ids=IDS)
def test_an_error_inside_leaves_nothing_behind(space: Parameterisation, size: int) -> None:
    session = TinySession()
    before = state(session)
    with pytest.raises(RuntimeError, match="inside"), space.applied(session, np.ones(size)):
        raise RuntimeError("inside")
    assert state(session) == before


@pytest.mark.parametrize(("space", "size"), SPACES, ids=IDS)
def test_bad_points_are_refused(space: Parameterisation, size: int) -> None:
    session = TinySession()
    for bad in (np.zeros(size + 1), np.full(size, np.nan), np.full(size, np.inf)):
        with pytest.raises(ValueError, match=r"takes|finite"), space.applied(session, bad):
            pass


def test_gains_by_hand() -> None:
    session = TinySession()
    with torch.inference_mode():
        first = session.blocks["first"](X)
        with BlockGains(scale=0.1).applied(session, np.array([2.0, 0, -3.0, 0])):
            torch.testing.assert_close(session.blocks["first"](X), first * 1.2 - 0.3)
        head = session.layers["head"]
        hidden = torch.linspace(0, 1, 8)[None]
        plain = head(hidden)
        with ChannelGains(scale=0.5).applied(session, np.array([1.0, 0, 0, 0, -2.0])):
            torch.testing.assert_close(head(hidden), plain * torch.tensor([1.5, 1, 1, 1, 0]))
        unit = float(head.bias.square().mean().sqrt())
        with ChannelGains(scale=0.5, biases=True).applied(session, np.eye(10)[7]):
            torch.testing.assert_close(head(hidden) - plain, torch.tensor([[0, 0, 0.5 * unit, 0, 0]]))
        weight = head.weight.clone()
        with RankOne(scale=0.2).applied(session, np.ones(13)):
            assert float((head.weight - weight).norm() / weight.norm()) == pytest.approx(0.2, rel=1e-5)
    with LogitBias(tokens=(3,), scale=0.5).applied(session, np.array([4.0])):
        torch.testing.assert_close(session.run(X), TinySession().run(X) + torch.tensor([0, 0, 0, 2.0, 0]))


def test_channels_of_a_group_share_their_gain() -> None:
    session = TinySession()
    plain = session.layers["head"].weight.clone()
    with ChannelGains(groups=2, scale=1.0).applied(session, np.array([1.0, 0.0])):
        ratio = (session.layers["head"].weight / plain).mean(1)
    torch.testing.assert_close(ratio, torch.tensor([2.0, 2, 2, 1, 1]))


@given(x=st.floats(-50, 50), integer=st.booleans())
@settings(max_examples=200)
def test_a_settled_knob_stays_where_it_is(x: float, integer: bool) -> None:
    knob = Knob(2.0, 0.0, 7.0, 0.7, integer)
    value = knob.at(x)
    assert 0.0 <= value <= 7.0
    assert not integer or value == round(value)
    assert knob.at(knob.coordinate(value)) == pytest.approx(value, abs=1e-12)
    assert knob.at(0.0) == 2.0


def test_points_of_equal_effect_are_one_point() -> None:
    session = TinySession()
    space = Decoding()
    a, b = (space.settled(session, np.array(p)) for p in ([0.0, 0.4], [-0.0, -0.4]))
    assert a.tolist() == b.tolist() == [0.0, 0.0]
    assert space.settled(session, np.array([99.0, 1.2])).tolist() == [4.0, 1.0]


def test_what_a_model_has_not_is_said() -> None:
    session = TinySession()
    with pytest.raises(ValueError, match="no layer 'tail'; one of conv, up, head"):
        ChannelGains(layer="tail").size(session)
    with pytest.raises(ValueError, match="no knob 'beam'; one of temperature, beams"):
        Decoding(knobs=("beam",)).size(session)
    with pytest.raises(ValueError, match="token 9 is outside the vocabulary of 5"):
        LogitBias(tokens=(9,)).size(session)
    session.bias_size, session.blocks, session.knobs = 0, {}, {}
    for space in (LogitBias(), BlockGains(), Decoding()):
        with pytest.raises(ValueError, match="no "):
            space.size(session)
    assert Nothing().size(session) == 0
