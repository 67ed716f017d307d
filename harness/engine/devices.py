"""Which devices a run uses, found without importing torch where there is none to find."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path


class NoSuchDevice(ValueError):
    """A device that is not a device, or not here."""


def slots(device: str, workers: int) -> tuple[str, ...]:
    """The device of each worker: auto | cpu | cuda | cuda:N, and how many workers (0: one a device).

    Raises NoSuchDevice.
    """
    if workers < 0:
        raise NoSuchDevice(f"{workers} workers; expected 0 (one a device) or more")
    named = _devices(device)
    return tuple(named[i % len(named)] for i in range(workers or len(named)))


def _devices(device: str) -> tuple[str, ...]:
    if device == "cpu":
        return ("cpu",)
    if device == "auto":
        return tuple(f"cuda:{i}" for i in range(_count())) or ("cpu",)
    if not re.fullmatch(r"cuda(:\d+)?", device):
        raise NoSuchDevice(f"unknown device {device!r}; expected auto, cpu, cuda or cuda:N")
    count = _count()
    if device == "cuda" and count:
        return tuple(f"cuda:{i}" for i in range(count))
    index = int(device.partition(":")[2] or 0)
    if index >= count:
        raise NoSuchDevice(f"device {device} is not here: torch sees {count} CUDA devices; use --device cpu")
    return (device,)


def _count() -> int:
    """CUDA devices that torch can use."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "" or not any(Path("/dev").glob("nvidia[0-9]*")):
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def pinned(device: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What the environment of a worker says so that it sees its own device only, as "cuda"."""
    if not device.startswith("cuda:"):
        return {"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}
    index = int(device.partition(":")[2])
    visible = [v for v in environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if v.strip()]
    return {"CUDA_VISIBLE_DEVICES": visible[index].strip() if visible else str(index)}


def threads_each(workers: int, environ: Mapping[str, str] = os.environ) -> int:
    """Torch threads of each of so many workers: this machine's cores, or fewer where OMP_NUM_THREADS asks for fewer.

    More threads than free cores is not a little slower but many times: OpenMP's threads spin while they wait.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = environ.get("OMP_NUM_THREADS", "")
    wanted = int(asked) if asked.isdigit() and int(asked) > 0 else cores
    return max(1, min(cores, wanted) // max(1, workers))
