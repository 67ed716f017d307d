"""FID and KID: a name for each protocol, invalid controls, the legacy column (T10, T16, T17)."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics import METRICS
from harness.metrics.fid import Fid, FidLegacyPytorch, same_set
from harness.metrics.frechet_distance import FrechetDistance
from harness.metrics.kid import Kid, subset_mean
from harness.metrics.metric import CannotMeasure, Evidence, Items, ScoreStatus
from harness.registry import UnknownName

NAME = "inception-clean"


def evidence(generated: np.ndarray, reference: np.ndarray) -> Evidence:
    n = len(generated)
    prompt, sample = np.divmod(np.arange(n), max(1, n // 12))
    items = Items(prompt, sample, prompt, tuple(f"p{i}" for i in range(int(prompt.max()) + 1)))
    return Evidence(items, features={("generated", NAME): generated, ("reference", NAME): reference})


def test_the_value_is_the_distance_of_the_same_features_in_any_space() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(120, 6)) + 0.3, rng.normal(size=(90, 6))
    case = evidence(x, y)
    case.features["generated", "avatars"], case.features["reference", "avatars"] = x, y  # type: ignore[index]
    ours, other = Fid().measure(case), FrechetDistance("avatars").measure(case)
    assert ours.value == other.value
    assert ours.companions["jack"].value == other.companions["jack"].value


def test_the_protocol_is_in_the_name_and_no_other_name_has_it() -> None:
    assert Fid().name == "fid"
    assert FidLegacyPytorch().name == "fid.legacy_pytorch"
    assert Fid() != FidLegacyPytorch()
    assert Fid().needs() != FidLegacyPytorch().needs()
    for name in ("fd.inception-clean", "kd.inception-legacy_pytorch"):
        with pytest.raises(UnknownName):
            METRICS.resolve(name)
    assert METRICS.resolve("precision.inception-clean").bound == {"extractor": "inception-clean"}


def test_features_that_carry_nothing_are_an_invalid_control() -> None:  # T10
    rng = np.random.default_rng(1)
    x, y = (1e-3 * rng.normal(size=(n, 6)) for n in (120, 120))
    with pytest.raises(CannotMeasure, match="carry nothing") as caught:
        Fid().measure(evidence(x, y))
    assert caught.value.status is ScoreStatus.INVALID_CONTROL
    y = rng.normal(size=(120, 6))
    assert Fid().measure(evidence(y[::-1], y)).value < 1e-6  # the same set in another order is no control


def test_one_number_an_image_is_no_feature() -> None:  # T10
    with pytest.raises(CannotMeasure) as caught:
        Fid().measure(evidence(np.ones(120), np.ones((120, 6))))
    assert caught.value.status is ScoreStatus.PROTOCOL_MISMATCH


def test_same_set_ignores_order_only() -> None:
    x = np.random.default_rng(3).integers(0, 3, size=(40, 12)).astype(float)  # many ties in the first columns
    assert same_set(x, x[::-1])
    y = x.copy()
    y[0, -1] += 1
    assert not same_set(x, y)
    assert not same_set(x, x[1:])


def test_the_legacy_column_is_that_of_torch_fidelity() -> None:  # T16
    module = pytest.importorskip("torch_fidelity.metric_kid")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(300, 16)) + 0.2, rng.normal(size=(250, 16))
    theirs = module.kid_features_to_metric(
        torch.from_numpy(x),
        torch.from_numpy(y),
        kid_subsets=20,
        kid_subset_size=100,
        kid_kernel_poly_degree=3,
        kid_kernel_poly_gamma=None,
        kid_kernel_poly_coef0=1,
        rng_seed=2020,
        verbose=False,
    )["kernel_inception_distance_mean"]
    assert subset_mean(x, y, 20, 100, 2020) == pytest.approx(theirs, abs=1e-9)
    assert subset_mean(y, x, 20, 100, 2020) != pytest.approx(theirs, abs=1e-6)  # generated draws first


def test_the_legacy_column_needs_its_thousand_images_and_no_global_generator() -> None:  # T17, T20
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(1008, 4)), rng.normal(size=(1000, 4))
    np.random.seed(0)  # noqa: NPY002
    first = Kid().measure(evidence(x, y))
    np.random.seed(1)  # noqa: NPY002
    second = Kid().measure(evidence(x, y))
    assert first.companions["legacy"].value == second.companions["legacy"].value
    assert first.companions["legacy"].value == pytest.approx(first.value, abs=0.02)
    assert "legacy" not in Kid().measure(evidence(x, y[:-1])).companions
    with pytest.raises(ValueError, match="subsets of 1000"):
        subset_mean(x, y[:-1], 1, 1000, 0)
