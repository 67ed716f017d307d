"""Prompt sets: those of the project's worlds by name, and users' own text files, one prompt a line."""

from __future__ import annotations

import importlib
from pathlib import Path

from harness.options import nearest
from harness.registry import UnknownName

WORLDS = {"avatars": "harness.worlds.avatars.prompts", "digits": "harness.worlds.digits.prompts"}


def prompt_sets() -> tuple[str, ...]:
    """The named sets, as "world/set"."""
    return tuple(
        f"{world}/{name}" for world, module in WORLDS.items() for name in importlib.import_module(module).PROMPT_SETS
    )


def load_prompts(source: str | tuple[str, ...]) -> tuple[str, ...]:
    """The prompts of a named set, of a .txt file, or the given texts themselves.

    Raises UnknownName for a name that is neither, ValueError for an empty or repeating list.
    """
    prompts = source if isinstance(source, tuple) else _read(source)
    if not prompts:
        raise ValueError(f"no prompts in {source!r}")
    if len(set(prompts)) != len(prompts):
        twice = next(p for p in prompts if prompts.count(p) > 1)
        raise ValueError(f"prompt {twice!r} stands twice: prompts are the clusters of all intervals and must differ")
    return prompts


def _read(source: str) -> tuple[str, ...]:
    world, _, name = source.partition("/")
    if world in WORLDS and name in (sets := importlib.import_module(WORLDS[world]).PROMPT_SETS):
        return tuple(sets[name])
    if (path := Path(source)).suffix == ".txt" and path.is_file():
        return tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    raise UnknownName("prompt set", source, nearest(source, prompt_sets()))
