"""A statistics file in place of a folder: the same score, an id of its own, and a refusal of every other network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.data.folder import ImageFolder
from harness.data.statistics import Statistics, write
from harness.engine.cell import Cell, Part
from harness.engine.manifest import Manifest
from harness.engine.store import Store
from harness.keys import generator
from harness.metrics import METRICS
from harness.metrics.metric import CannotMeasure, Metric, ScoreStatus
from harness.options import build
from harness.scoring import extractors
from harness.scoring.evidence import Source
from harness.scoring.extractors import Extractor
from harness.scoring.reference_statistics import NoStatistics, statistics_of
from harness.scoring.scorer import Scored, Scorer
from harness.tasks.task import ShardResult
from harness.tasks.text_to_image import TextToImage

PROMPTS = tuple(f"prompt {i}" for i in range(6))
COUNT = 90


def _metric(name: str) -> Metric:
    found = METRICS.resolve(name)
    made: Metric = build(found.thing, {}, **found.bound)
    return made


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a counting linear network with a given digest in the place of `avatars`; another one is `digits`."""

    def set_(digest: str) -> None:
        def opened(step: int) -> Callable[[str], Any]:
            return lambda device: lambda images: {"features": images.flatten(1)[:, ::step].numpy() + 0.1}

        made = Extractor("avatars", digest, opened(5))
        monkeypatch.setitem(extractors.EXTRACTORS, "avatars", lambda: made)
        monkeypatch.setitem(extractors.EXTRACTORS, "digits", lambda: Extractor("digits", "d" * 32, opened(7)))

    set_("a" * 32)
    return set_


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: Callable[[str], None]) -> ImageFolder:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "reference").mkdir()
    for i, image in enumerate(generator(1, "world").integers(0, 256, (COUNT, 4, 4, 3)).astype(np.uint8)):
        Image.fromarray(image).save(tmp_path / "reference" / f"{i:05d}.png")
    return ImageFolder(path=str(tmp_path / "reference"))


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., tuple[Source, str]]:
    """reference → a source over one finished cell, and its address."""

    def made(reference: Any) -> tuple[Source, str]:
        task, store = TextToImage(prompts=PROMPTS, images_per_prompt=10), Store(tmp_path / "store")
        cell = Cell(Part("text_to_image", 1), Part("m", 1), Part("iid", 1), "report", 0)
        images = generator(0, "world").integers(0, 256, (60, 4, 4, 3)).astype(np.uint8)
        if store.cell(cell.address) is None:
            results = [(s, ShardResult({"images": images[s.start : s.stop]})) for s in task.shards()]
            records = [store.write_shard(cell.address, s, r, task.items()) for s, r in results]
            store.finish(cell.address, Manifest.compose(cell, "cpu", records, {}, {}))
        return Source(store, task, {"reference": reference}, "cpu", "1" * 32, lambda p: p, 0), cell.address

    return made


@pytest.fixture
def score(make: Callable[..., tuple[Source, str]]) -> Callable[[Any, str], Scored]:
    def scored(reference: Any, metric: str) -> Scored:
        source, address = make(reference)
        (found,) = Scorer(source, [_metric(metric)]).score(address)
        return found

    return scored


@pytest.fixture
def file(folder: ImageFolder, make: Callable[..., tuple[Source, str]], tmp_path: Path) -> Path:
    write(tmp_path / "made.npz", statistics_of(make(folder)[0], "reference", "avatars"))
    return tmp_path / "made.npz"


def test_the_score_is_that_of_the_images(folder: ImageFolder, file: Path, score: Callable[..., Scored]) -> None:
    images, statistics = score(folder, "fd.avatars"), score(Statistics(path=str(file)), "fd.avatars")
    assert images.measurement is not None
    assert statistics.measurement is not None
    assert images.measurement.value > 0.01
    assert statistics.measurement.value == pytest.approx(images.measurement.value, rel=1e-6)


