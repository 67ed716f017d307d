"""A diffusers pipeline from a directory or from the hub's cache: Stable Diffusion 1.x/2.x, SDXL, Stable Diffusion 3.

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

from harness.models.diffusion.family import FAMILIES
from harness.models.model import Missing, MissingWeights, Model, model
from harness.models.weights import sha256
from harness.options import option

if TYPE_CHECKING:
    from harness.models.diffusion.adapter import Diffusion

Scheduler = Literal["own", "ddim", "ddim_eta1", "pndm", "dpmpp_2m", "dpmpp_2m_sde", "euler", "heun", "flow_euler"]
Dtype = Literal["float32", "float16", "bfloat16"]
IGNORED = frozenset({"safety_checker", "feature_extractor", "image_encoder"})
_LOADED = (".safetensors", ".bin", ".json", ".txt", ".model")


class Pipeline(Model):
    """A directory in the format of diffusers. Subclasses say where it is and carry the options below."""

    steps: int | None
    guidance: float | None
    scheduler: Scheduler
    size: int | None
    dtype: Dtype

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
        found = {"model_index.json": root / "model_index.json"}
        for part in _parts(root):
            for path in sorted((root / part).glob("*")):
                if path.suffix in _LOADED and not _shadowed(path):
                    found[f"{part}/{path.name}"] = path
        return found

    def weights(self) -> dict[str, str]:
        return {name: sha256(path) for name, path in self.files().items()}

    def open(self, device: str) -> Diffusion:
        root = self.directory()
        if root is None or self.missing():
            raise MissingWeights(self.missing())
        import diffusers
        import torch

        from harness.models.diffusion.adapter import Diffusion

        index = json.loads((root / "model_index.json").read_text())
        absent = {k: None for k in IGNORED if k in index}
        if "safety_checker" in absent:
            absent["requires_safety_checker"] = False  # type: ignore[assignment]
        cls = getattr(diffusers, index["_class_name"])
        with _quiet():
            pipe = cls.from_pretrained(root, dtype=getattr(torch, self.dtype), local_files_only=True, **absent)
        pipe.to(device)
        for part in pipe.components.values():
            if isinstance(part, torch.nn.Module):
                part.eval().requires_grad_(False)
        return Diffusion(
            pipe,
            scheduler_name=self.scheduler,
            size_px=self.size,
            fingerprint=self.fingerprint(),
            **self.settings(),
        )

    def fingerprint(self) -> str:
        """32 hexadecimal digits naming weights and settings."""
        facts = [self.version, self.weights(), self.settings(), self.scheduler, self.size, self.dtype]
        return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16).hexdigest()


def _parts(root: Path) -> list[str]:
    index = json.loads((root / "model_index.json").read_text())
    return [k for k, v in index.items() if isinstance(v, list) and v[0] is not None and k not in IGNORED]


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


def _shadowed(path: Path) -> bool:
    """Files that diffusers leaves aside: variants (`x.fp16.safetensors`) and .bin beside safetensors."""
    if path.suffix in (".safetensors", ".bin") and ".fp16." in path.name:
        return True
    return path.suffix == ".bin" and any(path.parent.glob("*.safetensors"))


@model("diffusers")
@dataclass(frozen=True)
class Diffusers(Pipeline):
    """`path` names a directory or a hub id; w of `guidance` is the diffusers convention, 1 = conditional model."""

    path: str = option(help="pipeline directory, or hub id (owner/name) already in the local cache", in_id=False)
    revision: str | None = option(None, help="commit or tag of a hub id; a commit is the only exact one", in_id=False)
    steps: int | None = option(None, unit="steps", at_least=1, help="scheduler steps", source="diffusers default 50")
    guidance: float | None = option(None, unit="w", help="guidance weight", source="diffusers default 7.5", at_least=0)
    scheduler: Scheduler = option("own", help="sampler; own = the pipeline's")
    size: int | None = option(None, unit="px", at_least=8, help="image side; default: the model's")
    dtype: Dtype = option("float32", help="precision of weights and network calls")

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
            cache = os.environ.get("HF_HUB_CACHE") or os.environ.get("HF_HOME") or "~/.cache/huggingface"
            revision = f" --revision {self.revision}" if self.revision else ""
            command = f"hf download {self.path}{revision}"
            looked = (f"directory {self.path}", f"hub cache {cache}")
            return (Missing(f"pipeline {self.path!r} (no model_index.json)", looked, command, instead),)
        index = json.loads((root / "model_index.json").read_text())
        if index.get("_class_name") not in FAMILIES:
            what = f"a supported pipeline: {self.path} is a {index.get('_class_name')}"
            return (Missing(what, (str(self.path),), f"any of {', '.join(FAMILIES)}", instead),)
        return tuple(
            Missing(f"weights of component {part!r}", (f"{self.path}/{part}",), f"hf download {self.path}", instead)
            for part in incomplete(root)
        )

    @property
    def licence(self) -> str:
        root = self.directory()
        card = None if root is None else root / "README.md"
        if card is None or not card.is_file():
            return "unknown"
        stated = re.search(r"^license(?:_name)?:\s*(\S+)", card.read_text(errors="replace"), re.MULTILINE)
        return stated[1] if stated else "unknown"


def incomplete(root: Path) -> list[str]:
    """Components of a pipeline directory whose files are not there."""
    index = json.loads((root / "model_index.json").read_text())
    result = []
    for part in _parts(root):
        needs_weights = not any(word in index[part][1] for word in ("Scheduler", "Tokenizer"))
        names = [p.name for p in (root / part).glob("*")]
        if not names or (needs_weights and not any(n.endswith((".safetensors", ".bin")) for n in names)):
            result.append(part)
    return result
