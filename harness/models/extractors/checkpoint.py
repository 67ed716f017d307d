"""Any vision network of transformers as an extractor: a hub id or a local folder, declared by the user.

HARNESS_WEIGHTS/NAME.embedding.yaml with `checkpoint:` and the other keys of `OwnCheckpoint` declares one; then
`fd.NAME`, `kd.NAME`, `precision.NAME`, … read it. Preprocessing is the checkpoint's own preprocessor_config.json, as
its Pillow processor computes it: resize on bytes, middle square, times the rescale factor, minus mean, over deviation.
A preprocessing that is none of these is refused, never approximated. The hashes found enter every id; the code of a
checkpoint is never run, and one whose weights do not fill its network is refused (missing layers would be random).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.metrics.embeddings import weights_folder
from harness.models.extractors.declaration import Declaration, Forward
from harness.models.extractors.places import WEIGHTS, HubFolder
from harness.models.extractors.quiet import quiet
from harness.models.extractors.resize import Resize, Rule
from harness.models.model import Missing
from harness.options import option

Layer = Literal["class_token", "pooled", "projection", "mean_token"]
LAYERS: dict[str, str] = {
    "class_token": "class token after the last norm",
    "pooled": "pooler output",
    "projection": "image projection",
    "mean_token": "mean of all tokens after the last norm",
}
KERNELS: dict[int, Rule] = {2: "pil-bilinear-u8-aa", 3: "pil-bicubic-u8-aa"}  # Pillow's numbers
PREPROCESSOR = "preprocessor_config.json"
DEFAULTS: dict[str, Any] = {"do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
BY_TYPE: dict[
    str, tuple[bool, int, str]
] = {  # what older files leave out: crop, kernel, and what a size of one number is
    "CLIP": (True, 3, "shortest_edge"),
    "Bit": (True, 3, "shortest_edge"),
    "DeiT": (True, 3, "square"),
    "ViT": (False, 2, "square"),
    "Siglip": (False, 3, "square"),
}


@dataclass(frozen=True)
class OwnCheckpoint:
    """What NAME.embedding.yaml states of a transformers checkpoint."""

    checkpoint: str = option(help="hub id, or a folder: absolute, or below the weights folder")
    network: str = option("AutoModel", help="class of transformers, as in Dinov2Model or CLIPModel")
    layer: Layer = option("class_token", help="the feature: class_token, pooled, projection or mean_token")
    revision: str = option("main", help="branch, tag or commit of a hub id")
    dimension: int | None = option(None, at_least=1, help="length of the feature, where config.json does not say it")
    batch: int = option(32, unit="images", at_least=1, help="images a pass")
    licence: str = option("unknown", help="of the weights")
    summary: str = option("a transformers checkpoint of the user", help="one line for listings")

    def declared(self, name: str) -> Declaration:
        """Raises ValueError for a preprocessing that is not known here."""
        folder = Folder(name, self.checkpoint, ("config.json", PREPROCESSOR), self.revision)
        found = folder.folder()
        resize, words, length = Resize("none"), "not known before the checkpoint is here", self.dimension or 0
        if found is not None:
            resize, words = preprocessing(_json(found / PREPROCESSOR))
            length = self.dimension or dimension(_json(found / "config.json"), self.layer)
        return Declaration(
            name=name,
            summary=self.summary,
            licence=self.licence,
            weights=folder,
            resize=resize,
            input=words,
            layer=f"{LAYERS[self.layer]} of {self.network}",
            dimension=length,
            build="harness.models.extractors.checkpoint:open_checkpoint",
            batch=self.batch,
        )


@dataclass(frozen=True)
class Folder(HubFolder):
    """The folder that `repo` names, from the weights folder on, where it is one; else as of a hub id."""

    def folder(self) -> Path | None:
        if self._complete(self._local()):
            return self._local()
        return None if self._is_path() else super().folder()

    def missing(self, instead: str) -> Missing | None:
        if self.folder() is not None or not self._is_path():
            return super().missing(instead)
        text = f"the checkpoint's {', '.join(self.needs)} or weights (*{WEIGHTS[0]})"
        return Missing(text, (str(self._local()),), f"hf download OWNER/NAME --local-dir {self._local()}", instead)

    def _is_path(self) -> bool:
        return self.repo.startswith((".", "~", "/")) or self._local().is_dir()

    def _local(self) -> Path:
        return weights_folder() / Path(self.repo).expanduser()


def preprocessing(config: Mapping[str, Any]) -> tuple[Resize, str]:
    """The resize, and the arithmetic behind it, which `open_checkpoint` reads back. Raises ValueError."""
    stated = {k: v for k, v in config.items() if v is not None}
    kind = str(stated.get("image_processor_type") or stated.get("feature_extractor_type") or "")
    kind = re.sub("(ImageProcessor(Fast|Pil)?|FeatureExtractor)$", "", kind)
    does_crop, number, one = BY_TYPE.get(kind, (None, -1, ""))
    facts = {**DEFAULTS, "do_center_crop": does_crop, "resample": number, **stated}
    if not facts["do_resize"] or facts.get("do_pad"):
        raise ValueError(f"{PREPROCESSOR} does not resize, or pads: a network with inputs of one size is needed")
    if (kernel := KERNELS.get(int(facts["resample"]))) is None:
        raise ValueError(f"{PREPROCESSOR} resizes by rule {facts['resample']}; known are {KERNELS}")
    size, edge = _size(facts.get("size"), one)
    if facts["do_center_crop"] is None and "crop_size" in facts:
        raise ValueError(f"{PREPROCESSOR} does not say whether it crops: state `do_center_crop` there")
    crop = bool(facts["do_center_crop"])
    window = _square(facts.get("crop_size", size)) if crop else 0
    if edge == "shortest" and not crop:
        raise ValueError(f"{PREPROCESSOR} keeps the shape of the image; without a crop its features have no one length")
    if window > size:
        raise ValueError(f"{PREPROCESSOR} crops {window} pixels of {size}")
    factor = float(facts["rescale_factor"]) if facts["do_rescale"] else 1.0
    mean: tuple[float, ...] = (0.0,) * 3
    deviation: tuple[float, ...] = (1.0,) * 3
    if facts["do_normalize"]:
        mean, deviation = (tuple(float(v) for v in facts.get(k, ())) for k in ("image_mean", "image_std"))
        if len(mean) != 3 or len(deviation) != 3 or min(deviation) <= 0:
            raise ValueError(f"{PREPROCESSOR}: mean {mean} and deviation {deviation}; expected three numbers each")
    rule = Resize(kernel, size, edge=edge, crop=crop, window=0 if window == size else window)
    return rule, json.dumps({"factor": factor, "mean": mean, "deviation": deviation})


def dimension(config: Mapping[str, Any], layer: str) -> int:
    """Length of the feature, from config.json. Raises ValueError where it does not say."""
    vision = config.get("vision_config") or {}
    keys = ("projection_dim", "hidden_size") if layer == "projection" else ("hidden_size",)
    places = (config, vision) if layer == "projection" else (vision, config)
    for key in keys:
        for place in places:
            if isinstance(found := place.get(key), int):
                return found
    raise ValueError(f"config.json states no {keys[0]}: the length of the feature is not known")


def open_checkpoint(files: Mapping[str, Path], device: str, declared: Declaration) -> Forward:
    """The declared class with the checkpoint's weights, all of them. Raises ValueError."""
    import torch
    import transformers

    layer, _, name = declared.layer.rpartition(" of ")
    kind: Any = getattr(transformers, name, None)
    if name != "AutoModel" and not (isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel)):
        raise ValueError(f"{declared.name}: transformers has no model class {name!r}")
    folder = files["config.json"].parent
    with quiet():
        model, report = kind.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, dtype=torch.float32, output_loading_info=True
        )
    if gone := sorted(k for k in report["missing_keys"] if layer == LAYERS["pooled"] or "pooler" not in k):
        raise ValueError(f"{declared.name}: {folder} has no weights for {len(gone)} parts of {name}, as {gone[0]}")
    model = model.to(device).eval().requires_grad_(False)
    words = json.loads(declared.input)
    mean, deviation = (torch.tensor(words[k], device=device).view(1, 3, 1, 1) for k in ("mean", "deviation"))

    def forward(levels: torch.Tensor) -> torch.Tensor:
        rows: torch.Tensor = _feature(model, (levels * words["factor"] - mean) / deviation, layer)
        return rows

    return forward


