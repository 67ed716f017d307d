"""What a report is made from: the frames of one run, its resolved suite, its provenance, and a way to see its images.

The report room reads this and nothing else: no store, no model, no metric.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.scoring.columns import AGGREGATE, FLIPS, ITEMS, SCORES
from harness.scoring.specimens import Specimens

CELLS = (
    "cell", "method", "role", "seed", "status", "reason", "flags", "seconds", "denoiser_calls", "peak_memory_mb",
    "images", "activity", "point",
)  # fmt: skip
PUBLISHED = ("baseline", "metric", "setting", "value", "before", "mark", "source", "verdict", "why")
COMPARISONS = (
    "method", "metric", "baseline", "delta", "delta_ci_low", "delta_ci_high", "p_value", "p_holm",
)  # fmt: skip


class BadFrame(ValueError):
    """A frame that cannot be reported: the message says which, what was found and what was expected."""


class MixedProtocols(BadFrame):
    """Two metric ids under one metric name: they may not share a column (rule 2 of the design)."""


@dataclass(frozen=True)
class GridImages:
    """The images of one cell.

    images   (N, H, W, 3) uint8
    prompt   (N,) int, index into `prompts`
    sample   (N,) int, index within the prompt; item (prompt, sample) starts from the same noise in every method
    prompts  the texts
    """

    images: NDArray[np.uint8]
    prompt: NDArray[np.int64]
    sample: NDArray[np.int64]
    prompts: tuple[str, ...]


@dataclass(frozen=True)
class RunView:
    """One run as the report sees it.

    suite        the resolved suite. Read: suite, version, title, description, task, model, data, seeds, compare_to,
                 primary (metric names), metrics (names, or mappings with name, id, estimator, ideal, help, source),
                 methods (labels in order, or mappings with label, title, paper, code, licence, preset, help), notes
                 (what was not shown). All optional except suite.
    provenance   nested mapping of plain values, printed as it is
    warnings     sentences, shown on top
    scores       columns SCORES; rows with seed "all" are the aggregates; `method` is the row's label
    items        columns ITEMS; `item` is "prompt/sample" where it is an image, `group` the prompt's index or a label
    cells        columns CELLS; flags: words separated by commas ("inert"); activity: JSON name → value a step;
                 point: JSON swept parameter → value
    images       cell address → its images; raises KeyError, OSError or ValueError where there are none
    published    columns PUBLISHED: what papers claim, never mixed with what was measured
    comparisons  columns COMPARISONS: aggregate paired comparisons besides those of `scores` (a control, a twin)
    flips        columns FLIPS: items right before and wrong after, and the reverse, by row, metric and seed
    texts        names of the clusters of items (prompts, problems, sentences) by index; () where nobody says
    specimens    cell address → its texts or sound; None where the task makes images. Raises as `images` does
    search       cell address → what its search was told: "losses" (E, n) and "chosen", or "best" (n, E); {} without one
    kinship      label of a row → recogniser → "white" (optimised on), "grey" (of the family of one) or "black"
    recognisers  recogniser → weights, training, architecture, released
    faces        consent, world: what is known of the people in the pictures; without either no picture is shown

    Raises BadFrame for missing columns or repeated rows, MixedProtocols for two metric ids in one column.
    """

    suite: Mapping[str, Any]
    provenance: Mapping[str, Any]
    warnings: tuple[str, ...]
    scores: pd.DataFrame
    items: pd.DataFrame
    cells: pd.DataFrame
    images: Callable[[str], GridImages]
    published: pd.DataFrame | None = None
    comparisons: pd.DataFrame | None = None
    flips: pd.DataFrame | None = None
    texts: tuple[str, ...] = ()
    specimens: Callable[[str], Specimens] | None = None
    search: Callable[[str], Mapping[str, NDArray[Any]]] = lambda _: {}
    kinship: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    recognisers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    faces: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        frames = [
            ("scores", self.scores, SCORES),
            ("items", self.items, ITEMS),
            ("cells", self.cells, CELLS),
            ("published", self.published, PUBLISHED),
            ("comparisons", self.comparisons, COMPARISONS),
            ("flips", self.flips, FLIPS),
        ]
        for name, frame, columns in frames:
            if frame is not None and (missing := [c for c in columns if c not in frame.columns]):
                raise BadFrame(
                    f"frame {name} lacks the columns {', '.join(missing)}; it has {', '.join(frame.columns)}"
                )
        refuse_repeats(self.scores)
        refuse_mixed_protocols(self.table_scores)

    @property
    def name(self) -> str:
        return str(self.suite["suite"])

    @property
    def title(self) -> str:
        return str(self.suite.get("title") or self.name)

    @property
    def seeds(self) -> tuple[str, ...]:
        """Seeds in order, as text."""
        stated = self.suite.get("seeds")
        if isinstance(stated, list | tuple):
            return tuple(str(s) for s in stated)
        return tuple(dict.fromkeys(str(s) for s in self.cells["seed"]))

    @cached_property
    def column_names(self) -> Mapping[tuple[str, str], str]:
        """(metric, metric id) → name of its column, where a suite asks for one metric with several options."""
        return column_names(self.scores)

    @cached_property
    def table_scores(self) -> pd.DataFrame:
        """The scores with `metric` as the name of its column."""
        return renamed(self.scores, self.column_names)

    @cached_property
    def table_items(self) -> pd.DataFrame:
        """The items with `metric` as the name of its column."""
        return renamed(self.items, self.column_names)


def column_names(scores: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Names for metrics that one method carries under several ids: the metric with the fields that differ.

    `precision.avatars[k=3,v=1]` and `…[k=5,v=1]` become "precision.avatars k=3" and "precision.avatars k=5".
    """
    named = scores[scores["metric_id"].notna()][["method", "seed", "metric", "metric_id"]].astype(str)
    counts = named.drop_duplicates().groupby(["method", "seed", "metric"], sort=False).size().reset_index(name="ids")
    several = list(dict.fromkeys(counts[counts["ids"] > 1]["metric"].astype(str)))
    found: dict[tuple[str, str], str] = {}
    for metric in several:
        ids = list(dict.fromkeys(named[named["metric"] == metric]["metric_id"]))
        fields = [id_fields(i.rpartition("]")[0] + "]") for i in ids]
        differ = [k for k in {**fields[0], **fields[-1]} if len({f.get(k) for f in fields}) > 1]
        for metric_id, own in zip(ids, fields, strict=True):
            suffix = metric_id.rpartition("]")[2]  # of a companion: the id of its metric, then its name
            marks = ",".join(f"{k}={own[k]}" for k in differ if k in own)
            found[metric, metric_id] = f"{metric.removesuffix(suffix)} {marks}{suffix}"
    return found


