"""Closed forms of SSD, SCRUB, bad teacher, boundary unlearning, DUCK and the ridge head."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from harness.methods.unlearning.classifier.bad_teacher import BadTeacher
from harness.methods.unlearning.classifier.boundary_expand import BoundaryExpand
from harness.methods.unlearning.classifier.boundary_shrink import across
from harness.methods.unlearning.classifier.duck import centroids, pull
from harness.methods.unlearning.classifier.ridge_head import RidgeHead
from harness.methods.unlearning.classifier.scrub import Scrub, divergence, error, rewound
from harness.methods.unlearning.classifier.ssd import Ssd, dampen, importance
from harness.models.vision.classifier import Classifier
from harness.models.vision.networks import Normalised
from harness.models.vision.training import Examples
from tests.builders.forgetting import CLASSES, RECIPE, examples, original, request, same


def linear(weight: torch.Tensor) -> Classifier:
    """Logits W x of pictures of as many pixels as W has columns."""
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.zero_()
    network = Normalised(nn.Sequential(nn.Flatten(), layer), torch.zeros(1), torch.ones(1))
    return Classifier(network.eval().requires_grad_(False), RECIPE, "cpu")


def pictures(rows: list[list[int]], labels: list[int]) -> Examples:
    return Examples(torch.tensor(rows, dtype=torch.uint8)[:, None, None, :], torch.tensor(labels))


# --- SSD --------------------------------------------------------------------------------------------------------------


def test_dampening_by_hand() -> None:
    weight = torch.tensor([2.0, -3.0, 5.0, 7.0])
    own, every = torch.tensor([8.0, 1.0, 0.0, 30.0]), torch.tensor([2.0, 1.0, 0.0, 1.0])
    dampen([weight], [own], [every], alpha=3.0, lam=2.0)
    assert weight.tolist() == pytest.approx([2.0 * 4 / 8, -3.0, 5.0, 7.0 * 2 / 30])


@pytest.mark.parametrize(("alpha", "lam"), [(1.0, 0.1), (7.0, 0.1), (0.5, 1.0)])
def test_equal_importance_leaves_every_byte(alpha: float, lam: float) -> None:
    drawn = torch.linspace(0, 3, 50)
    weight = torch.linspace(-2, 2, 50)
    kept = weight.clone()
    dampen([weight], [drawn], [drawn.clone()], alpha, lam)
    assert torch.equal(weight, kept)


@pytest.mark.parametrize("kind", ["mlp", "resnet"])
def test_ssd_changes_nothing_where_forget_and_retain_set_are_the_same(kind: str) -> None:
    given, (_, retain, _) = original(kind, batch=len(examples()[1])), examples()
    asked = request(kind, forget=retain, retain=retain)
    assert same(Ssd(alpha=1.001).forget(given, asked, 0), given)  # F_D is the same sum, halved: equal but for rounding


def test_importance_is_the_mean_squared_slope() -> None:
    given, (forget, _, _) = original(), examples()
    own = importance(given, forget[slice(0, 3)], batch=1)
    network = given.copy().network.requires_grad_(True)
    rows = []
    for i in range(3):
        one = forget[slice(i, i + 1)]
        found = functional.cross_entropy(network(one.pixels.float() / 255), one.labels)
        rows.append([s**2 for s in torch.autograd.grad(found, list(network.parameters()))])
    for i, total in enumerate(own):
        torch.testing.assert_close(total, sum(r[i] for r in rows) / 3)


# --- SCRUB ------------------------------------------------------------------------------------------------------------


def test_divergence_by_hand() -> None:
    """KL((3/4, 1/4) ‖ (1/2, 1/2)) = 3/4 ln 3/2 + 1/4 ln 1/2; at T = 2 logits are halved and the result times 4."""
    wanted, said = torch.tensor([[math.log(3.0), 0.0]]), torch.zeros(1, 2)
    by_hand = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert float(divergence(said, wanted, 1.0)) == pytest.approx(by_hand, rel=1e-6)
    assert float(divergence(said, 2 * wanted, 2.0)) == pytest.approx(4 * by_hand, rel=1e-6)
    assert float(divergence(wanted, wanted, 2.0)) == 0.0


def test_a_student_that_only_agrees_with_its_teacher_stays() -> None:
    """γ = 0 and no ascent: the loss is KL to itself. Networks without running statistics; no decay."""
    given = original(momentum=0.0)
    still = Scrub(epochs=2, ascents=0, gamma=0.0, optimiser="sgd", rate=0.1, weight_decay=0.0)
    made = still.forget(given, request(), 0)
    for mine, first in zip(made.network.parameters(), given.network.parameters(), strict=True):
        torch.testing.assert_close(mine, first, rtol=0, atol=1e-6)  # the slope of KL at its minimum, but for rounding


def test_rewinding_returns_to_the_student_that_errs_like_the_last_on_held_out_examples() -> None:
    shown = pictures([[255, 0], [255, 0], [0, 255], [0, 255]], [0, 0, 0, 0])  # errors of the planted students: 0, .5, 1
    good, half, bad = (
        linear(torch.tensor(w)) for w in ([[2.0, 2.0], [1, 1]], [[2.0, 1.0], [1, 2]], [[1.0, 1], [2, 2]])
    )
    asked = request(forget=shown, held_out=pictures([[0, 255], [255, 0]], [0, 0]), forgotten=0)
    assert [error(s, shown) for s in (good, half, bad)] == [0.0, 0.5, 1.0]
    assert rewound([good, bad, half], asked) is half
    assert rewound([good, half, bad], asked) is bad
    # held-out examples of other classes do not count where a class is forgotten
    asked = replace(asked, held_out=pictures([[0, 255], [0, 255], [255, 0], [255, 0]], [0, 0, 1, 1]))
    assert rewound([good, bad, half], asked) is bad
    with pytest.raises(ValueError, match="raise `held_out`"):
        rewound([good], replace(asked, forgotten=3))


# --- teachers and boundaries ------------------------------------------------------------------------------------------


def test_the_bad_teacher_is_followed_where_it_teaches_and_only_there() -> None:
    given, asked = original(), request()
    bad = asked.fresh("bad teacher")
    made = BadTeacher(epochs=20, rate=1e-2).forget(given, asked, 0)

    def apart(one: Classifier, other: Classifier, shown: Examples) -> float:
        a, b = (torch.from_numpy(c.logits(shown)) for c in (one, other))
        return float(divergence(a, b, 1.0))

    assert apart(made, bad, asked.forget) < 0.1 * apart(given, bad, asked.forget)
    assert apart(made, given, asked.retain) < 0.3 * apart(made, bad, asked.retain)


def test_the_nearest_boundary_by_hand() -> None:
    """Class 0 wins at (1, .2); one sign step of .4 leads to (.6, .6), where class 1 is ahead of class 2; without a step
    class 2 is second."""
    given = linear(torch.tensor([[5.0, 0.0], [0.0, 4.0], [1.5, 0.0]]))
    shown = pictures([[255, 51]], [0])
    assert across(given, shown, bound=0.0).tolist() == [2]
    assert across(given, shown, bound=0.4).tolist() == [1]


@pytest.mark.parametrize("kind", ["mlp", "resnet"])
def test_the_shadow_class_is_gone_and_without_training_nothing_happened(kind: str) -> None:
    given, asked = original(kind), request(kind)
    assert same(BoundaryExpand(epochs=0).forget(given, asked, 0), given)
    made = BoundaryExpand(epochs=3, rate=0.05).forget(given, asked, 0)
    assert made.head.out_features == CLASSES
    assert error(made, asked.forget) > error(given, asked.forget)


# --- features ---------------------------------------------------------------------------------------------------------


def test_pull_to_the_nearest_wrong_centroid_by_hand() -> None:
    means = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    there = torch.tensor([True, True, True])
    features = torch.tensor([[3.0, 0.0], [1.0, 1.0]])
    near = [1 - 0.0, 1 - 1 / math.sqrt(2)]  # the first is of class 0: class 1 is next; the second of class 1: class 0
    assert float(pull(features, torch.tensor([0, 1]), means, there)) == pytest.approx(np.mean(near), rel=1e-6)
    absent = torch.tensor([True, False, True])
    assert float(pull(features[:1], torch.tensor([0]), means, absent)) == pytest.approx(2.0)


def test_centroids_are_mean_features_of_what_is_kept() -> None:
    given, (_, retain, _) = original(), examples()
    means, there = centroids(given, retain, CLASSES)
    assert there.tolist() == [True, False, True, True]
    features, logits = given.features(retain.pixels.float() / 255)
    np.testing.assert_allclose(logits, given.logits(retain), rtol=1e-5, atol=1e-5)
    wanted = functional.normalize(features[retain.labels == 2].mean(0), dim=0)
    torch.testing.assert_close(means[2], wanted, rtol=1e-4, atol=1e-6)


def test_forgetting_in_a_ridge_regression_is_solving_again_without_the_rows() -> None:
    """A linear model: its features are the pixels, so the head is all there is, and deleting rows is retraining."""
    given, asked = original("linear"), request("linear")
    made = RidgeHead(penalty=0.01, scale=1.0).forget(given, asked, 0)
    _, retain, _ = examples()
    pixels = (retain.pixels.float() / 255 - 0.3) / 0.35
    rows = np.hstack([pixels.flatten(1).double().numpy(), np.ones((len(retain), 1))])
    targets = np.eye(CLASSES)[retain.labels.numpy()]
    solved = np.linalg.solve(rows.T @ rows + 0.01 * len(rows) * np.eye(rows.shape[1]), rows.T @ targets)
    np.testing.assert_allclose(made.head.weight.numpy(), solved[:-1].T, rtol=0, atol=2e-6)  # stored in float32
    np.testing.assert_allclose(made.logits(retain), rows @ solved, rtol=0, atol=2e-5)
    kept = replace(asked, retain=asked.forget + asked.retain)
    everything = RidgeHead(penalty=0.01, scale=1.0).forget(given, kept, 0)
    assert not np.allclose(everything.head.weight.numpy(), solved[:-1].T, atol=1e-3)
