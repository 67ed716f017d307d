"""A classifier as tasks and methods hold it: a network, the recipe that trains it, and how to make a fresh one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.models.vision.networks import Normalised
from harness.models.vision.recipe import Recipe
from harness.models.vision.training import Examples, answers, keyed

Make = Callable[[tuple[int, int, int], int], nn.Module]


@dataclass(frozen=True)
class Classifier:
    """network: pixels (n, C, H, W) float32 in [0, 1] → logits (n, K) float32, in evaluation mode without gradients."""

    network: nn.Module
    recipe: Recipe
    device: str

    def copy(self) -> Classifier:
        """The same weights in memory of their own."""
        return replace(self, network=deepcopy(self.network))

    def logits(self, examples: Examples) -> NDArray[np.float32]:
        """(N, K) float32."""
        found: NDArray[np.float32] = answers(self.network, examples.pixels).numpy()
        return found

    @property
    def head(self) -> nn.Linear:
        """The last linear layer. Raises ValueError for a network without one."""
        found = [m for m in self.network.modules() if isinstance(m, nn.Linear)]
        if not found:
            raise ValueError("the network has no linear layer: features before its head cannot be told")
        return found[-1]

    def features(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """What the head reads (n, D) and the logits (n, K), differentiable; pixels (n, C, H, W) float32 in [0, 1]."""
        seen: list[Tensor] = []
        hook = self.head.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        try:
            logits = self.network(pixels)
        finally:
            hook.remove()
        return seen[-1].flatten(1).float(), logits

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All weights and statistics, by name."""
        return {name: value.detach().cpu().numpy() for name, value in self.network.state_dict().items()}

    def loaded(self, arrays: Mapping[str, NDArray[Any]]) -> Classifier:
        """A copy with the weights of `arrays`."""
        made = self.copy()
        made.network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in arrays.items()})
        return made


@dataclass(frozen=True)
class Blueprint:
    """An architecture and its recipe, without weights: what a model of this family opens to.

    make      (C, H, W) and the number of classes → a network that reads normalised pixels
    identity  names architecture and recipe in addresses of trained weights
    """

    make: Make
    recipe: Recipe
    identity: str
    device: str

    def fresh(
        self, shape: tuple[int, int, int], classes: int, mean: Tensor, std: Tensor, seed: int, *key: int | str
    ) -> Classifier:
        """An untrained classifier; its first weights depend on (seed, key) alone."""
        with keyed(seed, *key, "weights", device=torch.device("cpu")):
            body = self.make(shape, classes)
        network = Normalised(body, mean.cpu(), std.cpu(), self.recipe.precision).to(self.device)
        # torch 2.15 on two threads of a CPU corrupts memory in the gradient of narrow channels-last convolutions
        if self.recipe.channels_last and not self.device.startswith("cpu"):
            network = network.to(memory_format=torch.channels_last)
        return Classifier(network.eval().requires_grad_(False), self.recipe, self.device)
