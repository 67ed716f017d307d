"""Addresses: every ingredient counts (E1), nothing else does, and a spec survives YAML (E2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml

from harness.engine.cell import Cell, Part, PlannedCell, digest_of
from harness.engine.spec import Execution, Spec
from harness.engine.store import Store

Make = Callable[..., PlannedCell]

MUTATIONS: dict[str, Callable[[Cell], Cell]] = {
    "task version": lambda c: replace(c, task=replace(c.task, version=2)),
    "task parameter": lambda c: replace(c, task=replace(c.task, params={**c.task.params, "each": 8})),
    "prompts": lambda c: replace(c, task=replace(c.task, content={"prompts": "ff"})),
    "model name": lambda c: replace(c, model=replace(c.model, name="other")),
    "model version": lambda c: replace(c, model=replace(c.model, version=2)),
    "weights": lambda c: replace(c, model=replace(c.model, content={"toy.safetensors": "bb" * 32})),
    "method version": lambda c: replace(c, method=replace(c.method, version=4)),
    "method parameter": lambda c: replace(c, method=replace(c.method, params={"strength": 0.75})),
    "data": lambda c: replace(c, data={"train": Part("avatars/train", 1, {}, {"digest": "00"})}),
    "library": lambda c: replace(c, libraries={"numpy": "2.5"}),
    "split": lambda c: replace(c, split="tune"),
    "seed": lambda c: replace(c, seed=2),
    "format": lambda c: replace(c, format=99),
}


@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_each_ingredient_changes_the_address(make: Make, name: str) -> None:
    cell = make().cell
    assert MUTATIONS[name](cell).address != cell.address


def test_no_two_mutations_share_an_address(make: Make) -> None:
    cell = make().cell
    assert len({m(cell).address for m in MUTATIONS.values()}) == len(MUTATIONS)


def test_how_a_cell_is_executed_is_no_ingredient(make: Make, store: Store) -> None:
    cell = make().cell
    for execution in (Execution(), Execution("cuda:1", 3, 7, "process", ("x",), 1.0)):
        assert Spec.read(Spec(cell, store, execution).write()).cell.address == cell.address


def test_a_spec_survives_yaml_and_the_order_of_keys_changes_nothing(make: Make) -> None:
    cell = make().cell

    def backwards(value: Any) -> Any:
        return {k: backwards(value[k]) for k in sorted(value, reverse=True)} if isinstance(value, dict) else value

    for spec in (yaml.safe_load(yaml.safe_dump(cell.spec())), backwards(cell.spec())):
        assert Cell.from_spec(spec) == cell
        assert Cell.from_spec(spec).address == cell.address


def test_the_address_is_the_digest_of_the_spec(make: Make) -> None:
    cell = make().cell
    with_data = replace(cell, data={"shield": Part("digits/train", 1, {"per_class": 3}, {"digest": "ab"})})
    for one in (cell, with_data):
        assert one.address == digest_of(one.spec())
        assert one == Cell.from_spec(one.spec())
    assert replace(cell, seed=cell.seed + 1).address != cell.address  # nothing remembered is carried over
