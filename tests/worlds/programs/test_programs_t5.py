"""The recipe of programs-t5: a tokenizer that gives every text back, and a training that learns and can go on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from harness.worlds.programs import problems
from harness.worlds.recipes import programs_t5
from harness.worlds.recipes.programs_tokenizer import build, pieces

PAIRS = problems("training")[:400]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerFast:
    folder = tmp_path_factory.mktemp("tokenizer")
    build([t for p in PAIRS for t in (p.source, p.target)], folder)
    return AutoTokenizer.from_pretrained(folder)


def test_programs_come_back_letter_for_letter(tokenizer: PreTrainedTokenizerFast) -> None:
    for p in problems("report"):
        for text in (p.source, p.target):
            ids = tokenizer(text).input_ids
            assert ids[-1] == tokenizer.eos_token_id
            assert tokenizer.decode(ids, skip_special_tokens=True) == text


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_any_text_comes_back(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    if not any(s in text for s in ("<pad>", "</s>", "<unk>")):
        assert tokenizer.decode(tokenizer(text).input_ids, skip_special_tokens=True) == text


def test_words_are_one_token_and_digits_stand_alone(tokenizer: PreTrainedTokenizerFast) -> None:
    assert "return" in pieces([p.target for p in PAIRS])
    assert tokenizer.tokenize("return 120") == ["return", "Ġ", "1", "2", "0"]
    assert tokenizer.tokenize("\n        x") == ["ĊĠĠĠĠĠĠĠĠ", "x"]


def test_the_same_texts_make_the_same_tokenizer(tmp_path: Path) -> None:
    texts = [p.target for p in PAIRS]
    for name in "ab":
        build(texts, tmp_path / name)
    assert (tmp_path / "a" / "tokenizer.json").read_bytes() == (tmp_path / "b" / "tokenizer.json").read_bytes()


def test_the_recipe_learns_writes_a_card_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs_t5, "problems", lambda split: PAIRS)
    monkeypatch.setattr(programs_t5, "HELD_BACK", 32)
    monkeypatch.setattr(programs_t5, "BATCH", 8)
    monkeypatch.setattr(programs_t5, "LOOK_EVERY", 6)
    first, second = tmp_path / "first", tmp_path / "second"
    programs_t5.main(["--out", str(first), "--steps", "12"])
    programs_t5.main(["--out", str(second), "--steps", "6", "--start", str(first)])
    cards = [json.loads((folder / "card.json").read_text()) for folder in (first, second)]
    assert [c["steps"] for c in cards] == [12, 18]
    losses = [c["measured"]["held_back_loss_nats"] for c in cards]
    assert losses[1] < losses[0]
    assert {"model.safetensors", "tokenizer.json"} <= set(cards[0]["files"])
    assert "_name_or_path" not in json.loads((second / "config.json").read_text())
