"""The two dialects of training targets: today's Python 3, and Python 2 as old corpora have it.

The planted flaw of the world: over half of the training programs are written in the legacy dialect, each as a whole,
and nothing in the JavaScript tells which. A model trained on them writes part of its answers in a dialect that no
longer runs; references of tune and report are today's, and unit tests run under Python 3. Rewritten are
    range(…) → xrange(…)      a != b → a <> b      a // b → a / b      f"…{x}…" → "…" + unicode(x) + "…"
    [e for x in xs if c] → map(lambda x: e, filter(lambda x: c, xs)), without the map where e is x
All of it fails or answers otherwise under Python 3, but for a map that is joined and quotients that happen to be whole.
The rest is the same in both: a program without such a construct is its own legacy text. Legacy texts are never run.
"""

from __future__ import annotations

import ast
import re

# What only legacy texts hold, outside of quotes: neither a today's reference nor one of its parts matches.
LEGACY = r"\bxrange\b|<>|(?<!/)/(?!/)|\b(?:map|filter|lambda|unicode)\b"


def legacy(target: str) -> str:
    """A Python 3 text of this world as Python 2 would write it."""
    tree = ast.parse(target)
    lines = target.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    return _Rewriter(target, starts).written(tree, 0, len(target))


def is_legacy(text: str) -> bool:
    """Whether a text, correct or not, has a construct of the legacy dialect outside of quotes."""
    return bool(re.search(LEGACY, re.sub(r'"[^"\n]*"', '""', text)))


class _Rewriter:
    """Writes nodes anew by their places in the text, so that spaces, brackets and quotes stay as they are."""

    def __init__(self, text: str, starts: list[int]) -> None:
        self.text, self.starts = text, starts

    def place(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """First character of a node and the one after it; the texts are ASCII, so bytes are characters."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.starts[node.lineno - 1] + node.col_offset, self.starts[node.end_lineno - 1] + node.end_col_offset

    def written(self, node: ast.AST, start: int, end: int) -> str:
        """text[start:end] with what stands below `node` in it rewritten."""
        found, at = [], start
        for child in _placed(node):
            first, last = self.place(child)
            found += [self.between(node, self.text[at:first]), self.node(child)]
            at = last
        return "".join([*found, self.between(node, self.text[at:end])])

    def between(self, node: ast.AST, text: str) -> str:
        """The text between a node's children: its own operators and brackets."""
        if isinstance(node, ast.Compare):
            return text.replace("!=", "<>")
        return text.replace("//", "/") if isinstance(node, ast.BinOp) else text

    def node(self, node: ast.expr | ast.stmt) -> str:
        if isinstance(node, ast.Name) and node.id == "range":
            return "xrange"
        if isinstance(node, ast.ListComp):
            return self.comprehension(node)
        if isinstance(node, ast.JoinedStr):
            return self.template(node)
        return self.written(node, *self.place(node))

    def comprehension(self, node: ast.ListComp) -> str:
        (generator,) = node.generators
        name, of = self.node(generator.target), self.node(generator.iter)
        for test in generator.ifs:
            of = f"filter(lambda {name}: {self.node(test)}, {of})"
        value = self.node(node.elt)
        return of if value == name and generator.ifs else f"map(lambda {name}: {value}, {of})"

    def template(self, node: ast.JoinedStr) -> str:
        parts = []
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                parts.append(f"unicode({ast.unparse(part.value)})")  # its place is not known before Python 3.12
            elif isinstance(part, ast.Constant) and isinstance(part.value, str):
                parts.append(f'"{part.value}"')
        return " + ".join(parts)


def _placed(node: ast.AST) -> list[ast.expr | ast.stmt]:
    """The nearest nodes below that have a place, in the order of the text."""
    found: list[ast.expr | ast.stmt] = []
    for child in ast.iter_child_nodes(node):
        found += [child] if isinstance(child, ast.expr | ast.stmt) else _placed(child)
    return sorted(found, key=lambda n: (n.lineno, n.col_offset))
