"""A user's scorer: declared by a file, read at its size and range, checked, and named by its bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from harness.models.judges import find, identity, names
from harness.models.judges.torchscript import TorchScriptScorer
from harness.models.model import MissingWeights


class Brightness(nn.Module):
    """Mean level, as it comes in."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean([1, 2, 3])


class Corner(nn.Module):
    """Of the picture's size: sees whether it was resized; (n, 1) as KonCept gives."""

    def forward(self, images: Tensor) -> Tensor:
        return images[:, :1, 0, 0] * 0 + float(images.shape[2] * 1000 + images.shape[3])


class Wrong(nn.Module):
    """Two numbers an image."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean([2, 3])


def save(module: nn.Module, folder: Path, name: str = "own.pt") -> Path:
    torch.jit.script(module).save(str(folder / name))
    return folder / name


def score(judge: TorchScriptScorer, images: np.ndarray) -> np.ndarray:
    return judge.open("cpu")({"images": images}, [{}] * len(images))["score"]


def test_a_declared_file_is_a_judge_under_its_own_name(weights: Path, renders: np.ndarray) -> None:
    save(Brightness(), weights)
    (weights / "bright.judge.yaml").write_text(
        "judge: torchscript-scorer\nfile: own.pt\nheight: 64\nwidth: 64\ninput: unit\nlow: 0\nhigh: 0.5\n"
    )
    assert "bright" in names()
    judge = find("bright")
    assert isinstance(judge, TorchScriptScorer)
    assert score(judge, renders) == pytest.approx(renders.mean((1, 2, 3)) / 255 / 0.5, abs=1e-5)
    first = identity(judge)
    save(Corner(), weights)
    assert identity(find("bright")) != first  # other bytes, another judge


@pytest.mark.parametrize(
    ("range_", "expected"), [("unit", 1.0), ("signed", 1.0), ("levels", 255.0), ("imagenet", 2.4285716)]
)
def test_the_input_range_is_the_declared_one(weights: Path, range_: str, expected: float) -> None:
    save(Brightness(), weights)
    white = np.full((2, 8, 8, 3), 255, np.uint8)
    judge = TorchScriptScorer("own.pt", 8, 8, input=range_)  # type: ignore[arg-type]
    value = {"imagenet": np.mean((1 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225]))}
    assert score(judge, white) == pytest.approx(value.get(range_, expected), rel=1e-5)


def test_lower_is_better_when_high_is_below_low(weights: Path, renders: np.ndarray) -> None:
    save(Brightness(), weights)
    up, down = (TorchScriptScorer("own.pt", 64, 64, "unit", *ends) for ends in ((0.0, 1.0), (1.0, 0.0)))
    assert score(up, renders[:5]) == pytest.approx(1 - score(down, renders[:5]), abs=1e-6)


def test_images_are_resized_to_the_declared_size(weights: Path, renders: np.ndarray) -> None:
    save(Corner(), weights)
    assert score(TorchScriptScorer("own.pt", 24, 32), renders[:3]).tolist() == [24032.0] * 3


def test_scores_do_not_depend_on_the_batch_and_are_differentiable(weights: Path, renders: np.ndarray) -> None:
    save(Brightness(), weights)
    judge = TorchScriptScorer("own.pt", 40, 40, batch=4)
    whole = score(judge, renders[:10])
    assert (score(judge, renders[9:10]) == whole[9:]).all()
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (slope,) = torch.autograd.grad(judge.gradient("cpu")(x).sum(), x)
    assert float(slope.abs().min()) >= 0
    assert float(slope.abs().sum()) > 0


def test_what_is_wrong_is_said(weights: Path, renders: np.ndarray) -> None:
    with pytest.raises(MissingWeights, match=r"own\.pt.*copy the file to"):
        TorchScriptScorer("own.pt", 64, 64).open("cpu")
    assert TorchScriptScorer("own.pt", 64, 64).missing()
    save(Wrong(), weights)
    with pytest.raises(ValueError, match=r"scores of shape \(8, 3\)"):
        score(TorchScriptScorer("own.pt", 64, 64), renders[:2])
    with pytest.raises(ValueError, match="no range"):
        TorchScriptScorer("own.pt", 64, 64, low=1.0, high=1.0)
    (weights / "bad.judge.yaml").write_text("judge: torchscript-scorer\nfile: own.pt\nheigth: 64\nwidth: 64\n")
    with pytest.raises(ValueError, match=r"bad\.judge\.yaml.*heigth"):
        find("bad")
