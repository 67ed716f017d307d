"""Published numbers that ours must give on the very images and weights they were published for (metrics.md 17).

Nothing of it is shipped. HARNESS_GOLDENS names a folder with

cifar-10-batches-bin/      CIFAR-10's binary version (data_batch_1.bin, …, test_batch.bin): the bitmaps, not JPEG copies
iqa/ref_dir, iqa/dist_dir  five pairs of TID2013, as chaofengc/IQA-PyTorch keeps them in ResultsCalibra/
mlperf-sdxl/               images/*.png of an accuracy run, in order; captions.txt, a line each; val2014.npz

and weights lie where `harness doctor` looks for them. A golden whose files are absent says which one is missing.
clean-fid's activations of four drawn images (T9) need the weights alone.
Left out: the noised CIFAR-10 KID (its noise is not published), KD of dgm-eval (its subsets are drawn globally), the
64-number Inception of torchmetrics, and Inception Score, which is no shipped metric.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Rows = NDArray[np.float64]
FOLDER = "HARNESS_GOLDENS"
HEIGHT = 32
PAIRS = ("I03", "I04", "I06", "I08", "I19")
RESULTS = "IQA-PyTorch ResultsCalibra/results_official.csv"
FIDELITY = "torch-fidelity tests/torch_versions_ge_1_13_0/test_versions.py"


@dataclass(frozen=True)
class Golden:
    """One published number: what gives ours, how far it may be off, who published it, what must be there.

    files   below the golden folder;  networks  names of extractors;  lpips  names of LPIPS nets
    hub     files of torch's hub folder;  reason  of the tolerance
    """

    name: str
    value: float
    tolerance: float
    source: str
    measure: Callable[[], float]
    reason: str
    files: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    lpips: tuple[str, ...] = ()
    hub: tuple[str, ...] = ()


def verdict(golden: Golden, found: float) -> str:
    """What is wrong with a value that should be the golden one; "" when it is."""
    if not math.isfinite(found):
        return f"{golden.name}: {found} is no number; {golden.source} has {golden.value}"
    if abs(found - golden.value) > golden.tolerance:
        text = f"{golden.name}: {found:.8g} is {abs(found - golden.value):.2g} from the {golden.value} of"
        return f"{text} {golden.source}; at most {golden.tolerance:g} is {golden.reason}"
    return ""


def absent(golden: Golden) -> str:
    """The first thing that is missing and where it belongs; "" when the golden can be measured."""
    from harness.models.extractors.places import torch_folder
    from harness.scoring.extractors import missing

    if golden.files and (root := os.environ.get(FOLDER)) is None:
        return f"{FOLDER} names no folder; {golden.files[0]} belongs in it"
    for file in golden.files:
        if not (Path(root) / file).exists():
            return f"missing {file}; looked in {root}"
    for name in (*golden.networks, *(f"lpips-{net}" for net in golden.lpips)):
        if (found := missing(name)) is not None:
            return str(found)
    for file in golden.hub:
        if not (torch_folder() / file).is_file():
            return f"missing {file}; looked in {torch_folder()}"
    return ""


# --- images -----------------------------------------------------------------------------------------------------------


def folder() -> Path:
    return Path(os.environ[FOLDER])


def cifar(file: str) -> Pixels:
    """(N, 32, 32, 3) of one file of CIFAR-10's binary version: a label and three planes an image."""
    raw = np.fromfile(folder() / "cifar-10-batches-bin" / file, dtype=np.uint8).reshape(-1, 1 + 3 * HEIGHT * HEIGHT)
    return np.ascontiguousarray(raw[:, 1:].reshape(-1, 3, HEIGHT, HEIGHT).transpose(0, 2, 3, 1))


def cifar_train() -> Pixels:
    return np.concatenate([cifar(f"data_batch_{i}.bin") for i in range(1, 6)])


