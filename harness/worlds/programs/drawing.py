"""What families draw from: names, constants, arithmetic and conditions, and the inputs of unit tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from harness.worlds.programs.paired import Expr, binary, call, floor, number, same

VERBS = (
    "get",
    "find",
    "count",
    "make",
    "calc",
    "check",
    "build",
    "total",
    "pick",
    "scan",
    "sum",
    "test",
    "turn",
    "mix",
)
NOUNS = ("Value", "Items", "Score", "Price", "Words", "Rate", "Area", "Points", "Rank", "Cost", "Label", "List", "Size")
NUMBERS: tuple[str, ...] = (
    "a",
    "b",
    "c",
    "d",
    "n",
    "m",
    "k",
    "p",
    "q",
    "x",
    "y",
    "z",
    "width",
    "height",
    "price",
    "score",
    "age",
    "low",
)
NUMBERS += ("high", "limit", "rate", "size", "speed", "weight", "left", "right", "first", "second", "start", "end")
LISTS = ("xs", "ys", "values", "numbers", "items", "scores", "prices", "data", "points", "list", "nums", "sizes")
TEXTS = ("s", "t", "text", "word", "name", "line", "title", "label", "code", "key", "message", "tag")
SUMS = ("total", "sum", "result", "acc", "count", "out", "answer", "res", "found", "best")
ELEMENTS = ("x", "v", "e", "item", "value", "num", "cur", "u")
INDICES = ("i", "j", "k", "idx", "pos")
LETTERS = ("ch", "c", "letter", "char")
LOCALS = ("t", "u", "w", "temp", "half", "base", "diff", "next", "part", "rest", "twice", "extra")
WORDS = (
    "red",
    "blue",
    "cat",
    "dog",
    "sun",
    "tree",
    "high",
    "low",
    "mid",
    "yes",
    "no",
    "big",
    "small",
    "ok",
    "even",
    "odd",
)
GLUES = ("-", ", ", " ", "_", "+", "/", ":", "")
MARKS = ("-", "!", "?", ".", "#", "*", "_", ":")
COMPARISONS = ("<", ">", "<=", ">=", "===", "!==")
T = TypeVar("T")


@dataclass
class Draw:
    """One program's draws: a keyed generator and the names already taken."""

    rng: np.random.Generator
    taken: set[str] = field(default_factory=set)

    def chance(self, probability: float = 0.5) -> bool:
        return bool(self.rng.random() < probability)

    def pick(self, of: Sequence[T]) -> T:
        return of[int(self.rng.integers(len(of)))]

    def whole(self, low: int, high: int) -> int:
        """low … high, both included."""
        return int(self.rng.integers(low, high + 1))

    def constant(self, low: int = 1, high: int = 20) -> Expr:
        """Mostly small, now and then of two or three digits."""
        return number(self.whole(low, max(high, 100)) if self.chance(0.15) else self.whole(low, high))

    def name(self, pool: Sequence[str]) -> str:
        """A name not taken yet."""
        free = [n for n in pool if n not in self.taken]
        chosen = self.pick(free)
        self.taken.add(chosen)
        return chosen

    def title(self) -> str:
        """The function's name."""
        return self.pick(VERBS) + self.pick(NOUNS)

    def arithmetic(self, names: Sequence[str], depth: int = 2) -> Expr:
        """A sum or product of names and constants; grows linearly or quadratically, never divides."""
        if depth == 0 or self.chance(0.15):
            return same(self.pick(names)) if self.chance(0.65) else self.constant()
        op = self.pick(("+", "+", "-", "*"))
        left = same(self.pick(names)) if self.chance(0.7) else self.arithmetic(names, depth - 1)
        return binary(op, left, self.arithmetic(names, depth - 1))

    def change(self, name: str) -> Expr:
        """`name` changed by one step: x * 3, x + 7, x * x - 1, |x - 4|, …"""
        x = same(name)
        kind = self.whole(0, 5)
        if kind == 0:
            return binary("*", x, self.constant(2, 9))
        if kind == 1:
            return binary(self.pick(("+", "-")), x, self.constant())
        if kind == 2:
            return binary("*", x, x)
        if kind == 3:
            return binary(self.pick(("+", "-")), binary("*", x, self.constant(2, 9)), self.constant())
        if kind == 4:
            return call("Math.abs", "abs", binary("-", x, self.constant()))
        return binary("**", x, number(self.whole(2, 3)))

    def condition(self, names: Sequence[str], natural: bool = False) -> Expr:
        """A comparison; of numbers that are `natural` (never below zero) also a question of divisibility."""
        left = same(self.pick(names))
        if natural and self.chance(0.35):
            return binary(
                self.pick(("===", "!==")), binary("%", left, number(self.whole(2, 7))), number(self.whole(0, 1))
            )
        others = [n for n in names if n != left.js]
        right = same(self.pick(others)) if others and self.chance(0.4) else self.constant()
        return binary(self.pick(COMPARISONS), left, right)

    def halved(self, name: str) -> Expr:
        """Whole division of a number that is never below zero."""
        return floor(same(name), number(self.whole(2, 10)))


@dataclass(frozen=True)
class Program:
    """A drawn program: its two texts, the name of its function and the kind of each argument (a key of KINDS)."""

    source: str
    target: str
    entry: str
    kinds: tuple[str, ...]


def argument(kind: str, rng: np.random.Generator) -> Any:
    """One argument of a unit test.

    number −20 … 60, natural 0 … 60, small 0 … 9, numbers and naturals lists of 1 … 7 of them, text a few words,
    word lower-case letters, digits a text of digits and letters, words a list of 1 … 5 words
    """
    if kind == "number":
        return int(rng.integers(-20, 61))
    if kind == "natural":
        return int(rng.integers(0, 61))
    if kind == "small":
        return int(rng.integers(0, 10))
    if kind in ("numbers", "naturals"):
        return [argument(kind[:-1], rng) for _ in range(int(rng.integers(1, 8)))]
    if kind == "word":
        return "".join(rng.choice(list("aabcdeeiorst"), size=int(rng.integers(2, 8))).tolist())
    if kind == "digits":
        return "".join(rng.choice(list("0123456789ab"), size=int(rng.integers(1, 8))).tolist())
    if kind == "words":
        return [
            str(rng.choice(WORDS)) if rng.random() < 0.6 else argument("word", rng)
            for _ in range(int(rng.integers(1, 6)))
        ]
    if kind == "text":
        gap = "  " if rng.random() < 0.1 else " "
        text = gap.join(argument("words", rng))
        return text.capitalize() if rng.random() < 0.3 else text
    raise ValueError(f"unknown kind of argument {kind!r}")
