"""The held-out families: idioms that training shows one at a time, put together. No training program is drawn here."""

from __future__ import annotations

from collections.abc import Mapping

from harness.worlds.programs.building import BLANK, EMPTY, ONE, ZERO, Family, answer, program
from harness.worlds.programs.drawing import (
    ELEMENTS,
    GLUES,
    INDICES,
    LETTERS,
    LISTS,
    LOCALS,
    MARKS,
    NUMBERS,
    SUMS,
    TEXTS,
    WORDS,
    Draw,
    Program,
)
from harness.worlds.programs.paired import (
    Expr,
    assign,
    binary,
    call,
    contains,
    count,
    each,
    filter_mapped,
    floor,
    give,
    increment,
    item,
    join,
    let,
    mapped,
    method,
    number,
    part,
    push,
    repeat,
    same,
    size,
    string,
    template,
    when,
)


def clamp(d: Draw) -> Program:
    """Every element kept inside two bounds."""
    xs, x, low, high = d.name(LISTS), d.name(ELEMENTS), d.name(NUMBERS), d.name(NUMBERS)
    value, top = (d.change(x) if d.chance() else same(x)), (same(high) if d.chance(0.7) else d.constant(20, 40))
    bounded = call("Math.max", "max", call("Math.min", "min", value, top), same(low))
    return program(d, [(xs, "numbers"), (low, "small"), (high, "natural")], give(mapped(same(xs), x, bounded)))


def pairs(d: Draw) -> Program:
    """How many pairs of elements satisfy a condition."""
    xs, acc, i, j = d.name(LISTS), d.name(SUMS), d.name(INDICES), d.name(INDICES)
    sides = item(same(xs), same(i)), item(same(xs), same(j))
    test = binary(d.pick((">", "<", "===", "<=")), sides[0], sides[1])
    if d.chance():
        test = binary(d.pick((">", "<")), binary(d.pick(("+", "-")), *sides), d.constant())
    inner = count(j, binary("+", same(i), ONE), size(same(xs)), [when((test, [increment(acc)]))])
    loop = count(i, 0, size(same(xs)), [inner])
    return program(d, [(xs, "numbers")], let(acc, ZERO), loop, give(same(acc)))


def chained(d: Draw) -> Program:
    """A filter followed by a map."""
    xs, x = d.name(LISTS), d.name(ELEMENTS)
    value = filter_mapped(same(xs), x, d.condition([x], natural=True), d.change(x))
    return program(d, [(xs, "naturals")], give(value))


def word_loop(d: Draw) -> Program:
    """Words of a text, those that satisfy a condition written one after another."""
    s, out, w = d.name(TEXTS), d.name(SUMS), d.name(("w", "p", "piece", "token"))
    test = d.pick(
        (
            binary(d.pick((">", "<", "===")), size(same(w)), number(d.whole(2, 5))),
            contains(same(w), string(d.pick("aeiort"))),
        )
    )
    value = d.pick(
        (
            binary("+", same(w), string(d.pick(("-", " ", "!")))),
            method(same(w), "toUpperCase", "upper"),
            template(same(w), d.pick(("-", ", "))),
        )
    )
    loop = each(w, method(same(s), "split", "split", string(" ")), [when((test, [assign(same(out), value, "+=")]))])
    return program(d, [(s, "text")], let(out, BLANK), loop, give(same(out)))


def running(d: Draw) -> Program:
    """Running totals, collected."""
    xs, acc, out, x = d.name(LISTS), d.name(SUMS), d.name(LISTS), d.name(ELEMENTS)
    steps = [assign(same(acc), d.change(x) if d.chance() else same(x), "+="), push(out, same(acc))]
    if d.chance():
        steps.insert(1, when((binary(">", same(acc), d.constant(10, 60)), [assign(same(acc), ZERO)])))
    return program(
        d, [(xs, "naturals")], let(out, EMPTY, "const"), let(acc, ZERO), each(x, same(xs), steps), give(same(out))
    )


def collatz(d: Draw) -> Program:
    """What is counted until a number falls to a bound: the even are halved, the odd changed."""
    n, acc = d.name(NUMBERS), d.name(SUMS)
    even = binary("===", binary("%", same(n), number(2)), ZERO)
    odd = d.pick(
        (
            assign(same(n), number(d.whole(1, 5)), "-="),
            assign(same(n), ONE, "+="),
            assign(same(n), binary("+", binary("*", number(3), same(n)), ONE)),
        )
    )
    half = assign(same(n), floor(same(n), number(2)))
    bound = number(d.whole(1, 9))  # every start ends below it, whichever change
    step = d.pick((increment(acc), assign(same(acc), same(n), "+="), assign(same(acc), number(d.whole(2, 9)), "+=")))
    loop = repeat(binary(">", same(n), bound), [when((even, [half]), (None, [odd])), step])
    return program(d, [(n, "natural")], let(acc, d.constant(0, 9)), loop, give(same(acc)))


