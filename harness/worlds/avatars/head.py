"""Hair and face of a portrait. The head frame has its origin between the temples; y grows downwards."""

# ruff: noqa: ARG001, ARG005 - every shape takes (x, y, figure), whether it reads the figure or not
from __future__ import annotations

import numpy as np

from harness.worlds.avatars import palette, shapes
from harness.worlds.avatars.canvas import Canvas, Color, Figure, Rows, Window
from harness.worlds.avatars.shapes import Field

HEAD = Window(-0.7, -0.85, 0.7, 0.55)
FACE = Window(-0.62, -0.55, 0.62, 0.45)


def _rows(canvas: Canvas, name: str, value: int) -> Rows:
    return np.flatnonzero(getattr(canvas.figure, name)[:, 0, 0] == value)


def _face(x: Field, y: Field, f: Figure) -> Field:
    narrow = np.clip(y / f.face_height, 0, 1)
    return shapes.ellipse(x / (1 - f.jaw * narrow * narrow), y, 0, 0, f.face_width, f.face_height)


def hair_behind(canvas: Canvas, color: Color) -> None:
    """Paints what of the hair lies behind head and neck, by hair style."""
    dark = palette.shade(color, 0.86)

    def short(x: Field, y: Field, f: Figure) -> Field:
        return shapes.ellipse(x, y, 0, -0.10, f.face_width + 0.085, f.face_height + 0.01)

    def long(x: Field, y: Field, f: Figure) -> Field:
        wide = f.face_width + 0.10 + 0.08 * np.clip(y, 0, 1)
        return shapes.box(x, y, 0, 0.25, wide, 0.80, 0.40)

    def curly(x: Field, y: Field, f: Figure) -> Field:
        angle = np.arctan2(y + 0.12, x)
        bumps = 0.045 * np.abs(np.sin(angle * 5.0 + f.texture0 * 0.2))
        return np.asarray(shapes.ellipse(x, y, 0, -0.12, f.face_width + 0.20, f.face_height + 0.08) - bumps)

    def tails(x: Field, y: Field, f: Figure) -> Field:
        side = np.abs(x)
        return shapes.ellipse(side, y, f.face_width + 0.20, 0.10, 0.14, 0.27)

    canvas.paint("back", HEAD, short, dark, _rows(canvas, "hair_style", 0))
    canvas.paint("back", HEAD, _bob, dark, _rows(canvas, "hair_style", 1))
    canvas.paint("back", Window(-0.85, -0.85, 0.85, 1), long, dark, _rows(canvas, "hair_style", 2))
    canvas.paint("back", Window(-0.9, -1, 0.9, 0.6), curly, dark, _rows(canvas, "hair_style", 3))
    tailed = _rows(canvas, "hair_style", 4)
    canvas.paint("back", HEAD, short, dark, tailed)
    canvas.paint("back", Window(-1, -0.5, 1, 0.6), tails, color, tailed)
    canvas.paint(
        "back",
        Window(-0.9, -0.4, 0.9, 0.1),
        lambda x, y, f: shapes.ellipse(np.abs(x), y, f.face_width + 0.11, -0.13, 0.06, 0.07),
        palette.JEWEL,
        tailed,
    )


def _bob(x: Field, y: Field, f: Figure) -> Field:
    flare = f.face_width + 0.10 + 0.10 * np.clip((y + 0.3) / 0.6, 0, 1)
    return shapes.intersection(shapes.box(x, y, 0, 0, flare, 0.56, 0.40), y - 0.30)


