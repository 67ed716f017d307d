"""The columns of the two frames of a run, in order: what users, reports and checks may rely on."""

from __future__ import annotations

SCORES = (
    "run", "suite", "suite_version", "task", "model", "method", "role", "params", "split", "seed", "metric",
    "metric_id", "value", "n", "ci_low", "ci_high", "ci_method", "direction", "unit", "status", "reason", "baseline",
    "delta", "delta_ci_low", "delta_ci_high", "p_value", "p_holm", "seconds", "denoiser_calls", "evaluations",
    "peak_memory_mb", "cell",
)  # fmt: skip
ITEMS = ("run", "cell", "method", "params", "seed", "metric", "metric_id", "group", "item", "value")
AGGREGATE = "all"  # the seed of rows that sum up the seeds
COMPARISONS = ("method", "metric", "baseline", "delta", "delta_ci_low", "delta_ci_high", "p_value", "p_holm")
FLIPS = (
    "method", "metric", "metric_id", "seed", "baseline", "lost", "gained", "both", "neither", "unpaired", "clusters",
    "p_value",
)  # fmt: skip
