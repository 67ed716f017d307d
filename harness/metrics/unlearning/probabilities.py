"""What attacks look at: losses, entropies and confidences of logits, float64, stable where probabilities are 0 or 1.

logits (N, C) of any float type, label (N,) int. Everything goes through log p = logit - logsumexp, so that a
probability that rounds to 1 still has its own logarithm. Precision: 1e-12 relative.
"""

from __future__ import annotations

import numpy as np

from harness.metrics.metric import Array
from harness.metrics.unlearning.outcomes import Floats

TINY = 1e-45
"""Added inside both logarithms of the scaled confidence (unlearning.md 6.4); bounds it to ±103.6."""


def log_probabilities(logits: Array) -> Floats:
    """(N, C) log softmax."""
    wide = np.asarray(logits, dtype=np.float64)
    shifted = wide - wide.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def loss(logits: Array, label: Array) -> Floats:
    """(N,) cross-entropy -log p_y."""
    return -_own(log_probabilities(logits), label)


def entropy(logits: Array) -> Floats:
    """(N,) entropy of the predictions in nats; 0 log 0 = 0."""
    log_p = log_probabilities(logits)
    return np.asarray(-(np.exp(log_p) * log_p).sum(axis=-1))


def modified_entropy(logits: Array, label: Array) -> Floats:
    """(N,) -(1 - p_y) log p_y - Σ_{j ≠ y} p_j log(1 - p_j) (arXiv 2003.10595): small for a sure and right answer.

    Not the form of Unlearn-Saliency, which has log p in the place of log(1 - p) and mixes up the rows' labels.
    """
    log_p = log_probabilities(logits)
    p, mine = np.exp(log_p), np.arange(log_p.shape[1]) == np.asarray(label)[:, None]
    largest = log_p.argmax(axis=1)[:, None]
    others = log_p.copy()
    np.put_along_axis(others, largest, -np.inf, axis=1)
    rest = np.log1p(-np.where(p < 0.75, p, 0.0))  # log(1 - p_j), of the largest p from its others: no cancellation
    np.put_along_axis(rest, largest, np.logaddexp.reduce(others, axis=1, keepdims=True), axis=1)
    return np.asarray(-np.where(mine, np.exp(rest) * log_p, p * rest).sum(axis=1))


def scaled_confidence(logits: Array, label: Array) -> Floats:
    """(…,) phi = ln(p_y + 1e-45) - ln(Σ_{j ≠ y} p_j + 1e-45). logits (…, N, C), label (N,)."""
    log_p = log_probabilities(logits)
    own = np.broadcast_to(np.asarray(label), log_p.shape[:-1])[..., None]
    mine = np.take_along_axis(log_p, own, axis=-1)[..., 0]
    np.put_along_axis(log_p, own, -np.inf, axis=-1)
    return np.asarray(np.log(np.exp(mine) + TINY) - np.log(np.exp(log_p).sum(axis=-1) + TINY))


def _own(values: Floats, label: Array) -> Floats:
    return np.asarray(np.take_along_axis(values, np.asarray(label)[:, None], axis=1)[:, 0])
