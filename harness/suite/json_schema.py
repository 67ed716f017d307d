"""The JSON Schema of suites, for editors: completion of names, and of each component's own parameters with their help.

It is generated from the registries (`harness schema`); the committed copy, harness/suite/suite.schema.json, holds the
built-in names and is what the shipped suites refer to. Plug-ins join when `plugins` is set.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from harness.options import Option, hints_of, options_of, plain
from harness.registry import Registry
from harness.suite.catalogue import baseline_names, registry
from harness.suite.schema import ROLES, Suite

COMMITTED = Path(__file__).parent / "suite.schema.json"
Json = dict[str, Any]
_BOUNDS = {"above": "exclusiveMinimum", "at_least": "minimum", "below": "exclusiveMaximum", "at_most": "maximum"}
_ROW_EXTRA: Json = {
    "as": {"type": "string", "minLength": 1, "description": "label of the row in tables; default: the name"},
    "against": {"type": "string", "minLength": 1, "description": "label of another row to compare with as well"},
}


def suite_schema(*, plugins: bool = True) -> Json:
    """The schema as plain JSON values."""
    definitions: Json = {}
    components = {kind: _components(kind, definitions, plugins) for kind in ("task", "model", "data", "metric")}
    methods = _components("method", definitions, plugins)
    rows = _rows(definitions, methods)
    own = Suite.model_json_schema()["properties"]
    properties: Json = {name: _described(own[name]) for name in own}
    properties["extends"] = {
        "type": "string",
        "description": "Suite that this one is laid over: a shipped name or a path. Mappings merge, lists replace.",
    }
    properties["task"] |= {"anyOf": components["task"]}
    properties["model"] |= {"anyOf": components["model"]}
    properties["data"] |= {
        "type": "object",
        "properties": {role: {"anyOf": components["data"]} for role in ROLES},
        "additionalProperties": False,
    }
    for section in ("methods", "baselines", "controls"):
        properties[section] |= {"type": "array", "items": {"$ref": "#/$defs/row"}}
    properties["metrics"] |= {"type": "array", "items": {"anyOf": components["metric"]}}
    definitions["row"] = {"anyOf": rows}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "posthoc-harness suite",
        "type": "object",
        "properties": properties,
        "required": ["suite"],
        "additionalProperties": False,
        "$defs": dict(sorted(definitions.items())),
    }


def schema_text(*, plugins: bool = True) -> str:
    """The schema as the committed file holds it."""
    return json.dumps(suite_schema(plugins=plugins), indent=1, ensure_ascii=False) + "\n"


def _described(field: Json) -> Json:
    """The field's own description, default and scalar type; components and lists are filled in by the caller."""
    kept: Json = {k: field[k] for k in ("description", "default", "pattern", "minimum", "minItems") if k in field}
    if "items" in field and "$ref" not in field["items"]:
        kept |= {"type": "array", "items": field["items"]}
    elif field.get("type") in {"string", "integer"}:
        kept |= {k: field[k] for k in ("type", "enum") if k in field}
    elif "anyOf" in field:
        kept["anyOf"] = field["anyOf"]
    return {k: v for k, v in kept.items() if v is not None}


def _names(found: Registry[Any], plugins: bool) -> dict[str, list[str]]:
    """Pattern → names that can be written. Without plug-ins, only the built-in ones."""
    patterns = found.patterns() if plugins else tuple(found.entries)
    values = found.values if plugins else {**found.values, **found.shipped}
    return {
        pattern: list(Registry(f"{found.kind} pattern", {pattern: ""}, values=values).names()) for pattern in patterns
    }


