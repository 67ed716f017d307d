"""The recipe of face recognisers: margins and triplets in closed form, graphs that say what the nets say."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.worlds.recipes.avatars_recognisers import RECIPES, embeddings, export, frame, margin_loss, triplet_loss
from harness.worlds.recipes.recogniser_networks import ARCHITECTURES, DIMENSION, SIZE_PX

ARC = replace(RECIPES["avatars-resnet-a"], scale=2.0, margin=0.3)


def test_arcface_adds_its_margin_to_the_angle_and_cosface_to_the_cosine() -> None:
    unit = torch.tensor([[math.cos(0.5), math.sin(0.5)]])
    centres, person = torch.tensor([[3.0, 0.0], [0.0, 0.2]]), torch.tensor([0])
    other = math.exp(2 * math.sin(0.5))
    for loss, wanted in (("arcface", math.cos(0.8)), ("cosface", math.cos(0.5) - 0.3)):
        own = math.exp(2 * wanted)
        found = float(margin_loss(unit, centres, person, replace(ARC, loss=loss)))
        assert found == pytest.approx(-math.log(own / (own + other)), abs=1e-5)
    plain = float(margin_loss(unit, centres, person, ARC, share=0.0))
    own = math.exp(2 * math.cos(0.5))
    assert plain == pytest.approx(-math.log(own / (own + other)), abs=1e-4)


def test_the_triplet_loss_takes_the_hardest_of_both_sides() -> None:
    angle = torch.tensor([0.0, 0.4, 1.0, 1.1])
    unit = torch.stack([angle.cos(), angle.sin()], dim=1)
    person = torch.tensor([0, 0, 1, 1])
    chord = [2 * math.sin(x / 2) for x in (0.4, 1.0, 0.6, 0.1, 0.7)]
    pairs = [(chord[0], chord[1]), (chord[0], chord[2]), (chord[3], chord[2]), (chord[3], chord[4])]
    expected = np.mean([math.log1p(math.exp(12 * (p - n + 0.2))) / 12 for p, n in pairs])
    assert float(triplet_loss(unit, person, 0.2)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_the_graph_says_what_the_net_says(architecture: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = ARCHITECTURES[architecture]().eval()
    export(net, tmp_path / "model.onnx")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    with torch.no_grad():
        raw = net(frame(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255))
    assert raw.shape == (3, DIMENSION)
    wanted = torch.nn.functional.normalize(raw, dim=1).numpy()
    assert np.abs(embeddings(tmp_path / "model.onnx", pixels) - wanted).max() < 1e-4
    assert frame(torch.zeros(1, 3, 64, 64)).shape == (1, 3, SIZE_PX, SIZE_PX)
    assert float(frame(torch.ones(1, 3, 64, 64)).min()) == pytest.approx(1.0, abs=1e-6)


def test_six_recognisers_of_four_families_three_training_sets_and_two_seeds() -> None:
    assert len(RECIPES) == 6
    assert len({r.architecture for r in RECIPES.values()}) >= 4
    assert len({r.people for r in RECIPES.values()}) == 3
    assert len({r.seed for r in RECIPES.values()}) == 2
