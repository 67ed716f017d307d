from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from harness import registry
from harness.registry import BrokenEntry, Registry, Resolved, UnknownName, summary

SPACES: Callable[[], Iterable[str]] = lambda: ("pixels", "latent")  # noqa: E731


def made(entries: dict[str, str], **changes: Any) -> Registry[Any]:
    return Registry("part", entries, **changes)


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """name=target … → installed entry points of the group harness.parts."""

    def install(*points: tuple[str, str]) -> None:
        found = [EntryPoint(name, target, "harness.parts") for name, target in points]
        monkeypatch.setattr(registry, "entry_points", lambda group: found if group == "harness.parts" else [])

    return install


def test_a_name_is_imported_on_first_use_only() -> None:
    sys.modules.pop("this", None)
    parts = made({"zen": "this:s", "order": "collections:OrderedDict"})
    assert parts.get("order").__name__ == "OrderedDict"
    assert "zen" in parts
    assert parts.names() == ("zen", "order")
    assert "this" not in sys.modules


def test_a_placeholder_binds_the_field_of_its_name() -> None:
    parts = made(
        {"fd.{space}": "fractions:Fraction", "vendi.{space}.prompt": "decimal:Decimal"}, values={"space": SPACES}
    )
    found = parts.resolve("vendi.latent.prompt")
    assert isinstance(found, Resolved)
    assert (found.name, found.pattern, found.bound) == (
        "vendi.latent.prompt",
        "vendi.{space}.prompt",
        {"space": "latent"},
    )
    assert found.thing.__name__ == "Decimal"


def test_a_placeholder_takes_known_values_only_and_one_part_of_the_name() -> None:
    parts = made({"fd.{space}": "fractions:Fraction"}, values={"space": SPACES})
    assert "fd.latent" in parts
    assert "fd.words" not in parts
    assert "fd.latent.prompt" not in parts
    assert "fd." not in parts
    assert "fdxlatent" not in parts  # the dot is a dot
    assert "fd.words" in made({"fd.{space}": "fractions:Fraction"})  # without declared values any part will do


def test_a_written_name_goes_before_a_placeholder() -> None:
    parts = made({"fd.{space}": "fractions:Fraction", "fd.latent": "decimal:Decimal"}, values={"space": SPACES})
    assert parts.resolve("fd.latent").pattern == "fd.latent"
    assert parts.resolve("fd.latent").bound == {}


def test_all_names_are_listed_with_placeholders_filled() -> None:
    parts = made(
        {"fd.{space}": "a:b", "free.{x}": "a:b", "{space}.{n}": "a:b"}, values={"space": SPACES, "n": lambda: "12"}
    )
    assert parts.names() == (
        *("fd.pixels", "fd.latent", "free.{x}"),
        *("pixels.1", "pixels.2", "latent.1", "latent.2"),
    )
    assert parts.patterns() == ("fd.{space}", "free.{x}", "{space}.{n}")


@pytest.mark.parametrize(("wrong", "right"), [("fd.latnet", "fd.latent"), ("fractoin", "fraction")])
def test_a_mistyped_name_is_answered_with_the_nearest(wrong: str, right: str) -> None:
    parts = made({"fd.{space}": "a:b", "fraction": "fractions:Fraction"}, values={"space": SPACES})
    with pytest.raises(UnknownName) as caught:
        parts.get(wrong)
    assert str(caught.value) == f"unknown part '{wrong}'; did you mean '{right}'?"
    assert caught.value.suggestions == (right,)


def test_a_name_near_to_nothing_gets_no_guess() -> None:
    with pytest.raises(UnknownName) as caught:
        made({"fraction": "fractions:Fraction"}).get("zzz")
    assert str(caught.value) == "unknown part 'zzz'"


@pytest.mark.parametrize("target", ["no.such.module:x", "fractions:Nothing"])
def test_an_entry_that_cannot_be_loaded_names_itself_and_its_origin(target: str) -> None:
    with pytest.raises(BrokenEntry, match=f"part 'x' \\({target}\\) cannot be loaded"):
        made({"x": target}).get("x")


def test_a_thing_of_another_kind_is_refused_at_first_use() -> None:
    parts = made({"ok": "collections:OrderedDict", "no": "fractions:Fraction", "value": "math:pi"}, base=lambda: dict)
    assert parts.get("ok").__name__ == "OrderedDict"
    for name in ("no", "value"):
        with pytest.raises(BrokenEntry, match=f"part '{name}' is not a dict"):
            parts.get(name)


def test_a_plugin_is_found_by_its_entry_point(plugins: Callable[..., None]) -> None:
    plugins(("theirs", "decimal:Decimal"), ("their.{space}", "fractions:Fraction"))
    parts = made({"ours": "collections:OrderedDict"}, values={"space": SPACES})
    assert parts.names() == ("ours", "theirs", "their.pixels", "their.latent")
    assert parts.get("theirs").__name__ == "Decimal"
    assert parts.resolve("their.latent").bound == {"space": "latent"}


def test_a_collision_names_both_origins(plugins: Callable[..., None]) -> None:
    plugins(("ours", "decimal:Decimal"))
    with pytest.raises(BrokenEntry, match="registered twice: collections:OrderedDict and decimal:Decimal"):
        made({"ours": "collections:OrderedDict"}).names()
    plugins(("theirs", "decimal:Decimal"), ("theirs", "fractions:Fraction"))
    with pytest.raises(BrokenEntry, match="registered twice: decimal:Decimal and fractions:Fraction"):
        made({}).names()


def test_a_broken_plugin_fails_whoever_names_it_and_nobody_else(plugins: Callable[..., None]) -> None:
    plugins(("broken", "no.such.package:Thing"))
    parts = made({"ours": "collections:OrderedDict"})
    assert parts.get("ours").__name__ == "OrderedDict"
    with pytest.raises(BrokenEntry, match=r"no\.such\.package:Thing"):
        parts.get("broken")


def test_the_group_of_plugins_is_named_after_the_kind() -> None:
    assert made({}).group == "harness.parts"


def test_the_summary_is_the_first_line_of_the_module() -> None:
    assert (
        summary(Registry)
        == "Names to things: lazy, closed against collisions, with near names for the mistyped, open to plug-ins."
    )
