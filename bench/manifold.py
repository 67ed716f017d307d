"""Precision, recall, density and coverage at N = 10 000, D = 2048: ours against prdc, all four in one call each.

Both start from float32 features and end with the four values, which must be equal: prdc's distances are float64 sums
too, so that a decision could differ only where a point lies on a sphere to 1e-7. prdc starts threads of its own; both
sides have the same cores (bench.measure.hold_threads). The peak is what the call adds to its inputs, plus the inputs.
A last row gives the price of the ten leave-one-group-out values of the interval, which prdc does not have.
"""

from __future__ import annotations

from typing import Any

from bench.measure import Row, alternate, cannot, peak_extra_mb

N, D, K, GROUPS = 10_000, 2048, 5, 10
FASTER, MOST_MB = 3.0, 1000.0


def drawn(shift: float, scale: float) -> Any:
    """Features (N, D) float32 of mean near 1 with a decaying spectrum and a little full-rank noise."""
    import numpy as np

    from harness import keys

    mix = keys.generator(0, "world", "bench", "mix").normal(size=(256, D)).astype(np.float32) / 16
    rng = keys.generator(0, "world", "bench", "manifold", round(1000 * shift))
    inner = rng.normal(size=(N, 256)) * scale * np.exp(-np.arange(256) / 60)
    return inner.astype(np.float32) @ mix + 0.05 * rng.normal(size=(N, D)).astype(np.float32) + np.float32(1 + shift)


def run() -> list[Row]:
    import numpy as np

    from harness.metrics.manifold import Name, overlap

    x, y = drawn(0.01, 0.95), drawn(0.0, 1.0)
    one, dealt = np.zeros(N, dtype=np.int64), np.arange(N) // 50 % GROUPS
    names: tuple[Name, ...] = ("precision", "recall", "density", "coverage")

    def ours(group: Any = one, groups: int = 1) -> dict[str, float]:
        found = overlap(x, y, group, groups, K, False)
        return {name: found.share(name).full for name in names}

    inputs_mb = (x.nbytes + y.nbytes) / 1e6
    peak_mb = inputs_mb + peak_extra_mb(ours)
    goal = f"{FASTER:g} times faster, equal values, peak under 1 GB"
    name = f"precision, recall, density, coverage, {N} x {D}"
    note = f"peak {peak_mb:.0f} MB, of which {inputs_mb:.0f} MB are the inputs"
    try:
        from prdc import compute_prdc
    except ImportError as error:
        return [cannot(name, goal, f"{error}; {note}", "prdc")]
    calls = {"ours": ours, "prdc": lambda: compute_prdc(y, x, nearest_k=K), "groups": lambda: ours(dealt, GROUPS)}
    timed = alternate(calls, repeat=2)
    mine, theirs, grouped = timed["ours"], timed["prdc"], timed["groups"]
    apart = max(abs(float(mine.value[n]) - float(theirs.value[n])) for n in names)
    met = bool(theirs.best / mine.best >= FASTER and apart < 1e-12 and peak_mb < MOST_MB)
    return [
        Row(name, mine.best, "prdc", theirs.best, goal, met, apart, note),
        Row(f"the same with its interval, {GROUPS} groups", grouped.best, "prdc, without one", theirs.best, goal,
            bool(theirs.best / grouped.best >= FASTER), apart),
    ]  # fmt: skip
