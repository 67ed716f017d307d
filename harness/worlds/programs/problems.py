"""Problems: programs of the three splits with their unit tests, drawn once per process.

Expected values are what the Python reference returns. A drawn program is left out, and named, when its reference fails
on too many inputs, leaves the integers that JavaScript counts exactly, or answers alike whatever the input.
"""

from __future__ import annotations

import builtins
import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

from harness.keys import generator
from harness.worlds.programs.compositions import COMPOSITIONS
from harness.worlds.programs.dialects import legacy
from harness.worlds.programs.drawing import Draw, Program, argument
from harness.worlds.programs.families import FAMILIES

Split = Literal["training", "tune", "report"]
SEEN, HELD_OUT = tuple(FAMILIES), tuple(COMPOSITIONS)
# Half of the problems to tune and to report on are of held-out families, half of families that training saw.
SIZES: dict[str, int] = {"training": 36_000, "tune": 72, "report": 200}
SEED = 0
TESTS = {"tune": 4, "report": 6}  # unit tests a problem
NESTED = 3  # every so many training programs one is of nested statements: composition is what is hardest to learn
LEGACY_SHARE = 0.55  # of the training targets, drawn by the program's place alone
EXACT = 2**53  # integers up to here are the same in both languages


class Case(NamedTuple):
    """One unit test: JSON values."""

    args: tuple[Any, ...]
    expected: Any


@dataclass(frozen=True)
class Problem:
    """One function to translate.

    source  JavaScript text;  target  the Python reference;  entry  the function's name
    legacy  whether the target is in the dialect of old corpora (`dialects`): some training programs, no others
    tune, report   unit tests for tuning and for the report: no input in common; none for training programs
    """

    name: str
    family: str
    source: str
    target: str
    entry: str
    tune: tuple[Case, ...] = ()
    report: tuple[Case, ...] = ()
    legacy: bool = False

    @property
    def tests(self) -> tuple[Case, ...]:
        """All unit tests."""
        return (*self.tune, *self.report)


class LeftOut(NamedTuple):
    """A drawn program that became no problem, and why."""

    name: str
    reason: str


def families(split: Split) -> tuple[str, ...]:
    """The family of each problem of a split, in order."""
    if split == "training":
        return tuple(
            SEEN[-1] if i % NESTED == 0 else SEEN[(i - i // NESTED - 1) % len(SEEN)] for i in range(SIZES[split])
        )
    half = SIZES[split] // 2
    seen = generator(SEED, "split", "programs", split).permutation(len(SEEN))
    return tuple(
        [HELD_OUT[i % len(HELD_OUT)] for i in range(half)] + [SEEN[int(seen[i % len(SEEN)])] for i in range(half)]
    )


def canonical(source: str, entry: str) -> str:
    """A program without its names: two that differ only in them are the same program."""
    known = {"Math", "function", "let", "const", "return", "for", "of", "while", "if", "else", "true", "false", "null"}
    order: dict[str, str] = {}

    def rename(match: re.Match[str]) -> str:
        text = match[0]
        if text in known or text.startswith((".", '"', "`")):
            return text
        return order.setdefault(text, f"v{len(order)}")

    return re.sub(r'"[^"]*"|\.?[A-Za-z_]+', rename, source.replace(entry, "f", 1))


def skeleton(source: str, entry: str) -> str:
    """A program without names, constants and the choice of an operator: two that share it are built alike."""
    text = re.sub(r'"[^"]*"', "S", canonical(source, entry))
    text = re.sub(r"\b\d+\b", "0", re.sub(r"(?<!=)[<>]=?(?!\S)|[!=]==", "<", text))
    return re.sub(r" [-+*] ", " + ", re.sub(r" [-+]= ", " += ", text))


def draw(split: Split, family: str, index: int, attempt: int) -> Program:
    """The program of a key."""
    rng = generator(SEED, "world", "programs", split, family, index, attempt)
    return {**FAMILIES, **COMPOSITIONS}[family](Draw(rng))


def cases(program: Program, *key: str | int) -> tuple[tuple[Case, ...], str]:
    """Unit tests of a program, tune first, or () and the reason why there are none.

    The reference runs in this process: it is text of this world, never a model's.
    """
    scope: dict[str, Any] = {}
    builtins.exec(compile(program.target, "<reference>", "exec"), scope)
    found: dict[str, Case] = {}
    failures, wanted = 0, sum(TESTS.values())
    for i in range(8 * wanted):
        rng = generator(SEED, "world", "program tests", *key, i)
        given = json.dumps([argument(kind, rng) for kind in program.kinds])
        if given in found:
            continue
        try:
            value = json.loads(json.dumps(scope[program.entry](*json.loads(given))))
        except Exception:
            failures += 1
            if failures > wanted:
                return (), "the reference fails on too many inputs"
            continue
        if not _exact(value):
            return (), "the reference leaves the integers that JavaScript counts exactly"
        found[given] = Case(tuple(json.loads(given)), value)
        if len(found) == wanted:
            break
    tests = tuple(found.values())
    if len(tests) < wanted:
        return (), "too few different inputs"
    for part in (tests[: TESTS["tune"]], tests[TESTS["tune"] :]):
        if len({json.dumps(t.expected) for t in part}) < 2:
            return (), "the reference answers alike whatever the input"
    return tests, ""


def _exact(value: Any) -> bool:
    if isinstance(value, list):
        return all(_exact(v) for v in value)
    return not isinstance(value, int | float) or abs(value) <= EXACT


@cache
def _drawn(split: Split) -> tuple[tuple[Problem, ...], tuple[LeftOut, ...], frozenset[str]]:
    """Problems, what was left out, and the canonical texts of the split; later splits avoid those of earlier ones."""
    order: tuple[Split, ...] = ("report", "tune", "training")
    before = frozenset[str]().union(*(_drawn(s)[2] for s in order[: order.index(split)]))
    held = frozenset[str]()
    if split == "training":
        asked = (p for s in order[:-1] for p in _drawn(s)[0] if p.family in HELD_OUT)
        held = frozenset(skeleton(p.source, p.entry) for p in asked)
    problems, left, texts = [], [], set[str]()
    for index, family in enumerate(families(split)):
        for attempt in range(200):
            program = draw(split, family, index, attempt)
            text = canonical(program.source, program.entry)
            if text in before or (text in texts and split != "training"):
                continue
            if held and skeleton(program.source, program.entry) in held:
                continue  # random statements may come to look like a held-out composition
            name = f"{split}-{index:05d}-{family}"
            tests: tuple[Case, ...] = ()
            if split != "training":
                tests, reason = cases(program, split, family, index, attempt)
                if reason:
                    left.append(LeftOut(f"{name}.{attempt}", reason))
                    continue
            texts.add(text)
            cut = TESTS["tune"]
            target = program.target
            old = split == "training" and generator(SEED, "world", "programs", "dialect", index).random() < LEGACY_SHARE
            problems.append(
                Problem(
                    name,
                    family,
                    program.source,
                    legacy(target) if old else target,
                    program.entry,
                    tests[:cut],
                    tests[cut:],
                    old,
                )
            )
            break
    return tuple(problems), tuple(left), frozenset(texts)


def problems(split: Split) -> tuple[Problem, ...]:
    """The problems of a split, the same at every call. Raises ValueError for an unknown split."""
    if split not in SIZES:
        raise ValueError(f"unknown split {split!r}; one of {', '.join(SIZES)}")
    return _drawn(split)[0]


def left_out(split: Split) -> tuple[LeftOut, ...]:
    """Drawn programs that became no problem of `split`, by name and with the reason."""
    problems(split)
    return _drawn(split)[1]
