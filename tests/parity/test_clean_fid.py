"""Parity with clean-fid on folders of images: its own readers, resizers, networks and distance against ours.

The networks carry random weights behind the real interfaces. Distances are compared in 64 of the 2048 numbers: with
fewer images than numbers clean-fid's square root of a singular product is itself only right to 1e-5.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.metrics.fid import Fid
from harness.metrics.kid import subset_mean
from harness.metrics.metric import Evidence, Items
from harness.models.extractors import PUBLISHED
from harness.models.extractors.inception import PORT
from harness.scoring.extractors import Prepared, find, one_pass

pytestmark = pytest.mark.parity
cleanfid = pytest.importorskip("cleanfid.fid")
KEPT = slice(0, 2048, 32)


def pictures(n: int, seed: int, height: int = 40, width: int = 60) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n, height // 10, width // 10, 3)).repeat(10, 1).repeat(10, 2)
    return np.clip(coarse + rng.normal(0, 10 + 10 * seed, coarse.shape), 0, 255).astype(np.uint8)


def saved(folder: Path, images: np.ndarray) -> str:
    from PIL import Image

    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:05d}.png")
    return str(folder)


def theirs(folder: Path, mode: str) -> Callable[[Any], Any]:
    """clean-fid's feature extractor of a mode over the stand-in's file."""
    import torch
    from cleanfid.inception_torchscript import InceptionV3W

    network = InceptionV3W(str(folder), download=False, resize_inside=mode == "legacy_tensorflow").eval()
    return lambda x: network(x.to(torch.float32))


def settings(mode: str) -> dict[str, Any]:
    import torch

    return {"mode": mode, "num_workers": 0, "batch_size": 16, "device": torch.device("cpu"), "verbose": False}


@pytest.mark.parametrize("mode", ["clean", "legacy_tensorflow"])
def test_features_and_distance_are_clean_fids(mode: str, inception_standin: Path, tmp_path: Path) -> None:
    x, y = pictures(90, 1), pictures(80, 2)
    folders = saved(tmp_path / "x", x), saved(tmp_path / "y", y)
    network = theirs(inception_standin, mode)
    name = f"inception-{mode}"
    ours = {role: one_pass(find("features", name).open("cpu"), v, "cpu")["features"] for role, v in
            (("generated", x), ("reference", y))}  # fmt: skip
    expected = cleanfid.get_folder_features(folders[0], network, **settings(mode))
    assert np.abs(ours["generated"] - expected).max() <= 1e-6 * np.abs(expected).max()
    value = cleanfid.compute_fid(
        *folders, custom_feat_extractor=lambda z: network(z)[:, KEPT], use_dataparallel=False, **settings(mode)
    )
    prompt, sample = np.divmod(np.arange(len(x)), 9)
    items = Items(prompt, sample, prompt, tuple(f"p{i}" for i in range(10)))
    case = Evidence(items, features={(role, "inception-clean"): v[:, KEPT] for role, v in ours.items()})
    assert Fid().measure(case).value == pytest.approx(value, rel=1e-6)


def test_the_port_is_clean_fids_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """legacy_pytorch with random weights of the real architecture, through clean-fid's own builder."""
    import torch
    from cleanfid import features, inception_pytorch
    from torchvision.models.inception import Inception3

    from harness.models import extractors
    from harness.models.weights import sha256

    kept: list[Any] = []
    with torch.random.fork_rng(devices=[]), monkeypatch.context() as patch:
        torch.manual_seed(0)
        patch.setattr(inception_pytorch, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(Inception3, "load_state_dict", lambda self, state: kept.append(self))
        inception_pytorch.fid_inception_v3()
    state = kept[0].state_dict()
    torch.save(state, tmp_path / PORT.name)
    monkeypatch.setenv("HARNESS_WEIGHTS", str(tmp_path))
    declared = PUBLISHED["inception-legacy_pytorch"]
    file = replace(PORT, sha256=sha256(tmp_path / PORT.name))
    monkeypatch.setitem(extractors.PUBLISHED, declared.name, replace(declared, weights=file))
    x = pictures(3, 1)
    before = torch.get_rng_state()
    network = find("features", declared.name).open("cpu")
    assert torch.equal(torch.get_rng_state(), before)
    assert isinstance(network, Prepared)
    ours = one_pass(replace(network, batch=3), x, "cpu")["features"]
    monkeypatch.setattr(inception_pytorch, "load_state_dict_from_url", lambda *_, **__: state)
    model = features.build_feature_extractor("legacy_pytorch", torch.device("cpu"), use_dataparallel=False)
    folder = saved(tmp_path / "x", x)
    expected = cleanfid.get_folder_features(folder, model, **settings("legacy_pytorch"))
    assert np.abs(ours - expected).max() <= 1e-6 * np.abs(expected).max()


def test_protocols_differ_by_far_more_than_the_tolerance(inception_standin: Path) -> None:
    """The test above can see the protocol: features of the same images under two of them."""
    x = pictures(4, 1)
    made = [one_pass(find("features", f"inception-{m}").open("cpu"), x, "cpu")["features"] for m in
            ("clean", "legacy_tensorflow")]  # fmt: skip
    for a, b in itertools.combinations(made, 2):
        assert np.abs(a - b).max() > 1e-3 * np.abs(a).max()


def test_kernel_distance_of_one_whole_subset_is_clean_fids() -> None:
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(60, 16)), rng.normal(size=(60, 16)) + 0.2
    theirs = cleanfid.kernel_distance(y, x, num_subsets=1, max_subset_size=60)  # every row: the draw is an order
    assert subset_mean(x, y, 1, 60, 0) == pytest.approx(theirs, abs=1e-10)
