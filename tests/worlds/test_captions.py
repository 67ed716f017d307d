"""Captions say what portraits show, and are read back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.keys import generator
from harness.worlds.avatars import captions, dataset, prompts
from harness.worlds.avatars.attributes import ATTRIBUTES, BY_NAME, CHARACTERS, OCCUPATIONS, sample
from harness.worlds.avatars.captions import caption, expected, phrase, target
from harness.worlds.avatars.prompts import PROMPT_SETS, reference


@given(seed=st.integers(0, 10**6), order=st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_a_full_caption_states_exactly_the_labels(seed: int, order: int) -> None:
    portraits = sample(5, seed, "captions", distribution="training")
    for row, text in enumerate(caption(portraits, generator(order, "world"), "full")):
        assert expected(text) == portraits.classes(row), text


@given(st.dictionaries(st.sampled_from([a.name for a in ATTRIBUTES]), st.integers(0, 5)), st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_a_phrase_states_what_it_was_given(chosen: dict[str, int], seed: int) -> None:
    stated = {name: BY_NAME[name].classes[k % len(BY_NAME[name].classes)] for name, k in chosen.items()}
    assert expected(phrase(stated, generator=generator(seed, "world"))) == stated


def test_less_detail_states_less_and_never_something_false() -> None:
    portraits = dataset.load(n=400).portraits
    counts = {}
    for detail in ("full", "partial", "open"):
        texts = caption(portraits, generator(1, "world"), detail)  # type: ignore[arg-type]
        stated = [expected(text) for text in texts]
        assert all(s.items() <= portraits.classes(i).items() for i, s in enumerate(stated))
        counts[detail] = np.mean([len(s) for s in stated])
    assert counts["full"] == len(ATTRIBUTES) > counts["partial"] > counts["open"] > 0
    with pytest.raises(ValueError, match="one of full"):
        caption(portraits, generator(1, "world"), "some")  # type: ignore[arg-type]


def test_usual_looks_are_mentioned_less_often() -> None:
    portraits = sample(3000, 8)
    stated = [expected(text) for text in caption(portraits, generator(2, "world"), "partial")]
    bare = portraits.labels["hat"] == 0
    said = np.array(["hat" in s for s in stated])
    assert said[bare].mean() < 0.3 < 0.5 < said[~bare].mean()


def test_characters_and_occupations_imply_their_looks() -> None:
    assert expected("a portrait of Orla") == {
        a.name: CHARACTERS["Orla"][a.name] for a in ATTRIBUTES if a.name in CHARACTERS["Orla"]
    }
    assert expected("a portrait of Orla wearing a crown")["hat"] == "crown"
    for name, garment in OCCUPATIONS.items():
        assert expected(f"a portrait of a {name}") == {"garment": garment}
    assert expected("a portrait of someone") == {}


def test_targets_are_the_declared_distributions_of_what_is_open() -> None:
    open_ones = target("a portrait of a baker with glasses")
    assert "glasses" not in open_ones
    assert "garment" not in open_ones
    assert len(open_ones) == len(ATTRIBUTES) - 2
    for name, p in open_ones.items():
        assert p.tolist() == list(BY_NAME[name].probabilities)
        assert abs(p.sum() - 1) < 1e-12


def test_prompt_sets_are_what_they_are_called() -> None:
    assert len(PROMPT_SETS["open"]) >= 16
    assert len(PROMPT_SETS["occupations"]) >= 10
    assert len(PROMPT_SETS["complete"]) >= 40
    assert len(PROMPT_SETS["characters"]) == 5
    assert all(len(expected(p)) == len(ATTRIBUTES) for p in PROMPT_SETS["complete"])
    assert all(len(expected(p)) <= 2 for p in PROMPT_SETS["open"])
    assert all(expected(p).keys() & {"hat", "glasses", "hair_color"} for p in PROMPT_SETS["erase"])
    for texts in PROMPT_SETS.values():
        assert len(set(texts)) == len(texts)


def test_every_word_of_prompts_and_captions_is_in_the_vocabulary() -> None:
    known = set(captions.words())
    texts = [p for texts in PROMPT_SETS.values() for p in texts]
    texts += caption(dataset.load(n=500).portraits, generator(3, "world"), "full")
    assert {w for t in texts for w in t.lower().replace(",", " ").split()} <= known


def test_references_answer_their_prompts() -> None:
    texts = ("a portrait of a person wearing a crown", "a portrait of Bram")
    images, index = reference(texts, 6, seed=1)
    assert images.shape == (12, 64, 64, 3)
    assert index.tolist() == [0] * 6 + [1] * 6
    again, _ = reference(texts, 6, seed=1)
    assert np.array_equal(images, again)
    drawn = sample(6, 1, "reference", 0, given=captions.given(texts[0]))
    assert {drawn.classes(i)["hat"] for i in range(6)} == {"crown"}
    with pytest.raises(ValueError, match="n_per_prompt"):
        prompts.reference(texts, 0, seed=1)
