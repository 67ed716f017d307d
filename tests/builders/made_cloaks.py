"""A made-up cloaking run: twelve methods and controls by six recognisers, with every status and class there is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from harness.report.run_view import CELLS, ITEMS, SCORES, GridImages, RunView

PEOPLE = 12
SEEDS = ("0", "1")
SIZE = 48  # px
RECOGNISERS = {
    "avatars-resnet-a": ("avatars people-a", "resnet", 0.0),
    "avatars-resnet-b": ("avatars people-b", "resnet", 0.03),
    "avatars-mobilenet": ("avatars people-b", "mobilenet", 0.08),
    "avatars-vit": ("avatars people-c", "vit", -0.02),
    "avatars-cnn": ("avatars people-c", "cnn", 0.12),
    "avatars-weak": ("avatars people-a", "small cnn", 0.2),
}
WEAK = "avatars-weak"
CLASSES = ("white", "grey", "black")


@dataclass(frozen=True)
class Made:
    """A row: its protection in white, grey and black cells, and how far it changes a picture, in 1/255.

    classes  as the record has them, in the order of RECOGNISERS; () for a row that optimised nothing
    """

    label: str
    role: str = "method"
    protects: tuple[float, float, float] = (0.0, 0.0, 0.0)
    change: float = 0.0
    classes: tuple[str, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)
    point: dict[str, Any] = field(default_factory=dict)
    fails: tuple[str, ...] = ()
    smooth: bool = False


A, G, B = CLASSES
ON_A = (A, G, B, B, B, G)  # resnet-a: the other ResNet and the weak one of its people are grey
ON_AV = (A, G, B, A, G, G)
ON_B = (G, A, G, B, B, B)


def swept(name: str, eps: float, white: float, black: float, on: str, classes: tuple[str, ...]) -> Made:
    protects = (white, (white + 2 * black) / 3, black)
    return Made(f"{name} eps={eps:g}", "method", protects, eps, classes, {"surrogates": on, "eps": eps}, {"eps": eps})


def noise(eps: float) -> Made:
    value = 0.002 * eps
    return Made(f"noise eps={eps:g}", "control", (value,) * 3, eps, (), {"eps": eps}, {"eps": eps})


ON = "avatars-resnet-a"
ROWS = (
    Made("identity", "baseline"),
    swept("pgd", 4, 0.71, 0.06, ON, ON_A), swept("pgd", 8, 0.94, 0.13, ON, ON_A),
    swept("pgd", 16, 0.99, 0.31, ON, ON_A),
    swept("mi_di_ti", 4, 0.62, 0.14, "avatars-resnet-a+avatars-vit", ON_AV),
    swept("mi_di_ti", 8, 0.91, 0.34, "avatars-resnet-a+avatars-vit", ON_AV),
    swept("mi_di_ti", 16, 0.98, 0.63, "avatars-resnet-a+avatars-vit", ON_AV),
    Made("fawkes", "method", (0.38, 0.12, 0.03), 6, ON_B, {"surrogates": "avatars-resnet-b"}, smooth=True),
    Made("lowkey", "method", (0.97, 0.71, 0.44), 12, ON_AV, {"surrogates": "all-but-family avatars-cnn"}, smooth=True),
    Made("privacygan", "method", (0.88, 0.61, 0.42), 22, ON_A, {"surrogates": ON}, smooth=True),
    Made("tip_im", "method", (0.8, 0.3, 0.2), 8, ON_A, {"surrogates": ON}, fails=("1",)),
    noise(4), noise(8), noise(16),
    Made("blur", "control", (0.05, 0.05, 0.05), 18, (), {}, smooth=True),
    Made("another_photo", "control", (0.04, 0.04, 0.04), 60, (), {}, smooth=True),
)  # fmt: skip


def sure(value: float) -> float:
    return float(np.clip(value, 0.0, 1.0))


def protection(row: Made, recogniser: str) -> float:
    """dodge_cond of a row against a recogniser."""
    if row.label == "identity":
        return 0.0
    kin = row.classes[list(RECOGNISERS).index(recogniser)] if row.classes else "black"
    return sure(row.protects[CLASSES.index(kin)] + RECOGNISERS[recogniser][2] * (1 if row.protects[0] < 0.9 else 0.3))


@cache
def faces() -> np.ndarray:
    """(2 PEOPLE, SIZE, SIZE, 3): a probe and a gallery photo a person, plain faces."""
    made = []
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    for p in range(PEOPLE):
        rng = np.random.default_rng([p, 1])
        wall, skin, hair = (rng.integers(60, 235, 3) for _ in range(3))
        for at in (0.5, 0.53):
            image = np.broadcast_to(wall, (SIZE, SIZE, 3)).astype(float).copy()
            image[((x - at) / 0.3) ** 2 + ((y - 0.42) / 0.36) ** 2 < 1] = hair
            image[((x - at) / 0.23) ** 2 + ((y - 0.5) / 0.3) ** 2 < 1] = skin
            for side in (-0.09, 0.09):
                image[(x - at - side) ** 2 + (y - 0.46) ** 2 < 0.001] = 30
            made.append(np.round(image + 12 * (y[..., None] - 0.5)))
    return np.stack(made)


def pictures(row: Made, seed: str) -> GridImages:
    """The faces, changed as far as the row says: pixel by pixel, or in patches where it is smooth."""
    moves = np.random.default_rng([int(seed), len(row.label)])
    shape = (2 * PEOPLE, 6, 6, 3) if row.smooth else (2 * PEOPLE, SIZE, SIZE, 3)
    drawn = moves.normal(size=shape)
    wide = np.kron(drawn, np.ones((1, SIZE // 6, SIZE // 6, 1))) if row.smooth else np.sign(drawn)
    made = np.clip(faces() + np.round(row.change * wide), 0, 255).astype(np.uint8)
    person, photo = np.divmod(np.arange(2 * PEOPLE), 2)
    return GridImages(made, person, photo, tuple(f"person {i:04d}" for i in range(PEOPLE)))


def numbers(row: Made) -> Mapping[str, tuple[float | None, float, str, str, str]]:
    """metric → value, half-width, unit, direction, reason without a value."""
    found: dict[str, tuple[float | None, float, str, str, str]] = {}
    for name in RECOGNISERS:
        value = protection(row, name)
        half = 1.96 * np.sqrt(max(value * (1 - value), 0.004) / 60)
        none = row.label == "blur" and name == WEAK
        reason = "no_clean_match: no clean probe is accepted, so none can be protected" if none else ""
        share = "share of pairs accepted when clean"
        found[f"ver.dodge_cond.{name}"] = (None if none else value, half, share, "higher", reason)
        found[f"ver.leak.{name}"] = (sure(0.3 - 0.25 * value), 0.05, "share of pairs rejected when clean", "lower", "")
        found[f"id.untargeted_cond.{name}"] = (sure(value * 0.9), half, "share", "higher", "")
    found["ssim"] = (1 - 0.0007 * row.change**1.8, 0.003 + 0.0005 * row.change, "SSIM", "higher", "")
    found["pd.avatars.source"] = (0.006 * row.change**1.1, 0.004, "distance", "lower", "")
    db = 20 * np.log10(255 / row.change) if row.change else None
    found["psnr"] = (db, 0.4, "dB", "higher", "" if db else "all 24 images are identical: PSNR is infinite")
    return found


def scores_of(row: Made) -> list[dict[str, Any]]:
    lines = []
    for metric, (value, half, unit, direction, reason) in numbers(row).items():
        for seed in (*SEEDS, "all"):
            failed = bool(row.fails) and seed in (*row.fails, "all")
            ok = value is not None and not failed
            line = dict.fromkeys(SCORES) | {
                "run": "r", "suite": "cloaking", "suite_version": 1, "task": "face_cloaking", "model": "faces",
                "method": row.label, "role": row.role, "params": json.dumps(row.params), "split": "report",
                "seed": seed, "metric": metric, "metric_id": f"{metric}[far=0.01,v=1]", "direction": direction,
                "unit": unit, "n": 60,
                "status": "ok" if ok else "failed" if failed else "undefined",
                "reason": "" if ok else "1/2 cells; no average over a gap" if failed else reason,
            }  # fmt: skip
            if ok:
                low, high = value - half, value + half
                if "share" in unit:
                    low, high = sure(low), sure(high)
                line |= {"value": value, "ci_low": low, "ci_high": high, "ci_method": "people, percentile"}
                if seed == "all" and row.label != "identity":
                    base = numbers(ROWS[0])[metric][0]
                    if base is not None:
                        delta = value - base
                        p = float(np.exp(-((delta / half) ** 2)))
                        line |= {"baseline": "identity", "delta": delta, "delta_ci_low": delta - half}
                        line |= {"delta_ci_high": delta + half, "p_value": p, "p_holm": min(1.0, 9 * p)}
            lines.append(line)
            if metric == f"ver.dodge_cond.{WEAK}" and ok and seed == "all":
                name = f"{metric}.weak_recogniser"
                none = dict.fromkeys(("ci_low", "ci_high", "delta", "p_value", "p_holm"))
                beside = {"metric": name, "metric_id": f"{name}[v=1]", "value": 0.71, "baseline": None}
                lines.append(line | none | beside)
    return lines


def cells_of(row: Made) -> list[dict[str, Any]]:
    return [
        {
            "cell": f"{row.label}/{seed}", "method": row.label, "role": row.role, "seed": seed,
            "status": "failed" if seed in row.fails else "ok", "reason": "the worker died" if seed in row.fails else "",
            "flags": "", "seconds": 2.0 + row.change, "denoiser_calls": 0, "peak_memory_mb": 600.0,
            "images": 2 * PEOPLE, "activity": "{}", "point": json.dumps(row.point),
        }
        for seed in SEEDS
    ]  # fmt: skip


def make_view(rows: tuple[Made, ...] = ROWS) -> RunView:
    by_address = {f"{r.label}/{s}": (r, s) for r in rows for s in SEEDS}

    @cache
    def images(address: str) -> GridImages:
        row, seed = by_address[address]
        if seed in row.fails:
            raise KeyError(address)
        return pictures(row, seed)

    suite = {
        "suite": "cloaking", "version": 1, "title": "Cloaks against recognisers of drawn faces",
        "description": "Who is still recognised, by whom, and what does the picture pay for it?",
        "task": {"name": "face_cloaking", "identities": 60}, "model": "faces", "seeds": [0, 1],
        "compare_to": "identity", "primary": [f"ver.dodge_cond.{r}" for r in RECOGNISERS] + ["ssim"],
        "metrics": [{"name": n, "id": f"{n}[far=0.01,v=1]", "help": "Of the photos accepted when clean, the share that"
                     " is no longer when protected." if "dodge" in n else ""} for n in numbers(ROWS[0])],
        "methods": [{"label": r.label, "preset": r.label.split(" ")[0]} for r in rows],
        "item": "photo", "cluster": "person",
    }  # fmt: skip
    facts = {
        name: {"weights": name, "training": training, "architecture": kind, "released": "2026-11-20"}
        for name, (training, kind, _) in RECOGNISERS.items()
    }
    return RunView(
        suite=suite,
        provenance={"finished": "2026-11-20"},
        warnings=(),
        scores=pd.DataFrame([x for r in rows for x in scores_of(r)], columns=list(SCORES)),
        items=pd.DataFrame([], columns=list(ITEMS)),
        cells=pd.DataFrame([x for r in rows for x in cells_of(r)], columns=list(CELLS)),
        images=images,
        texts=tuple(f"person {i:04d}" for i in range(PEOPLE)),
        kinship={r.label: dict(zip(RECOGNISERS, r.classes, strict=True)) if r.classes else {} for r in rows},
        recognisers=facts,
        faces={"consent": "", "world": "avatars"},
    )
