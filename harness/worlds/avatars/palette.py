"""The colors of the avatars world, sRGB in [0, 1]."""

from __future__ import annotations

import numpy as np

from harness.worlds.avatars.attributes import BY_NAME
from harness.worlds.avatars.canvas import Color


def rgb(code: str) -> Color:
    """A color (3,) float32 in [0, 1] from six hexadecimal digits."""
    return np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)], dtype=np.float32) / 255


def _table(attribute: str, **codes: str) -> Color:
    """Colors of an attribute's classes in order, (K, 3)."""
    return np.stack([rgb(codes[name]) for name in BY_NAME[attribute].classes])


SKIN = _table("skin", fair="FFDCC2", tan="E5AC78", bronze="B5763F", dark="6B4029")
HAIR = _table("hair_color", black="23202E", brown="7A4A2B", blond="F4CE62", ginger="E2631F", blue="3E74E0")
CLOTHES = _table("clothes", red="DC3D43", green="3FA05C", navy="2C3F7C", yellow="F6BE2C", purple="8B4BB0")
BACKGROUND = _table("background", sky="8CCBF0", mint="93DDB6", peach="FFB293", lilac="C6ADF0", sand="F1DFA4")

WHITE = rgb("FDFBF5")
DARK = rgb("2A2333")
LIP = rgb("A32E3F")
MOUTH = rgb("6E1F2E")
TONGUE = rgb("E8747A")
BLUSH = rgb("F0605A")
LENS = rgb("262433")
GLINT = rgb("8E8CB8")
FRAME = rgb("3A2A4D")
BEANIE = rgb("12A39A")
BEANIE_FOLD = rgb("F7EFD9")
STRAW = rgb("EBC46B")
STRAW_BAND = rgb("C8364A")
GOLD = rgb("FFC928")
JEWEL = rgb("E0345C")
APRON = rgb("F8F1E2")
COAT = rgb("F7FAFC")
STEEL = rgb("7C8797")
DENIM = rgb("5B84B8")
BUTTON = rgb("F7D774")


def shade(color: Color, factor: float) -> Color:
    """Darker (factor < 1) or lighter (factor > 1, towards white) version of colors (..., 3)."""
    if factor <= 1:
        return np.asarray(color * factor, dtype=np.float32)
    return np.asarray(1 - (1 - color) / factor, dtype=np.float32)
