"""Made-up runs of tasks without images: programs translated, and tones for speech, with searches and flips."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from harness.report.run_view import CELLS, ITEMS, SCORES, RunView
from harness.scoring.flips import flips_of
from harness.scoring.specimens import Specimens

PROBLEMS = 12
VOICES = ("en-gb", "en-us")
SEEDS = ("0", "1")
COMMANDS = ("turn on the red lamp", "move the box two steps left", "play a song in the kitchen", "open the garden door")


@dataclass(frozen=True)
class Made:
    """A row: how many of every 8 items it gets wrong, its search, and the seeds at which it failed."""

    label: str
    role: str
    wrong: int
    params: dict[str, Any] = field(default_factory=dict)
    evaluations: int = 1
    best: float = 0.5
    fails: tuple[str, ...] = ()


ROWS = (
    Made("untouched", "baseline", 4),
    Made("random search", "baseline", 3, {"optimiser": "RandomSearch", "budget": 60}, 61, 0.46),
    Made("gains 60", "method", 3, {"optimiser": "CMA", "budget": 60}, 61, 0.42),
    Made("gains 240", "method", 2, {"optimiser": "CMA", "budget": 240}, 241, 0.36),
    Made("stuck", "method", 4, {"optimiser": "DE", "budget": 60}, 61, 0.5, ("1",)),
)


SOURCE = """\
function scale{i}(items, k) {{
  let out = [];
  for (const x of items) {{
    if (x > {i}) {{ out.push(x * k); }}
  }}
  return out;
}}"""
REFERENCE = """\
def scale{i}(items, k):
    out = []
    for x in items:
        if x > {i}:
            out.append(x * k)
    return out
"""


def source(i: int) -> str:
    return SOURCE.format(i=i)


def reference(i: int) -> str:
    return REFERENCE.format(i=i)


def is_wrong(row: Made, seed: str, i: int) -> bool:
    """By lot, the same lot for all rows, so that rows with more errors make those of the others too (nearly)."""
    lot = int(np.random.default_rng([int(seed), i]).integers(8))
    return lot < row.wrong or (row.role == "method" and row.label != "stuck" and lot == 7)


def text(row: Made, seed: str, i: int) -> str:
    if not is_wrong(row, seed, i):
        return reference(i)
    return reference(i).replace("x * k", "x") if row.wrong > 2 else reference(i).replace(f"> {i}", f">= {i}")


def tone(row: Made | None, seed: str, i: int) -> np.ndarray:
    """Half a second, int16; another pitch where the row is wrong."""
    pitch = 220 + 20 * (i // 2) + (0 if row is None else 60 * is_wrong(row, seed, i))
    time = np.arange(6000 + 800 * (i % 3)) / 16000
    swell = np.sin(np.pi * time / time[-1]) * (0.4 + 0.6 * np.sin(2 * np.pi * 5 * time) ** 2)
    return (9000 * swell * np.sin(2 * np.pi * pitch * time)).astype(np.int16)


def keys(kind: str) -> tuple[str, ...]:
    if kind == "texts":
        return tuple(f"{i:04d}/0000" for i in range(PROBLEMS))
    return tuple(f"{i // 2:04d}/{i % 2:04d}" for i in range(2 * len(COMMANDS)))


def padded(sounds: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    lengths = np.array([len(s) for s in sounds])
    audio = np.zeros((len(sounds), lengths.max()), dtype=np.int16)
    for line, sound in zip(audio, sounds, strict=True):
        line[: len(sound)] = sound
    return audio, lengths


def specimens(kind: str, row: Made, seed: str) -> Specimens:
    every = keys(kind)
    n = range(len(every))
    wrong = np.array([is_wrong(row, seed, i) for i in n])
    if kind == "texts":
        outcome = np.where(wrong, "wrong", "pass")
        judged = {"python-tests": {"outcome": outcome, "passed": np.where(wrong, 2, 6), "tests": np.full(len(n), 6)}}
        return Specimens(
            every,
            tuple(f"scale {i}" for i in n),
            tuple(map(source, n)),
            tuple(map(reference, n)),
            texts=tuple(text(row, seed, i) for i in n),
            judged=judged,
        )
    said = [COMMANDS[i // 2] for i in n]
    heard = [s if not w else s.replace("the", "a").rsplit(" ", 1)[0] for s, w in zip(said, wrong, strict=True)]
    audio, lengths = padded([tone(row, seed, i) for i in n])
    return Specimens(
        every,
        tuple(f"{s} · {VOICES[i % 2]}" for i, s in enumerate(said)),
        ("",) * len(n),
        tuple(said),
        audio=audio,
        lengths=lengths,
        given=padded([tone(None, seed, i) for i in n]),
        judged={"sphinx-ngram": {"text": np.array(heard)}},
    )


def search(row: Made, seed: str) -> dict[str, np.ndarray]:
    """Losses that fall from .5 to the row's best, by steps; the identity is first."""
    rng = np.random.default_rng([7, int(seed), row.evaluations])
    fall = 0.5 - (0.5 - row.best) * np.linspace(0, 1, row.evaluations) ** 0.5
    means = np.where(rng.random(row.evaluations) < 0.15, fall, 0.5 + 0.2 * rng.random(row.evaluations))
    means[0] = 0.5
    if row.best < 0.5:
        means[-1] = row.best
    chosen = int(np.argmin(means))
    return {"losses": np.repeat(means[:, None], 4, axis=1), "chosen": np.array(chosen), "nats": np.array(3.0)}


