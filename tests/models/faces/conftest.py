"""An empty weights folder, and pictures without meaning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.keys import generator


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty weights folder."""
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("HARNESS_WEIGHTS", str(folder))
    return folder


@pytest.fixture(scope="session")
def pictures() -> np.ndarray:
    """(5, 64, 64, 3) uint8: smooth waves of different phase in every channel, and a little noise."""
    draw = generator(0, "world", "pictures of recogniser tests")
    at = np.linspace(0, 2 * np.pi, 64)
    phase = draw.uniform(0, 6, size=(5, 1, 1, 3))
    waves = np.sin(at[None, :, None, None] * 2 + phase) + np.cos(at[None, None, :, None] * 3 - phase)
    made = 128 + 55 * waves + draw.normal(0, 5, size=(5, 64, 64, 3))
    images = np.clip(np.rint(made), 0, 255).astype(np.uint8)
    images.setflags(write=False)
    return images