def pictures(place: str, names: Iterable[str]) -> list[Pixels]:
    """Images of a folder of the goldens, each (H, W, 3) and perhaps of its own size."""
    from PIL import Image

    return [np.asarray(Image.open(folder() / place / name).convert("RGB")) for name in names]


# --- features ---------------------------------------------------------------------------------------------------------


def rows_of(name: str, images: Iterable[Pixels], device: str = "cpu") -> Rows:
    """(N, D) features of blocks of images by a declared network, as the scorer reads them."""
    from harness.scoring.extractors import find, one_pass

    network = find("features", name).open(device)
    parts = [one_pass(network, block, device)["features"] for block in images]
    return np.concatenate(parts).astype(np.float64)


@lru_cache(maxsize=4)
def cifar_rows(name: str, count: int) -> tuple[Rows, Rows]:
    """Features of the first `count` training and test images."""
    return rows_of(name, [cifar("data_batch_1.bin")[:count]]), rows_of(name, [cifar("test_batch.bin")[:count]])


@lru_cache(maxsize=2)
def fidelity_rows(kind: str, layer: str, count: int) -> tuple[Rows, Rows]:
    """The same by torch-fidelity's own network: what is left to compare is our arithmetic."""
    import torch
    from torch_fidelity.utils import create_feature_extractor

    network = create_feature_extractor(kind, [layer], cuda=False, verbose=False)

    def rows(images: Pixels) -> Rows:
        parts = []
        for start in range(0, len(images), 64):
            block = torch.from_numpy(images[start : start + 64].transpose(0, 3, 1, 2).copy())
            with torch.inference_mode():
                parts.append(network(block)[0].double().numpy())
        return np.concatenate(parts)

    return rows(cifar("data_batch_1.bin")[:count]), rows(cifar("test_batch.bin")[:count])


# --- the numbers ------------------------------------------------------------------------------------------------------


def cifar_fid(rows: Callable[[], tuple[Rows, Rows]]) -> float:
    from harness.metrics.frechet_distance import frechet

    return frechet(*rows())


def cifar_kid(rows: Callable[[], tuple[Rows, Rows]], size: int = 1000) -> float:
    """torch-fidelity's subsets: 100 of 1000, seed 2020, the first input drawn first."""
    from harness.metrics.kid import subset_mean

    return subset_mean(*rows(), 100, size, 2020)


def shared(rows: Callable[[], tuple[Rows, Rows]], name: str, k: int, closed: bool) -> float:
    """Precision, recall, density or coverage of (generated, reference)."""
    from harness.metrics.manifold import overlap

    x, y = rows()
    found: Any = overlap(x, y, np.zeros(len(x), dtype=np.int64), 1, k, closed).share(name)  # type: ignore[arg-type]
    return float(found.full)


@lru_cache(maxsize=2)
def dgm_rows(network: str, count: int) -> tuple[Rows, Rows]:
    """dgm-eval's draw (RandomState 13579 on either set) and its resize, which rounds to bytes: (test, train)."""
    from dataclasses import replace

    from harness.models.extractors import declarations
    from harness.models.extractors.resize import Resize
    from harness.scoring.extractors import Prepared, one_pass

    declared = replace(declarations()[network], resize=Resize("pil-bicubic-u8-aa", 224))
    forward = declared.open("cpu")
    prepared = Prepared(declared.resize, lambda x: {"features": forward(x).numpy()}, declared.batch)
    sets = []
    for images in (cifar("test_batch.bin"), cifar_train()):
        drawn = np.sort(np.random.RandomState(13579).choice(len(images), count, replace=False))
        sets.append(one_pass(prepared, images[drawn], "cpu")["features"].astype(np.float64))
    return sets[0], sets[1]


def pair_distance(net: str, name: str) -> float:
    """LPIPS of one of the five pairs, by our stacked activations."""
    from harness.models.lpips_features import features, open_lpips

    network = open_lpips(net)
    a, b = (pictures(f"iqa/{side}_dir", [f"{name}.bmp"])[0][None] for side in ("ref", "dist"))
    x, y = (features(network, image)[0].astype(np.float64) for image in (a, b))
    return float(((x - y) ** 2).sum())


