"""Names in a drawing: none covers another name or a mark; a thin line leads to one that must stand apart."""

from __future__ import annotations

from dataclasses import dataclass, field

from markupsafe import Markup

from harness.report.svg import label, short, tag

LETTER, LINE = 6.0, 11.0  # width of a letter and height of a line of 11 px text, in units of the drawing
RINGS = (8.0, 12.0, 18.0, 26.0, 36.0, 48.0, 62.0)  # distances from a mark at which its name may stand
NEAR = 20.0  # farther than this a line leads from the name to its mark
SIDES = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))


@dataclass(frozen=True)
class Box:
    """A rectangle of the drawing, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def touches(self, other: Box) -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


@dataclass
class Labels:
    """The names of one drawing, inside `room`. `marks` may be covered by no name, `lines` only when nothing is free."""

    room: Box
    marks: list[Box] = field(default_factory=list)
    lines: list[Box] = field(default_factory=list)
    names: list[Box] = field(default_factory=list)

    def keep_clear(self, x: float, y: float, half: float = 5.0) -> None:
        """No name may cover the mark at (x, y)."""
        self.marks.append(Box(x - half, y - half, x + half, y + half))

    def is_free(self, box: Box, *, strict: bool) -> bool:
        inside = self.room.left <= box.left and box.right <= self.room.right
        inside = inside and self.room.top <= box.top and box.bottom <= self.room.bottom
        taken = [*self.marks, *self.names, *(self.lines if strict else ())]
        return inside and not any(box.touches(t) for t in taken)

    def beside(self, text: str, x: float, y: float, *, class_: str = "name") -> Markup:
        """The text at the free place nearest to the mark at (x, y); nothing where the drawing is full."""
        text = short(text, 24)
        width = len(text) * LETTER
        for strict in (True, False):
            for ring in RINGS:
                for dx, dy in SIDES:
                    tx, ty = x + dx * ring * (0.72 if dy else 1), y + dy * ring
                    begin = tx if dx > 0 else tx - width if dx < 0 else tx - width / 2
                    box = Box(begin, ty - LINE / 2, begin + width, ty + LINE / 2)
                    if self.is_free(box, strict=strict):
                        self.names.append(box)
                        anchor = "start" if dx > 0 else "end" if dx < 0 else "middle"
                        name = label(round(tx, 1), round(ty + 3.8, 1), text, class_=class_, text_anchor=anchor)
                        return leader(x, y, tx, ty) + name if ring > NEAR else name
        return Markup("")

    def along(self, text: str, y: float, right: float, *, class_: str) -> Markup:
        """The name of a horizontal line: above it or below it, as far right as no other name stands."""
        width = len(text) * LETTER
        for strict in (True, False):
            for end in (right, *(right - 24 * i for i in range(1, 16))):
                for ty in (y - 3 - LINE / 2, y + 3 + LINE / 2):
                    box = Box(end - width, ty - LINE / 2, end, ty + LINE / 2)
                    if self.is_free(box, strict=strict):
                        self.names.append(box)
                        return label(round(end, 1), round(ty + 3.8, 1), text, class_=class_, text_anchor="end")
        return Markup("")


def segment(start: tuple[float, float], end: tuple[float, float]) -> list[Box]:
    """Small boxes on a straight line, for `Labels.lines`."""
    steps = max(1, round(max(abs(end[0] - start[0]), abs(end[1] - start[1])) / 6))
    shares = [i / steps for i in range(steps + 1)]
    spots = [(start[0] + s * (end[0] - start[0]), start[1] + s * (end[1] - start[1])) for s in shares]
    return [Box(x - 1.5, y - 1.5, x + 1.5, y + 1.5) for x, y in spots]


def leader(x: float, y: float, tx: float, ty: float) -> Markup:
    return tag("line", x1=round(x, 1), y1=round(y, 1), x2=round(tx, 1), y2=round(ty, 1), class_="leader")
