"""A bigram language model of a list of sentences, as an ARPA file: what a recogniser without a grammar listens with.

Interpolated Witten-Bell: P(w | v) = (c(v w) + t(v) P(w)) / (c(v) + t(v)), with c counts, t(v) the number of different
words seen after v, and P(w) the relative frequency of w. An ARPA file says the same by back-off: seen pairs carry that
probability, and the weight of v is t(v) / (c(v) + t(v)), so that every history sums to 1.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

START, END = "<s>", "</s>"


@dataclass(frozen=True)
class Bigram:
    """unigram  word → P(w), END among them;  pair  (v, w) → P(w | v) of seen pairs;  weight  v → back-off weight."""

    unigram: dict[str, float]
    pair: dict[tuple[str, str], float]
    weight: dict[str, float]

    def probability(self, word: str, after: str) -> float:
        """P(word | after), backed off where the pair was not seen. Raises KeyError for unknown words."""
        seen = self.pair.get((after, word))
        return self.weight[after] * self.unigram[word] if seen is None else seen


def bigram(sentences: Sequence[str]) -> Bigram:
    """The model of sentences of words separated by spaces. Raises ValueError where there is no word."""
    pairs: Counter[tuple[str, str]] = Counter()
    for sentence in sentences:
        words = [START, *sentence.split(), END]
        pairs.update(pairwise(words))
    seen: Counter[str] = Counter()
    history: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for (before, word), count in pairs.items():
        seen[word] += count
        history[before] += count
        kinds[before] += 1
    if set(seen) <= {END}:
        raise ValueError("a language model needs sentences with words")
    total = seen.total()
    unigram = {word: seen[word] / total for word in sorted(seen)}
    pair = {
        (v, w): (count + kinds[v] * unigram[w]) / (history[v] + kinds[v]) for (v, w), count in sorted(pairs.items())
    }
    weight = {v: kinds[v] / (history[v] + kinds[v]) for v in sorted(history)}
    return Bigram(unigram, pair, weight)


def arpa(model: Bigram) -> str:
    """The model in the ARPA format, base-10 logarithms; the start is a history and is never predicted."""
    words = sorted({*model.unigram, START})
    lines = ["\\data\\", f"ngram 1={len(words)}", f"ngram 2={len(model.pair)}", "", "\\1-grams:"]
    for word in words:
        probability = math.log10(model.unigram[word]) if word in model.unigram else -99.0
        weight = math.log10(model.weight[word]) if word in model.weight else 0.0
        lines.append(f"{probability:.6f}\t{word}\t{weight:.6f}")
    lines += ["", "\\2-grams:"]
    lines += [f"{math.log10(p):.6f}\t{v} {w}" for (v, w), p in sorted(model.pair.items())]
    return "\n".join([*lines, "", "\\end\\", ""])
