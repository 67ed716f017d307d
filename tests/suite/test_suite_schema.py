"""The JSON Schema for editors: committed and current, accepting what is valid, refusing what is not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.shipped import shipped
from harness.suite import suite_names
from harness.suite.json_schema import COMMITTED, schema_text, suite_schema
from harness.suite.loading import read_tree

Json = dict[str, Any]
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def accepts(schema: Any, value: Any, root: Json) -> bool:
    """Whether a value fits; the part of draft 7 that the schema uses."""
    if schema is True or schema == {}:
        return True
    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        return accepts(target, value, root)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    kind = schema.get("type")
    if kind in TYPES and not isinstance(value, TYPES[kind]):
        return False
    if kind == "number" and not number:
        return False
    if kind == "integer" and not (number and isinstance(value, int)):
        return False
    tests = [
        "enum" not in schema or value in schema["enum"],
        "const" not in schema or value == schema["const"],
        "anyOf" not in schema or any(accepts(s, value, root) for s in schema["anyOf"]),
        not number or value >= schema.get("minimum", value),
        not number or value <= schema.get("maximum", value),
        not number or "exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"],
        not number or "exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"],
        not isinstance(value, str) or re.search(schema.get("pattern", ""), value) is not None,
    ]
    if isinstance(value, list):
        tests.append(len(value) >= schema.get("minItems", 0))
        tests += [accepts(schema["items"], v, root) for v in value if "items" in schema]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        tests += [key in value for key in schema.get("required", ())]
        tests += [accepts(known[k], v, root) for k, v in value.items() if k in known]
        tests.append(schema.get("additionalProperties", True) is not False or set(value) <= set(known))
    return all(tests)


@pytest.fixture(scope="module")
def schema() -> Json:
    return suite_schema(plugins=False)


def test_the_committed_schema_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.methods import METHODS
    from harness.metrics import METRICS
    from harness.models import MODELS

    for found, toy in ((MODELS, "toy"), (METHODS, "toy_edit"), (METRICS, "toy.logits")):
        monkeypatch.delitem(found.entries, toy)  # type: ignore[arg-type]
    current = schema_text(plugins=False)
    assert COMMITTED.read_text(encoding="utf-8") == current, "run: harness schema > harness/suite/suite.schema.json"


@pytest.mark.parametrize("name", suite_names())
def test_every_shipped_suite_fits_the_schema_and_points_to_it(name: str, schema: Json) -> None:
    path = shipped("suites") / f"{name}.yaml"
    assert accepts(schema, read_tree(name).plain, schema)
    first = path.read_text(encoding="utf-8").splitlines()[0]
    hit = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
    assert hit is not None
    assert (path.parent / hit[1]).resolve() == COMMITTED.resolve()


GOOD: Json = {
    "suite": "mine",
    "task": {"name": "text_to_image", "prompts": "avatars/open", "first": 2},
    "model": {"name": "avatars-sd", "guidance": 2},
    "data": {"reference": {"name": "avatars/prompts", "per_prompt": 5}},
    "baselines": ["iid", {"name": "low_guidance@dave", "as": "low", "w": 1.5}],
    "methods": ["cads", {"name": "spell", "sweep": {"radius_quantile": [0.1, 0.3]}}],
    "metrics": ["fd.avatars", {"name": "vendi.avatars", "q": 2, "primary": True}],
    "extends": "other.yaml",
}


def changed(path: tuple[str | int, ...], value: Any) -> Json:
    content = json.loads(json.dumps(GOOD))
    at = content
    for part in path[:-1]:
        at = at[part]  # type: ignore[index]
    at[path[-1]] = value  # type: ignore[index]
    return content  # type: ignore[no-any-return]


def test_a_good_suite_fits(schema: Json) -> None:
    assert accepts(schema, GOOD, schema)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("metrcs",), []),
        (("version",), "two"),
        (("suite",), "a/b"),
        (("split",), "reprot"),
        (("seeds",), 3),
        (("seeds",), [-1]),
        (("task", "name"), "text_to_imge"),
        (("model", "guidanc"), 1),
        (("model", "guidance"), -1),
        (("data", "refrence"), "avatars/heldout"),
        (("methods", 0), "casd"),
        (("methods", 1, "sweep"), {"radius_quantil": [0.1]}),
        (("methods", 1, "sweep"), {"radius_quantile": 0.1}),
        (("methods", 1, "sweep"), {"radius_quantile": [1.5]}),
        (("baselines", 1, "w"), "much"),
        (("metrics", 0), "fd.avatar"),
        (("metrics", 1, "primary"), "yes"),
    ],
    ids=str,
)
def test_what_the_loader_refuses_the_schema_refuses(path: tuple[str | int, ...], value: Any, schema: Json) -> None:
    assert not accepts(schema, changed(path, value), schema)


def test_parameters_carry_help_unit_source_and_default(schema: Json) -> None:
    spell = schema["$defs"]["method.spell"]["anyOf"][1]["properties"]["radius_quantile"]
    assert spell["default"] == 0.1
    assert (spell["minimum"], spell["maximum"]) == (0.0, 1.0)
    assert "[share]" in spell["description"]
    preset = schema["$defs"]["baseline.low_guidance@dave"]["anyOf"][1]["properties"]["w"]
    assert preset["default"] == 2.0


def test_the_schema_is_wholly_resolvable(schema: Json) -> None:
    text = json.dumps(schema)
    for reference in set(re.findall(r'"\$ref": "#/\$defs/([^"]+)"', text)):
        assert reference.replace("~1", "/") in schema["$defs"]


def test_the_schema_names_no_machine(schema: Json) -> None:
    assert str(Path.home()) not in json.dumps(schema)
