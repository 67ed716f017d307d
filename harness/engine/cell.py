"""A cell: one (model, method with parameters, data split, seed), its canonical spec and its address.

The address is the hash of everything that could change the artifacts and of nothing else: no path, host, worker count,
micro-batch, executor, time or user (engine.md section 2). One cell is one JSON file, readable and runnable by hand:
`python -m harness.engine.worker SPEC.json`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any

FORMAT = 1  # of the store and of this spec; part of every address


def canonical(value: Any) -> str:
    """JSON with sorted keys and floats by shortest round-trip text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)


def digest_of(value: Any) -> str:
    """32 hexadecimal digits naming a JSON value."""
    return hashlib.blake2b(canonical(value).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Part:
    """A component as it enters an address.

    name, version, params   registered name, declared version, all parameters after defaults
    content                 hashes of what it brings from outside: weight files, prompts, data sets
    """

    name: str
    version: int
    params: Mapping[str, Any] = field(default_factory=dict)
    content: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """The spec. `data` holds only the sets that can change the artifacts (a shield the method reads), by role.

    libraries   major.minor of the libraries that compute the result
    """

    task: Part
    model: Part
    method: Part
    split: str
    seed: int
    data: Mapping[str, Part] = field(default_factory=dict)
    libraries: Mapping[str, str] = field(default_factory=dict)
    format: int = FORMAT

    def spec(self) -> dict[str, Any]:
        """Plain JSON values; `Cell.from_spec` is the inverse."""
        return asdict(self)

    @cached_property
    def address(self) -> str:
        """32 hexadecimal digits."""
        parts = {f.name: getattr(self, f.name) for f in fields(self)}  # as `spec`, without its deep copies
        plain = {k: _plain(v) for k, v in parts.items()} | {"data": {k: _plain(v) for k, v in self.data.items()}}
        return digest_of(plain)

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Cell:
        return cls(
            task=Part(**spec["task"]),
            model=Part(**spec["model"]),
            method=Part(**spec["method"]),
            split=spec["split"],
            seed=spec["seed"],
            data={k: Part(**v) for k, v in spec["data"].items()},
            libraries=dict(spec["libraries"]),
            format=spec["format"],
        )


def _plain(value: Any) -> Any:
    return vars(value) if isinstance(value, Part) else value


@dataclass(frozen=True)
class PlannedCell:
    """A cell in a suite: label, role and sweep point name it for people and are not part of its address.

    label   what tables print ("spell", or the suite's `as:`), with the sweep point where there is one
    role    method | baseline | control
    point   swept parameters and their values
    outside parameters that are no identity (paths) and yet needed, by component: task, model, method, data ROLE
    """

    cell: Cell
    label: str
    role: str
    point: Mapping[str, Any] = field(default_factory=dict)
    outside: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
