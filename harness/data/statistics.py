"""A statistics file as a reference: mean and covariance of features, their number, and the network that they are of.

Our own files (`harness statistics`) state the network's name, its digest (weights and protocol), N and how the images
were kept; a metric that reads another network refuses them with both names (metrics.md T15). Files of clean-fid,
pytorch-fid and their kin hold `mu` and `sigma` alone: `extractor` and `n` then state the rest, and what a user states
is trusted. `extractor: inception-clean` states the protocol by its name; `inception-clean@1a2b3c4d` also the first
digits of its digest, which are compared. Our files have `mu` and `sigma` too, so those libraries read them.
Arrays: mu (D,), sigma (D, D) with N - 1, float64; extractor, digest, kept_as: text; n: whole number.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.data.files import PLAIN, MissingData
from harness.data.image_set import ImageData, ImageSet
from harness.data.reader import BadImages
from harness.metrics.feature_moments import SERVES, FeatureMoments
from harness.options import option, params_of

UNEVEN = 1e-6
"""Share of the largest entry by which a covariance may differ from its transpose: float32 in other libraries."""


@dataclass(frozen=True)
class Stated:
    """What a file is of. digest: of weights and protocol, or its first digits, or "" where nobody stated it."""

    moments: FeatureMoments
    extractor: str
    digest: str
    kept_as: tuple[str, ...] = ()

    def of(self, extractor: str, digest: str) -> bool:
        """Whether the features are those of this network with these weights, as far as it is stated."""
        return extractor == self.extractor and digest.startswith(self.digest)

    @property
    def title(self) -> str:
        return f"{self.extractor}@{self.digest[:8]}" if self.digest else self.extractor


def write(path: Path, stated: Stated) -> None:
    """The file, whole or not at all; its bytes depend on its content only."""
    arrays = {
        "mu": stated.moments.mean,
        "sigma": stated.moments.covariance,
        "n": np.int64(stated.moments.n),
        "extractor": np.str_(stated.extractor),
        "digest": np.str_(stated.digest),
        "kept_as": np.str_(" ".join(stated.kept_as)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part.npz")
    try:
        np.savez(aside, **arrays)  # type: ignore[arg-type]
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def read(path: Path, extractor: str = "", n: int | None = None) -> Stated:
    """What a file holds, completed by what the user states. Raises MissingData, BadImages."""
    if not path.is_file():
        raise MissingData(f"no statistics file at {path}; `harness statistics SUITE` writes one")
    found = _arrays(path)
    own = "extractor" in found
    if own and (extractor or n is not None):
        raise BadImages(f"{path.name} states its extractor and N itself; take `extractor` and `n` away")
    if own and "n" not in found:
        raise BadImages(f"{path.name} states an extractor, but no `n`")
    if not own and not (extractor and n is not None):
        text = "mu and sigma, but neither extractor nor N"
        raise BadImages(f"{path.name} holds {text}; state them, as in `extractor: inception-clean` and `n: 50000`")
    name, _, digest = extractor.partition("@")
    if own:
        name, digest, n = str(found["extractor"]), str(found.get("digest", "")), int(found["n"])
    assert n is not None
    if n < 2:
        raise BadImages(f"{path.name}: moments of {n} images")
    kept_as = tuple(str(found["kept_as"]).split()) if own and "kept_as" in found else ()
    return Stated(FeatureMoments(*_moments(path, found), n), name, digest, kept_as)


def _arrays(path: Path) -> Mapping[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {k: file[k] for k in ("mu", "sigma", "n", "extractor", "digest", "kept_as") if k in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise BadImages(f"{path.name}: no readable npz of statistics ({error})") from error


def _moments(path: Path, found: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if missing := [k for k in ("mu", "sigma") if k not in found]:
        raise BadImages(f"{path.name} has no array {missing[0]!r}; a statistics file holds `mu` and `sigma`")
    mu, sigma = found["mu"], found["sigma"]
    if mu.ndim != 1 or sigma.shape != (len(mu), len(mu)) or mu.dtype.kind != "f" or sigma.dtype.kind != "f":
        text = f"mu is {mu.dtype} {mu.shape}, sigma {sigma.dtype} {sigma.shape}"
        raise BadImages(f"{path.name}: {text}; expected floats (D,) and (D, D)")
    mu, sigma = mu.astype(np.float64), sigma.astype(np.float64)
    if not (np.isfinite(mu).all() and np.isfinite(sigma).all()):
        raise BadImages(f"{path.name}: mu or sigma hold NaN or infinity")
    if np.abs(sigma - sigma.T).max(initial=0.0) > UNEVEN * np.abs(sigma).max(initial=0.0):
        raise BadImages(f"{path.name}: sigma is not symmetric, so it is no covariance")
    return mu, (sigma + sigma.T) / 2.0


@dataclass(frozen=True, kw_only=True)
class Statistics(ImageSet):
    """Mean and covariance of a reference's features, from a file: for Fréchet distances only."""

    path: str = option(in_id=False, help="the npz file; it is identified by its content")
    extractor: str = option("", in_id=False, help="NAME or NAME@DIGEST of the network, for files that do not say it")
    n: int | None = option(None, in_id=False, unit="images", at_least=2, help="images behind a file that does not say")
    containers: Literal["match", "any"] = option(
        "match",
        help="match: refuse JPEG beside PNG, where the file says how its images were kept; any: stated and accepted",
        source="metrics.md T4",
    )
    called: str = option("", in_id=False, help="what metric ids call the set; default: statistics")

    name = "statistics"
    version = 1
    licence = "that of the images behind the user's file"

    def __post_init__(self) -> None:
        if self.called and not PLAIN.fullmatch(self.called):
            raise ValueError(f"called: {self.called!r}: letters, digits, dots, dashes, slashes and @ only")

    @cached_property
    def stated(self) -> Stated:
        """The file's content. Raises MissingData, BadImages."""
        return read(Path(self.path), self.extractor, self.n)

    @property
    def title(self) -> str:
        return self.called or self.name

    @property
    def mixes(self) -> bool:
        return self.containers == "any" or not self.stated.kept_as  # not known: not compared

    def identity(self, prompts: tuple[str, ...]) -> dict[str, Any]:
        made = hashlib.blake2b(digest_size=16)
        moments = self.stated.moments
        for array in (moments.mean, moments.covariance):
            made.update(np.ascontiguousarray(array).data)
        made.update(f";{moments.n};{self.stated.extractor};{self.stated.digest}".encode())
        fields = params_of(self, in_id_only=True)
        return {"set": self.name, "version": self.version, **fields, "content": made.hexdigest()}

    def kept_as(self, prompts: tuple[str, ...]) -> frozenset[str]:
        return frozenset(self.stated.kept_as)

    def absent(self) -> str:
        return "" if Path(self.path).is_file() else f"no statistics file at {self.path}"

    def size(self, prompts: tuple[str, ...]) -> int:
        return self.stated.moments.n

    def load(self, prompts: tuple[str, ...]) -> ImageData:
        raise BadImages(f"{Path(self.path).name} holds statistics, no images: it serves {SERVES} and nothing else")
