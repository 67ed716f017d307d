"""What is wrong with a suite, and where: all problems of a file at once, each with its line, a caret and near names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.options import nearest


@dataclass(frozen=True)
class Source:
    """A text that parts of a suite come from: a file, or one `--set` of the command line (then `lines` is one line).

    name  what messages print: the path as the user gave it, or `--set key=value`
    """

    name: str
    lines: tuple[str, ...] = ()
    is_file: bool = True


@dataclass(frozen=True)
class Mark:
    """A place in a source; line and column count from 1."""

    source: Source
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}" if self.source.is_file else self.source.name

    def excerpt(self, width: int = 120) -> str:
        """The text of the line, cut to `width`, with a caret below; "" where there is no such line."""
        if not self.source.is_file or not 0 < self.line <= len(self.source.lines):
            return ""
        text, room = self.source.lines[self.line - 1], max(20, width - 4)
        start = max(0, self.column - 1 - room // 2) if len(text) > room else 0
        shown = text[start : start + room].replace("\t", " ")
        return f"    {shown}\n    {' ' * (self.column - 1 - start)}^"


@dataclass(frozen=True)
class Located:
    """One problem with its place."""

    mark: Mark
    message: str
    suggestions: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The message with the nearest valid names."""
        hint = f"; did you mean {' or '.join(repr(s) for s in self.suggestions)}?" if self.suggestions else ""
        return f"{self.message}{hint}"

    def to_json(self) -> dict[str, object]:
        """Plain values; line and column are null outside of files."""
        place = self.mark
        return {
            "source": place.source.name,
            "line": place.line if place.source.is_file else None,
            "column": place.column if place.source.is_file else None,
            "message": self.message,
            "suggestions": list(self.suggestions),
        }

    def __str__(self) -> str:
        first = f"{self.mark}: {self.sentence}"
        excerpt = self.mark.excerpt()
        return f"{first}\n{excerpt}" if excerpt else first


class SuiteError(ValueError):
    """A suite that cannot be run. `problems` are in the order of their places; str() is all of them."""

    def __init__(self, problems: Iterable[Located]) -> None:
        unique = dict.fromkeys(problems)
        self.problems = tuple(sorted(unique, key=lambda p: (not p.mark.source.is_file, p.mark.line, p.mark.column)))
        super().__init__("\n".join(str(p) for p in self.problems))


def unknown(mark: Mark, what: str, name: str, known: Iterable[str]) -> Located:
    """The problem `unknown <what> '<name>'`, with the nearest of `known`."""
    return Located(mark, f"unknown {what} {name!r}", nearest(name, known))
