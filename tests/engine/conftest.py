"""The toys as an installed plug-in, for this process and for workers; a store; plans of toy cells."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.engine import components
from harness.engine.cell import Cell, Part, PlannedCell
from harness.engine.store import Store
from harness.models.judges import JUDGES

ENTRY_POINTS = """
[harness.tasks]
toy_task = toys:ToyTask
toy_retrofit = retrofit_toys:ToyRetrofit
[harness.models]
toy_model = toys:ToyModel
toy_session = retrofit_toys:ToySession
[harness.methods]
toy_nothing = toys:Nothing
push = toys:Push
asleep = toys:Asleep
broken = toys:Broken
hungry = toys:Hungry
toy_edit = retrofit_toys:ToyEdit
[harness.judges]
toy-judge = retrofit_toys:ToyJudge
"""


@pytest.fixture(scope="package", autouse=True)
def toys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("plugin")
    for name in ("toys.py", "retrofit_toys.py"):
        shutil.copy(Path(__file__).with_name(name), folder)
    info = folder / "harness_toys-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: harness-toys\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    sys.path.insert(0, str(folder))
    _forget()
    yield folder
    sys.path.remove(str(folder))
    _forget()


def _forget() -> None:
    for registry in (*components.REGISTRIES.values(), JUDGES):
        registry.__dict__.pop("_plugins", None)
    components.source_file.cache_clear()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "marks"
    folder.mkdir()
    monkeypatch.setenv("TOY_MARKS", str(folder))
    return folder


def toy(
    name: str = "push", *, seed: int = 1, scale: float = 1.0, task: dict[str, Any] | None = None, **params: Any
) -> PlannedCell:
    method = components.METHODS.get(name)
    filled = components.params_of(method(**params))
    options = {"prompts": 4, "each": 4, "per_shard": 1, "pause_s": 0.0, **(task or {})}
    cell = Cell(
        task=Part("toy_task", 1, options, {"prompts": f"{options['prompts']:032x}"}),
        model=Part("toy_model", 1, {"scale": scale, "weight": "aa" * 32}, {"toy.safetensors": "aa" * 32}),
        method=Part(name, method.version, filled),
        split="report",
        seed=seed,
        libraries={"numpy": "2.4"},
    )
    return PlannedCell(cell, name, "method")


@pytest.fixture
def make() -> Callable[..., PlannedCell]:
    return toy
