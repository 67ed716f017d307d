"""Classifiers by name: keyed first weights, one recipe, training that depends on nothing but its key."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from harness.keys import generator
from harness.models import MODELS
from harness.models.vision.classifier import Classifier
from harness.models.vision.recipe import Recipe
from harness.models.vision.training import PAD, Examples, cropped, fit, passes, steps_of
from harness.options import build
from tests.builders.forgetting import examples, fresh, original, right, same

NONE, ONE = torch.zeros(1), torch.ones(1)


def made(name: str, channels: int = 1, **options: Any) -> Classifier:
    blueprint = build(MODELS.get(name), options).open("cpu")
    mean, std = torch.zeros(channels), torch.ones(channels)
    found: Classifier = blueprint.fresh((channels, 8, 8), 5, mean, std, 0, "a")
    return found


@pytest.mark.parametrize(
    ("name", "options", "channels"),
    [
        ("digits-mlp", {}, 1),
        ("digits-resnet", {"width": 4}, 1),
        ("cifar-resnet18", {"width": 4, "precision": "float32"}, 3),
        ("cifar-resnet18", {"width": 4}, 3),
        ("vision-classifier", {"architecture": "mobilenet_v3_small", "precision": "float32"}, 3),
    ],
)
def test_a_named_classifier_answers_and_has_a_head_with_features(name: str, options: Any, channels: int) -> None:
    classifier = made(name, channels, **options)
    pixels = torch.from_numpy(generator(0, "world", "pixels").integers(0, 256, (6, channels, 8, 8), dtype=np.uint8))
    logits = classifier.logits(Examples(pixels, torch.zeros(6, dtype=torch.int64)))
    assert logits.shape == (6, 5)
    assert logits.dtype == np.float32
    features, again = classifier.features(pixels.float() / 255)
    assert features.shape == (6, classifier.head.in_features)
    assert again.dtype == torch.float32
    np.testing.assert_allclose(again.numpy(), logits, rtol=0.02, atol=1e-4)


def test_names_that_are_not_there_get_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"no classifier 'resnet81'; did you mean 'resnet"):
        made("vision-classifier", 3, architecture="resnet81")
    with pytest.raises(ValueError, match="reads three channels"):
        made("vision-classifier", 1)


def test_first_weights_are_keyed_and_no_global_generator_moves() -> None:
    before = torch.get_rng_state()
    assert same(fresh(), fresh())
    assert not same(fresh(), fresh(key="other"))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("kind", ["mlp", "resnet"])
def test_training_depends_on_its_key_alone_and_learns(kind: str) -> None:
    forget, retain, held_out = examples()
    trained = []
    for key in ("a", "a", "b"):
        classifier = fresh(kind)
        fit(classifier.network, forget + retain, classifier.recipe, 0, key)
        torch.rand(1)
        trained.append(classifier)
    assert same(trained[0], trained[1])
    assert not same(trained[0], trained[2])
    assert right(trained[0], held_out) > 0.8  # other writers than those trained on


def test_weights_make_the_round_trip_through_arrays() -> None:
    given = original("resnet")
    assert same(fresh("resnet").loaded(given.arrays()), given)


def test_the_rate_falls_by_half_a_cosine() -> None:
    recipe = Recipe(epochs=1, batch=1, rate=0.4)
    found = [recipe.rate_at(t, 4) for t in range(4)]
    assert found == pytest.approx([0.4 * (1 + math.cos(math.pi * t / 4)) / 2 for t in range(4)])
    assert Recipe(epochs=1, batch=1, rate=0.4, schedule="constant").rate_at(3, 4, rate=0.2) == 0.2


def test_a_pass_shows_every_example_once_in_an_order_of_its_own() -> None:
    forget, _, _ = examples()
    recipe = Recipe(epochs=2, batch=16, rate=0.1)
    batches = list(passes(forget, recipe, 2, 0, "x"))
    assert len(batches) == steps_of(len(forget), recipe, 2)
    orders = [torch.cat([b.rows for b in batches if b.epoch == e]).tolist() for e in (0, 1)]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(len(forget)))
    assert [b.step for b in batches] == list(range(len(batches)))
    assert torch.equal(batches[0].pixels, forget.pixels[batches[0].rows].float() / 255)


def test_crops_and_mirror_images_by_hand() -> None:
    pixels = torch.arange(5 * 2 * 6 * 7, dtype=torch.float32).reshape(5, 2, 6, 7)
    found = cropped(pixels, generator(3, "training", "crop"))
    drawn = generator(3, "training", "crop")
    top, left, mirrored = drawn.integers(0, 2 * PAD + 1, 5), drawn.integers(0, 2 * PAD + 1, 5), drawn.random(5) < 0.5
    assert 0 < mirrored.sum() < 5
    padded = np.pad(pixels.numpy(), ((0, 0), (0, 0), (PAD, PAD), (PAD, PAD)))
    for i in range(5):
        cut = padded[i, :, top[i] : top[i] + 6, left[i] : left[i] + 7]
        np.testing.assert_array_equal(found[i].numpy(), cut[:, :, ::-1] if mirrored[i] else cut)
