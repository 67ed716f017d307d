"""From a finished execution to frames and the record of a run: score the cells, flag the inert, warn.

Reads the store, never a network when every score is stored: a finished suite is scored again in well under a second.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.engine.cell import PlannedCell, canonical, digest_of
from harness.engine.external import EXTERNAL, is_external
from harness.engine.flags import DO_NOTHING, untouched
from harness.engine.status import INERT, NONDETERMINISTIC, CellStatus, State
from harness.engine.store import Store, StoredCell
from harness.models.zoo import ZOO
from harness.scoring.budgets import unequal_budgets
from harness.scoring.changed import changed
from harness.scoring.elsewhere import SOURCE, listed, made_elsewhere
from harness.scoring.equal_time import equal_time_warnings
from harness.scoring.evidence import Source
from harness.scoring.flips import flips_of
from harness.scoring.frame import CellScores, frames, params_text
from harness.scoring.kinship import kinship_record
from harness.scoring.published import published_rows
from harness.scoring.scorer import Scorer
from harness.scoring.shared_space import shared_judges, shared_spaces
from harness.scoring.specimens import specimens_record
from harness.suite.controls import controlled

if TYPE_CHECKING:
    import pandas as pd

    from harness.suite import Plan

SEED = 0  # of keyed resampling: one value, so that two runs of a suite give the same intervals


@dataclass(frozen=True)
class Scoring:
    """Progress of scoring: cells done of cells in all, and what is worked on."""

    done: int
    total: int
    label: str = ""


@dataclass(frozen=True)
class ScoredRun:
    """The frames, and the record that becomes run.json. `extracted` images went through networks."""

    scores: pd.DataFrame
    items: pd.DataFrame
    record: dict[str, Any]
    extracted: int


@dataclass
class _Encoder:
    """Opens the suite's model once, and only when a data set must be encoded into its latent space."""

    plan: Plan
    store: Store
    device: str

    @cached_property
    def _loaded(self) -> Any:
        return self.plan.model.open(self.device)

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        from harness.models.diffusion.stage import LoopStage

        stage = LoopStage(self._loaded, (), lambda _: images, cache=self.store.derived)
        return np.asarray(stage.encode("a data set").cpu().numpy(), dtype=np.float32)


def score_run(
    plan: Plan,
    store: Store,
    statuses: Mapping[str, CellStatus],
    *,
    device: str,
    on_event: Callable[[Scoring], None],
    external: Sequence[PlannedCell] = (),
) -> ScoredRun:
    """Scores of every cell of a plan and of cells made elsewhere, which stand behind the suite's own.

    statuses  by address; a cell without one counts as never run
    """
    every = (*plan.cells, *external)
    source = Source(
        store=store,
        task=plan.task,
        sets={**plan.task.image_sets(), **plan.image_sets},
        device=device,
        model=digest_of(dict(plan.cells[0].cell.model.content)),
        encode=_Encoder(plan, store, device),
        seed=SEED,
    )
    scorer = Scorer(source, plan.metrics)
    rows, cells = [], []
    bases = untouched(p.cell for p in plan.cells)
    for done, planned in enumerate(every):
        on_event(Scoring(done, len(every), planned.label))
        stored = store.cell(planned.cell.address)
        status = statuses.get(planned.cell.address, CellStatus(State.NOT_RUN, "never ran"))
        if stored is None and status.is_ok:
            status = CellStatus(State.FAILED, "its artifacts are gone from the store; run the suite again")
        scores = tuple(scorer.score(planned.cell.address)) if stored is not None and status.is_ok else ()
        info = {**_info(plan, planned, stored), "inert": INERT in status.flags}
        rows.append(CellScores(info, status.state.value, status.reason, scores))
        repeats = None if stored is None else source.duplicates(stored.address)
        base = store.cell(bases[planned.cell.address]) if planned.cell.address in bases else None
        cells.append({**_cell(planned, stored, status), "duplicates": repeats})
        if stored is not None and base is not None and status.is_ok:
            cells[-1]["activity"] |= {name: [value] for name, value in changed(stored, base, store).items()}
    on_event(Scoring(len(every), len(every)))
    made = frames(
        rows,
        plan.metrics,
        scorer.ids,
        compare_to=plan.compare_to or "",
        primary=plan.primary,
        controls=controlled(plan.cells, plan.loaded.rows),
    )
    record = {
        "run": plan.suite.suite,
        "texts": list(plan.task.texts()),
        "suite": _suite(plan, every, scorer, cells),
        "cells": cells,
        "external": listed(external, store),
        "inputs": _inputs(plan),
        "provenance": _provenance(plan, store),
        "warnings": [
            *_warnings(plan, cells),
            *made_elsewhere(plan.compare_to, external, store),
            *_repeats(plan, cells),
        ],
        "published": published_rows(plan, made.scores),
        "comparisons": made.comparisons.to_dict("records"),
        "flips": flips_of(
            made.items, {scorer.ids[m]: m.right for m in plan.metrics if m.right is not None}, plan.compare_to
        ),
        "specimens": specimens_record(source, plan.metrics, cells),
        **kinship_record(plan.task, plan.cells, plan.metrics, store),
    }
    return ScoredRun(made.scores, made.items, record, source.extracted)