def best_index(d: Draw) -> Program:
    """Where the extreme element stands."""
    xs, best, i = d.name(LISTS), d.name(("best", "found", "at", "where")), d.name(INDICES)
    here, there = item(same(xs), same(i)), item(same(xs), same(best))
    test = when((binary(d.pick((">", "<", ">=", "<=")), here, there), [assign(same(best), same(i))]))
    end = same(best) if d.chance(0.6) else d.arithmetic([best], 1)
    return program(d, [(xs, "numbers")], let(best, ZERO), count(i, d.whole(0, 2), size(same(xs)), [test]), give(end))


def digit_sum(d: Draw) -> Program:
    """The digits inside a text, added up or counted."""
    s, acc, ch = d.name(TEXTS), d.name(SUMS), d.name(LETTERS)
    low, high = string(str(d.whole(0, 3))), string(str(d.whole(5, 9)))
    test = binary("&&", binary(">=", same(ch), low), binary("<=", same(ch), high))
    digit = call("parseInt", "int", same(ch))
    value = digit if d.chance() else binary(d.pick(("*", "+")), digit, d.constant(2, 9))
    step = assign(same(acc), value, "+=") if d.chance(0.7) else increment(acc)
    loop = each(ch, same(s), [when((test, [step]))])
    return program(d, [(s, "digits")], let(acc, d.constant(0, 5)), loop, give(same(acc)))


def euclid(d: Draw) -> Program:
    """The greatest common divisor, by remainders."""
    a, b, t = d.name(NUMBERS), d.name(NUMBERS), d.name(LOCALS)
    rest = binary("%", same(a), same(b))
    steps = [let(t, rest, d.pick(("let", "const"))), assign(same(a), same(b)), assign(same(b), same(t))]
    test = binary(d.pick(("!==", ">")), same(b), ZERO)
    end = same(a) if d.chance(0.3) else d.arithmetic([a], 2)
    return program(d, [(a, "natural"), (b, "natural")], repeat(test, steps), give(end))


def labels(d: Draw) -> Program:
    """A word for every element, by a ladder of conditions."""
    xs, out, x = d.name(LISTS), d.name(SUMS), d.name(ELEMENTS)
    cases: list[tuple[Expr | None, list]] = [  # type: ignore[type-arg]
        (d.condition([x], natural=True), [push(out, string(d.pick(WORDS)))]) for _ in range(d.whole(1, 2))
    ]
    loop = each(x, same(xs), [when(*cases, (None, [push(out, answer(d))]))])
    return program(d, [(xs, "naturals")], let(out, EMPTY, "const"), loop, give(same(out)))


def initials(d: Draw) -> Program:
    """The beginnings of the words of a text, joined."""
    s, w = d.name(TEXTS), d.name(("w", "p", "part", "piece"))
    start = part(same(w), None, number(d.whole(1, 3))) if d.chance(0.6) else item(same(w), ZERO)
    if d.chance():
        start = method(start, "toUpperCase", "upper")
    if d.chance():
        start = binary("+", start, string(d.pick(MARKS)))
    words = mapped(method(same(s), "split", "split", string(" ")), w, start)
    return program(d, [(s, "text")], give(join(words, string(d.pick(GLUES)))))


def dot(d: Draw) -> Program:
    """Two lists, element by element."""
    xs, ys, acc, i = d.name(LISTS), d.name(LISTS), d.name(SUMS), d.name(INDICES)
    shortest = call("Math.min", "min", size(same(xs)), size(same(ys)))
    value = binary(d.pick(("*", "-", "+")), item(same(xs), same(i)), item(same(ys), same(i)))
    if d.chance():
        value = call("Math.abs", "abs", value) if d.chance() else binary(d.pick(("+", "-")), value, d.constant())
    n = d.name(NUMBERS)
    loop = count(i, 0, same(n), [assign(same(acc), value, "+=")])
    return program(
        d,
        [(xs, "numbers"), (ys, "numbers")],
        let(n, shortest, "const"),
        let(acc, d.constant(0, 5)),
        loop,
        give(same(acc)),
    )


COMPOSITIONS: Mapping[str, Family] = {
    "clamp": clamp,
    "pairs": pairs,
    "chained": chained,
    "word_loop": word_loop,
    "running": running,
    "collatz": collatz,
    "best_index": best_index,
    "digit_sum": digit_sum,
    "euclid": euclid,
    "labels": labels,
    "initials": initials,
    "dot": dot,
}