def folder_fid(name: str) -> float:
    """The five distorted images against the five references."""
    from harness.metrics.frechet_distance import frechet

    sides = ([p[None] for p in pictures(f"iqa/{side}_dir", [f"{n}.bmp" for n in PAIRS])] for side in ("dist", "ref"))
    return frechet(*(rows_of(name, images) for images in sides))


def _mlperf() -> Iterable[Pixels]:
    place = folder() / "mlperf-sdxl" / "images"
    return (pictures("mlperf-sdxl/images", [p.name])[0][None] for p in sorted(place.glob("*.png")))


def mlperf_clip(name: str = "clip-vit-b-32") -> float:
    """100 times the mean cosine of image and caption."""
    from harness.metrics.inputs import unit_rows
    from harness.scoring.extractors import find

    captions = (folder() / "mlperf-sdxl" / "captions.txt").read_text(encoding="utf-8").splitlines()
    tower = find("features", name).text
    assert tower is not None
    texts, _ = tower("cpu")(tuple(captions))
    return float(100.0 * np.einsum("nd,nd->n", unit_rows(rows_of(name, _mlperf())), unit_rows(texts)).mean())


def mlperf_fid(name: str = "inception-legacy_pytorch") -> float:
    """Against the statistics file that the benchmark ships."""
    from harness.data.statistics import read
    from harness.metrics.feature_moments import FeatureMoments
    from harness.metrics.frechet_distance import frechet_of_moments, moments_of_file

    own = FeatureMoments.of(rows_of(name, _mlperf()))
    reference = read(folder() / "mlperf-sdxl" / "val2014.npz", name, 40_504).moments
    return frechet_of_moments(own.mean, own.covariance, moments_of_file(reference))


