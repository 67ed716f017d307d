"""Garments, glasses and hats of a portrait."""

# ruff: noqa: ARG001, ARG005 - every shape takes (x, y, figure), whether it reads the figure or not
from __future__ import annotations

import numpy as np

from harness.worlds.avatars import palette, shapes
from harness.worlds.avatars.canvas import Canvas, Color, Figure, Rows, Window
from harness.worlds.avatars.shapes import Field

TORSO = Window(-1, 0.3, 1, 1)
EYES = Window(-0.65, -0.4, 0.65, 0.3)
CROWN = Window(-0.9, -1, 0.9, 0.1)


def _rows(canvas: Canvas, name: str, value: int) -> Rows:
    return np.flatnonzero(getattr(canvas.figure, name)[:, 0, 0] == value)


def _torso(x: Field, y: Field, f: Figure) -> Field:
    return shapes.box(x, y, 0, 1.05, 0.76, 0.56, 0.34)


def _collar(x: Field, y: Field, f: Figure) -> Field:
    return shapes.ellipse(x, y, 0, 0.50, 0.21, 0.13)


def garment(canvas: Canvas, clothes: Color) -> None:
    """Paints torso and garment: the clothes color is that of the shirt, sweater or suit."""
    canvas.paint("body", TORSO, _torso, clothes)
    sweater, apron, coat, suit, overalls, stripes = (_rows(canvas, "garment", k) for k in range(6))
    light, dark = palette.shade(clothes, 1.4), palette.shade(clothes, 0.72)
    _shirt_stripes(canvas, stripes)
    for rows, tint in ((sweater, dark), (apron, light), (overalls, light), (stripes, palette.WHITE)):
        canvas.paint("body", TORSO, lambda x, y, f: np.abs(_collar(x, y, f)) - 0.035, tint, rows, line=0.0)
    canvas.paint(
        "body", TORSO, lambda x, y, f: shapes.intersection(_torso(x, y, f), 0.90 - y), dark, sweater, line=0.012
    )
    _apron(canvas, apron)
    _coat(canvas, coat)
    _suit(canvas, suit, clothes)
    _overalls(canvas, overalls)


def _shirt_stripes(canvas: Canvas, rows: Rows) -> None:
    def band(x: Field, y: Field, f: Figure) -> Field:
        wave = np.abs(((y - 0.56) / 0.16) % 1.0 - 0.5) * 0.16 - 0.04
        return shapes.intersection(_torso(x, y, f) + 0.01, wave)

    canvas.paint("body", TORSO, band, palette.WHITE, rows, line=0.0)


def _apron(canvas: Canvas, rows: Rows) -> None:
    canvas.paint(
        "body", TORSO, lambda x, y, f: shapes.capsule(np.abs(x), y, 0.22, 0.45, 0.30, 0.72, 0.035), palette.APRON, rows
    )
    canvas.paint("body", TORSO, lambda x, y, f: shapes.box(x, y, 0, 1.0, 0.40, 0.32, 0.08), palette.APRON, rows)
    canvas.paint(
        "body",
        TORSO,
        lambda x, y, f: shapes.box(x, y, 0, 0.92, 0.17, 0.02),
        palette.shade(palette.APRON, 0.75),
        rows,
        line=0.0,
    )


def _coat(canvas: Canvas, rows: Rows) -> None:
    canvas.paint(
        "body",
        TORSO,
        lambda x, y, f: shapes.intersection(
            _torso(x, y, f), (0.10 + 0.0 * x) - np.abs(x) + np.clip(1.0 - y, 0, 1) * 0.30
        ),
        palette.COAT,
        rows,
    )
    canvas.paint(
        "body",
        TORSO,
        lambda x, y, f: np.abs(shapes.ellipse(x, y, 0, 0.52, 0.27, 0.33)) - 0.022 + 2.0 * np.clip(0.55 - y, 0, 1),
        palette.STEEL,
        rows,
        line=0.0,
    )
    canvas.paint("body", TORSO, lambda x, y, f: shapes.circle(x, y, 0.05, 0.88, 0.062), palette.STEEL, rows, line=0.0)


def _suit(canvas: Canvas, rows: Rows, clothes: Color) -> None:
    def opening(x: Field, y: Field, f: Figure) -> Field:
        return shapes.intersection((np.abs(x) - 0.27 * np.clip((1.0 - y) / 0.5, 0, 1.1)) * 0.85, 0.46 - y)

    def tie(x: Field, y: Field, f: Figure) -> Field:
        return shapes.intersection(np.abs(x) - 0.045 - 0.05 * np.clip((y - 0.6) / 0.3, 0, 1), 0.54 - y)

    canvas.paint("body", TORSO, opening, palette.WHITE, rows)
    canvas.paint("body", TORSO, tie, palette.DARK, rows, line=0.0)
    canvas.paint(
        "body",
        TORSO,
        lambda x, y, f: shapes.intersection(np.abs(opening(x, y, f) - 0.055) - 0.03, 0.52 - y),
        palette.shade(clothes, 0.66),
        rows,
        line=0.0,
    )


