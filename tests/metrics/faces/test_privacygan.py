from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from toy_faces import a_cast, a_view, evidence_of, photos_of, random_rows, unit

from harness.metrics.faces.identification import Hit
from harness.metrics.faces.privacygan import MeanRank, PaperTransfer, Recall
from harness.metrics.metric import CannotMeasure


def three_photos() -> tuple[object, np.ndarray]:
    """A probe with two mates, at .10 and .90, and one further person at .30."""
    cast = a_cast(1, probes=1, gallery=2)
    at = np.array([[1.0, 0, 0], [0.10, np.sqrt(1 - 0.01), 0], [0.90, 0, np.sqrt(1 - 0.81)]])
    return cast, unit(at)


def test_t10_the_published_recall_calls_a_recognised_photo_private() -> None:
    cast, clean = three_photos()
    view = a_view(cast, clean, clean, strangers=0)  # type: ignore[arg-type]
    other = unit(np.array([[0.30, np.sqrt(1 - 0.09), 0]]))
    evidence = evidence_of(cast, dataclasses.replace(view, distractors=other))  # type: ignore[arg-type]
    for queries in ("m.i.", "o.i."):
        assert Recall("toy", k=1, queries=queries).measure(evidence).value == 1.0  # type: ignore[arg-type]
        assert Recall("toy", k=1, queries=queries, form="published").measure(evidence).value == 0.0  # type: ignore[arg-type]
    assert MeanRank("toy").measure(evidence).value == pytest.approx(1 / 3)
    assert MeanRank("toy", form="published").measure(evidence).value == pytest.approx(3 / 3)


def test_the_published_form_never_finds_more_and_its_id_differs() -> None:
    cast = a_cast(30, probes=2, gallery=3)
    clean = photos_of(cast, 2.0)
    moved = unit(clean + 0.7 * random_rows(len(cast), 64, "cloak"))
    evidence = evidence_of(cast, a_view(cast, moved, clean, distractors=40))
    for k in (1, 3, 5, 10):
        right, published = Recall("toy", k=k), Recall("toy", k=k, form="published")
        assert right.identify() != published.identify()
        assert published.measure(evidence).value < right.measure(evidence).value


def test_the_published_mean_rank_prints_the_other_direction() -> None:
    cast = a_cast(30, probes=1, gallery=2)
    clean = photos_of(cast, 0.5)
    away = np.where((cast.role == "gallery")[:, None], -clean, clean)  # only o.i. sees that the gallery was turned
    evidence = evidence_of(cast, a_view(cast, away, clean, distractors=10))
    mine, theirs = (MeanRank("toy", queries=q).measure(evidence).value for q in ("m.i.", "o.i."))  # type: ignore[arg-type]
    assert mine < 0.1 < 0.7 < theirs
    printed = [MeanRank("toy", queries=q, form="published").measure(evidence).value for q in ("m.i.", "o.i.")]  # type: ignore[arg-type]
    assert printed[0] == printed[1] < 0.1


def test_the_corrected_recall_of_modified_queries_is_the_hit_of_photos() -> None:
    cast = a_cast(30, probes=2, gallery=3)
    clean = photos_of(cast, 2.0)
    evidence = evidence_of(cast, a_view(cast, photos_of(cast, 3.0), clean, distractors=40))
    assert Recall("toy").measure(evidence).value == Hit("toy", k=10, template="image").measure(evidence).value


def test_transfer_is_over_the_recognisers_that_were_not_optimised() -> None:
    cast = a_cast(20, surrogates=("a",), lineages={"a": ("w", "d", "a")})
    clean = photos_of(cast, 0.5)
    views = [a_view(cast, v, clean, name=n) for n, v in (("a", -clean), ("b", clean), ("c", -clean))]
    evidence = evidence_of(cast, *views)
    found = PaperTransfer(recognisers="a+b+c", k=1).measure(evidence)
    rates = [
        Recall(n, k=1, queries=q).measure(evidence).value
        for n in ("b", "c")
        for q in ("m.i.", "o.i.")  # type: ignore[arg-type]
    ]
    assert found.value == pytest.approx(np.mean(rates))
    assert set(found.companions) == {"b", "c"}
    with pytest.raises(CannotMeasure, match="no_held_out"):
        PaperTransfer(recognisers="a").measure(evidence)
