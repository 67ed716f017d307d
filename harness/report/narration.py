"""The report's opening words: what was compared, and what must be known before any number is read."""

from __future__ import annotations

from collections.abc import Mapping

from harness.report.entries import number
from harness.report.rounding import count_text
from harness.report.run_view import RunView
from harness.report.summary import Summary
from harness.report.verdicts import listed


def kicker(view: RunView) -> str:
    """Suite with version, task and date, in one line."""
    version = view.suite.get("version")
    suite = f"suite {view.name}" + (f", version {version}" if version else "")
    when = next((str(view.provenance[k]) for k in ("finished", "date", "started") if view.provenance.get(k)), "")
    return " · ".join(p for p in (suite, name_of(view.suite.get("task")).replace("_", " "), when) if p)


def name_of(component: object) -> str:
    """The name of a component that a suite gives by name or as a mapping with a name."""
    return str(component.get("name") or "") if isinstance(component, Mapping) else str(component or "")


def compared(view: RunView, summary: Summary, clusters: int = 0) -> str:
    """What was compared, in words: rows, baseline, model, images and seeds. clusters: how many, 0: from the items."""
    others = [r for r in summary.rows if r.label != summary.baseline]
    counts = {role: len({r.family for r in others if r.role == role}) for role in ("method", "baseline", "control")}
    words = {
        "method": "method",
        "baseline": "further baseline" if summary.baseline else "baseline",
        "control": "control",
    }
    named = [f"{n} {words[role]}{'s' if n > 1 else ''}" for role, n in counts.items() if n]
    sentence = listed(named).capitalize()
    if sum(counts.values()) < len(others):
        sentence += f", in {len(others)} settings,"
    sentence += f" against {summary.baseline}" if summary.baseline else ""
    if model := name_of(view.suite.get("model")):
        sentence += f" on {model}"
    done = view.cells[view.cells["status"] == "ok"]
    images = {int(n) for v in done.groupby("method")["images"].sum() if (n := number(v))}
    seeds = f"{len(view.seeds)} seed{'s' if len(view.seeds) != 1 else ''}"
    if not images:
        return f"{sentence}. {seeds.capitalize()}."
    clusters = clusters or clusters_of(view)
    plural = f"{summary.cluster}{'s' if clusters != 1 else ''}"
    per = f"{clusters} {plural} and {seeds}" if clusters else seeds
    shared = (
        "every method starts from the same noise" if summary.item == "image" else "every method answers the same inputs"
    )
    return f"{sentence}. {count_text(max(images))} {summary.item}s a method over {per}; {shared}."


def clusters_of(view: RunView) -> int:
    """How many clusters (prompts, problems, sentences) the items have; 0 where no frame says."""
    keys = view.items["item"].astype(str)
    return int(keys[keys.str.match(r"^\d+/\d+$")].str.split("/").str[0].nunique())


def own_warnings(view: RunView, summary: Summary) -> list[str]:
    """What the frames themselves say must be known, of rows that no warning of the run begins with."""
    rows = [r for r in summary.rows if not any(str(w).startswith(r.label) for w in view.warnings)]
    found = []
    if gaps := [r for r in rows if r.gaps]:
        missing, planned = sum(len(r.gaps) for r in gaps), sum(r.planned for r in summary.rows)
        which = [f"{r.label} ({', '.join(dict.fromkeys(g[1] for g in r.gaps))})" for r in gaps]
        verb = "has" if missing == 1 else "have"
        found.append(f"{missing} of {planned} cells {verb} no result: {listed(which)}. No average is taken over a gap.")
    if inert := [r.label for r in rows if r.inert]:
        verb = "is" if len(inert) == 1 else "are"
        found.append(f"{listed(inert)} {verb} inert: the output equals that of the base model. Shown, not ranked.")
    return found
