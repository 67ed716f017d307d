"""Sets of surrogates by words, and how far a target is from them: white, grey or black (face_privacy.md 8.6).

    resnet-a + mobilenet         these two
    all                          every known recogniser that has gradients
    all-but NAME                 leave one out
    all-but-family NAME          leave out all that shares weights, training set or architecture with NAME

`known` is what the suite lists; a word never reaches beyond it. White: the target was optimised on. Grey: not, but it
shares weights, training set or architecture with one that was (a fine-tuned descendant, T17). Black: neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from harness.models.faces.recogniser import Lineage, find
from harness.options import nearest

Relation = Literal["white", "grey", "black"]
ALL, ALL_BUT, ALL_BUT_FAMILY = "all", "all-but", "all-but-family"


class UnknownSurrogates(ValueError):
    """Words for a set of surrogates that name nothing, or leave nothing."""


def lineages(names: Sequence[str]) -> dict[str, Lineage]:
    """The families of recognisers by name."""
    return {name: find(name).lineage for name in names}


def resolve(
    words: str,
    known: Sequence[str],
    family: Callable[[str], Lineage] | None = None,
    usable: Callable[[str], bool] | None = None,
) -> tuple[str, ...]:
    """The names that `words` stand for, in the order of `known`. Raises UnknownSurrogates.

    family  name → lineage; usable  whether a name has gradients (only "all…" leaves out what has none); both default
    to what `find` says
    """
    of = family or (lambda name: find(name).lineage)
    has = usable or (lambda name: bool(find(name).differentiable))
    head, _, rest = words.strip().partition(" ")
    rest = rest.strip()
    if head == ALL and not rest:
        found = [n for n in known if has(n)]
    elif head in (ALL_BUT, ALL_BUT_FAMILY):
        _check(rest, known, words)
        near = {n for n in known if n == rest or (head == ALL_BUT_FAMILY and of(n).shared(of(rest)))}
        found = [n for n in known if n not in near and has(n)]
    else:
        asked = [part.strip() for part in words.split("+")]
        for part in asked:
            _check(part, known, words)
        if len(set(asked)) != len(asked):
            raise UnknownSurrogates(f"surrogates {words!r} name one recogniser twice")
        found = [n for n in known if n in asked]
    if not found:
        raise UnknownSurrogates(f"surrogates {words!r} leave nothing of {', '.join(known)}")
    return tuple(found)


def relation(surrogates: Sequence[str], target: str, families: Mapping[str, Lineage] | None = None) -> Relation:
    """How the target stands to the surrogates. families: name → lineage, default what `find` says."""
    if target in surrogates:
        return "white"
    return "grey" if kinship(surrogates, target, families) else "black"


def kinship(surrogates: Sequence[str], target: str, families: Mapping[str, Lineage] | None = None) -> tuple[str, ...]:
    """What the target shares with any of the surrogates: "weights", "training", "architecture", in that order."""
    of = families if families is not None else lineages([*surrogates, target])
    shared = {key for s in surrogates for key in of[s].shared(of[target])}
    return tuple(k for k in ("weights", "training", "architecture") if k in shared)


def _check(name: str, known: Sequence[str], words: str) -> None:
    if name not in known:
        near = nearest(name, known)
        hint = f"; did you mean {near[0]!r}?" if near else f"; one of {', '.join(known)}"
        raise UnknownSurrogates(f"surrogates {words!r}: no recogniser {name!r} is listed here{hint}")
