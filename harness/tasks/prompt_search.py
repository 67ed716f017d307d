"""Searches of text-to-image: knobs of the sampler on tune prompts, or the initial noise of every image.

Online, a latent is the initial noise (the network's first input: times sigma_max where latents are VE-scaled), and one
evaluation is a full sampling run whose images the judge sees as they are stored, in bytes. Offline, a point is judged
on images of `tune_prompts`, none of which is reported and whose noise has keys of its own.
What a run costs beside evaluations: the images of the returned latents are made once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness import keys
from harness.methods.method import Group, Method, Sampling, Search
from harness.methods.oracle import Answers, LatentOracle, Latents, Losses
from harness.models import judges
from harness.models.judges import NotDifferentiable
from harness.tasks.retrofitting import Facts, Ready, Retrofitting
from harness.tasks.task import RunContext, Shard, ShardResult

if TYPE_CHECKING:
    from torch import Tensor

    from harness.models.diffusion.adapter import Denoiser
    from harness.models.diffusion.loop import Samples
    from harness.tasks.text_to_image import TextToImage


def refusal(task: TextToImage, method: Method) -> str:
    """Why the task cannot run a search, "" where it can. Sampling methods need neither judge nor tune prompts."""
    if not isinstance(method, Search):
        return ""
    if task.judge is None:
        return f"{method.name} is a search: text_to_image needs the option `judge`, an image scorer, to tell it scores"
    if not method.online and task.tune_prompts is None:
        return f"{method.name} searches on tune items: text_to_image needs the option `tune_prompts`"
    return ""


def disjoint(tune: Sequence[str], report: Sequence[str]) -> None:
    """Raises ValueError where a prompt is in both, whatever its case and spaces."""
    seen = {" ".join(t.casefold().split()) for t in report}
    if both := [t for t in tune if " ".join(t.casefold().split()) in seen]:
        raise ValueError(f"{len(both)} tune prompts are reported too, the first {both[0]!r}")


class From(Sampling):
    """The untouched sampler from given initial noise, by (prompt index, sample)."""

    name = "iid"

    def __init__(self, noise: Mapping[tuple[int, int], Tensor]) -> None:
        self._noise = noise

    def initial_noise(self, noise: Tensor, group: Group) -> Tensor:
        import torch

        return torch.stack([self._noise[group.prompt_index, s] for s in group.samples]).reshape(noise.shape)


@dataclass
class PromptSearch(Retrofitting):
    """`asked` under searches: the retrofitting task made of its prompts.

    context   of the shard or of the preparation at hand; calls, tries, size   what sampling has spent, and its size now
    """

    asked: TextToImage
    context: RunContext
    calls: Counter[str] = field(default_factory=Counter)
    tries: int = 0

    name = "text_to_image"
    version = 1

    def __post_init__(self) -> None:
        self.size = self.context.micro_batch
        self.judge = self.asked.judge or ""

    # --- items --------------------------------------------------------------------------------------------------------

    def facts_of(self, split: str) -> Facts:
        if split == "report":
            return self.asked.facts()
        each = self.asked.images_per_prompt
        return tuple({"name": text, "subject": text} for text in self.asked.tune_texts() for _ in range(each))

    def clusters(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        table = self.asked.items()
        return table.prompt, table.sample

    def feeds(self) -> frozenset[tuple[str, str]]:
        return self.asked.feeds()

    def tune_groups(self, rows: range, seed: int) -> list[Group]:
        """Groups of the tune items: whole prompts but for the ends of `rows`."""
        each = self.asked.images_per_prompt
        groups = []
        for p, text in enumerate(self.asked.tune_texts()):
            if samples := tuple(i - p * each for i in rows if p * each <= i < (p + 1) * each):
                groups.append(Group(seed, p, text, 0, samples))
        return groups

    # --- sampling -----------------------------------------------------------------------------------------------------

    def sampled(
        self, model: Denoiser, method: Sampling, groups: Sequence[Group], seed: int, purpose: keys.Purpose
    ) -> Samples:
        """Images of the loop, its calls kept; a micro-batch that was too large is not tried again."""
        from harness.models.diffusion.loop import sample

        found = sample(model, method, groups, seed=seed, micro_batch=self.size, purpose=purpose)
        self.calls.update(found.calls)
        self.size, self.tries = found.micro_batch, self.tries + found.tries
        return found

    def answer(self, model: Any, split: str, rows: range, seed: int) -> Answers:
        from harness.methods.diversity.iid import Iid

        tune = split == "tune"
        groups = self.tune_groups(rows, seed) if tune else self.asked.groups(seed, Shard(0, rows.start, rows.stop))
        found = self.sampled(model, Iid(), groups, seed, "search" if tune else "init_noise")
        return {"images": found.images, "latents": found.latents}

    def cost(self, model: Any, items: int) -> Mapping[str, int]:
        """Network calls of an evaluation on `items` tune items, whoever paid for them."""
        count, w = len(model.timetable(model.steps).steps) * items, model.guidance
        both = not model.embeds_guidance
        return {
            "conditional": count if w != 0 or not both else 0,
            "unconditional": count if both and w != 1 else 0,
            "decoder": items,
        }

    def losses(self, answers: Answers, facts: Facts, judged: Answers) -> Losses:
        return 1 - np.clip(judged["score"].astype(np.float64), 0.0, 1.0)

    # --- the task -----------------------------------------------------------------------------------------------------

    def prepare(self, model: Any, method: Method, seed: int, context: RunContext) -> Ready:
        from harness.models.diffusion.adjustable import Adjustable

        if reason := refusal(self.asked, method):
            raise ValueError(reason)
        return super().prepare(Adjustable(model), method, seed, context)

    def run(self, model: Any, method: Any, seed: int, shard: Shard, context: RunContext) -> ShardResult:
        result = super().run(model, method, seed, shard, context)
        return replace(result, calls={**result.calls, **self.calls}, micro_batch=self.size, tries=self.tries)

    def refined(
        self, model: Any, method: Search, rows: range, seed: int, context: RunContext
    ) -> tuple[Answers, Losses, NDArray[np.float64]]:
        oracle = NoiseOracle(self, model, rows, seed, method.evaluations + 1)
        found = method.refine(oracle, seed)
        samples = oracle.sampled(found.latents)
        answers: Answers = {"images": samples.images, "latents": samples.latents}
        return answers, self.judged_losses(answers, oracle.facts, context), found.best


class NoiseOracle(LatentOracle):
    """Initial noise through the loop and the decoder to the judge."""

    def __init__(self, task: PromptSearch, model: Denoiser, rows: range, seed: int, runs: int) -> None:
        """runs: sampling runs to come, for progress."""
        table = task.asked.items()
        self._groups = task.asked.groups(seed, Shard(0, rows.start, rows.stop))
        self.keys = tuple((int(table.prompt[i]), int(table.sample[i])) for i in rows)
        self.latents = np.stack([self._noise(model, seed, "init_noise", *k) for k in self.keys])
        self.facts = [task.asked.facts()[i] for i in rows]
        self._task, self._model, self._seed, self._runs, self._done = task, model, seed, runs, 0
        self._judge = judges.opened(task.judge, task.context.device)
        self._spaces: dict[str, Any] = {}
        self._last: tuple[bytes, Samples] | None = None

    @staticmethod
    def _noise(model: Denoiser, seed: int, purpose: keys.Purpose, prompt: int, sample: int) -> Latents:
        drawn: Latents = keys.normal(model.latent_shape, seed, purpose, prompt, sample).flatten().numpy()
        return drawn

    def sampled(self, latents: Latents) -> Samples:
        """One sampling run of every item; the latents sampled last are not sampled twice (features, then a score)."""
        import torch

        token = latents.tobytes()
        if self._last is None or self._last[0] != token:
            start = dict(zip(self.keys, torch.from_numpy(np.ascontiguousarray(latents)), strict=True))
            groups = [replace(g, memory={}, activity=[]) for g in self._groups]
            samples = self._task.sampled(self._model, From(start), groups, self._seed, "init_noise")
            self._last = token, samples
            self._done += 1
            self._task.context.progress(len(latents) * min(1.0, self._done / self._runs))
        return self._last[1]

    def score(self, latents: Latents) -> NDArray[np.float64]:
        images = self.sampled(latents).images
        self._task.calls["scorer"] += len(images)
        judged = self._judge({"images": images, "latents": latents}, self.facts)
        return np.asarray(judged["score"], dtype=np.float64)

    def gradient(self, latents: Latents) -> tuple[NDArray[np.float64], Latents]:
        raise NotDifferentiable(f"the denoising loop keeps no gradients for {len(latents)} latents")

    def features(self, latents: Latents, extractor: str) -> NDArray[np.float32]:
        return self._features(self.sampled(latents).images, extractor)

    def prior_features(self, latents: Latents, extractor: str) -> NDArray[np.float32]:
        """Latent j becomes an image of prompt j mod the number of prompts."""
        import torch

        texts = self._task.asked.texts()
        groups = [
            Group(self._seed, p, text, 0, tuple(range(p, len(latents), len(texts))))
            for p, text in enumerate(texts[: len(latents)])
        ]
        order = [j for g in groups for j in g.samples]
        start = {(g.prompt_index, j): torch.from_numpy(latents[j]) for g in groups for j in g.samples}
        samples = self._task.sampled(self._model, From(start), groups, self._seed, "init_noise")
        found = self._features(samples.images, extractor)
        return found[np.argsort(order)]

    def _features(self, images: NDArray[np.uint8], extractor: str) -> NDArray[np.float32]:
        import torch

        from harness.models.feature_spaces import feature_space

        device = self._task.context.device
        if extractor not in self._spaces:
            self._spaces[extractor] = feature_space(extractor).open(device)
        self._task.calls["extractor"] += len(images)
        pixels = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            parts = [self._spaces[extractor](part).cpu() for part in torch.split(pixels, self._task.size)]
        rows: NDArray[np.float32] = torch.cat(parts).numpy()
        return rows
