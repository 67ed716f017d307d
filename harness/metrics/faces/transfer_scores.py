"""Transfer of a cell's protection over several recognisers: white, black, ratio, worst and newest black target.

Every recogniser's excess comes from the metric that `success` names, with the same resampled people and its own
resampled threshold; means, minima and ratios are taken replicate by replicate. Controls optimise no recogniser: all
their targets are black, and white and ratio are undefined. Source: face_privacy.md section 8.6. Traps: T5, T15 to T17.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.metrics.faces.calibration import impostors
from harness.metrics.faces.choices import FAR, FEWEST, LEAST, PEOPLE, PROTOCOL, TRANSFORM, K, Protocol
from harness.metrics.faces.identification import Gain, UntargetedGivenHit
from harness.metrics.faces.impersonation import ImpersonationGain
from harness.metrics.faces.names import STRONG
from harness.metrics.faces.resampling import REPLICATES, replicate_units
from harness.metrics.faces.transfer import (
    Relation,
    newest,
    ratio_replicates,
    relation,
    spearman,
    transfer_ratio,
)
from harness.metrics.faces.transforms import Transform
from harness.metrics.faces.verification import Dodging, DodgingGain
from harness.metrics.faces.view import Cast, FaceView, cast_of, needed, view_of
from harness.metrics.inputs import Floats
from harness.metrics.metric import (
    CannotMeasure,
    Direction,
    Evidence,
    Measurement,
    Metric,
    Need,
    ScoreStatus,
    metric,
)
from harness.options import option
from harness.stats.units import Estimator

Success = Literal["ver.dodge_cond", "ver.dodge_raw", "imp.raw", "id.untargeted", "id.untargeted_cond"]
SOURCE = "face_privacy.md section 8.6"


@dataclass(frozen=True)
class Cell:
    """One target: its class, excess X with replicates (R,) (NaN where X has no interval), people behind it."""

    name: str
    relation: Relation
    excess: float
    replicates: Floats
    people: int

    def measurement(self) -> Measurement:
        return Measurement(self.excess, self.people, replicate_units(self.replicates, self.excess))


@dataclass(frozen=True)
class _Transfer(Metric):
    """What the five share."""

    recognisers: str = option("+".join(STRONG), help="targets, joined by +; each is classed by its lineage")
    success: Success = option("ver.dodge_cond", help="success whose excess over clean photos is transferred")
    protocol: Protocol = PROTOCOL
    far: float = FAR
    k: int = K
    transform: Transform = TRANSFORM
    people: int = PEOPLE

    def targets(self) -> tuple[str, ...]:
        """Names of the recognisers."""
        return tuple(dict.fromkeys(name.strip() for name in self.recognisers.split("+") if name.strip()))

    def needs(self) -> tuple[Need, ...]:
        return (Need("cast"), *(needed(name, self.transform) for name in self.targets()))

    def excess(self, face: str, evidence: Evidence) -> Measurement:
        """The excess of one target. For raw rates M - C is the gain; rates given clean success have C = 0."""
        found: Metric
        if self.success.startswith("ver."):
            kind = Dodging if self.success == "ver.dodge_cond" else DodgingGain
            found = kind(face, far=self.far, people=self.people, protocol=self.protocol, transform=self.transform)
        elif self.success == "imp.raw":
            found = ImpersonationGain(face, far=self.far, people=self.people, transform=self.transform)
        else:
            rank = UntargetedGivenHit if self.success == "id.untargeted_cond" else Gain
            found = rank(face, k=self.k, protocol=self.protocol, transform=self.transform)
        try:
            return found.measure(evidence)
        except CannotMeasure as refusal:
            raise CannotMeasure(refusal.status, f"{face}: {refusal.reason}") from None

    def cells(self, evidence: Evidence) -> tuple[Cell, ...]:
        """Every target with its class. Raises CannotMeasure where one of them has no value: no mean over gaps."""
        cast, cells = cast_of(evidence), []
        for name in self.targets():
            view = view_of(evidence, name, self.transform)
            found = self.excess(name, evidence)
            replicates = np.full(REPLICATES, np.nan) if found.units is None else found.units.value
            cells.append(Cell(name, _relation(view, cast), found.value, replicates, found.n))
        return tuple(cells)

    def of(self, kind: Relation, cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
        """The cells of a class. Raises CannotMeasure where there is none."""
        chosen = tuple(c for c in cells if c.relation == kind)
        if not chosen:
            raise CannotMeasure(
                ScoreStatus.UNDEFINED,
                f"no_{kind}: none of {', '.join(c.name for c in cells)} is a {kind} target of this method",
            )
        return chosen


def _relation(view: FaceView, cast: Cast) -> Relation:
    if unknown := [s for s in cast.surrogates if s not in cast.lineages]:
        raise CannotMeasure(ScoreStatus.FAILED, f"lineage of surrogate {unknown[0]!r}: not brought by the scorer")
    return relation(view.name, view.lineage, cast.surrogates, cast.lineages)


def _mean(cells: tuple[Cell, ...]) -> tuple[float, Floats, int]:
    """Mean excess, its replicates, fewest people behind a cell."""
    replicates = np.stack([c.replicates for c in cells]).mean(axis=0)
    return float(np.mean([c.excess for c in cells])), replicates, min(c.people for c in cells)


def _averaged(cells: tuple[Cell, ...]) -> Measurement:
    value, replicates, people = _mean(cells)
    beside = {c.name: c.measurement() for c in cells}
    return Measurement(value, people, replicate_units(replicates, value), None, beside)


@metric(
    "transfer.white",
    unit="excess share",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    ideal=1.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class White(_Transfer):
    """Mean excess on the recognisers that were optimised."""

    def measure(self, evidence: Evidence) -> Measurement:
        return _averaged(self.of("white", self.cells(evidence)))


@metric(
    "transfer.black",
    unit="excess share",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    ideal=1.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class Black(_Transfer):
    """Mean excess on recognisers that share nothing with those optimised; that on their relatives stands beside."""

    def measure(self, evidence: Evidence) -> Measurement:
        cells = self.cells(evidence)
        found = _averaged(self.of("black", cells))
        grey = tuple(c for c in cells if c.relation == "grey")
        beside = dict(found.companions)
        if grey:
            beside["grey"] = Measurement(_mean(grey)[0], _mean(grey)[2], _averaged(grey).units)
        return Measurement(found.value, found.n, found.units, None, beside)


@metric(
    "transfer.ratio",
    unit="black excess a white excess",
    direction=Direction.HIGHER,
    estimator=Estimator.RATIO,
    ideal=1.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class Ratio(_Transfer):
    """Mean excess on unrelated recognisers over that on the optimised ones; that of every target stands beside it."""

    least: float = LEAST
    fewest: int = FEWEST

    def measure(self, evidence: Evidence) -> Measurement:
        cells = self.cells(evidence)
        white, at_white, people = _mean(self.of("white", cells))
        black, at_black, _ = _mean(self.of("black", cells))
        value = transfer_ratio(black, white, people, self.least, self.fewest)
        replicates = ratio_replicates(at_black, at_white, self.least) if np.isfinite(at_white).all() else None
        units = None if replicates is None else replicate_units(replicates, value)
        beside = {"white": Measurement(white, people, None), "black": Measurement(black, people, None)}
        views = {c.name: view_of(evidence, c.name, self.transform) for c in cells}
        for cell in cells:
            if cell.relation != "white":
                beside[cell.name] = Measurement(cell.excess / white, cell.people, None)
                near = [self._similarity(views[cell.name], views[c.name]) for c in cells if c.relation == "white"]
                beside[f"similarity.{cell.name}"] = Measurement(max(near), len(views[cell.name].calibration), None)
        return Measurement(value, people, units, None, beside)

    def _similarity(self, one: FaceView, other: FaceView) -> float:
        """Rank correlation of the two recognisers' impostor scores over photos in which both find a face."""
        if not np.array_equal(one.calibration_person, other.calibration_person):
            raise CannotMeasure(ScoreStatus.PROTOCOL_MISMATCH, f"{one.name} and {other.name} are calibrated on others")
        both = one.calibration.any(axis=1) & other.calibration.any(axis=1)
        scores = []
        for view in (one, other):
            value, first, second, _ = impostors(view.calibration[both], one.calibration_person[both])
            order = np.lexsort((second, first))
            scores.append(value[order])
        return spearman(*scores)


