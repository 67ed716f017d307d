"""Where a pipeline's parts are: all on the device, or the device lent to the part that works.

Three parts take turns: text (encoders), network (denoiser), vae. A model that does not fit as a whole fits part by
part; what is computed is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class Offload(StrEnum):
    """What waits in host memory while it does not work."""

    NOTHING = "nothing"
    TEXT = "text"  # the text encoders, after they encoded
    PARTS = "parts"  # everything but the part at work


class Placement:
    """Moves modules as they are needed.

    parts   "text", "network", "vae" → modules
    device  where work is done; what waits is on the CPU
    """

    def __init__(self, parts: Mapping[str, Sequence[Any]], device: torch.device, offload: Offload) -> None:
        self.parts, self.device = parts, device
        self.guests = {Offload.NOTHING: frozenset[str](), Offload.TEXT: frozenset({"text"})}.get(
            offload, frozenset(parts)
        )
        self.present: set[str] = set(parts)
        for name in parts:
            self._move(name, name not in self.guests)

    def need(self, name: str) -> None:
        """Bring a part to the device, after every other guest has left it."""
        for other in sorted(self.present & self.guests - {name}):
            self._move(other, False)
        if name not in self.present:
            self._move(name, True)

    def _move(self, name: str, here: bool) -> None:
        for module in self.parts[name]:
            module.to(self.device if here else "cpu")
        (self.present.add if here else self.present.discard)(name)
