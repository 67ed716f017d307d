"""Feature extractors and classifiers by name: identity without torch, one pass over images when asked.

Shipped networks are listed here; those that need a download are declared in harness/models/extractors.

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

from harness.models.determinism import full_precision
from harness.models.extractors import declarations
from harness.models.extractors.declaration import Declaration, TextForward
from harness.models.model import Missing
from harness.models.zoo import ZOO
from harness.options import nearest
from harness.registry import UnknownName

PIXELS = 2**22  # of a pass at most: sixteen images of 512 px
BATCH = 64  # images a pass; the remainder is padded, so that no image feels the size of the last batch


Network = Callable[[Any], dict[str, NDArray[np.float32]]]


@dataclass(frozen=True)
class Prepared:
    """A network with a reader of its own: (n, H, W, 3) uint8 → (n, h, w, 3) float32 levels 0 … 255 → arrays."""

    prepare: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
    network: Network
    batch: int

    def __call__(self, levels: Any) -> dict[str, NDArray[np.float32]]:
        return self.network(levels)


@dataclass(frozen=True)
class Extractor:
    """One named network over images.

    open      on a device: a function (n, 3, H, W) float32 in [0, 1] → arrays, or a network with its own reader
    text      on a device: its text tower, where it has one
    protocol  fields of metric ids that say how it reads images
    long      rows grow with the image and may be too long to keep: metrics take them a few at a time
    """

    name: str
    digest: str
    open: Callable[[str], Network]
    text: Callable[[str], TextForward] | None = None
    protocol: tuple[tuple[str, str], ...] = ()
    long: bool = False


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

    return Extractor(f"lpips-{net}", published_digest(net), open_, long=True)


def _declared(found: Declaration) -> Extractor:
    def open_(device: str) -> Network:
        network = found.open(device)
        return Prepared(found.resize, lambda levels: {"features": network(levels).cpu().numpy()}, found.batch)

    return Extractor(found.name, found.digest, open_, found.open_text if found.text else None, found.protocol)


EXTRACTORS: dict[str, Callable[[], Extractor]] = {
    "avatars": lambda: _features("avatars-features"),
    "avatars-contrast": lambda: _features("avatars-contrast"),
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
    if name in table:
        return table[name]()
    declared = {} if kind == "predictions" else declarations()
    if name not in declared:
        word = "classifier" if kind == "predictions" else "extractor"
        raise UnknownName(word, name, nearest(name, (*table, *declared)))
    return _declared(declared[name])


def missing(name: str) -> Missing | None:
    """What an extractor lacks on this machine; None for one that is there or needs no download."""
    if name.startswith("lpips-"):
        from harness.models.lpips_features import INSTEAD, trunk

        return trunk(name.removeprefix("lpips-")).missing(INSTEAD)
    found = None if name in EXTRACTORS else declarations().get(name)
    return None if found is None else found.weights.missing(found.instead)


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


def batch_of(network: Network, images: NDArray[np.uint8]) -> int:
    """Images a pass: a number for each size of image, so that no result depends on how many there are."""
    if isinstance(network, Prepared):
        return network.batch
    return max(1, min(BATCH, PIXELS // int(images.shape[1] * images.shape[2])))


def one_pass(network: Network, images: NDArray[np.uint8], device: str) -> dict[str, NDArray[np.float32]]:
    """Every image through the network once, in full float32. images (N, H, W, 3) uint8 → arrays with N rows."""
    import torch

    parts: list[dict[str, NDArray[np.float32]]] = []
    batch = batch_of(network, images)
    for start in range(0, len(images), batch):
        block = images[start : start + batch]
        levels = network.prepare(block) if isinstance(network, Prepared) else block
        padded = np.concatenate([levels, np.repeat(levels[-1:], batch - len(block), axis=0)])
        tensor = torch.from_numpy(padded).to(device).permute(0, 3, 1, 2).float()
        if not isinstance(network, Prepared):
            tensor = tensor / 255.0
        with torch.inference_mode(), full_precision(device):
            parts.append({k: np.asarray(v)[: len(block)] for k, v in network(tensor).items()})
    return {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
