"""What `harness describe` says of a component besides its parameters: kind, source, licence, needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from textwrap import shorten
from typing import Any

from harness.options import OptionError, build, options_of, plain

Facts = Iterator[tuple[str, str]]


def facts(kind: str, cls: Any, bound: Mapping[str, str]) -> Facts:
    """(what, value) of a task, model, data set, method or metric; `bound` are the fields its name fills."""
    if kind == "metric":
        return _metric(cls, bound)
    pages: dict[str, Callable[[Any], Facts]] = {
        "method": _method,
        "task": _task,
        "model": _model,
        "data": _data,
        "judge": _judge,
        "recogniser": _recogniser,
    }
    return pages[kind](cls)


def _judge(cls: Any) -> Facts:
    yield "reads", ", ".join(cls.reads)
    yield "version", str(cls.version)
    yield "verdict", "exact" if cls.exact else "an opinion: what tuned a search may not be all that reports it"


def _recogniser(cls: Any) -> Facts:
    if any(o.required for o in options_of(cls)):
        yield "gradients", "yes" if cls.differentiable else "no: a target, not a surrogate"
        yield "declared", "in NAME.recogniser.yaml of the weights folder"
        return
    yield from of_recogniser(cls())


def of_recogniser(made: Any) -> Facts:
    """What a recogniser says of itself; its weights need not be here."""
    yield "gradients", "yes" if made.differentiable else "no: a target, not a surrogate"
    family = made.lineage
    yield "family", f"weights {family.weights}, training set {family.training}, architecture {family.architecture}"
    yield "released", made.released or "unknown"
    yield "licence", made.licence
    yield "identity", made.identity()
    yield "sees", shorten(flat(made.facts()), 300, placeholder=" …")
    card: Mapping[str, Any] = made.card() if hasattr(made, "card") and not made.missing() else {}
    if (measured := card.get("measured")) is not None:
        yield "measured", shorten(flat(measured), 300, placeholder=" … (card.json has the rest)")


def _method(cls: Any) -> Facts:
    yield "kind", f"{cls.kind.value}, couples {cls.couples.value}"
    yield "version", str(cls.version)
    source = cls.source
    for word, value in (
        ("title", source.title), ("paper", _paper(source.paper)), ("code", source.code), ("licence", source.licence),
        ("needs", cls.requires),
    ):  # fmt: skip
        if value:
            yield word, value


def _paper(text: str) -> str:
    return f"arXiv {text}" if text[:4].isdigit() and "." in text and "/" not in text else text


def _metric(cls: Any, bound: Mapping[str, str]) -> Facts:
    yield "unit", cls.unit
    ideal = "" if cls.ideal is None else f", ideal {cls.ideal:g}"
    yield "direction", f"{cls.direction.value}{ideal}"
    yield "estimator", cls.estimator.value
    yield "version", str(cls.version)
    try:
        made = build(cls, {}, **bound)
    except OptionError as error:  # it has parameters without a default
        yield "needs", "; ".join(p.message for p in error.problems)
    else:
        yield "id", str(made.identify())
        yield "needs", "; ".join(f"{n.role} {n.kind}{f' ({n.name})' if n.name else ''}" for n in made.needs())
    if cls.source:
        yield "source", cls.source


def _task(cls: Any) -> Facts:
    yield "takes", ", ".join(sorted(f"{k.value} methods" for k in cls.kinds))
    yield "artifacts", ", ".join(sorted(cls.artifacts))
    yield "intervals clustered by", cls.cluster
    yield "version", str(cls.version)


def _model(cls: Any) -> Facts:
    yield "version", str(cls.version)
    if any(o.required for o in options_of(cls)):
        return
    made = cls()
    yield "licence", made.licence
    missing = made.missing()
    yield "weights", "present" if not missing else "missing"
    for name, value in made.settings().items():
        yield f"{name} by default", str(value)
    card: Mapping[str, Any] = made.card() if hasattr(made, "card") else {}
    for key in ("parameters", "seed", "trained_on", "device", "measured"):
        if (value := card.get(key)) is not None:
            yield key.replace("_", " "), shorten(flat(value), 300, placeholder=" … (card.json has the rest)")


def _data(cls: Any) -> Facts:
    yield "version", str(cls.version)
    if cls.licence:
        yield "licence", cls.licence
    yield "depends on the prompts", "yes" if cls.uses_prompts else "no"


def flat(value: Any) -> str:
    """Nested plain values in one line."""
    value = plain(value)
    if isinstance(value, dict):
        return ", ".join(f"{k} {flat(v)}" for k, v in value.items() if v not in (None, "", [], {}))
    if isinstance(value, list):
        return "; ".join(flat(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