def _feature(model: Any, pixels: Any, layer: str) -> Any:
    if layer == LAYERS["projection"]:
        if hasattr(model, "get_image_features"):
            made = model.get_image_features(pixel_values=pixels)
            return getattr(made, "pooler_output", made)
        made = model(pixel_values=pixels)
        if (rows := getattr(made, "image_embeds", None)) is None:
            raise ValueError(f"{type(model).__name__} has no image projection; state another `layer`")
        return rows
    tower = getattr(model, "vision_model", model)
    made = tower(pixel_values=pixels)
    if layer == LAYERS["pooled"]:
        if made.pooler_output is None:
            raise ValueError(f"{type(model).__name__} has no pooler output; state another `layer`")
        return made.pooler_output
    tokens = made.last_hidden_state
    if tokens.ndim != 3:
        raise ValueError(f"{type(model).__name__} gives {tuple(tokens.shape)}, no tokens; state another `layer`")
    return tokens[:, 0] if layer == LAYERS["class_token"] else tokens.mean(dim=1)


def _size(size: Any, one: str) -> tuple[int, Literal["square", "shortest"]]:
    if isinstance(size, int) and not one:
        raise ValueError(f"{PREPROCESSOR}: a size of one number ({size}) is a side or a square; write it out there")
    if isinstance(size, int) and one == "shortest_edge":
        return size, "shortest"
    if isinstance(size, Mapping) and set(size) == {"shortest_edge"}:
        return int(size["shortest_edge"]), "shortest"
    return _square(size), "square"


def _square(size: Any) -> int:
    if isinstance(size, int):
        return size
    if isinstance(size, Mapping) and set(size) == {"height", "width"} and size["height"] == size["width"]:
        return int(size["height"])
    raise ValueError(f"{PREPROCESSOR}: size {size} is no square and no shortest edge")


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
