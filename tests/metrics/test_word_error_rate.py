"""WER and CER: the table of metrics.md 14 (T39), integer counts (T40), one hashed normaliser (T41), and the metrics."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import get_args

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.keys import generator
from harness.metrics.error_rates import counts, natural_unit, tokens, word_errors
from harness.metrics.metric import CannotMeasure, Evidence, Items, Measurement, Metric, MetricId, ScoreStatus
from harness.metrics.normaliser import NORMALISERS, Normaliser, NormaliserName, is_cjk, normalised
from harness.metrics.word_error_rate import (
    CharacterErrorRate,
    CharacterErrorRateMacro,
    WordErrorRate,
    WordErrorRateMacro,
    corpus_rate,
)
from harness.stats.intervals import interval
from harness.stats.units import Estimator

BASIC, SPACES = "basic-en-v1", "spaces-v1"
WER = WordErrorRate("ear")
TEXT = st.text(alphabet="abc ", max_size=12)


def evidence(references: Sequence[str], texts: Sequence[str], each: int = 1) -> Evidence:
    """Utterances in sentences of `each` variants."""
    n = len(texts)
    prompt, sample = np.divmod(np.arange(n), each)
    items = Items(prompt, sample, np.arange(n), tuple(f"sentence {p}" for p in range(n // each)))
    judged = {"ear": {"text": np.array(texts, dtype=np.str_)}}
    return Evidence(items, judged=judged, references=tuple((r,) for r in references))


def rate(references: Sequence[str], texts: Sequence[str], metric: Metric = WER) -> float:
    return metric.measure(evidence(references, texts)).value


def distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Levenshtein's distance by its recurrence, in integers."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (x != y))
    return row[-1]


# --- T39: the table ---------------------------------------------------------------------------------------------------


def test_two_references_for_one_hypothesis_are_refused() -> None:
    with pytest.raises(ValueError, match="1 hypotheses for 2 references"):
        counts(["a b", "c d"], ["a b"], BASIC, "word")
    one = evidence(["a b"], ["a b"])
    with pytest.raises(CannotMeasure, match="exactly one reference"):
        WER.measure(dataclasses.replace(one, references=(("a b", "a c"),)))


def test_an_empty_reference_has_no_rate_but_its_insertions_count() -> None:
    with pytest.raises(CannotMeasure) as refused:
        rate([""], ["peaceful silence"])
    assert refused.value.status is ScoreStatus.UNDEFINED
    measured = WER.measure(evidence(["a b", ""], ["a b", "peaceful silence"]))
    assert measured.value == 1.0  # 2 insertions over 2 words
    assert measured.items is not None
    assert len(measured.items[0]) == 1
    assert measured.companions["empty"].value == 1.0
    assert measured.companions["insertions"].value == 1.0


def test_silence_where_silence_was_asked_for_is_no_error_and_is_flagged() -> None:
    measured = WER.measure(evidence(["a b", ""], ["a b", ""]))
    assert measured.value == 0.0
    assert measured.companions["empty"].value == 1.0


def test_a_corpus_sums_before_it_divides() -> None:
    assert rate(["a b c", "x y"], ["a b c", ""]) == pytest.approx(2 / 5)
    assert rate(["a b c", ""], ["a b c", "x y"]) == pytest.approx(0.6667, abs=1e-4)


@pytest.mark.parametrize("space", ["\t", "\n", "\u00a0", "\u2003", "  "])
def test_any_white_space_separates_words(space: str) -> None:
    for name in NORMALISERS:
        assert rate([f"turn{space}left"], ["turn left"], WordErrorRate("ear", name)) == 0.0


def test_case_and_punctuation_count_by_the_named_normaliser() -> None:
    assert rate(["hello world"], ["Hello, World."], WordErrorRate("ear", SPACES)) == 1.0
    assert rate(["hello world"], ["Hello, World."], WordErrorRate("ear", BASIC)) == 0.0


def test_micro_and_macro_are_two_numbers_under_two_names() -> None:
    references, texts = ["a b c d e f g h i j", "k"], ["a b c d e f g h i j", "z"]
    assert rate(references, texts) == pytest.approx(1 / 11)
    assert rate(references, texts, WordErrorRateMacro("ear")) == pytest.approx(0.5)
    assert WER.name == "wer.ear"
    assert WordErrorRateMacro("ear").name == "wer.ear.macro"


# --- T40: integers ----------------------------------------------------------------------------------------------------


def test_the_distance_is_levenshteins_on_ten_thousand_strings() -> None:
    g = generator(0, "world", "strings")
    references, texts = (["".join(g.choice(list("abc "), size=g.integers(9))) for _ in range(10_000)] for _ in range(2))
    characters = counts(references, texts, SPACES, "character")
    words = counts(references, texts, SPACES, "word")
    assert characters.errors.dtype == words.errors.dtype == np.int64
    for i, (a, b) in enumerate(zip(references, texts, strict=True)):
        a, b = normalised(a, SPACES), normalised(b, SPACES)
        assert characters.errors[i] == distance(a, b)
        assert words.errors[i] == distance(a.split(), b.split())


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=8))
def test_counts_are_those_of_jiwer(pairs: list[tuple[str, str]]) -> None:
    pairs = [(normalised(a, SPACES), normalised(b, SPACES)) for a, b in pairs]
    pairs = [(a, b) for a, b in pairs if a]
    if not pairs:
        return
    references, texts = (list(side) for side in zip(*pairs, strict=True))
    for unit, process in (("word", jiwer.process_words), ("character", jiwer.process_characters)):
        theirs, ours = process(references, texts), counts(references, texts, SPACES, unit)  # type: ignore[arg-type]
        assert int(ours.substitutions.sum()) == theirs.substitutions
        assert int(ours.deletions.sum()) == theirs.deletions
        assert int(ours.insertions.sum()) == theirs.insertions
        value = theirs.wer if unit == "word" else theirs.cer
        assert corpus_rate(ours) == pytest.approx(value, abs=1e-12)


def test_a_rate_is_never_clipped() -> None:
    assert rate(["a"], ["b c d"]) == 3.0
    assert rate(["a"], ["b c d"], WordErrorRateMacro("ear")) == 3.0


@given(st.lists(st.tuples(TEXT, TEXT), min_size=2, max_size=12), st.integers(1, 11))
def test_shards_sum_to_the_whole_exactly(pairs: list[tuple[str, str]], cut: int) -> None:
    references, texts = zip(*pairs, strict=True)
    whole = word_errors(references, texts, SPACES)
    parts = [word_errors(references[s], texts[s], SPACES) for s in (slice(0, cut), slice(cut, None))]
    for j in range(2):
        assert int(whole[j].sum()) == sum(int(part[j].sum()) for part in parts)


# --- T41: the normaliser ----------------------------------------------------------------------------------------------


def test_the_normaliser_its_hash_and_the_judge_are_in_the_id() -> None:
    ids = {
        str(m.identify())
        for m in (
            *(WER, WordErrorRate("eye"), WordErrorRate("ear", SPACES), WordErrorRate("ear", tokens="mixed")),
            *(WordErrorRateMacro("ear"), CharacterErrorRate("ear"), CharacterErrorRateMacro("ear")),
        )
    }
    assert len(ids) == 7
    text = str(WER.identify())
    assert NORMALISERS[BASIC].digest in text
    assert "average=micro" in text
    assert str(MetricId.parse(text)) == text


def test_any_rule_changes_the_hash() -> None:
    assert set(NORMALISERS) == set(get_args(NormaliserName))
    base = NORMALISERS[BASIC]
    others = [
        dataclasses.replace(base, form="NFC"),
        dataclasses.replace(base, lower=False),
        dataclasses.replace(base, blank="P"),
        dataclasses.replace(base, kept=""),
        dataclasses.replace(base, gone=()),
        dataclasses.replace(base, name="basic-en-v2"),
    ]
    assert len({n.digest for n in (base, *others)}) == 7


def test_the_rules_of_basic_english() -> None:
    said = NORMALISERS[BASIC]
    assert said("Don\u2019t STOP -- it's 5\u00a0o'clock!") == "don't stop it's 5 o'clock"
    assert said("rock'n'roll 'quoted' \uff21\uff22") == "rock'n'roll quoted ab"
    assert said("zero\u200bwidth") == "zerowidth"
    assert said(" \t ") == ""


@given(st.text(max_size=30))
def test_normalising_twice_is_normalising_once(text: str) -> None:
    for name in NORMALISERS:
        once = normalised(text, name)
        assert Normaliser(**dataclasses.asdict(NORMALISERS[name]))(once) == once


def test_characters_are_the_unit_of_scripts_without_spaces() -> None:
    assert natural_unit(["打开窗户"]) == "character"
    assert natural_unit(["open the window"]) == "word"
    assert is_cjk("ひらがな")
    assert not is_cjk("hello, wörld")
    with pytest.raises(CannotMeasure, match="use cer"):
        rate(["打开窗户"], ["打开窗"])
    cer = CharacterErrorRate("ear")
    assert rate(["打开窗户"], ["打开窗"], cer) == 0.25
    assert rate(["abc"], ["abd"], cer) == pytest.approx(0.3333333, abs=1e-7)
    assert rate(["hello world"], ["helloworld"], cer) == pytest.approx(0.0909091, abs=1e-7)
    assert tokens("打开 the 窗户a", "mixed") == ["打", "开", "the", "窗", "户", "a"]
    assert rate(["打开 the 窗"], ["打开 the"], WordErrorRate("ear", tokens="mixed")) == 0.25


# --- the metrics ------------------------------------------------------------------------------------------------------


def measured(metric: Metric = WER, each: int = 2) -> Measurement:
    g = generator(0, "world", "errors")
    references = [" ".join(g.choice(list("abcde"), size=4 + i % 3)) for i in range(40)]
    texts = [" ".join(w for w in r.split() if g.random() > 0.3) for r in references]
    return metric.measure(evidence(references, texts, each))


def test_the_interval_is_the_delta_methods_clustered_by_sentence() -> None:
    found = measured()
    assert found.units is not None
    assert found.units.value.mean() == pytest.approx(found.value, abs=1e-12)
    stated = interval(Estimator.RATIO, found.units)
    assert stated.method == "delta(clusters=20,few-units)"
    assert found.items is not None
    errors = found.items[2]
    assert (errors >= 0).all()
    assert stated.low < found.value < stated.high


def test_the_kinds_of_errors_sum_to_all() -> None:
    found = measured()
    parts = [found.companions[name].value for name in ("substitutions", "deletions", "insertions")]
    assert sum(parts) == pytest.approx(found.value)
    assert found.companions["deletions"].value == pytest.approx(found.value)  # words were only left out


def test_items_are_the_own_rates_and_zero_means_right() -> None:
    found = WER.measure(evidence(["a b", "c d"], ["a b", "c"]))
    assert found.items is not None
    assert found.items[2].tolist() == [0.0, 0.5]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"judged": {}}, "not brought"),
        ({"references": (("a",),)}, "1 references for 2 utterances"),
        ({"references": ((), ("a",))}, "exactly one reference"),
    ],
)
def test_what_is_missing_is_a_status(changed: dict[str, object], words: str) -> None:
    whole = evidence(["a b", "c d"], ["a b", "c"])
    with pytest.raises(CannotMeasure, match=words):
        WER.measure(dataclasses.replace(whole, **changed))  # type: ignore[arg-type]


# --- buggy twins: what the field got wrong, which the checks above must reject ----------------------------------------


def twin_shorter(references: Sequence[str], texts: Sequence[str]) -> float:
    """Pairs cut to the shorter list."""
    pairs = list(zip(references, texts, strict=False))
    return sum(distance(a.split(), b.split()) for a, b in pairs) / sum(len(a.split()) for a, _ in pairs)


def twin_mean(references: Sequence[str], texts: Sequence[str]) -> float:
    """The mean of utterances under the name of the corpus rate."""
    return float(np.mean([distance(a.split(), b.split()) / len(a.split()) for a, b in zip(references, texts)]))  # noqa: B905


def twin_clipped(references: Sequence[str], texts: Sequence[str]) -> float:
    """A rate held below 1."""
    return min(1.0, rate(references, texts))


def twin_spaces(references: Sequence[str], texts: Sequence[str]) -> float:
    """Words cut at spaces only."""
    pairs = zip(references, texts, strict=True)
    return sum(distance(a.split(" "), b.split(" ")) for a, b in pairs) / sum(len(a.split(" ")) for a in references)


def test_the_twins_are_told_apart() -> None:
    assert twin_shorter(["a b", "c d"], ["a b"]) == 0.0  # where `counts` refuses
    long, short = ["a b c d e f g h i j", "k"], ["a b c d e f g h i j", "z"]
    assert twin_mean(long, short) != pytest.approx(rate(long, short))
    assert twin_clipped(["a"], ["b c d"]) != rate(["a"], ["b c d"])
    assert twin_spaces(["turn\tleft"], ["turn left"]) != rate(["turn\tleft"], ["turn left"])
