"""A made-up run with everything a report must cope with: a baseline, a control, a sweep, an inert row, a failure."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from harness.report.run_view import CELLS, ITEMS, SCORES, GridImages, RunView

PROMPTS = (
    "a portrait of a baker",
    "a portrait of a person with a red hat",
    "a portrait of a nurse, smiling",
    "a portrait of Orla",
    "a portrait of a sailor at sea, in profile",
    "a portrait of a judge",
)
SAMPLES = 8
SEEDS = ("0", "1", "2")
SKINS = ((244, 208, 177), (224, 172, 138), (190, 132, 96), (141, 91, 62), (92, 58, 40))
HAIRS = ((32, 26, 24), (88, 56, 36), (178, 120, 54), (214, 182, 110), (150, 60, 40), (150, 150, 155))
CLOTHES = ((58, 92, 142), (160, 60, 62), (70, 120, 84), (222, 208, 190), (80, 70, 110), (40, 44, 52))
WALLS = ((222, 230, 232), (236, 224, 206), (206, 218, 204), (228, 212, 222), (190, 204, 222))


@dataclass(frozen=True)
class Plan:
    """One method of the made-up run: how far its images spread, and its true effects by metric."""

    label: str
    role: str
    spread: float
    effect: dict[str, float]
    params: dict[str, Any]
    point: dict[str, Any] | None = None
    flags: str = ""
    calls: float = 40.0
    fails: tuple[str, ...] = ()
    inert: bool = False


METRICS = {
    # name: (unit, direction, value of iid, half-width, per item)
    "vendi.avatars": ("effective images", "higher", 6.94, 0.41, False),
    "recall.avatars": ("share", "higher", 0.431, 0.038, False),
    "fd.avatars": ("squared distance", "lower", 12.31, 0.52, False),
    "attr.adherence": ("share", "higher", 0.912, 0.017, True),
    "pd.avatars.pairs": ("distance", "higher", 0.2134, 0.0052, True),
    "kd.avatars": ("MMD²", "lower", 0.00213, 0.00031, False),
    "color.dominance": ("share", "none", 0.62, 0.04, False),
}
PRIMARY = ("vendi.avatars", "recall.avatars", "fd.avatars", "attr.adherence")


def sweep(quantile: float) -> Plan:
    effect = {"vendi.avatars": 9 * quantile, "recall.avatars": 0.4 * quantile, "fd.avatars": 6 * quantile**2 - 0.2}
    effect |= {
        "attr.adherence": -0.16 * quantile**2,
        "pd.avatars.pairs": 0.09 * quantile,
        "kd.avatars": 0.003 * quantile**2,
    }
    params = {"radius_quantile": quantile, "overshoot": 1.6, "memory": "group"}
    label = f"spell radius_quantile={quantile}"
    return Plan(label, "method", 0.5 + quantile, effect, params, {"radius_quantile": quantile}, calls=40.0)


PLANS = (
    Plan("iid", "baseline", 0.35, {}, {"guidance": 6.0}),
    Plan(
        "low_guidance", "baseline", 0.75,
        {"vendi.avatars": 1.2, "recall.avatars": 0.06, "fd.avatars": 2.4, "attr.adherence": -0.09},
        {"guidance": 2.0},
    ),
    sweep(0.1), sweep(0.3), sweep(0.5),
    Plan(
        "cads", "method", 0.8,
        {"vendi.avatars": 2.6, "recall.avatars": 0.11, "fd.avatars": 0.9, "attr.adherence": -0.03},
        {"tau1": 0.6, "tau2": 0.9, "scale": 0.25, "mixing": 1.0},
    ),
    Plan("diverse_diffusion", "method", 0.6, {}, {"variant": "max-min", "tries": 8}, calls=61.0, fails=("2",)),
    Plan("particle_guidance", "method", 0.35, {}, {"strength": 1e-9}, flags="inert", inert=True, calls=60.0),
    Plan("norm_matched_noise", "control", 0.4, {"vendi.avatars": 0.25, "fd.avatars": 0.3}, {"of": "diverse_diffusion"}),
)  # fmt: skip


def face(rng: np.random.Generator, prompt: int, spread: float) -> np.ndarray:
    """A 64 × 64 portrait; with little spread nearly everyone on a prompt looks alike."""

    def pick(options: tuple[Any, ...], typical: int) -> Any:
        return options[int(rng.integers(len(options)))] if rng.random() < spread else options[typical % len(options)]

    skin, hair, cloth, wall = (pick(o, prompt * k + 1) for o, k in ((SKINS, 2), (HAIRS, 3), (CLOTHES, 1), (WALLS, 1)))
    image = Image.new("RGB", (256, 256), wall)
    draw = ImageDraw.Draw(image)
    dx, dy = rng.normal(0, 6, 2)
    draw.ellipse((40 + dx, 186, 216 + dx, 330), fill=cloth)
    draw.rectangle((108 + dx, 160 + dy, 148 + dx, 205), fill=tuple(int(c * 0.88) for c in skin))
    long = rng.random() < 0.5
    draw.ellipse((62 + dx, 34 + dy, 194 + dx, (230 if long else 150) + dy), fill=hair)
    draw.ellipse((76 + dx, 56 + dy, 180 + dx, 184 + dy), fill=skin)
    draw.pieslice((70 + dx, 40 + dy, 186 + dx, 140 + dy), 180, 360, fill=hair)
    for side in (-1, 1):
        x, y = 128 + side * 23 + dx, 122 + dy
        draw.ellipse((x - 9, y - 6, x + 9, y + 6), fill=(250, 250, 248))
        draw.ellipse((x - 5, y - 5, x + 5, y + 5), fill=(50, 38, 30))
    if rng.random() < 0.3 * spread + 0.1:
        for side in (-1, 1):
            x, y = 128 + side * 24 + dx, 122 + dy
            draw.ellipse((x - 19, y - 15, x + 19, y + 15), outline=(30, 30, 34), width=5)
    mood = rng.normal(0.4, 0.5 * spread)
    box = (106 + dx, 140 + dy - 8, 150 + dx, 164 + dy)
    draw.arc(box, 20, 160, fill=(150, 60, 60), width=5) if mood > 0 else draw.line(
        (112 + dx, 158 + dy, 144 + dx, 158 + dy), fill=(150, 60, 60), width=5
    )
    if prompt == 1 or rng.random() < 0.12 * spread:
        color = (190, 40, 44) if prompt == 1 else cloth
        draw.rectangle((62 + dx, 52 + dy, 194 + dx, 70 + dy), fill=color)
        draw.ellipse((80 + dx, 12 + dy, 176 + dx, 90 + dy), fill=color)
    small = np.asarray(image.resize((64, 64), Image.Resampling.BOX)).astype(float)
    return np.clip(small + rng.normal(0, 2.2, small.shape), 0, 255).astype(np.uint8)


def images_of(plan: Plan, seed: str, prompts: tuple[str, ...] = PROMPTS, samples: int = SAMPLES) -> GridImages:
    pairs = [(p, s) for p in range(len(prompts)) for s in range(samples)]
    # the same key in every method: with equal spread the same face
    made = [face(np.random.default_rng([int(seed), p, s]), p, plan.spread) for p, s in pairs]
    prompt, sample = np.array(pairs, dtype=np.int64).T
    return GridImages(np.stack(made), prompt, sample, prompts)


def metric_id(name: str) -> str:
    return f"{name}[extractor=avatars-features:2f1c90aa,k=3,n=144/2000,ref=worlds:77ab01c3,reader=uint8-rgb,v=1]"


def scores_of(plan: Plan, rng: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for name, (unit, direction, base, half, _) in METRICS.items():
        effect = plan.effect.get(name, 0.0)
        delta = 0.0 if plan.inert or plan.label == "iid" else effect + rng.normal(0, half * 0.16)
        low, high = delta - half * 0.62, delta + half * 0.66
        compared = plan.label != "iid" and not plan.inert
        p = float(np.exp(-0.5 * (delta / (half * 0.32)) ** 2)) if compared else None
        common = {
            "run": "r1", "suite": "quickstart", "suite_version": 1, "task": "text_to_image", "model": "avatars-sd",
            "method": plan.label, "role": plan.role, "params": json.dumps(plan.params), "split": "report",
            "metric": name, "metric_id": metric_id(name), "direction": direction, "unit": unit,
            "reason": "", "status": "ok",
        }  # fmt: skip
        none = dict.fromkeys(
            ("value", "ci_low", "ci_high", "delta", "delta_ci_low", "delta_ci_high", "p_value", "p_holm"), np.nan
        )
        for seed in (*SEEDS, "all"):
            row = common | none | {"seed": seed, "n": 144 if seed == "all" else 48, "ci_method": "", "baseline": ""}
            row |= {"cell": f"{plan.label}/{seed}", "seconds": 4.0, "denoiser_calls": 1920, "peak_memory_mb": 812.0}
            failed = seed in plan.fails or (seed == "all" and plan.fails)
            if failed:
                row["status"] = "oom" if seed != "all" else "failed"
                row["reason"] = (
                    "out of memory at micro-batch 1" if seed != "all" else "2/3 cells; no average over a gap"
                )
            else:
                wobble = 0.0 if seed == "all" else rng.normal(0, half * 0.4)
                row |= {"value": base + delta + wobble, "ci_method": "jackknife t(9)"}
                row |= {"ci_low": row["value"] - half, "ci_high": row["value"] + half * 1.05}
                if compared and seed == "all":
                    row |= {"baseline": "iid", "delta": delta, "delta_ci_low": low, "delta_ci_high": high}
                    row |= {"p_value": p, "p_holm": min(1.0, (p or 0.0) * 9)}
            rows.append(row)
        if name in ("recall.avatars", "fd.avatars"):
            aggregate = rows[-1]
            companion = aggregate | {"metric": name + (".same" if name == "recall.avatars" else ".jack")}
            companion |= {"metric_id": companion["metric"] + "[v=1]", "baseline": "", "delta": np.nan, "p_holm": np.nan}
            rows.append(companion | ({"value": aggregate["value"] * 0.97} if aggregate["status"] == "ok" else {}))
    return rows


def items_of(plan: Plan, rng: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for seed in SEEDS:
        if seed in plan.fails:
            continue
        for name in ("attr.adherence",):
            for p in range(len(PROMPTS)):
                shift = plan.effect.get(name, 0.0) * (0.4 + 0.4 * p)
                for s in range(SAMPLES):
                    value = np.clip(METRICS[name][2] + shift + (0 if plan.inert else rng.normal(0, 0.05)), 0, 1)
                    rows.append(
                        {
                            "run": "r1", "cell": f"{plan.label}/{seed}", "method": plan.label,
                            "params": json.dumps(plan.params), "seed": seed,
                            "metric": name, "metric_id": metric_id(name),
                            "group": str(p), "item": f"{p:04d}/{s:04d}", "value": float(value),
                        }
                    )  # fmt: skip
    return rows


def cells_of(plan: Plan) -> list[dict[str, Any]]:
    steps = np.arange(20)
    share = np.clip(1.1 * np.exp(-(((steps - 7) / 5.0) ** 2)), 0, 1) * (0 if plan.inert else 1)
    activity = json.dumps({"share changed": [round(float(v), 4) for v in share]}) if plan.role == "method" else ""
    return [
        {
            "cell": f"{plan.label}/{seed}", "method": plan.label, "role": plan.role, "seed": seed,
            "status": "oom" if seed in plan.fails else "ok",
            "reason": "out of memory at micro-batch 1" if seed in plan.fails else "", "flags": plan.flags,
            "seconds": np.nan if seed in plan.fails else 4.1 * plan.calls / 40, "denoiser_calls": plan.calls * 48,
            "peak_memory_mb": 812.0 + plan.calls, "images": 48, "activity": activity,
            "point": json.dumps(plan.point) if plan.point else "",
        }
        for seed in SEEDS
    ]  # fmt: skip


PUBLISHED = pd.DataFrame(
    [
        ("spell", "recall", "SD3-Medium, CC12M", 0.31, 0.25, "paper", "arXiv 2410.06025, table 1", "reproduced", "x"),
        ("cads", "FID", "SD 2.1, LAION", 9.1, 8.4, "secondary", "arXiv 2410.06025, table 1", "not comparable", "y"),
    ],
    columns=["baseline", "metric", "setting", "value", "before", "mark", "source", "verdict", "why"],
)


def make_view(plans: tuple[Plan, ...] = PLANS) -> RunView:
    rng = np.random.default_rng(5)
    cells = pd.DataFrame([c for p in plans for c in cells_of(p)], columns=list(CELLS))
    by_address = {f"{p.label}/{s}": (p, s) for p in plans for s in SEEDS}

    @cache
    def images(address: str) -> GridImages:
        plan, seed = by_address[address]
        if seed in plan.fails:
            raise KeyError(address)
        return images_of(plan, seed)

    suite = {
        "suite": "quickstart", "version": 1, "title": "Diversity methods on the avatars model",
        "description": "Do training-free methods widen what a small text-to-image model draws, and what does it cost?",
        "task": "text_to_image", "model": "avatars-sd", "data": {"reference": "avatars/held-out"}, "seeds": [0, 1, 2],
        "compare_to": "iid", "primary": list(PRIMARY),
        "metrics": [*METRICS],
        "notes": ["The model is small and its world is drawn; effects on large models may differ."],
        "methods": [
            {"label": p.label, "title": "Sparse Repellency" if "spell" in p.label else "", "licence": "none found",
             "paper": "arXiv 2410.06025" if "spell" in p.label else "", "code": "https://github.com/apple/ml-spell"}
            for p in plans
        ],
    }  # fmt: skip
    provenance = {
        "finished": "2026-11-20", "commit": "cabfa28", "dirty": False, "command": "harness run quickstart",
        "device": {"name": "cpu", "threads": 2, "dtype": "float32"},
        "packages": {"torch": "2.15.0", "diffusers": "0.42.1"},
    }  # fmt: skip
    return RunView(
        suite=suite,
        provenance=provenance,
        warnings=("3 seeds: an exact sign-flip test over seeds cannot reach .05; claims rest on prompts as clusters.",),
        scores=pd.DataFrame([r for p in plans for r in scores_of(p, rng)], columns=list(SCORES)),
        items=pd.DataFrame([r for p in plans for r in items_of(p, rng)], columns=list(ITEMS)),
        cells=cells,
        images=images,
        published=PUBLISHED,
    )


@pytest.fixture(scope="session")
def view() -> RunView:
    return make_view()


@pytest.fixture(scope="session")
def hostile_view() -> RunView:
    """Prompts, names and reasons that try to become markup."""
    plans = (
        PLANS[0],
        replace(PLANS[5], label="<script>alert('m')</script>"),
        replace(PLANS[6], label='x" onload="evil()'),
    )
    view = make_view(plans)
    evil = "</style><img src=x onerror=alert(1)> & \"quoted\" 'text'"
    prompts = (evil, *PROMPTS[1:])
    images = view.images
    return replace(
        view,
        images=lambda address: replace(images(address), prompts=prompts),
        warnings=("<b>bold</b> warning",),
        suite={**view.suite, "title": "A <i>title</i>", "description": "{{ 7 * 7 }} <script>1</script>"},
        provenance={"<u>key</u>": "</script><script>alert(2)</script>"},
        scores=view.scores.assign(
            reason=view.scores["reason"].replace("", "").where(view.scores["status"] == "ok", evil)
        ),
    )
