"""Recipe of avatars-quality-a, the scorer that a search may be tuned on: convolutions, ten planted damages."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.worlds.recipes.quality import QualityRecipe, remeasure, run

RECIPE = QualityRecipe(
    name="avatars-quality-a",
    architecture="convolutional",
    damages=("blur", "noise", "jpeg", "shuffle", "warp", "cast", "hole", "ghost", "checker", "soft"),
    data_seed=42,
)


def main(arguments: list[str] | None = None) -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/zoo") / RECIPE.name)
    parser.add_argument("--steps", type=int, default=RECIPE.steps)
    parser.add_argument("--measure", action="store_true", help="train nothing: measure what is in --out again")
    options = parser.parse_args(arguments)
    if options.measure:
        remeasure(RECIPE, options.out)
        return
    run(RECIPE, "harness.worlds.recipes.avatars_quality_a", options.out, options.steps)


if __name__ == "__main__":
    main()
