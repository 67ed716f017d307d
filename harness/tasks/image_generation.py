"""Image generation without prompts: latents of a generator, answered by images.

Images come in blocks; a block is the cluster of all intervals and what pairwise diversity is measured in. Latents of
the report are keyed by block and sample, those of the tune split are others. Offline searches move the generator,
online ones each image's latent; the tune judge is an image scorer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.keys import generator
from harness.methods.method import Search
from harness.methods.oracle import Answers, LatentOracle, Latents, Losses
from harness.models import judges
from harness.options import option
from harness.tasks.retrofitting import Facts, Retrofitting
from harness.tasks.task import RunContext


@dataclass(frozen=True)
class ImageGeneration(Retrofitting):
    """Options of the task. The loss of an image is 1 - score of the judge, brought into [0, 1]."""

    judge: str = option(help="the image scorer of the loss")
    blocks: int = option(12, unit="blocks", at_least=2, help="clusters of the report")
    images_per_block: int = option(16, unit="images", at_least=2, help="images of each")
    tune: int = option(48, unit="images", at_least=1, help="images that an offline search may see")
    subject: str = option("a portrait", help="text that says what is generated, for judges and attribute targets")

    name = "image_generation"
    version = 1
    artifacts = frozenset({"images", "latents"})
    cluster = "block"
    report_only = frozenset({"blocks", "images_per_block"})

    def facts_of(self, split: str) -> Facts:
        count = self.tune if split == "tune" else self.blocks * self.images_per_block
        return tuple({"name": f"{split} {i}", "subject": self.subject} for i in range(count))

    def texts(self) -> tuple[str, ...]:
        return (self.subject,) * self.blocks

    def clusters(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        block, sample = np.divmod(np.arange(self.blocks * self.images_per_block, dtype=np.int64), self.images_per_block)
        return block, sample

    def feeds(self) -> frozenset[tuple[str, str]]:
        own = {"images", "features", "predictions", "expected", "targets", "confusion", "judged", "search"}
        return frozenset((kind, "generated") for kind in own)

    def latents(self, size: int, split: str, rows: range, seed: int) -> Latents:
        """(n, size) standard normal, a key an item."""
        if split == "tune":
            keys: list[tuple[int | str, ...]] = [("tune", i) for i in rows]
            return np.stack([generator(seed, "search", *k).standard_normal(size, dtype=np.float32) for k in keys])
        block, sample = self.clusters()
        drawn = [generator(seed, "init_noise", int(block[i]), int(sample[i])) for i in rows]
        return np.stack([g.standard_normal(size, dtype=np.float32) for g in drawn])

    def answer(self, model: Any, split: str, rows: range, seed: int) -> Answers:
        latents = self.latents(model.latent_size, split, rows, seed)
        return {"images": model.decode(latents), "latents": latents}

    def losses(self, answers: Answers, facts: Facts, judged: Answers) -> Losses:
        return 1 - np.clip(judged["score"].astype(np.float64), 0.0, 1.0)

    def refined(
        self, model: Any, method: Search, rows: range, seed: int, context: RunContext
    ) -> tuple[Answers, Losses, NDArray[np.float64]]:
        oracle = _ImageOracle(self, model, rows, seed, context)
        found = method.refine(oracle, seed)
        answers = {"images": model.decode(found.latents), "latents": found.latents}
        return answers, self.judged_losses(answers, oracle.facts, context), found.best


class _ImageOracle(LatentOracle):
    """Latents through the generator to the judge. Images are judged as they are stored: in bytes."""

    def __init__(self, task: ImageGeneration, model: Any, rows: range, seed: int, context: RunContext) -> None:
        self.latents = task.latents(model.latent_size, "report", rows, seed)
        block, sample = task.clusters()
        self.keys = tuple((int(block[i]), int(sample[i])) for i in rows)
        self.facts: list[Mapping[str, Any]] = [task.facts()[i] for i in rows]
        self._model, self._task, self._context = model, task, context
        self._judge = judges.opened(task.judge, context.device)
        self._spaces: dict[str, Any] = {}

    def score(self, latents: Latents) -> NDArray[np.float64]:
        judged = self._judge({"images": self._model.decode(latents), "latents": latents}, self.facts)
        return np.asarray(judged["score"], dtype=np.float64)

    def gradient(self, latents: Latents) -> tuple[NDArray[np.float64], Latents]:
        import torch

        scorer = judges.find(self._task.judge).gradient(self._context.device)
        self._context.charge("gradient", len(latents))
        z = torch.from_numpy(latents).to(self._context.device).requires_grad_(True)
        with torch.enable_grad():
            scores = scorer(self._model.decode_tensor(z))
            (slope,) = torch.autograd.grad(scores.sum(), z)
        return scores.detach().cpu().double().numpy(), slope.cpu().numpy()

    def features(self, latents: Latents, extractor: str) -> NDArray[np.float32]:
        import torch

        from harness.models.feature_spaces import feature_space

        if extractor not in self._spaces:
            self._spaces[extractor] = feature_space(extractor).open(self._context.device)
        images = torch.from_numpy(self._model.decode(latents)).to(self._context.device)
        self._context.charge("extractor", len(images))
        with torch.inference_mode():
            rows: NDArray[np.float32] = self._spaces[extractor](images.permute(0, 3, 1, 2).float() / 255).cpu().numpy()
        return rows
