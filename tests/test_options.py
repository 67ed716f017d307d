from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.options import MISSING, OptionError, Problem, build, check, nearest, option, options_of, params_of, plain


class Mode(StrEnum):
    FAST = "fast"
    EXACT = "exact"


@dataclass(frozen=True)
class Part:
    extractor: str = option(help="bound by a dotted name")
    radius: float = option(help="no default", unit="L2", above=0.0)
    count: int = option(5, help="how many", source="a paper", at_least=1, at_most=9)
    mode: Mode = option(Mode.FAST, help="how")
    kind: Literal["a", "b"] = option("a", help="which")
    shares: tuple[float, ...] = option((0.5,), help="each within [0, 1)", at_least=0.0, below=1.0)
    names: list[str] = option(factory=list, help="some")
    on: bool = option(False, help="a switch")
    limit: int | None = option(None, help="perhaps", at_least=2)
    block: int = option(64, help="changes nothing", in_id=False)
    cache: dict[str, int] = field(default_factory=dict)  # no option: not part of the YAML


def problems(**params: Any) -> list[str]:
    return [str(p) for p in check(Part, {"radius": 1.0, **params}, bound=("extractor",))[1]]


def test_options_are_described_in_field_order() -> None:
    described = options_of(Part)
    assert [o.name for o in described][:3] == ["extractor", "radius", "count"]
    assert "cache" not in {o.name for o in described}
    radius, count = described[1], described[2]
    assert radius.required
    assert radius.default is MISSING
    assert (radius.unit, radius.bounds) == ("L2", "above 0")
    assert not count.required
    assert (count.default, count.source, count.bounds, count.type) == (5, "a paper", "at least 1, at most 9", "int")
    assert described[6].default == []
    assert not described[-1].in_id


def test_good_parameters_become_typed_values() -> None:
    made = build(
        Part, {"radius": 2, "mode": "exact", "kind": "b", "shares": [0.1, 0.2], "limit": 3}, extractor="latent"
    )
    assert made == Part("latent", 2.0, mode=Mode.EXACT, kind="b", shares=(0.1, 0.2), limit=3)
    assert isinstance(made.radius, float)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cuont": 3}, "cuont: unknown parameter 'cuont'; did you mean 'count'?"),
        ({"extractor": "x"}, "extractor: unknown parameter 'extractor'"),  # set by the name, not in the YAML
        ({"cache": {}}, "cache: unknown parameter 'cache'"),
        ({"count": "3"}, "count: expected int, found '3'"),
        ({"count": True}, "count: expected int, found True"),
        ({"on": 1}, "on: expected bool, found 1"),
        ({"on": "yes"}, "on: expected bool, found 'yes'"),
        ({"radius": "2.0"}, "radius: expected float, found '2.0'"),
        ({"count": 2.5}, "count: input should be a valid integer, got a number with a fractional part, found 2.5"),
        ({"count": 0}, "count: must be at least 1, found 0"),
        ({"count": 10}, "count: must be at most 9, found 10"),
        ({"radius": 0}, "radius: must be above 0, found 0.0"),
        ({"shares": [0.2, 1.0]}, "shares: must be below 1, found 1.0"),
        ({"shares": [0.2, "x"]}, "shares.1: input should be a valid number"),
        ({"shares": ["0.2"]}, "shares: expected tuple[float, ...], found ['0.2']"),
        ({"mode": "slow"}, "mode: input should be 'fast' or 'exact', found 'slow'"),
        ({"kind": "c"}, "kind: input should be 'a' or 'b', found 'c'"),
        ({"limit": 1}, "limit: must be at least 2, found 1"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_was_found(params: dict[str, Any], message: str) -> None:
    found = problems(**params)
    assert len(found) == 1
    assert found[0].startswith(message)


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(OptionError) as caught:
        build(Part, {"count": 0, "modee": "fast"}, extractor="latent")
    assert len(caught.value.problems) == 3
    text = str(caught.value)
    assert "unknown parameter 'modee'" in text
    assert "must be at least 1" in text
    assert "missing parameter 'radius'" in text


def test_a_component_without_options_says_so() -> None:
    @dataclass(frozen=True)
    class Bare:
        pass

    assert [str(p) for p in check(Bare, {"x": 1})[1]] == ["x: unknown parameter 'x' (this component has none)"]


def test_parameters_are_given_back_in_full_as_plain_json() -> None:
    made = Part("latent", 2.0, mode=Mode.EXACT)
    assert params_of(made) == {
        "extractor": "latent",
        "radius": 2.0,
        "count": 5,
        "mode": "exact",
        "kind": "a",
        "shares": [0.5],
        "names": [],
        "on": False,
        "limit": None,
        "block": 64,
    }
    assert "block" not in params_of(made, in_id_only=True)


@given(
    st.floats(0.001, 1e6),
    st.integers(1, 9),
    st.sampled_from(Mode),
    st.lists(st.floats(0, 0.999), max_size=3).map(tuple),
    st.booleans(),
)
def test_a_component_is_rebuilt_from_its_own_parameters(
    radius: float, count: int, mode: Mode, shares: tuple[float, ...], on: bool
) -> None:
    made = Part("latent", radius, count, mode, shares=shares, on=on)
    params = params_of(made)
    assert build(Part, {k: v for k, v in params.items() if k != "extractor"}, extractor="latent") == made


def test_nested_values_become_plain() -> None:
    assert plain({1: (Mode.FAST, Part("x", 1.0).shares)}) == {"1": ["fast", [0.5]]}
    assert plain(Problem(("a",), "b"))["path"] == ["a"]


def test_near_names_are_best_first_and_never_far() -> None:
    known = ["lpips.alex.pairs", "lpips.vgg.pairs", "color.hue"]
    assert nearest("lpisp.alex.pairs", known) == ("lpips.alex.pairs",)
    assert nearest("lpips.alxe.pairs", known, 2) == ("lpips.alex.pairs", "lpips.vgg.pairs")
    assert nearest("zzz", known) == ()


def test_a_problem_prints_where_what_and_the_nearest() -> None:
    assert str(Problem(("methods", 0, "x"), "wrong", ("y", "z"))) == "methods.0.x: wrong; did you mean 'y' or 'z'?"
    assert str(Problem((), "missing")) == "missing"