def _components(kind: str, definitions: Json, plugins: bool) -> list[Json]:
    """References to one definition a component: its bare name, or a mapping with its parameters."""
    found = registry(kind)
    references: list[Json] = []
    for pattern, names in _names(found, plugins).items():
        resolved = found.resolve(names[0])
        extra = {"primary": {"type": "boolean", "description": "in the family of Holm's correction"}}
        body = _mapping(resolved.thing, names, set(resolved.bound), extra if kind == "metric" else {}, required=True)
        named: Json = {"enum": names}
        if kind == "metric" and "{" in pattern:
            named = {"anyOf": [named, {"type": "string", "pattern": _alternatives(pattern)}]}
            body["properties"]["name"] = named
        definitions[f"{kind}.{pattern}"] = {"anyOf": [named, body]}
        references.append({"$ref": f"#/$defs/{kind}.{_escaped(pattern)}"})
    return references


def _alternatives(pattern: str) -> str:
    """Regular expression of a name with alternatives in braces in place of its placeholder."""
    before, _, rest = pattern.partition("{")
    return f"^{re.escape(before)}\\{{[^{{}}]+\\}}{re.escape(rest.partition('}')[2])}$"


def _rows(definitions: Json, methods: list[Json]) -> list[Json]:
    """Methods and presets, with `as`, `against` and `sweep` added to their mappings."""
    for reference in methods:
        name = reference["$ref"].removeprefix("#/$defs/method.")
        _as_row(definitions[f"method.{name}"]["anyOf"][1])
    references = list(methods)
    from harness.methods.baseline import load_baseline

    known = registry("method")
    for name in baseline_names():
        preset = load_baseline(name)
        if name in known or preset.method not in known:
            continue
        body = _mapping(known.resolve(preset.method).thing, [name], set(), {}, required=False)
        for key, value in preset.params.items():
            if key in body["properties"]:
                body["properties"][key]["default"] = plain(value)
        _as_row(body)
        definitions[f"baseline.{name}"] = {"anyOf": [{"enum": [name]}, body]}
        references.append({"$ref": f"#/$defs/baseline.{_escaped(name)}"})
    return references


def _as_row(body: Json) -> None:
    own = {k: v for k, v in body["properties"].items() if k != "name"}
    body["required"] = ["name"]  # a parameter may come from the sweep
    body["properties"] |= _ROW_EXTRA
    body["properties"]["sweep"] = {
        "type": "object",
        "description": "parameter → list of values; every combination becomes a row",
        "properties": {name: {"type": "array", "minItems": 1, "items": kind} for name, kind in own.items()},
        "additionalProperties": False,
    }


def _mapping(cls: type, names: list[str], bound: Iterable[str], extra: Json, *, required: bool) -> Json:
    hints = hints_of(cls)
    options = [o for o in options_of(cls) if o.name not in bound]
    body: Json = {
        "type": "object",
        "properties": {"name": {"enum": names}} | {o.name: _parameter(o, hints[o.name]) for o in options} | extra,
        "required": ["name", *(o.name for o in options if o.required and required)],
        "additionalProperties": False,
    }
    return body


def _parameter(option: Option, hint: Any) -> Json:
    described: Json = _bounded(TypeAdapter(hint).json_schema(), option.bounds)
    described.pop("title", None)
    parts = [option.help, f"[{option.unit}]" if option.unit else "", f"({option.source})" if option.source else ""]
    if text := " ".join(part for part in parts if part):
        described["description"] = text
    if not option.required:
        described["default"] = plain(option.default)
    return described


def _bounded(kind: Json, bounds: str) -> Json:
    """The type with the option's bounds on every number in it."""
    limits = dict(part.rsplit(" ", 1) for part in bounds.split(", ")) if bounds else {}
    keys = {_BOUNDS[name.replace(" ", "_")]: float(value) for name, value in limits.items()}

    def apply(node: Any) -> Any:
        if isinstance(node, dict):
            inner = {k: apply(v) for k, v in node.items()}
            return inner | keys if node.get("type") in {"number", "integer"} else inner
        return [apply(v) for v in node] if isinstance(node, list) else node

    bounded: Json = apply(kind)
    return bounded


def _escaped(name: str) -> str:
    """A name inside a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")
