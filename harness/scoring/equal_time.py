"""Whether the equal-time row was one: independent samples at equal cost may not have taken more time than a method.

Rule (generation.md section 6.1, rules.md 4): a row of `iid_equal_time` is a fair opponent of a method while its mean
seconds a cell are at most 1.02 times the method's, over the seeds that both finished. Above that, its results buy
something that the method did not have, and a sentence says so, with the factor that would fit; where it took less than
half, a sentence says that the comparison is lenient. Denoiser calls stand beside the seconds, because seconds feel the
machine and calls do not. A cell's seconds include a method's own work and exclude pilots.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

EQUAL_TIME = frozenset({"iid_equal_time"})  # methods whose claim is that they took no more time than others
SLACK = 1.02  # generation.md section 6.1
FEW = 3  # methods that are named one by one
LENIENT = 0.5  # of a method's seconds: below, a larger factor could have been paid


def equal_time_warnings(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences about every equal-time row: the methods it took longer than, and those it was too cheap for.

    cells  records with method (label), name, role, seed, status, seconds, denoiser_calls, params
    """
    finished = [c for c in cells if c["status"] == "ok" and c["seconds"]]
    claims = [c for c in finished if c["name"] in EQUAL_TIME and c["role"] != "control"]
    rows = list(dict.fromkeys(str(c["method"]) for c in claims))
    methods = dict.fromkeys(str(c["method"]) for c in finished if c["role"] == "method" and c["name"] not in EQUAL_TIME)
    found = []
    for row in rows:
        compared = [(label, r) for label in methods if (r := ratios(finished, row, label)) is not None]
        params = next(c["params"] for c in finished if c["method"] == row)
        if over := [(label, s, n) for label, (s, n) in compared if s > SLACK]:
            fits = fitting(float(params["factor"]), max(s for _, s, _ in over))
            fair = [label for label, (s, _) in compared if s <= SLACK]
            found.append(
                f"{row} took more seconds than {listed(over, fair)}: against these it is not at equal time. {fits}"
            )
        if under := [(label, s) for label, (s, _) in compared if s < LENIENT]:
            named = ", ".join(f"{label} ({s:.2f} times)" for label, s in under)
            found.append(f"{row} took less than half of the seconds of {named}: a lenient opponent of these.")
    return found


def listed(over: Sequence[tuple[str, float, float]], fair: Sequence[str]) -> str:
    """The methods it took longer than, with the ratios; more than a few of them as ranges, and the exceptions named."""
    if len(over) <= FEW:
        return ", ".join(f"{label} ({s:.2f} times, {n:.2f} times the denoiser calls)" for label, s, n in over)
    who = f"all {len(over)} methods" if not fair else f"{len(over)} methods"
    but = "" if not fair or len(fair) > FEW else f" (all but {', '.join(fair)})"
    seconds, calls = span([s for _, s, _ in over]), span([n for _, _, n in over])
    return f"{who}{but}, {seconds} times, with {calls} times the denoiser calls"


def span(values: Sequence[float]) -> str:
    """ "1.77 to 4.69", or one number where they agree to two decimals."""
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def ratios(cells: Sequence[Mapping[str, Any]], row: str, method: str) -> tuple[float, float] | None:
    """Seconds and denoiser calls of a row over those of a method, over their common seeds; None without one."""
    by_seed = [{c["seed"]: c for c in cells if c["method"] == label} for label in (row, method)]
    common = [s for s in by_seed[0] if s in by_seed[1]]
    if not common:
        return None
    sums = [
        [sum(float(cells_of[s][column] or 0.0) for s in common) for cells_of in by_seed]
        for column in ("seconds", "denoiser_calls")
    ]
    return sums[0][0] / sums[0][1], sums[1][0] / sums[1][1] if sums[1][1] else math.nan


def fitting(factor: float, ratio: float) -> str:
    """ "A factor of 1.6 would fit." for one that took `ratio` times too long; two digits, rounded down."""
    fits = math.floor(factor / ratio * 10) / 10
    return f"A factor of {fits:g} would fit." if fits > 1.0 else "No factor above 1 would fit."
