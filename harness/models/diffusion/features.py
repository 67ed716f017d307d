"""Clean latents to features: the autoencoder's decoder and a feature network, with gradients where they are wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.models.diffusion.adapter import Denoiser
from harness.models.diffusion.microbatch import MicroBatches

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Features:
    """A named function from clean latents (B, C, h, w) to features (B, D) float32.

    Differentiable under torch.enable_grad; the decoder's clamp to [0, 1] passes no gradient where a pixel is clipped.
    Calls go in micro-batches like the denoiser's, padded the same way, so that an item feels no neighbour.

    fingerprint  names the network's weights
    micro_batch  items a decoder call at most
    calls        where every use is counted, an item each: "decoder", "extractor", "gradient"
    """

    name: str
    fingerprint: str
    model: Denoiser
    network: Callable[[Tensor], Tensor]
    micro_batch: int = 32
    calls: dict[str, int] = field(default_factory=dict)

    def __call__(self, latents: Tensor) -> Tensor:
        """Features of `latents`, float32 on their device."""
        import torch

        def call(rows: list[int], kept: int) -> Tensor:
            return self._forward(latents[rows])[:kept]

        self._count(len(latents), "decoder", "extractor")
        return torch.cat(MicroBatches(self.micro_batch).run(len(latents), call))

    def pull_back(self, latents: Tensor, force: Callable[[Tensor], Tensor]) -> Tensor:
        """J^T v (B, C, h, w) float32, with v = force(features) (B, D) held constant and J the features' Jacobian.

        One micro-batch at a time holds a graph: above one micro-batch the features are computed twice.
        """
        import torch

        count = len(latents)
        wanted: Tensor | None = None

        def call(rows: list[int], kept: int) -> Tensor:
            nonlocal wanted
            if wanted is None and kept < count:  # memory may cut a whole micro-batch later, too
                with torch.no_grad():
                    wanted = force(self(latents))
            with torch.enable_grad():
                z = latents[rows].detach().float().requires_grad_()
                found = self._forward(z)
                v = force(found[:kept].detach()) if wanted is None else wanted[rows[:kept]]
                (pulled,) = torch.autograd.grad(found[:kept], z, v.to(found))
            return pulled[:kept].detach().float()

        self._count(count, "decoder", "extractor", "gradient")
        return torch.cat(MicroBatches(self.micro_batch).run(count, call))

    def _forward(self, latents: Tensor) -> Tensor:
        return self.network(self.model.decode(latents.to(self.model.device))).float()

    def _count(self, items: int, *kinds: str) -> None:
        for kind in kinds:
            self.calls[kind] = self.calls.get(kind, 0) + items


def counters(method: Any) -> Iterator[dict[str, int]]:
    """The counters of all `Features` in a method's fields, each once: what the loop adds to a run's calls."""
    found = {id(v.calls): v.calls for v in vars(method).values() if isinstance(v, Features)}
    return iter(found.values())
