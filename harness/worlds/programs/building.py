"""What every family builds with: the function around a body, parameters, and values that are often needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.worlds.programs.drawing import NUMBERS, WORDS, Draw, Program
from harness.worlds.programs.paired import Expr, Stmt, function, listed, number, string

Family = Callable[[Draw], Program]
TRUE, FALSE = Expr("true", "True"), Expr("false", "False")
EMPTY, BLANK, ZERO, ONE = listed(), string(""), number(0), number(1)


def program(d: Draw, parameters: Sequence[tuple[str, str]], *body: Stmt) -> Program:
    """The function of `body` with (name, kind of argument) parameters, under a drawn name."""
    entry = d.title()
    source, target = function(entry, [name for name, _ in parameters], body)
    return Program(source, target, entry, tuple(kind for _, kind in parameters))


def numbers(d: Draw, low: int = 1, high: int = 3, kind: str = "number") -> list[tuple[str, str]]:
    return [(d.name(NUMBERS), kind) for _ in range(d.whole(low, high))]


def names(parameters: Sequence[tuple[str, str]]) -> list[str]:
    return [name for name, _ in parameters]


def answer(d: Draw) -> Expr:
    """What a branch returns: a word, a number or a truth."""
    kind = d.whole(0, 4)
    return string(d.pick(WORDS)) if kind < 2 else d.constant() if kind < 4 else d.pick((TRUE, FALSE))
