"""1:n identification: is the person of a protected photo still among the first k of a gallery?

h = 1[rank < k], identity-macro averages E over probes: hit E[h]; untargeted 1 - E[h]; untargeted_cond, the headline,
E[(1 - h) h_clean] / E[h_clean]; gain E[h_clean] - E[h]; targeted: share of photos for which the impersonation target,
enrolled with the evaluation photo, is among the first k, minus the same for the clean photos. Ties count against who
protects and against who pretends. `template`: a person's score is that of the best photo (max) or of the mean photo
(mean: the attacker who averages); image ranks photos instead of people. The verification threshold plays no part.
Source: face_privacy.md section 8.5. Traps: T5, T9 to T11, T20.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from harness.metrics.faces.averages import averaged, means, worst_tenth
from harness.metrics.faces.choices import FACE, PROTOCOL, TRANSFORM, Fta, K, Protocol
from harness.metrics.faces.gallery import Enrolled, Ranked, Template, enrolled, ranked
from harness.metrics.faces.ranking import chance
from harness.metrics.faces.transforms import Transform
from harness.metrics.faces.view import Bools, cast_of, needed, view_of
from harness.metrics.inputs import Floats
from harness.metrics.metric import (
    CannotMeasure,
    Direction,
    Evidence,
    Measurement,
    Metric,
    Need,
    metric,
)
from harness.options import option
from harness.stats.units import Estimator

Texts = NDArray[np.str_]
SOURCE = "face_privacy.md section 8.5"
NO_HIT = "no_clean_match: no clean probe finds its person, so none can be protected"
RateName = Literal["hit", "untargeted", "untargeted_cond", "gain"]


def parts(name: RateName, clean: Bools, now: Bools) -> tuple[Floats, Floats]:
    """Numerator and denominator of a rate, of hits clean and now (n,)."""
    if name == "gain":
        return clean.astype(np.float64) - now, np.ones(clean.shape)
    upper = {"hit": now, "untargeted": ~now, "untargeted_cond": ~now & clean}[name]
    lower = clean if name == "untargeted_cond" else np.ones_like(clean)
    return upper.astype(np.float64), lower.astype(np.float64)


@dataclass(frozen=True)
class _Identification(Metric):
    """What the four rates share."""

    face: str = FACE
    k: int = K
    protocol: Protocol = PROTOCOL
    share: float = option(1.0, above=0, at_most=1, help="of a user's own gallery photos, those protected (P, B)")
    template: Template = option("max", help="score of a person: best photo, or mean photo; image ranks photos")
    fta: Fta = option("protected", help="a photo without a face found: not among the first k, or left out")
    transform: Transform = TRANSFORM

    rate_name: ClassVar[RateName]

    def needs(self) -> tuple[Need, ...]:
        return (Need("cast"), needed(self.face, self.transform))

    def measure(self, evidence: Evidence) -> Measurement:
        view, cast = view_of(evidence, self.face, self.transform), cast_of(evidence)
        who = enrolled(cast, evidence.items.keys, self.share)
        found = ranked(view, who, self.protocol, self.template)
        chosen = self._left(found, self.fta)
        people = who.people[who.person]
        value = self._value(found, chosen, people, evidence.seed)
        upper, lower = parts(self.rate_name, found.clean < self.k, found.now < self.k)
        at = np.flatnonzero(chosen & (lower > 0))
        items = evidence.items.keys[who.probe[at]], people[at], upper[at] / lower[at]
        beside = self._beside(found, who, evidence.seed)
        beside["gallery"] = Measurement(float(found.size), found.size, None)
        if len(at):
            names, number = np.unique(people[at], return_inverse=True)
            sign = -1.0 if self.direction is Direction.LOWER else 1.0
            each = sign * means(upper[at], number.astype(np.int64), len(names))
            beside["worst_decile"] = Measurement(sign * worst_tenth(each), -(-len(names) // 10), None)
        if not found.found.all():
            beside["fta"] = Measurement(float((~found.found).sum()), len(found.found), None)
            other: Fta = "excluded" if self.fta == "protected" else "protected"
            try:
                also = self._value(found, self._left(found, other), people, evidence.seed)
                beside[f"fta_{other}"] = Measurement(also.value, also.n, None)
            except CannotMeasure:
                pass
        return Measurement(value.value, value.n, value.units, items, beside)

    def _left(self, found: Ranked, fta: str) -> Bools:
        return found.found if fta == "excluded" else np.ones(len(found.now), dtype=bool)

    def _value(self, found: Ranked, chosen: Bools, people: Texts, seed: int) -> Measurement:
        upper, lower = parts(self.rate_name, found.clean[chosen] < self.k, found.now[chosen] < self.k)
        reason = NO_HIT if chosen.any() else "no_faces: no probe is left"
        return averaged(upper, lower, people[chosen], seed, reason, share=self.rate_name != "gain")

    def _beside(self, found: Ranked, who: Enrolled, seed: int) -> dict[str, Measurement]:
        """The clean hit rate, and what a random embedding gets (untargeted, people as ranks or one mate a photo)."""
        people, ones = who.people[who.person], np.ones(len(found.clean))
        clean = averaged((found.clean < self.k).astype(np.float64), ones, people, seed, "")
        beside = {"hit_clean": Measurement(clean.value, clean.n, clean.units)}
        mates = np.bincount(who.owner, minlength=len(who.people))[who.person] if self.template == "image" else ones
        if self.rate_name.startswith("untargeted") and self.k <= found.size:
            random = float(np.mean([chance(found.size, int(m), self.k) for m in mates]))
            beside["chance"] = Measurement(random, found.size, None)
        return beside


@metric(
    "id.hit.{face}",
    unit="share of probes",
    direction=Direction.LOWER,
    estimator=Estimator.PROPORTION,
    ideal=0.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class Hit(_Identification):
    """Share of protected photos whose person is among the first k of the gallery."""

    rate_name = "hit"


@metric(
    "id.untargeted.{face}",
    unit="share of probes",
    direction=Direction.HIGHER,
    estimator=Estimator.PROPORTION,
    ideal=1.0,
    right=1.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class Untargeted(_Identification):
    """Share of protected photos whose person is not among the first k of the gallery."""

    rate_name = "untargeted"


@metric(
    "id.untargeted_cond.{face}",
    unit="share of probes found when clean",
    direction=Direction.HIGHER,
    estimator=Estimator.RATIO,
    ideal=1.0,
    right=1.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class UntargetedGivenHit(_Identification):
    """Of the photos whose person is found when clean, the share that is no longer found when protected."""

    rate_name = "untargeted_cond"


@metric(
    "id.gain.{face}",
    unit="difference of shares",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    ideal=1.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class Gain(_Identification):
    """Share found when clean minus share found when protected."""

    rate_name = "gain"
