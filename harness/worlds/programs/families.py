"""The families that training programs are drawn from: each shows one idiom, with many names, constants and shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.worlds.programs.building import EMPTY, FALSE, ONE, ZERO, Family, answer, names, numbers, program
from harness.worlds.programs.drawing import ELEMENTS, INDICES, LISTS, LOCALS, NUMBERS, SUMS, Draw, Program
from harness.worlds.programs.paired import (
    Expr,
    Stmt,
    assign,
    binary,
    call,
    choice,
    count,
    count_down,
    each,
    filtered,
    give,
    increment,
    item,
    let,
    mapped,
    negation,
    number,
    part,
    push,
    quantified,
    repeat,
    same,
    size,
    when,
    word,
)
from harness.worlds.programs.statements import statements
from harness.worlds.programs.textual import TEXTUAL


def arithmetic(d: Draw) -> Program:
    given = numbers(d, 2, 3)
    return program(d, given, give(d.arithmetic(names(given), 3)))


def locals_(d: Draw) -> Program:
    given = numbers(d, 1, 3)
    known, body = names(given), []
    for _ in range(d.whole(1, 3)):
        value = d.arithmetic(known, 2)
        name = d.name(LOCALS)
        body.append(let(name, value, d.pick(("let", "const"))))
        known = [name, *known]
    return program(d, given, *body, give(d.arithmetic(known[:3], 1)))


def comparison(d: Draw) -> Program:
    given = numbers(d, 2, 3)
    left, right = d.condition(names(given)), d.condition(names(given))
    joined = binary(d.pick(("&&", "||")), left, negation(right) if d.chance(0.25) else right)
    return program(d, given, give(joined if d.chance(0.8) else negation(left)))


def branch(d: Draw) -> Program:
    given = numbers(d, 1, 3)
    known = names(given)
    yes, no = (d.arithmetic(known, 1) if d.chance(0.6) else answer(d) for _ in range(2))
    if d.chance():
        return program(d, given, when((d.condition(known), [give(yes)])), give(no))
    return program(d, given, when((d.condition(known), [give(yes)]), (None, [give(no)])))


def ladder(d: Draw) -> Program:
    given = numbers(d, 1, 2)
    cases: list[tuple[Expr | None, list[Stmt]]] = [
        (d.condition(names(given)), [give(answer(d))]) for _ in range(d.whole(2, 3))
    ]
    return program(d, given, when(*cases, (None, [give(answer(d))])))


def ternary(d: Draw) -> Program:
    given = numbers(d, 1, 3)
    known = names(given)
    value = choice(d.condition(known), d.arithmetic(known, 1), d.arithmetic(known, 1) if d.chance() else answer(d))
    if d.chance():
        name = d.name(LOCALS)
        return program(d, given, let(name, value, d.pick(("let", "const"))), give(same(name)))
    return program(d, given, give(value))


def counting(d: Draw) -> Program:
    given = [(d.name(NUMBERS), "small"), *numbers(d, 0, 1)]
    n, acc, i = given[0][0], d.name(SUMS), d.name(INDICES)
    start = d.whole(0, 2)
    body = assign(same(acc), d.arithmetic([i, *names(given)[1:]], 1), d.pick(("+=", "+=", "-=")))
    step = d.pick((1, 1, 1, 2, 3))
    loop = count(i, start, same(n), [body], closed=d.chance(), step=step)
    return program(d, given, let(acc, d.constant(0, 5)), loop, give(same(acc)))


def down(d: Draw) -> Program:
    given = [(d.name(NUMBERS), "small")]
    n, i = given[0][0], d.name(INDICES)
    if d.chance():
        acc = d.name(SUMS)
        loop = count_down(i, same(n), d.whole(0, 1), [assign(same(acc), d.change(i), "+=")])
        return program(d, given, let(acc, d.constant(0, 5)), loop, give(same(acc)))
    out = d.name(LISTS)
    loop = count_down(i, same(n), d.whole(0, 2), [push(out, d.change(i))])
    return program(d, given, let(out, EMPTY, "const"), loop, give(same(out)))


def list_sum(d: Draw) -> Program:
    xs, acc, x = d.name(LISTS), d.name(SUMS), d.name(ELEMENTS)
    extra = numbers(d, 0, 1)
    value = same(x) if d.chance(0.2) else d.arithmetic([x, *names(extra)], 1) if extra else d.change(x)
    loop = each(x, same(xs), [assign(same(acc), value, d.pick(("+=", "+=", "-=")))])
    return program(d, [(xs, "numbers"), *extra], let(acc, d.constant(0, 5)), loop, give(same(acc)))


def count_if(d: Draw) -> Program:
    xs, acc, x = d.name(LISTS), d.name(SUMS), d.name(ELEMENTS)
    extra = numbers(d, 0, 1, "natural")
    loop = each(x, same(xs), [when((d.condition([x, *names(extra)][: d.whole(1, 2)], natural=True), [increment(acc)]))])
    return program(d, [(xs, "naturals"), *extra], let(acc, ZERO), loop, give(same(acc)))


def index_loop(d: Draw) -> Program:
    xs, acc, i = d.name(LISTS), d.name(SUMS), d.name(INDICES)
    value = item(same(xs), same(i))
    value = binary(d.pick(("+", "-", "*")), value, same(i) if d.chance() else d.constant())
    loop = count(i, d.whole(0, 1), size(same(xs)), [assign(same(acc), value, d.pick(("+=", "-=")))])
    return program(d, [(xs, "numbers")], let(acc, d.constant(0, 5)), loop, give(same(acc)))


def halving(d: Draw) -> Program:
    n, acc = d.name(NUMBERS), d.name(SUMS)
    by = number(d.whole(2, 10))
    digit = binary("%", same(n), by)
    step = assign(same(n), d.halved(n)) if d.chance(0.4) else None
    first = increment(acc) if d.chance(0.4) else assign(same(acc), digit, "+=")
    cut = step or assign(same(n), Expr(f"Math.floor({n} / {by.js})", f"{n} // {by.py}"))
    return program(
        d, [(n, "natural")], let(acc, ZERO), repeat(binary(">", same(n), ZERO), [first, cut]), give(same(acc))
    )


def while_below(d: Draw) -> Program:
    n, acc = d.name(NUMBERS), d.name(SUMS)
    grow = assign(same(acc), d.constant(2, 4), "*=") if d.chance() else assign(same(acc), d.constant(1, 9), "+=")
    loop = repeat(binary(d.pick(("<", "<=")), same(acc), same(n)), [grow])
    return program(d, [(n, "natural")], let(acc, ONE), loop, give(d.arithmetic([acc, n], 1)))


def collect(d: Draw) -> Program:
    out, i = d.name(LISTS), d.name(INDICES)
    given = [(d.name(NUMBERS), "small")]
    loop = count(
        i, d.whole(0, 2), same(given[0][0]), [push(out, d.change(i))], closed=d.chance(), step=d.pick((1, 1, 2))
    )
    return program(d, given, let(out, EMPTY, "const"), loop, give(same(out)))


def collect_if(d: Draw) -> Program:
    xs, out, x = d.name(LISTS), d.name(SUMS), d.name(ELEMENTS)
    extra = numbers(d, 0, 1, "natural")
    value = same(x) if d.chance(0.6) else d.change(x)
    loop = each(x, same(xs), [when((d.condition([x, *names(extra)], natural=True), [push(out, value)]))])
    return program(d, [(xs, "naturals"), *extra], let(out, EMPTY, "const"), loop, give(same(out)))


def extreme(d: Draw) -> Program:
    xs, best, x = d.name(LISTS), d.name(SUMS), d.name(ELEMENTS)
    test = binary(d.pick((">", "<")), same(x), same(best))
    loop = each(x, same(xs), [when((test, [assign(same(best), same(x))]))])
    end = same(best) if d.chance() else d.change(best)
    return program(d, [(xs, "numbers")], let(best, item(same(xs), ZERO)), loop, give(end))


def map_list(d: Draw) -> Program:
    xs, x, extra = d.name(LISTS), d.name(ELEMENTS), numbers(d, 0, 1)
    value = d.arithmetic([x, *names(extra)], 1) if extra else d.change(x)
    return program(d, [(xs, "numbers"), *extra], give(mapped(same(xs), x, value)))


def filter_list(d: Draw) -> Program:
    xs, x, extra = d.name(LISTS), d.name(ELEMENTS), numbers(d, 0, 1, "natural")
    kept = filtered(same(xs), x, d.condition([x, *names(extra)], natural=True))
    return program(d, [(xs, "naturals"), *extra], give(size(kept) if d.chance(0.3) else kept))


def quantifier(d: Draw) -> Program:
    xs, x, extra = d.name(LISTS), d.name(ELEMENTS), numbers(d, 0, 1, "natural")
    holds = quantified(same(xs), x, d.condition([x, *names(extra)], natural=True), d.chance())
    return program(d, [(xs, "naturals"), *extra], give(negation(holds) if d.chance(0.2) else holds))


def mathematics(d: Draw) -> Program:
    given = numbers(d, 2, 3)
    known = [same(n) for n in names(given)]
    kind = d.whole(0, 3)
    if kind == 0:
        value = call(*d.pick((("Math.max", "max"), ("Math.min", "min"))), known[0], d.pick((known[1], d.constant())))
    elif kind == 1:
        value = call("Math.abs", "abs", binary("-", known[0], known[1]))
    elif kind == 2:
        value = Expr(f"Math.pow({known[0].js}, 2)", f"{known[0].py} ** 2", py_level=8)
    else:
        value = call("Math.abs", "abs", known[0])
    if d.chance(0.6):
        value = binary(d.pick(("+", "-", "*")), value, d.pick((known[-1], d.constant())))
    return program(d, given, give(value))


def first_match(d: Draw) -> Program:
    xs, x, extra = d.name(LISTS), d.name(ELEMENTS), numbers(d, 0, 1, "natural")
    test = d.condition([x, *names(extra)], natural=True)
    loop = each(x, same(xs), [when((test, [give(same(x) if d.chance(0.6) else d.change(x))]))])
    return program(d, [(xs, "naturals"), *extra], loop, give(d.pick((number(-1), ZERO, Expr("null", "None"), FALSE))))


def nested(d: Draw) -> Program:
    given, acc = [(d.name(NUMBERS), "small"), (d.name(NUMBERS), "small")], d.name(SUMS)
    i, j = d.name(INDICES), d.name(INDICES)
    step = assign(same(acc), d.arithmetic([i, j], 1), "+=") if d.chance(0.7) else increment(acc)
    inner = count(j, d.whole(0, 1), same(d.pick((given[1][0], given[1][0], i))), [step], closed=d.chance(0.4))
    loop = count(i, d.whole(0, 1), same(given[0][0]), [inner], closed=d.chance(0.4))
    return program(d, given, let(acc, d.constant(0, 5)), loop, give(same(acc)))


def skipping(d: Draw) -> Program:
    xs, acc, x = d.name(LISTS), d.name(SUMS), d.name(ELEMENTS)
    test = when((d.condition([x], natural=True), [word(d.pick(("continue", "break")))]))
    loop = each(x, same(xs), [test, assign(same(acc), d.change(x), "+=")])
    return program(d, [(xs, "naturals")], let(acc, d.constant(0, 5)), loop, give(same(acc)))


def update_if(d: Draw) -> Program:
    given = numbers(d, 1, 2)
    known, acc = names(given), d.name(SUMS)
    change = assign(same(acc), d.arithmetic(known, 1), d.pick(("+=", "-=", "=")))
    other = assign(same(acc), d.constant(), d.pick(("+=", "-=", "*=")))
    cases: list[tuple[Expr | None, Sequence[Stmt]]] = [(d.condition(known), [change])]
    if d.chance():
        cases.append((None, [other]))
    return program(d, given, let(acc, d.arithmetic(known, 1)), when(*cases), give(same(acc)))


def indexed(d: Draw) -> Program:
    xs = d.name(LISTS)
    last = Expr(f"{xs}[{xs}.length - 1]", f"{xs}[-1]")
    first = item(same(xs), ZERO)
    value = d.pick((part(same(xs), number(d.whole(1, 2))), part(same(xs), None, number(d.whole(1, 4)))))
    if d.chance(0.6):
        value = binary(d.pick(("+", "-", "*")), d.pick((last, first)), d.pick((first, size(same(xs)), d.constant())))
    if d.chance(0.4):
        guard = when(
            (
                binary(d.pick(("<", "===", ">")), size(same(xs)), number(d.whole(1, 4))),
                [give(d.pick((ZERO, number(-1), EMPTY)))],
            )
        )
        return program(d, [(xs, "numbers")], guard, give(value))
    return program(d, [(xs, "numbers")], give(value))


_NUMERIC: Mapping[str, Family] = {
    "arithmetic": arithmetic,
    "locals": locals_,
    "comparison": comparison,
    "branch": branch,
    "ladder": ladder,
    "ternary": ternary,
    "counting": counting,
    "down": down,
    "list_sum": list_sum,
    "count_if": count_if,
    "index_loop": index_loop,
    "halving": halving,
    "while_below": while_below,
    "collect": collect,
    "collect_if": collect_if,
    "extreme": extreme,
    "map_list": map_list,
    "filter_list": filter_list,
    "quantifier": quantifier,
    "mathematics": mathematics,
    "first_match": first_match,
    "nested": nested,
    "skipping": skipping,
    "update_if": update_if,
    "indexed": indexed,
    "statements": statements,
}
# The order is part of the splits: the families take turns (problems.families).
_ORDER = (
    "arithmetic",
    "locals",
    "comparison",
    "branch",
    "ladder",
    "ternary",
    "counting",
    "down",
    "list_sum",
    "count_if",
    "index_loop",
    "halving",
    "while_below",
    "collect",
    "collect_if",
    "extreme",
    "spelled",
    "letters",
    "text_methods",
    "text_tests",
    "templates",
    "map_list",
    "filter_list",
    "quantifier",
    "mathematics",
    "split_words",
    "joined",
    "first_match",
    "nested",
    "skipping",
    "update_if",
    "indexed",
    "statements",
)
FAMILIES: Mapping[str, Family] = {name: {**_NUMERIC, **TEXTUAL}[name] for name in _ORDER}
