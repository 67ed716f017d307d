"""The suite as typed data. A component is written as its name, or as a mapping with `name` and its parameters inline.

Reserved words inside such a mapping: `name`; `as`, `sweep` and `against` on rows; `primary` on metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StrictStr

Split = Literal["report", "tune"]
ROLES = ("reference", "protected", "heldout", "source")  # what a data set can be for a method or a metric


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class Entry(BaseModel):
    """A component as a suite names it; every key that is not reserved is one of its parameters."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: StrictStr = Field(min_length=1)

    @property
    def params(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class RowEntry(Entry):
    """A method, baseline or control: one row of the table, or one a point of its sweep.

    against: label of another row that it is also compared with, pair by pair (its control, random search).
    """

    as_: StrictStr | None = Field(None, alias="as", min_length=1, max_length=60)
    sweep: dict[StrictStr, Annotated[list[Any], Field(min_length=1)]] = Field(default_factory=dict)
    against: StrictStr | None = Field(None, min_length=1)

    @property
    def label(self) -> str:
        return self.as_ or self.name


class MetricEntry(Entry):
    """A metric; `primary: true` puts it into the family that Holm's correction covers."""

    primary: bool = Field(False, strict=True)


Component = Annotated[Entry, BeforeValidator(_named)]
Row = Annotated[RowEntry, BeforeValidator(_named)]
MetricRow = Annotated[MetricEntry, BeforeValidator(_named)]
Seed = Annotated[StrictInt, Field(ge=0, lt=2**63)]


class Suite(BaseModel):
    """One suite, composed and checked for shape; harness/suite/checking.py checks its names and parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    suite: StrictStr = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100, description="Name of the suite; names its folder."
    )
    version: StrictInt = Field(1, ge=1, description="Raise it when results stop being comparable.")
    title: StrictStr = Field("", description="One line for people.")
    description: StrictStr = Field("", description="What is compared and why, one paragraph.")
    task: Component = Field(description="What is asked of the model.")
    model: Component = Field(description="What the methods act on.")
    data: dict[StrictStr, Component] = Field(
        default_factory=dict, description="Role → image set: what metrics compare with and methods may read."
    )
    seeds: list[Seed] = Field(default=[0], min_length=1, description="One cell a row and seed.")
    split: Split = Field("report", description="Which split of the data is scored.")
    compare_to: StrictStr | None = Field(
        None, description="Label of the row that every other is compared with; default: the first baseline."
    )
    methods: list[Row] = Field(default_factory=list, description="What is under test.")
    baselines: list[Row] = Field(default_factory=list, description="Presets of baselines/, parameters may be changed.")
    controls: list[Row] = Field(default_factory=list, description="Rows that must lose or stay level.")
    metrics: list[MetricRow] = Field(min_length=1, description="What is measured.")
    primary: list[StrictStr] = Field(
        default_factory=list, description="Metrics that Holm's correction covers; default: all."
    )

    @property
    def rows(self) -> tuple[tuple[str, int, RowEntry], ...]:
        """(section, index, entry) of every row: baselines, methods, controls."""
        sections: Mapping[str, list[RowEntry]] = {
            "baselines": self.baselines,
            "methods": self.methods,
            "controls": self.controls,
        }
        return tuple((name, i, entry) for name, entries in sections.items() for i, entry in enumerate(entries))


ROLE_OF = {"baselines": "baseline", "methods": "method", "controls": "control"}
