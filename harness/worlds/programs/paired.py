"""Expressions and statements in JavaScript and Python at once: what is composed stays a correct translation.

Levels say how tightly an expression binds, the same scale in both languages; a looser part is put in brackets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TERNARY, OR, AND, NOT, COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = range(10)
LEVELS = {"||": OR, "&&": AND, "+": SUM, "-": SUM, "*": PRODUCT, "/": PRODUCT, "%": PRODUCT, "**": POWER}
LEVELS |= dict.fromkeys(("===", "!==", "<", ">", "<=", ">="), COMPARISON)
PYTHON = {"||": "or", "&&": "and", "===": "==", "!==": "!="}
INDENT = "    "


@dataclass(frozen=True)
class Expr:
    """One expression in both languages, and how tightly it binds in each."""

    js: str
    py: str
    js_level: int = ATOM
    py_level: int = ATOM

    def at(self, level: int) -> Expr:
        """The same, in brackets where it binds looser than `level`."""
        js = self.js if self.js_level >= level else f"({self.js})"
        py = self.py if self.py_level >= level else f"({self.py})"
        return Expr(js, py)


@dataclass(frozen=True)
class Stmt:
    """Lines of one or more statements in both languages, without the indentation of what surrounds them."""

    js: tuple[str, ...]
    py: tuple[str, ...]


def same(text: str) -> Expr:
    """What is written alike: a name, a number."""
    return Expr(text, text)


def number(value: int) -> Expr:
    return same(str(value)) if value >= 0 else Expr(str(value), str(value), SIGN, SIGN)


def string(value: str) -> Expr:
    """A literal in double quotes. value: without quotes, backslashes and line ends."""
    return same(f'"{value}"')


def binary(op: str, left: Expr, right: Expr) -> Expr:
    """`left op right`, op as JavaScript writes it. Comparisons are never chained: both sides bind tighter."""
    level = LEVELS[op]
    a = left.at(level + (level == COMPARISON) + (op == "**"))
    b = right.at(level + (op in ("-", "/", "%", "*") or level == COMPARISON))
    return Expr(f"{a.js} {op} {b.js}", f"{a.py} {PYTHON.get(op, op)} {b.py}", level, level)


def negation(of: Expr) -> Expr:
    return Expr(f"!{of.at(ATOM).js}", f"not {of.at(NOT + 1).py}", SIGN, NOT)


def choice(condition: Expr, yes: Expr, no: Expr) -> Expr:
    """`condition ? yes : no`."""
    c, a, b = (e.at(TERNARY + 1) for e in (condition, yes, no))
    return Expr(f"{c.js} ? {a.js} : {b.js}", f"{a.py} if {c.py} else {b.py}", TERNARY, TERNARY)


def call(js: str, py: str, *arguments: Expr) -> Expr:
    return Expr(f"{js}({', '.join(e.js for e in arguments)})", f"{py}({', '.join(e.py for e in arguments)})")


def method(of: Expr, js: str, py: str, *arguments: Expr) -> Expr:
    return call(f"{of.at(ATOM).js}.{js}", f"{of.at(ATOM).py}.{py}", *arguments)


def floor(left: Expr, right: Expr) -> Expr:
    """Whole division of non-negative numbers."""
    whole = binary("/", left, right)
    return Expr(f"Math.floor({whole.js})", f"{left.at(PRODUCT).py} // {right.at(SIGN).py}", ATOM, PRODUCT)


def size(of: Expr) -> Expr:
    return Expr(f"{of.at(ATOM).js}.length", f"len({of.py})")


def item(of: Expr, index: Expr) -> Expr:
    return Expr(f"{of.at(ATOM).js}[{index.js}]", f"{of.at(ATOM).py}[{index.py}]")


def part(of: Expr, start: Expr | None, end: Expr | None = None) -> Expr:
    """A slice; `start` None means 0."""
    inside = ", ".join(e.js for e in (start or number(0), end) if e is not None)
    py = f"{start.py if start else ''}:{end.py if end else ''}"
    return Expr(f"{of.at(ATOM).js}.slice({inside})", f"{of.at(ATOM).py}[{py}]")


def contains(of: Expr, what: Expr) -> Expr:
    return Expr(f"{of.at(ATOM).js}.includes({what.js})", f"{what.at(SUM).py} in {of.at(SUM).py}", ATOM, COMPARISON)


def join(of: Expr, glue: Expr) -> Expr:
    return Expr(f"{of.at(ATOM).js}.join({glue.js})", f"{glue.py}.join({of.py})")


def template(*parts: str | Expr) -> Expr:
    """A template string: texts and values in turn; values without quotes or brackets inside."""
    js = "".join(p if isinstance(p, str) else f"${{{p.js}}}" for p in parts)
    py = "".join(p if isinstance(p, str) else f"{{{p.py}}}" for p in parts)
    return Expr(f"`{js}`", f'f"{py}"')


def listed(*values: Expr) -> Expr:
    return Expr(f"[{', '.join(v.js for v in values)}]", f"[{', '.join(v.py for v in values)}]")


def mapped(of: Expr, name: str, value: Expr) -> Expr:
    return Expr(f"{of.at(ATOM).js}.map({name} => {value.js})", f"[{value.py} for {name} in {of.at(OR).py}]")


def filtered(of: Expr, name: str, keep: Expr) -> Expr:
    return Expr(f"{of.at(ATOM).js}.filter({name} => {keep.js})", f"[{name} for {name} in {of.at(OR).py} if {keep.py}]")


def filter_mapped(of: Expr, name: str, keep: Expr, value: Expr) -> Expr:
    js = f"{of.at(ATOM).js}.filter({name} => {keep.js}).map({name} => {value.js})"
    return Expr(js, f"[{value.py} for {name} in {of.at(OR).py} if {keep.py}]")


def quantified(of: Expr, name: str, holds: Expr, every: bool) -> Expr:
    js, py = ("every", "all") if every else ("some", "any")
    return Expr(f"{of.at(ATOM).js}.{js}({name} => {holds.js})", f"{py}({holds.py} for {name} in {of.at(OR).py})")


def let(name: str, value: Expr, word: str = "let") -> Stmt:
    return Stmt((f"{word} {name} = {value.js};",), (f"{name} = {value.py}",))


def assign(target: Expr, value: Expr, op: str = "=") -> Stmt:
    return Stmt((f"{target.js} {op} {value.js};",), (f"{target.py} {op} {value.py}",))


def increment(name: str, down: bool = False) -> Stmt:
    return Stmt((f"{name}{'--' if down else '++'};",), (f"{name} {'-' if down else '+'}= 1",))


def push(target: str, value: Expr) -> Stmt:
    return Stmt((f"{target}.push({value.js});",), (f"{target}.append({value.py})",))


def give(value: Expr) -> Stmt:
    return Stmt((f"return {value.js};",), (f"return {value.py}",))


def word(text: str) -> Stmt:
    """break or continue."""
    return Stmt((f"{text};",), (text,))


def block(statements: Sequence[Stmt]) -> Stmt:
    """Statements one after another, one level deeper."""
    return Stmt(
        tuple(INDENT + line for s in statements for line in s.js),
        tuple(INDENT + line for s in statements for line in s.py),
    )


def when(*cases: tuple[Expr | None, Sequence[Stmt]]) -> Stmt:
    """if, else if …, else (condition None, last)."""
    js: list[str] = []
    py: list[str] = []
    for position, (condition, body) in enumerate(cases):
        inner = block(body)
        if condition is None:
            js[-1] = "} else {"
            py.append("else:")
        elif position == 0:
            js.append(f"if ({condition.js}) {{")
            py.append(f"if {condition.py}:")
        else:
            js[-1] = f"}} else if ({condition.js}) {{"
            py.append(f"elif {condition.py}:")
        js += [*inner.js, "}"]
        py += inner.py
    return Stmt(tuple(js), tuple(py))


def repeat(condition: Expr, body: Sequence[Stmt]) -> Stmt:
    """A while loop."""
    inner = block(body)
    return Stmt((f"while ({condition.js}) {{", *inner.js, "}"), (f"while {condition.py}:", *inner.py))


def each(name: str, of: Expr, body: Sequence[Stmt]) -> Stmt:
    """for … of."""
    inner = block(body)
    return Stmt((f"for (const {name} of {of.js}) {{", *inner.js, "}"), (f"for {name} in {of.py}:", *inner.py))


def count(
    name: str, start: int | Expr, end: Expr, body: Sequence[Stmt], *, closed: bool = False, step: int = 1
) -> Stmt:
    """A counting loop from `start` up to `end`, which it reaches only if `closed`."""
    inner = block(body)
    first = number(start) if isinstance(start, int) else start
    js_step = f"{name}++" if step == 1 else f"{name} += {step}"
    stop = binary("+", end, number(1)).py if closed else end.py
    arguments = [first.py, stop, str(step)] if step != 1 else [first.py, stop] if first.py != "0" else [stop]
    head = f"for (let {name} = {first.js}; {name} {'<=' if closed else '<'} {end.js}; {js_step}) {{"
    return Stmt((head, *inner.js, "}"), (f"for {name} in range({', '.join(arguments)}):", *inner.py))


def count_down(name: str, start: Expr, end: int, body: Sequence[Stmt]) -> Stmt:
    """A counting loop from `start` down to `end`, reached."""
    inner = block(body)
    head = f"for (let {name} = {start.js}; {name} >= {end}; {name}--) {{"
    return Stmt((head, *inner.js, "}"), (f"for {name} in range({start.py}, {end - 1}, -1):", *inner.py))


def function(name: str, parameters: Sequence[str], body: Sequence[Stmt]) -> tuple[str, str]:
    """The whole function as JavaScript and as Python text, each ending with a line end."""
    inner, given = block(body), ", ".join(parameters)
    js = "\n".join([f"function {name}({given}) {{", *inner.js, "}"])
    return f"{js}\n", "\n".join([f"def {name}({given}):", *inner.py]) + "\n"
