"""The training families of texts and words."""

from __future__ import annotations

from collections.abc import Mapping

from harness.worlds.programs.building import BLANK, ZERO, Family, answer, names, numbers, program
from harness.worlds.programs.drawing import GLUES, LETTERS, MARKS, SUMS, TEXTS, Draw, Program
from harness.worlds.programs.paired import (
    Expr,
    assign,
    binary,
    contains,
    each,
    give,
    increment,
    item,
    join,
    let,
    mapped,
    method,
    number,
    part,
    same,
    size,
    string,
    template,
    when,
)


def spelled(d: Draw) -> Program:
    s, out, ch = d.name(TEXTS), d.name(SUMS), d.name(LETTERS)
    mark = string(d.pick(MARKS))
    kind = d.whole(0, 2)
    if kind == 0:
        step = assign(same(out), binary("+", same(ch), mark), "+=")
    elif kind == 1:
        step = assign(same(out), binary("+", same(ch), same(out)))
    else:
        test = binary(d.pick(("===", "!==")), same(ch), string(d.pick("aeiorst")))
        step = when((test, [assign(same(out), same(ch) if d.chance() else mark, "+=")]))
    return program(d, [(s, "word")], let(out, BLANK), each(ch, same(s), [step]), give(same(out)))


def letters(d: Draw) -> Program:
    s, acc, ch = d.name(TEXTS), d.name(SUMS), d.name(LETTERS)
    test = binary("===", same(ch), string(d.pick("aeiorst")))
    if d.chance():
        test = contains(string(d.pick(("aeiou", "abc", "rst", "xyz", "ao"))), same(ch))
    body = [let(acc, ZERO), each(ch, same(s), [when((test, [increment(acc)]))]), give(same(acc))]
    return program(d, [(s, "word")], *body)


def text_methods(d: Draw) -> Program:
    s = d.name(TEXTS)
    value = same(s)
    for _ in range(d.whole(1, 3)):
        kind = d.whole(0, 5)
        if kind == 0:
            value = method(value, "toUpperCase", "upper")
        elif kind == 1:
            value = method(value, "toLowerCase", "lower")
        elif kind == 2:
            value = method(value, "trim", "strip")
        elif kind == 3:
            value = part(
                value,
                number(d.whole(1, 3)) if d.chance(0.7) else number(0),
                number(d.whole(4, 6)) if d.chance() else None,
            )
        elif kind == 4:
            value = method(value, "replaceAll", "replace", string(d.pick("aeiorst ")), string(d.pick(MARKS)))
        else:
            value = binary("+", value, string(d.pick(MARKS)))
    return program(d, [(s, "text")], give(value))


def text_tests(d: Draw) -> Program:
    s = d.name(TEXTS)
    letter = string(d.pick("abceiorst"))
    tests = [
        method(same(s), "startsWith", "startswith", letter),
        method(same(s), "endsWith", "endswith", letter),
        contains(same(s), letter),
        binary(d.pick((">", "<", "===")), size(same(s)), number(d.whole(3, 12))),
    ]
    test = d.pick(tests)
    if d.chance(0.4):
        return program(d, [(s, "text")], give(test))
    return program(d, [(s, "text")], when((test, [give(answer(d))])), give(answer(d)))


def templates(d: Draw) -> Program:
    s, extra = d.name(TEXTS), numbers(d, 1, 2)
    values: list[Expr] = [same(s), *(same(n) for n in names(extra))]
    if d.chance(0.4):
        values[-1] = binary(d.pick(("+", "*", "-")), values[-1], d.constant())
    pieces: list[str | Expr] = [d.pick(("", "", "[", "<", "(", "id "))]
    for value in values if d.chance() else reversed(values):
        pieces += [value, d.pick(("-", ": ", " ", "/", ", ", " is ", " x "))]
    return program(d, [(s, "word"), *extra], give(template(*pieces[:-1], d.pick(("", "", "!", "]", ")", ".")))))


def split_words(d: Draw) -> Program:
    s, ws = d.name(TEXTS), d.name(("words", "parts", "pieces", "tokens"))
    cut = let(ws, method(same(s), "split", "split", string(" ")), "const")
    ends = (
        size(same(ws)),
        item(same(ws), ZERO),
        Expr(f"{ws}[{ws}.length - 1]", f"{ws}[-1]"),
        join(same(ws), string(d.pick(GLUES))),
        binary("+", join(same(ws), string(d.pick(GLUES))), string(d.pick(MARKS))),
    )
    return program(d, [(s, "text")], cut, give(d.pick(ends)))


def joined(d: Draw) -> Program:
    ws, w = d.name(("words", "parts", "names", "tags")), d.name(("w", "s", "t", "p"))
    value = d.pick(
        (
            method(same(w), "toUpperCase", "upper"),
            part(same(w), None, number(d.whole(1, 3))),
            binary("+", same(w), string(d.pick(MARKS))),
        )
    )
    return program(d, [(ws, "words")], give(join(mapped(same(ws), w, value), string(d.pick(GLUES)))))


TEXTUAL: Mapping[str, Family] = {
    "spelled": spelled,
    "letters": letters,
    "text_methods": text_methods,
    "text_tests": text_tests,
    "templates": templates,
    "split_words": split_words,
    "joined": joined,
}
