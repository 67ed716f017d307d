"""The tokenizer of programs-t5: words and frequent punctuation of the training programs, single bytes for the rest.

A Unigram model over byte-level text whose pieces all cost the same, so that the fewest pieces win; every text comes
back byte for byte, indentation and line ends included. Digits stand alone: numbers are copied digit by digit.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"
# A word, a digit, a line end with the indentation after it, an operator with the spaces around it, a quote, spaces.
CHUNKS = r'[A-Z]?[a-z]+|[A-Z]+|[0-9]|\n *|"| ?[^A-Za-z0-9\s"]+ ?|\s+'
MAX_LENGTH = 256


def pieces(texts: Sequence[str], at_least: int = 40) -> list[str]:
    """Chunks of the texts that occur `at_least` times, sorted: the words of the vocabulary."""
    seen = Counter(chunk for text in texts for chunk in re.findall(CHUNKS, text))
    return sorted(chunk for chunk, times in seen.items() if times >= at_least and len(chunk) > 1)


def build(texts: Sequence[str], folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of `texts`, saved in `folder` and read back."""
    folder.mkdir(parents=True, exist_ok=True)
    split = pre_tokenizers.Split(Regex(CHUNKS), "isolated")
    spell = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    words = ["".join(part for part, _ in spell.pre_tokenize_str(piece)) for piece in pieces(texts)]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = [(special, 0.0) for special in (PAD, END, UNKNOWN)]
    vocabulary += [(piece, -1.0) for piece in dict.fromkeys([*letters, *words])]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, spell])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        model_max_length=MAX_LENGTH,
        clean_up_tokenization_spaces=False,
    ).save_pretrained(folder)
    return PreTrainedTokenizerFast.from_pretrained(folder)
