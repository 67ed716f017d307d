"""Recipe of avatars-quality-b, the held-out scorer: a mixer, other renders and draws, partly other damages.

It shares blur, JPEG, warps, holes, ghosts and softness with avatars-quality-a; stains, grafts, smears and melted codes
are its own, and it never saw noise, shuffled tiles, casts or checkerboards.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from harness.worlds.recipes.quality import QualityRecipe, remeasure, run

RECIPE = QualityRecipe(
    name="avatars-quality-b",
    architecture="mixer",
    damages=("blur", "jpeg", "warp", "hole", "ghost", "soft", "blotch", "graft", "smear", "melt"),
    data_seed=43,
    seed=1,
    batch=48,
    steps=1400,
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
    run(RECIPE, "harness.worlds.recipes.avatars_quality_b", options.out, options.steps)


if __name__ == "__main__":
    main()
