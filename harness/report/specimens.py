"""Specimens on the page: a few items with what was asked and what each row answered, as text or as sound.

First the items on which the rows' verdicts differ most, then some drawn by key, so that nobody chose them. Rows that
answered alike, to the letter or the sample, stand together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from harness.keys import digest
from harness.report.entries import number
from harness.report.grids import chosen_rows
from harness.report.marks import Piece, cut, marked
from harness.report.rounding import digits
from harness.report.run_view import RunView
from harness.report.sound import data_uri, envelope
from harness.report.summary import Column, Row, Summary, metric_entries
from harness.scoring.specimens import Specimens

BUDGET = 4_000_000  # bytes of all sounds of a page as base64 text
DIFFERENT, AT_RANDOM = {"texts": 8, "sound": 4}, {"texts": 4, "sound": 2}
MOST_CHIPS = 3
OUTCOMES = {"pass": "good"}  # of a program; every other outcome is a failure


@dataclass(frozen=True)
class Chip:
    """A verdict in a few words. tone: good | bad | plain."""

    text: str
    tone: str


@dataclass(frozen=True)
class Sound:
    uri: str
    drawing: Markup
    seconds: float


@dataclass(frozen=True)
class Heard:
    """What a recogniser understood, against what was said. tuned: it is the one that the searches were told by."""

    judge: str
    tuned: bool
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Answer:
    """One output, and the rows that gave it."""

    rows: tuple[Row, ...]
    chips: tuple[Chip, ...]
    pieces: tuple[Piece, ...] = ()
    sound: Sound | None = None
    heard: tuple[Heard, ...] = ()
    exact: bool = False


@dataclass(frozen=True)
class Specimen:
    """One item. why: how it came to be shown; given: the recording that went in; missing: rows without an output."""

    key: str
    title: str
    why: str
    source: str
    reference: str
    answers: tuple[Answer, ...]
    given: Sound | None = None
    missing: tuple[tuple[Row, str], ...] = ()


@dataclass(frozen=True)
class Exhibit:
    """All specimens of a page, of one seed. kind: texts | sound; by: the metric that chose; total: items of a cell."""

    kind: str
    seed: str
    by: str
    total: int
    specimens: tuple[Specimen, ...]
    has_sources: bool


def exhibit(view: RunView, summary: Summary) -> Exhibit | None:
    """Specimens of the first seed that has outputs; None where no cell has texts or sound."""
    if view.specimens is None:
        return None
    for seed in view.seeds:
        found, missing = load(view, seed)
        if found:
            return lay_out(view, summary, seed, found, missing)
    return None


def load(view: RunView, seed: str) -> tuple[dict[str, Specimens], dict[str, str]]:
    """Outputs by row of the seed's cells; for the others the reason why there are none."""
    assert view.specimens is not None
    found: dict[str, Specimens] = {}
    missing: dict[str, str] = {}
    for row in view.cells[view.cells["seed"].astype(str) == seed].itertuples(index=False):
        if row.status != "ok":
            missing[str(row.method)] = f"{row.status}: {row.reason}"
            continue
        try:
            found[str(row.method)] = view.specimens(str(row.cell))
        except (KeyError, OSError, ValueError) as error:
            missing[str(row.method)] = f"no outputs: {error}"
    return found, missing


Values = Mapping[tuple[str, str, str], float]  # (method, metric, item key) → item value


def lay_out(
    view: RunView, summary: Summary, seed: str, found: Mapping[str, Specimens], missing: Mapping[str, str]
) -> Exhibit:
    rows = chosen_rows(summary)
    first = next(iter(found.values()))
    kind = "texts" if first.texts is not None else "sound"
    items = view.table_items[view.table_items["seed"].astype(str) == seed]
    columns = judged_columns(view, summary)
    wanted = items[items["metric"].isin([c.name for c in columns])]
    values = {
        (str(m), str(c), str(k)): float(v)
        for m, c, k, v in zip(wanted["method"], wanted["metric"], wanted["item"], wanted["value"], strict=True)
        if number(v) is not None
    }
    labels = [r.label for r in rows if r.label in found]
    by = columns[0].name if columns else ""
    order = chosen(first.keys, values, by, labels, DIFFERENT[kind], AT_RANDOM[kind])
    right = {c.name: number(metric_entries(view).get(c.name, {}).get("right")) for c in columns}
    task = view.suite.get("task")
    tuned = str(task.get("judge") or "") if isinstance(task, Mapping) else ""
    shown: list[Specimen] = []
    spent = 0
    for key, why in order:
        made = specimen(first.keys.index(key), why, rows, found, missing, values, columns, right, tuned)
        size = sum(len(a.sound.uri) for a in made.answers if a.sound) + len(made.given.uri if made.given else "")
        if shown and spent + size > BUDGET:
            continue
        spent += size
        shown.append(made)
    return Exhibit(kind, seed, by, len(first.keys), tuple(shown), any(s.source for s in shown))


