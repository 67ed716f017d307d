"""The lexer of program text: total, blind to spacing, not to indentation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.lexer import tokens
from harness.worlds.programs import problems


def test_tokens_of_a_function() -> None:
    text = 'def f(xs):\n    if xs[0] != "a b":\n        return xs[-1] // 2\n'
    first = ["def", "f", "(", "xs", ")", ":", "NEWLINE4", "if", "xs", "[", "0", "]", "!=", '"a␣b"', ":", "NEWLINE8"]
    assert tokens(text) == [*first, "return", "xs", "[", "-", "1", "]", "//", "2"]


@given(st.text())
def test_every_text_has_tokens_without_white_space(text: str) -> None:
    found = tokens(text)
    assert all(t and not any(c.isspace() for c in t) for t in found)
    assert " ".join(found).split() == found


def test_spacing_inside_a_line_is_not_seen() -> None:
    assert tokens("a  +b") == tokens("a + b") != tokens("a - b")


def test_references_of_the_world_have_different_tokens() -> None:
    texts = [p.target for p in problems("report")]
    assert len({tuple(tokens(t)) for t in texts}) == len(set(texts))
