"""A diffusers pipeline from a directory or from the hub's cache: Stable Diffusion, SDXL, SD3, Flux, DiT.

Nothing is downloaded: what is missing is named, with the command that fetches it. Loading never runs foreign code
(safetensors or weights-only), and the safety checker, which would blank images silently, is left out.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.models.diffusion.directory import IGNORED, has_variant, incomplete, index_of, loaded_files, parameters
from harness.models.diffusion.family import FAMILIES
from harness.models.diffusion.footprint import local_shape, phases
from harness.models.diffusion.placement import Offload
from harness.models.diffusion.published import PUBLISHED, Shape
from harness.models.footprint import Footprint, Phase
from harness.models.model import Missing, MissingWeights, Model, model
from harness.models.weights import sha256
from harness.options import option

if TYPE_CHECKING:
    from harness.models.diffusion.adapter import Diffusion

Scheduler = Literal["own", "ddim", "ddim_eta1", "pndm", "dpmpp_2m", "dpmpp_2m_sde", "euler", "heun", "flow_euler"]
Dtype = Literal["float32", "float16", "bfloat16"]
HUB_CACHE = "~/.cache/huggingface"
Decode = Literal["whole", "tiled"]
Denoise = Literal["eager", "compiled"]


class Pipeline(Model):
    """A directory in the format of diffusers. Subclasses say where it is and carry the options below."""

    steps: int | None
    guidance: float | None
    scheduler: Scheduler
    size: int | None
    dtype: Dtype
    # what only some of the models offer
    variant: str | None = None
    network_guidance: float | None = None
    decode: Decode = "whole"
    slicing: bool = False
    denoiser: Denoise = "eager"
    offload: Offload = Offload.NOTHING

    def directory(self) -> Path | None:
        """Where the files are, or None."""
        raise NotImplementedError

    def defaults(self) -> Mapping[str, Any]:
        """steps and guidance where the options leave them open."""
        return {"steps": 50, "guidance": 7.5}

    def settings(self) -> dict[str, Any]:
        given = {"steps": self.steps, "guidance": self.guidance}
        return {k: self.defaults()[k] if v is None else v for k, v in given.items()}

    def files(self) -> dict[str, Path]:
        """The files that loading reads, by path inside the directory. Raises MissingWeights."""
        root = self.directory()
        if root is None or self.missing():
            raise MissingWeights(self.missing())
        return loaded_files(root, self.variant)

    def weights(self) -> dict[str, str]:
        return {name: sha256(path) for name, path in self.files().items()}

    def open(self, device: str) -> Diffusion:
        root = self.directory()
        if root is None or self.missing():
            raise MissingWeights(self.missing())
        import diffusers
        import torch

        from harness.models.diffusion.adapter import Diffusion

        index = index_of(root)
        absent: dict[str, Any] = {k: None for k in IGNORED if k in index}
        if "safety_checker" in absent:
            absent["requires_safety_checker"] = False
        # components saved as empty (SD3 without T5, which its authors allow) have to be named, or loading refuses
        absent |= {k: None for k, v in index.items() if isinstance(v, list) and v[0] is None}
        if self.variant is not None and has_variant(root, self.variant):
            absent["variant"] = self.variant
        cls = getattr(diffusers, index["_class_name"])
        with _quiet():
            pipe = cls.from_pretrained(root, dtype=getattr(torch, self.dtype), local_files_only=True, **absent)
        for part in pipe.components.values():
            if isinstance(part, torch.nn.Module):
                part.eval().requires_grad_(False)
        if self.decode == "tiled":
            pipe.vae.enable_tiling()
        if self.slicing:
            pipe.vae.enable_slicing()
        opened = Diffusion(
            pipe,
            scheduler_name=self.scheduler,
            size_px=self.size,
            fingerprint=self.fingerprint(),
            network_guidance=self.network_guidance,
            on=device,
            offload=self.offload,
            **self.settings(),
        )
        if self.denoiser == "compiled":
            opened.family.network.compile()
        return opened

    def footprint(self) -> Footprint | None:
        root = self.directory()
        if root is None or self.missing():
            return None
        counts, shape = parameters(root, self.variant), local_shape(root)
        return Footprint(parameters=counts, phases=self._phases(counts, shape), basis=f"weights in {root}")

    def _phases(self, counts: Mapping[str, int], shape: Shape) -> dict[str, Phase]:
        one = self.settings()["guidance"] == 1 or (shape.distilled and self.network_guidance is None)
        return phases(
            counts,
            shape,
            dtype=self.dtype,
            size_px=self.size,
            branches=1 if one else 2,
            offload=Offload(self.offload),
            slicing=self.slicing,
        )

    def fingerprint(self) -> str:
        """32 hexadecimal digits naming weights and settings."""
        facts: list[Any] = [self.version, self.weights(), self.settings(), self.scheduler, self.size, self.dtype]
        more = {"network_guidance": self.network_guidance, "decode": self.decode, "denoiser": self.denoiser}
        usual = {"network_guidance": None, "decode": "whole", "denoiser": "eager"}
        if more != usual:
            facts.append(more)
        return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16).hexdigest()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the loaders' own bars and hints: progress is the engine's to show."""
    import diffusers.utils.logging as ours
    import transformers.utils.logging as theirs

    before = ours.get_verbosity()
    ours.set_verbosity_error()
    bars = [log for log in (ours, theirs) if log.is_progress_bar_enabled()]
    for log in bars:
        log.disable_progress_bar()
    try:
        yield
    finally:
        ours.set_verbosity(before)
        for log in bars:
            log.enable_progress_bar()


