"""Closed forms of fine-tuning, gradient ascent, NegGrad+, ℓ1-sparse, random labels, SalUn and their controls."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from harness.methods.unlearning.classifier.fine_tune import FineTune
from harness.methods.unlearning.classifier.gradient_ascent import GradientAscent
from harness.methods.unlearning.classifier.l1_sparse import L1Sparse
from harness.methods.unlearning.classifier.neggrad_plus import NegGradPlus
from harness.methods.unlearning.classifier.random_label import RandomLabel, wrong_labels
from harness.methods.unlearning.classifier.random_weights import RandomWeights
from harness.methods.unlearning.classifier.retrain import Retrain
from harness.methods.unlearning.classifier.saliency import mask_of
from harness.methods.unlearning.classifier.salun import SalUn
from harness.models.vision.classifier import Classifier
from tests.builders.forgetting import examples, original, request, right, same, state

KINDS = pytest.mark.parametrize("kind", ["mlp", "resnet"])


def loss(classifier: Classifier) -> float:
    forget, _, _ = examples()
    return float(functional.cross_entropy(torch.from_numpy(classifier.logits(forget)).double(), forget.labels))


@KINDS
def test_no_epoch_changes_nothing(kind: str) -> None:
    given, asked = original(kind), request(kind)
    for method in (FineTune(epochs=0), GradientAscent(epochs=0), SalUn(epochs=0), NegGradPlus(epochs=0)):
        assert same(method.forget(given, asked, 0), given)


@KINDS
def test_neggrad_plus_at_alpha_one_is_fine_tuning(kind: str) -> None:
    given, asked = original(kind), request(kind)
    tuned = FineTune(epochs=2, rate=0.05).forget(given, asked, 0)
    assert same(NegGradPlus(alpha=1.0, epochs=2, rate=0.05).forget(given, asked, 0), tuned)
    assert not same(NegGradPlus(alpha=0.99, epochs=2, rate=0.05).forget(given, asked, 0), tuned)


def test_l1_without_penalty_is_fine_tuning_and_with_it_has_smaller_weights() -> None:
    given, asked = original(), request()
    tuned = FineTune(epochs=2, rate=0.05).forget(given, asked, 0)
    assert same(L1Sparse(alpha=0.0, epochs=2, rate=0.05).forget(given, asked, 0), tuned)
    sparse = L1Sparse(alpha=1e-3, epochs=2, rate=0.05).forget(given, asked, 0)
    sizes = [sum(float(w.abs().sum()) for w in c.network.parameters()) for c in (sparse, tuned)]
    assert sizes[0] < sizes[1]


def test_one_step_of_ascent_raises_the_loss_by_its_rate_times_the_squared_slope() -> None:
    """L(θ + η g) - L(θ) = η ‖g‖² + O(η²): halving η quarters the rest. One batch, no decay; an undertrained network."""
    forget, _, _ = examples()
    given = original(epochs=1, batch=len(forget), weight_decay=0.0)
    network = given.copy().network.requires_grad_(True)
    slopes = torch.autograd.grad(
        functional.cross_entropy(network(forget.pixels.float() / 255), forget.labels), list(network.parameters())
    )
    squared = sum(float((s.double() ** 2).sum()) for s in slopes)
    assert squared > 1e-3
    rests = []
    for rate in (0.02, 0.01):
        made = GradientAscent(epochs=1, rate=rate).forget(given, request(), 0)
        risen = loss(made) - loss(given)
        assert risen == pytest.approx(rate * squared, rel=0.2)
        rests.append(risen - rate * squared)
    assert rests[0] / rests[1] == pytest.approx(4, rel=0.3)  # float32 weights under a difference of losses


def test_wrong_labels_are_never_right_and_uniform_over_the_others() -> None:
    labels = torch.arange(4).repeat(3000)
    wrong = wrong_labels(labels, 4, seed=1)
    assert not (wrong == labels).any()
    counts = np.bincount((4 * labels + wrong).numpy(), minlength=16).reshape(4, 4)
    assert (np.diag(counts) == 0).all()
    assert np.abs(counts[~np.eye(4, dtype=bool)] - 1000).max() < 5 * np.sqrt(1000)
    assert torch.equal(wrong, wrong_labels(labels, 4, seed=1))
    assert not torch.equal(wrong, wrong_labels(labels, 4, seed=2))


@KINDS
@pytest.mark.parametrize("order", ["forget-then-retain", "mixed"])
def test_salun_with_a_full_mask_is_random_labels(kind: str, order: str) -> None:
    given, asked = original(kind), request(kind)
    label = RandomLabel(epochs=2, rate=0.1, order=order).forget(given, asked, 0)  # type: ignore[arg-type]
    for applies in ("weights", "gradients"):
        salun = SalUn(share=1.0, epochs=2, rate=0.1, order=order, applies=applies)  # type: ignore[arg-type]
        assert same(salun.forget(given, asked, 0), label)


@KINDS
def test_salun_with_an_empty_mask_returns_every_byte_under_momentum_and_decay(kind: str) -> None:
    given, asked = original(kind), request(kind)
    assert given.recipe.momentum > 0
    assert given.recipe.weight_decay > 0
    assert same(SalUn(share=0.0, epochs=2, rate=0.1).forget(given, asked, 0), given)


def test_the_mask_before_the_fix_let_momentum_and_decay_move_what_it_covered() -> None:
    given, asked = original(), request()
    leaked = SalUn(share=0.0, epochs=2, rate=0.1, applies="gradients").forget(given, asked, 0)
    assert not same(leaked, given)
    plain = original(weight_decay=0.0)
    assert same(SalUn(share=0.0, epochs=2, rate=0.1, applies="gradients").forget(plain, asked, 0), plain)


def test_salun_moves_only_what_its_mask_marks() -> None:
    given, asked = original(), request()
    masks = mask_of(given.copy(), asked.forget, 0.3)
    made = SalUn(share=0.3, epochs=2, rate=0.1).forget(given, asked, 0)
    pairs = zip(made.network.parameters(), given.network.parameters(), masks, strict=True)
    for weight, first, mask in pairs:
        assert torch.equal(weight[~mask], first[~mask])
        assert not torch.equal(weight[mask], first[mask]) or not mask.any()


def test_the_mask_marks_its_share_of_the_steepest_weights() -> None:
    given, (forget, _, _) = original(), examples()
    masks = mask_of(given, forget, 0.25)
    total = sum(m.numel() for m in masks)
    assert sum(int(m.sum()) for m in masks) == round(0.25 * total)
    network = given.copy().network.requires_grad_(True)
    batches = [functional.cross_entropy(network(f.pixels.float() / 255), f.labels) for f in
               (forget[slice(i, i + 32)] for i in range(0, len(forget), 32))]  # fmt: skip
    slopes = torch.autograd.grad(sum(batches), list(network.parameters()))  # type: ignore[arg-type]
    steep = torch.cat([s.abs().flatten() for s in slopes])
    marked = torch.cat([m.flatten() for m in masks])
    assert steep[marked].min() >= steep[~marked].max() * (1 - 1e-4)  # sums in another order
    assert not any(m.any() for m in mask_of(given, forget, 0.0))
    assert all(m.all() for m in mask_of(given, forget, 1.0))


@KINDS
def test_random_weights_move_each_tensor_as_far_as_the_other_method(kind: str) -> None:
    given, asked = original(kind), request(kind)
    other = RandomLabel(epochs=1, rate=0.05).forget(given, asked, 0)
    made = RandomWeights(like="random_label", epochs=1, rate=0.05).forget(given, asked, 0)
    for mine, theirs, first in zip(*(c.network.parameters() for c in (made, other, given)), strict=True):
        assert float((mine - first).norm()) == pytest.approx(float((theirs - first).norm()), rel=1e-4, abs=1e-6)
        assert not torch.equal(mine, theirs)
    buffers = dict(given.network.named_buffers())
    assert all(torch.equal(v, buffers[k]) for k, v in made.network.named_buffers())


def test_retraining_is_the_shared_network_and_never_saw_the_class() -> None:
    asked = request()
    shared = asked.retrained()
    made = Retrain().forget(original(), request(retrained=lambda: shared), 0)
    assert made is shared
    forget, retain, _ = examples()
    assert right(made, forget) == 0.0
    assert right(made, retain) > 0.9
    assert state(made)
