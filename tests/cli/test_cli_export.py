"""`harness export` of texts and sound: what is in the files, and that two exports are the same bytes."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from harness.engine.manifest import Manifest
from harness.engine.store import Store
from harness.tasks.task import ShardResult

Call = Callable[..., Result]
TEXTS = [f'def f{i}(x):\n    return "é {i}"\n' for i in range(8)]


def written(folder: Path, arrays: dict[str, Any], specimens: dict[str, Any]) -> None:
    """A run of one row with two seeds that holds these arrays."""
    from harness.suite import load_suite, plan

    planned = plan(load_suite(str(folder / "small.yaml")))
    store, items, (shard,) = Store("kept"), planned.task.items(), planned.task.shards()
    cells = []
    for item in planned.cells[:2]:
        record = store.write_shard(item.cell.address, shard, ShardResult(arrays), items)
        store.finish(item.cell.address, Manifest.compose(item.cell, "cpu", [record], {}, {}))
        cells.append({"cell": item.cell.address, "method": item.label, "seed": str(item.cell.seed), "status": "ok"})
    run = folder / "runs/small"
    run.mkdir(parents=True)
    found = {"store": "../../kept", "cells": cells, "specimens": specimens}
    (run / "run.json").write_text(json.dumps(found))


@pytest.fixture
def texts(folder: Path) -> Path:
    asked = {"sources": [f"s{i}" for i in range(8)], "references": [f"r{i}" for i in range(8)]}
    written(folder, {"texts": np.array(TEXTS)}, asked)
    return folder


@pytest.fixture
def sound(folder: Path) -> Path:
    audio = np.arange(8 * 50, dtype=np.int16).reshape(8, 50)
    lengths = np.arange(10, 18, dtype=np.int64)
    written(folder, {"audio": audio, "lengths": lengths}, {"references": [f"say {i}" for i in range(8)]})
    return folder


def test_texts_are_lines_with_what_was_asked(call: Call, texts: Path) -> None:
    result = call("export", "small", "--method", "iid", "--seed", "0", "--to", "out", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)[0] | {"cell": ""} == {
        "method": "iid", "seed": "0", "cell": "", "texts": 8, "to": "out/texts.jsonl",
    }  # fmt: skip
    lines = [json.loads(line) for line in (texts / "out/texts.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["output"] for line in lines] == TEXTS
    assert lines[5] == {"key": "0001/0001", "source": "s5", "reference": "r5", "output": TEXTS[5]}


def test_sound_is_a_folder_of_wavs_with_a_manifest(call: Call, sound: Path) -> None:
    assert call("export", "small", "--method", "iid", "--to", "out").exit_code == 0
    folder = sound / "out/seed-1"
    lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    assert len(lines) == 8
    assert lines[4] == {
        "file": "0001-0000.wav", "key": "0001/0000", "reference": "say 4", "samples": 14, "rate": 16000,
    }  # fmt: skip
    for i, line in enumerate(lines):
        with wave.open(io.BytesIO((folder / line["file"]).read_bytes())) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        assert np.array_equal(samples, np.arange(50 * i, 50 * i + 10 + i))


@pytest.mark.parametrize("kind", ["texts", "sound"])
def test_two_exports_are_the_same_bytes(kind: str, call: Call, folder: Path, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(kind)
    for place in ("one", "two"):
        assert call("export", "small", "--method", "iid", "--to", place).exit_code == 0
    one, two = (
        {p.relative_to(folder / r): p.read_bytes() for p in (folder / r).rglob("*") if p.is_file()}
        for r in ("one", "two")
    )
    assert one
    assert one == two


def test_a_format_that_does_not_fit_is_refused_with_those_that_do(call: Call, texts: Path) -> None:
    result = call("export", "small", "--method", "iid", "--to", "out", "--format", "png")
    assert result.exit_code == 2
    assert result.stderr == "this row made no images: it cannot be written as png\nformats that fit: jsonl\n"
    assert not (texts / "out").exists()


def test_a_run_that_says_nothing_of_its_inputs_is_exported_without_them(call: Call, folder: Path) -> None:
    written(folder, {"texts": np.array(TEXTS)}, {})
    assert call("export", "small", "--method", "iid", "--seed", "0", "--to", "out").exit_code == 0
    line = json.loads((folder / "out/texts.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert line == {"key": "0000/0000", "source": "", "reference": "", "output": TEXTS[0]}
