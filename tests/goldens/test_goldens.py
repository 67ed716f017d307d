"""Golden values where their weights and images are present; elsewhere a skip that names the missing file.

That the comparison can fail is shown without them: the same functions run over stand-ins of the same interfaces, whose
numbers are not the published ones, and are rejected.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import golden_values as goldens
import numpy as np
import pytest
from golden_values import GOLDENS, Golden, absent, verdict

from harness.scoring.extractors import missing

TOY = Golden("toy", 10.0, 0.1, "a paper", lambda: 10.05, "rounding")


@pytest.mark.goldens
@pytest.mark.slow
@pytest.mark.parametrize("golden", GOLDENS, ids=lambda g: g.name)
def test_ours_is_the_published_number(golden: Golden) -> None:
    if reason := absent(golden):
        pytest.skip(reason)
    assert verdict(golden, golden.measure()) == ""


ACTIVATIONS = [(goldens.CLEAN, "clean"), (goldens.TF_RESIZE, "legacy_tensorflow")]


@pytest.mark.goldens
@pytest.mark.parametrize(("name", "mode"), ACTIVATIONS)
def test_activations_of_four_images_are_those_of_the_published_network(name: str, mode: str) -> None:  # T9
    pytest.importorskip("cleanfid.fid")
    if (gone := missing(name)) is not None:
        pytest.skip(str(gone))
    assert goldens.activation_difference(name, mode) <= 1e-4


@pytest.mark.parametrize(("name", "mode"), ACTIVATIONS)
def test_activations_of_another_protocol_are_told_apart(name: str, mode: str, inception_standin: Path) -> None:
    pytest.importorskip("cleanfid.fid")
    assert goldens.activation_difference(name, mode) <= 1e-6
    for _, other in ACTIVATIONS:
        if other != mode:
            assert goldens.activation_difference(name, other) > 1e-3


@pytest.mark.parametrize("found", [10.0, 10.1, 9.9])
def test_a_value_within_the_tolerance_passes(found: float) -> None:
    assert verdict(replace(TOY, tolerance=0.1 + 1e-12), found) == ""


@pytest.mark.parametrize("found", [10.11, 9.8, -10.0, 0.0, math.nan, math.inf])
def test_any_other_value_fails_and_says_whose_number_it_is_not(found: float) -> None:
    said = verdict(TOY, found)
    assert "toy" in said
    assert "a paper" in said


@pytest.mark.parametrize("golden", GOLDENS, ids=lambda g: g.name)
def test_no_tolerance_is_wide_enough_for_a_wrong_protocol(golden: Golden) -> None:
    """Nothing passes everything: zero, and the value off by a twentieth, are rejected; each tolerance has a reason."""
    assert golden.tolerance < 0.05 * abs(golden.value)
    assert verdict(golden, golden.value) == ""
    assert verdict(golden, 0.0)
    assert verdict(golden, 1.05 * golden.value)
    assert golden.reason
    assert golden.source


def test_protocols_that_papers_mix_up_are_told_apart() -> None:
    by_name = {g.name: g for g in GOLDENS}
    clean, legacy = (by_name[f"fid of ten images, {p}"] for p in ("clean", "legacy_pytorch"))
    assert verdict(clean, legacy.value)
    assert verdict(legacy, clean.value)
    band = by_name["clip score of SDXL"]
    assert (band.value - band.tolerance, band.value + band.tolerance) == pytest.approx(
        (31.68631873, 31.81331801), abs=1e-5
    )
    fid = by_name["fid of SDXL"]
    assert (fid.value - fid.tolerance, fid.value + fid.tolerance) == pytest.approx((23.01085758, 23.95007626), abs=1e-5)


# --- where something is missing ---------------------------------------------------------------------------------------


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A golden folder and a weights folder, both empty, and no other place to look."""
    for variable, name in ((goldens.FOLDER, "goldens"), ("HARNESS_WEIGHTS", "weights"), ("TORCH_HOME", "torch")):
        (tmp_path / name).mkdir(exist_ok=True)
        monkeypatch.setenv(variable, str(tmp_path / name))
    monkeypatch.setattr("harness.models.extractors.places.HubFolder._cached", lambda self: None)
    for cached in (goldens.cifar_rows, goldens.fidelity_rows, goldens.dgm_rows):
        cached.cache_clear()
    return tmp_path


