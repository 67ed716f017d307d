"""What can be said of a registered name without opening a model: the data behind `list` and `describe`."""

from __future__ import annotations

import difflib
import importlib
import inspect
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.cli.facts import facts, flat, of_recogniser
from harness.options import Option, hints_of, options_of, plain
from harness.registry import BrokenEntry, Registry, UnknownName
from harness.suite.catalogue import baseline_names, registry

PLURALS = {
    "suite": "suites",
    "task": "tasks",
    "method": "methods",
    "baseline": "baselines",
    "metric": "metrics",
    "judge": "judges",
    "recogniser": "recognisers",
    "model": "models",
    "data": "data",
    "prompts": "prompts",
}


@dataclass(frozen=True)
class Line:
    """One line of `harness list`. names: how a placeholder of `name` can be filled, empty without one."""

    kind: str
    name: str
    summary: str
    names: tuple[str, ...] = ()
    broken: bool = False


@dataclass(frozen=True)
class Card:
    """One page of `harness describe`.

    facts       (what, value) in reading order, values as text
    parameters  rows of the table; text is the documentation, as its authors wrote it
    """

    kind: str
    name: str
    summary: str
    text: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    parameters: tuple[dict[str, Any], ...] = ()
    problems: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            "summary": self.summary,
            "facts": dict(self.facts),
            "parameters": list(self.parameters),
            "text": self.text,
            "problems": list(self.problems),
        }


def lines(kind: str) -> Iterator[Line]:
    """All names of a kind, as the catalogue orders them."""
    if kind == "suite":
        yield from _suite_lines()
    elif kind == "baseline":
        yield from _baseline_lines()
    elif kind == "prompts":
        yield from _prompt_lines()
    else:
        found = registry(kind)
        for pattern in found.patterns():
            names = written(found, pattern)
            filled = names if names != (pattern,) else ()
            try:
                thing = found.resolve(names[0]).thing
            except BrokenEntry as error:
                yield Line(kind, pattern, str(error), filled, broken=True)
            else:
                yield Line(kind, pattern, one_line(thing, found), filled)
        if kind == "recogniser":
            yield from _declared_lines()


def _declared_lines() -> Iterator[Line]:
    """Recognisers of the user's own declarations."""
    from harness.models.faces.recogniser import declared, find

    for name in declared():
        try:
            made = find(name)
        except ValueError as error:
            yield Line("recogniser", name, " ".join(str(error).split()), broken=True)
        else:
            yield Line("recogniser", name, f"declared by the user: {made.kind}, {made.lineage.architecture}")


def written(found: Registry[Any], pattern: str) -> tuple[str, ...]:
    """The names that a pattern stands for."""
    return Registry(f"{found.kind} pattern", {pattern: ""}, values=found.values).names()


def _suite_lines() -> Iterator[Line]:
    from harness.suite.errors import SuiteError
    from harness.suite.loading import read_tree, suite_names

    for name in suite_names():
        try:
            content = read_tree(name).plain
        except SuiteError as error:
            yield Line("suite", name, error.problems[0].sentence, broken=True)
        else:
            yield Line("suite", name, str(content.get("title", "")) if isinstance(content, dict) else "")


def _baseline_lines() -> Iterator[Line]:
    from harness.methods.baseline import load_baseline

    for name in baseline_names():
        try:
            preset = load_baseline(name)
        except (ValueError, LookupError, OSError) as error:
            yield Line("baseline", name, " ".join(str(error).split()), broken=True)
        else:
            yield Line("baseline", name, _preset_summary(preset))


def _preset_summary(preset: Any) -> str:
    title = getattr(preset, "title", "") or getattr(preset, "summary", "")
    if title:
        return str(title)
    params = ", ".join(f"{k}={v}" for k, v in preset.params.items())
    return f"{preset.method} with {params}" if params else str(preset.method)


def _prompt_lines() -> Iterator[Line]:
    from harness.data.prompts import load_prompts, prompt_sets

    for name in prompt_sets():
        texts = load_prompts(name)
        yield Line("prompts", name, f"{len(texts)} prompts, such as {texts[0]!r}")


def one_line(thing: Any, found: Registry[Any]) -> str:
    """First line of the documentation: the module's, or the class's where a module holds several components."""
    module = importlib.import_module(thing.__module__)
    shared = sum(1 for origin in found.entries.values() if origin.partition(":")[0] == thing.__module__) > 1
    own = _own_doc(thing)
    text = own if shared and own else module.__doc__ or own
    return text.strip().split("\n")[0]


def _own_doc(thing: Any) -> str:
    """The class's docstring, "" where dataclass made it up."""
    text = thing.__dict__.get("__doc__") or ""
    return "" if text.startswith(f"{thing.__name__}(") else inspect.cleandoc(text)


# --- describe ---------------------------------------------------------------------------------------------------------


def cards(name: str) -> list[Card]:
    """All pages that a name has: a baseline often bears its method's name. Raises UnknownName."""
    found = [card for kind in PLURALS if (card := _card(kind, name)) is not None]
    if found:
        return found
    known = dict.fromkeys(n for kind in PLURALS for line in lines(kind) for n in (line.names or (line.name,)))
    raise UnknownName("name", name, tuple(difflib.get_close_matches(name, known, n=3, cutoff=0.5)))


