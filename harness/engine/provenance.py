"""Where a number comes from: code, environment, hardware, inputs and how the cell was executed (engine.md section 9).

Nothing here names a user, a home folder or a host: environment variables by allow-list, paths cut to their last name,
the host hashed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any

from harness.engine.cell import Cell
from harness.engine.components import parts, source_digest
from harness.engine.leases import host

VARIABLES = (
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_VISIBLE_DEVICES",
    "MKL_NUM_THREADS",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED",
    "PYTORCH_CUDA_ALLOC_CONF",
    "TOKENIZERS_PARALLELISM",
)
_PLAIN = re.compile(r"[\w.:,=-]{0,64}")


def collect(cell: Cell, *, flags: Mapping[str, Any], executed: Mapping[str, Any]) -> dict[str, Any]:
    """The provenance of one cell as JSON values.

    flags      determinism flags as set
    executed   executor, device, micro-batch asked for, threads, command line, start
    """
    return {
        "code": {**code(), "components": components(cell)},
        "environment": {**environment(), "flags": dict(flags)},
        "hardware": hardware(),
        "executed": dict(executed),
    }


def components(cell: Cell) -> dict[str, dict[str, Any]]:
    """Version and source digest of each component of a cell, by "kind name"."""
    return {f"{r} {p.name}": {"version": p.version, "source": source_digest(r, p.name)} for r, p in parts(cell)}


@cache
def code() -> dict[str, Any]:
    """Version of the harness; commit, dirty flag and hash of the difference where it runs from a git tree."""
    try:
        release = version("posthoc-harness")
    except PackageNotFoundError:
        release = ""
    package = Path(__file__).resolve().parent.parent
    top = _git(package, "rev-parse", "--show-toplevel")
    if not top or Path(top).resolve() != package.parent:
        return {"version": release, "commit": "", "dirty": None, "diff": ""}
    changes = _git(package.parent, "diff", "HEAD", "--binary", "--", "harness")
    extra = _git(package.parent, "ls-files", "--others", "--exclude-standard", "--", "harness")
    dirty = bool(changes or extra)
    diff = hashlib.blake2b(f"{changes}\0{extra}".encode(), digest_size=16).hexdigest() if dirty else ""
    return {"version": release, "commit": _git(package, "rev-parse", "HEAD"), "dirty": dirty, "diff": diff}


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    try:
        found = subprocess.run(command, capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.decode(errors="replace").strip()


@cache
def _packages() -> dict[str, str]:
    found = {d.metadata["Name"]: d.version for d in distributions() if d.metadata["Name"]}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def environment() -> dict[str, Any]:
    """Python, platform, installed packages, torch build with CUDA and cuDNN, driver, allowed variables."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "platform": f"{platform.system()}-{platform.machine()}-{'-'.join(platform.libc_ver())}",
        "packages": _packages(),
        "variables": variables(os.environ),
    }
    if (torch := sys.modules.get("torch")) is not None:
        found["torch"] = {
            "version": str(torch.__version__),
            "cuda": torch.version.cuda or "",
            "cudnn": str(torch.backends.cudnn.version() or ""),
            "driver": _driver(),
        }
    return found


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The allowed variables, and of those only plain values: no path, no text that could be a secret."""
    found = {k: environ[k] for k in VARIABLES if k in environ}
    return {k: v for k, v in found.items() if _PLAIN.fullmatch(v)}


@cache
def _driver() -> str:
    try:
        text = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(r"\b(\d+\.\d+(?:\.\d+)?)\b", text)
    return found[1] if found else ""


def hardware() -> dict[str, Any]:
    """CPU model, cores, memory, hashed host; name, memory and hashed UUID of the CUDA device where torch uses one."""
    found: dict[str, Any] = {"cpu": _cpu(), "cores": os.cpu_count(), "memory_mb": _memory_mb(), "host": host()}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        device = torch.cuda.get_device_properties(torch.cuda.current_device())
        uuid = hashlib.blake2b(str(getattr(device, "uuid", "")).encode(), digest_size=4).hexdigest()
        found["device"] = {"name": device.name, "memory_mb": device.total_memory // 2**20, "uuid": uuid}
    return found


@cache
def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


@cache
def _memory_mb() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20


def command_line(argv: Sequence[str]) -> list[str]:
    """The command line with every absolute or home path cut to its last name."""
    return [scrub(word) for word in argv]


_ROOTED = re.compile(r"(?<![\w.])[~/\\][^\s\"':,;=)\]]*[/\\]([^\s\"':,;=)\]/\\]*)")


def scrub(text: str, names: Iterable[str] = ()) -> str:
    """Text without the folders of absolute paths, and without the given names, the host's and the user's."""
    text = _ROOTED.sub(r"…/\1", text)
    for name in {*names, platform.node(), os.environ.get("USER", ""), os.environ.get("LOGNAME", ""), Path.home().name}:
        if len(name) > 2 and name not in ("root", "home"):
            text = re.sub(rf"\b{re.escape(name)}\b", "…", text)
    return text
