"""`harness doctor`: what this machine has, what is missing, and how to get it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.cli.arguments import Json, StoreFolder, store_root
from harness.cli.output import FAILED, err, leave, print_json, put

PACKAGES = (
    "torch", "torchvision", "diffusers", "transformers", "safetensors", "numpy", "pandas", "pyarrow", "pydantic",
    "clean-fid", "torchmetrics",
)  # fmt: skip
OPTIONAL = {
    "lpips": "perceptual distances lpips.*",
    "torch-fidelity": "parity tests",
    "nevergrad": "black-box search",
}


@dataclass(frozen=True)
class Finding:
    """One line. state: ok | missing (optional, with what to do) | broken (something that must work does not)."""

    topic: str
    what: str
    state: str
    detail: str = ""
    remedy: str = ""


def doctor(store: StoreFolder = None, as_json: Json = False) -> None:
    """Check devices, packages, weights and the store.

    Exit code 1 when something that must work does not.
    """
    findings = [
        *_machine(),
        *_devices(),
        *_packages(),
        *_shipped(),
        *_networks(),
        *_weights(),
        *_store(store_root(store)),
    ]
    if as_json:
        print_json([asdict(f) for f in findings])
    else:
        _print(findings)
    if any(f.state == "broken" for f in findings):
        leave(FAILED)


def _machine() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("machine", f"Python {platform.python_version()}", "ok", f"{platform.system()}, {cores} cores")


def _devices() -> Iterator[Finding]:
    try:
        import torch
    except ImportError as error:
        yield Finding("devices", "torch", "broken", str(error), "pip install 'torch>=2.11'")
        return
    yield Finding("devices", "cpu", "ok", f"{torch.get_num_threads()} threads")
    if not torch.cuda.is_available():
        built = "torch is built without CUDA" if torch.version.cuda is None else "no usable CUDA device"
        yield Finding("devices", "cuda", "missing", built, "every shipped suite also runs on the CPU")
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        facts = torch.cuda.get_device_properties(index)
        memory = facts.total_memory / 2**30
        detail = f"{facts.name}, {memory:.0f} GiB, compute {facts.major}.{facts.minor}, CUDA {torch.version.cuda}"
        yield Finding("devices", f"cuda:{index}", "ok", detail)


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield Finding("packages", name, "ok", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding("packages", name, "broken", "not installed", f"pip install {name}")
    for name, use in OPTIONAL.items():
        try:
            yield Finding("packages", name, "ok", importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding("packages", name, "missing", f"only for {use}", f"pip install {name}")


def _shipped() -> Iterator[Finding]:
    from harness.cli.zoo import verdict
    from harness.models.zoo import ZOO

    for entry in ZOO.values():
        record = verdict(entry)
        remedy = "" if record["ok"] else f"harness zoo train {entry.name}"
        detail = record["detail"].partition("; bring it")[0]
        yield Finding("shipped weights", entry.name, "ok" if record["ok"] else "broken", detail, remedy)


def _networks() -> Iterator[Finding]:
    """Networks behind metrics, and whether the files found are the published ones."""
    from harness.models.extractors import PUBLISHED, declarations
    from harness.models.extractors.places import WeightsDiffer

    topic = "optional weights"
    try:
        declared = declarations()
    except ValueError as error:
        yield Finding(topic, "own embeddings", "broken", str(error), "correct the file or take it away")
        declared = PUBLISHED
    for name, entry in declared.items():
        absent = entry.weights.missing(entry.instead)
        if absent is not None:
            yield Finding(topic, name, "missing", f"{absent.what}: not in {', '.join(absent.looked)}", absent.fetch)
            continue
        try:
            entry.weights.verify()
        except WeightsDiffer as error:
            yield Finding(topic, name, "broken", str(error), "delete it; harness doctor then says how to fetch it")
        else:
            hashes = ", ".join(f"{file} {digest[:12]}" for file, digest in entry.weights.hashes().items())
            yield Finding(topic, name, "ok", f"{hashes}; {entry.licence}")


def _weights() -> Iterator[Finding]:
    """Weights that some metrics or models use and that are not shipped."""
    from harness.models.lpips_features import INSTEAD, TRUNKS, trunk

    for net, file in TRUNKS.items():
        absent = trunk(net).missing(INSTEAD)
        if absent is None:
            yield Finding("optional weights", f"lpips {net}", "ok", file)
        else:
            detail = f"{absent.what}: not in {', '.join(absent.looked)}"
            yield Finding("optional weights", f"lpips {net}", "missing", detail, absent.fetch)
    home = os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME", Path.home() / ".cache/huggingface")) / "hub"
    cached = sorted(p.name.removeprefix("models--").replace("--", "/") for p in Path(home).glob("models--*"))
    if cached:
        yield Finding("optional weights", "hub cache", "ok", ", ".join(cached))
    else:
        remedy = "hf download OWNER/NAME, then model: {name: diffusers, path: OWNER/NAME}"
        yield Finding("optional weights", "hub cache", "missing", "no downloaded pipelines", remedy)


def _store(root: Path) -> Iterator[Finding]:
    place = next(p for p in (root, *root.resolve().parents) if p.is_dir())
    free = shutil.disk_usage(place).free / 2**30
    if os.access(place, os.W_OK):
        yield Finding("store", str(root), "ok" if free > 1 else "missing", f"writable, {free:.0f} GiB free")
    else:
        yield Finding("store", str(root), "broken", f"{place} is not writable", "give another one with --store DIR")


def _print(findings: list[Finding]) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    marks = {"ok": ("✓", "green"), "missing": ("–", "yellow"), "broken": ("✗", "red")}
    for topic in dict.fromkeys(f.topic for f in findings):
        grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(no_wrap=topic != "store", style="bold", overflow="fold")
        grid.add_column(overflow="fold")
        for finding in (f for f in findings if f.topic == topic):
            mark, color = marks[finding.state]
            detail = Text(finding.detail, style="" if finding.state == "ok" else color)
            if finding.remedy:
                detail.append(f"\n{finding.remedy}", style="dim")
            grid.add_row(Text(mark, style=color), finding.what, detail)
        put(Text(topic, style="bold cyan"), Padding(grid, (0, 0, 1, 2)))
    broken = [f.what for f in findings if f.state == "broken"]
    if broken:
        err().print(Text(f"not working: {', '.join(broken)}", style="red"))
