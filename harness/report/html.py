"""The run as one self-contained page: no network, no script that it needs to be read, images and drawings inside.

Templates, styles and script lie in assets/. Every number stands in a `<data value>` element with its exact value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.resources import files
from itertools import groupby

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from harness.report.activity import traces
from harness.report.cloaks import cloaks, is_cloaking
from harness.report.contenders import RULE
from harness.report.curves import Curve, curves, legend, tradeoffs
from harness.report.differences import group_tables, pair_panels
from harness.report.entries import Direction, Tone, number, text
from harness.report.flips import flip_note, flip_tables
from harness.report.forest import forests
from harness.report.grids import cluster_names, gallery
from harness.report.hypervolume import Volume, by_pair, volumes
from harness.report.matrix import matrices
from harness.report.narration import compared, kicker, own_warnings
from harness.report.protection import prices
from harness.report.rounding import Digits, adjusted, count_text, digits, seconds_text
from harness.report.run_view import RunView
from harness.report.score_cells import one, score_tables, seed_lines
from harness.report.search import search_account
from harness.report.specimens import exhibit
from harness.report.summary import Column, Row, Summary, method_entries, summarise
from harness.report.verdicts import Kind, verdicts

GLYPHS: dict[str, str] = {Tone.BETTER: "✓", Tone.WORSE: "✕", Tone.CHANGED: "≠", Tone.UNCLEAR: "~"}
GLYPHS |= {Kind.MIXED: "⇅", Kind.MISSING: "–"}
STYLES = ("page.css", "tables.css", "figures.css", "specimens.css", "faces.css")


def page(view: RunView) -> str:
    """The whole document."""
    summary = summarise(view)
    images = None if is_cloaking(view) else gallery(view, summary)  # people are shown by cloaks(), or not at all
    named = view.texts or (prompts_of(view, images.seed) if images else ())
    prompts = cluster_names(named, summary.cluster)
    shown = exhibit(view, summary)
    panels = pair_panels(view, summary, images)
    drawn, bought = tradeoffs(summary), prices(summary)
    cells = cell_lines(view)
    tables = score_tables(summary)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            view=view,
            summary=summary,
            css=stylesheet(images.reduced if images else False, images.size_px if images else (1, 1)),
            js=Markup(asset("script.js")),
            rule=RULE,
            kicker=kicker(view),
            description=str(view.suite.get("description") or ""),
            compared=compared(view, summary, len(prompts)),
            warnings=[*map(str, view.warnings), *own_warnings(view, summary)],
            notes=[str(n) for n in view.suite.get("notes") or ()],
            verdicts=verdicts(summary),
            tables=tables,
            has_companions=any(c.companions for c in summary.columns),
            uses_changed=any(s.tone is Tone.CHANGED for t in tables for line in t.lines for s in line.scores),
            seeds=seed_lines(view, summary),
            forests=forests(summary),
            gallery=images,
            cloaks=cloaks(view, summary),
            matrices=matrices(view, summary),
            prices=bought,
            protects=list({p.protects.name: p.protects for p in bought}.values()),
            changes=list({p.change.name: p.change for p in bought}.values()),
            exhibit=shown,
            account=search_account(view, summary),
            flips=[(t, flip_note(t, summary)) for t in flip_tables(view, summary)],
            curves=curves(summary),
            tradeoffs=drawn,
            volumes=by_pair(volumes(view, summary)),
            legend=legend(summary),
            axes=list({t.x.name: t.x for t in drawn}.values()),
            groups=group_tables(view, summary, prompts),
            panels=panels,
            panel_metrics=list(dict.fromkeys(p.metric for p in panels)),
            panel_methods=list(dict.fromkeys(p.method for p in panels)),
            traces=traces(view, summary),
            companion_ids=companion_ids(view, summary),
            methods=method_lines(view, summary),
            published=published_lines(view.published),
            cells=cells,
            any_calls=summary.item == "image" or any(c["calls"] not in ("0", "not measured") for c in cells),
            cells_ok=sum(c["status"] == "ok" for c in cells),
        )
    )


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Templates with escaping always on and unknown names refused."""
    env = Environment(
        loader=PackageLoader("harness.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals["glyphs"] = GLYPHS
    env.filters |= {
        "count": count_text,
        "one": one,
        "breakable": breakable,
        "emphasise": emphasise,
        "groupby_family": by_family,
        "signed": signed,
        "share": lambda v, scale: f"{min(abs(v) / scale, 1.0) if scale else 0.0:.2f}",
        "side": side,
        "value": lambda v: v if isinstance(v, str) else json.dumps(v, ensure_ascii=False),
        "volume": volume_line,
        "bare": lambda url: str(url).split("://", 1)[-1],
    }
    return env


@lru_cache(maxsize=8)
def asset(name: str) -> str:
    return files("harness.report").joinpath("assets", name).read_text(encoding="utf-8")


def stylesheet(reduced: bool, size_px: tuple[int, int]) -> Markup:
    """All styles; tiles keep the images' shape and are smooth only where the page holds thumbnails."""
    height, width = size_px
    extra = f":root{{--shape:{width}/{height}}}" + (".t{image-rendering:auto}" if reduced else "")
    return Markup("\n".join([*map(asset, STYLES), extra]))


def prompts_of(view: RunView, seed: str) -> tuple[str, ...]:
    for row in view.cells[(view.cells["seed"].astype(str) == seed) & (view.cells["status"] == "ok")].itertuples():
        try:
            return view.images(str(row.cell)).prompts
        except (KeyError, OSError, ValueError):
            continue
    return ()


def companion_ids(view: RunView, summary: Summary) -> dict[str, list[str]]:
    """Full ids of each column's companions."""
    ids = dict(zip(view.table_scores["metric"].astype(str), view.table_scores["metric_id"].map(text), strict=True))
    return {c.name: [ids.get(n) or n for n in c.companions] for c in summary.columns}


def method_lines(view: RunView, summary: Summary) -> list[tuple[Row, dict[str, str]]]:
    """Each row with what the suite says about its method; a sweep's points share their method's entry."""
    stated = method_entries(view)
    keys = ("title", "paper", "code", "licence", "preset", "help")
    return [
        (row, {k: str(about.get(k) or "") for k in keys})
        for row in summary.rows
        for about in [stated.get(row.label) or stated.get(row.family) or {}]
    ]


def published_lines(frame: pd.DataFrame | None) -> list[dict[str, str]]:
    if frame is None:
        return []
    return [{str(k): plain_text(v) for k, v in row.items()} for row in frame.to_dict("records")]


def plain_text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) and number(value) is not None else text(value) or "not stated"


def cell_lines(view: RunView) -> list[dict[str, str]]:
    lines = []
    for row in view.cells.itertuples(index=False):
        known = {k: number(getattr(row, k)) for k in ("images", "seconds", "denoiser_calls", "peak_memory_mb")}
        shown = {k: "not measured" if v is None else count_text(v) for k, v in known.items()}
        lines.append(
            {
                "cell": text(row.cell), "method": text(row.method), "seed": str(row.seed), "status": text(row.status),
                "reason": text(row.reason), "images": shown["images"], "calls": shown["denoiser_calls"],
                "seconds": "not measured" if known["seconds"] is None else seconds_text(known["seconds"]),
                "memory": shown["peak_memory_mb"],
            }
        )  # fmt: skip
    return lines


def breakable(label: object) -> Markup:
    """The text with permitted breaks after commas, equals signs, underscores and at signs, and dots before a letter."""
    return Markup(re.sub(r"([,=_@]|\.(?=[^\W\d]))", r"\1<wbr>", str(escape(str(label)))))


def emphasise(sentence: str, subject: str) -> Markup:
    """The sentence with the first mention of its subject set in bold."""
    before, found, after = sentence.partition(subject)
    return Markup("{}<b>{}</b>{}").format(before, found, after) if found else escape(sentence)


def volume_line(found: Volume) -> str:
    """ "1.83 [1.2, 2.4], 41 % of the box, 3 points": area, interval, share, points."""
    d = digits(found.area, found.low, found.high)
    bounds = "" if found.low is None or found.high is None else f" [{d.text(found.low)}, {d.text(found.high)}]"
    share = "" if found.share is None else f", {found.share * 100:.0f} % of the box"
    return f"{d.text(found.area)}{bounds}{share}, {found.points} point{'s' if found.points != 1 else ''}"


def by_family(found: Sequence[Curve]) -> Iterator[tuple[str, list[Curve]]]:
    """Curves by sweep and parameter."""
    for (family, parameter), members in groupby(found, key=lambda c: (c.family, c.parameter)):
        yield f"{family} over {parameter}", list(members)


def signed(value: float, scale: float) -> str:
    """A difference with as many decimals as two digits of the table's largest one need."""
    return Digits(max(0, 1 - adjusted(scale))).text(value, signed=True) if scale else "0"


def side(value: float, column: Column) -> str:
    """CSS class of a descriptive difference."""
    if column.direction in (Direction.HIGHER, Direction.LOWER) and value:
        return "up" if (value > 0) == (column.direction is Direction.HIGHER) else "down"
    return "moved"
