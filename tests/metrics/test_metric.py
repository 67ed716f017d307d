from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics import ATTRIBUTES, METRICS
from harness.metrics.metric import (
    CannotMeasure,
    Direction,
    Items,
    Metric,
    MetricId,
    ScoreStatus,
    metric,
)
from harness.options import build, option
from harness.registry import UnknownName
from harness.stats.units import Estimator


@metric(
    "toy.{space}", unit="1", direction=Direction.LOWER, estimator=Estimator.MEAN, version=3, ideal=0.0, source="here"
)
@dataclass(frozen=True)
class Toy(Metric):
    space: str = option(help="the space")
    k: int = option(5, help="neighbours")
    share: float = option(0.1, help="a share")
    levels: tuple[float, ...] = option((1.0, 2.5), help="levels")
    block: int = option(64, help="changes no value", in_id=False)


# A short alphabet: the marks of numbers, hashes and names, without those that carry the structure of an id.
words = st.text("abzKé0179.-+_:/|<>@ ", min_size=1, max_size=8)
values = st.one_of(
    words,
    st.floats(allow_nan=False).map(repr),
    st.lists(words, min_size=1).map(lambda parts: "(" + ",".join(parts) + ")"),
    words.map(lambda inside: f"sample[{inside},7]"),
    st.tuples(words, words).map("=".join),
)
fields = st.lists(st.tuples(words, values), max_size=5)


@given(words, fields)
def test_an_id_is_read_back_as_it_was_printed(name: str, parts: list[tuple[str, str]]) -> None:
    identity = MetricId(name, tuple(parts))
    assert MetricId.parse(str(identity)) == identity


@given(words, fields, fields)
def test_different_tuples_print_differently(
    name: str, one: list[tuple[str, str]], other: list[tuple[str, str]]
) -> None:
    first, second = MetricId(name, tuple(one)), MetricId(name, tuple(other))
    assert (str(first) == str(second)) is (first == second)


@given(words, st.text("ab1.[](),= ", max_size=6), st.text("ab1.[](),= ", max_size=6))
def test_whatever_could_not_be_read_back_is_refused_when_it_is_made(name: str, key: str, value: str) -> None:
    try:
        identity = MetricId(name, ((key, value), ("v", "1")))
    except ValueError:
        assert set(key + value) & set("[](),=")
    else:
        assert MetricId.parse(str(identity)) == identity


@pytest.mark.parametrize("text", ["fd.avatars[n=5", "fd.avatars[]", "fd.avatars[n]", "fd.avatars[n=5,]"])
def test_malformed_text_is_refused_and_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"malformed metric id 'fd\.avatars"):
        MetricId.parse(text)


def test_the_short_form_keeps_the_name_and_hashes_the_rest() -> None:
    identity = Toy("latent").identify()
    name, _, digits = identity.short.partition("#")
    assert name == "toy.latent"
    assert len(digits) == 8
    assert int(digits, 16) >= 0
    assert identity.short == Toy("latent").identify().short
    assert identity.short != Toy("latent", k=6).identify().short
    assert MetricId("plain").short == "plain"


def test_the_id_holds_fields_context_and_version_in_that_order() -> None:
    identity = Toy("latent").identify((("n", "96"), ("ref", "ab12")))
    assert str(identity) == "toy.latent[k=5,share=0.1,levels=(1,2.5),n=96,ref=ab12,v=3]"


def test_a_field_in_the_name_is_not_repeated_and_one_outside_the_id_is_silent() -> None:
    assert "space" not in dict(Toy("latent").identify().fields)
    assert Toy("latent", block=1).identify() == Toy("latent").identify()
    assert Toy("pixels").identify() != Toy("latent").identify()


@given(st.floats(0.01, 1e6), st.floats(0.01, 1e6))
def test_two_numbers_never_share_an_id(one: float, other: float) -> None:
    assert (Toy("latent", share=one).identify() == Toy("latent", share=other).identify()) is (one == other)


def test_a_number_beyond_six_digits_is_printed_in_full() -> None:
    assert dict(Toy("latent", share=0.123456789).identify().fields)["share"] == "0.123456789"
    assert dict(Toy("latent", share=0.25).identify().fields)["share"] == "0.25"


def test_the_decorator_states_name_unit_direction_estimator_and_version() -> None:
    assert (Toy.registered, Toy.unit, Toy.direction, Toy.version) == ("toy.{space}", "1", Direction.LOWER, 3)
    assert (Toy.estimator, Toy.ideal, Toy.source) == (Estimator.MEAN, 0.0, "here")


def test_a_refusal_carries_status_and_reason() -> None:
    refusal = CannotMeasure(ScoreStatus.INSUFFICIENT_N, "two are needed")
    assert refusal.status is ScoreStatus.INSUFFICIENT_N
    assert refusal.reason == "two are needed"
    assert str(refusal) == "insufficient-n: two are needed"


def test_items_are_keyed_by_prompt_and_sample() -> None:
    items = Items(np.array([0, 12]), np.array([3, 0]), np.array([0, 1]), ("a", "b"))
    assert items.keys.tolist() == ["0000/0003", "0012/0000"]
    assert items.clusters.tolist() == ["0000", "0012"]
    assert len(items) == 2


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("pd.avatars.pairs", "extractor", "avatars"),
        ("shield.inside.latent", "extractor", "latent"),
        ("attr.tv.hair_color", "attribute", "hair_color"),
        ("attr.tv_corrected.hat", "attribute", "hat"),
        ("attr.match.digits", "classifier", "digits"),
        ("lpips.squeeze.pairs", "net", "squeeze"),
        ("color.dominance.share.none", "color", "none"),
    ],
)
def test_a_dotted_name_binds_the_field_of_its_placeholder(name: str, field: str, value: str) -> None:
    found = METRICS.resolve(name)
    assert found.bound == {field: value}
    params = {"radius": 1.0} if name.startswith("shield") else {}
    assert build(found.thing, params, **found.bound).name == name


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("lpisp.alex.pairs", "lpips.alex.pairs"),
        ("attr.tv.hairs_color", "attr.tv.hair_color"),
        ("pd.avatar.pairs", "pd.avatars.pairs"),
        ("color.dominance.share.yellow", "color.dominance.share.blue"),
        ("colour.hue", "color.hue"),
    ],
)
def test_a_mistyped_name_gets_a_near_one(wrong: str, right: str) -> None:
    with pytest.raises(UnknownName) as caught:
        METRICS.resolve(wrong)
    assert caught.value.suggestions
    if "yellow" not in wrong:
        assert caught.value.suggestions == (right,)
    assert repr(wrong) in str(caught.value)


@pytest.mark.parametrize(
    "bare", ["psr", "mia", "asr", "nudenet", "fd", "fid.legacy", "lpips", "lpips.avatars.pairs", "fd.alex"]
)
def test_names_that_mean_several_things_do_not_exist(bare: str) -> None:
    assert bare not in METRICS


def test_the_attributes_of_the_catalogue_are_those_of_the_worlds() -> None:
    from harness.worlds.avatars.attributes import BY_NAME

    assert set(ATTRIBUTES) == {*BY_NAME, "digit"}