def _card(kind: str, name: str) -> Card | None:
    if kind == "suite":
        return _suite_card(name)
    if kind == "baseline":
        return _baseline_card(name)
    if kind == "prompts":
        return _prompts_card(name)
    found = registry(kind)
    if kind == "recogniser" and name not in found:
        return _declared_card(name)
    name = next((written(found, p)[0] for p in found.patterns() if p == name and "{" in p), name)
    if name not in found:
        return None
    try:
        resolved = found.resolve(name)
    except BrokenEntry as error:
        return Card(kind, name, "", problems=(str(error),))
    cls = resolved.thing
    module = importlib.import_module(cls.__module__)
    documentation = "\n\n".join(t for t in (inspect.cleandoc(module.__doc__ or ""), _own_doc(cls)) if t)
    bound = tuple((key, value) for key, value in resolved.bound.items())
    return Card(
        kind,
        name,
        one_line(cls, found),
        documentation,
        (*facts(kind, cls, resolved.bound), *bound, ("defined in", cls.__module__)),
        parameters(cls, resolved.bound),
        _problems(kind, cls),
    )


def _declared_card(name: str) -> Card | None:
    from harness.models.faces.recogniser import declared, find

    if (file := declared().get(name)) is None:
        return None
    try:
        made = find(name)
    except ValueError as error:
        return Card("recogniser", name, "", problems=(str(error),))
    about = (("adapter", made.kind), *of_recogniser(made), ("declared in", str(file)))
    return Card(
        "recogniser", name, one_line(type(made), registry("recogniser")), "", about, (), tuple(map(str, made.missing()))
    )


def parameters(cls: type, bound: typing.Container[str] = ()) -> tuple[dict[str, Any], ...]:
    """The options of a component as plain values."""
    hints = hints_of(cls)
    return tuple(_parameter(o, hints[o.name]) for o in options_of(cls) if o.name not in bound)


def _parameter(option: Option, hint: Any) -> dict[str, Any]:
    return {
        "name": option.name,
        "type": type_text(hint),
        "required": option.required,
        "default": None if option.required else plain(option.default),
        "unit": option.unit,
        "bounds": option.bounds,
        "help": option.help,
        "source": option.source,
        "in_id": option.in_id,
    }


def type_text(hint: Any) -> str:
    """A type as a suite's author reads it: `number`, `ddim | pndm`, `text or list of text`."""
    words = {str: "text", int: "integer", float: "number", bool: "true | false", type(None): "null"}
    if hint in words:
        return words[hint]
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " | ".join(str(v) for v in inside)
    if origin in (tuple, list):
        return f"list of {type_text(inside[0])}" if inside else "list"
    if inside and origin is not dict:
        return " or ".join(type_text(part) for part in inside)
    if isinstance(hint, type) and hasattr(hint, "__members__"):
        return " | ".join(str(m.value) for m in hint)  # type: ignore[attr-defined]
    return getattr(hint, "__name__", str(hint))


def _problems(kind: str, cls: Any) -> tuple[str, ...]:
    if kind not in ("model", "judge", "recogniser") or any(o.required for o in options_of(cls)):
        return ()
    return tuple(str(m) for m in cls().missing())


def _suite_card(name: str) -> Card | None:
    from harness.suite.errors import SuiteError
    from harness.suite.loading import load_suite, suite_names

    if name not in suite_names():
        return None
    try:
        loaded = load_suite(name)
    except SuiteError as error:
        return Card("suite", name, "", problems=tuple(str(p) for p in error.problems))
    suite = loaded.suite
    about = [
        ("version", str(suite.version)),
        ("task", f"{loaded.task.name}, {len(loaded.task.items())} items a cell"),
        ("model", loaded.model.name),
        *((f"data: {role}", found.name) for role, found in loaded.image_sets.items()),
        ("compared with", loaded.compare_to or "nothing"),
        *((f"{role}s", ", ".join(r.label for r in loaded.rows if r.role == role)) for role in _roles(loaded)),
        ("metrics", ", ".join(m.name for m in loaded.metrics)),
        ("primary", ", ".join(loaded.primary)),
        ("seeds", ", ".join(str(s) for s in suite.seeds)),
        ("cells", str(sum(len(r.points) for r in loaded.rows) * len(suite.seeds))),
    ]
    return Card("suite", name, suite.title, suite.description.strip(), tuple(about))


def _roles(loaded: Any) -> list[str]:
    return list(dict.fromkeys(row.role for row in loaded.rows))


def _baseline_card(name: str) -> Card | None:
    if name not in baseline_names():
        return None
    from harness.methods.baseline import load_baseline

    try:
        preset = load_baseline(name)
    except (ValueError, LookupError, OSError) as error:
        return Card("baseline", name, "", problems=(str(error),))
    content = preset.model_dump(mode="json", exclude={"name", "params", "title", "notes", "published"})
    about = [(k.replace("_", " "), flat(v)) for k, v in content.items() if v]
    for number in preset.published:
        before = "" if number.before is None else f" (from {number.before:g})"
        value = f"{number.metric} {number.value:g}{before}, {number.setting} [{number.mark}; {number.source}]"
        about.append(("published", value))
    methods = registry("method")
    rows: tuple[dict[str, Any], ...] = ()
    problems: tuple[str, ...] = ()
    try:
        given = plain(preset.params)
        rows = tuple(
            {**p, "default": given[p["name"]], "required": False, "preset": True} if p["name"] in given else p
            for p in parameters(methods.resolve(preset.method).thing)
        )
    except (UnknownName, BrokenEntry) as error:
        problems = (str(error),)
    return Card("baseline", name, _preset_summary(preset), preset.notes, tuple(about), rows, problems)


def _prompts_card(name: str) -> Card | None:
    from harness.data.prompts import load_prompts, prompt_sets

    if name not in prompt_sets():
        return None
    texts = load_prompts(name)
    return Card("prompts", name, f"{len(texts)} prompts", "\n".join(texts))
