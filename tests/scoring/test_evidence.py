"""Evidence: each image through each network once; a broken network stops only its own metrics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data.image_set import ImageData, ImageSet
from harness.engine.cell import Cell, Part
from harness.engine.manifest import Manifest
from harness.engine.store import Store
from harness.keys import generator
from harness.metrics import METRICS
from harness.metrics.metric import CannotMeasure, Metric, ScoreStatus
from harness.options import build
from harness.scoring import evidence, extractors
from harness.scoring.evidence import Source
from harness.scoring.extractors import Extractor, one_pass
from harness.scoring.long_rows import LongRows
from harness.scoring.scorer import Scorer
from harness.tasks.task import ShardResult
from harness.tasks.text_to_image import TextToImage

PROMPTS = tuple(f"prompt {i}" for i in range(6))
EACH = 10


class Noise(ImageSet):
    """Sixty pictures of noise."""

    name = "noise"
    loads = 0

    def size(self, prompts: tuple[str, ...]) -> int:
        return 60

    def load(self, prompts: tuple[str, ...]) -> ImageData:
        type(self).loads += 1
        images = generator(1, "world").integers(0, 256, (60, 8, 8, 3)).astype(np.uint8)
        return ImageData(images, np.full(60, -1))

    def identity(self, prompts: tuple[str, ...]) -> dict[str, Any]:
        return {"set": "noise"}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Images that went through the network called avatars, pass by pass, padding left out."""
    seen: list[int] = []

    def open_(device: str) -> Callable[[Any], dict[str, np.ndarray[Any, Any]]]:
        return lambda images: {"features": images.mean((2, 3)).numpy() + 0.1}

    def counting(network: Any, images: Any, device: str) -> dict[str, Any]:
        seen.append(len(images))
        return one_pass(network, images, device)

    monkeypatch.setitem(extractors.EXTRACTORS, "avatars", lambda: Extractor("avatars", "0" * 32, open_))
    monkeypatch.setattr(evidence, "one_pass", counting)
    return seen


@pytest.fixture
def source(tmp_path: Path) -> tuple[Source, str]:
    task = TextToImage(prompts=PROMPTS, images_per_prompt=EACH)
    store = Store(tmp_path)
    cell = Cell(Part("text_to_image", 1), Part("m", 1), Part("iid", 1), "report", 0)
    images = generator(0, "world").integers(0, 256, (len(PROMPTS) * EACH, 8, 8, 3)).astype(np.uint8)
    records = []
    for shard in task.shards():
        part = images[shard.start : shard.stop]
        latents = part[:, ::4, ::4].reshape(len(part), -1).astype(np.float32)
        result = ShardResult({"images": part, "latents": latents}, {}, (), 8, 0)
        records.append(store.write_shard(cell.address, shard, result, task.items()))
    store.finish(cell.address, Manifest.compose(cell, "cpu", records, {}, {}))
    encode = lambda pixels: pixels[:, ::4, ::4].reshape(len(pixels), -1).astype(np.float32)  # noqa: E731
    return Source(store, task, {"reference": Noise()}, "cpu", "1" * 32, encode, 0), cell.address


def _metrics(*names: str) -> list[Metric]:
    found = [METRICS.resolve(name) for name in names]
    return [build(f.thing, {}, **f.bound) for f in found]


def test_every_image_goes_through_every_network_once(counted: list[int], source: tuple[Source, str]) -> None:
    """T70: six metrics over one extractor, generated and reference images, and a second scoring of the same cell."""
    names = ("fd.avatars", "kd.avatars", "precision.avatars", "vendi.avatars", "nn.avatars.median", "pd.avatars.pairs")
    where, address = source
    scorer = Scorer(where, _metrics(*names))
    assert [s.status for s in scorer.score(address)] == [ScoreStatus.OK] * 6
    assert sorted(counted) == [len(PROMPTS) * EACH, 60]
    again = Scorer(Source(where.store, where.task, where.sets, "cpu", "1" * 32, where.encode, 0), _metrics(*names))
    assert [s.status for s in again.score(address)] == [ScoreStatus.OK] * 6
    assert len(counted) == 2


def test_stored_scores_come_back_as_they_were(counted: list[int], source: tuple[Source, str]) -> None:
    where, address = source
    scorer = Scorer(where, _metrics("fd.avatars", "recall.avatars", "color.de2000"))
    first, second = list(scorer.score(address)), list(scorer.score(address))
    for one, other in zip(first, second, strict=True):
        assert one.measurement is not None
        assert other.measurement is not None
        assert one.measurement.value == other.measurement.value
        assert one.measurement.companions.keys() == other.measurement.companions.keys()
        assert one.measurement.units is not None
        assert other.measurement.units is not None
        np.testing.assert_array_equal(one.measurement.units.value, other.measurement.units.value)