def four_images() -> Pixels:
    """(4, 37, 91, 3): a ramp, stripes, a disc and noise; no network's own size."""
    y, x = np.mgrid[:37, :91]
    disc = 255 * ((y - 18) ** 2 + (x - 45) ** 2 < 200)
    noise = np.random.RandomState(7).randint(0, 256, (37, 91))
    planes = [x * 255 // 90, 255 * (x // 7 % 2), disc, noise]
    return np.stack([np.stack([p, p[::-1], 255 - p], axis=2) for p in planes]).astype(np.uint8)


def activation_difference(name: str, mode: str) -> float:
    """Largest difference between our features and clean-fid's of a mode, over the largest feature (metrics.md T9)."""
    import torch
    from cleanfid.inception_torchscript import InceptionV3W
    from cleanfid.resize import build_resizer

    from harness.models.extractors import declarations

    (file,) = declarations()[name].paths().values()
    network = InceptionV3W(str(file.parent), download=False, resize_inside=mode == "legacy_tensorflow").eval()
    resize = build_resizer(mode)
    levels = np.stack([resize(image) for image in four_images()]).transpose(0, 3, 1, 2)
    with torch.inference_mode():
        theirs = network(torch.from_numpy(levels.astype(np.float32))).numpy()
    return float(np.abs(rows_of(name, [four_images()]) - theirs).max() / np.abs(theirs).max())


CIFAR = tuple(f"cifar-10-batches-bin/{file}" for file in ("data_batch_1.bin", "test_batch.bin"))
ALL_CIFAR = (*CIFAR, *(f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(2, 6)))
PORT = ("weights-inception-2015-12-05-6726825d.pth",)
TF_RESIZE, CLEAN, TORCH = "inception-legacy_tensorflow", "inception-clean", "inception-legacy_pytorch"
DINO, README = "dinov2-vit-l-14", "dgm-eval README"
_OWN = partial(cifar_rows, TF_RESIZE, 5000)
_PORT = partial(fidelity_rows, "inception-v3-compat", "2048", 5000)
_VGG = partial(fidelity_rows, "vgg16", "fc2_relu", 5000)
_DGM = partial(dgm_rows, DINO, 512)
_CUDNN = "what the choice of convolution moves there"
_ITEMS = "two of 512 images that cross a sphere in another port of the network"


def _pairs(values: Mapping[str, float]) -> tuple[Golden, ...]:
    common: dict[str, Any] = {
        "source": RESULTS,
        "reason": "half a digit of the table and the decoder",
        "lpips": ("alex",),
    }
    return tuple(
        Golden(f"lpips.alex {name}", value, 1e-3, measure=partial(pair_distance, "alex", name), **common,
               files=tuple(f"iqa/{side}_dir/{name}.bmp" for side in ("ref", "dist")))
        for name, value in values.items()
    )  # fmt: skip


_IQA = tuple(f"iqa/{side}_dir/{name}.bmp" for side in ("ref", "dist") for name in PAIRS)
_SDXL = tuple(f"mlperf-sdxl/{part}" for part in ("images", "captions.txt", "val2014.npz"))
GOLDENS: tuple[Golden, ...] = (
    Golden("fid of CIFAR-10", 10.3233274, 1e-2, FIDELITY, partial(cifar_fid, _OWN), _CUDNN, CIFAR, (TF_RESIZE,)),
    Golden("fid of torch-fidelity's features", 10.3233274, 1e-2, FIDELITY, partial(cifar_fid, _PORT), _CUDNN, CIFAR,
           hub=PORT),
    Golden("kid of CIFAR-10", -2.907863e-05, 1e-6, FIDELITY, partial(cifar_kid, _OWN),
           "1e-6 of squared features of another port", CIFAR, (TF_RESIZE,)),
    Golden("kid of torch-fidelity's features", -2.907863e-05, 1e-7, FIDELITY, partial(cifar_kid, _PORT),
           "its own tolerance", CIFAR, hub=PORT),
    Golden("precision of torch-fidelity's VGG16", 0.6852, 1e-3, FIDELITY, partial(shared, _VGG, "precision", 3, True),
           "its own tolerance", CIFAR, hub=("vgg16-397923af.pth",)),
    Golden("recall of torch-fidelity's VGG16", 0.6908, 1e-3, FIDELITY, partial(shared, _VGG, "recall", 3, True),
           "its own tolerance", CIFAR, hub=("vgg16-397923af.pth",)),
    Golden("fd of DINOv2", 862.53745, 0.9, README, partial(cifar_fid, _DGM), "a thousandth: another port",
           ALL_CIFAR, (DINO,)),
    *(Golden(f"{name} of DINOv2", value, tolerance, README, partial(shared, _DGM, name, 5, False), _ITEMS, ALL_CIFAR,
             (DINO,))
      for name, value, tolerance in (("precision", 0.90430, 0.0040), ("recall", 0.91797, 0.0040),
                                     ("density", 0.97969, 0.0080), ("coverage", 0.94141, 0.0040))),
    *_pairs({"I03": 0.7237, "I04": 0.2572, "I06": 0.0508, "I08": 0.0521, "I19": 0.4253}),
    Golden("fid of ten images, clean", 220.5819, 0.05, "IQA-PyTorch", partial(folder_fid, CLEAN),
           "its square root of a singular product", _IQA, (CLEAN,)),
    Golden("fid of ten images, legacy_pytorch", 225.3678, 0.05, "IQA-PyTorch", partial(folder_fid, TORCH),
           "its square root of a singular product", _IQA, (TORCH,)),
    Golden("clip score of SDXL", 31.749818, 0.063500, "mlcommons/inference", mlperf_clip, "the published band", _SDXL,
           ("clip-vit-b-32",)),
    Golden("fid of SDXL", 23.480467, 0.469610, "mlcommons/inference", mlperf_fid, "the published band", _SDXL,
           (TORCH,)),
)  # fmt: skip
