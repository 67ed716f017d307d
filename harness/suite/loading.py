"""From a path or the name of a shipped suite to a checked suite, or to one error that lists all that is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.options import nearest
from harness.suite.checking import LoadedSuite, check_suite
from harness.suite.composition import merge, override
from harness.suite.document import Node, from_plain, parse
from harness.suite.errors import Located, Mark, Source, SuiteError
from harness.suite.shape import shape


def suite_names() -> tuple[str, ...]:
    """The shipped suites, as `harness run` takes them."""
    from harness.shipped import shipped

    folder = shipped("suites")
    return tuple(sorted(p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.yaml")))


def load_suite(source: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> LoadedSuite:
    """The suite of a file, of a shipped name or of a mapping, with `extends` and overrides applied, fully checked.

    overrides  "KEY=VALUE" texts, applied in order. Raises SuiteError with all problems at once.
    """
    return check_tree(read_tree(source, overrides))


def read_tree(source: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> Node:
    """The composed tree, not yet checked."""
    if isinstance(source, Mapping):
        mark = Mark(Source("suite", is_file=False))
        tree = _extended(from_plain(dict(source), mark), Path.cwd(), ())
    else:
        tree = _read(find_suite(source), ())
    problems: list[Located] = []
    for text in overrides:
        try:
            tree = override(tree, text)
        except SuiteError as error:
            problems.extend(error.problems)
    if problems:
        raise SuiteError(problems)
    return tree


def check_tree(tree: Node) -> LoadedSuite:
    """The checked suite of a composed tree. Raises SuiteError with all problems at once."""
    suite, problems = shape(tree)
    loaded, more = check_suite(tree, suite)
    if problems or more or loaded is None:
        raise SuiteError([*problems, *more])
    return loaded


def find_suite(source: str | Path) -> Path:
    """The file behind a path or a shipped name. Raises SuiteError when there is none."""
    if (path := Path(source)).is_file():
        return path
    from harness.shipped import shipped

    if (named := shipped("suites") / f"{source}.yaml").is_file() and str(source) in suite_names():
        return named
    here = Mark(Source(str(source), is_file=False))
    if path.suffix in {".yaml", ".yml"} or path.is_dir():
        raise SuiteError([Located(here, "no such file" if not path.is_dir() else "is a folder, not a suite")])
    message = f"neither a file nor a shipped suite ({', '.join(suite_names())})"
    raise SuiteError([Located(here, message, nearest(str(source), suite_names()))])


def _display(path: Path) -> str:
    resolved, here = path.resolve(), Path.cwd().resolve()
    return resolved.relative_to(here).as_posix() if resolved.is_relative_to(here) else str(path)


def _read(path: Path, above: tuple[Path, ...]) -> Node:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SuiteError([Located(Mark(Source(_display(path))), f"not UTF-8 text: byte {error.start}")]) from error
    except OSError as error:
        raise SuiteError([Located(Mark(Source(_display(path))), f"cannot be read: {error.strerror}")]) from error
    return _extended(parse(text, _display(path)), path.parent, (*above, path.resolve()))


def _extended(tree: Node, folder: Path, above: tuple[Path, ...]) -> Node:
    """The tree laid over the suite that its `extends` names."""
    if not isinstance(tree.value, dict) or "extends" not in tree.value:
        return tree
    own = dict(tree.value)
    named = own.pop("extends")
    child = Node(own, tree.mark, tree.key)
    if not isinstance(named.value, str):
        raise SuiteError([Located(named.mark, "extends: expected the name or the path of a suite")])
    if "suite" not in own:
        raise SuiteError([Located(tree.mark, "missing key 'suite': a suite that extends another has its own name")])
    try:
        beside = folder / named.value
        path = beside if beside.is_file() else find_suite(named.value)
    except SuiteError as error:
        wrong = error.problems[0]
        message = f"extends {named.value!r}: {wrong.message}"
        raise SuiteError([Located(named.mark, message, wrong.suggestions)]) from None
    if path.resolve() in above:
        raise SuiteError([Located(named.mark, f"extends itself: {' → '.join(p.name for p in (*above, path))}")])
    return merge(_read(path, above), child)
