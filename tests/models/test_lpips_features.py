from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.keys import generator
from harness.models import lpips_features
from harness.models.lpips_features import (
    LINEAR,
    TRUNKS,
    MissingTrunk,
    features,
    open_lpips,
    signed,
    stacked,
    trunk_file,
)

lpips = pytest.importorskip("lpips", reason="lpips is an ordinary dependency; CI installs it")
torch = pytest.importorskip("torch")
LENGTH_64 = {"alex": 31872, "squeeze": 118976, "vgg": 499712}


@lru_cache
def random_trunk(net: str) -> Any:
    """The published linear weights on a trunk of keyed random weights."""
    network = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    from harness.keys import normal

    for name, value in network.net.named_parameters():
        fan = max(1, value[0].numel()) if value.ndim > 1 else 100
        value.data.copy_(normal(tuple(value.shape), 0, "world", net, name) * (2 / fan) ** 0.5)
    return network.requires_grad_(False)


def pictures(n: int, size: int = 64) -> np.ndarray:
    return generator(0, "world", "pictures").integers(0, 256, size=(n, size, size, 3)).astype(np.uint8)


@pytest.mark.parametrize(("net", "n"), [("alex", 15), ("squeeze", 15), ("vgg", 3)])
def test_one_product_gives_the_distance_of_every_pair(net: str, n: int) -> None:
    network, images = random_trunk(net), pictures(n, 32)
    rows = features(network, images).astype(np.float64)
    rows -= rows.mean(axis=0)
    gram = rows @ rows.T
    i, j = np.triu_indices(n, 1)  # 105 pairs of 15 images
    product = np.diag(gram)[i] + np.diag(gram)[j] - 2 * gram[i, j]
    x = signed(images)
    with torch.no_grad():
        reference = network(x[i], x[j]).flatten().numpy()
    assert np.abs(product - reference).max() <= 1e-5
    assert reference.min() > 0


@pytest.mark.parametrize("net", ["alex", "squeeze"])
def test_the_row_length_is_the_published_one(net: str) -> None:
    assert features(random_trunk(net), pictures(1)).shape == (1, LENGTH_64[net])


def test_a_batch_changes_values_by_rounding_only() -> None:
    images = pictures(9, 32)
    one, all_at_once = features(random_trunk("alex"), images, batch=1), features(random_trunk("alex"), images, batch=9)
    assert all_at_once.dtype == np.float32
    assert np.abs(one - all_at_once).max() <= 1e-5 * np.abs(one).max()  # measured 6e-7 between batch sizes


def test_black_is_minus_one_and_white_is_one() -> None:
    ends = np.zeros((2, 1, 1, 3), dtype=np.uint8)
    ends[1] = 255
    assert signed(ends).flatten().tolist() == [-1] * 3 + [1] * 3
    with pytest.raises(TypeError, match="uint8"):
        signed(ends.astype(np.float32))


def test_values_outside_the_declared_range_raise() -> None:
    with pytest.raises(ValueError, match=r"in \[-1, 1\], found 0 to 255"):
        stacked(random_trunk("alex"), torch.tensor([0.0, 255.0]).repeat(3 * 32 * 16).reshape(1, 3, 32, 32))


def test_a_calibration_pair_catches_the_range_0_to_1() -> None:
    network = random_trunk("alex")
    pair = np.stack(
        [np.zeros((32, 32, 3), np.uint8), np.tile(np.arange(32, dtype=np.uint8)[:, None, None] * 8, (1, 32, 3))]
    )
    with torch.no_grad():
        known = float(network(signed(pair[:1]), signed(pair[1:])))
        halved = float(network((signed(pair[:1]) + 1) / 2, (signed(pair[1:]) + 1) / 2))
    rows = features(network, pair).astype(np.float64)
    ours = float(((rows[0] - rows[1]) ** 2).sum())
    assert ours == pytest.approx(known, rel=1e-4)
    assert abs(halved - known) > 1e-2 * known  # the pair can see the mistake


