"""The paper suites of unlearning, end to end on a narrow network and a handful of pictures in parquet files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.keys import generator
from harness.runs import run_suite
from harness.suite import load_suite, plan
from harness.suite.errors import SuiteError

# presets of pictures by the ten thousand, cut to a pass each; SSD has nothing to cut
ROWS = (
    *(f"baselines.{n}" for n in ("fine_tune", "gradient_ascent")),
    *(f"methods.{n}" for n in ("random_label", "salun", "salun before its fix", "neggrad_plus", "l1_sparse", "scrub")),
    *(f"methods.{n}" for n in ("bad_teacher", "boundary_shrink", "boundary_expand", "duck")),
    "controls.random_weights",
)


def parquet(path: Path, count: int, key: str) -> None:
    """Pictures of ten plain colors under noise, their number the label."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    drawn = generator(0, "world", "colors", key)
    labels = np.arange(count) % 10
    colors = generator(0, "world", "palette").integers(0, 200, (10, 3))
    rows = []
    for label in labels:
        pixels = np.clip(colors[label] + drawn.integers(0, 56, (32, 32, 3)), 0, 255).astype(np.uint8)
        made = io.BytesIO()
        Image.fromarray(pixels).save(made, format="PNG")
        rows.append({"bytes": made.getvalue(), "path": None})
    pq.write_table(pa.table({"image": rows, "label": pa.array(labels, pa.int64())}), path)


@pytest.mark.parametrize(
    ("name", "only"),
    [("unlearn-cifar10-resnet18", ()), ("unlearn-cifar10-resnet18-class", ("retrain", "salun"))],
)
def test_the_suite_runs_on_a_reduced_setting(name: str, only: tuple[str, ...], tmp_path: Path) -> None:
    data = tmp_path / "colors"
    data.mkdir()
    parquet(data / "train-0.parquet", 120, "train")
    parquet(data / "test-0.parquet", 40, "test")
    suite = load_suite(
        f"paper/{name}",
        (
            "task.data=parquet", f"task.path={data}", "task.called=colors", "task.shadows=2", "seeds=[0]",
            "model.epochs=2", "model.width=4", "model.batch=32", "model.precision=float32",
            *(f"{row}.epochs=1" for row in ROWS),
        ),
    )  # fmt: skip
    found = run_suite(
        plan(suite, only), out=tmp_path / "run", store=tmp_path / "store", device="cpu", executor="inline"
    )
    assert not found.failed, found.failed
    scores = found.scores[found.scores["seed"] == "all"]
    assert (scores[scores["metric"] == "unlearn.gap.mean"]["status"] == "ok").all()
    gaps = scores[scores["metric"] == "unlearn.gap.mean"].set_index("method")["value"]
    assert gaps["retrain"] == 0
    published = found.record["published"]
    assert {p["mark"] for p in published if p["baseline"] == "retrain"} == {"memory"}
    logits = {c["method"]: found.store.arrays(c["cell"], "logits")["logits"].tobytes() for c in found.record["cells"]}
    assert len(set(logits.values())) >= len(logits) - 2  # one pass at 1e-5 may round to nothing


def test_missing_data_are_said_at_their_place(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="no files of CIFAR10"):
        load_suite("paper/unlearn-cifar10-resnet18", (f"task.path={tmp_path}",))
