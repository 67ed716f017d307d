"""BLEU and chrF: sacrebleu's own numbers on a fixture, integer counts, corpus against sentences, unequal lists."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF

from harness.metrics.bleu import Bleu, corpus_bleu, counted
from harness.metrics.chrf import Chrf
from harness.metrics.metric import CannotMeasure, Evidence, MetricId, ScoreStatus
from harness.options import OptionError
from harness.stats.intervals import interval
from harness.stats.paired import paired_difference
from harness.stats.units import Estimator, UnitKind

HYPOTHESES = ("The dog bit the man.", "It wasn't surprising.", "The man had just bitten him.")
FIRST = ("The dog bit the man.", "It was not unexpected.", "The man bit him first.")
SECOND = ("The dog had bit the man.", "No one was surprised.", "The man had bitten the dog.")


def evidence_of(make_items: Callable[..., Any], texts: Any, references: Any, **more: Any) -> Evidence:
    return Evidence(
        make_items(len(texts), 1, 1), outputs=np.array(texts, dtype=np.str_), references=tuple(references), **more
    )


@pytest.fixture
def fixture(make_items: Callable[..., Any]) -> Evidence:
    return evidence_of(make_items, HYPOTHESES, zip(FIRST, SECOND, strict=True))


@pytest.mark.parametrize(
    ("tokenize", "value"),
    [("13a", 48.53082701), ("intl", 43.91623493), ("none", 49.1919566), ("char", 72.61064153)],
)
def test_bleu_of_the_fixture_and_its_signature(tokenize: str, value: float, fixture: Evidence) -> None:  # T35
    metric = Bleu(tokenize=tokenize, references=2)  # type: ignore[arg-type]
    assert metric.measure(fixture).value == pytest.approx(value, abs=1e-8)
    direct = BLEU(tokenize=tokenize)
    assert direct.corpus_score(HYPOTHESES, [FIRST, SECOND]).score == pytest.approx(value, abs=1e-8)
    assert metric.signature() == str(direct.get_signature())
    assert metric.signature().startswith(f"nrefs:2|case:mixed|eff:no|tok:{tokenize}|smooth:exp|version:")
    identity = metric.identify()
    assert dict(identity.fields)["sacrebleu"] == metric.signature()
    assert MetricId.parse(str(identity)) == identity


@pytest.mark.parametrize(("order", "value", "mean"), [(0, 59.72751783, 62.40792034), (2, 59.15310444, 60.38409425)])
def test_chrf_of_the_fixture_is_not_the_mean_of_sentences(
    order: int, value: float, mean: float, fixture: Evidence
) -> None:  # T61
    metric = Chrf(word_order=order, references=2)
    found = metric.measure(fixture)
    assert found.value == pytest.approx(value, abs=1e-8)
    assert found.items is not None
    assert found.items[2].mean() == pytest.approx(mean, abs=1e-8)
    direct = CHRF(word_order=order)
    direct.corpus_score(HYPOTHESES, [FIRST, SECOND])
    assert metric.signature() == str(direct.get_signature())


def test_the_corpus_is_scored_and_not_the_mean_of_its_sentences(fixture: Evidence) -> None:  # T36
    found = Bleu(references=2).measure(fixture)
    assert found.items is not None
    assert found.items[2].mean() == pytest.approx(47.955, abs=5e-4)
    assert abs(found.items[2].mean() - found.value) > 0.5


def test_a_short_sentence_alone_has_effective_order_and_as_a_corpus_none() -> None:  # T36
    counts, sentences = counted(["a b"], [["a b c"]], "13a")
    assert sentences[0] == pytest.approx(60.653, abs=5e-4)
    assert corpus_bleu(counts) == 0.0


WORDS = st.lists(st.sampled_from(["the", "dog", "bit", "a", "man", "not", "him"]), min_size=1, max_size=9).map(" ".join)


@given(st.lists(st.tuples(WORDS, WORDS), min_size=2, max_size=8), st.integers(1, 7))
@settings(max_examples=25, deadline=None)
def test_counts_are_integers_and_shards_add_up_to_the_whole(pairs: list[tuple[str, str]], cut: int) -> None:  # T37
    texts, wanted = [h for h, _ in pairs], [[r] for _, r in pairs]
    whole, _ = counted(texts, wanted, "13a")
    assert whole.dtype == np.int64
    parts = [counted(texts[a:b], wanted[a:b], "13a")[0] for a, b in ((0, cut), (cut, None)) if texts[a:b]]
    assert np.array_equal(np.concatenate(parts), whole)
    direct = BLEU().corpus_score(texts, [[r[0] for r in wanted]]).score
    assert corpus_bleu(whole) == pytest.approx(direct, abs=1e-9)


@pytest.mark.parametrize("metric", [Bleu(), Chrf()])
def test_unequal_lists_and_missing_references_raise(metric: Any, make_items: Callable[..., Any]) -> None:  # T38
    items = make_items(3, 1, 1)
    texts = np.array(["a b c d", "b", "c"])
    for outputs, references in (
        (texts[:2], (("a",),) * 3),
        (texts, (("a",),) * 2),
        (texts, (("a",), (), ("b",))),
        (texts, (("a",), ("a", "b"), ("b",))),
        (texts, ()),
        (texts, (("a", "b"),) * 3),  # declared for one reference
    ):
        with pytest.raises(CannotMeasure) as caught:
            metric.measure(Evidence(items, outputs=outputs, references=references))
        assert caught.value.status in (ScoreStatus.PROTOCOL_MISMATCH, ScoreStatus.FAILED)


def test_an_empty_text_counts_as_nothing_and_is_counted(make_items: Callable[..., Any]) -> None:  # T38
    wanted = [("a b c d e",)] * 4
    full = Bleu().measure(evidence_of(make_items, ["a b c d e"] * 4, wanted))
    part = Bleu().measure(evidence_of(make_items, ["a b c d e"] * 3 + [""], wanted))
    assert full.value == pytest.approx(100.0)
    assert part.value < full.value
    assert part.items is not None
    assert part.items[2].tolist() == pytest.approx([100, 100, 100, 0])
    assert part.companions["empty"].value == 0.25
    assert part.n == 4


def test_code_is_cut_by_the_lexer_and_not_twice(make_items: Callable[..., Any]) -> None:
    wanted = [("def f(x):\n    return x+1\n",)] * 2
    spaced = evidence_of(make_items, ["def f( x ):\n    return x + 1"] * 2, wanted)
    assert Bleu(tokenize="none", lexer="code").measure(spaced).value == pytest.approx(100.0)
    assert Bleu(tokenize="none").measure(spaced).value < 100
    shallow = evidence_of(make_items, ["def f(x):\n  return x+1\n"] * 2, wanted)
    assert Bleu(tokenize="none", lexer="code").measure(shallow).value < 100  # indentation is code
    with pytest.raises(OptionError):
        Bleu(lexer="code")


def test_intervals_are_of_corpora_and_rows_compare_by_the_same_draws(make_items: Callable[..., Any]) -> None:
    random = np.random.Generator(np.random.Philox(3))
    wanted = [(" ".join(random.choice(list("abcdef"), size=9)),) for _ in range(60)]
    worse = [r[0][:11] if i % 2 else r[0] for i, r in enumerate(wanted)]
    better = [r[0][:11] if i % 5 == 0 else r[0] for i, r in enumerate(wanted)]
    first, second = (Bleu().measure(evidence_of(make_items, t, wanted)) for t in (better, worse))
    assert first.units is not None
    assert second.units is not None
    assert first.units.kind is UnitKind.REPLICATES
    around = interval(Estimator.RATIO, first.units)
    assert around.low < first.value < around.high
    difference = paired_difference(Estimator.RATIO, first.units, second.units)
    assert difference.delta == pytest.approx(first.value - second.value)
    assert difference.interval.low > 0
    other = Bleu().measure(dataclasses.replace(evidence_of(make_items, better, wanted), seed=1))
    assert other.value == first.value
    assert other.units is not None
    assert not np.array_equal(other.units.value, first.units.value)