@metric(
    "transfer.worst_black",
    unit="excess share",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    ideal=1.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class WorstBlack(_Transfer):
    """Least excess over unrelated recognisers: a photo is out of reach of none of them until it is of all.

    The least of resampled values lies below the value; replicates are shifted so that their mean is the value.
    """

    def measure(self, evidence: Evidence) -> Measurement:
        cells = self.of("black", self.cells(evidence))
        value = min(c.excess for c in cells)
        replicates = np.stack([c.replicates for c in cells]).min(axis=0)
        units = replicate_units(replicates - replicates.mean() + value, value)
        beside = {c.name: Measurement(c.excess, c.people, None) for c in cells}
        return Measurement(value, min(c.people for c in cells), units, None, beside)


@metric(
    "transfer.newest",
    unit="excess share",
    direction=Direction.HIGHER,
    estimator=Estimator.MEAN,
    ideal=1.0,
    source=SOURCE,
)
@dataclass(frozen=True)
class Newest(_Transfer):
    """Excess on the unrelated recogniser that was released last: a photo protected today meets tomorrow's models."""

    def measure(self, evidence: Evidence) -> Measurement:
        cells = {c.name: c for c in self.of("black", self.cells(evidence))}
        last = newest({name: view_of(evidence, name, self.transform).released for name in cells})
        found = cells[last].measurement()
        return Measurement(found.value, found.n, found.units, None, {last: Measurement(found.value, found.n, None)})
