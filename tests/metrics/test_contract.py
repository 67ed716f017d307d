"""The contract of every metric (metrics.md section 18), over the whole catalogue."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import re
import subprocess
import sys
import typing
from collections.abc import Callable
from enum import Enum
from typing import Any

import numpy as np
import pytest

from harness.keys import generator
from harness.metrics import METRICS
from harness.metrics.faces.view import Cast, FaceView
from harness.metrics.metric import (
    CannotMeasure,
    Direction,
    Evidence,
    Items,
    Measurement,
    Metric,
    MetricId,
    Need,
    ScoreStatus,
)
from harness.metrics.unlearning import outcomes as unlearning
from harness.options import OptionError, build, options_of
from harness.stats.units import UnitKind

# Options that a metric requires, and a second setting that reaches fields which exclude the first.
REQUIRED: dict[str, dict[str, Any]] = {
    "shield.inside.{extractor}": {"radius": 1.5},
    "ms_ssim": {"scales": 1},  # the evidence has small images
    "ms_ssim.pairs": {"scales": 1},
    "transfer.ratio": {"fewest": 10},  # the evidence has twelve people
    "ver.retention.{face}": {"fewest": 10},
    "nips23.F": {"models": 32},
    "nips23.F.ratio": {"models": 32},
    "mia.lira.tpr": {"fpr": 0.1},  # a rate of .1 % needs 1000 unseen examples
}
ALTERNATIVE: dict[str, dict[str, Any]] = {
    "shield.inside.{extractor}": {"quantile": 0.3},
    "vendi.{extractor}": {"kernel": "gaussian", "bandwidth": 1.0},
    "vendi.{extractor}.prompt": {"kernel": "gaussian", "bandwidth": 1.0},
    "rke.{extractor}": {"kernel": "gaussian", "bandwidth": 1.0},
    "rke.{extractor}.prompt": {"kernel": "gaussian", "bandwidth": 1.0},
    "bleu": {"lexer": "code", "tokenize": "none"},
}
ALL = METRICS.patterns()


def fill(pattern: str, number: int = 0) -> str:
    """The pattern with the first (or another) known value of each placeholder."""
    return re.sub(r"\{(\w+)\}", lambda hit: list(METRICS.values[hit[1]]())[number], pattern)


def make(pattern: str, params: dict[str, Any] | None = None, number: int = 0) -> Metric:
    found = METRICS.resolve(fill(pattern, number))
    made = build(found.thing, REQUIRED.get(pattern, {}) if params is None else params, **found.bound)
    assert isinstance(made, Metric)
    return made


def rows(evidence: Evidence, order: np.ndarray, items: Items) -> Evidence:
    """The evidence of the items numbered in `order`, described by `items`; data sets stay whole."""
    own = ("generated", "source")
    return dataclasses.replace(
        evidence,
        items=items,
        images={k: v[order] if k in own else v for k, v in evidence.images.items()},
        features={k: v[order] if k[0] in own else v for k, v in evidence.features.items()},
        predictions={c: {a: v[order] for a, v in p.items()} for c, p in evidence.predictions.items()},
        expected={k: v[order] for k, v in evidence.expected.items()},
        judged={j: {k: v[order] for k, v in a.items()} for j, a in evidence.judged.items()},
        outputs=None if evidence.outputs is None else evidence.outputs[order],
        references=tuple(evidence.references[i] for i in order) if evidence.references else (),
        search={k: v[order] if k == "tune_loss" else v for k, v in evidence.search.items()},
        outcomes=None if evidence.outcomes is None else unlearning.taken(evidence.outcomes, order),
        cast=None if evidence.cast is None else casts(evidence.cast, order),
        faces={k: faces_in(v, order) for k, v in evidence.faces.items()},
        of_source={c: {a: v[order] for a, v in p.items()} for c, p in evidence.of_source.items()},
    )


def casts(cast: Cast, order: np.ndarray) -> Cast:
    return dataclasses.replace(cast, person=cast.person[order], role=cast.role[order], target=cast.target[order])


def faces_in(view: FaceView, order: np.ndarray) -> FaceView:
    own = ("protected", "protected_found", "clean", "clean_found")
    return dataclasses.replace(view, **{name: getattr(view, name)[order] for name in own})


def taken(items: Items, order: np.ndarray) -> Items:
    return Items(items.prompt[order], items.sample[order], items.group[order], items.prompts)


def subset(evidence: Evidence, needs: tuple[Need, ...]) -> Evidence:
    """Only what was asked for."""
    asked = {(n.kind, n.role, n.name) for n in needs}
    kinds = {n.kind for n in needs}
    return dataclasses.replace(
        evidence,
        images={k: v for k, v in evidence.images.items() if ("images", k, "") in asked},
        features={k: v for k, v in evidence.features.items() if ("features", *k) in asked},
        predictions={k: v for k, v in evidence.predictions.items() if ("predictions", "generated", k) in asked},
        confusion={k: v for k, v in evidence.confusion.items() if ("confusion", "generated", k) in asked},
        texts={k: v for k, v in evidence.texts.items() if ("texts", "generated", k) in asked},
        cut={k: v for k, v in evidence.cut.items() if ("texts", "generated", k) in asked},
        expected=evidence.expected if "expected" in kinds else {},
        targets=evidence.targets if "targets" in kinds else {},
        judged={k: v for k, v in evidence.judged.items() if ("judged", "generated", k) in asked},
        outputs=evidence.outputs if "outputs" in kinds else None,
        references=evidence.references if "references" in kinds else (),
        search=evidence.search if "search" in kinds else {},
        outcomes=evidence.outcomes if "outcomes" in kinds else None,
        cast=evidence.cast if "cast" in kinds else None,
        faces={k: v for k, v in evidence.faces.items() if ("faces", k[1] or "generated", k[0]) in asked},
        of_source={k: v for k, v in evidence.of_source.items() if ("predictions", "source", k) in asked},
    )


def numbers(measurement: Measurement) -> list[tuple[str, Measurement]]:
    return [("value", measurement), *measurement.companions.items()]


def by_key(measurement: Measurement) -> dict[str, float]:
    assert measurement.units is not None
    return dict(zip(measurement.units.key.tolist(), measurement.units.value.tolist(), strict=True))


@pytest.mark.parametrize("pattern", ALL)
def test_a_metric_states_what_it_is(pattern: str) -> None:
    made = make(pattern)
    assert made.registered == pattern
    assert made.name == fill(pattern)
    assert made.unit
    assert made.source
    assert isinstance(made.direction, Direction)
    assert (sys.modules[type(made).__module__].__doc__ or "").strip()
    assert all(o.help for o in options_of(type(made)))
    assert made.needs()


@pytest.mark.parametrize("pattern", ALL)
def test_every_number_is_finite_and_comes_with_units_that_carry_it(pattern: str, evidence: Evidence) -> None:
    measurement = make(pattern).measure(evidence)
    for name, part in numbers(measurement):
        assert np.isfinite(part.value), name
        assert part.n > 0, name
        if part.units is not None:
            assert np.isfinite(part.units.value).all(), name
            if part.units.kind is UnitKind.ITEMS:
                assert part.units.value.mean() == pytest.approx(part.value, abs=1e-12), name
    assert measurement.units is not None
    if measurement.items is not None:
        key, group, value = measurement.items
        assert len(key) == len(group) == len(value) == len(set(key.tolist()))


@pytest.mark.parametrize("pattern", ALL)
def test_the_order_of_the_items_changes_nothing(pattern: str, evidence: Evidence) -> None:
    made = make(pattern)
    order = generator(1, "world", "order").permutation(len(evidence.items))
    first, second = made.measure(evidence), made.measure(rows(evidence, order, taken(evidence.items, order)))
    assert second.value == pytest.approx(first.value, rel=1e-9, abs=1e-12)
    assert by_key(second) == pytest.approx(by_key(first), rel=1e-7, abs=1e-10)
    assert first.companions.keys() == second.companions.keys()
    for name, companion in first.companions.items():
        assert second.companions[name].value == pytest.approx(companion.value, rel=1e-9, abs=1e-12), name


@pytest.mark.parametrize("pattern", ALL)
def test_the_same_evidence_gives_the_same_bytes(pattern: str, evidence: Evidence) -> None:
    first, second = make(pattern).measure(evidence), make(pattern).measure(evidence)
    assert first.units is not None
    assert second.units is not None
    assert first.value == second.value
    assert first.units.value.tobytes() == second.units.value.tobytes()


@pytest.mark.parametrize("pattern", ALL)
def test_no_items_is_a_status(pattern: str, make_evidence: Callable[..., Evidence]) -> None:
    with pytest.raises(CannotMeasure) as caught:
        make(pattern).measure(make_evidence(prompts=0))
    assert caught.value.status is not ScoreStatus.OK
    assert caught.value.reason


@pytest.mark.parametrize("pattern", ALL)
def test_one_item_is_a_status_or_a_number_never_nan(pattern: str, make_evidence: Callable[..., Evidence]) -> None:
    single = make_evidence(prompts=1, each=1, group=1)
    with contextlib.suppress(CannotMeasure):
        measurement = make(pattern).measure(single)
        assert all(np.isfinite(part.value) for _, part in numbers(measurement))
        assert measurement.n == 1


def spoiled(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy[len(copy) // 2, 0] = np.nan
    return copy


@pytest.mark.parametrize(
    "pattern", [p for p in ALL if any(n.kind in ("features", "predictions") for n in make(p).needs())]
)
def test_nan_in_any_input_is_a_status(pattern: str, evidence: Evidence) -> None:
    made = make(pattern)
    for need in made.needs():
        if need.kind == "features":
            key = (need.role, need.name)
            bad = dataclasses.replace(evidence, features={**evidence.features, key: spoiled(evidence.features[key])})
        elif need.kind == "texts":
            bad = dataclasses.replace(evidence, texts={need.name: spoiled(evidence.texts[need.name])})
        elif need.kind == "predictions":
            heads = {a: spoiled(p) for a, p in evidence.predictions[need.name].items()}
            bad = dataclasses.replace(evidence, predictions={need.name: heads})
        elif need.kind == "targets":
            bad = dataclasses.replace(evidence, targets={a: t * np.nan for a, t in evidence.targets.items()})
        elif need.kind == "confusion":
            bad = dataclasses.replace(
                evidence, confusion={need.name: {a: m * np.nan for a, m in evidence.confusion[need.name].items()}}
            )
        else:
            continue
        with pytest.raises(CannotMeasure) as caught:
            made.measure(bad)
        assert caught.value.status is not ScoreStatus.OK


@pytest.mark.parametrize("pattern", ALL)
def test_a_metric_uses_what_it_asks_for_and_nothing_else(pattern: str, evidence: Evidence) -> None:
    made = make(pattern)
    needs = made.needs()
    assert len(set(needs)) == len(needs)
    whole, asked = made.measure(evidence), made.measure(subset(evidence, needs))
    assert asked.value == whole.value
    assert asked.companions.keys() == whole.companions.keys()
    with pytest.raises((CannotMeasure, KeyError)):  # evidence that was asked for and not brought is the scorer's error
        made.measure(subset(evidence, ()))


@pytest.mark.parametrize("pattern", ALL)
def test_nothing_global_and_no_input_is_touched(pattern: str, evidence: Evidence) -> None:
    # The arrays are read-only: writing to one raises. Their bytes are compared too, for views that were copied back.
    before = {k: v.tobytes() for k, v in evidence.features.items()}
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    make(pattern).measure(evidence)
    assert all(np.array_equal(a, b) for a, b in zip(numpy_state, np.random.get_state(), strict=True))  # noqa: NPY002
    assert random.getstate() == python_state
    assert {k: v.tobytes() for k, v in evidence.features.items()} == before


@pytest.mark.parametrize("pattern", ALL)
def test_double_precision_features_give_the_same_value(pattern: str, evidence: Evidence) -> None:
    wide = dataclasses.replace(evidence, features={k: v.astype(np.float64) for k, v in evidence.features.items()})
    assert make(pattern).measure(wide).value == pytest.approx(make(pattern).measure(evidence).value, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("pattern", ALL)
def test_a_mean_of_items_does_not_change_when_every_prompt_is_there_twice(pattern: str, evidence: Evidence) -> None:
    made = make(pattern)
    measurement = made.measure(evidence)
    assert measurement.units is not None
    if measurement.units.kind is not UnitKind.ITEMS:
        assert (
            made.estimator.value not in ("mean of items", "proportion") or measurement.units.kind is UnitKind.REPLICATES
        )
        return
    items, n = evidence.items, len(evidence.items)
    prompts, groups = len(items.prompts), int(items.group.max()) + 1
    twice = Items(
        np.concatenate([items.prompt, items.prompt + prompts]),
        np.tile(items.sample, 2),
        np.concatenate([items.group, items.group + groups]),
        items.prompts * 2,
    )
    doubled = dataclasses.replace(
        rows(evidence, np.tile(np.arange(n), 2), twice),
        texts={k: np.tile(t, (2, 1)) for k, t in evidence.texts.items()},
        cut={k: np.tile(t, 2) for k, t in evidence.cut.items()},
        targets={a: np.tile(t, (2, 1)) for a, t in evidence.targets.items()},
    )
    assert made.measure(doubled).value == pytest.approx(measurement.value, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("pattern", ALL)
def test_an_id_prints_and_parses_back(pattern: str) -> None:
    context = (("extractor", "avatars:0a1b2c"), ("ref", "train[640]"), ("n", "(96,96)"))
    for identity in (make(pattern).identify(), make(pattern).identify(context)):
        assert MetricId.parse(str(identity)) == identity


def other_values(cls: type[Metric], name: str, value: Any) -> list[Any]:
    """Values that differ from `value`, of types that the field may take."""
    hint = typing.get_type_hints(cls)[name]
    if typing.get_origin(hint) is typing.Literal:
        return [v for v in typing.get_args(hint) if v != value]
    if isinstance(value, Enum):
        return [m for m in type(value) if m is not value]
    if isinstance(value, float):
        return [value + 0.1, value * (1 + 1e-9)]
    if isinstance(value, int):
        return [value + 1]
    if isinstance(value, tuple):
        return [(*value, "hat")]
    return [3, 0.25] if value is None else ["digits"]


@pytest.mark.parametrize("pattern", ALL)
def test_changing_any_field_changes_the_id(pattern: str) -> None:
    bases = [make(pattern)] + ([make(pattern, ALTERNATIVE[pattern])] if pattern in ALTERNATIVE else [])
    cls = type(bases[0])
    for declared in options_of(cls):
        changed = (
            [(bases[0], bases[-1])] if getattr(bases[0], declared.name) != getattr(bases[-1], declared.name) else []
        )
        for base in bases:
            for value in other_values(cls, declared.name, getattr(base, declared.name)):
                with contextlib.suppress(OptionError):  # a value that excludes another field
                    changed.append((base, dataclasses.replace(base, **{declared.name: value})))  # type: ignore[type-var]
        assert changed, f"no other value of {declared.name!r} could be tried"
        for base, other in changed:
            assert (other.identify() != base.identify()) is declared.in_id, (declared.name, other)


@pytest.mark.parametrize("pattern", ALL)
def test_a_new_version_has_a_new_id(pattern: str) -> None:
    made = make(pattern)
    newer = type("Newer", (type(made),), {"version": made.version + 1})
    assert newer(**{f.name: getattr(made, f.name) for f in dataclasses.fields(made)}).identify() != made.identify()  # type: ignore[arg-type]


def test_ids_of_different_metrics_differ() -> None:
    names = METRICS.names()
    assert len(set(names)) == len(names)
    assert len({str(make(p).identify()) for p in ALL}) == len(ALL)


def test_metrics_of_one_extractor_ask_for_one_and_the_same_pass() -> None:
    # T70: the scorer makes one pass a (kind, role, extractor); needs that differ in anything would make two.
    passes = {
        need
        for pattern in ALL
        if "{extractor}" in pattern or "{space}" in pattern
        for need in make(pattern).needs()
        if need.kind == "features" and need.role == "generated"
    }
    assert passes == {Need("features", "generated", fill("{extractor}"))}


def test_metrics_are_read_without_torch() -> None:
    modules = sorted({target.partition(":")[0] for target in METRICS.entries.values()})
    code = f"import sys\nfor m in {modules!r}: __import__(m)\nsys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
