"""Independent samples at equal cost: draw more of them, keep a max-min subset of the size that was asked for.

A group of B items draws M = floor(B · factor) samples of the untouched model and keeps B: the farthest pair, then one
after the other the sample whose least distance to the kept ones is largest (greedy farthest point), in `space`: final
latents, the features of a named network on decoded samples, or none at all (random: the control that pays and does not
look). A kept base sample stays its own item's, so that pairing with other methods holds where it can.
The mandatory second baseline of every diversity method (generation.md sections 6.1 and 7, rules.md 4): a method 2.5
times slower than sampling must beat the best 4 of 10. The budget is a count, not seconds (rules.md 33): set `factor` to
the method's measured cost, rounded down; the run warns where this row took more seconds than a method beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from harness import keys
from harness.methods.diversity.spread import distances
from harness.methods.diversity.subsets import farthest_points, least, seated
from harness.methods.method import Couples, Group, Sampling, Source, Stage, method
from harness.options import option

if TYPE_CHECKING:
    from torch import Tensor

LATENT, RANDOM = "latent", "random"  # spaces that need no network


@method(
    "iid_equal_time",
    couples=Couples.GROUP,
    source=Source("Independent sampling at equal time, max-min subset (ours)", licence="none needed"),
)
@dataclass(frozen=True)
class IidEqualTime(Sampling):
    """More independent samples than asked for, of which a far-apart subset is kept."""

    factor: float = option(
        2.5,
        unit="draws an item",
        at_least=1.0,
        help="samples drawn for each one kept",
        source="generation.md 6.1: 4 of 10",
    )
    space: str = option(
        LATENT,
        help="where distances are taken: latent, random, or a feature network by name",
        source="ours: costs nothing",
    )
    features: Callable[[Tensor], Tensor] | None = field(default=None, repr=False, compare=False)  # set by prepare

    def oversample(self) -> float:
        return self.factor

    def prepare(self, stage: Stage) -> Self:
        return self if self.space in (LATENT, RANDOM) else replace(self, features=stage.features(self.space))

    def select(self, x0: Tensor, group: Group) -> Sequence[int]:
        count = len(set(group.samples))
        if self.space == RANDOM:
            random = keys.generator(group.seed, group.purpose, group.prompt_index, group.index, "subset")
            chosen = [int(i) for i in random.permutation(len(x0))[:count]]
        else:
            if self.space != LATENT and self.features is None:
                raise ValueError(f"{self.name} is not prepared: the features {self.space!r} are not open")
            points = x0 if self.features is None else self.features(x0)
            apart = distances(*[points.flatten(1).double()] * 2)
            chosen = farthest_points(apart, count)
            every = least(apart, list(range(count)))
            group.log("least.distance", 0, least(apart, chosen) / every if every > 0 else 1.0)
        group.log("replaced", 0, sum(i >= count for i in chosen) / count)
        return seated(chosen, group.samples[:count])
