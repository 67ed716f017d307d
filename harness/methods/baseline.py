"""A baseline: one YAML file in baselines/, a dated preset of a method with its source and its published numbers.

`<method>@<where the values are from>`, for example `cads@plugin`. What a paper claims stays in `published`, with a mark
of how it came to us; it is shown in a table of its own and never mixed with a measurement (rules.md 27, 28).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.options import nearest
from harness.registry import UnknownName
from harness.shipped import shipped


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Origin(_Strict):
    """Where the preset's values come from. `commit` is of `code`; `licence` is of that code."""

    paper: str = ""
    code: str = ""
    commit: str = ""
    licence: str = "none found"


class Published(_Strict):
    """One number that others state.

    before  the value without the method, where given
    mark    paper (the authors), secondary (another party's report of it), memory (recalled: never a target)
    source  where exactly it stands
    compares, suites   the metric here that states the same quantity, in the same unit times `scale`, and the suites
            whose data, model and recipe are the paper's: only there is it said whether a number was reproduced
    """

    metric: str
    setting: str
    value: float
    before: float | None = None
    mark: Literal["paper", "secondary", "memory"]
    source: str
    compares: str = ""
    scale: float = 1.0
    suites: tuple[str, ...] = ()


class Baseline(_Strict):
    """What a file holds.

    params  the options that the preset fixes;  date  of the source the values are from, "" where it is not known
    """

    name: str = Field(pattern=r"^[a-z0-9_]+(@[a-z0-9_.-]+)?$")
    method: str
    params: dict[str, Any] = {}
    title: str
    date: str = Field("", pattern=r"^(\d{4}(-\d{2}(-\d{2})?)?)?$")
    source: Origin = Origin()
    notes: str = ""
    published: tuple[Published, ...] = ()


class BadBaseline(ValueError):
    """A baseline file that does not fit the schema."""


def baseline_names() -> tuple[str, ...]:
    """Names of the shipped baselines, sorted."""
    return tuple(sorted(p.stem for p in shipped("baselines").glob("*.yaml")))


@cache
def load_baseline(name: str) -> Baseline:
    """The shipped baseline `name`. Raises UnknownName with near names, BadBaseline naming file and field."""
    path = shipped("baselines") / f"{name}.yaml"
    if not path.is_file():
        known = baseline_names()
        raise UnknownName("baseline", name, nearest(name, known))
    return read_baseline(path)


def read_baseline(path: Path) -> Baseline:
    """The baseline of a file; its name must be the file's."""
    import yaml

    try:
        read = Baseline.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()]
        raise BadBaseline(f"{path.name}: " + "; ".join(lines)) from error
    except yaml.YAMLError as error:
        raise BadBaseline(f"{path.name}: not YAML: {error}") from error
    if read.name != path.stem:
        raise BadBaseline(f"{path.name}: name {read.name!r} is not the file's name {path.stem!r}")
    return read
