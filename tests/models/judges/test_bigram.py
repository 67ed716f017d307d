"""The bigram model: Witten-Bell in closed form, histories that sum to 1, and a file that says the same."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.models.judges.bigram import END, START, arpa, bigram

WORDS = st.lists(st.sampled_from(["red", "blue", "box", "two"]), min_size=1, max_size=5).map(" ".join)


def test_probabilities_are_those_of_witten_and_bell() -> None:
    model = bigram(["a b", "a a"])
    # predicted words: a 3, b 1, end 2, of 6; after a: b, a, end once each
    assert model.unigram == {"a": 3 / 6, "b": 1 / 6, END: 2 / 6}
    assert model.probability("a", START) == pytest.approx((2 + 1 * 0.5) / 3)
    assert model.probability("b", "a") == pytest.approx((1 + 3 / 6) / (3 + 3))
    assert model.probability("b", START) == pytest.approx(1 / 3 * 1 / 6)


@given(st.lists(WORDS, min_size=1, max_size=8))
def test_every_history_sums_to_one(sentences: list[str]) -> None:
    model = bigram(sentences)
    for before in model.weight:
        assert sum(model.probability(w, before) for w in model.unigram) == pytest.approx(1.0)


def test_the_file_holds_every_number() -> None:
    model = bigram(["a b", "a a"])
    lines = arpa(model).splitlines()
    assert "ngram 1=4" in lines
    assert f"ngram 2={len(model.pair)}" in lines
    start = next(line for line in lines if line.split("\t")[1:2] == [START])
    assert start.split("\t")[0] == "-99.000000"
    assert float(start.split("\t")[2]) == pytest.approx(math.log10(1 / 3), abs=1e-6)
    pair = next(line for line in lines if line.endswith("\ta b"))
    assert float(pair.split("\t")[0]) == pytest.approx(math.log10(0.25), abs=1e-6)


def test_no_words_are_refused() -> None:
    with pytest.raises(ValueError, match="sentences with words"):
        bigram(["", " "])
