"""A task, a model and methods that need no torch: small arrays from keys, and every kind of misbehaviour.

They are found like a plug-in's components, by entry points of a distribution that conftest.py lays beside this file's
copy, so that worker processes find them too. What misbehaves once leaves a marker in the folder TOY_MARKS.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness import keys
from harness.methods.method import Kind, Method, method
from harness.models.model import Missing, Model, model
from harness.options import option
from harness.tasks.task import ItemTable, RunContext, Shard, ShardResult, Task


@dataclass(frozen=True)
class ToyTask(Task):
    """Arrays of pixels that depend on keys, model and method only."""

    prompts: int = option(4, at_least=1)
    each: int = option(4, at_least=1)
    per_shard: int = option(1, at_least=1, help="prompts a shard")
    pause_s: float = option(0.0, help="pause in every item")

    name = "toy_task"
    version = 1
    kinds = frozenset({Kind.TRANSFORM})
    artifacts = frozenset({"images"})

    def items(self) -> ItemTable:
        prompt = np.repeat(np.arange(self.prompts, dtype=np.int64), self.each)
        sample = np.tile(np.arange(self.each, dtype=np.int64), self.prompts)
        return ItemTable(prompt, sample, prompt)

    def shards(self) -> tuple[Shard, ...]:
        step, total = self.per_shard * self.each, self.prompts * self.each
        return tuple(Shard(i, a, min(a + step, total)) for i, a in enumerate(range(0, total, step)))

    def texts(self) -> tuple[str, ...]:
        return tuple(f"prompt {i}" for i in range(self.prompts))

    def content(self) -> dict[str, str]:
        return {"prompts": f"{self.prompts:032x}"}

    def feeds(self) -> frozenset[tuple[str, str]]:
        return frozenset({("images", "generated")})

    def prepare(self, model: Any, method: Method, seed: int, context: RunContext) -> Method:
        return method

    def run(self, model: Any, method: Method, seed: int, shard: Shard, context: RunContext) -> ShardResult:
        table = self.items()
        rows: list[Any] = []
        activity = []
        for start in range(shard.start, shard.stop, context.micro_batch):
            method.before(start, context)  # type: ignore[attr-defined]
            for i in range(start, min(start + context.micro_batch, shard.stop)):
                prompt, sample = int(table.prompt[i]), int(table.sample[i])
                noise = keys.generator(seed, "init_noise", prompt, sample).standard_normal((4, 4, 3), dtype=np.float32)
                own = keys.generator(seed, "method", prompt, sample).standard_normal((4, 4, 3), dtype=np.float32)
                rows.append(np.tanh(model * noise + method.strength * own))  # type: ignore[attr-defined]
                activity.append(("moved", 0, prompt, float(method.strength != 0)))  # type: ignore[attr-defined]
                time.sleep(self.pause_s)
                context.progress(len(rows))
        latents = np.stack(rows)
        images = np.rint((latents + 1) * 127.5).astype(np.uint8)
        return ShardResult({"images": images, "latents": latents}, {"conditional": len(rows)}, tuple(activity))


@model("toy_model", version=1)
@dataclass(frozen=True)
class ToyModel(Model):
    """A model that is a number; opening it leaves a marker."""

    scale: float = option(1.0)
    weight: str = option("aa" * 32, help="sha256 that it claims")
    path: str = option("nowhere", help="where it lies", in_id=False)

    def weights(self) -> Mapping[str, str]:
        return {"toy.safetensors": self.weight}

    def missing(self) -> tuple[Missing, ...]:
        return ()

    def open(self, device: str) -> float:
        mark("opened", f"{os.getpid()} {self.scale} {self.path}\n")
        return self.scale


class Toy(Method):
    """Base of the methods below; `before` is called before each network call."""

    kind = Kind.TRANSFORM

    def before(self, item: int, context: RunContext) -> None:
        mark("calls", f"{self.name} {item}\n")


@method("toy_nothing")
@dataclass(frozen=True)
class Nothing(Toy):
    strength: float = option(0.0)


@method("push", version=3)
@dataclass(frozen=True)
class Push(Toy):
    strength: float = option(0.5)


@method("asleep")
@dataclass(frozen=True)
class Asleep(Toy):
    """Does nothing while called a method."""

    strength: float = option(0.0)


@method("broken")
@dataclass(frozen=True)
class Broken(Toy):
    """Misbehaves at one item; with `once`, only the first time."""

    strength: float = option(0.25)
    how: str = option("raise")
    at: int = option(8)
    once: bool = option(False)

    def before(self, item: int, context: RunContext) -> None:
        super().before(item, context)
        if item < self.at or (self.once and marked(f"broken-{self.how}")):
            return
        mark(f"broken-{self.how}", "x")
        misbehave(self.how, item)


def misbehave(how: str, item: int) -> None:
    if how == "raise":
        raise ValueError(f"no luck with item {item} in {Path.home() / 'secret'}\nsecond line")
    if how == "exit":
        os._exit(0)
    if how == "hang":
        time.sleep(600)
    if how == "print":
        print('{"word": "ended"}')
    if how in ("SIGKILL", "SIGSEGV", "SIGTERM"):
        os.kill(os.getpid(), getattr(signal, how))
    if how == "interrupt":
        os.kill(os.getppid(), signal.SIGINT)
        time.sleep(0.3)


@method("hungry")
@dataclass(frozen=True)
class Hungry(Toy):
    """Runs out of memory above a micro-batch."""

    strength: float = option(0.5)
    fits: int = option(2)

    def before(self, item: int, context: RunContext) -> None:
        super().before(item, context)
        if context.micro_batch > self.fits:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")


def mark(name: str, text: str) -> None:
    if (folder := os.environ.get("TOY_MARKS")) is not None:
        with (Path(folder) / name).open("a", encoding="ascii") as file:
            file.write(text)


def marked(name: str) -> bool:
    folder = os.environ.get("TOY_MARKS")
    return folder is not None and (Path(folder) / name).exists()


def main() -> int:
    """Execute the toy plan in a process of its own: STORE PLAN.json WORKERS EXECUTOR. For tests that kill drivers."""
    import json

    from harness.engine.cell import Cell, PlannedCell
    from harness.engine.driver import execute
    from harness.engine.store import Store

    store, plan, workers, executor = sys.argv[1:]
    specs = json.loads(Path(plan).read_text(encoding="ascii"))
    planned = [PlannedCell(Cell.from_spec(s), s["method"]["name"], "method") for s in specs]
    record = execute(planned, Store(store), device="cpu", workers=int(workers), micro_batch=2, executor=executor)  # type: ignore[arg-type]
    return record.exit_code


if __name__ == "__main__":
    sys.exit(main())
