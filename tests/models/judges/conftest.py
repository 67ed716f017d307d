"""A few renders with their labels, and an empty weights folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.worlds.avatars.attributes import Portraits, sample
from harness.worlds.avatars.draw import render


@pytest.fixture(scope="session")
def portraits() -> Portraits:
    """48 portraits that no recipe drew."""
    return sample(48, 4711)


@pytest.fixture(scope="session")
def renders(portraits: Portraits) -> np.ndarray:
    """Their pictures (48, 64, 64, 3) uint8."""
    images = render(portraits)
    images.setflags(write=False)
    return images


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty weights folder."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("HARNESS_WEIGHTS", str(folder))
    return folder
