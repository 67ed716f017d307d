"""The hooks of the denoising loop, and what they are given: the contract between the loop and sampling methods.

Plain declarations, read without torch. `harness.methods.method.Sampling` is a method with these hooks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from harness import keys

if TYPE_CHECKING:
    from torch import Tensor

    from harness.data.references import References


class Couples(StrEnum):
    """What an item's result depends on besides itself."""

    NOTHING = "nothing"
    GROUP = "group"  # the other items of its group
    HISTORY = "history"  # its group and the finished groups of the same prompt
    SEQUENCE = "sequence"  # every sample of a lower rank, of all prompts: groups of one, the whole cell one unit


@dataclass(frozen=True)
class Step:
    """One network evaluation of the sampler, in VP terms: x_t = a x0 + b ε, sigma = b / a.

    index     0 … count-1
    timestep  the scheduler's own
    time      normalised time in [0, 1], 1 = noise: timestep / num_train_timesteps for VP schedules, u for flows
    a, b      signal and noise scale of the latent as the method sees it (flows: a = 1-u, b = u)
    stage     0, or 1 for the second evaluation of a second-order solver's step
    start     sigma where the solver's step began, for stage 1; None: here
    """

    index: int
    count: int
    timestep: float
    time: float
    a: float
    b: float
    stage: int = 0
    start: float | None = None

    @property
    def sigma(self) -> float:
        return self.b / self.a if self.a > 0 else float("inf")

    @property
    def starting_sigma(self) -> float:
        """Sigma at which the solver's step began: that of its first evaluation."""
        return self.sigma if self.start is None else self.start

    @property
    def last(self) -> bool:
        return self.index == self.count - 1


@dataclass
class Group:
    """The items a method may couple: B samples of one prompt, and the method's memory for them.

    finished  (K, D) float32 final clean latents: of the earlier groups of the same prompt (Couples.HISTORY), or of all
              samples of a lower rank in their prompt, by rank and prompt index (Couples.SEQUENCE)
    finished_prompts  the prompt index of each of them (only for Couples.SEQUENCE)
    memory    free for the method's own state between steps
    """

    seed: int
    prompt_index: int
    prompt: str
    index: int  # number of the group within its prompt
    samples: tuple[int, ...]
    purpose: keys.Purpose = "method"
    finished: Tensor | None = None
    finished_prompts: tuple[int, ...] = ()
    memory: dict[str, Any] = field(default_factory=dict)
    activity: list[tuple[str, int, float]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.samples)

    def normal(self, shape: tuple[int, ...], sample: int, *indices: int | str) -> Tensor:
        """Method noise for one sample of the group, float32 on the CPU. `indices`: step index, try number, a word …"""
        return keys.normal(shape, self.seed, self.purpose, self.prompt_index, sample, *indices)

    def log(self, name: str, step: int, value: float) -> None:
        """Record how much the method did at a step (share of items changed, tries, …): activity columns."""
        self.activity.append((name, step, float(value)))


@dataclass(frozen=True)
class Condition:
    """The text condition of a group's items. Shapes are the pipeline's: embeddings (B, L, D), pooled (B, D) or None.

    `extra` holds what the denoiser needs besides (attention masks, time ids), untouched by methods.
    """

    embeddings: Tensor
    pooled: Tensor | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


class Stage(Protocol):
    """What a sampling method may ask before the first cell item: the model's scale and the protected points."""

    latent_shape: tuple[int, ...]
    prompts: tuple[str, ...]

    def base_latents(self, per_prompt: int) -> Tensor:
        """(P, per_prompt, D) float32 final clean latents of the untouched sampler under calibration keys."""

    def encode(self, data: str) -> Tensor:
        """(K, D) float32 clean latents of a named image set (a shield), model-scaled like the sampler's x0."""

    def references(self, data: str) -> References:
        """The same latents ready to be searched, memory-mapped where they are many."""

    def prompt_features(self) -> Tensor:
        """(P, E) float32 of unit length, by prompt index: what the model's own text encoder makes of each prompt."""

    def features(self, name: str) -> Callable[[Tensor], Tensor]:
        """The function from clean latents (B, C, h, w) to features (B, D) float32 of a named network.

        Decoder, then network; differentiable under torch.enable_grad. Kept in a field of the method, its calls are
        counted as the cell's. Raises UnknownName.
        """

    def image_features(self, name: str, data: str) -> Tensor:
        """(K, D) float32 features of a named image set under the same network, without the autoencoder."""


class Hooks:
    """Training-free interventions on diffusion sampling. Override the hooks you need; the others cost nothing.

    All tensors are float32 on the loop's device whatever the model's dtype (initial noise: on the CPU, where it was
    drawn, so that a selection among draws is the same on every device); x0 and latents are VP-scaled. Hooks get one
    group at a time and return a tensor of the same shape; returning the very same object means "untouched", and the
    loop then leaves the network's own output alone bit for bit. Tensors given to hooks are not to be written into.
    """

    name: ClassVar[str] = ""

    def coupling(self) -> Couples:
        """What couples items with these parameters."""
        return Couples.NOTHING

    def prepare(self, stage: Stage) -> Self:
        """The method with every scale fixed (a quantile turned into a radius). Called once a cell."""
        return self

    def initial_noise(self, noise: Tensor, group: Group) -> Tensor:
        """noise (B, C, H, W), the shared standard normal draws of the items."""
        return noise

    def condition(self, condition: Condition, step: Step, group: Group) -> Condition:
        """The conditional branch's text condition at this step."""
        return condition

    def negative(self, condition: Condition, step: Step, group: Group) -> Condition:
        """The unconditional (or negative) branch's condition at this step."""
        return condition

    def guidance(self, scale: float, step: Step, group: Group) -> float:
        """Guidance weight w of y_u + w (y_c - y_u); 1 is the conditional model and saves the other call."""
        return scale

    def clean_sample(self, x0: Tensor, step: Step, group: Group) -> Tensor:
        """x0 (B, C, H, W), the expected clean latent after guidance."""
        return x0

    def clean_samples(self, x0s: Sequence[Tensor], step: Step, groups: Sequence[Group]) -> Sequence[Tensor]:
        """`clean_sample` for all groups at hand, for work they can share (one pass over a large reference set).

        The result of a group must not depend on the other groups.
        """
        return [self.clean_sample(x0, step, group) for x0, group in zip(x0s, groups, strict=True)]

    def score(self, x: Tensor, step: Step, group: Group) -> Tensor | None:
        """An increment of the score ∇ log p_t at the noisy latent x (B, C, H, W), or None."""
        return None

    def latent(self, x: Tensor, step: Step, group: Group) -> Tensor:
        """x (B, C, H, W), the latent after the scheduler's update; also a flow's is scaled to a² + b² = 1 here."""
        return x

    def oversample(self) -> float:
        """Candidates drawn for each item kept: M = floor(B · oversample()) a group, at least B.

        Where M > B, `select` is called and hooks see M items; `samples` then names each candidate's sample. Candidates
        0 … B-1 of a group are the shared base noises, the next B come from the method's own keys, and so on.
        """
        return 1

    def select(self, x0: Tensor, group: Group) -> Sequence[int]:
        """Which of the candidates (M, C, H, W), clean latents, are kept: B indices, in the order of the items."""
        return range(len(group))
