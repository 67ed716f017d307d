"""LPIPS as an extractor: the stacked activations of a published net, whose squared distance is LPIPS v0.1.

For every layer l: activations of unit length over channels (1e-10 added to the length), times √(w_lc / (H_l W_l)), w
the published linear weights v0.1, which ship in the lpips wheel and are checked by their hash. The trunks are
torchvision's and are never downloaded here: where one is absent, `MissingTrunk` says which file, where and how.
Runs in float32 with autocast and TF32 off. Source: arXiv 1801.03924; lpips 0.1.4. Traps: metrics.md section 6.
"""

from __future__ import annotations

import hashlib
import inspect
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.models.extractors.places import PublishedFile

if TYPE_CHECKING:
    import torch

VERSION = "0.1"
TRUNKS = {  # torchvision's file; the digits in its name begin its sha256
    "alex": "alexnet-owt-7be5be79.pth",
    "vgg": "vgg16-397923af.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
}
LINEAR = {  # sha256 of the linear weights v0.1 in the lpips wheel
    "alex": "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    "vgg": "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
    "squeeze": "4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76",
}


INSTEAD = "metric pd.avatars.pairs, the same on shipped features"


class MissingTrunk(FileNotFoundError):
    """The weights of a trunk are not on this machine; the message says where they belong and what to use instead."""


def trunk(net: str) -> PublishedFile:
    """The weight file of a trunk: its address, its hash, where it is looked for."""
    file = TRUNKS[net]
    return PublishedFile(file, f"https://download.pytorch.org/models/{file}", Path(file).stem.rsplit("-", 1)[1])


def trunk_file(net: str, folder: Path | None = None) -> Path:
    """The trunk's weight file, in `folder` or where it is looked for.

    Raises MissingTrunk where it is absent, WeightsDiffer (a ValueError) where it is another, ValueError for the name.
    """
    if net not in TRUNKS:
        raise ValueError(f"unknown LPIPS net {net!r}; one of {', '.join(TRUNKS)}")
    published = trunk(net)
    if folder is not None:
        published = replace(published, folders=(folder,))
    absent = published.missing(INSTEAD)
    if absent is not None:
        raise MissingTrunk(f"lpips.{net}: {absent}")
    published.verify()
    return next(iter((published.files() or {}).values()))


def open_lpips(net: str, *, device: str = "cpu", folder: Path | None = None) -> torch.nn.Module:
    """The published LPIPS network of `net`, trunk and linear weights checked. Raises as `trunk_file` does."""
    import lpips
    import torch

    file = trunk_file(net, folder)
    linear = Path(inspect.getfile(lpips.LPIPS)).parent / "weights" / f"v{VERSION}" / f"{net}.pth"
    if _sha256(linear) != LINEAR[net]:
        raise ValueError(f"{linear} has another sha256 than the published linear weights v{VERSION}")
    # The package starts from a random trunk: its draws are kept from the global generator, its warnings from the user.
    # eval_mode switches the dropout of the linear layers off.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        network = lpips.LPIPS(net=net, version=VERSION, pnet_rand=True, eval_mode=True, verbose=False)
    published = torch.load(file, map_location="cpu", weights_only=True)
    prefix = "features."
    wanted = {k[len(prefix) :]: v for k, v in published.items() if k.startswith(prefix)}
    own = {name: name.split(".", 1)[1] for name in network.net.state_dict()}  # "slice1.0.weight" is "0.weight"
    network.net.load_state_dict({name: wanted[short] for name, short in own.items()}, strict=True)
    return network.requires_grad_(False).to(device)  # type: ignore[no-any-return]


def published_digest(net: str) -> str:
    """Names the published weights of `net`, without reading a file: trunk by the digits of its name, linear weights."""
    return hashlib.blake2b(f"{VERSION} {TRUNKS[net]} {LINEAR[net]}".encode(), digest_size=16).hexdigest()


def signed(images: NDArray[np.uint8]) -> torch.Tensor:
    """(N, H, W, 3) uint8 → (N, 3, H, W) float32 in [-1, 1]: black is -1, white is 1."""
    import torch

    if images.dtype != np.uint8:
        raise TypeError(f"images must be uint8, found {images.dtype}")
    return torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2) / 127.5 - 1.0


def stacked(network: Any, x: torch.Tensor) -> torch.Tensor:
    """(N, D) float32 rows whose squared distances are LPIPS; x (N, 3, H, W) float32 in [-1, 1].

    Raises ValueError: values outside [-1, 1], or a linear weight below 0, which has no root.
    """
    import torch

    if x.numel() and (float(x.min()) < -1.0 or float(x.max()) > 1.0):
        raise ValueError(f"LPIPS takes values in [-1, 1], found {float(x.min()):g} to {float(x.max()):g}")
    rows = []
    with torch.no_grad(), torch.autocast(x.device.type, enabled=False), torch.backends.cudnn.flags(allow_tf32=False):
        for layer, activation in zip(network.lins, network.net(network.scaling_layer(x.float())), strict=True):
            weight = layer.model[-1].weight
            if float(weight.min()) < 0:
                raise ValueError("a linear weight is negative: the weighted distance is not Euclidean")
            length = activation.square().sum(dim=1, keepdim=True).sqrt()
            area = activation.shape[2] * activation.shape[3]
            rows.append((activation / (length + 1e-10) * (weight / area).sqrt()).flatten(1))
    return torch.cat(rows, dim=1)


def features(network: Any, images: NDArray[np.uint8], *, batch: int = 32) -> NDArray[np.float32]:
    """(N, D) float32 stacked activations of (N, H, W, 3) uint8 images, `batch` at a time on the network's device."""
    device = next(network.parameters()).device
    parts = [
        stacked(network, signed(images[start : start + batch]).to(device)).cpu().numpy()
        for start in range(0, len(images), batch)
    ]
    return np.concatenate(parts)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
