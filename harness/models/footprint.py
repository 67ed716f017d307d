"""What opening a model and running it takes: what would be downloaded, and the device memory. Read without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Phase:
    """A part of the work. resident_bytes of weights on the device, and bytes for each item worked on at once.

    at_once  items at a time where that is not the micro-batch (an autoencoder decoding one by one)
    """

    resident_bytes: int
    item_bytes: int
    at_once: int | None = None

    def bytes(self, micro_batch: int) -> int:
        return self.resident_bytes + self.item_bytes * (self.at_once or micro_batch)


@dataclass(frozen=True)
class Footprint:
    """An estimate, with what it was made from.

    download         hub id or address that is not here yet, "" where nothing is missing
    download_bytes   of the weights that are loaded (a repository may hold more); None: unknown
    parameters       by component; empty: unknown
    phases           encoding, denoising, decoding; empty: unknown
    basis            where the numbers are from
    """

    download: str = ""
    download_bytes: int | None = None
    parameters: Mapping[str, int] = field(default_factory=dict)
    phases: Mapping[str, Phase] = field(default_factory=dict)
    basis: str = ""

    def device_bytes(self, micro_batch: int) -> int | None:
        """Memory at the most demanding phase; allocator and convolution workspaces are not counted."""
        return max(p.bytes(micro_batch) for p in self.phases.values()) if self.phases else None

    def to_json(self, micro_batch: int) -> dict[str, Any]:
        return {
            "download": self.download or None,
            "download_bytes": self.download_bytes,
            "parameters": dict(self.parameters),
            "device_bytes": self.device_bytes(micro_batch),
            "device_bytes_one_item": self.device_bytes(1),
            "micro_batch": micro_batch,
            "basis": self.basis,
        }
