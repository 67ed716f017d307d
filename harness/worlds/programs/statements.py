"""A training family of random nested statements: loops, conditions, pushes and accumulations put together.

Training must show that statements nest; what it never shows are the compositions that are held out: no accumulator is
pushed (running), no word is (labels), no position is remembered (best_index), no loop starts beside another's index
(pairs), walks two lists (dot) or changes its number by cases (collatz).
"""

from __future__ import annotations

from harness.worlds.programs.building import EMPTY, ZERO, program
from harness.worlds.programs.drawing import ELEMENTS, INDICES, LISTS, LOCALS, NUMBERS, SUMS, Draw, Program
from harness.worlds.programs.paired import (
    Expr,
    Stmt,
    assign,
    binary,
    call,
    count,
    each,
    give,
    increment,
    item,
    let,
    number,
    push,
    repeat,
    same,
    size,
    when,
    word,
)

LONGEST = 11  # lines of a function


def statements(d: Draw) -> Program:
    while True:
        d.taken.clear()
        found = _drawn(d)
        if len(found.target.splitlines()) <= LONGEST and ("= []" in found.target) == (".append(" in found.target):
            return found


def _drawn(d: Draw) -> Program:
    xs, n, acc = d.name(LISTS), d.name(NUMBERS), d.name(SUMS)
    out = d.name((*LISTS, *SUMS)) if d.chance(0.6) else None
    head = [let(acc, d.constant(0, 9) if d.chance(0.7) else same(n))]
    if out:
        head.insert(d.whole(0, 1), let(out, EMPTY, "const"))
    loops = [_loop(d, xs, n, acc, out) for _ in range(1 if d.chance(0.75) else 2)]
    if d.chance(0.2):
        head.append(when((d.condition([n], natural=True), [_step(d, [n], acc, out, 0)])))
    if out and d.chance(0.65):
        end = same(out) if d.chance(0.85) else size(same(out))
    else:
        end = same(acc) if d.chance(0.6) else d.arithmetic([acc, n], 1)
    return program(d, [(xs, "naturals"), (n, d.pick(("natural", "small")))], *head, *loops, give(end))


def _loop(d: Draw, xs: str, n: str, acc: str, out: str | None) -> Stmt:
    """A loop over a list, over its places, up to a number, or while a number falls."""
    kind = d.whole(0, 9)
    if kind < 4:
        x = d.name(ELEMENTS)
        return each(x, same(xs), _body(d, [x, n], acc, out, 2))
    i = d.name(INDICES)
    if kind < 7:
        x = d.name((*ELEMENTS, *LOCALS))
        body = [let(x, item(same(xs), same(i)), "const"), *_body(d, [x, i, n][: d.whole(2, 3)], acc, out, 1)]
        return count(i, d.whole(0, 2), size(same(xs)), body, step=d.pick((1, 1, 1, 2)))
    if kind < 9:
        return count(i, d.whole(0, 2), same(n), _body(d, [i, n], acc, out, 2), closed=d.chance(0.3))
    fall = assign(same(n), d.halved(n)) if d.chance() else assign(same(n), number(d.whole(1, 5)), "-=")
    return repeat(binary(">", same(n), d.constant(1, 9)), [*_body(d, [n], acc, out, 1), fall])


def _body(d: Draw, known: list[str], acc: str, out: str | None, depth: int) -> list[Stmt]:
    """One to three statements; a local name may come first."""
    body, known = [], list(known)
    if d.chance(0.2):
        name = d.name(LOCALS)
        body.append(let(name, d.change(known[0]) if d.chance() else d.arithmetic(known, 1), d.pick(("let", "const"))))
        return [*body, _step(d, [*known, name], acc, out, depth, natural=known)]
    return [_step(d, known, acc, out, depth) for _ in range(d.pick((1, 1, 1, 2, 2, 3)))]


def _test(d: Draw, known: list[str], acc: str, natural: list[str]) -> Expr:
    kind = d.whole(0, 5)
    if kind == 0:
        return d.condition([acc, *known])
    test = d.condition(natural, natural=True)
    if kind == 1:
        return binary(d.pick(("&&", "||")), test, d.condition(natural, natural=True))
    return test


def _step(d: Draw, known: list[str], acc: str, out: str | None, depth: int, natural: list[str] | None = None) -> Stmt:
    """One statement: what it changes is the accumulator or the list."""
    natural = known if natural is None else natural
    if depth and d.chance(0.55):
        if depth > 1 and d.chance(0.25):
            j = d.name(INDICES)
            inner = _body(d, [j, *natural], acc, out, depth - 1)
            return count(j, d.whole(0, 1), same(d.pick(natural)), inner, closed=d.chance(0.3))
        cases: list[tuple[Expr | None, list[Stmt]]] = [
            (_test(d, known, acc, natural), _body(d, known, acc, out, depth - 1)) for _ in range(d.pick((1, 1, 1, 2)))
        ]
        if d.chance(0.45):
            cases.append((None, _body(d, known, acc, out, depth - 1)))
        elif depth == 2 and d.chance(0.1):
            cases[-1] = (cases[-1][0], [word(d.pick(("continue", "break")))])
        return when(*cases)
    value = d.change(d.pick(known)) if d.chance() else d.arithmetic(known, 1)
    if out and d.chance(0.4):
        return push(out, value)
    kind = d.whole(0, 7)
    if kind == 0:
        return increment(acc, d.chance(0.3))
    if kind == 1:
        return assign(same(acc), ZERO if d.chance(0.4) else d.constant())
    if kind == 2:
        pair = d.pick((("Math.max", "max"), ("Math.min", "min")))
        return assign(same(acc), call(*pair, same(acc), value))
    if kind == 3:
        return assign(same(acc), binary(d.pick(("+", "-")), same(acc), value))
    return assign(same(acc), value, d.pick(("+=", "+=", "-=")))
