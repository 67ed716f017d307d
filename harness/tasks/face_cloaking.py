"""Face cloaking: photographs of people, answered by protected photographs.

Every user's probes and gallery photographs are protected, so that one cell serves the protocols E (protected probe
against clean gallery), P (the other way round) and B (both). Items are photographs, clusters people. What is scored is
what an 8-bit file would hold. Source: face_privacy.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.data.drawn_set import DrawnSet
from harness.data.face_photos import FacePhotos, read_folder
from harness.data.face_set import FaceSet, avatars_people
from harness.data.face_split import Plan
from harness.data.folder_people import folder_people
from harness.data.image_set import ImageSet
from harness.methods.cloaking.photos import LatentGenerator, Photos
from harness.methods.method import Kind, Method, Transform
from harness.models import latent_generators
from harness.models.perceptual_distance import perceptual_distance
from harness.options import option
from harness.tasks.task import ItemTable, RunContext, Shard, ShardResult, Task

if TYPE_CHECKING:
    from torch import Tensor

SHARD_ITEMS = 48  # photographs; whole blocks of the cloaks
DRAWN = ("avatars", "avatars/tuning")
FAR = 1e-2  # that a folder's calibration must at least allow


@dataclass(frozen=True)
class FaceCloaking(Task):
    """Options of the task."""

    people: str = option(
        "avatars", help="avatars (drawn people), avatars/tuning (others), or a folder person/photo.jpg"
    )
    identities: int = option(60, unit="people", at_least=1, help="people who are protected, at most")
    probes: int = option(1, unit="photos", at_least=1, help="probe photographs a person")
    gallery: int = option(1, unit="photos", at_least=1, help="gallery photographs a person")
    calibration: int = option(1000, unit="people", at_least=0, help="impostors that thresholds are made from; 0: none")
    distractors: int = option(
        200, unit="people", at_least=1, help="further people of the gallery, a photograph each; of a folder all"
    )
    targets: int = option(40, unit="people", at_least=0, help="people to be taken for, in turn")
    decoys: int = option(100, unit="people", at_least=0, help="people whose vectors methods may move towards")
    other: int = option(1, unit="photos", at_least=0, at_most=1, help="a further photo a user, for another_photo")
    detector: str = option("dlib", help="of a folder: dlib, insightface:PACK, auto, or none (pictures are aligned)")
    frame: int = option(160, unit="px", at_least=32, help="of a folder: side of an aligned frame")
    consent: str = option("", help="of a folder: what is known of the people's consent; empty is flagged")
    perceptual: str = option("avatars", help="what methods measure a visible change by: a space, dssim, lpips-alex")

    name = "face_cloaking"
    version = 1
    kinds = frozenset({Kind.TRANSFORM})
    artifacts = frozenset({"images"})
    cluster = "person"
    item = "photo"

    def faces(self) -> FaceSet:
        """Everybody. Raises ValueError for unknown people, or for more than there are."""
        return _faces(self)

    def photographs(self) -> FacePhotos | None:
        """The folder as it was read: every file with its status; None for drawn people. Raises MissingData."""
        return None if self.people in DRAWN else _read(self.people, self.detector, self.frame, self.consent)

    def items(self) -> ItemTable:
        _, person = np.unique(self.faces().users.person, return_inverse=True)
        photo = np.array([int((person[:i] == p).sum()) for i, p in enumerate(person)], dtype=np.int64)
        return ItemTable(person.astype(np.int64), photo, np.arange(len(person), dtype=np.int64))

    def shards(self) -> tuple[Shard, ...]:
        total = len(self.faces().users)
        return tuple(Shard(i, a, min(a + SHARD_ITEMS, total)) for i, a in enumerate(range(0, total, SHARD_ITEMS)))

    def texts(self) -> tuple[str, ...]:
        return tuple(np.unique(self.faces().users.person).tolist())

    def content(self) -> dict[str, str]:
        from harness.models.perceptual_distance import identity

        return {"faces": self.faces().digest, "perceptual": identity(self.perceptual)}

    def facts(self) -> tuple[Mapping[str, Any], ...]:
        found = self.faces()
        rows = zip(found.users.person.tolist(), found.role.tolist(), found.target.tolist(), strict=True)
        return tuple({"person": p, "role": r, "target": t} for p, r, t in rows)

    def notes(self) -> tuple[str, ...]:
        found = self.faces()
        said = ["Measured on the listed open recognisers only, on the date of the report; no protection is promised."]
        if found.world:
            said.append(f"The people are drawn (world {found.world}): nothing is said here about photographs of faces.")
        if not found.consent:
            said.append("Nothing is stated about the consent of the people who are shown.")
        return tuple(said)

    def image_sets(self) -> dict[str, ImageSet]:
        found = self.faces()
        return {"source": DrawnSet(found.users.pixels, "clean photographs", found.digest)}

    def feeds(self) -> frozenset[tuple[str, str]]:
        own = {(kind, role) for kind in ("images", "features", "predictions") for role in ("generated", "source")}
        return frozenset({*own, ("cast", "generated"), ("confusion", "generated"), ("faces", "*")})

    def prepare(self, model: Any, method: Method, seed: int, context: RunContext) -> Transform:
        if not isinstance(method, Transform):
            raise TypeError(f"{self.name} takes transforms, not {method.kind.value}: {method.name}")
        words = getattr(method, "surrogates", "") or getattr(method, "recogniser", "")  # optimised, or asked
        context.record({"surrogates": np.array(model.resolve(words) if words else (), dtype=np.str_)})
        return method

    def run(self, model: Any, method: Any, seed: int, shard: Shard, context: RunContext) -> ShardResult:
        charged = dict[str, int]()

        def charge(kind: str, count: int) -> None:
            charged[kind] = charged.get(kind, 0) + count

        rows = range(shard.start, shard.stop)
        images = cloaked(self.faces(), rows, method, model, seed, context.device, self.perceptual, charge)
        context.progress(len(shard))
        return ShardResult({"images": images}, calls={"photos": len(shard), **charged})


def cloaked(
    found: FaceSet,
    rows: range,
    method: Transform,
    session: Any,
    seed: int,
    device: str,
    space: str,
    charge: Callable[[str, int], None],
) -> NDArray[np.uint8]:
    """The users' photographs `rows` after a method, (n, H, W, 3) uint8. Raises ValueError for another shape or NaN."""
    import torch

    tools = CloakingTools(found, session, device, space, charge)
    at = slice(rows.start, rows.stop)
    other = None if found.other is None else tensor_of(found.other[at])
    photos = Photos(tensor_of(found.users.pixels[at]), tuple(map(tools.key, rows)), found.users.person[at], other)
    made = method.transform(photos, tools, seed)
    if tuple(made.shape) != tuple(photos.pixels.shape) or not bool(torch.isfinite(made).all()):
        raise ValueError(f"{method.name} gave {tuple(made.shape)}, or NaN, for photos {tuple(photos.pixels.shape)}")
    images = (made.clamp(0.0, 1.0) * 255.0).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return np.ascontiguousarray(images)


