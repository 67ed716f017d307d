"""What a sampling method may ask before the first item: base latents, encoded image sets, features of clean latents."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.data.references import References
from harness.models.diffusion.adapter import Denoiser
from harness.models.diffusion.features import Features
from harness.models.diffusion.hooks import Group, Hooks
from harness.models.diffusion.loop import sample
from harness.models.diffusion.microbatch import MicroBatches
from harness.models.feature_spaces import FEATURE_SPACES, FeatureSpace, feature_space

if TYPE_CHECKING:
    from torch import Tensor

Arrays = dict[str, NDArray[Any]]
Cache = Callable[[str, Callable[[], Arrays]], Arrays]


MAPPED_ABOVE = 2**30  # bytes of encoded images that are still held in memory, and shared with the metrics


class Untouched(Hooks):
    """The base sampler: no hook."""

    name = "untouched"


@dataclass
class LoopStage:
    """The stage over the loop (protocol methods.method.Stage).

    load_images  name of an image set → (K, H, W, 3) uint8 of the model's size
    facts        name of an image set → its digest and its size, so that a set whose latents are known is not loaded
    cache        content-addressed store of derived arrays, or None
    seed         of the calibration keys. One value for all cells, so that a scale is the same for every seed
    folder       key → folder for a memory-mapped set, or None: everything is held in memory
    calls        denoiser evaluations behind what was asked for, under "calibration", also where the cache answered;
                 and what `features` functions did so far
    spaces       feature networks by name
    """

    model: Denoiser
    prompts: tuple[str, ...]
    load_images: Callable[[str], NDArray[np.uint8]]
    micro_batch: int = 32
    facts: Callable[[str], tuple[str, int]] | None = None
    cache: Cache | None = None
    group_size: int = 8
    seed: int = 0
    steps: int | None = None
    guidance: float | None = None
    calls: dict[str, int] = field(default_factory=dict)
    spaces: Mapping[str, Callable[[], FeatureSpace]] = field(default_factory=lambda: FEATURE_SPACES)

    folder: Callable[[str], Path] | None = None

    latent_shape: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.latent_shape = self.model.latent_shape

    def base_latents(self, per_prompt: int) -> Tensor:
        """(P, per_prompt, D) float32 on the model's device: final clean latents of the untouched sampler."""
        import torch

        def make() -> Arrays:
            groups = [
                Group(self.seed, p, text, 0, tuple(range(per_prompt)), purpose="calibration")
                for p, text in enumerate(self.prompts)
            ]
            samples = sample(
                self.model,
                Untouched(),
                groups,
                seed=self.seed,
                steps=self.steps,
                guidance=self.guidance,
                micro_batch=self.micro_batch,
                purpose="calibration",
                decode=False,
            )
            spent = sum(samples.calls[kind] for kind in ("conditional", "unconditional", "auxiliary"))
            latents = samples.latents.reshape(len(self.prompts), per_prompt, -1)
            return {"latents": latents, "calls": np.array(spent, dtype=np.int64)}

        key = self._key("base_latents", self.prompts, per_prompt, self.seed, self.steps, self.guidance)
        stored = self._cached(key, make)
        self.calls["calibration"] = self.calls.get("calibration", 0) + int(stored["calls"])
        return torch.from_numpy(stored["latents"]).to(self.model.device)

    def encode(self, data: str) -> Tensor:
        """(K, D) float32 on the model's device: the VAE's means for a named image set, scaled as the sampler's x0."""
        import torch

        def make() -> Arrays:
            latents = np.empty((count, math.prod(self.latent_shape)), dtype=np.float32)
            self._encode(data, torch.from_numpy(latents))
            return {"latents": latents}

        digest, count = self._facts(data)
        key = self._key("encode", digest, count)
        return torch.from_numpy(self._cached(key, make)["latents"]).to(self.model.device)

    def references(self, data: str) -> References:
        """`encode`, ready to be searched. A large set is written to a memory-mapped folder, where there is one for it.

        On the model's device when they take less than a quarter of its free memory; else the search streams them.
        """
        digest, count = self._facts(data)
        shape = (count, math.prod(self.latent_shape))
        if self.folder is None or not self.model.fingerprint or 4 * math.prod(shape) <= MAPPED_ABOVE:
            return References.of(self.encode(data))
        target = self.folder(self._key("references", digest, count))
        try:
            found = References.open(target)
        except (FileNotFoundError, ValueError):
            found = References.write(target, shape, "float32", lambda rows: self._encode(data, rows))
        return found.to(self.model.device) if _fits(found, self.model.device) else found

    def _encode(self, data: str, rows: Tensor) -> None:
        """Latents of a named image set into rows (K, D). Raises ValueError when the set is not of the size it says."""
        import torch

        images = self._images(data)
        if len(images) != len(rows):
            raise ValueError(f"image set {data!r} holds {len(images)} images where it says {len(rows)}")
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2)

        def call(items: list[int], kept: int) -> None:
            block = self.model.encode(pixels[items].float() / 255.0)[:kept]
            if tuple(block.shape[1:]) != self.latent_shape:
                found = tuple(block.shape[1:])
                raise ValueError(f"images of {data!r} give latents {found}, the model's are {self.latent_shape}")
            rows[items[0] : items[0] + kept] = block.flatten(1).float().cpu()

        with torch.no_grad():
            MicroBatches(self.micro_batch).run(len(images), call)

    def prompt_features(self) -> Tensor:
        """(P, E) float32 of unit length on the model's device.

        The pooled vector of the model's text encoders where its pipeline has one, else the mean over all tokens; less
        that of the empty (negative) prompt, because positions and padding make any two prompts alike; 0 for the empty
        prompt itself. No prompt's row depends on the other prompts.
        """
        import torch

        rows = []
        with torch.no_grad():
            for text in self.prompts:
                positive, negative = (
                    (c.embeddings.float().mean(1) if c.pooled is None else c.pooled.float())[0]
                    for c in self.model.conditions(text)
                )
                rows.append(positive - negative)
        return torch.nn.functional.normalize(torch.stack(rows), dim=1).to(self.model.device)

    def features(self, name: str) -> Features:
        """Clean latents (B, C, h, w) → features (B, D) float32 of the named network. Raises UnknownName."""
        space = feature_space(name, self.spaces)
        network = space.open(str(self.model.device))
        return Features(space.name, space.digest, self.model, network, self.micro_batch, self.calls)

    def image_features(self, name: str, data: str) -> Tensor:
        """(K, D) float32 on the model's device: a named image set through the network itself. Raises UnknownName."""
        import torch

        features = self.features(name)

        def make() -> Arrays:
            images = self._images(data)
            pixels = torch.from_numpy(images).permute(0, 3, 1, 2)

            def call(rows: list[int], kept: int) -> NDArray[np.float32]:
                block = features.network(pixels[rows].to(self.model.device).float() / 255.0)[:kept]
                return np.asarray(block.float().cpu().numpy(), dtype=np.float32)

            with torch.no_grad():
                return {"features": np.concatenate(MicroBatches(self.micro_batch).run(len(images), call))}

        key = self._key("image_features", features.fingerprint, *self._facts(data))
        return torch.from_numpy(self._cached(key, make)["features"]).to(self.model.device)

    def _facts(self, data: str) -> tuple[str, int]:
        """What names a set's content, and its size; of a set that says neither, from its pixels."""
        if self.facts is not None:
            return self.facts(data)
        images = self._images(data)
        return content_of(images), len(images)

    def _images(self, data: str) -> NDArray[np.uint8]:
        images = self.load_images(data)
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
            raise ValueError(
                f"image set {data!r} must be (K, H, W, 3) uint8, found {images.dtype} of shape {images.shape}"
            )
        return images

    def _key(self, *facts: Any) -> str:
        text = json.dumps([self.model.fingerprint, str(self.model.dtype), *facts])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def _cached(self, key: str, make: Callable[[], Arrays]) -> Arrays:
        return make() if self.cache is None or not self.model.fingerprint else self.cache(key, make)


def content_of(images: NDArray[np.uint8]) -> str:
    """32 hexadecimal digits naming the pixels."""
    return hashlib.blake2b(np.ascontiguousarray(images).tobytes(), digest_size=16).hexdigest()


def _fits(references: References, device: Any) -> bool:
    import torch

    if torch.device(device).type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return references.rows.numel() * references.rows.element_size() < free / 4
