"""Feature extractors and classifiers by name: identity without torch, one pass over images when asked.

The identity (name, weights' hash) enters metric ids and the address of stored features, so that features of one set of
weights are never read as those of another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.models.zoo import ZOO
from harness.options import nearest
from harness.registry import UnknownName

BATCH = 64  # images a pass; the remainder is padded, so that no image feels the size of the last batch


Network = Callable[[Any], dict[str, NDArray[np.float32]]]


@dataclass(frozen=True)
class Extractor:
    """One named network over images. `open(device)` gives a function (n, 3, H, W) float32 in [0, 1] → arrays."""

    name: str
    digest: str
    open: Callable[[str], Network]


def _digest(zoo_name: str) -> str:
    """Names the weights: a hash over the card's file hashes."""
    files = {name: f["sha256"] for name, f in sorted(ZOO[zoo_name].card["files"].items())}
    return hashlib.blake2b(json.dumps(files).encode(), digest_size=16).hexdigest()


def _features(zoo_name: str) -> Extractor:
    entry = ZOO[zoo_name]

    def open_(device: str) -> Network:
        from harness.models.features import FeatureExtractor

        net = FeatureExtractor.load(entry.directory).to(device)
        return lambda images: {"features": net.extract(images).numpy()}

    return Extractor(zoo_name.removesuffix("-features"), _digest(zoo_name), open_)


def _classifier(zoo_name: str) -> Extractor:
    entry = ZOO[zoo_name]

    def open_(device: str) -> Network:
        from harness.models.classifier import AttributeClassifier

        net = AttributeClassifier.load(entry.directory).to(device)
        return lambda images: {name: shares.numpy() for name, shares in net.predict(images).items()}

    return Extractor(zoo_name.removesuffix("-attributes"), _digest(zoo_name), open_)


def _lpips(net: str) -> Extractor:
    from harness.models.lpips_features import published_digest

    def open_(device: str) -> Network:
        from harness.models.lpips_features import open_lpips, stacked

        network = open_lpips(net, device=device)
        return lambda images: {"features": stacked(network, 2.0 * images - 1.0).cpu().numpy()}

    return Extractor(f"lpips-{net}", published_digest(net), open_)


EXTRACTORS: dict[str, Callable[[], Extractor]] = {
    "avatars": lambda: _features("avatars-features"),
    "digits": lambda: _features("digits-features"),
    "lpips-alex": lambda: _lpips("alex"),
    "lpips-vgg": lambda: _lpips("vgg"),
    "lpips-squeeze": lambda: _lpips("squeeze"),
}
CLASSIFIERS: dict[str, Callable[[], Extractor]] = {
    "avatars": lambda: _classifier("avatars-attributes"),
    "digits": lambda: _classifier("digits-attributes"),
}


def find(kind: str, name: str) -> Extractor:
    """The extractor (kind "features") or classifier (kind "predictions") of that name. Raises UnknownName."""
    table = CLASSIFIERS if kind == "predictions" else EXTRACTORS
    if name not in table:
        raise UnknownName("classifier" if kind == "predictions" else "extractor", name, nearest(name, table))
    return table[name]()


def confusion(name: str) -> dict[str, NDArray[np.float64]]:
    """Attribute → (K, K) P(predicted j | true i) of a classifier on held-out images, its counts under "<name>.n".

    Measured on labelled renders that passed the autoencoder, where the card has them: nearest to what a model paints.
    """
    measured = ZOO[f"{find('predictions', name).name}-attributes"].card["measured"]
    table: dict[str, NDArray[np.float64]] = {}
    for attribute, entry in (measured.get("decoded") or measured["renders"]).items():
        matrix = np.asarray(entry["confusion"], dtype=np.float64)
        table[attribute + ".n"] = matrix.sum(axis=1)
        table[attribute] = matrix / matrix.sum(axis=1, keepdims=True)
    return table


def one_pass(network: Network, images: NDArray[np.uint8], device: str) -> dict[str, NDArray[np.float32]]:
    """Every image through the network once. images (N, H, W, 3) uint8 → arrays with N rows."""
    import torch

    parts: list[dict[str, NDArray[np.float32]]] = []
    for start in range(0, len(images), BATCH):
        block = images[start : start + BATCH]
        padded = np.concatenate([block, np.repeat(block[-1:], BATCH - len(block), axis=0)])
        tensor = torch.from_numpy(padded).to(device).permute(0, 3, 1, 2).float() / 255.0
        with torch.inference_mode(), torch.autocast(device.split(":")[0], enabled=False):
            parts.append({k: np.asarray(v)[: len(block)] for k, v in network(tensor).items()})
    return {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
