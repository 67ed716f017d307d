"""Images made elsewhere, matched to the items of a suite: which file answers which prompt, sample and seed.

Declared layouts, and no guessing:

names      DIR/0003-0001.png (prompt 3, sample 1) and DIR/seed-2/0003-0001.png, as `harness export` writes them
order      one npz (`arr_0`, ADM), or DIR/seed-2.npz: prompt by prompt, sample by sample
manifest   a JSONL or CSV file with `file` (relative to DIR; for an npz `index`, or the order of the lines), `prompt`
           (the text), and where known `sample` and `seed`; without `sample` the order of the lines counts. Further
           columns are not read.

With names and order a .txt file may state the prompts that the numbers mean, one a line. The denominators are those of
the suite: every prompt of every wanted seed has its number of samples. What is missing is listed, never dropped.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.folder import image_files
from harness.data.npz import count_of
from harness.data.reader import SUFFIXES
from harness.options import nearest

SHOWN = 5  # problems of a kind listed in full
_NAMED = re.compile(r"(?:seed-(\d+)/)?(\d+)-(\d+)\.\w+")
_SEEDED = re.compile(r"seed-(\d+)\.npz")
Item = tuple[int, int, int]  # seed, prompt, sample


class BadOutputs(ValueError):
    """Images that do not answer the suite; `problems` lists everything found."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True)
class Source:
    """Where an image lies: a file, or a row of an npz. `name` is relative to what the user gave."""

    file: Path
    name: str
    row: int | None = None