@pytest.mark.parametrize("golden", GOLDENS, ids=lambda g: g.name)
def test_a_skip_names_the_missing_file(golden: Golden, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert golden.files[0] in absent(golden)
    assert str(bare / "goldens") in absent(golden)
    for file in golden.files:
        place = bare / "goldens" / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    assert any(word in absent(golden) for word in ("inception", "dinov2", "clip", "alexnet", "vgg16"))
    monkeypatch.delenv(goldens.FOLDER)
    assert goldens.FOLDER in absent(golden)


# --- the same functions over stand-ins --------------------------------------------------------------------------------


@pytest.fixture
def images(bare: Path) -> Path:
    """Thirty images in the layout of CIFAR-10's binary version, and five pairs of small bitmaps."""
    from PIL import Image

    rng = np.random.default_rng(11)
    root = bare / "goldens"
    (root / "cifar-10-batches-bin").mkdir()
    for file in goldens.ALL_CIFAR:
        rows = np.concatenate([np.full((30, 1), 3), rng.integers(0, 256, (30, 3072))], axis=1)
        (root / file).write_bytes(rows.astype(np.uint8).tobytes())
    for side in ("ref", "dist"):
        (root / "iqa" / f"{side}_dir").mkdir(parents=True)
        for name in goldens.PAIRS:
            pixels = rng.integers(0, 256, (70, 90, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(root / "iqa" / f"{side}_dir" / f"{name}.bmp")
    return root


def test_bitmaps_are_read_as_they_are_laid_out(images: Path) -> None:
    raw = np.frombuffer((images / goldens.CIFAR[0]).read_bytes(), dtype=np.uint8).reshape(30, 3073)
    found = goldens.cifar("data_batch_1.bin")
    assert found.shape == (30, 32, 32, 3)
    assert found[4, 2, 7].tolist() == [int(raw[4, 1 + plane * 1024 + 2 * 32 + 7]) for plane in range(3)]
    assert len(goldens.cifar_train()) == 150


def rejected(name: str, measure: Callable[[], float]) -> float:
    """The number that a stand-in gives; fails if the comparison would let it pass."""
    (golden,) = (g for g in GOLDENS if g.name == name)
    found = measure()
    assert math.isfinite(found)
    assert verdict(golden, found)
    assert verdict(replace(golden, value=found), found) == ""  # and would pass, were it the published one
    return found


def test_inception_goldens_reject_a_stand_in(
    images: Path, monkeypatch: pytest.MonkeyPatch, inception_standin: Path
) -> None:
    rows = partial(goldens.cifar_rows, goldens.TF_RESIZE, 24)
    rejected("fid of CIFAR-10", partial(goldens.cifar_fid, rows))
    rejected("kid of CIFAR-10", partial(goldens.cifar_kid, rows, size=20))
    rejected("fid of ten images, clean", partial(goldens.folder_fid, goldens.CLEAN))


def test_dinov2_goldens_reject_a_stand_in(images: Path, bare: Path) -> None:
    import torch
    from transformers import Dinov2Config, Dinov2Model

    shape: dict[str, Any] = {"hidden_size": 1024, "num_hidden_layers": 1, "num_attention_heads": 4, "mlp_ratio": 1}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        Dinov2Model(Dinov2Config(**shape, image_size=224, patch_size=14)).save_pretrained(
            bare / "weights" / goldens.DINO
        )
    rows = partial(goldens.dgm_rows, goldens.DINO, 12)
    rejected("fd of DINOv2", partial(goldens.cifar_fid, rows))
    for name in ("precision", "coverage"):
        rejected(f"{name} of DINOv2", partial(goldens.shared, rows, name, 5, False))


def test_lpips_goldens_reject_a_stand_in(images: Path, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AlexNet's class with random weights under the published name: its hash is refused, then its numbers are."""
    import torch
    from torchvision.models import alexnet

    from harness.models import lpips_features
    from harness.models.extractors.places import WeightsDiffer

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = {k: v for k, v in alexnet(weights=None).state_dict().items() if k.startswith("features.")}
    torch.save(state, bare / "weights" / lpips_features.TRUNKS["alex"])
    with pytest.raises(WeightsDiffer):
        goldens.pair_distance("alex", "I03")
    published = lpips_features.trunk
    monkeypatch.setattr(lpips_features, "trunk", lambda net: replace(published(net), sha256=""))
    found = [rejected(f"lpips.alex {name}", partial(goldens.pair_distance, "alex", name)) for name in ("I03", "I04")]
    assert found[0] != found[1]