@model("diffusers")
@dataclass(frozen=True)
class Diffusers(Pipeline):
    """`path` names a directory or a hub id; w of `guidance` is the diffusers convention, 1 = conditional model."""

    path: str = option(help="pipeline directory, or hub id (owner/name) already in the local cache", in_id=False)
    revision: str | None = option(None, help="commit or tag of a hub id; a commit is the only exact one", in_id=False)
    variant: str | None = option(
        None, help="weight files of this variant (fp16) where a component has them; named by their content", in_id=False
    )
    steps: int | None = option(
        None, unit="steps", at_least=1, help="scheduler steps", source="the stock pipeline: 50; SD3 and Flux 28"
    )
    guidance: float | None = option(
        None,
        unit="w",
        help="guidance weight; the network's own guidance input where it is distilled (Flux)",
        source="the stock pipeline: SD 7.5, SDXL 5, SD3 7, Flux 3.5 (1 where nothing is distilled), DiT 4",
        at_least=0,
    )
    network_guidance: float | None = option(
        None, unit="g", at_least=0, help="fixes a distilled network's guidance input, so that w weighs two branches"
    )
    scheduler: Scheduler = option("own", help="sampler; own = the pipeline's")
    size: int | None = option(None, unit="px", at_least=8, help="image side; default: the model's")
    dtype: Dtype = option("float32", help="precision of weights and network calls")
    denoiser: Denoise = option("eager", help="compiled: torch.compile, faster after minutes, other last bits")
    decode: Decode = option("whole", help="tiled: large images tile by tile, blended, so the pixels differ")
    slicing: bool = option(False, help="decode one image at a time; saves memory, changes no result", in_id=False)
    offload: Offload = option(
        Offload.NOTHING, help="what waits in host memory: text encoders, or all parts not at work", in_id=False
    )

    def footprint(self) -> Footprint | None:
        if self.hub_id is None or not self.missing():
            return super().footprint()
        facts = PUBLISHED.get(self.hub_id)
        if facts is None:
            return Footprint(download=self.hub_id, basis="no facts of this hub id are declared")
        return Footprint(
            download=self.hub_id,
            download_bytes=sum(facts.parameters.values()) * facts.stored_bytes,
            parameters=facts.parameters,
            phases=self._phases(facts.parameters, facts.shape),
            basis="declared for this hub id, from its published configuration",
        )

    def defaults(self) -> Mapping[str, Any]:
        root = self.directory()
        if root is None:
            name = PUBLISHED[self.path].pipeline if self.path in PUBLISHED else ""
        else:
            name = str(index_of(root).get("_class_name"))
        known = FAMILIES.get(name, FAMILIES["StableDiffusionPipeline"])
        guidance = known.guidance
        if name == "FluxPipeline" and root is not None and not _embeds_guidance(root):
            guidance = 1.0
        return {"steps": known.steps, "guidance": guidance}

    def directory(self) -> Path | None:
        local = Path(self.path).expanduser()
        if (local / "model_index.json").is_file():
            return local
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", self.path):
            return None
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            return Path(snapshot_download(self.path, revision=self.revision, local_files_only=True))
        except (LocalEntryNotFoundError, OSError, ValueError):
            return None

    def missing(self) -> tuple[Missing, ...]:
        root = self.directory()
        instead = "model avatars-sd, which is shipped"
        if root is None or not (root / "model_index.json").is_file():
            return (self._absent(instead),)
        index = index_of(root)
        if index.get("_class_name") not in FAMILIES:
            what = f"a supported pipeline: {self.path} is a {index.get('_class_name')}"
            return (Missing(what, (str(self.path),), f"any of {', '.join(FAMILIES)}", instead),)
        return tuple(
            Missing(f"weights of component {part!r}", (f"{root / part}",), self._fetch(), instead)
            for part in incomplete(root, self.variant)
        )

    @property
    def hub_id(self) -> str | None:
        """owner/name, where `path` is one and no directory."""
        local = Path(self.path).expanduser()
        return self.path if not local.exists() and re.fullmatch(r"[\w.-]+/[\w.-]+", self.path) else None

    def _fetch(self) -> str:
        """The command that brings the files, or what to put where."""
        if self.hub_id is None:
            return f"put a pipeline directory (model_index.json and its components) at {self.path}"
        revision = f" --revision {self.revision}" if self.revision else ""
        return (
            f"hf download {self.path}{revision} (where there is a network; then copy the folder here, "
            "and name it with --set model.path=FOLDER)"
        )

    def _absent(self, instead: str) -> Missing:
        looked = [f"directory {self.path}"]
        if self.hub_id is not None:
            looked.append(f"hub cache {os.environ.get('HF_HUB_CACHE') or os.environ.get('HF_HOME') or HUB_CACHE}")
        return Missing(f"pipeline {self.path!r} (no model_index.json)", tuple(looked), self._fetch(), instead)

    @property
    def licence(self) -> str:
        root = self.directory()
        card = None if root is None else root / "README.md"
        if card is None or not card.is_file():
            return "unknown"
        stated = re.search(r"^license(?:_name)?:\s*(\S+)", card.read_text(errors="replace"), re.MULTILINE)
        return stated[1] if stated else "unknown"


def _embeds_guidance(root: Path) -> bool:
    config = root / "transformer" / "config.json"
    return config.is_file() and bool(json.loads(config.read_text(encoding="utf-8")).get("guidance_embeds"))