@dataclass(frozen=True)
class Answers:
    """items   (seed, prompt, sample) → source;  missing  wanted items without one;  seeds  the wanted ones"""

    items: dict[Item, Source]
    missing: tuple[Item, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class _Claim:
    """What one listed image says of itself; None where it does not say."""

    source: Source
    prompt: int
    sample: int | None
    seed: int | None


def match(
    images: Path,
    prompts: Path | None,
    texts: Sequence[str],
    each: int,
    suite_seeds: Sequence[int],
    seeds: Sequence[int] | None = None,
) -> Answers:
    """The images at `images` as answers to the prompts `texts`, `each` samples of every seed.

    seeds  those that the images answer; default: all of the suite
    Raises BadOutputs for everything but missing images, which are returned.
    """
    if wrong := [s for s in seeds or () if s not in suite_seeds]:
        raise BadOutputs([f"seed {wrong[0]} is not one of the suite's ({_listed(suite_seeds)})"])
    there = _sources(images)
    problems: list[str] = []
    if prompts is not None and prompts.suffix.lower() in (".jsonl", ".csv"):
        claims = list(_from_manifest(prompts, there, texts, problems))
    else:
        claims = list(_from_layout(there, _order(prompts, texts, problems), each, problems))
    if seeds is None and len(suite_seeds) > 1 and claims and all(c.seed is None for c in claims):
        problems.append(
            f"the images state no seed, and the suite has {len(suite_seeds)} ({_listed(suite_seeds)}): put them into"
            " folders seed-N, give the manifest a column `seed`, or score them as one replicate with --seed N"
        )
    wanted = tuple(seeds or suite_seeds)
    items = _placed(claims, wanted, suite_seeds, each, texts, problems)
    if problems:
        raise BadOutputs(problems)
    every = [(s, p, k) for s in wanted for p in range(len(texts)) for k in range(each)]
    return Answers(items, tuple(i for i in every if i not in items), wanted)


def missing_text(missing: Sequence[Item], texts: Sequence[str], total: int) -> str:
    """One line naming the first missing images."""
    named = [f"seed {s} prompt {p:04d} ({texts[p]!r}) sample {k}" for s, p, k in missing[:SHOWN]]
    more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
    return f"{len(missing)} of {total} images are missing: {'; '.join(named)}{more}"


# --- what is there ----------------------------------------------------------------------------------------------------


def _sources(images: Path) -> dict[str, Source]:
    """Every image by name: a path from the folder, or "file.npz:row"."""
    if images.is_file() and images.suffix.lower() == ".npz":
        return dict(_rows(images, images.name))
    if not images.is_dir():
        raise BadOutputs([f"no folder of images and no npz file at {images}"])
    batches = sorted(p for p in images.glob("*.npz"))
    loose = any(p.suffix.lower() in SUFFIXES for p in images.rglob("*"))
    if batches and loose:
        raise BadOutputs([f"{images} holds npz files and single images; give one kind"])
    if batches:
        return {name: source for path in batches for name, source in _rows(path, path.name)}
    return {n: Source(p, n) for p in image_files(images) for n in [p.relative_to(images).as_posix()]}


def _rows(path: Path, name: str) -> Iterator[tuple[str, Source]]:
    for row in range(count_of(path, "arr_0")):
        yield f"{name}:{row}", Source(path, f"{name}:{row}", row)


# --- layouts ----------------------------------------------------------------------------------------------------------


def _order(prompts: Path | None, texts: Sequence[str], problems: list[str]) -> list[int]:
    """Index in the suite of the prompt that number i of a layout means."""
    if prompts is None:
        return list(range(len(texts)))
    if prompts.suffix.lower() != ".txt":
        raise BadOutputs([f"{prompts.name}: prompts are a .jsonl, .csv or .txt file"])
    lines = [line.strip() for line in _text(prompts).splitlines() if line.strip()]
    found = [_prompt(line, texts, f"{prompts.name} line {i}", problems) for i, line in enumerate(lines, 1)]
    if twice := [t for t in dict.fromkeys(lines) if lines.count(t) > 1]:
        problems.append(f"{prompts.name}: {twice[0]!r} stands twice; one line a prompt")
    return found


def _from_layout(there: dict[str, Source], order: Sequence[int], each: int, problems: list[str]) -> Iterator[_Claim]:
    strange: list[str] = []
    for name, source in there.items():
        if source.row is not None:
            hit = _SEEDED.fullmatch(source.file.name)
            number, sample = divmod(source.row, each)
            seed = int(hit[1]) if hit else None
        else:
            hit = _NAMED.fullmatch(name)
            if hit is None:
                strange.append(name)
                continue
            number, sample = int(hit[2]), int(hit[3])
            seed = int(hit[1]) if hit[1] is not None else None
        if number >= len(order):
            problems.append(f"{name} answers prompt {number}; there are {len(order)} (0 to {len(order) - 1})")
        else:
            yield _Claim(source, order[number], sample, seed)
    if strange:
        problems.append(
            f"{_some(strange)}: not named PROMPT-SAMPLE.png (0003-0001.png), as `harness export` writes;"
            " state what they answer in a JSONL or CSV file with columns file,prompt"
        )


def _from_manifest(path: Path, there: dict[str, Source], texts: Sequence[str], problems: list[str]) -> Iterator[_Claim]:
    batches = {s.file.name for s in there.values() if s.row is not None}
    listed: dict[str, int] = {}
    for line, record in _records(path):
        where = f"{path.name} line {line}"
        name = str(record.get("file") or (min(batches) if len(batches) == 1 else ""))
        if name in batches:
            index = _whole(record, "index", where, problems)
            name = f"{name}:{len(listed) if index is None else index}"
        name = name.removeprefix("./")
        text = record.get("prompt")
        if not name or not isinstance(text, str):
            problems.append(
                f"{where}: `file` and `prompt` are needed; found {', '.join(map(str, record)) or 'nothing'}"
            )
            continue
        if name in listed:
            problems.append(f"{where}: {name} is listed in line {listed[name]} already")
            continue
        listed[name] = line
        if name not in there:
            near = nearest(name, there)
            problems.append(f"{where}: no image {name}" + (f"; did you mean {near[0]}?" if near else ""))
            continue
        number = _prompt(text.strip(), texts, where, problems)
        sample, seed = _whole(record, "sample", where, problems), _whole(record, "seed", where, problems)
        if number >= 0:
            yield _Claim(there[name], number, sample, seed)
    if extra := [name for name in there if name not in listed]:
        problems.append(f"{_some(extra)}: not listed in {path.name}")


def _records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, columns) of a manifest. Raises BadOutputs for what is no JSONL or CSV."""
    if path.suffix.lower() == ".csv":
        reader = csv.DictReader(_text(path).splitlines(keepends=True))
        for record in reader:
            yield reader.line_num, {k: v for k, v in record.items() if k is not None}
        return
    for number, line in enumerate(_text(path).splitlines(), 1):
        if line.strip():
            try:
                record = json.loads(line)
            except ValueError as error:
                raise BadOutputs([f"{path.name} line {number}: not JSON ({error})"]) from None
            if not isinstance(record, dict):
                raise BadOutputs([f"{path.name} line {number}: an object is expected, one a line"])
            yield number, record


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadOutputs([f"no file of prompts at {path}"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadOutputs([f"{path.name} cannot be read: {error}"]) from None


def _whole(record: dict[str, Any], key: str, where: str, problems: list[str]) -> int | None:
    value = record.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    problems.append(f"{where}: {key} {value!r} is no whole number")
    return None


def _prompt(text: str, texts: Sequence[str], where: str, problems: list[str]) -> int:
    if text in texts:
        return texts.index(text)
    near = nearest(text, texts)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    problems.append(f"{where}: the suite has no prompt {text!r}{hint}")
    return -1


# --- places -----------------------------------------------------------------------------------------------------------


def _placed(
    claims: Sequence[_Claim],
    wanted: Sequence[int],
    suite_seeds: Sequence[int],
    each: int,
    texts: Sequence[str],
    problems: list[str],
) -> dict[Item, Source]:
    """The images at their items; two for one item, and samples or seeds that the suite does not have, are problems."""
    items: dict[Item, Source] = {}
    counted: dict[tuple[int, int], int] = {}
    for claim in claims:
        seed = wanted[0] if claim.seed is None else claim.seed
        if seed not in suite_seeds:
            problems.append(f"{claim.source.name}: seed {seed} is not one of the suite's ({_listed(suite_seeds)})")
            continue
        at = counted.get((seed, claim.prompt), 0)
        counted[seed, claim.prompt] = at + 1
        sample = at if claim.sample is None else claim.sample
        if seed not in wanted:
            continue  # another seed than those asked for by name
        item = (seed, claim.prompt, sample)
        if sample >= each:
            text = texts[claim.prompt]
            problems.append(f"{claim.source.name}: sample {sample} of {text!r}; the suite has {each} a prompt")
        elif item in items:
            problems.append(f"{claim.source.name} and {items[item].name} answer the same prompt, sample and seed")
        else:
            items[item] = claim.source
    return items


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _listed(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))
