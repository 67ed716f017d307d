"""What a metric is: a pure function from evidence to a measurement, with its identity, direction, unit and estimator.

A metric is a frozen dataclass made with `@metric`; its options are its YAML and enter its id. It states what it needs;
the scoring room brings it (one decode, one pass per extractor) and turns the measurement's units into intervals.
Nothing is ever 0 or NaN because it could not be computed: raise `CannotMeasure` with a status and a reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.options import params_of
from harness.stats.units import Estimator, Units

if TYPE_CHECKING:
    from harness.metrics.faces.view import Cast, FaceView
    from harness.metrics.unlearning.outcomes import Outcomes

Array = NDArray[Any]


class Direction(StrEnum):
    HIGHER = "higher"
    LOWER = "lower"
    TARGET = "target"  # an ideal value inside the range: closer is better
    NONE = "none"  # shown, never ranked


class ScoreStatus(StrEnum):
    OK = "ok"
    INSUFFICIENT_N = "insufficient-n"
    UNDEFINED = "undefined"
    PROTOCOL_MISMATCH = "protocol-mismatch"
    INVALID_CONTROL = "invalid-control"
    FAILED = "failed"


class CannotMeasure(ValueError):
    """No value, and why. `status` is never ok; `reason` is a sentence for the user."""

    def __init__(self, status: ScoreStatus, reason: str) -> None:
        self.status, self.reason = status, reason
        super().__init__(f"{status.value}: {reason}")


@dataclass(frozen=True)
class Need:
    """One thing a metric asks for.

    kind    images | features | predictions | expected (attribute classes a prompt states) | texts | judged (what a
            judge says of every item) | outputs (generated texts) | references (their references) | search (the cell's)
            | outcomes (logits of an unlearned classifier and of its references)
            | cast (who the photos show) | faces (what a recogniser sees of them)
    role    generated | reference | protected (a shield set) | heldout | source; of faces: the transform that photos
            went through before the recogniser, "generated" for none
    name    extractor, classifier, judge or recogniser, "" where there is none
    """

    kind: str
    role: str = "generated"
    name: str = ""


@dataclass(frozen=True)
class Items:
    """Who the scored items are: prompt, sample and coupled group of each. All (N,), in the order of every other array.

    prompt  int, index into `prompts`;  sample  int, index within the prompt;  group  int, the method's coupled group,
    numbered over the whole cell. `prompts` are the texts.
    """

    prompt: NDArray[np.int64]
    sample: NDArray[np.int64]
    group: NDArray[np.int64]
    prompts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.prompt)

    @property
    def keys(self) -> NDArray[np.str_]:
        """Pairing keys "prompt/sample"."""
        return np.array([f"{p:04d}/{s:04d}" for p, s in zip(self.prompt, self.sample, strict=True)])

    @property
    def clusters(self) -> NDArray[np.str_]:
        return np.array([f"{p:04d}" for p in self.prompt])


@dataclass(frozen=True)
class Evidence:
    """What the scorer brings: exactly what the metric's `needs` name, for one cell.

    images       role → (N, H, W, 3) uint8
    features     (role, extractor) → (N, D) float32; of long rows (LPIPS) perhaps an object that computes them by rows;
                 FeatureMoments of a reference that is a statistics file
    texts        extractor → (P, D) float32, its embedding of each prompt
    cut          extractor → (P,) bool, prompts longer than its text tower reads
    predictions  classifier → attribute → (N, K) float32 probabilities, generated items
    expected     attribute → (N,) int64, the class stated by the item's prompt, -1 where it is left open
    targets      attribute → (P, K) float64, wanted shares per prompt (P prompts) of the open attributes
    confusion    classifier → attribute → (K, K) float64, P(predicted j | true i) on held-out labelled images, and its
                 counts per true class under the key attribute + ".n"
    judged       judge → array name → (N,) array: see harness/models/judges/judge.py
    outputs      (N,) str, the generated texts
    references   N tuples of reference texts
    search       what a search did before the report: harness/methods/oracle.py says which arrays; {} without one
    outcomes     an unlearned classifier beside its original and Retrain: harness/metrics/unlearning/outcomes.py
    cast         a Cast (harness/metrics/faces/view.py): who the photos show
    faces        (recogniser, transform) → FaceView; transform "" for none
    of_source    classifier → attribute → (N, K) float32 probabilities, the items' sources (needs: role source)
    digests      (role) → hash of the input, recorded with the score
    seed         suite seed for keyed resampling (purpose "stats")
    """

    items: Items
    images: Mapping[str, Array] = field(default_factory=dict)
    features: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    texts: Mapping[str, Array] = field(default_factory=dict)
    cut: Mapping[str, Array] = field(default_factory=dict)
    predictions: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    expected: Mapping[str, Array] = field(default_factory=dict)
    targets: Mapping[str, Array] = field(default_factory=dict)
    confusion: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    judged: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    outputs: Array | None = None
    references: tuple[tuple[str, ...], ...] = ()
    search: Mapping[str, Array] = field(default_factory=dict)
    outcomes: Outcomes | None = None
    cast: Cast | None = None
    faces: Mapping[tuple[str, str], FaceView] = field(default_factory=dict)
    of_source: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class Measurement:
    """A value with everything that inference needs.

    n           images, pairs or groups behind the value, as named by the metric's page
    units       None only for exact quantities
    items       per-item values for the items table: (item key, group label, value), or None
    companions  numbers that must be read beside the value (expected_same, jack, null): name → value. They become rows
                `<metric>.<name>` of their own, with units where they have an uncertainty.
    """

    value: float
    n: int
    units: Units | None
    items: tuple[NDArray[np.str_], NDArray[np.str_], NDArray[np.float64]] | None = None
    companions: Mapping[str, Measurement] = field(default_factory=dict)


@dataclass(frozen=True)
class MetricId:
    """The tuple of everything that changes a value, printed `name[field=value,…]` in a fixed order."""

    name: str
    fields: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        parts = [f"{k}={v}" for k, v in self.fields]
        readable = _split(",".join(parts)) == parts if parts else True
        if "[" in self.name or not readable or any("=" in k for k, _ in self.fields):
            raise ValueError(f"metric id {str(self)!r} could not be read back: a comma, bracket or '=' is in the way")

    def __str__(self) -> str:
        inside = ",".join(f"{k}={v}" for k, v in self.fields)
        return f"{self.name}[{inside}]" if inside else self.name

    @property
    def short(self) -> str:
        """Name and an 8-digit hash of the rest, for table cells."""
        rest = str(self)[len(self.name) :]
        return f"{self.name}#{hashlib.blake2b(rest.encode(), digest_size=4).hexdigest()}" if rest else self.name

    @classmethod
    def parse(cls, text: str) -> MetricId:
        """Inverse of str(). Raises ValueError on malformed text."""
        if "[" not in text:
            return cls(text)
        if not text.endswith("]"):
            raise ValueError(f"malformed metric id {text!r}: no closing bracket")
        name, inside = text[:-1].split("[", 1)
        pairs = [part.partition("=") for part in _split(inside)]
        if any(not sep for _, sep, _ in pairs):
            raise ValueError(f"malformed metric id {text!r}: a field has no '='")
        return cls(name, tuple((k, v) for k, _, v in pairs))


def _split(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "[(") - (c in "])")
        if c == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [*parts, text[start:]]


class Metric:
    """Base of all metrics. Subclasses are frozen dataclasses decorated with `@metric`."""

    registered: ClassVar[str] = ""
    version: ClassVar[int] = 1
    unit: ClassVar[str] = ""
    direction: ClassVar[Direction] = Direction.NONE
    estimator: ClassVar[Estimator] = Estimator.MEAN
    ideal: ClassVar[float | None] = None
    right: ClassVar[float | None] = None  # the value of an item that is right, where an item is right or wrong
    source: ClassVar[str] = ""

    def needs(self) -> tuple[Need, ...]:
        """What the scorer must bring."""
        raise NotImplementedError

    def measure(self, evidence: Evidence) -> Measurement:
        """The measurement. Raises CannotMeasure; never returns NaN."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """The registered name with its placeholders filled from the fields."""
        text = self.registered
        for f in fields(self):  # type: ignore[arg-type]
            text = text.replace("{" + f.name + "}", str(getattr(self, f.name)))
        return text

    def identify(self, context: Sequence[tuple[str, str]] = ()) -> MetricId:
        """The id: the metric's own fields, then those of the protocol (extractor hash, reference, n, reader …)."""
        own = [
            (k, _text(v)) for k, v in params_of(self, in_id_only=True).items() if "{" + k + "}" not in self.registered
        ]
        return MetricId(self.name, (*own, *context, ("v", str(self.version))))


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "(" + ",".join(_text(v) for v in value) + ")"
    if isinstance(value, float):
        short = f"{value:g}"  # repr where six digits are not the number: two values must not share an id
        return short if float(short) == value else repr(value)
    return str(value)


M = TypeVar("M", bound=type[Metric])


def metric(
    registered: str,
    *,
    unit: str,
    direction: Direction,
    estimator: Estimator,
    version: int = 1,
    ideal: float | None = None,
    right: float | None = None,
    source: str = "",
) -> Callable[[M], M]:
    """Class decorator stating a metric's name (placeholders name fields), unit, direction and estimator class.

    right  the value of an item that is right, where the metric's items are right or wrong: its flips are counted
    """

    def apply(cls: M) -> M:
        cls.registered, cls.unit, cls.direction, cls.estimator = registered, unit, direction, estimator
        cls.version, cls.ideal, cls.right, cls.source = version, ideal, right, source
        return cls

    return apply
