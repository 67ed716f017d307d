"""The rooms of the house and the rules between them (design.md section 4): read from the source, not from memory."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HARNESS = ROOT / "harness"
FILES = sorted(HARNESS.rglob("*.py"))

# Rooms from the top of the house down. A file imports from its own room and from lower floors only.
FLOORS = [
    ("__main__",),
    ("cli",),
    ("external",),
    ("runs", "protection"),
    ("report",),
    ("scoring",),
    ("suite",),
    ("engine",),
    ("tasks", "recipes"),
    ("methods",),
    ("models",),
    ("worlds", "data"),
    ("metrics",),
    ("stats",),
    ("registry", "options", "keys", "shipped"),
]
FLOOR = {room: i for i, rooms in enumerate(FLOORS) for room in rooms}
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "base_utils"}


def _room(path: Path) -> str:
    parts = path.relative_to(HARNESS).parts
    return "recipes" if parts[:2] == ("worlds", "recipes") else parts[0].removesuffix(".py")


def _imports(path: Path) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.append((node.lineno, node.module))
        elif isinstance(node, ast.Import):
            found.extend((node.lineno, a.name) for a in node.names)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HARNESS)))
def test_imports_go_downwards_only(path: Path) -> None:
    room = _room(path)
    if room == "__init__":
        return
    wrong = []
    for line, module in _imports(path):
        parts = module.split(".")
        if parts[0] != "harness" or len(parts) < 2 or parts[1] == room or (room, parts[1]) == ("recipes", "worlds"):
            continue
        if FLOOR[parts[1]] < FLOOR[room] or (FLOOR[parts[1]] == FLOOR[room] and parts[1] not in ("options", "suite")):
            wrong.append(f"line {line}: {room} imports {module}")
    if room == "data":  # data sets of the worlds are drawn by them: same floor, one direction
        wrong = [w for w in wrong if "harness.worlds" not in w]
    assert not wrong


def test_metrics_and_stats_are_leaves() -> None:
    allowed = {
        "metrics": {"metrics", "stats", "options", "registry", "keys", "models"},
        "stats": {"stats", "options", "keys"},
    }
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in FILES
        if _room(path) in allowed
        for line, module in _imports(path)
        if module.startswith("harness.") and module.split(".")[1] not in allowed[_room(path)]
    ]
    assert not wrong


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HARNESS)))
def test_no_file_is_long_or_vaguely_named(path: Path) -> None:
    assert path.stem not in VAGUE
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


# Global random state, pickles, shells and unsafe readers: what may not be called anywhere in harness/ (E13, E20).
FORBIDDEN = (
    r"torch\.manual_seed|torch\.cuda\.manual_seed|np\.random\.(seed|rand|randn|randint|choice|normal|shuffle)\(",
    r"^\s*(import random\b|from random import)",
    r"pickle\.|dill\.|weights_only\s*=\s*False|allow_pickle\s*=\s*True",
    r"yaml\.load\(|shell\s*=\s*True|[^.\w](eval|exec)\(|os\.system\(",
    r"scipy\.linalg\.sqrtm|linalg import .*sqrtm",
)


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_nothing_unsafe_and_no_global_random_state(pattern: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in FILES
        if not (
            _room(path) == "recipes" and "manual_seed" in pattern
        )  # programs of their own, under a forked generator
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(pattern, line.split("#")[0]) and not line.lstrip().startswith(('"', "'"))
    ]
    assert not found


LIGHT = (
    "harness",
    "harness.registry",
    "harness.options",
    "harness.suite",
    "harness.cli.main",
    "harness.metrics",
    "harness.methods",
    "harness.engine.store",
    "harness.runs",
    "harness.scoring.assembly",
)


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_import_without_torch(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('torch', 'diffusers', 'transformers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_registered_component_imports_without_torch() -> None:
    code = """
import sys
from harness.metrics import METRICS
from harness.methods import METHODS
from harness.models import MODELS
from harness.tasks import TASKS
from harness.data import IMAGE_SETS
for registry in (METRICS, METHODS, MODELS, TASKS, IMAGE_SETS):
    for name in registry.names():
        registry.get(name)
        assert "torch" not in sys.modules, (registry.kind, name)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_top_level_shows_what_the_system_does() -> None:
    for name in ("harness", "suites", "baselines", "reports", "tests", "tox.ini", "pyproject.toml"):
        assert (ROOT / name).exists(), name


def test_no_trace_of_one_machine_in_tracked_files() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    pattern = re.compile(r"(^|[^a-z.])/(root|home|work|farm)/[a-z]")
    found = []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in {".py", ".yaml", ".json", ".md", ".toml", ".ini", ".txt", ".html", ".csv"} and path.is_file():
            text = path.read_text(encoding="utf-8", errors="ignore")
            found += [f"{name}: {hit[0]}" for hit in [pattern.search(text)] if hit]
    assert not found