def renamed(frame: pd.DataFrame, names: Mapping[tuple[str, str], str]) -> pd.DataFrame:
    if not names:
        return frame
    pairs = zip(frame["metric"].astype(str), frame["metric_id"].astype(str), strict=True)
    return frame.assign(metric=[names.get(pair, pair[0]) for pair in pairs])


def refuse_repeats(scores: pd.DataFrame) -> None:
    """Raises BadFrame when two rows answer for the same (method, seed, metric id)."""
    key = ["method", "seed", "metric", "metric_id"]
    twice = scores[scores.duplicated(key, keep=False)]
    if len(twice):
        first = twice.iloc[0]
        raise BadFrame(
            f"scores has several rows for method {first.method!r}, seed {first.seed!r}, metric {first.metric!r}"
        )


def refuse_mixed_protocols(scores: pd.DataFrame) -> None:
    """Raises MixedProtocols, naming the fields that differ, when scored rows of one metric carry different ids."""
    scored = scores[(scores["status"] == "ok") & (scores["metric_id"].astype(str) != "")]
    scored = scored.assign(level=scored["seed"].astype(str) == AGGREGATE)
    for (metric, _), rows in scored.groupby(["metric", "level"], sort=False):
        ids = list(dict.fromkeys(rows["metric_id"].astype(str)))
        if len(ids) > 1:
            methods = [str(rows[rows["metric_id"] == i]["method"].iloc[0]) for i in ids[:2]]
            raise MixedProtocols(
                f"metric {metric} carries {len(ids)} ids, which may not share a column: {methods[0]} and {methods[1]} "
                f"differ in {differing_fields(ids[0], ids[1])}"
            )


def differing_fields(one: str, other: str) -> str:
    """ "k=3 against k=5" for each field in which two metric ids differ."""
    a, b = id_fields(one), id_fields(other)
    parts = [f"{k}={a.get(k, '–')} against {k}={b.get(k, '–')}" for k in {**a, **b} if a.get(k) != b.get(k)]
    return ", ".join(parts) or f"{one} against {other}"


def id_fields(metric_id: str) -> dict[str, str]:
    """The fields of `name[field=value,…]` in order; commas inside brackets stay in their value."""
    name, _, inside = metric_id.partition("[")
    fields, depth, part = {"name": name}, 0, ""
    for c in inside.removesuffix("]") + ",":
        depth += (c in "[(") - (c in "])")
        if c == "," and depth <= 0:
            key, _, value = part.partition("=")
            if key:
                fields[key] = value
            part = ""
        else:
            part += c
    return fields
