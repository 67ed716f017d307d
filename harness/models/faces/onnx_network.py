"""An ONNX file as a network: run by onnxruntime, or converted to torch for gradients (onnx2torch).

The conversion must give the same numbers: on a fixed picture both are compared when it is opened.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.models.faces.embedding import Network
from harness.models.faces.onnx_lowering import OPSET, NotLowered, lowered
from harness.models.faces.recogniser import NoGradients
from harness.models.model import Missing

if TYPE_CHECKING:
    from torch import Tensor

PARITY = 1e-4  # of unit vectors: float32 sums in another order


def packages(*needed: str) -> tuple[Missing, ...]:
    """What is missing of the Python packages."""
    gone = (n for n in needed if find_spec(n) is None)
    return tuple(Missing(f"Python package {n}", ("this environment",), f"pip install {n}") for n in gone)


def session(path: Path, device: str) -> Any:
    """An onnxruntime session: CUDA where the device is one and this onnxruntime has it, else the CPU.

    Raises ValueError for a file that has not one input and one output.
    """
    onnxruntime: Any = import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    wanted = ["CUDAExecutionProvider"] if device.startswith("cuda") else []
    usable = [p for p in wanted if p in onnxruntime.get_available_providers()]
    opened = onnxruntime.InferenceSession(str(path), options, providers=[*usable, "CPUExecutionProvider"])
    inputs, outputs = len(opened.get_inputs()), len(opened.get_outputs())
    if (inputs, outputs) != (1, 1):
        raise ValueError(f"{path.name} has {inputs} inputs and {outputs} outputs; a recogniser has one of each")
    return opened


def runtime(path: Path, device: str) -> Network:
    """The network in onnxruntime, one picture at a time: vectors cannot feel their neighbours."""
    import numpy as np
    import torch

    opened = session(path, device)
    name = opened.get_inputs()[0].name

    def run(pixels: Tensor) -> Tensor:
        levels = pixels.detach().cpu().numpy().astype(np.float32)
        rows = [opened.run(None, {name: np.ascontiguousarray(one[None])})[0].reshape(1, -1) for one in levels]
        return torch.from_numpy(np.concatenate(rows)).to(pixels.device)

    return run


def converted(path: Path, device: str, side: int, name: str) -> Network:
    """The network in torch, weights frozen. Raises NoGradients where it cannot be converted or gives other numbers."""
    import torch

    module = _module(path, name).to(device).eval().requires_grad_(False)

    def run(pixels: Tensor) -> Tensor:
        made: Tensor = module(pixels)
        return made

    at = torch.linspace(-1.0, 1.0, side, device=device)
    waves = torch.stack([torch.sin(3 * at[:, None] + k * at[None] + k) for k in range(3)])[None]
    # onnx2torch indexes by lists, which torch may read otherwise one day: the comparison below would say so
    warnings.filterwarnings("ignore", "Using a non-tuple sequence", UserWarning)
    with torch.inference_mode():
        ours, theirs = run(waves).flatten(1), runtime(path, "cpu")(waves).flatten(1)
        apart = float((ours / ours.norm() - theirs / theirs.norm()).abs().max())
    if not apart <= PARITY:
        raise NoGradients(name, f"its form in torch differs from onnxruntime by {apart:.2g}, above {PARITY:g}")
    return run


def _module(path: Path, name: str) -> Any:
    onnx, converter = import_module("onnx"), import_module("onnx2torch")
    try:
        return converter.convert(lowered(onnx.load(str(path))))
    except (NotImplementedError, NotLowered) as error:
        why = f"{path.name} cannot be converted; export it with opset {OPSET}: {error}"
        raise NoGradients(name, " ".join(why.split())) from error
