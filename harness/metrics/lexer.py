"""A fixed lexer of Python-like program text, for metrics on tokens of code.

Names, numbers, strings, operators; the end of a line and the indentation after it, which mean something in Python, are
tokens too. Every text has tokens, valid program or not; no token holds white space. Comments are tokens like any text.
"""

from __future__ import annotations

import re

VERSION = "code-1"  # in the id of whatever counts these tokens
_TOKEN = re.compile(
    r"""
    (?P<line>\r?\n[ \t]*)
  | (?P<gap>[ \t\f]+)
  | (?P<string>[rbfuRBFU]{0,2}(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
  | (?P<name>[^\W\d]\w*)
  | (?P<number>\d[\w.]*)
  | (?P<operator>\*\*=|//=|>>=|<<=|\.\.\.|===|!==|=>|->|:=|\*\*|//|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^@]=)
  | (?P<other>.|\s)
    """,
    re.VERBOSE,
)


def tokens(text: str) -> list[str]:
    """The tokens of a text; trailing white space of the text has none."""
    found = []
    for match in _TOKEN.finditer(text.rstrip()):
        kind, piece = match.lastgroup, match[0]
        if kind == "line":
            indent = piece.lstrip("\r\n").replace("\t", "    ")
            found.append(f"NEWLINE{len(indent)}")
        elif kind != "gap" and not piece.isspace():
            found.append(re.sub(r"\s", "␣", piece))
    return found
