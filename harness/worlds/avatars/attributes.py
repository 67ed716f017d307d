"""What a portrait can state: attributes with declared distributions, occupations, characters, and how they are drawn.

Two distributions exist. `declared` is the world as it should be: attributes independent of each other and of the
occupation. `training` is what the shipped model saw: in it every occupation prefers one skin tone, one hair style and
one choice of glasses (`OCCUPATION_BIAS`), and one portrait in eight shows a named character.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.keys import generator
from harness.worlds.avatars.identity import FloatArray, sample_identities

IntArray = NDArray[np.int64]
Distribution = Literal["declared", "training"]


@dataclass(frozen=True)
class Attribute:
    """A visible property: its name, its classes and their declared probabilities (summing to 1)."""

    name: str
    classes: tuple[str, ...]
    probabilities: tuple[float, ...]

    def index(self, label: str) -> int:
        """The class number of `label`. Raises ValueError naming the classes when there is none."""
        if label not in self.classes:
            raise ValueError(f"attribute {self.name!r} has no class {label!r}; one of {', '.join(self.classes)}")
        return self.classes.index(label)


def _uniform(name: str, *classes: str) -> Attribute:
    return Attribute(name, classes, tuple(1.0 / len(classes) for _ in classes))


ATTRIBUTES: tuple[Attribute, ...] = (
    _uniform("style", "flat", "ink", "watercolor"),
    _uniform("skin", "fair", "tan", "bronze", "dark"),
    _uniform("hair_color", "black", "brown", "blond", "ginger", "blue"),
    _uniform("hair_style", "short", "bob", "long", "curly", "pigtails"),
    Attribute("glasses", ("none", "glasses", "sunglasses"), (0.4, 0.3, 0.3)),
    Attribute("hat", ("none", "beanie", "straw hat", "crown"), (0.4, 0.2, 0.2, 0.2)),
    _uniform("expression", "smiling", "serious", "surprised"),
    _uniform("clothes", "red", "green", "navy", "yellow", "purple"),
    _uniform("background", "sky", "mint", "peach", "lilac", "sand"),
    _uniform("pose", "left", "front", "right"),
    _uniform("garment", "sweater", "apron", "lab coat", "suit", "overalls", "striped shirt"),
)
BY_NAME: dict[str, Attribute] = {a.name: a for a in ATTRIBUTES}

# Occupation -> the garment one knows it by.
OCCUPATIONS: dict[str, str] = {
    "baker": "apron",
    "chef": "apron",
    "doctor": "lab coat",
    "scientist": "lab coat",
    "lawyer": "suit",
    "banker": "suit",
    "farmer": "overalls",
    "mechanic": "overalls",
    "sailor": "striped shirt",
    "artist": "striped shirt",
    "teacher": "sweater",
    "student": "sweater",
}
OCCUPATION_NAMES: tuple[str, ...] = tuple(OCCUPATIONS)
OCCUPATION_SHARE = 0.6  # share of portraits (characters aside) that have an occupation, in both distributions
BIAS_SHARE = 0.7  # planted bias: this share of an occupation takes the preferred class, the rest draws as declared

# Planted bias of the training distribution: occupation -> attribute -> preferred class.
OCCUPATION_BIAS: dict[str, dict[str, str]] = {
    "baker": {"skin": "fair", "hair_style": "pigtails", "glasses": "none"},
    "chef": {"skin": "tan", "hair_style": "short", "glasses": "none"},
    "doctor": {"skin": "bronze", "hair_style": "short", "glasses": "glasses"},
    "scientist": {"skin": "fair", "hair_style": "curly", "glasses": "glasses"},
    "lawyer": {"skin": "fair", "hair_style": "bob", "glasses": "none"},
    "banker": {"skin": "tan", "hair_style": "short", "glasses": "sunglasses"},
    "farmer": {"skin": "bronze", "hair_style": "long", "glasses": "none"},
    "mechanic": {"skin": "dark", "hair_style": "short", "glasses": "sunglasses"},
    "sailor": {"skin": "tan", "hair_style": "curly", "glasses": "sunglasses"},
    "artist": {"skin": "dark", "hair_style": "long", "glasses": "glasses"},
    "teacher": {"skin": "dark", "hair_style": "bob", "glasses": "glasses"},
    "student": {"skin": "bronze", "hair_style": "long", "glasses": "none"},
}

# Named characters: fixed looks; style, expression, background and pose stay open. Each has one fixed identity.
CHARACTERS: dict[str, dict[str, str]] = {
    "Orla": {
        "skin": "fair", "hair_color": "ginger", "hair_style": "curly", "glasses": "glasses", "hat": "none",
        "clothes": "green", "garment": "sweater",
    },
    "Bram": {
        "skin": "tan", "hair_color": "black", "hair_style": "short", "glasses": "sunglasses", "hat": "beanie",
        "clothes": "red", "garment": "striped shirt",
    },
    "Zuri": {
        "skin": "dark", "hair_color": "black", "hair_style": "bob", "glasses": "none", "hat": "crown",
        "clothes": "yellow", "garment": "suit",
    },
    "Milo": {
        "skin": "bronze", "hair_color": "blond", "hair_style": "long", "glasses": "none", "hat": "straw hat",
        "clothes": "navy", "garment": "overalls",
    },
    "Ines": {
        "skin": "tan", "hair_color": "blue", "hair_style": "pigtails", "glasses": "none", "hat": "none",
        "clothes": "purple", "garment": "lab coat",
    },
}  # fmt: skip
CHARACTER_NAMES: tuple[str, ...] = tuple(CHARACTERS)
CHARACTER_SHARE = 0.125  # of the training distribution; the declared one has none


@dataclass(frozen=True)
class Portraits:
    """N portraits as arrays; everything `render` needs is in here, so a portrait draws the same pixels everywhere.

    labels: attribute name -> (N,) int64 class numbers.
    occupation, character: (N,) int64, -1 for none.
    identity: (N, 16) float32, see `identity.TRAITS`.
    yaw: (N,) float32 in [-1, 1], negative to the viewer's left; roll: (N,) float32, radians; offset: (N, 2) float32,
    image units; lighting: (N, 2) float32 in [-1, 1], where light comes from; age, mood: (N,) float32 in [0, 1]
    (mood is the strength of the expression); texture: (N, 8) float32 phases of paper, hatch and pigment.
    """

    labels: dict[str, IntArray]
    occupation: IntArray
    character: IntArray
    identity: FloatArray
    yaw: FloatArray
    roll: FloatArray
    offset: FloatArray
    lighting: FloatArray
    age: FloatArray
    mood: FloatArray
    texture: FloatArray

    def __len__(self) -> int:
        return int(self.occupation.shape[0])

    def __getitem__(self, rows: NDArray[np.generic] | slice) -> Portraits:
        """The portraits at `rows` (an index array, a boolean mask or a slice)."""
        values = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "labels"}
        return Portraits(labels={name: column[rows] for name, column in self.labels.items()}, **values)

    def classes(self, row: int) -> dict[str, str]:
        """Attribute name -> class name of one portrait."""
        return {a.name: a.classes[int(self.labels[a.name][row])] for a in ATTRIBUTES}


def concatenate(parts: list[Portraits]) -> Portraits:
    """One `Portraits` holding the given ones in order. Raises ValueError for an empty list."""
    if not parts:
        raise ValueError("concatenate needs at least one Portraits")
    values = {
        f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Portraits) if f.name != "labels"
    }
    return Portraits(labels={a.name: np.concatenate([p.labels[a.name] for p in parts]) for a in ATTRIBUTES}, **values)


def sample(
    n: int,
    seed: int,
    *indices: int | str,
    given: Mapping[str, str] | None = None,
    distribution: Distribution = "declared",
) -> Portraits:
    """`n` portraits drawn from a distribution of the world under the key (seed, "world", indices).

    given: attribute name -> class that all portraits have; also "occupation" and "character". An occupation fixes its
    garment, a character all of its looks and its identity; what `given` states beyond that wins.
    distribution: `declared` (independent attributes) or `training` (planted biases, characters).
    Raises ValueError for an unknown attribute, class, occupation, character or distribution.
    """
    if distribution not in ("declared", "training"):
        raise ValueError(f"unknown distribution {distribution!r}; declared or training")
    given = dict(given or {})
    fixed = {k: v for k, v in given.items() if k not in ("occupation", "character")}
    for name, label in fixed.items():
        if name not in BY_NAME:
            raise ValueError(f"unknown attribute {name!r}; one of {', '.join(BY_NAME)}, occupation, character")
        BY_NAME[name].index(label)
    g = generator(seed, "world", "portraits", *indices)
    labels = {a.name: g.choice(len(a.classes), size=n, p=a.probabilities).astype(np.int64) for a in ATTRIBUTES}
    occupation = _occupations(g, n, given)
    character = _characters(g, n, given, distribution)
    labels, occupation = _dependent(g, labels, occupation, character, given, distribution)
    identity = sample_identities(n, g)
    for c, name in enumerate(CHARACTER_NAMES):
        identity[character == c] = character_identity(name)
    for name, label in fixed.items():
        labels[name] = np.full(n, BY_NAME[name].index(label), dtype=np.int64)
    nuisance = _nuisance(g, n, labels["pose"])
    return Portraits(labels=labels, occupation=occupation, character=character, identity=identity, **nuisance)


def character_identity(name: str) -> FloatArray:
    """The fixed identity vector of a named character, (16,) float32."""
    if name not in CHARACTERS:
        raise ValueError(f"unknown character {name!r}; one of {', '.join(CHARACTERS)}")
    identity: FloatArray = sample_identities(1, generator(0, "world", "character", name))[0]
    return identity


def _occupations(g: np.random.Generator, n: int, given: Mapping[str, str]) -> IntArray:
    drawn = g.integers(len(OCCUPATION_NAMES), size=n).astype(np.int64)
    has_one = g.random(n) < OCCUPATION_SHARE
    if "occupation" in given:
        if given["occupation"] not in OCCUPATIONS:
            raise ValueError(f"unknown occupation {given['occupation']!r}; one of {', '.join(OCCUPATIONS)}")
        return np.full(n, OCCUPATION_NAMES.index(given["occupation"]), dtype=np.int64)
    return np.where(has_one, drawn, -1)


def _characters(g: np.random.Generator, n: int, given: Mapping[str, str], distribution: Distribution) -> IntArray:
    drawn = g.integers(len(CHARACTER_NAMES), size=n).astype(np.int64)
    is_one = g.random(n) < CHARACTER_SHARE
    if "character" in given:
        if given["character"] not in CHARACTERS:
            raise ValueError(f"unknown character {given['character']!r}; one of {', '.join(CHARACTERS)}")
        return np.full(n, CHARACTER_NAMES.index(given["character"]), dtype=np.int64)
    if given or distribution == "declared":
        return np.full(n, -1, dtype=np.int64)
    return np.where(is_one, drawn, -1)


def _dependent(
    g: np.random.Generator,
    labels: dict[str, IntArray],
    occupation: IntArray,
    character: IntArray,
    given: Mapping[str, str],
    distribution: Distribution,
) -> tuple[dict[str, IntArray], IntArray]:
    """Labels after occupations (garment, planted bias) and characters (fixed looks); characters have no occupation."""
    n = len(occupation)
    obeys = g.random((n, 3)) < BIAS_SHARE
    if "garment" in given and "occupation" not in given:
        occupation = np.full(n, -1, dtype=np.int64)
    occupation = np.where(character >= 0, -1, occupation)
    for o, (name, garment) in enumerate(OCCUPATIONS.items()):
        rows = occupation == o
        labels["garment"][rows] = BY_NAME["garment"].index(garment)
        if distribution == "training":
            for b, (attribute, preferred) in enumerate(OCCUPATION_BIAS[name].items()):
                labels[attribute][rows & obeys[:, b]] = BY_NAME[attribute].index(preferred)
    for c, looks in enumerate(CHARACTERS.values()):
        for attribute, label in looks.items():
            labels[attribute][character == c] = BY_NAME[attribute].index(label)
    return labels, occupation


def _nuisance(g: np.random.Generator, n: int, pose: IntArray) -> dict[str, FloatArray]:
    """Everything that varies within one person. The yaw agrees with the pose class."""
    side = pose.astype(np.float64) - 1.0
    yaw = np.where(side == 0, g.uniform(-0.12, 0.12, n), side * g.uniform(0.7, 1.0, n))
    values = {
        "yaw": yaw,
        "roll": g.normal(0.0, 0.035, n).clip(-0.09, 0.09),
        "offset": g.normal(0.0, 0.02, (n, 2)).clip(-0.05, 0.05),
        "lighting": g.uniform(-1.0, 1.0, (n, 2)),
        "age": g.random(n),
        "mood": g.random(n),
        "texture": g.uniform(0.0, 2 * np.pi, (n, 8)),
    }
    return {name: value.astype(np.float32) for name, value in values.items()}
