"""Peak memory of a stretch of work: of the process, and of a CUDA device where torch uses one."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

_MB = 1024.0 * 1024.0


def reset() -> None:
    """Start a new stretch; where the kernel cannot forget the process's peak, it stays that of its whole life."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    if (torch := sys.modules.get("torch")) is not None and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()


def peak_mb() -> dict[str, float]:
    """Peaks since `reset`: host (resident set) and, where used, device (allocated by torch)."""
    peaks = {"host": round(_host_mb(), 1)}
    if (torch := sys.modules.get("torch")) is not None and torch.cuda.is_initialized():
        peaks["device"] = round(torch.cuda.max_memory_allocated() / _MB, 1)
    return peaks


def _host_mb() -> float:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / _MB
    factor = 1.0 if sys.platform == "darwin" else 1024.0  # bytes there, kilobytes here
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * factor / _MB
