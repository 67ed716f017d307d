"""CLIP score: closed forms, clamp and scale in the id, truncation counted, shuffled prompts lower it (T34)."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.metrics.clip_score import ClipScore
from harness.metrics.metric import CannotMeasure, Evidence, Items

NAME = "clip-vit-b-32"


def evidence(images: np.ndarray, texts: np.ndarray, cut: np.ndarray | None = None) -> Evidence:
    """The same number of images for each text, in order."""
    n, prompts = len(images), len(texts)
    prompt, sample = np.divmod(np.arange(n), n // prompts)
    items = Items(prompt, sample, prompt, tuple(f"p{i}" for i in range(prompts)))
    found = np.zeros(prompts, dtype=bool) if cut is None else cut
    return Evidence(items, features={("generated", NAME): images}, texts={NAME: texts}, cut={NAME: found})


def test_known_angles_and_lengths_that_do_not_matter() -> None:
    images = np.array([[2.0, 0.0], [0.0, 5.0], [3.0, 3.0], [-1.0, 0.0]])
    texts = np.array([[7.0, 0.0], [0.1, 0.0]])
    found = ClipScore("vit-b-32").measure(evidence(images, texts))
    assert found.value == pytest.approx(100 * (1 + 0 + 0.5**0.5 - 1) / 4)
    assert found.items is not None
    np.testing.assert_allclose(found.items[2], [1, 0, 0.5**0.5, -1], atol=1e-15)  # raw cosines


def test_the_clamp_is_on_the_item_and_in_the_id() -> None:
    images, texts = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([[1.0, 0.0]])
    values = {}
    for scale, clamp in ((100.0, "none"), (100.0, "item"), (2.5, "item")):
        made = ClipScore("vit-b-32", scale, clamp)  # type: ignore[arg-type]
        values[str(made.identify())] = made.measure(evidence(images, texts)).value
    assert list(values.values()) == pytest.approx([0.0, 50.0, 1.25])  # a clamp of the mean would give 0 twice
    assert next(iter(values)) == "clip.vit-b-32[scale=100,clamp=none,v=1]"


def test_truncated_prompts_are_counted() -> None:
    rng = np.random.default_rng(0)
    case = evidence(rng.normal(size=(6, 4)), rng.normal(size=(3, 4)), np.array([True, False, True]))
    companion = ClipScore("vit-b-32").measure(case).companions["truncated"]
    assert (companion.value, companion.n) == (2, 3)


def test_shuffled_prompts_lower_the_mean() -> None:
    rng = np.random.default_rng(1)
    texts = rng.normal(size=(10, 16))
    images = np.repeat(texts, 4, axis=0) + 0.5 * rng.normal(size=(40, 16))
    right = evidence(images, texts)
    shuffled = dataclasses.replace(right, texts={NAME: np.roll(texts, 1, axis=0)})
    assert ClipScore("vit-b-32").measure(right).value > ClipScore("vit-b-32").measure(shuffled).value + 50


def test_a_text_space_of_another_length_is_refused() -> None:
    with pytest.raises(CannotMeasure, match="texts 5"):
        ClipScore("vit-b-32").measure(evidence(np.ones((2, 4)), np.ones((1, 5))))