def test_the_id_names_the_file_by_its_digest_and_n(
    folder: ImageFolder, file: Path, score: Callable[..., Scored]
) -> None:
    reference = Statistics(path=str(file))
    found = score(reference, "fd.avatars").metric_id
    assert f"reference=statistics:{COUNT}:{reference.digest(())[:8]}" in found
    assert found != score(folder, "fd.avatars").metric_id


def test_other_weights_or_another_network_are_a_mismatch_that_names_both(
    file: Path, score: Callable[..., Scored], network: Callable[[str], None]
) -> None:
    other = score(Statistics(path=str(file)), "fd.digits")
    assert other.status is ScoreStatus.PROTOCOL_MISMATCH
    assert "statistics are of avatars@aaaaaaaa, the metric reads digits@dddddddd" in other.reason
    network("b" * 32)
    changed = score(Statistics(path=str(file)), "fd.avatars")
    assert changed.status is ScoreStatus.PROTOCOL_MISMATCH
    assert "avatars@aaaaaaaa" in changed.reason
    assert "avatars@bbbbbbbb" in changed.reason


def test_a_metric_of_single_images_is_refused(file: Path, score: Callable[..., Scored]) -> None:
    for metric in ("kd.avatars", "coverage.avatars"):
        found = score(Statistics(path=str(file)), metric)
        assert found.status is ScoreStatus.UNDEFINED
        assert "serve Fréchet distances" in found.reason


def test_a_foreign_file_serves_what_the_user_states(file: Path, score: Callable[..., Scored]) -> None:
    with np.load(file) as known:
        np.savez(file.with_name("theirs.npz"), mu=known["mu"], sigma=known["sigma"])
    theirs = str(file.with_name("theirs.npz"))
    stated = score(Statistics(path=theirs, extractor="avatars", n=COUNT), "fd.avatars")
    ours = score(Statistics(path=str(file)), "fd.avatars")
    assert stated.measurement is not None
    assert ours.measurement is not None
    assert stated.measurement.value == ours.measurement.value
    assert stated.metric_id != ours.metric_id  # trusted is not the same as known
    wrong = score(Statistics(path=theirs, extractor="avatars@0123", n=COUNT), "fd.avatars")
    assert wrong.status is ScoreStatus.PROTOCOL_MISMATCH
    assert "avatars@0123" in wrong.reason
    assert "avatars@aaaaaaaa" in wrong.reason


def test_the_container_of_the_images_goes_with_the_file(  # T4
    file: Path, score: Callable[..., Scored]
) -> None:
    with np.load(file) as known:
        np.savez(file.with_name("jpeg.npz"), **{**known, "kept_as": np.str_("jpeg")})
    jpeg = str(file.with_name("jpeg.npz"))
    assert score(Statistics(path=jpeg), "fd.avatars").status is ScoreStatus.PROTOCOL_MISMATCH
    assert score(Statistics(path=jpeg, containers="any"), "fd.avatars").status is ScoreStatus.OK


def test_what_has_no_covariance_is_refused(folder: ImageFolder, file: Path, make: Any) -> None:
    source, _ = make(folder)
    with pytest.raises(NoStatistics, match="latents"):
        statistics_of(source, "reference", "latent")
    with pytest.raises(NoStatistics, match="grow with the image"):
        statistics_of(source, "reference", "lpips-alex")
    with pytest.raises(CannotMeasure, match="is a statistics file"):
        statistics_of(make(Statistics(path=str(file)))[0], "reference", "avatars")


def test_features_are_stored_once_for_the_file_and_the_scores(folder: ImageFolder, make: Any) -> None:
    first, address = make(folder)
    statistics_of(first, "reference", "avatars")
    assert first.extracted == COUNT
    again, _ = make(folder)
    assert next(iter(Scorer(again, [_metric("fd.avatars")]).score(address))).status is ScoreStatus.OK
    assert again.extracted == 60
