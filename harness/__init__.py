"""A benchmark harness for what is done to generative models after training.

import harness
suite = harness.load_suite("quickstart")          # a path, or the name of a shipped suite
print(harness.plan(suite).cells)                  # touches no weights
run = harness.run(suite, out="runs/quickstart")   # executes, scores, reports; resumes what is there
run.scores, run.items, run.cells                  # DataFrames
harness.score("theirs/", suite, as_="theirs")     # images made elsewhere, beside the rows of the run
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.runs import Run
    from harness.suite import LoadedSuite, Plan

__all__ = ["load_suite", "plan", "read_run", "run", "score"]


def load_suite(source: str | Path, overrides: Sequence[str] = ()) -> LoadedSuite:
    """A suite by path or shipped name, checked. `overrides` are KEY=VALUE texts. Raises harness.suite.SuiteError."""
    from harness.suite import load_suite as load

    return load(source, overrides)


def plan(suite: LoadedSuite | str | Path, only: Sequence[str] = ()) -> Plan:
    """The cells of a suite and everything needed to score them; touches no weights beyond hashing them."""
    from harness.suite import LoadedSuite, load_suite
    from harness.suite import plan as expand

    return expand(suite if isinstance(suite, LoadedSuite) else load_suite(suite), only)


def run(suite: LoadedSuite | Plan | str | Path, **options: Any) -> Run:
    """Run a suite to its report; options are those of harness.runs.run_suite (out, store, device, workers, …)."""
    from harness.runs import run_suite
    from harness.suite import Plan

    return run_suite(suite if isinstance(suite, Plan) else plan(suite), **options)


def read_run(path: str | Path) -> Run:
    """A finished run by its directory."""
    from harness.runs import read_run as read

    return read(path)


def score(
    images: str | Path,
    suite: LoadedSuite | Plan | str | Path,
    *,
    as_: str,
    prompts: str | Path | None = None,
    out: str | Path | None = None,
    store: str | Path | None = None,
    device: str = "auto",
    **reading: Any,
) -> Run:
    """Score images made elsewhere (a folder or npz) with a suite, as the row `as_` beside its own.

    prompts  JSONL, CSV or .txt file that says which prompt each image answers; reading: the other fields of
             harness.external.Outside (seeds, missing, reader, fit, any_container, by, note)
    """
    from pathlib import Path

    from harness.external import Outside, score_images
    from harness.suite import Plan

    outside = Outside(Path(images), as_, None if prompts is None else Path(prompts), **reading)
    planned = suite if isinstance(suite, Plan) else plan(suite)
    return score_images(planned, outside, out=out, store=store, device=device)