def hair_before(canvas: Canvas, color: Color) -> None:
    """Paints the hair over the forehead: a cap above a hairline that differs by style, with a light streak."""

    def cap(x: Field, y: Field, f: Figure, grow: float) -> Field:
        return shapes.ellipse(x, y, 0, -0.06, f.face_width + grow, f.face_height + grow - 0.04)

    def parted(x: Field, y: Field, f: Figure) -> Field:
        u = (x - 0.10 * f.part - f.turn * 0.9) / f.face_width
        return shapes.intersection(cap(x, y, f, 0.035), (y + 0.30 - 0.17 * np.minimum(u * u, 1.1)) * 0.8)

    def fringe(x: Field, y: Field, f: Figure) -> Field:
        u = (x - f.turn * 0.6) / f.face_width
        return shapes.intersection(cap(x, y, f, 0.05), (y + 0.19 - 0.12 * u**4) * 0.9)

    def swept(x: Field, y: Field, f: Figure) -> Field:
        side = np.sign(f.part + 1e-3)
        u = x * side / f.face_width
        return shapes.intersection(cap(x, y, f, 0.04), (y + 0.24 - 0.09 * u) * 0.85)

    def tuft(x: Field, y: Field, f: Figure) -> Field:
        u = x / f.face_width
        wave = 0.03 * np.cos(u * 9.0 + f.texture0)
        return shapes.intersection(cap(x, y, f, 0.06), (y + 0.24 + wave - 0.20 * u * u) * 0.85)

    for style, shape in enumerate((swept, fringe, parted, tuft, parted)):
        canvas.paint("head", HEAD, shape, color, _rows(canvas, "hair_style", style))
    if canvas.style != "ink":
        canvas.paint(
            "head",
            HEAD,
            lambda x, y, f: shapes.arc(x, y, f.turn * 0.4, -0.34, 0.17, -0.06, 0.022),
            palette.shade(color, 1.35),
            soft=0.05,
            alpha=0.55,
        )


def neck_and_head(canvas: Canvas, skin: Color) -> None:
    """Paints neck, ears and the bare head, with shade away from the light and blush."""
    canvas.paint("body", Window(-0.4, 0, 0.4, 0.8), _neck, palette.shade(skin, 0.84))
    canvas.paint(
        "back", FACE, lambda x, y, f: shapes.circle(np.abs(x), y, f.face_width + 0.015, 0.02, f.ear_size), skin
    )
    canvas.paint("head", HEAD, _face, skin)

    def away(x: Field, y: Field, f: Figure) -> Field:
        lit = shapes.ellipse(x, y, 0.16 * f.light_x, -0.06 + 0.10 * f.light_y, f.face_width * 1.02, f.face_height * 1.0)
        return shapes.intersection(_face(x, y, f) + 0.02, -lit)

    canvas.paint("head", HEAD, away, palette.shade(skin, 0.72), soft=0.09, alpha=0.7)
    canvas.paint(
        "face",
        FACE,
        lambda x, y, f: shapes.ellipse(np.abs(x), y, 0.215, 0.115, 0.075, 0.05),
        palette.BLUSH,
        soft=0.09,
        alpha=0.30,
    )


def _neck(x: Field, y: Field, f: Figure) -> Field:
    return shapes.box(x, y, 0, 0.38, 0.155, 0.26, 0.06)


def features(canvas: Canvas, skin: Color, iris: Color, hair: Color) -> None:
    """Paints nose, mouth, eyes and brows; the mouth by expression."""
    _age_and_freckles(canvas, skin)
    canvas.paint(
        "nose",
        Window(-0.6, -0.25, 0.6, 0.3),
        lambda x, y, f: shapes.ellipse(x, y, 0, f.nose_length - 0.04, f.nose_width, 0.036),
        palette.shade(skin, 0.74),
        line=0.0,
    )
    _eyes(canvas, iris)
    canvas.paint(
        "face",
        FACE,
        _brow,
        palette.shade(hair, 0.75),
        line=0.0,
    )
    _mouth(canvas)


def _brow(x: Field, y: Field, f: Figure) -> Field:
    side = np.abs(x)
    high = f.eye_height - 0.155 - 0.07 * f.surprised
    inner = high - f.brow_tilt + 0.03 * f.serious
    outer = high + 0.02 + f.brow_tilt - 0.03 * f.serious
    return shapes.capsule(side, y, f.eye_spacing - 0.075, inner, f.eye_spacing + 0.085, outer, f.brow_thickness)