def tensor_of(pixels: NDArray[np.uint8]) -> Tensor:
    """(n, 3, H, W) float32 in [0, 1] of (n, H, W, 3) uint8."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255.0


@lru_cache(maxsize=4)
def _faces(task: FaceCloaking) -> FaceSet:
    if (photos := task.photographs()) is None:
        return avatars_people(
            task.identities,
            task.probes,
            task.gallery,
            task.calibration,
            task.distractors,
            task.targets,
            decoys=task.decoys,
            tuning=task.people.endswith("tuning"),
        )
    plan = Plan(
        far=FAR if task.calibration else None,
        users=task.identities,
        probes=task.probes,
        gallery=task.gallery,
        other=task.other,
        calibration=task.calibration,
        targets=task.targets,
        decoys=task.decoys,
    )
    found, _ = folder_people(photos, plan)
    return found


@lru_cache(maxsize=2)
def _read(folder: str, detector: str, frame: int, consent: str) -> FacePhotos:
    from harness.models.faces import detection

    detect = None if detector == "none" else detection.detector(detector)
    facts = "none" if detect is None else str(detection.detector_facts(detector))
    return read_folder(Path(folder).expanduser(), detect, side=frame, consent=consent, detector=facts)


@dataclass
class CloakingTools:
    """What a cloak may use (harness/methods/cloaking/photos.py), of one cell."""

    faces: FaceSet
    session: Any
    device: str
    space: str
    charge: Callable[[str, int], None]
    decoys: Any = field(init=False)
    decoy_person: NDArray[np.str_] = field(init=False)
    _generators: dict[str, LatentGenerator] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.decoys = tensor_of(self.faces.decoys.pixels).to(self.device)
        self.decoy_person = self.faces.decoys.person
        self._target = {self.key(i): str(name) for i, name in enumerate(self.faces.target)}
        self._aims = {str(name): i for i, name in enumerate(self.faces.target_opt.person)}

    def key(self, item: int) -> tuple[str, ...]:
        """What the draws of a photograph are keyed by: whom it shows and its place among theirs."""
        person = self.faces.users.person
        return (str(person[item]), str(int((person[:item] == person[item]).sum())))

    def members(self, words: str) -> tuple[str, ...]:
        return tuple(self.session.resolve(words))

    def surrogate(self, name: str) -> Callable[[Tensor], Tensor]:
        found: Callable[[Tensor], Tensor] = self.session.surrogate(name)
        return found

    def ask(self, name: str, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.charge("queries", len(images))
        vectors: NDArray[np.float32] = self.session.ask(name, images)
        return vectors

    def generator(self, name: str) -> LatentGenerator:
        if name not in self._generators:
            self._generators[name] = latent_generators.find(name).open(self.device)
        return self._generators[name]

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        return perceptual_distance(self.space, self.device)(a, b)

    def target(self, key: tuple[str, ...]) -> Tensor | None:
        name = self._target.get(key, "")
        return tensor_of(self.faces.target_opt.pixels[self._aims[name]][None])[0] if name in self._aims else None
