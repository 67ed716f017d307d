"""The digits world: scikit-learn's 1797 handwritten digits, split by a committed manifest, with prompts.

Real images, 8x8 with 17 gray levels, enlarged to 32x32 by Catmull-Rom interpolation, dark ink on white, RGB.
"""

from __future__ import annotations

from harness.worlds.digits.data import SIZE_PX, load, verify
from harness.worlds.digits.prompts import PROMPT_SETS, caption, expected

__all__ = ["PROMPT_SETS", "SIZE_PX", "caption", "expected", "load", "verify"]
