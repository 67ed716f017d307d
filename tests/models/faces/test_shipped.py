"""The shipped recognisers: people are told apart, gradients are the graph's, insightface opens the same files."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.models import zoo
from harness.models.faces import find
from harness.models.faces.recogniser import RECOGNISERS, UNKNOWN
from harness.models.zoo.card import CARD
from harness.worlds.avatars.photos import photographs

WEAK = "avatars-weak"
SHIPPED = [n for n in RECOGNISERS.entries if n.startswith("avatars-") and (zoo.ROOT / n / CARD).is_file()]


def test_recognisers_are_shipped() -> None:
    assert set(SHIPPED) - {WEAK}


@pytest.mark.parametrize("name", SHIPPED)
def test_people_never_seen_are_told_apart(name: str) -> None:
    shown = photographs("evaluation", 20, 2)
    recogniser = find(name)
    assert recogniser.missing() == ()
    assert UNKNOWN not in (recogniser.lineage.weights, recogniser.lineage.training, recogniser.lineage.architecture)
    vectors = recogniser.open("cpu")(shown.pixels).vectors
    scores = vectors @ vectors.T
    first, second = np.triu_indices(len(scores), 1)
    same = shown.person[first] == shown.person[second]
    genuine, impostor = scores[first, second][same], scores[first, second][~same]
    rate = float((genuine > np.quantile(impostor, 0.99)).mean())
    assert rate > (0.3 if name == WEAK else 0.8)  # 20 pairs; the card has the measurement of 200 people


@pytest.mark.parametrize("name", SHIPPED)
def test_gradients_are_of_the_shipped_graph_and_insightface_opens_it(name: str) -> None:
    from insightface.model_zoo import get_model

    shown = photographs("evaluation", 2, 2).pixels
    recogniser = find(name)
    seen = recogniser.open("cpu")(shown).vectors
    pixels = (torch.from_numpy(shown.copy()).permute(0, 3, 1, 2).float() / 255).requires_grad_()
    rows = recogniser.gradient("cpu")(pixels)
    np.testing.assert_allclose(rows.detach().numpy(), seen, atol=1e-4)
    (rows[0] @ rows[3]).backward()
    assert pixels.grad is not None
    assert float(pixels.grad[0].abs().max()) > 1e-5
    theirs = get_model(str(zoo.ROOT / name / "model.onnx"), providers=["CPUExecutionProvider"])
    assert (theirs.taskname, theirs.input_mean, theirs.input_std, theirs.input_size) == (
        *("recognition", 127.5, 127.5),
        (112, 112),
    )