def _info(plan: Plan, planned: PlannedCell, stored: StoredCell | None) -> dict[str, Any]:
    cell = planned.cell
    return {
        "run": plan.suite.suite,
        "suite": plan.suite.suite,
        "suite_version": plan.suite.version,
        "task": cell.task.name,
        "model": cell.model.name,
        "method": planned.label,
        "role": planned.role,
        "params": params_text(cell.method.params),
        "split": cell.split,
        "seed": str(cell.seed),
        "cell": cell.address,
        "origin": EXTERNAL if is_external(cell) else "",
        **_costs(stored),
    }


def _costs(stored: StoredCell | None) -> dict[str, Any]:
    """Seconds, denoiser calls and peak memory; None where nobody measured them, as of what was made elsewhere."""
    if stored is None or is_external(stored.manifest.cell):
        return dict.fromkeys(("seconds", "denoiser_calls", "evaluations", "peak_memory_mb"))
    peak = stored.peak_memory_mb
    return {
        "seconds": round(stored.seconds, 3),
        "denoiser_calls": denoiser_calls(stored),
        "evaluations": evaluations(stored),
        "peak_memory_mb": None if peak is None else round(peak, 1),
    }


def evaluations(stored: StoredCell) -> float | None:
    """How often a search was answered: in all when one point serves every item, an item when each has its own."""
    calls = stored.manifest.calls
    if "item_evaluations" in calls:
        return calls["item_evaluations"] / stored.manifest.items
    return float(calls["evaluations"]) if "evaluations" in calls else None


def denoiser_calls(stored: StoredCell) -> int:
    """Evaluations of the denoiser, an item each: conditional, unconditional and auxiliary."""
    calls = stored.manifest.calls
    return sum(calls.get(kind, 0) for kind in ("conditional", "unconditional", "auxiliary"))


def _cell(planned: PlannedCell, stored: StoredCell | None, status: CellStatus) -> dict[str, Any]:
    activity = {} if stored is None else stored.manifest.activity
    return {
        "cell": planned.cell.address,
        "method": planned.label,
        "name": planned.cell.method.name,
        "role": planned.role,
        "params": dict(planned.cell.method.params),
        "seed": str(planned.cell.seed),
        "status": status.state.value,
        "reason": status.reason,
        "flags": ",".join(sorted({*status.flags, *([EXTERNAL] if is_external(planned.cell) else [])})),
        **_costs(stored),
        "calibration_calls": 0 if stored is None else stored.manifest.calls.get("calibration", 0),
        "images": None if stored is None else stored.manifest.items,
        "micro_batch": None if stored is None else stored.manifest.micro_batch,
        "tries": None if stored is None else stored.manifest.tries,
        "activity": {name: list(a.by_step.values()) for name, a in activity.items()},
        "point": json.loads(canonical(dict(planned.point))),
    }