def test_missing_weights_of_one_network_stop_only_its_metrics(
    monkeypatch: pytest.MonkeyPatch, counted: list[int], source: tuple[Source, str]
) -> None:
    def missing(device: str) -> Any:
        raise FileNotFoundError("weights of alex are missing; fetch them with …")

    monkeypatch.setitem(extractors.EXTRACTORS, "lpips-alex", lambda: Extractor("lpips-alex", "2" * 32, missing))
    where, address = source
    scores = list(Scorer(where, _metrics("lpips.alex.pairs", "pd.avatars.pairs")).score(address))
    assert [s.status for s in scores] == [ScoreStatus.FAILED, ScoreStatus.OK]
    assert "fetch them with" in scores[0].reason


def test_rows_too_long_to_keep_are_computed_by_groups_and_give_the_same_values(
    monkeypatch: pytest.MonkeyPatch, source: tuple[Source, str]
) -> None:
    def open_(device: str) -> Callable[[Any], dict[str, np.ndarray[Any, Any]]]:
        return lambda images: {"features": images.flatten(1).numpy() / 10}

    monkeypatch.setitem(
        extractors.EXTRACTORS, "lpips-alex", lambda: Extractor("lpips-alex", "2" * 32, open_, long=True)
    )
    where, address = source
    sets = {"source": Noise()}
    metrics = _metrics("lpips.alex.pairs", "lpips.alex.source")
    found, stored = [], []
    for kept in (2**28, 100):
        monkeypatch.setattr(evidence, "KEPT", kept)
        place = Source(where.store, where.task, sets, "cpu", "1" * 32, where.encode, 0)
        built = [place.build(address, metric.needs()) for metric in metrics]
        found.append([metric.measure(e) for metric, e in zip(metrics, built, strict=True)])
        stored.append(len(list((where.store.root / "features").rglob("*.npz"))))
    assert isinstance(built[0].features["generated", "lpips-alex"], LongRows)
    for short, long in zip(*found, strict=True):
        assert long.value == short.value > 0
        np.testing.assert_array_equal(long.items[2], short.items[2])
        assert {k: m.value for k, m in long.companions.items()} == {k: m.value for k, m in short.companions.items()}
    assert stored[1] == stored[0] == 2  # nothing came to the store with the second


def test_long_rows_are_checked_as_they_come() -> None:
    images = np.zeros((4, 2, 2, 3), np.uint8)
    wide = LongRows(images, 3, lambda pixels: np.zeros((len(pixels), 4), np.float32), 2)
    with pytest.raises(CannotMeasure, match=r"expected \(n, 3\)"):
        wide[np.arange(2)]
    broken = LongRows(images, 3, lambda pixels: np.full((len(pixels), 3), np.nan, np.float32), 2)
    with pytest.raises(CannotMeasure, match="not finite"):
        list(broken)


def test_a_pass_holds_fewer_large_images() -> None:
    assert extractors.batch_of(lambda images: {}, np.zeros((1, 64, 64, 3), np.uint8)) == extractors.BATCH
    assert extractors.batch_of(lambda images: {}, np.zeros((1, 512, 512, 3), np.uint8)) == 16
    assert extractors.batch_of(lambda images: {}, np.zeros((1, 4096, 4096, 3), np.uint8)) == 1


def test_a_crash_is_tried_again_and_a_refusal_is_kept(counted: list[int], source: tuple[Source, str]) -> None:
    where, address = source
    scorer = Scorer(where, _metrics("fd.avatars"))
    assert scorer.missing(address) == 1
    list(scorer.score(address))
    assert scorer.missing(address) == 0


def test_ids_name_weights_reference_and_counts(counted: list[int], source: tuple[Source, str]) -> None:
    metric = _metrics("fd.avatars")[0]
    text = Scorer(source[0], [metric]).ids[metric]
    assert "avatars=00000000" in text
    assert "reference=noise:60:" in text
    assert f"n={len(PROMPTS) * EACH}" in text


@pytest.mark.parametrize("count", [1, 7, 64, 65])
def test_features_do_not_feel_the_size_of_the_last_batch(count: int) -> None:
    """T12: the remainder is padded and cut, so rows equal those of a longer run."""
    import torch

    weights = torch.from_numpy(generator(0, "world").standard_normal((3, 4)).astype(np.float32))
    images = generator(1, "world").integers(0, 256, (65, 8, 8, 3)).astype(np.uint8)
    network = lambda x: {"features": (x.mean((2, 3)) @ weights).numpy()}  # noqa: E731
    whole = one_pass(network, images, "cpu")["features"]
    part = one_pass(network, images[:count], "cpu")["features"]
    assert part.shape == (count, 4)
    np.testing.assert_array_equal(part, whole[:count])
