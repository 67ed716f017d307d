"""The shipped quality scorers: what they see, what they do not depend on, and that two judge differently."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch

from harness.keys import generator
from harness.models import zoo
from harness.models.judges import find, identity
from harness.worlds.recipes import avatars_quality_a, avatars_quality_b
from harness.worlds.recipes.degradations import damage

NAMES = ("avatars-quality-a", "avatars-quality-b")
RECIPES = {"avatars-quality-a": avatars_quality_a.RECIPE, "avatars-quality-b": avatars_quality_b.RECIPE}
Score = Callable[[np.ndarray], np.ndarray]


def scorer(name: str) -> Score:
    read = find(name).open("cpu")
    return lambda images: read({"images": images}, [{}] * len(images))["score"]


def damaged(images: np.ndarray, name: str, severity: float) -> np.ndarray:
    pictures = torch.from_numpy(images.copy()).permute(0, 3, 1, 2).float() / 255
    made = damage(name, pictures, torch.full((len(images),), severity), generator(3, "world", name))
    return (made * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()


@pytest.mark.parametrize("judge", NAMES)
def test_scores_fall_with_the_severity_of_every_damage_that_was_learned(judge: str, renders: np.ndarray) -> None:
    score = scorer(judge)
    clean = score(renders).mean()
    assert clean > 0.8
    for name in RECIPES[judge].damages:
        mild, clear, heavy = (float(score(damaged(renders[:32], name, s)).mean()) for s in (0.15, 0.5, 1.0))
        assert clean > mild > clear > heavy, name
        assert heavy < 0.4, name


@pytest.mark.parametrize("judge", NAMES)
def test_a_picture_has_one_score_whatever_is_judged_with_it(judge: str, renders: np.ndarray) -> None:
    score = scorer(judge)
    whole = score(renders)
    assert whole.dtype == np.float32
    order = generator(5, "world").permutation(len(renders))
    assert (score(renders[order]) == whole[order]).all()
    assert (np.concatenate([score(renders[i : i + 1]) for i in range(5)]) == whole[:5]).all()
    many = np.concatenate([renders, renders])  # more than one pass
    assert (score(many)[len(renders) :] == whole).all()
    assert score(renders[:0]).shape == (0,)


@pytest.mark.parametrize("judge", NAMES)
def test_the_gradient_is_that_of_the_score(judge: str, renders: np.ndarray) -> None:
    function = find(judge).gradient("cpu")
    pictures = torch.from_numpy(renders[:3].copy()).permute(0, 3, 1, 2).float() / 255
    assert torch.allclose(function(pictures), torch.from_numpy(scorer(judge)(renders[:3])), atol=1e-6)
    wide = function.double()  # type: ignore[attr-defined]
    x = (0.9 * pictures + 0.05).double().requires_grad_()
    (slope,) = torch.autograd.grad(wide(x).sum(), x)
    direction = torch.from_numpy(generator(9, "world").standard_normal(tuple(x.shape)))
    step = 1e-7  # small, so that it crosses no kink of a ReLU
    with torch.no_grad():
        difference = (wide(x + step * direction) - wide(x - step * direction)).sum() / (2 * step)
    assert float((slope * direction).sum()) == pytest.approx(float(difference), rel=1e-5)
    assert float(slope.abs().max()) > 0


def test_the_scorers_share_neither_net_nor_renders_nor_all_damages() -> None:
    a, b = RECIPES.values()
    assert a.architecture != b.architecture
    assert (a.data_seed, a.seed) != (b.data_seed, b.seed)
    assert set(a.damages) - set(b.damages)
    assert set(b.damages) - set(a.damages)
    assert find(a.name).digest() != find(b.name).digest()
    assert identity(find(a.name)) != identity(find(b.name))


@pytest.mark.parametrize("judge", NAMES)
def test_the_card_says_what_the_scorer_sees(judge: str) -> None:
    measured = zoo.entry(judge).card["measured"]
    assert set(measured["severity_spearman"]) == set(RECIPES[judge].damages)
    assert min(measured["severity_spearman"].values()) > 0.6
    assert measured["clean_mean"] > 0.8
    assert measured["on_avatars_gan"]["spearman"] > 0.4
    assert sum(f["bytes"] for f in zoo.entry(judge).card["files"].values()) < 0.5 * 2**20


@pytest.mark.parametrize("judge", NAMES)
def test_other_pictures_are_refused(judge: str, renders: np.ndarray) -> None:
    score = scorer(judge)
    with pytest.raises(TypeError, match="uint8"):
        score(renders.astype(np.float32))
    with pytest.raises(ValueError, match="expected \\(N, 3, 64, 64\\)"):
        score(renders[:, :32])


def test_a_digest_needs_no_torch() -> None:
    code = (
        "import sys; from harness.models.judges import find, identity;"
        " [identity(find(n)) for n in ('avatars-quality-a', 'sharpness', 'avatars-adherence')];"
        " assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
