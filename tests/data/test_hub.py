"""Data sets of the hub by id: the cache, and what is said when it has none. No network is touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import constants
from numpy.typing import NDArray

from harness.data.files import ImageFiles, MissingData
from harness.data.hub import HubImages


@pytest.fixture
def cached(tmp_path: Path, layouts: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache with owner/pets, as huggingface_hub lays it out, and no network."""
    cache = tmp_path / "hub"
    repo = cache / "datasets--owner--pets"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("c" * 40)
    (repo / "snapshots" / ("c" * 40)).mkdir(parents=True)
    layouts["parquet"].rename(repo / "snapshots" / ("c" * 40) / "data")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(cache))
    return cache


def test_a_cached_set_is_read_offline(cached: Path, make: Callable[..., ImageFiles], pixels: NDArray[np.uint8]) -> None:
    made = make("hub", id="owner/pets")
    assert np.array_equal(made.load(()).images, pixels)
    assert made.class_names() == ("cat", "dog")
    assert "pets" not in str(made.identity(()))


@pytest.mark.parametrize("options", [{"id": "owner/birds"}, {"id": "owner/pets", "revision": "v2"}])
def test_a_missing_set_says_what_to_fetch(cached: Path, make: Callable[..., ImageFiles], options: Any) -> None:
    with pytest.raises(MissingData) as error:
        make("hub", **options).size(())
    assert f"hf download {options['id']} --repo-type dataset" in str(error.value)
    assert ("--revision v2" in str(error.value)) is ("revision" in options)


def test_a_cache_without_the_wanted_files_is_missing_too(cached: Path, make: Callable[..., ImageFiles]) -> None:
    with pytest.raises(MissingData, match=r"no file that fits 'data/test-\*\.parquet'"):
        make("hub", id="owner/pets", glob="data/test-*.parquet").size(())


def test_absence_is_known_without_a_network(
    cached: Path, make: Callable[..., ImageFiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    asked: list[bool] = []
    plain = HubImages._snapshot

    def watched(self: HubImages, local: bool) -> Path:
        asked.append(local)
        return plain(self, local)

    monkeypatch.setattr(HubImages, "_snapshot", watched)
    assert make("hub", id="owner/pets").absent() == ""
    assert "hf download owner/birds" in make("hub", id="owner/birds").absent()
    assert "hf download owner/pets" in make("hub", id="owner/pets", glob="x/*.parquet").absent()
    assert asked == [True] * 3


def test_what_is_no_id_is_said(cached: Path, make: Callable[..., ImageFiles]) -> None:
    with pytest.raises(MissingData, match="data set 'a/b/c'"):
        make("hub", id="a/b/c").size(())