def _eyes(canvas: Canvas, iris: Color) -> None:
    def white(x: Field, y: Field, f: Figure) -> Field:
        tall = f.eye_size * (1.12 + 0.25 * f.surprised - 0.22 * f.serious)
        return shapes.ellipse(np.abs(x), y, f.eye_spacing, f.eye_height, f.eye_size, tall)

    def ball(x: Field, y: Field, f: Figure) -> Field:
        return shapes.circle(np.abs(x), y, f.eye_spacing, f.eye_height + 0.006, f.eye_size * 0.76)

    def seen(x: Field, y: Field, f: Figure) -> Field:
        looked = x - 0.03 * f.turn / 0.2
        return shapes.intersection(ball(looked, y, f), white(x, y, f))

    canvas.paint("face", FACE, white, palette.WHITE, line=0.014)
    canvas.paint("face", FACE, seen, iris, line=0.0)
    canvas.paint(
        "face",
        FACE,
        lambda x, y, f: shapes.circle(
            np.abs(x - 0.15 * f.turn), y, f.eye_spacing, f.eye_height + 0.006, f.eye_size * 0.45
        ),
        palette.DARK,
        line=0.0,
    )
    canvas.paint(
        "face",
        FACE,
        lambda x, y, f: shapes.union(
            shapes.circle(x - 0.15 * f.turn, y, f.eye_spacing + 0.025, f.eye_height - 0.025, 0.022),
            shapes.circle(x - 0.15 * f.turn, y, 0.025 - f.eye_spacing, f.eye_height - 0.025, 0.022),
        ),
        palette.WHITE,
        line=0.0,
    )


def _mouth(canvas: Canvas) -> None:
    low = Window(-0.5, 0.02, 0.5, 0.42)
    smiling, serious, surprised = (_rows(canvas, "expression", k) for k in range(3))

    def grin(x: Field, y: Field, f: Figure) -> Field:
        top = f.mouth_height - 0.045
        bowl = shapes.ellipse(x, y, 0, top, f.mouth_width + 0.02, 0.12 + 0.04 * f.mood)
        return shapes.intersection(bowl, top - y)

    def teeth(x: Field, y: Field, f: Figure) -> Field:
        return shapes.intersection(grin(x, y, f) + 0.012, y - f.mouth_height + 0.0)

    def line(x: Field, y: Field, f: Figure) -> Field:
        return shapes.arc(x, y, 0, f.mouth_height + 0.02, f.mouth_width - 0.03, -0.01 - 0.02 * f.mood, 0.027)

    def round_mouth(x: Field, y: Field, f: Figure) -> Field:
        return shapes.ellipse(x, y, 0, f.mouth_height + 0.02, 0.075 + 0.015 * f.mood, 0.095 + 0.02 * f.mood)

    canvas.paint("face", low, grin, palette.MOUTH, smiling, line=0.012)
    canvas.paint("face", low, teeth, palette.WHITE, smiling, line=0.0)
    canvas.paint("face", low, line, palette.LIP, serious, line=0.006)
    canvas.paint("face", low, round_mouth, palette.MOUTH, surprised, line=0.012)
    canvas.paint(
        "face",
        low,
        lambda x, y, f: shapes.intersection(
            round_mouth(x, y, f) + 0.015, shapes.ellipse(x, y, 0, f.mouth_height + 0.105, 0.07, 0.055)
        ),
        palette.TONGUE,
        surprised,
        line=0.0,
    )


def _age_and_freckles(canvas: Canvas, skin: Color) -> None:
    fold = np.flatnonzero(canvas.figure.age[:, 0, 0] > 0.7)
    canvas.paint(
        "face",
        FACE,
        lambda x, y, f: shapes.capsule(np.abs(x), y, f.nose_width + 0.055, 0.07, f.mouth_width + 0.055, 0.17, 0.010),
        palette.shade(skin, 0.74),
        fold,
        line=0.0,
        alpha=0.8,
    )
    speckled = np.flatnonzero(canvas.figure.freckles[:, 0, 0] > 0.35)
    canvas.paint(
        "face",
        FACE,
        lambda x, y, f: shapes.union(
            *(shapes.circle(np.abs(x), y, cx, cy, 0.016) for cx, cy in ((0.12, 0.07), (0.19, 0.05), (0.165, 0.115)))
        ),
        palette.shade(skin, 0.66),
        speckled,
        line=0.0,
        alpha=0.75,
    )
