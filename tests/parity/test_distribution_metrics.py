"""Parity with reference libraries on the same features: torchmetrics, clean-fid, prdc, vendi-score.

Each test has a protocol in which both agree, and where the library has another convention, that they differ in it.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.metrics.frechet_distance import frechet
from harness.metrics.kernel_distance import mmd2
from harness.metrics.manifold import coverage, density, precision, recall
from harness.metrics.spectrum import Similarity

pytestmark = pytest.mark.parity


def sets(n: int, m: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(30)
    return rng.normal(size=(n, d)) + 0.1, rng.normal(size=(m, d)) @ (np.eye(d) + 0.1 * rng.normal(size=(d, d)))


@pytest.mark.parametrize(("n", "m", "d"), [(300, 400, 32), (50, 400, 64)])
def test_frechet_distance_of_clean_fid(n: int, m: int, d: int) -> None:
    fid = pytest.importorskip("cleanfid.fid")
    x, y = sets(n, m, d)
    theirs = fid.frechet_distance(x.mean(0), np.cov(x.T), y.mean(0), np.cov(y.T))
    assert frechet(x, y) == pytest.approx(theirs, rel=1e-5)  # their square root of a singular product


def test_frechet_distance_of_torchmetrics() -> None:
    torch = pytest.importorskip("torch")
    module = pytest.importorskip("torchmetrics.image.fid")
    x, y = sets(300, 400, 32)
    moments = [torch.from_numpy(v) for v in (x.mean(0), np.cov(x.T), y.mean(0), np.cov(y.T))]
    assert frechet(x, y) == pytest.approx(float(module._compute_fid(*moments)), rel=1e-8)
    biased = [torch.from_numpy(v) for v in (x.mean(0), np.cov(x.T, ddof=0), y.mean(0), np.cov(y.T, ddof=0))]
    assert frechet(x, y) != pytest.approx(float(module._compute_fid(*biased)), rel=1e-5)  # the test sees N - 1


def test_kernel_distance_of_torchmetrics() -> None:
    torch = pytest.importorskip("torch")
    module = pytest.importorskip("torchmetrics.image.kid")
    x, y = sets(300, 300, 32)
    theirs = module.poly_mmd(torch.from_numpy(x), torch.from_numpy(y), degree=3, gamma=None, coef=1.0)
    assert mmd2(x, y)[0] == pytest.approx(float(theirs), abs=1e-10)
    other = module.poly_mmd(torch.from_numpy(x), torch.from_numpy(y), degree=2, gamma=None, coef=1.0)
    assert mmd2(x, y)[0] != pytest.approx(float(other), abs=1e-7)


@pytest.mark.parametrize("k", [3, 5])
def test_neighborhoods_of_prdc(k: int, capsys: pytest.CaptureFixture[str]) -> None:
    prdc = pytest.importorskip("prdc")
    x, y = sets(400, 350, 16)
    theirs = prdc.compute_prdc(y, x, nearest_k=k)  # real first
    capsys.readouterr()  # it prints
    group = np.zeros(len(x), dtype=int)
    for quantity in (precision, recall, density, coverage):
        ours = quantity(x, y, group, 1, k, False).full
        assert ours == pytest.approx(theirs[quantity.__name__], abs=1e-12), quantity.__name__
    narrow = prdc.compute_prdc(y, 0.5 * x, nearest_k=k)
    capsys.readouterr()
    swapped = precision(y, 0.5 * x, np.zeros(len(y), dtype=int), 1, k, False).full
    assert abs(swapped - narrow["precision"]) > 0.1  # the test sees the order of the arguments


@pytest.mark.parametrize(("q", "theirs"), [(0.5, 0.5), (1.0, 1), (2.0, 2), (math.inf, "inf")])
def test_vendi_score(q: float, theirs: float | str) -> None:
    vendi = pytest.importorskip("vendi_score.vendi")
    x, _ = sets(200, 10, 24)
    ours = Similarity.of(x, "cosine", None).value(q, np.zeros(200, dtype=int), 0)[0]
    assert ours == pytest.approx(float(vendi.score_dual(x, q=theirs)), rel=1e-9)
    if q != 1.0:
        assert ours != pytest.approx(float(vendi.score_dual(x, q=1)), rel=1e-4)