def _suite(
    plan: Plan, every: Sequence[PlannedCell], scorer: Scorer, cells: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The resolved suite with what the report prints of methods and metrics."""
    from harness.methods import METHODS
    from harness.suite.resolved import resolved

    described: dict[str, Any] = resolved(plan.loaded)
    seen: dict[str, dict[str, Any]] = {}
    for planned in every:
        name = planned.cell.method.name
        source = SOURCE if is_external(planned.cell) else METHODS.get(name).source
        entry = {"label": planned.label, "title": source.title, "paper": source.paper, "code": source.code}
        seen.setdefault(planned.label, {**entry, "licence": source.licence, "preset": name, "role": planned.role})
    described["methods"] = list(seen.values())
    described["item"], described["cluster"] = plan.task.item, plan.task.cluster
    described["metrics"] = [
        {
            "name": m.name,
            "id": scorer.ids[m],
            "estimator": m.estimator.value,
            "unit": m.unit,
            "ideal": m.ideal,
            "right": m.right,
            "source": m.source,
            "direction": m.direction.value,
            "help": (type(m).__doc__ or "").split("\n")[0],
        }
        for m in plan.metrics
    ]
    described["notes"] = _notes(plan, cells)
    return described


def _notes(plan: Plan, cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the run cannot show, in sentences for the report."""
    found = []
    if plan.model.name in ZOO:
        found.append(
            f"The model {plan.model.name} is a small one, trained by this project on data that it draws or ships;"
            " nothing is said here about larger models."
        )
    if any(m.name.startswith("attr.") for m in plan.metrics):
        found.append(
            "Attributes of generated images are read by a classifier trained on renders. Its errors are measured there"
            " (the card of avatars-attributes) and assumed to be the same on generated images."
        )
    pilots = {str(c["method"]): int(c["calibration_calls"]) for c in cells if c["calibration_calls"]}
    found += [f"{k} set its scale with {n} pilot calls of the denoiser, for all seeds." for k, n in pilots.items()]
    if any(n.role == "protected" for m in plan.metrics for n in m.needs()):
        found.append("An image outside every ball may still copy what the distance of that space does not see.")
    return [*found, *plan.task.notes()]


def _warnings(plan: Plan, cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences for the top of the report."""
    found = []
    for label in dict.fromkeys(str(c["method"]) for c in cells):
        mine = [c for c in cells if c["method"] == label]
        flags = {f for c in mine for f in str(c["flags"]).split(",") if f}
        same = [c for c in mine if c["status"] == "ok" and INERT in str(c["flags"]).split(",")]
        bad = [c for c in mine if c["status"] != "ok"]
        if same and len(same) + len(bad) == len(mine):
            same_as = f"its {plan.task.item}s equal those of the untouched model bit by bit"
            found.append(f"{label} changed nothing: {same_as}. Not ranked.")
        elif same:
            seeds = ", ".join(str(c["seed"]) for c in same)
            found.append(
                f"{label} changed nothing at seed {seeds}: there its {plan.task.item}s equal the untouched model's."
            )
        if NONDETERMINISTIC in flags:
            found.append(f"{label} gave different artifacts for the same address: a result of it may not be trusted.")
        if bad:
            found.append(
                f"{label}: {len(bad)} of {len(mine)} cells are not ok ({bad[0]['status']}: {bad[0]['reason']})."
            )
    found += equal_time_warnings(cells) + unequal_budgets(cells) + shared_spaces(cells, plan.metrics)
    found += shared_judges(plan.task, plan.metrics)
    if not any(c["name"] in DO_NOTHING for c in cells):
        found.append(
            "No row leaves the model untouched (iid, untouched): a method that changes nothing cannot be told."
        )
    if plan.compare_to is None:
        found.append("The suite names no baseline to compare with (compare_to): no differences are shown.")
    if len(plan.suite.seeds) == 1:
        found.append("One seed: nothing is known of how results vary over seeds.")
    return found


def _inputs(plan: Plan) -> dict[str, dict[str, Any]]:
    """Digest, number, containers and rate of duplicates of every data set, by role (metrics.md T13)."""
    texts = plan.task.texts()
    return {
        role: {
            "digest": s.digest(texts),
            "images": s.size(texts),
            "kept_as": sorted(s.kept_as(texts)),
            "duplicates": s.duplicates(texts),
        }
        for role, s in plan.image_sets.items()
    }


def _repeats(plan: Plan, cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences about images that stand more than once: they inflate densities and narrow intervals."""
    rates: dict[str, float] = {f"The {r} set": i["duplicates"] or 0.0 for r, i in _inputs(plan).items()}
    for cell in cells:
        label = str(cell["method"])
        rates[label] = max(rates.get(label, 0.0), cell["duplicates"] or 0.0)
    return [f"{who} repeats {rate:.2%} of its images pixel for pixel." for who, rate in rates.items() if rate > 0]


def _provenance(plan: Plan, store: Store) -> dict[str, Any]:
    """Of the cells: what they agree on once, and the number of different environments that made them."""
    manifests = [m for p in plan.cells if (m := store.manifest(p.cell.address)) is not None]
    if not manifests:
        return {}
    kinds = {canonical({k: m.provenance.get(k) for k in ("code", "environment", "hardware")}) for m in manifests}
    parts = plan.cells[0].cell
    return {
        **manifests[0].provenance,
        "inputs": {
            "model": dict(parts.model.content),
            "task": dict(parts.task.content),
            "data": {role: s.identity(plan.task.texts()) for role, s in plan.image_sets.items()},
        },
        "environments": len(kinds),
    }
