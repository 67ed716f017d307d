"""What manifests say and what they must not (E19); no global random state in the project (E13)."""

from __future__ import annotations

import ast
import json
import os
import platform
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import harness
from harness.engine.cell import PlannedCell
from harness.engine.provenance import command_line, scrub, variables
from harness.engine.spec import Execution
from harness.engine.store import Store
from harness.engine.worker import run_cell

Make = Callable[..., PlannedCell]
ROOT = Path(harness.__file__ or "").parent

ALLOWED = {
    "code": {"version", "commit", "dirty", "diff", "components"},
    "environment": {"python", "platform", "packages", "variables", "flags", "torch"},
    "hardware": {"cpu", "cores", "memory_mb", "host", "device"},
    "executed": {"executor", "device", "micro_batch", "threads", "command", "started"},
}


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def test_a_manifest_has_the_allowed_fields_and_no_secret_user_home_or_host(
    store: Store, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecret")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", str(Path.home()))
    monkeypatch.setenv("USER", "ada-of-the-lab")
    cell = make().cell
    command = tuple(
        command_line([f"{Path.home()}/bin/harness", "run", "/data/ada-of-the-lab/s.yaml", "--set", "a=~/x/y"])
    )
    run_cell(cell, store, Execution("cpu", 4, executor="process", command=command))
    manifest = json.loads((store.folder(cell.address) / "manifest.json").read_text())
    provenance = manifest["provenance"]
    assert set(provenance) == set(ALLOWED)
    for group, fields in ALLOWED.items():
        assert set(provenance[group]) <= fields
    assert provenance["executed"]["command"] == ["…/harness", "run", "…/s.yaml", "--set", "a=…/y"]
    assert provenance["environment"]["variables"]["OMP_NUM_THREADS"] == "2"
    assert "PYTORCH_CUDA_ALLOC_CONF" not in provenance["environment"]["variables"]
    assert provenance["environment"]["packages"]["numpy"] == np.__version__
    forbidden = [str(Path.home()), "hf_secret", "ada-of-the-lab", platform.node(), str(store.root), os.getcwd()]
    for text in texts(manifest):
        assert not [word for word in forbidden if word and word in text], text
        assert not re.search(r"(^|\s)/\w+/", text), text


def test_a_failure_says_no_folder(store: Store, make: Make) -> None:
    cell = make("broken").cell
    status = run_cell(cell, store, Execution("cpu", 4))
    assert status.reason == "ValueError: no luck with item 8 in …/secret"
    for name in ("failure.json", "failure.txt"):
        text = (store.folder(cell.address) / name).read_text()
        assert str(Path.home() / "secret") not in text
        assert str(ROOT) not in text
    assert "toys.py" in text


def test_only_plain_values_of_allowed_variables_are_kept() -> None:
    given = {"OMP_NUM_THREADS": "4", "MKL_NUM_THREADS": "/a/b", "SECRET": "1", "CUDA_VISIBLE_DEVICES": "0,1"}
    assert variables(given) == {"OMP_NUM_THREADS": "4", "CUDA_VISIBLE_DEVICES": "0,1"}


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("/a/b/c.txt", "…/c.txt"),
        ("cannot open '/a/b/c.txt': no", "cannot open '…/c.txt': no"),
        ("~/x/y", "…/y"),
        ("a/b is relative, 1/2 a share, and/or", "a/b is relative, 1/2 a share, and/or"),
    ],
)
def test_scrubbing_cuts_rooted_paths_only(text: str, clean: str) -> None:
    assert scrub(text) == clean


def test_executing_changes_no_global_random_state(store: Store, make: Make) -> None:
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    before = (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002
    run_cell(make("push").cell, store, Execution("cpu", 4))
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002


def test_global_seeds_change_no_byte(make: Make, tmp_path: Path) -> None:
    contents = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002
        store = Store(tmp_path / str(seed))
        run_cell(make("push").cell, store, Execution("cpu", 4))
        contents.append([p.read_bytes() for p in sorted(store.root.glob("cells/*/*/*.npz"))])
    assert contents[0] == contents[1]


FORBIDDEN = {
    ("torch", "manual_seed"), ("torch.cuda", "manual_seed"), ("torch.cuda", "manual_seed_all"), ("random", "seed"),
    ("np.random", "seed"), ("numpy.random", "seed"), ("pickle", "load"), ("pickle", "loads"),
}  # fmt: skip


def _forked(tree: ast.AST) -> set[ast.AST]:
    """Nodes inside of `with torch.random.fork_rng()`, after which the global state is put back."""
    blocks = [n for n in ast.walk(tree) if isinstance(n, ast.With)]
    forked = [b for b in blocks if any("fork_rng" in ast.unparse(i.context_expr) for i in b.items)]
    return {inner for block in forked for inner in ast.walk(block)}


def test_no_module_seeds_a_global_generator_unpickles_or_calls_a_shell() -> None:
    found = []
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        forked = _forked(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                called = (ast.unparse(node.func.value), node.func.attr)
                if called in FORBIDDEN and node not in forked:
                    found.append(f"{path.name}:{node.lineno}")
                if any(k.arg == "shell" for k in node.keywords):
                    found.append(f"{path.name}:{node.lineno}")
    assert found == []