def _overalls(canvas: Canvas, rows: Rows) -> None:
    canvas.paint(
        "body", TORSO, lambda x, y, f: shapes.capsule(np.abs(x), y, 0.30, 0.45, 0.26, 0.80, 0.06), palette.DENIM, rows
    )
    canvas.paint("body", TORSO, lambda x, y, f: shapes.box(x, y, 0, 1.04, 0.38, 0.30, 0.05), palette.DENIM, rows)
    canvas.paint(
        "body",
        TORSO,
        lambda x, y, f: shapes.circle(np.abs(x), y, 0.27, 0.80, 0.05),
        palette.BUTTON,
        rows,
        line=0.0,
    )


def glasses(canvas: Canvas) -> None:
    """Paints glasses or sunglasses over the eyes."""
    clear, tinted = _rows(canvas, "glasses", 1), _rows(canvas, "glasses", 2)

    def lens(x: Field, y: Field, f: Figure) -> Field:
        return shapes.circle(np.abs(x), y, f.eye_spacing + 0.005, f.eye_height + 0.01, 0.138)

    def shaded(x: Field, y: Field, f: Figure) -> Field:
        side = np.abs(x)
        return shapes.box(side, y, f.eye_spacing + 0.01, f.eye_height + 0.02, 0.150, 0.105, 0.07)

    def bar(x: Field, y: Field, f: Figure) -> Field:
        return shapes.box(x, y, 0, f.eye_height - 0.02, 0.40, 0.016)

    canvas.paint("face", EYES, lens, palette.WHITE, clear, line=0.0, alpha=0.22)
    canvas.paint("face", EYES, lambda x, y, f: np.abs(lens(x, y, f)) - 0.021, palette.FRAME, clear, line=0.0)
    canvas.paint(
        "face",
        EYES,
        lambda x, y, f: shapes.intersection(bar(x, y, f), -lens(x, y, f)),
        palette.FRAME,
        clear,
        line=0.0,
    )
    canvas.paint("face", EYES, bar, palette.LENS, tinted, line=0.0)
    canvas.paint("face", EYES, shaded, palette.LENS, tinted, line=0.0)
    canvas.paint(
        "face",
        EYES,
        lambda x, y, f: shapes.union(
            *(
                shapes.capsule(x - s * f.eye_spacing, y, -0.07, f.eye_height + 0.03, 0.0, f.eye_height - 0.045, 0.02)
                for s in (-1, 1)
            )
        ),
        palette.GLINT,
        tinted,
        line=0.0,
    )


def hat(canvas: Canvas) -> None:
    """Paints beanie, straw hat or crown over the hair."""
    beanie, straw, crown = (_rows(canvas, "hat", k) for k in (1, 2, 3))

    def dome(x: Field, y: Field, f: Figure) -> Field:
        return shapes.intersection(shapes.ellipse(x, y, 0, -0.24, f.face_width + 0.075, 0.42), y + 0.22)

    canvas.paint("head", CROWN, lambda x, y, f: shapes.circle(x, y, 0, -0.68, 0.105), palette.BEANIE_FOLD, beanie)
    canvas.paint("head", CROWN, dome, palette.BEANIE, beanie)
    canvas.paint(
        "head",
        CROWN,
        lambda x, y, f: shapes.box(x, y + 0.12 * (x / 0.45) ** 2 - 0.05, 0, -0.26, f.face_width + 0.085, 0.075, 0.06),
        palette.BEANIE_FOLD,
        beanie,
    )
    canvas.paint(
        "head",
        CROWN,
        lambda x, y, f: shapes.intersection(shapes.ellipse(x, y, 0, -0.32, 0.37, 0.40), y + 0.28),
        palette.STRAW,
        straw,
    )
    canvas.paint(
        "head",
        CROWN,
        lambda x, y, f: shapes.box(x, y + 0.05 * (x / 0.4) ** 2, 0, -0.38, 0.375, 0.06, 0.03),
        palette.STRAW_BAND,
        straw,
        line=0.0,
    )
    canvas.paint(
        "head",
        CROWN,
        lambda x, y, f: shapes.ellipse(x, y + 0.06 * (x / 0.5) ** 2, 0, -0.29, 0.70, 0.085),
        palette.STRAW,
        straw,
    )

    def peaks(x: Field, y: Field, f: Figure) -> Field:
        tooth = np.abs(((x / 0.25) + 0.5) % 1.0 - 0.5) * 2
        top = -0.74 + 0.20 * tooth
        return shapes.intersection(
            np.abs(x) - 0.37 - 0.05 * (-0.4 - y), (top - y) * 0.6, y + 0.36 - 0.10 * (x / 0.4) ** 2
        )

    canvas.paint("head", CROWN, peaks, palette.GOLD, crown)
    canvas.paint(
        "head",
        CROWN,
        lambda x, y, f: (
            shapes.circle(((x / 0.25 + 0.5) % 1.0 - 0.5) * 0.25, y, 0, -0.46, 0.042) + 10 * (np.abs(x) > 0.34)
        ),
        palette.JEWEL,
        crown,
        line=0.0,
    )
