"""What a model is: an adapter that names its weights, says what is missing, and opens it on a device.

A model is a frozen dataclass made with `@model`; its options are its YAML. Everything but `open` works without torch,
so that planning touches no weights beyond hashing them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from harness.models.footprint import Footprint


class OutOfMemory(RuntimeError):
    """Memory ran out at the smallest possible work. micro_batch: the size that failed; tried: all sizes that did."""

    def __init__(self, micro_batch: int, tried: tuple[int, ...], detail: str = "") -> None:
        self.micro_batch, self.tried = micro_batch, tried
        sizes = ", ".join(map(str, tried)) or str(micro_batch)
        super().__init__(f"out of memory at micro-batch {sizes}" + (f": {detail}" if detail else ""))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.micro_batch, self.tried, "")


@dataclass(frozen=True)
class Missing:
    """One thing that has to be there and is not.

    what         the file, directory or hub id;  looked  where it was looked for
    fetch        the command that brings it;     instead the embedded alternative, "" where there is none
    """

    what: str
    looked: tuple[str, ...]
    fetch: str
    instead: str = ""

    def __str__(self) -> str:
        text = f"missing {self.what}; looked in {', '.join(self.looked)}; fetch it with: {self.fetch}"
        return f"{text}; or use {self.instead}" if self.instead else text


class MissingWeights(FileNotFoundError):
    """A model that cannot be opened because files are missing; `missing` says which."""

    def __init__(self, missing: tuple[Missing, ...]) -> None:
        self.missing = missing
        super().__init__("\n".join(str(m) for m in missing))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.missing,)


class Model(ABC):
    """Base of all models; subclasses are decorated with `@model`."""

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1

    @property
    def licence(self) -> str:
        """Licence of the weights, "unknown" where none is stated."""
        return "unknown"

    @abstractmethod
    def weights(self) -> Mapping[str, str]:
        """Relative file → sha256 of everything that is loaded. Raises MissingWeights."""

    @abstractmethod
    def missing(self) -> tuple[Missing, ...]:
        """What is missing; empty when `open` can work."""

    @abstractmethod
    def open(self, device: str) -> Any:
        """The loaded model on "cpu", "cuda:0", …. Raises MissingWeights."""

    def footprint(self) -> Footprint | None:
        """What it would download and how much memory it needs, without opening it; None where nothing is known."""
        return None

    def settings(self) -> dict[str, Any]:
        """Settings that change results, after defaults taken from a card. Part of the address."""
        return {}


C = TypeVar("C", bound=type[Model])


def model(name: str, *, version: int = 1) -> Callable[[C], C]:
    """Class decorator stating a model's registered name and version. Bump `version` when outputs change."""

    def apply(cls: C) -> C:
        cls.name, cls.version = name, version
        return cls

    return apply
