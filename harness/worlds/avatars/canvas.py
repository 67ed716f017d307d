"""A batch of images being painted: windowed antialiased compositing in three drawing styles.

A canvas holds portraits of one style. Shapes are painted back to front; each is evaluated only in a window, which
makes the drawing fast. Ink adds a contour to every shape, watercolor softens borders and lets pigment gather there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.worlds.avatars.shapes import Field, Value

SIZE_PX = 64
PIXEL = 2.0 / SIZE_PX
INK_COLOR = np.array([30, 26, 44], dtype=np.float32) / 255
PAPER_COLOR = np.array([250, 246, 236], dtype=np.float32) / 255

Rows = NDArray[np.int64]
Color = NDArray[np.floating[Any]]


class Figure:
    """Per-portrait parameters by name, each (n, 1, 1) float32, which shapes read; `take` restricts them to rows."""

    def __init__(self, values: dict[str, Field]) -> None:
        self._values = values

    def __getattr__(self, name: str) -> Field:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(name) from None

    def take(self, rows: Rows) -> Figure:
        """The same parameters at `rows`."""
        return Figure({name: value[rows] for name, value in self._values.items()})


Shape = Callable[[Field, Field, Figure], Field]


@dataclass(frozen=True)
class Window:
    """A part of the image, in image units; y grows downwards."""

    x0: float
    y0: float
    x1: float
    y1: float

    def slices(self) -> tuple[slice, slice]:
        """Pixel rows and columns covered."""
        low = [int(np.clip(np.floor((v + 1) / PIXEL), 0, SIZE_PX)) for v in (self.y0, self.x0)]
        high = [int(np.clip(np.ceil((v + 1) / PIXEL), 0, SIZE_PX)) for v in (self.y1, self.x1)]
        return slice(low[0], high[0]), slice(low[1], high[1])


WHOLE = Window(-1, -1, 1, 1)


class Canvas:
    """Images (3, n, 64, 64) float32 in [0, 1] of portraits in one style, with the frames that shapes are drawn in.

    frames: name -> (x, y), each (n, 64, 64) float32: image coordinates, and those moved and turned with head or body.
    pigment: (n, 64, 64) float32 around 0, slow noise, read by the watercolor style.
    """

    def __init__(
        self, style: str, background: Color, frames: dict[str, tuple[Field, Field]], figure: Figure, pigment: Field
    ) -> None:
        self.style = style
        self.figure = figure
        self.frames = frames
        self.pigment = pigment
        n = background.shape[0]
        self.rgb = np.empty((3, n, SIZE_PX, SIZE_PX), dtype=np.float32)
        self.rgb[:] = background.T[:, :, None, None]

    def paint(
        self,
        frame: str,
        window: Window,
        shape: Shape,
        color: Color,
        rows: Rows | None = None,
        line: float = 0.02,
        alpha: Value = 1.0,
        soft: float = 0.0,
    ) -> None:
        """Composites a shape.

        color: (3,) or (n, 3) float32 in [0, 1], n counting all portraits of the canvas. rows: the portraits that have
        the shape, all by default. line: half width of the ink contour, 0 for none. alpha: opacity in [0, 1].
        soft: extra width of the border, for shades and blush.
        """
        if rows is not None and len(rows) == 0:
            return
        ys, xs = window.slices()
        fx, fy = self.frames[frame]
        pick: Rows | slice = slice(None) if rows is None else rows
        figure = self.figure if rows is None else self.figure.take(rows)
        x, y = fx[pick, ys, xs], fy[pick, ys, xs]
        d = shape(x, y, figure)
        paint = color if color.ndim == 1 else color[pick]
        layers = self._layers(d, paint, pick, ys, xs, line, alpha, soft)
        for cover, tint in layers:
            for c in range(3):
                channel = self.rgb[c, pick, ys, xs]
                channel += cover * (tint[c] - channel)
                if rows is not None:
                    self.rgb[c, pick, ys, xs] = channel

    def _layers(
        self, d: Field, paint: Color, pick: Rows | slice, ys: slice, xs: slice, line: float, alpha: Value, soft: float
    ) -> list[tuple[Field, list[Value]]]:
        """(coverage, three channel values) of what one shape lays down in this style."""
        tint: list[Value] = (
            [float(v) for v in paint] if paint.ndim == 1 else [paint[:, c, None, None] for c in range(3)]
        )
        if self.style == "watercolor":
            width = max(PIXEL * 1.15, soft)
            pool = self.pigment[pick, ys, xs]
            cover = np.clip(0.5 - (d + 0.02 * pool) / width, 0, 1)
            if soft == 0:
                shade = 1 + 0.10 * pool - 0.18 * np.exp(-((d + 0.02) ** 2) * 1200)
                tint = [np.clip(0.10 + 0.9 * t * shade, 0, 1) for t in tint]
            return [(np.asarray(cover * alpha), tint)]
        cover = np.clip(0.5 - d / max(PIXEL, soft), 0, 1) * alpha
        layers = [(np.asarray(cover), tint)]
        if self.style == "ink" and line > 0 and soft == 0:
            stroke = np.clip(0.5 + (line - np.abs(d)) / PIXEL, 0, 1)
            layers.append((stroke, [float(v) for v in INK_COLOR]))
        return layers
