"""Gradient steps on labelled pictures: batches in keyed orders, keyed augmentation, one optimiser with its schedule.

Every order and every augmentation is drawn from (seed, purpose, key, epoch, step), on the CPU: what a step sees depends
on neither device, precision nor what ran before. Dropout of networks that have it is drawn under the same key.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.keys import generator

if TYPE_CHECKING:
    from harness.models.vision.recipe import Recipe

Key = tuple[int | str, ...]
PAD = 4  # pixels around a picture before it is cropped


@dataclass(frozen=True)
class Examples:
    """pixels (n, C, H, W) uint8 and labels (n,) int64, both on the device."""

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: Any) -> Examples:
        return Examples(self.pixels[rows], self.labels[rows])

    def relabelled(self, labels: Tensor) -> Examples:
        """The same pictures under other labels."""
        return Examples(self.pixels, labels.to(self.labels.device, torch.int64))

    def __add__(self, other: Examples) -> Examples:
        return Examples(torch.cat([self.pixels, other.pixels]), torch.cat([self.labels, other.labels]))


@dataclass(frozen=True)
class Batch:
    """One step's examples: pixels (b, C, H, W) float32 in [0, 1], labels (b,), rows (b,) into the set; its counters."""

    pixels: Tensor
    labels: Tensor
    rows: Tensor
    epoch: int
    step: int


def passes(examples: Examples, recipe: Recipe, epochs: int, seed: int, *key: int | str) -> Iterator[Batch]:
    """Batches of `epochs` passes over the examples, each in an order of its own, augmented as the recipe says."""
    count, step = len(examples), 0
    for epoch in range(epochs):
        order = generator(seed, "training", *key, "order", epoch).permutation(count)
        for start in range(0, count, recipe.batch):
            rows = torch.from_numpy(order[start : start + recipe.batch]).to(examples.labels.device)
            pixels = examples.pixels[rows].float() / 255
            if recipe.augment == "crop-flip":
                pixels = cropped(pixels, generator(seed, "training", *key, "augment", step))
            yield Batch(pixels, examples.labels[rows], rows, epoch, step)
            step += 1


def steps_of(count: int, recipe: Recipe, epochs: int) -> int:
    """Number of batches that `passes` gives for so many examples."""
    return epochs * -(-count // recipe.batch)


def endless(examples: Examples, recipe: Recipe, seed: int, *key: int | str) -> Iterator[Batch]:
    """Batches without end: a pass follows the other."""
    return passes(examples, recipe, 10**9, seed, *key)


def cropped(pixels: Tensor, drawn: np.random.Generator) -> Tensor:
    """Random crops after `PAD` pixels of zero padding; half of the pictures mirrored. (n, C, H, W) → the same shape."""
    n, channels, height, width = pixels.shape
    top, left = (torch.from_numpy(drawn.integers(0, 2 * PAD + 1, n)).to(pixels.device) for _ in range(2))
    mirrored = torch.from_numpy(drawn.random(n) < 0.5).to(pixels.device)
    padded = functional.pad(pixels, (PAD, PAD, PAD, PAD))
    columns = torch.arange(width, device=pixels.device)
    columns = torch.where(mirrored[:, None], columns.flip(0), columns) + left[:, None]
    rows = torch.arange(height, device=pixels.device) + top[:, None]
    n_, c_ = torch.arange(n, device=pixels.device), torch.arange(channels, device=pixels.device)
    return padded[n_[:, None, None, None], c_[None, :, None, None], rows[:, None, :, None], columns[:, None, None, :]]


def _nothing() -> None:
    pass


class Descent:
    """An optimiser over a network's parameters, its rate falling as the recipe says; a step takes a loss.

    sgd with the recipe's momentum and weight decay; adam with the given decay (0 unless said otherwise) and its usual
    moments. `clip` bounds the norm of the gradient.
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        steps: int,
        *,
        rate: float | None = None,
        optimiser: Literal["sgd", "adam"] = "sgd",
        weight_decay: float | None = None,
        clip: float | None = None,
    ) -> None:
        self.parameters = list(network.parameters())
        self.recipe, self.steps, self.rate, self.clip, self.done = recipe, steps, rate, clip, 0
        start = recipe.rate if rate is None else rate
        self.optimiser: torch.optim.Optimizer
        if optimiser == "sgd":
            decay = recipe.weight_decay if weight_decay is None else weight_decay
            self.optimiser = torch.optim.SGD(self.parameters, start, momentum=recipe.momentum, weight_decay=decay)
        else:
            self.optimiser = torch.optim.Adam(self.parameters, start, weight_decay=weight_decay or 0.0)

    def step(self, loss: Tensor, before: Callable[[], None] = _nothing, after: Callable[[], None] = _nothing) -> None:
        """One step down the loss. before: may touch the gradients; after: may touch the weights."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.rate_at(self.done, self.steps, self.rate)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.clip)
        before()
        self.optimiser.step()
        after()
        self.done += 1


def fit(
    network: nn.Module,
    examples: Examples,
    recipe: Recipe,
    seed: int,
    *key: int | str,
    epochs: int | None = None,
    rate: float | None = None,
    penalty: Callable[[Batch], Tensor] | None = None,
) -> int:
    """Cross-entropy down on the examples, in place; the number of steps. `penalty` is added to every batch's loss."""
    passed = recipe.epochs if epochs is None else epochs
    descent = Descent(network, recipe, steps_of(len(examples), recipe, passed), rate=rate)
    with learning(network, seed, *key):
        for batch in passes(examples, recipe, passed, seed, *key):
            loss = functional.cross_entropy(network(batch.pixels), batch.labels)
            descent.step(loss if penalty is None else loss + penalty(batch))
    return descent.done


@contextlib.contextmanager
def learning(network: nn.Module, seed: int, *key: int | str) -> Iterator[None]:
    """The network in training mode with gradients, dropout drawn under the key; evaluation mode afterwards."""
    network.train().requires_grad_(True)
    try:
        with torch.enable_grad(), keyed(seed, *key, "dropout", device=next(network.parameters()).device):
            yield
    finally:
        network.eval().requires_grad_(False)
        network.zero_grad(set_to_none=True)


@contextlib.contextmanager
def keyed(seed: int, *key: int | str, device: torch.device) -> Iterator[None]:
    """Layers draw from torch's own generators (first weights, dropout): set from the key inside, put back after."""
    devices: Iterable[torch.device] = [device] if device.type == "cuda" else []
    start = int(generator(seed, "training", *key).integers(2**62))
    with torch.random.fork_rng(devices=devices):
        torch.set_rng_state(torch.Generator().manual_seed(start).get_state())
        if device.type == "cuda":
            made = torch.Generator(device)
            torch.cuda.set_rng_state(made.manual_seed(start).get_state(), device)
        yield


def answers(network: nn.Module, pixels: Tensor, batch: int = 1024) -> Tensor:
    """Logits (N, K) float32 on the CPU of pictures (N, C, H, W) uint8, in evaluation mode."""
    network.eval()
    with torch.no_grad():
        parts = [network(pixels[i : i + batch].float() / 255).cpu() for i in range(0, len(pixels), batch)]
    return torch.cat(parts)
