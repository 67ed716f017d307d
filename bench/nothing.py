"""A task, a model and a method that do nothing, so that what a cell costs is the engine: for bench/engine.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.methods.method import Kind, Method, method
from harness.models.model import Missing, Model, model
from harness.options import option
from harness.tasks.task import ItemTable, RunContext, Shard, ShardResult, Task


@dataclass(frozen=True)
class NoTask(Task):
    """One black pixel."""

    name = "bench_nothing"
    version = 1
    kinds = frozenset({Kind.TRANSFORM})
    artifacts = frozenset({"images"})

    def items(self) -> ItemTable:
        zero = np.zeros(1, dtype=np.int64)
        return ItemTable(zero, zero, zero)

    def shards(self) -> tuple[Shard, ...]:
        return (Shard(0, 0, 1),)

    def texts(self) -> tuple[str, ...]:
        return ("nothing",)

    def content(self) -> dict[str, str]:
        return {"prompts": "00" * 16}

    def feeds(self) -> frozenset[tuple[str, str]]:
        return frozenset({("images", "generated")})

    def prepare(self, model: Any, method: Method, seed: int, context: RunContext) -> Method:  # noqa: ARG002
        return method

    def run(self, model: Any, method: Method, seed: int, shard: Shard, context: RunContext) -> ShardResult:  # noqa: ARG002
        return ShardResult({"images": np.zeros((1, 1, 1, 3), dtype=np.uint8)}, {"conditional": 1}, ())


@model("bench_nothing", version=1)
@dataclass(frozen=True)
class NoModel(Model):
    """None."""

    def weights(self) -> Mapping[str, str]:
        return {"nothing": "00" * 32}

    def missing(self) -> tuple[Missing, ...]:
        return ()

    def open(self, device: str) -> None:  # noqa: ARG002
        return None


@method("bench_nothing")
@dataclass(frozen=True)
class NoMethod(Method):
    """Does nothing, differently."""

    kind = Kind.TRANSFORM
    which: int = option(0, help="so that cells differ")
