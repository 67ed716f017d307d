"""BRISQUE: laws are fitted, LIBSVM's regression is read as LIBSVM evaluates it, and files are checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage, stats

from harness.keys import generator
from harness.models.judges import find
from harness.models.judges.brisque import asymmetric_fit, features, normalised, read_regression, symmetric_fit
from harness.models.model import MissingWeights


def files(folder: Path, rows: np.ndarray, values: np.ndarray, gamma: float = 0.05) -> None:
    """A regression of scikit-learn (which is LIBSVM) in LIBSVM's text formats."""
    from sklearn.svm import SVR

    low, high = rows.min(0) - 0.1, rows.max(0) + 0.1
    svr = SVR(kernel="rbf", gamma=gamma, C=100.0).fit(2 * (rows - low) / (high - low) - 1, values)
    head = f"svm_type epsilon_svr\nkernel_type rbf\ngamma {gamma}\nnr_class 2\ntotal_sv {len(svr.support_)}\n"
    lines = [
        f"{w!r} " + " ".join(f"{i}:{x!r}" for i, x in enumerate(v.tolist(), 1) if x)
        for w, v in zip(svr.dual_coef_[0].tolist(), svr.support_vectors_, strict=True)
    ]
    text = head + f"rho {-float(svr.intercept_[0])!r}\nSV\n" + "\n".join(lines) + "\n"
    (folder / "brisque.allmodel").write_text(text)
    ranges = [f"{i} {a!r} {b!r}" for i, (a, b) in enumerate(zip(low.tolist(), high.tolist(), strict=True), 1)]
    (folder / "brisque.allrange").write_text("x\n-1 1\n" + "\n".join(ranges) + "\n")
    np.save(folder / "expected.npy", svr.predict(2 * (rows - low) / (high - low) - 1))


@pytest.mark.parametrize(("law", "shape"), [(stats.norm, 2.0), (stats.laplace, 1.0)])
def test_the_shape_of_a_known_law_is_found(law: stats.rv_continuous, shape: float) -> None:
    x = law.ppf((np.arange(20000) + 0.5) / 20000, scale=1.7)
    found, variance = symmetric_fit(x)
    assert found == pytest.approx(shape, abs=0.02)
    assert variance == pytest.approx(law.var(scale=1.7), rel=0.01)
    both = asymmetric_fit(x)
    assert both[0] == pytest.approx(shape, abs=0.02)
    assert both[1] == pytest.approx(0, abs=1e-9)
    assert both[2] == pytest.approx(both[3])
    assert both[2] == pytest.approx(law.var(scale=1.7), rel=0.01)


def test_an_asymmetric_law_leans_to_its_wider_side() -> None:
    half = stats.halfnorm.ppf((np.arange(10000) + 0.5) / 10000)
    x = np.concatenate([-half, 2 * half, 2 * half])  # mass in proportion to the deviations, as the law has it
    shape, mean, left, right = asymmetric_fit(x)
    assert shape == pytest.approx(2, abs=0.02)
    assert right == pytest.approx(4 * left, rel=0.01)
    assert mean == pytest.approx(x.mean(), rel=0.01)
    mirrored = asymmetric_fit(-x)
    assert mirrored[1] == pytest.approx(-mean)
    assert mirrored[2:] == (right, left)


def test_normalised_luminance_does_not_know_contrast_where_there_is_much(renders: np.ndarray) -> None:
    image = 1e6 * generator(0, "world").random((32, 32))
    assert normalised(image) == pytest.approx(normalised(3 * image), abs=1e-4)
    assert features(image).shape == (36,)
    assert np.isfinite(features(np.full((32, 32), 7.0))).all()
    assert np.isfinite(features(renders[0].astype(float).mean(-1))).all()


def test_the_regression_is_evaluated_as_libsvm_does(weights: Path) -> None:
    random = generator(1, "world")
    rows, values = random.normal(size=(40, 36)), 100 * random.random(40)
    files(weights, rows, values)
    regression = read_regression(weights / "brisque.allmodel", weights / "brisque.allrange")
    assert regression(rows) == pytest.approx(np.load(weights / "expected.npy"), abs=1e-8)


def test_a_regression_taught_blur_scores_blur_low(weights: Path, renders: np.ndarray) -> None:
    sigmas = np.array([0.0, 0.6, 1.2, 2.4])

    def dull(images: np.ndarray, sigma: float) -> np.ndarray:
        return np.stack([ndimage.gaussian_filter(x, (sigma, sigma, 0)) for x in images])

    luma = np.array([0.2989, 0.5870, 0.1140])
    rows = np.stack([features(x @ luma) for s in sigmas for x in dull(renders[:12], s).astype(float)])
    files(weights, rows, np.repeat(sigmas / 2.4 * 100, 12))
    read = find("brisque").open("cpu")
    scores = [read({"images": dull(renders[12:24], s)}, [{}] * 12)["score"] for s in sigmas]
    assert scores[0].dtype == np.float32
    assert (np.diff([s.mean() for s in scores]) < 0).all()
    assert read({"images": renders[13:14]}, [{}])["score"][0] == scores[0][1]


def test_missing_and_wrong_files_are_named(weights: Path) -> None:
    with pytest.raises(MissingWeights, match=r"brisque\.allmodel"):
        find("brisque").open("cpu")
    before = find("brisque").digest()
    (weights / "brisque.allmodel").write_text("svm_type c_svc\nkernel_type rbf\nSV\n")
    (weights / "brisque.allrange").write_text("x\n-1 1\n")
    assert find("brisque").digest() != before
    with pytest.raises(ValueError, match="c_svc with kernel rbf"):
        find("brisque").open("cpu")
    files(weights, generator(1, "world").normal(size=(40, 36)), np.arange(40.0))
    (weights / "brisque.allrange").write_text("x\n-1 1\n1 0 1\n")
    with pytest.raises(ValueError, match=r"allrange is no range file"):
        find("brisque").open("cpu")
