"""One gain and one bias per block: a block's output y becomes (1 + g) y + b s, s being the scale of a step; d = 2L.

Source: generation.md section 1, parameterisation (a); our definition.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.models.parameterisations.parameterisation import Parameterisation, Point, Session

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class BlockGains(Parameterisation):
    """scale: change of gain, and of bias, for one unit of a coordinate. Order: gains of all blocks, then biases."""

    scale: float = 0.1

    name = "block_gains"

    def size(self, session: Session) -> int:
        if not session.blocks:
            raise ValueError("this model names no blocks to scale")
        return 2 * len(session.blocks)

    @contextmanager
    def applied(self, session: Session, point: Point) -> Iterator[None]:
        point = self.check(session, point)
        count = len(session.blocks)
        with ExitStack() as stack:
            for block, gain, bias in zip(session.blocks.values(), point[:count], point[count:], strict=True):
                if gain or bias:
                    hook = block.register_forward_hook(_scaling(1 + self.scale * gain, self.scale * bias))
                    stack.callback(hook.remove)
            yield


def _scaling(gain: float, bias: float) -> Any:
    def change(tensor: torch.Tensor) -> torch.Tensor:
        return tensor * gain + bias if bias else tensor * gain

    def hook(_module: Any, _inputs: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (change(output[0]), *output[1:])
        if hasattr(output, "keys"):  # a model output: its first entry is the hidden state
            first = next(iter(output.keys()))
            output[first] = change(output[first])
            return output
        return change(output)

    return hook
