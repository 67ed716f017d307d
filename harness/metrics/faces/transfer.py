"""Does protection reach recognisers that nobody optimised against? Excess, classes of cells and ratios, on numbers.

Excess X = M - C, the success of protected photos minus that of clean ones (C = 0 for rates that are conditioned on
clean success). Class of a cell: white, the target was optimised; grey, it shares weights lineage, training set or
architecture with one that was; black, neither. W and B are the means over white and black cells; the transfer ratio
TR = B / W is a ratio of means, never clipped, and has no value where W is below .2 (`whitebox_failed`) or fewer than 50
people stand behind it. Source: face_privacy.md section 8.6. Traps: T5, T15 to T17.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.metrics.faces.view import Lineage
from harness.metrics.inputs import Floats
from harness.metrics.metric import Array, CannotMeasure, ScoreStatus

Relation = Literal["white", "grey", "black"]
KINDS = ("weights", "training", "architecture")
LEAST_WHITE = 0.20
LEAST_PEOPLE = 50


def shared(target: Lineage, surrogates: Iterable[Lineage]) -> tuple[str, ...]:
    """What the target shares with any of the surrogates; an empty word is unknown and shared with nobody."""
    every = list(surrogates)
    return tuple(kind for i, kind in enumerate(KINDS) if target[i] and any(s[i] == target[i] for s in every))


def relation(target: str, lineage: Lineage, surrogates: Sequence[str], lineages: Mapping[str, Lineage]) -> Relation:
    """The class of the cell (surrogates, target). Raises KeyError for a surrogate without a lineage."""
    if target in surrogates:
        return "white"
    return "grey" if shared(lineage, [lineages[s] for s in surrogates]) else "black"


def excess(protected: float, clean: float) -> float:
    """X = M - C."""
    return protected - clean


def transfer_ratio(
    other: float, white: float, people: int, least: float = LEAST_WHITE, fewest: int = LEAST_PEOPLE
) -> float:
    """Excess elsewhere over the excess on what was optimised, not clipped. Raises CannotMeasure by its guards."""
    if not white >= least:
        raise CannotMeasure(
            ScoreStatus.UNDEFINED,
            f"whitebox_failed: the excess on the optimised recognisers is {white:.3f}, below {least:g}: nothing to"
            " transfer",
        )
    if people < fewest:
        raise CannotMeasure(ScoreStatus.INSUFFICIENT_N, f"few_identities: {people} people, {fewest} are needed")
    return other / white


def ratio_replicates(other: Floats, white: Floats, least: float = LEAST_WHITE) -> Floats | None:
    """(R,) ratios; None where the white excess touches half its least value, for then the ratio has no tails."""
    return None if white.min() <= least / 2 else other / white


def asymmetry(ratios: Array) -> Floats:
    """A[s, t] = TR[s, t] - TR[t, s] of a square matrix of ratios."""
    square = np.asarray(ratios, dtype=np.float64)
    return square - square.T


def leave_one_out(found: Mapping[tuple[frozenset[str], str], float], pool: Sequence[str]) -> float:
    """Mean over targets t of X[pool without t, t]: the table of four models of AMT-GAN. Raises CannotMeasure for gaps.

    found  (surrogates, target) → X
    """
    wanted = [(frozenset(pool) - {t}, t) for t in pool]
    if absent := [t for s, t in wanted if (s, t) not in found]:
        text = f"{len(absent)} of {len(pool)} cells are missing: {absent[0]!r} left out"
        raise CannotMeasure(ScoreStatus.UNDEFINED, text)
    return float(np.mean([found[cell] for cell in wanted]))


def spearman(first: Array, second: Array) -> float:
    """Rank correlation of impostor scores (n,) of the same pairs: transfer to a near-copy is not transfer."""
    from scipy.stats import rankdata

    a, b = (np.asarray(rankdata(np.asarray(v, dtype=np.float64))) for v in (first, second))
    a, b = a - a.mean(), b - b.mean()
    below = float(np.sqrt((a @ a) * (b @ b)))
    if below == 0.0:
        raise CannotMeasure(ScoreStatus.UNDEFINED, "all impostor scores of a recogniser are equal")
    return float(a @ b) / below


def at_distortion(distortion: Array, found: Array, wanted: float) -> float:
    """X at a fixed distortion, by linear interpolation over a sweep of budgets (B,). Never extrapolates: raises."""
    x, y = np.asarray(distortion, dtype=np.float64), np.asarray(found, dtype=np.float64)
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    if len(x) < 2 or not x[0] <= wanted <= x[-1]:
        reach = f"{x[0]:.4g} to {x[-1]:.4g}" if len(x) else "nothing"
        raise CannotMeasure(
            ScoreStatus.UNDEFINED, f"no_extrapolation: a distortion of {wanted:g} is outside the sweep ({reach})"
        )
    if len(np.unique(x)) < len(x):
        raise CannotMeasure(ScoreStatus.UNDEFINED, "two budgets of the sweep have the same distortion")
    return float(np.interp(wanted, x, y))


def newest(released: Mapping[str, str]) -> str:
    """The recogniser with the latest ISO date, by name where dates are equal; an unknown date ("") never is."""
    known = {name: date for name, date in released.items() if date}
    if not known:
        raise CannotMeasure(ScoreStatus.UNDEFINED, "no release date is known")
    return max(sorted(known), key=lambda name: known[name])


def mean_of(rows: Sequence[NDArray[Any]]) -> Floats:
    """(R,) mean over cells of their replicates."""
    return np.asarray(np.mean(np.stack(rows), axis=0))
