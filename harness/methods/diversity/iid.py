"""Independent samples of the untouched model: the do-nothing method that every other one is compared with.

No hook is active, so the loop gives the stock pipeline's images bit for bit (generation.md section 6.1).
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.methods.method import Sampling, Source, method


@method("iid", source=Source(title="Independent sampling", licence="none needed"))
@dataclass(frozen=True)
class Iid(Sampling):
    """No options, no hooks."""
