"""The judges: recognisers, quality scorers and program runners, one file each. Plug-ins: `harness.judges`.

A judge with settings of its own (a folder of weights) is declared in HARNESS_WEIGHTS/NAME.judge.yaml, with the key
`judge` and that judge's options, and goes by NAME.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from harness.metrics.embeddings import weights_folder
from harness.models.judges.judge import Judge, NotDifferentiable, Opened
from harness.options import build, nearest, params_of
from harness.registry import Registry, UnknownName

SUFFIX = ".judge.yaml"
JUDGES: Registry[type[Judge]] = Registry(
    kind="judge",
    base=lambda: Judge,
    entries={
        "avatars-quality-a": "harness.models.judges.image_quality:AvatarsQualityA",
        "avatars-quality-b": "harness.models.judges.image_quality:AvatarsQualityB",
        "avatars-adherence": "harness.models.judges.adherence:Adherence",
        "sharpness": "harness.models.judges.sharpness:Sharpness",
        "brisque": "harness.models.judges.brisque:Brisque",
        "torchscript-scorer": "harness.models.judges.torchscript:TorchScriptScorer",
        "python-tests": "harness.models.judges.python_tests:PythonTests",
        "whisper": "harness.models.judges.published_recognisers:Whisper",
        "wav2vec2": "harness.models.judges.published_recognisers:Wav2Vec2",
        "sphinx": "harness.models.judges.sphinx:Sphinx",
        "sphinx-commands": "harness.models.judges.sphinx:SphinxCommands",
        "sphinx-open": "harness.models.judges.sphinx:SphinxOpen",
    },
)

__all__ = ["JUDGES", "Judge", "NotDifferentiable", "Opened", "find", "identity", "names", "opened"]


def declared() -> dict[str, Path]:
    """Name → file of the user's own declarations."""
    folder = weights_folder()
    return {p.name.removesuffix(SUFFIX): p for p in sorted(folder.glob("*" + SUFFIX))} if folder.is_dir() else {}


def names() -> tuple[str, ...]:
    """Names that metrics and tasks may use: judges that need no option, and declared ones."""
    return (*JUDGES.names(), *(n for n in declared() if n not in JUDGES))


def find(name: str) -> Judge:
    """The judge of that name. Raises UnknownName, ValueError naming the file of a wrong declaration, OptionError."""
    if name in JUDGES:
        made: Judge = build(JUDGES.get(name), {})
        return made
    files = declared()
    if name not in files:
        raise UnknownName("judge", name, nearest(name, names()))
    import yaml

    try:
        stated = yaml.safe_load(files[name].read_text(encoding="utf-8"))
        own: Judge = build(JUDGES.get(stated["judge"]), {k: v for k, v in stated.items() if k != "judge"})
    except (ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        raise ValueError(f"{files[name]}: {error}") from error
    return own


def identity(judge: Judge) -> str:
    """32 hexadecimal digits of everything that decides what a judge says: name, version, options, weights."""
    text = json.dumps([judge.name, judge.version, params_of(judge, in_id_only=True), judge.digest()], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def opened(name: str, device: str) -> Opened:
    """The opened judge of that name; the ones used last stay open."""
    found = find(name)
    return _open(found, identity(found), device)


@lru_cache(maxsize=4)
def _open(judge: Judge, _identity: str, device: str) -> Opened:
    return judge.open(device)
