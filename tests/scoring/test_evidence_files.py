"""References in files: read in blocks when large, refused when their container is another, named by their title."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.data.folder import ImageFolder
from harness.engine.cell import Cell, Part
from harness.engine.manifest import Manifest
from harness.engine.store import Store
from harness.keys import generator
from harness.metrics import METRICS
from harness.metrics.metric import Metric, Need, ScoreStatus
from harness.options import build
from harness.scoring import evidence, extractors
from harness.scoring.evidence import Source
from harness.scoring.extractors import Extractor
from harness.scoring.scorer import Scorer
from harness.tasks.task import ShardResult
from harness.tasks.text_to_image import TextToImage

PROMPTS = tuple(f"prompt {i}" for i in range(6))
COUNT = 1100  # more than two blocks of eight batches


def _metric(name: str) -> Metric:
    found = METRICS.resolve(name)
    made: Metric = build(found.thing, {}, **found.bound)
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("reference")
    for i, image in enumerate(generator(1, "world").integers(0, 256, (COUNT, 4, 4, 3)).astype(np.uint8)):
        Image.fromarray(image).save(made / f"{i:05d}.png")
    return made


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Source, str]]:
    """reference set, method part → a source over one finished cell, and its address."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def open_(device: str) -> Callable[[Any], dict[str, np.ndarray[Any, Any]]]:
        return lambda images: {"features": images.flatten(1)[:, ::5].numpy() + 0.1}

    monkeypatch.setitem(extractors.EXTRACTORS, "avatars", lambda: Extractor("avatars", "0" * 32, open_))

    def made(reference: Any, method: Part | None = None, name: str = "store") -> tuple[Source, str]:
        task = TextToImage(prompts=PROMPTS, images_per_prompt=10)
        store = Store(tmp_path / name)
        cell = Cell(Part("text_to_image", 1), Part("m", 1), method or Part("iid", 1), "report", 0)
        images = generator(0, "world").integers(0, 256, (60, 4, 4, 3)).astype(np.uint8)
        images[1] = images[0]
        shards = task.shards()
        records = [
            store.write_shard(cell.address, s, ShardResult({"images": images[s.start : s.stop]}), task.items())
            for s in shards
        ]
        store.finish(cell.address, Manifest.compose(cell, "cpu", records, {}, {}))
        return Source(store, task, {"reference": reference}, "cpu", "1" * 32, lambda p: p, 0), cell.address

    return made


def test_a_large_reference_is_read_in_blocks_with_the_same_bytes(
    folder: Path, make: Callable[..., tuple[Source, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    need = (Need("features", "reference", "avatars"), Need("features", "generated", "avatars"))
    whole, address = make(ImageFolder(path=str(folder)), name="whole")
    expected = whole.build(address, need).features
    monkeypatch.setattr(evidence, "HELD", 1000)
    loads: list[str] = []
    monkeypatch.setattr(ImageFolder, "load", lambda *_: loads.append("whole"))
    source, address = make(ImageFolder(path=str(folder)), name="blocks")
    found = source.build(address, need).features
    assert not loads
    assert found["reference", "avatars"].tobytes() == expected["reference", "avatars"].tobytes()
    assert source.extracted == COUNT + 60


def test_the_id_calls_a_reference_by_its_title(folder: Path, make: Callable[..., tuple[Source, str]]) -> None:
    source, _ = make(ImageFolder(path=str(folder), called="my-set@2"))
    metric_id = Scorer(source, [_metric("kd.avatars")]).ids[_metric("kd.avatars")]
    assert f"reference=my-set@2:{COUNT}:{source.sets['reference'].digest(PROMPTS)[:8]}" in metric_id


def test_what_a_metric_saw_is_recorded_with_its_score(folder: Path, make: Callable[..., tuple[Source, str]]) -> None:
    source, address = make(ImageFolder(path=str(folder)))
    metric = _metric("kd.avatars")
    scorer = Scorer(source, [metric])
    assert [s.status for s in scorer.score(address)] == [ScoreStatus.OK]
    inputs = source.store.json("scores", scorer.address(address, metric))["inputs"]  # type: ignore[index]
    assert inputs["generated"]["duplicates"] == pytest.approx(1 / 60)
    assert inputs["reference"] == {"digest": source.sets["reference"].digest(PROMPTS), "duplicates": 0.0}


@pytest.fixture
def jpegs(tmp_path: Path) -> Path:
    made = tmp_path / "jpegs"
    made.mkdir()
    for i, image in enumerate(generator(2, "world").integers(0, 256, (80, 4, 4, 3)).astype(np.uint8)):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG")
        (made / f"{i}.jpg").write_bytes(buffer.getvalue())
    return made


EXTERNAL = Part("external", 1, {"containers": "match"}, {"images": "0", "kept_as": "jpeg"})
ANY = Part("external", 1, {"containers": "any"}, {"images": "0", "kept_as": "png"})


@pytest.mark.parametrize(
    ("options", "method", "status"),
    [
        ({}, None, "protocol-mismatch"),
        ({"containers": "any"}, None, "ok"),
        ({}, EXTERNAL, "ok"),
        ({}, ANY, "ok"),
    ],
)
def test_another_container_is_a_mismatch_unless_it_is_stated(  # T4
    options: Any, method: Part | None, status: str, jpegs: Path, make: Callable[..., tuple[Source, str]]
) -> None:
    source, address = make(ImageFolder(path=str(jpegs), **options), method)
    (scored,) = Scorer(source, [_metric("kd.avatars")]).score(address)
    assert scored.status.value == status, scored.reason
    if status != "ok":
        assert "reference images were kept as jpeg, the generated ones as lossless" in scored.reason


def test_the_container_is_part_of_a_references_id(jpegs: Path) -> None:
    one, other = ImageFolder(path=str(jpegs)), ImageFolder(path=str(jpegs), containers="any")
    assert one.digest(()) != other.digest(())
