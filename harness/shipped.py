"""Where the shipped YAML lies: beside the package in a checkout, inside it when installed as a wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def shipped(folder: Literal["suites", "baselines", "reports"]) -> Path:
    """The directory `folder`. Raises FileNotFoundError naming both places where it was looked for."""
    package = Path(__file__).parent
    places = (package / "_shipped" / folder, package.parent / folder)
    for place in places:
        if place.is_dir():
            return place
    raise FileNotFoundError(f"no shipped {folder}: looked in {' and '.join(map(str, places))}")
