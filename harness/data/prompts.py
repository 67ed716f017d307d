"""Prompt sets: the project's own by name, and users' text files, one prompt a line."""

from __future__ import annotations

import importlib
from pathlib import Path

from harness.options import nearest
from harness.registry import UnknownName

OWN = {
    "avatars": "harness.worlds.avatars.prompts",
    "digits": "harness.worlds.digits.prompts",
    "everyday": "harness.data.everyday",
    "imagenet": "harness.data.imagenet",
}


def prompt_sets() -> tuple[str, ...]:
    """The named sets, as "family/set"."""
    return tuple(
        f"{family}/{name}" for family, module in OWN.items() for name in importlib.import_module(module).PROMPT_SETS
    )


def load_prompts(source: str | tuple[str, ...]) -> tuple[str, ...]:
    """The prompts of a named set, of a .txt file, or the given texts themselves.

    Raises UnknownName for a name that is neither, FileNotFoundError for a file that is not there, ValueError for an
    empty or repeating list.
    """
    prompts = source if isinstance(source, tuple) else _read(source)
    if not prompts:
        raise ValueError(f"no prompts in {source!r}")
    if len(set(prompts)) != len(prompts):
        twice = next(p for p in prompts if prompts.count(p) > 1)
        raise ValueError(f"prompt {twice!r} stands twice: prompts are the clusters of all intervals and must differ")
    return prompts


def _read(source: str) -> tuple[str, ...]:
    family, _, name = source.partition("/")
    if family in OWN and name in (sets := importlib.import_module(OWN[family]).PROMPT_SETS):
        return tuple(sets[name])
    if (path := Path(source)).suffix == ".txt" and path.is_file():
        return tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    if path.suffix == ".txt":
        raise FileNotFoundError(
            f"no prompts file at {source}: put a text file there, one prompt a line and each once (for MS-COCO, one "
            "caption an image from captions_val2014.json), or name it with --set task.prompts=FILE.txt"
        )
    raise UnknownName("prompt set", source, nearest(source, prompt_sets()))
