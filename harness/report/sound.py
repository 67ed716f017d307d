"""Sound for pages and folders: WAV bytes, data URIs and a drawing of loudness over time."""

from __future__ import annotations

import base64
import io
import wave

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from harness.report.svg import path, tag

BINS = 96


def wav(samples: NDArray[np.int16], rate: int) -> bytes:
    """A mono 16-bit WAV file of (t,) int16 samples. The bytes depend on nothing else."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.ascontiguousarray(samples, dtype="<i2").tobytes())
    return buffer.getvalue()


def data_uri(samples: NDArray[np.int16], rate: int) -> str:
    return f"data:audio/wav;base64,{base64.b64encode(wav(samples, rate)).decode('ascii')}"


def envelope(samples: NDArray[np.int16], longest: int) -> Markup:
    """The largest amplitude in each of BINS parts of `longest` samples, as an SVG that stretches with its box."""
    parts = np.array_split(np.arange(longest), BINS)
    heights = [
        float(np.abs(samples[p[0] : p[-1] + 1].astype(np.int32)).max(initial=0)) / 32768 for p in parts if len(p)
    ]
    shown = [max(0.4, 14 * min(1.0, h) ** 0.5) for h in heights]  # the root keeps quiet parts visible
    top = [(i, round(15 - h, 1)) for i, h in enumerate(shown)]
    bottom = [(i, round(15 + h, 1)) for i, h in reversed(list(enumerate(shown)))]
    shape = tag("path", d=path([*top, *bottom], closed=True))
    return tag("svg", shape, viewBox=f"0 0 {BINS} 30", preserveAspectRatio="none", class_="wave", aria_hidden="true")
