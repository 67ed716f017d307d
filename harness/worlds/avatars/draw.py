"""Drawing portraits: (N, 64, 64, 3) uint8 from `Portraits`, deterministic, vectorised and antialiased."""

# ruff: noqa: ARG005 - every shape takes (x, y, figure), whether it reads the figure or not
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.worlds.avatars import attire, head, palette, shapes
from harness.worlds.avatars.attributes import BY_NAME, Portraits
from harness.worlds.avatars.canvas import PAPER_COLOR, PIXEL, SIZE_PX, WHOLE, Canvas, Color, Figure
from harness.worlds.avatars.identity import traits
from harness.worlds.avatars.shapes import Field

CHUNK = 64  # portraits painted together: small enough to stay in the processor's cache
TURN = 0.17  # how far the features move sideways at full yaw, image units
HEAD_Y = -0.065  # height of the head's origin


def render(portraits: Portraits) -> NDArray[np.uint8]:
    """The pictures of portraits, (N, 64, 64, 3) uint8 sRGB. The same portrait gives the same bytes in any batch."""
    out = np.empty((len(portraits), SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
    for s, style in enumerate(BY_NAME["style"].classes):
        rows = np.flatnonzero(portraits.labels["style"] == s)
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            out[part] = _render_style(portraits[part], style)
    return out


def _render_style(p: Portraits, style: str) -> NDArray[np.uint8]:
    """Pictures of portraits that share a style, (n, 64, 64, 3) uint8."""
    figure = _figure(p)
    pigment, warp_x, warp_y = _noise(p)
    canvas = Canvas(style, _background_color(p, style), _frames(p, style, warp_x, warp_y), figure, pigment)
    tone = 1 + figure.skin_shade[:, 0]
    skin = np.asarray(np.clip(palette.SKIN[p.labels["skin"]] * tone, 0, 1), dtype=np.float32)
    hair = palette.HAIR[p.labels["hair_color"]]
    _backdrop(canvas, p, style)
    head.hair_behind(canvas, hair)
    attire.garment(canvas, palette.CLOTHES[p.labels["clothes"]])
    head.neck_and_head(canvas, skin)
    head.features(canvas, skin, _iris(figure), hair)
    head.hair_before(canvas, hair)
    attire.glasses(canvas)
    attire.hat(canvas)
    rgb = _finish(canvas, p, style)
    return np.asarray(np.moveaxis(np.rint(rgb * 255), 0, -1), dtype=np.uint8)


def _column(values: NDArray[np.generic]) -> Field:
    return np.asarray(values, dtype=np.float32)[:, None, None]


def _figure(p: Portraits) -> Figure:
    """All parameters that shapes read: traits of the identity, attribute classes, pose and mood."""
    values = {name: _column(v) for name, v in traits(p.identity).items()}
    values |= {name: _column(p.labels[name]) for name in ("hair_style", "expression", "garment", "glasses", "hat")}
    expression = p.labels["expression"]
    values["serious"] = _column(expression == 1)
    values["surprised"] = _column(expression == 2)
    values["turn"] = _column(TURN * p.yaw)
    values["part"] = _column(np.tanh(p.identity[:, 2]))
    values["light_x"], values["light_y"] = _column(p.lighting[:, 0]), _column(p.lighting[:, 1])
    values["mood"], values["age"] = _column(p.mood), _column(p.age)
    values["texture0"] = _column(p.texture[:, 0])
    return Figure(values)


def _noise(p: Portraits) -> tuple[Field, Field, Field]:
    """Slow noise fields (n, 64, 64) in about [-1, 1]: pigment and the two components of the watercolor warp."""
    axis = (np.arange(SIZE_PX, dtype=np.float32) + 0.5) * PIXEL - 1
    phase = p.texture[:, :, None]
    waves = [np.sin(axis * k + phase[:, i]) for i, k in enumerate((2.5, 3.5, 4.5, 2.0, 5.0, 4.0, 5.5, 3.0))]
    pigment = 0.5 * (waves[0][:, None] * waves[1][:, :, None] + waves[2][:, None] * waves[3][:, :, None])
    warp_x = waves[4][:, :, None] * waves[7][:, None]
    warp_y = waves[5][:, None] * waves[6][:, :, None]
    return np.asarray(pigment), np.asarray(warp_x), np.asarray(warp_y)


def _frames(p: Portraits, style: str, warp_x: Field, warp_y: Field) -> dict[str, tuple[Field, Field]]:
    """Coordinates (n, 64, 64) by frame: whole image, body, head, back of the head, face and nose."""
    axis = (np.arange(SIZE_PX, dtype=np.float32) + 0.5) * PIXEL - 1
    x = np.broadcast_to(axis, (len(p), SIZE_PX, SIZE_PX))
    y = np.broadcast_to(axis[:, None], (len(p), SIZE_PX, SIZE_PX))
    if style == "watercolor":
        x, y = x + 0.012 * warp_x, y + 0.012 * warp_y
    yaw, roll = _column(p.yaw), _column(p.roll)
    dx, dy = _column(p.offset[:, 0]), _column(p.offset[:, 1])
    body = (x - dx - 0.02 * yaw, y - dy * 0.5)
    hx, hy = x - dx - 0.05 * yaw, y - dy - HEAD_Y
    cos, sin = np.cos(roll), np.sin(roll)
    hx, hy = cos * hx + sin * hy, cos * hy - sin * hx
    turn = TURN * yaw
    squeeze = 1 - 0.10 * np.abs(yaw)
    return {
        "image": (x, y),
        "body": body,
        "head": (hx, hy),
        "back": (hx + 0.35 * turn, hy),
        "face": ((hx - turn) / squeeze, hy),
        "nose": (hx - 1.45 * turn, hy),
    }


def _background_color(p: Portraits, style: str) -> Color:
    color = palette.BACKGROUND[p.labels["background"]]
    if style == "watercolor":
        return np.asarray(0.85 * color + 0.15 * PAPER_COLOR)
    return color


def _backdrop(canvas: Canvas, p: Portraits, style: str) -> None:
    """A lighter disc behind the person; hatching in ink, washes of pigment in watercolor."""
    color = palette.BACKGROUND[p.labels["background"]]
    if style == "flat":
        canvas.paint("image", WHOLE, lambda x, y, f: shapes.circle(x, y, 0, 0.05, 0.84), palette.shade(color, 1.7))
    elif style == "ink":
        canvas.rgb += 0.30 * (PAPER_COLOR[:, None, None, None] - canvas.rgb)
        canvas.paint(
            "image",
            WHOLE,
            lambda x, y, f: np.abs(((x + y) / 0.25) % 1.0 - 0.5) * 0.177 - 0.026,
            palette.shade(color, 0.72),
            line=0.0,
        )
    else:
        canvas.rgb *= 1 + 0.10 * canvas.pigment


def _iris(figure: Figure) -> Color:
    """Eye colors (n, 3) from brown over green to blue."""
    t = figure.eye_hue[:, 0]
    brown, green, blue = palette.rgb("5A3420"), palette.rgb("3F7F57"), palette.rgb("2F6FB5")
    near = np.clip(2 * t, 0, 1)
    far = np.clip(2 * t - 1, 0, 1)
    return np.asarray(brown + near * (green - brown) + far * (blue - green), dtype=np.float32)


def _finish(canvas: Canvas, p: Portraits, style: str) -> Field:
    """Light over the whole picture, and the paper's border in watercolor; (3, n, 64, 64) in [0, 1]."""
    x, y = canvas.frames["image"]
    lx, ly = _column(p.lighting[:, 0]), _column(p.lighting[:, 1])
    rgb = canvas.rgb * (1 + 0.07 * (lx * x + ly * y))
    if style == "watercolor":
        edge = np.maximum(np.abs(x), np.abs(y)) + 0.06 * canvas.pigment
        bare = np.clip((edge - 0.90) / 0.07, 0, 1)
        rgb += bare * (PAPER_COLOR[:, None, None, None] - rgb)
    return np.asarray(np.clip(rgb, 0, 1))
