"""The tokenizer of the recipes: one token a word, and the same bytes at every call."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.worlds.digits.prompts import WORDS
from harness.worlds.recipes import text

VOCABULARY = ["a", "handwritten", "digit", *WORDS]


def test_every_word_is_one_token_and_others_are_spelled(tmp_path: Path) -> None:
    tokenizer = text.build_tokenizer(VOCABULARY, 16, tmp_path)
    for word in VOCABULARY:
        assert tokenizer.tokenize(word) == [f"{word}</w>"]
    assert "".join(tokenizer.tokenize("zyx")) == "zyx</w>"
    assert len(tokenizer.tokenize("zyx")) > 1


def test_two_calls_write_the_same_bytes_whatever_the_order_of_the_words(tmp_path: Path) -> None:
    text.build_tokenizer(VOCABULARY, 16, tmp_path / "a")
    text.build_tokenizer(VOCABULARY[::-1], 16, tmp_path / "b")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@given(st.lists(st.text("abc", min_size=1, max_size=8), min_size=1, max_size=12))
def test_applying_the_merges_in_order_gives_every_word_back(words: list[str]) -> None:
    merges = text.learn_merges(words)
    for word in words:
        parts = [*word[:-1], f"{word[-1]}</w>"]
        for left, right in merges:  # byte-pair encoding as it is applied: rank by rank, from the left
            i = 0
            while i < len(parts) - 1:
                if (parts[i], parts[i + 1]) == (left, right):
                    parts[i : i + 2] = [left + right]
                i += 1
        assert parts == [f"{word}</w>"]