def make_view(kind: str = "texts", rows: tuple[Made, ...] = ROWS) -> RunView:
    """A run of programs ("texts") or utterances ("sound")."""
    metric = "code.ca.python-tests" if kind == "texts" else "wer.sphinx-ngram"
    right, ident = (1.0, f"{metric}[v=1]") if kind == "texts" else (0.0, f"{metric}[v=1]")
    every, scores, items, cells = keys(kind), [], [], []
    by_address = {f"{r.label}/{s}": (r, s) for r in rows for s in SEEDS}
    for row in rows:
        for seed in SEEDS:
            failed = seed in row.fails
            cells.append(
                {"cell": f"{row.label}/{seed}", "method": row.label, "role": row.role, "seed": seed,
                 "status": "failed" if failed else "ok", "reason": "the worker died" if failed else "", "flags": "",
                 "seconds": 12.0, "denoiser_calls": 0, "evaluations": row.evaluations, "peak_memory_mb": 300.0,
                 "images": len(every), "activity": "{}", "point": "{}"}
            )  # fmt: skip
            for i, key in enumerate(every):
                wrong = is_wrong(row, seed, i)
                value = (0.0 if wrong else 1.0) if kind == "texts" else (0.4 if wrong else 0.0)
                if not failed:
                    items.append(
                        {"run": "r", "cell": f"{row.label}/{seed}", "method": row.label,
                         "params": json.dumps(row.params), "seed": seed, "metric": metric, "metric_id": ident,
                         "group": key[:4], "item": key, "value": value}
                    )  # fmt: skip
        scores += scores_of(kind, row, metric, ident, items, len(every))
    frame = pd.DataFrame(items, columns=list(ITEMS))
    cluster, item = ("problem", "program") if kind == "texts" else ("sentence", "utterance")
    titles = tuple(f"scale {i}" for i in range(PROBLEMS)) if kind == "texts" else COMMANDS
    suite = {
        "suite": f"retrofit-{kind}", "version": 1, "title": "Retrofitting with a few numbers",
        "task": "code_translation" if kind == "texts" else "speech_resynthesis",
        "model": "programs-t5" if kind == "texts" else "commands-codec", "seeds": [0, 1],
        "compare_to": "untouched", "primary": [metric], "item": item, "cluster": cluster,
        "metrics": [{"name": metric, "id": ident, "right": right}, {"name": "search.gap", "id": "search.gap[v=1]"}],
        "methods": [{"label": r.label, "preset": "afterlearner" if r.params else "untouched"} for r in rows],
    }  # fmt: skip
    return RunView(
        suite=suite,
        provenance={"finished": "2026-11-20"},
        warnings=(),
        scores=pd.DataFrame(scores, columns=list(SCORES)),
        items=frame,
        cells=pd.DataFrame(cells, columns=[*CELLS, "evaluations"]),
        images=no_images,
        flips=pd.DataFrame(flips_of(frame, {ident: right}, "untouched")),
        texts=titles,
        specimens=lambda address: specimens(kind, *by_address[address]),
        search=lambda address: search(*by_address[address]),
    )


def no_images(address: str) -> Any:
    raise KeyError(f"cell {address} holds no images")


def scores_of(
    kind: str, row: Made, metric: str, ident: str, items: list[dict[str, Any]], n: int
) -> list[dict[str, Any]]:
    mine = [i["value"] for i in items if i["method"] == row.label]
    base = [i["value"] for i in items if i["method"] == "untouched"]
    value, first = float(np.mean(mine)), float(np.mean(base))
    gap = {
        "search.gap": 0.03 + row.evaluations / 4000, "search.gap.tune": row.best,
        "search.gap.report": row.best + 0.03 + row.evaluations / 4000, "search.gap.identity": 0.5,
        "search.gap.bound": min(1.0, 0.1 + row.evaluations / 240), "search.gap.ties": 3.0,
        "search.gap.evaluations": float(row.evaluations),
    }  # fmt: skip
    found = []
    for name, number in {metric: value, **gap}.items():
        own, side = name == metric, "higher" if kind == "texts" else "lower"
        line = dict.fromkeys(SCORES) | {
            "run": "r", "suite": "s", "suite_version": 1, "task": "t", "model": "m", "method": row.label,
            "role": row.role, "params": json.dumps(row.params), "split": "report", "seed": "all", "metric": name,
            "metric_id": ident if own else name.replace("search.gap", "search.gap[v=1]"),
            "direction": side if own else "target" if name == "search.gap" else "none",
            "unit": "share" if own else "loss", "status": "ok", "reason": "", "n": n, "value": number,
        }  # fmt: skip
        if name in (metric, "search.gap", "search.gap.tune", "search.gap.report"):
            line |= {"ci_low": number - 0.05, "ci_high": number + 0.05, "ci_method": "t"}
        if own and row.label != "untouched":
            delta = value - first
            line |= {
                "baseline": "untouched",
                "delta": delta,
                "delta_ci_low": delta - 0.06,
                "delta_ci_high": delta + 0.06,
            }
            line |= {"p_value": 0.01, "p_holm": 0.04}
        found.append(line)
    return found
