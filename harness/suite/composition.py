"""How suites are put together: `extends:` lays one suite over another, `--set KEY=VALUE` changes one value.

Mappings merge, everything else replaces. A component given another name replaces the whole component, so that no
parameter of the one reaches the other; a component written as a bare name counts as a mapping with `name`.
"""

from __future__ import annotations

from harness.options import nearest
from harness.suite.document import Node, parse
from harness.suite.errors import Located, Mark, Source, SuiteError

_SLOTS = {"task", "model"}
_COLLECTIONS = {"data", "methods", "baselines", "controls", "metrics"}

Path = tuple[str | int, ...]


def _is_component(path: Path) -> bool:
    return (len(path) == 1 and path[0] in _SLOTS) or (len(path) == 2 and path[0] in _COLLECTIONS)


def _as_mapping(node: Node, path: Path) -> Node:
    """A component's bare name as a mapping; any other node as it is."""
    if isinstance(node.value, str) and _is_component(path):
        return Node({"name": Node(node.value, node.mark, node.mark)}, node.mark, node.key)
    return node


def merge(base: Node, over: Node, path: Path = ()) -> Node:
    """`over` laid on `base`."""
    under, upper = _as_mapping(base, path), _as_mapping(over, path)
    if not isinstance(under.value, dict) or not isinstance(upper.value, dict):
        return over
    if _is_component(path) and "name" in upper.value and _name(upper) != _name(under):
        return over
    merged = dict(under.value)
    for key, node in upper.value.items():
        merged[key] = merge(merged[key], node, (*path, key)) if key in merged else node
    return Node(merged, upper.mark, upper.key)


def _name(node: Node) -> object:
    inside = node.value.get("name") if isinstance(node.value, dict) else None
    return inside.value if inside is not None else None


def override(root: Node, text: str) -> Node:
    """`root` with one `KEY=VALUE` applied. Raises SuiteError naming the setting.

    Keys are joined by dots; in lists a number counts entries from 0, and a name or label finds its entry
    (`methods.spell.radius_quantile=0.2`).
    """
    mark = Mark(Source(f"--set {text}", (text,), is_file=False))
    key, equals, value = text.partition("=")
    if not equals or not all(part.strip() for part in key.split(".")):
        raise SuiteError([Located(mark, "expected KEY=VALUE, for example model.guidance=5")])
    node = parse(value.strip(), f"--set {text}", is_file=False)
    return _assign(root, tuple(part.strip() for part in key.split(".")), Node(node.value, mark, mark), (), mark)


def _assign(at: Node, parts: tuple[str, ...], value: Node, path: Path, mark: Mark) -> Node:
    if not parts:
        return value
    node = _as_mapping(at, path)
    if node.value is None:
        node = Node({}, mark, node.key)
    if isinstance(node.value, dict):
        inner = node.value.get(parts[0], Node(None, mark, mark))
        changed = _assign(inner, parts[1:], value, (*path, parts[0]), mark)
        return Node({**node.value, parts[0]: changed}, node.mark, node.key)
    if isinstance(node.value, list):
        index, rest = _entry(node.value, parts, path, mark)
        items = list(node.value)
        items[index] = _assign(items[index], rest, value, (*path, index), mark)
        return Node(items, node.mark, node.key)
    where = ".".join(str(p) for p in path)
    raise SuiteError([Located(mark, f"{where} is {node.value!r} and has no {parts[0]!r}")])


def _entry(items: list[Node], parts: tuple[str, ...], path: Path, mark: Mark) -> tuple[int, tuple[str, ...]]:
    """Index of the entry that the first of `parts` name, and the parts left over. Names may hold dots."""
    where = ".".join(str(p) for p in path)
    if parts[0].isdecimal():
        if (index := int(parts[0])) < len(items):
            return index, parts[1:]
        raise SuiteError([Located(mark, f"{where} has {len(items)} entries, counted from 0; there is no {index}")])
    labels = [_label(item) for item in items]
    for length in range(len(parts), 0, -1):
        if (name := ".".join(parts[:length])) in labels:
            if labels.count(name) > 1:
                raise SuiteError([Located(mark, f"{where} has {labels.count(name)} entries {name!r}; give its number")])
            return labels.index(name), parts[length:]
    known = [label for label in labels if label]
    raise SuiteError([Located(mark, f"{where} has no entry {parts[0]!r}", nearest(parts[0], known))])


def _label(item: Node) -> str:
    if isinstance(item.value, dict):
        named = item.value.get("as") or item.value.get("name")
        return str(named.value) if named is not None else ""
    return item.value if isinstance(item.value, str) else ""
