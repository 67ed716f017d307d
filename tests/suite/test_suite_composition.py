"""`extends` and `--set`: what merges, what replaces, how a setting finds its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.suite import SuiteError, load_suite
from harness.suite.composition import merge, override
from harness.suite.document import parse
from harness.suite.loading import read_tree

Write = Callable[..., str]


def tree(text: str, name: str = "t") -> Any:
    return parse(text, name)


def merged(base: str, over: str) -> Any:
    return merge(tree(base), tree(over)).plain


def test_mappings_merge_and_lists_replace() -> None:
    base = "{data: {reference: a, heldout: b}, seeds: [0, 1]}"
    assert merged(base, "{data: {heldout: c}, seeds: [5]}") == {
        "data": {"reference": "a", "heldout": "c"},
        "seeds": [5],
    }


@pytest.mark.parametrize(
    ("base", "over", "expected"),
    [
        ("{name: a, x: 1}", "{name: a, y: 2}", {"name": "a", "x": 1, "y": 2}),
        ("{name: a, x: 1}", "{y: 2}", {"name": "a", "x": 1, "y": 2}),
        ("{name: a, x: 1}", "{name: b, y: 2}", {"name": "b", "y": 2}),
        ("{name: a, x: 1}", "b", "b"),
        ("{name: a, x: 1}", "a", {"name": "a", "x": 1}),
        ("a", "{x: 1}", {"name": "a", "x": 1}),
        ("a", "b", "b"),
    ],
)
def test_a_component_keeps_its_parameters_only_under_its_own_name(base: str, over: str, expected: Any) -> None:
    assert merged(f"model: {base}", f"model: {over}") == {"model": expected}


def test_a_value_merged_in_keeps_the_place_it_was_written_at() -> None:
    both = merge(tree("model: {name: a, x: 1}", "base"), tree("model: {y: 2}", "child"))
    assert both.find(("model", "x")).mark.source.name == "base"
    assert both.find(("model", "y")).mark.source.name == "child"


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("title=a b = c", ("title",), "a b = c"),
        ("title=", ("title",), None),
        ("seeds=[4, 5]", ("seeds",), [4, 5]),
        ("seeds.1=9", ("seeds", 1), 9),
        ("model.guidance=5", ("model",), {"name": "toy", "guidance": 5}),
        ("model=other", ("model",), "other"),
        ("data.heldout=avatars/heldout", ("data", "heldout"), "avatars/heldout"),
        ("data.reference.per_prompt=9", ("data", "reference", "per_prompt"), 9),
        ("methods.0.radius_quantile=.2", ("methods", 0, "radius_quantile"), 0.2),
        ("methods.spell.radius_quantile=1e-2", ("methods", 0, "radius_quantile"), 0.01),
        ("methods.spell.sweep.s=[1]", ("methods", 0, "sweep"), {"s": [1]}),
        ("methods.cads.as=CADS", ("methods", 1), {"name": "cads", "as": "CADS"}),
        ("metrics.vendi.avatars.q=2", ("metrics", 1), {"name": "vendi.avatars", "q": 2}),
        ("metrics.vendi.avatars={name: rke.avatars}", ("metrics", 1), {"name": "rke.avatars"}),
        ("new.a.b=1", ("new",), {"a": {"b": 1}}),
    ],
)
def test_a_setting_finds_its_place(setting: str, path: tuple[str | int, ...], value: Any, write: Write) -> None:
    changed = override(read_tree(write()), setting)
    assert changed.find(path).plain == value


def test_settings_apply_in_order_and_change_nothing_else(write: Write) -> None:
    path = write()
    before, after = read_tree(path).plain, read_tree(path, ["model.guidance=5", "model.guidance=6"]).plain
    assert after.pop("model") == {"name": "toy", "guidance": 6}
    before.pop("model")
    assert after == before


def test_a_label_that_two_entries_share_asks_for_a_number() -> None:
    with pytest.raises(SuiteError, match=r"methods has 2 entries 'a'; give its number"):
        override(tree("methods: [a, {name: a}]"), "methods.a.x=1")


def test_a_suite_lies_over_another_by_relative_path_and_by_shipped_name(write: Write, folder: Path) -> None:
    (folder / "deep").mkdir()
    write(name="base.yaml")
    (folder / "deep/middle.yaml").write_text("suite: middle\nextends: ../base.yaml\nseeds: [7]\n")
    loaded = load_suite(write("suite: top\nextends: deep/middle.yaml\nmodel: {guidance: 1}\n"))
    assert (loaded.suite.suite, loaded.suite.version, loaded.suite.seeds) == ("top", 2, [7])
    assert loaded.suite.model.params == {"guidance": 1}
    shipped = read_tree(write("suite: mine\nextends: quickstart\nseeds: [9]\n")).plain
    assert shipped["seeds"] == [9]
    assert shipped["task"] == read_tree("quickstart").plain["task"]


def test_suites_that_extend_each_other_are_named(write: Write) -> None:
    write("suite: a\nextends: b.yaml\n", name="a.yaml")
    write("suite: b\nextends: a.yaml\n", name="b.yaml")
    with pytest.raises(SuiteError, match=r"^b\.yaml:2:10: extends itself: a\.yaml → b\.yaml → a\.yaml"):
        load_suite("a.yaml")


def test_a_suite_that_extends_another_has_its_own_name(write: Write) -> None:
    write(name="base.yaml")
    with pytest.raises(SuiteError, match="missing key 'suite': a suite that extends another has its own name"):
        load_suite(write("extends: base.yaml\n"))


def test_a_suite_can_be_given_as_a_mapping() -> None:
    content: dict[str, Any] = {
        "suite": "mine",
        "task": {"name": "text_to_image", "prompts": ["a portrait of a baker"], "images_per_prompt": 2},
        "model": "toy",
        "methods": ["iid"],
        "metrics": ["vendi.avatars"],
    }
    assert load_suite(content).task.texts() == ("a portrait of a baker",)
    with pytest.raises(SuiteError, match=r"^suite: unknown method 'idi'; did you mean 'iid'\?$"):
        load_suite({**content, "methods": ["idi"]})