def test_a_negative_linear_weight_has_no_root() -> None:
    network = lpips.LPIPS(net="alex", pnet_rand=True, pretrained=False, verbose=False)
    network.lins[0].model[-1].weight.data.fill_(-1.0)
    with pytest.raises(ValueError, match="negative"):
        stacked(network, torch.zeros(1, 3, 32, 32))


@pytest.mark.parametrize("net", LINEAR)
def test_the_linear_weights_of_the_wheel_are_the_published_ones(net: str) -> None:
    file = Path(lpips.__file__).parent / "weights" / "v0.1" / f"{net}.pth"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == LINEAR[net]
    assert min(float(v.min()) for v in torch.load(file, map_location="cpu", weights_only=True).values()) >= 0


def test_autocast_and_tf32_switched_on_outside_change_no_byte() -> None:
    images = pictures(2, 32)
    plain = features(random_trunk("alex"), images)
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert features(random_trunk("alex"), images).tobytes() == plain.tobytes()
        assert torch.backends.cudnn.allow_tf32
    finally:
        torch.backends.cudnn.allow_tf32 = before


def test_a_missing_trunk_says_which_file_where_how_and_what_instead(tmp_path: Path) -> None:
    with pytest.raises(MissingTrunk) as caught:
        open_lpips("alex", folder=tmp_path)
    text = str(caught.value)
    for part in (TRUNKS["alex"], str(tmp_path), "curl", "pd.avatars.pairs"):
        assert part in text
    with pytest.raises(ValueError, match="one of alex, vgg, squeeze"):
        trunk_file("alexnet", tmp_path)


def test_opening_leaves_the_global_generator_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lpips_features, "trunk_file", lambda net, folder: _saved(tmp_path, "alex"))
    state = torch.get_rng_state()
    open_lpips("alex", folder=tmp_path)
    assert torch.equal(torch.get_rng_state(), state)


def _saved(folder: Path, net: str) -> Path:
    """torchvision's file of a random trunk: "slice1.0.weight" is "features.0.weight" there."""
    state = random_trunk(net).net.state_dict()
    torch.save({"features." + name.split(".", 1)[1]: value for name, value in state.items()}, folder / "trunk.pth")
    return folder / "trunk.pth"


def test_a_damaged_trunk_is_refused(tmp_path: Path) -> None:
    (tmp_path / TRUNKS["alex"]).write_bytes(b"half a download")
    with pytest.raises(ValueError, match="the published file 7be5be79"):
        open_lpips("alex", folder=tmp_path)


def test_the_trunk_in_the_folder_is_the_one_that_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = _saved(tmp_path, "squeeze")
    digits = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    monkeypatch.setitem(lpips_features.TRUNKS, "squeeze", f"squeezenet1_1-{digits}.pth")
    file.rename(tmp_path / f"squeezenet1_1-{digits}.pth")
    loaded, images = open_lpips("squeeze", folder=tmp_path), pictures(1, 32)
    assert features(loaded, images).tobytes() == features(random_trunk("squeeze"), images).tobytes()


@pytest.mark.parametrize("net", TRUNKS)
def test_the_scorer_knows_every_net_and_its_weights(net: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.metrics import LPIPS_NETS
    from harness.metrics.perceptual import lpips_extractor
    from harness.scoring.extractors import find, one_pass

    assert set(LPIPS_NETS) == set(TRUNKS)
    extractor = find("features", lpips_extractor(net))
    assert extractor.digest == lpips_features.published_digest(net)
    if net == "alex":
        images = pictures(3, 32)
        monkeypatch.setattr(lpips_features, "open_lpips", lambda name, device: random_trunk(name))
        rows = one_pass(extractor.open("cpu"), images, "cpu")["features"]
        assert np.abs(rows - features(random_trunk(net), images)).max() <= 1e-5 * np.abs(rows).max()
