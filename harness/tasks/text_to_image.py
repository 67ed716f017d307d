"""Text to image: samples of each prompt of a set, answered by images.

The shared inputs are the prompts and the keyed initial noise of every (prompt, sample); coupled groups are runs of
`group_size` samples of one prompt. The cluster of all intervals is the prompt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.data.prompts import load_prompts
from harness.methods.method import Couples, Group, Kind, Method, Sampling, Search
from harness.models import judges
from harness.options import option
from harness.tasks.prompt_search import PromptSearch, disjoint, refusal
from harness.tasks.retrofitting import Ready
from harness.tasks.task import ItemTable, RunContext, Shard, ShardResult, Task

if TYPE_CHECKING:
    from harness.data.image_set import ImageSet
    from harness.models.diffusion.loop import Samples

# Images a shard at most (whole prompts): what a kill can lose. Part of no address, because draws are keyed by item.
SHARD_ITEMS = 64


@dataclass(frozen=True)
class TextToImage(Task):
    """Options of the task; `items` are ordered by prompt, then sample."""

    prompts: str | tuple[str, ...] = option(
        help="named prompt set, .txt file, or a list of texts; identified by its texts", in_id=False
    )
    images_per_prompt: int = option(8, unit="images", at_least=1, help="samples of each prompt")
    group_size: int | None = option(None, unit="images", at_least=1, help="coupled group; default: all of a prompt")
    first: int | None = option(None, unit="prompts", at_least=1, help="only the first so many prompts of the set")
    judge: str | None = option(None, in_id=False, help="the image scorer that searches are told; identified by content")
    tune_prompts: str | tuple[str, ...] | None = option(
        None, help="prompts of offline searches, none of the report's; as many images each", in_id=False
    )

    name = "text_to_image"
    version = 1
    kinds = frozenset({Kind.SAMPLING, Kind.SEARCH})
    artifacts = frozenset({"images", "latents"})
    cluster = "prompt"

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        return load_prompts(self.prompts)[: self.first]

    def texts(self) -> tuple[str, ...]:
        return self._texts

    def content(self) -> dict[str, str]:
        """Judge and tune prompts stand there only where they are given: other suites keep their addresses."""
        found = {"prompts": _digest(self._texts)}
        if self.judge is not None:
            found["judge"] = judges.identity(judges.find(self.judge))
        if self.tune_prompts is not None:
            found["tune_prompts"] = _digest(self.tune_texts())
        return found

    def tune_texts(self) -> tuple[str, ...]:
        """The tune prompts; empty where there are none. Raises ValueError where one is reported too."""
        return self._tune_texts

    @cached_property
    def _tune_texts(self) -> tuple[str, ...]:
        found = () if self.tune_prompts is None else load_prompts(self.tune_prompts)
        disjoint(found, self._texts)
        return found

    def facts(self) -> tuple[Mapping[str, str], ...]:
        """The subject of every image: its prompt."""
        return tuple({"subject": self._texts[p]} for p in self.items().prompt)

    def refuses(self, method: Method) -> str:
        return refusal(self, method)

    @property
    def _group(self) -> int:
        size = self.group_size or self.images_per_prompt
        if self.images_per_prompt % size:
            raise ValueError(f"group_size {size} does not divide images_per_prompt {self.images_per_prompt}")
        return size

    def items(self) -> ItemTable:
        count, each = len(self._texts), self.images_per_prompt
        prompt = np.repeat(np.arange(count), each)
        sample = np.tile(np.arange(each), count)
        group = prompt * (each // self._group) + sample // self._group
        return ItemTable(prompt.astype(np.int64), sample.astype(np.int64), group.astype(np.int64))

    def shards(self) -> tuple[Shard, ...]:
        each, total = self.images_per_prompt, len(self._texts) * self.images_per_prompt
        step = max(1, SHARD_ITEMS // each) * each
        return tuple(Shard(i, a, min(a + step, total)) for i, a in enumerate(range(0, total, step)))

    def shards_of(self, method: Method) -> tuple[Shard, ...]:
        """One shard where every sample may depend on every other prompt's: a kill then loses the whole cell."""
        if method.coupling() is Couples.SEQUENCE:
            return (Shard(0, 0, len(self._texts) * self.images_per_prompt),)
        return self.shards()

    def feeds(self) -> frozenset[tuple[str, str]]:
        own = {"images", "features", "texts", "predictions", "expected", "targets", "confusion"}
        if self.judge is not None:
            own |= {"judged", "search"}
        return frozenset((kind, "generated") for kind in own)

    def prepare(self, model: Any, method: Method, seed: int, context: RunContext) -> Any:
        from harness.models.diffusion.stage import LoopStage

        if isinstance(method, Search):
            return PromptSearch(self, context).prepare(model, method, seed, context)
        if not isinstance(method, Sampling):
            raise TypeError(f"text_to_image takes samplings and searches, not {method.kind.value}: {method.name}")
        stage = LoopStage(
            model,
            prompts=self._texts,
            load_images=lambda role: self._set(role, context).load(self._texts).images,
            facts=lambda role: self._facts(role, context),
            micro_batch=context.micro_batch,
            cache=context.cache,
            folder=context.folder,
            group_size=self._group,
        )
        prepared = method.prepare(stage)
        for kind, count in stage.calls.items():
            context.charge(kind, count)
        return prepared

    def _facts(self, role: str, context: RunContext) -> tuple[str, int]:
        images = self._set(role, context)
        return images.digest(self._texts), images.size(self._texts)

    def _set(self, role: str, context: RunContext) -> ImageSet:
        if role not in context.image_sets:
            raise ValueError(
                f"the method asks for the image set {role!r}, which the suite's data section does not name"
            )
        return context.image_sets[role]

    def run(self, model: Any, method: Any, seed: int, shard: Shard, context: RunContext) -> ShardResult:
        from harness.models.diffusion.loop import sample

        if isinstance(method, Ready):
            return PromptSearch(self, context).run(model, method, seed, shard, context)
        assert isinstance(method, Sampling)
        groups = self.groups(seed, shard)
        samples = sample(model, method, groups, seed=seed, micro_batch=context.micro_batch, progress=context.progress)
        return _result(samples, groups)

    def groups(self, seed: int, shard: Shard) -> list[Group]:
        """The coupled groups of a shard."""
        table, size = self.items(), self._group
        return [
            Group(
                seed=seed,
                prompt_index=int(table.prompt[i]),
                prompt=self._texts[table.prompt[i]],
                index=int(table.sample[i]) // size,
                samples=tuple(int(s) for s in table.sample[i : i + size]),
            )
            for i in range(shard.start, shard.stop, size)
        ]


def _digest(texts: Sequence[str]) -> str:
    return hashlib.blake2b("\n".join(texts).encode(), digest_size=16).hexdigest()


def _result(samples: Samples, groups: Sequence[Group]) -> ShardResult:
    activity = tuple(
        (name, step, group.prompt_index, value) for group in groups for name, step, value in group.activity
    )
    return ShardResult(
        arrays={"images": samples.images, "latents": samples.latents},
        calls=dict(samples.calls),
        activity=activity,
        micro_batch=samples.micro_batch,
        tries=samples.tries,
    )