def judged_columns(view: RunView, summary: Summary) -> list[Column]:
    """Columns with items: those that call items right or wrong first, then the primary ones, in order."""
    known, about = set(view.table_items["metric"].unique()), metric_entries(view)
    columns = [c for c in summary.columns if c.name in known]
    return sorted(columns, key=lambda c: (number(about.get(c.name, {}).get("right")) is None, not c.primary))


def chosen(
    keys: Sequence[str], values: Values, metric: str, labels: Sequence[str], different: int, at_random: int
) -> list[tuple[str, str]]:
    """(key, why) of the items to show: the largest spread between rows first (ties by key hash), then by key hash."""
    lot = {k: digest(0, "stats", "specimens", k) for k in keys}
    spread = {
        k: float(np.std([values[m, metric, k] for m in labels if (m, metric, k) in values] or [0.0])) for k in keys
    }
    apart = sorted((k for k in keys if spread[k] > 0), key=lambda k: (-round(spread[k], 9), lot[k]))[:different]
    rest = at_random + different - len(apart)
    others = sorted((k for k in keys if k not in apart), key=lot.__getitem__)
    return [(k, "rows differ most") for k in apart] + [(k, "drawn by lot") for k in others[:rest]]


def specimen(
    i: int,
    why: str,
    rows: Sequence[Row],
    found: Mapping[str, Specimens],
    missing: Mapping[str, str],
    values: Values,
    columns: Sequence[Column],
    right: Mapping[str, float | None],
    tuned: str,
) -> Specimen:
    """One item with its distinct answers, in the order of the rows that gave them first."""
    first = next(iter(found.values()))
    key, reference = first.keys[i], first.references[i]
    sounds = [
        s for r in rows if r.label in found and found[r.label].audio is not None for s in [found[r.label].sound(i)]
    ]
    given = first.given_sound(i)
    longest = max((len(s) for s in [*sounds, *([] if given is None else [given])]), default=1)
    groups: dict[bytes, list[Row]] = {}
    for row in rows:
        if row.label in found:
            own = found[row.label]
            same = own.texts[i].encode() if own.texts is not None else own.sound(i).tobytes()
            groups.setdefault(same, []).append(row)
    answers = []
    for members in groups.values():
        own = found[members[0].label]
        chips = chips_of(own, i, members[0].label, key, values, columns, right)
        heard = tuple(
            Heard(judge, judge == tuned, marked(str(arrays["text"][i]), reference))
            for judge, arrays in own.judged.items()
            if "text" in arrays
        )
        if own.texts is not None:
            pieces = marked(cut(own.texts[i]), cut(reference)) if reference else ()
            pieces = pieces or marked(cut(own.texts[i]), cut(own.texts[i]))
            answers.append(Answer(tuple(members), chips, pieces, exact=own.texts[i].rstrip() == reference.rstrip()))
        else:
            answers.append(Answer(tuple(members), chips, sound=sound_of(own.sound(i), own.rate, longest), heard=heard))
    return Specimen(
        key=key,
        title=first.titles[i],
        why=why,
        source=cut(first.sources[i]),
        reference=cut(reference),
        answers=tuple(answers),
        given=None if given is None else sound_of(given, first.rate, longest),
        missing=tuple((r, missing.get(r.label, "no cell")) for r in rows if r.label not in found),
    )


def sound_of(samples: NDArray[np.int16], rate: int, longest: int) -> Sound:
    return Sound(data_uri(samples, rate), envelope(samples, longest), len(samples) / rate)


def chips_of(
    own: Specimens,
    i: int,
    method: str,
    key: str,
    values: Values,
    columns: Sequence[Column],
    right: Mapping[str, float | None],
) -> tuple[Chip, ...]:
    """What the runners and the metrics say of one output."""
    chips = []
    for arrays in own.judged.values():
        if "outcome" in arrays:
            outcome = str(arrays["outcome"][i])
            counted = f" · {int(arrays['passed'][i])} of {int(arrays['tests'][i])} tests" if "tests" in arrays else ""
            chips.append(Chip(outcome.replace("_", " ") + counted, OUTCOMES.get(outcome, "bad")))
    for column in columns[:MOST_CHIPS]:
        if (value := values.get((method, column.name, key))) is None:
            continue
        wanted = right.get(column.name)
        if wanted is None:
            chips.append(Chip(f"{column.name} {digits(round(value, 4)).text(value)}", "plain"))
        elif value in (0.0, 1.0) and wanted == 1.0:
            if not any("outcome" in a for a in own.judged.values()) or not column.name.startswith("code."):
                chips.append(Chip(f"{column.name} {'right' if value == wanted else 'wrong'}", tone_of(value == wanted)))
        else:
            text = digits(round(value, 4)).text(value)
            chips.append(Chip(f"{column.name} {text}", tone_of(value == wanted)))
    return tuple(chips)


def tone_of(is_right: bool) -> str:
    return "good" if is_right else "bad"
