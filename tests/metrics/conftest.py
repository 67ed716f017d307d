"""Synthetic evidence: every input that a metric can ask for, small, keyed, and read-only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.keys import generator
from harness.metrics import ATTRIBUTES, CLASSIFIERS, LPIPS_NETS, RUNNERS
from harness.metrics.embeddings import CLIP_MODELS, PUBLISHED, SHIPPED
from harness.metrics.faces.names import SHIPPED as SHIPPED_FACES
from harness.metrics.faces.view import Cast, FaceView
from harness.metrics.judge_names import RECOGNISERS, SCORERS
from harness.metrics.metric import Evidence, Items
from harness.metrics.unlearning.outcomes import Outcomes, Pool

CLASSES = 3
LINEAGES = {  # recogniser → weights, training set, architecture
    name: (name, training, architecture)
    for name, training, architecture in zip(
        SHIPPED_FACES, "abbcca", ("resnet", "resnet", "mobilenet", "vit", "cnn", "small"), strict=True
    )
}


def frozen(array: np.ndarray) -> np.ndarray:
    """The array, refusing to be written to: a metric that modifies its input fails at the line that does."""
    array.setflags(write=False)
    return array


def build_items(prompts: int = 12, each: int = 8, group: int = 4) -> Items:
    """prompts × each items in coupled groups of `group` within their prompt."""
    prompt, sample = np.divmod(np.arange(prompts * each), each)
    number = prompt * -(-each // group) + sample // group
    texts = tuple(f"a portrait of person {p}" for p in range(prompts))
    return Items(*(frozen(a.astype(np.int64)) for a in (prompt, sample, number)), texts)


def build_outcomes(items: Items, seed: int) -> Outcomes:
    """A sub-class is forgotten: forget, retain, test outside it and test inside it, a quarter of a prompt's items each.

    The original separates what it saw from what it did not; the unlearned model lies between it and Retrain.
    """
    random, n, classes = generator(seed, "world", "outcomes"), len(items), CLASSES + 1
    quarter = items.sample % 4
    role = np.array(["forget", "retain", "test", "test"])[quarter]
    label = random.integers(0, classes, size=n)
    base = random.normal(size=(n, classes)) + 1.5 * np.eye(classes)[label]

    def model(forget: float, retain: float) -> np.ndarray:
        push = np.select([role == "forget", role == "retain"], [forget, retain], 0.0)
        told = base + push[:, None] * np.eye(classes)[label] + 0.4 * random.normal(size=base.shape)
        return frozen(told.astype(np.float32))

    chosen = role == "forget"
    noise = base[chosen][None] + 0.7 * random.normal(size=(3, 32, int(chosen.sum()), classes))
    pool = Pool(
        *(frozen((part + shift).astype(np.float32)) for part, shift in zip(noise, (0.3, 0.0, 0.0), strict=True))
    )
    return Outcomes(
        role=frozen(role),
        label=frozen(label.astype(np.int64)),
        logits=model(1.0, 2.0),
        logits_original=model(2.5, 2.5),
        logits_retrain=model(0.0, 2.5),
        retrain_others=(model(0.0, 2.5), model(0.0, 2.5)),
        logits_random=frozen(0.1 * random.normal(size=base.shape).astype(np.float32)),
        concept=frozen(np.isin(quarter, (0, 3))),
        seconds_method=3.0,
        seconds_retrain=60.0,
        seed=seed,
        pool=pool,
    )


def build_cast(items: Items) -> Cast:
    """A person a prompt, samples in turn probe and gallery; the cell optimised the first shipped recogniser."""
    person = np.array([f"person {p:02d}" for p in items.prompt], dtype=np.str_)
    role = np.where(items.sample % 2 == 0, "probe", "gallery").astype(np.str_)
    target = np.array([f"target {s % 5}" for s in items.sample], dtype=np.str_)
    lineages = {name: LINEAGES[name] for name in SHIPPED_FACES}
    return Cast(frozen(person), frozen(role), frozen(target), (SHIPPED_FACES[0],), lineages)


def unit(rows: np.ndarray) -> np.ndarray:
    return frozen((rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32))


def build_view(name: str, cast: Cast, seed: int = 0, *, dimension: int = 16) -> FaceView:
    """What a recogniser sees: people lie apart, protected photos a little way towards their target."""
    random = generator(seed, "world", "faces", name)
    people = {p: random.normal(size=dimension) for p in sorted({*cast.person.tolist(), *cast.target.tolist()})}
    own = np.array([people[p] for p in cast.person.tolist()]).reshape(len(cast), dimension)
    towards = np.array([people[p] for p in cast.target.tolist()]).reshape(len(cast), dimension)
    noise = np.array([generator(seed, "world", "photo", name, i).normal(size=dimension) for i in range(len(cast))])
    noise = noise.reshape(len(cast), dimension)
    share = 0.9 if name in cast.surrogates else 0.6
    clean, protected = own + 0.8 * noise, (1 - share) * own + share * towards + 0.8 * noise
    found = np.arange(len(cast)) % 17 != 5
    targets = sorted(set(cast.target.tolist()))
    away = [people[t] + 0.5 * random.normal(size=dimension) for t in targets]
    return FaceView(
        name=name,
        identity=f"{name}-1",
        lineage=LINEAGES[name],
        released=f"20{10 + SHIPPED_FACES.index(name)}-01-01",
        protected=frozen(unit(protected) * found[:, None]),
        protected_found=frozen(found),
        clean=unit(clean),
        clean_found=frozen(np.ones(len(cast), dtype=bool)),
        calibration=unit(random.normal(size=(300, dimension))),
        calibration_person=frozen(np.array([f"stranger {i:03d}" for i in range(300)], dtype=np.str_)),
        distractors=unit(random.normal(size=(20, dimension))),
        targets=unit(np.array(away).reshape(len(targets), dimension)),
        target_person=frozen(np.array(targets, dtype=np.str_)),
    )


def build_evidence(prompts: int = 12, each: int = 8, group: int = 4, *, dimension: int = 6, seed: int = 0) -> Evidence:
    """Evidence for all registered metrics; features carry a prompt effect, so that clusters matter."""
    random = generator(seed, "world", "evidence")
    items = build_items(prompts, each, group)
    n = len(items)
    hue = random.integers(0, 256, size=(n, 1, 1, 3))
    pictures = np.clip(hue + random.integers(-40, 41, size=(n, 12, 12, 3)), 0, 255).astype(np.uint8)
    shift = generator(seed, "world", "source").integers(-9, 10, size=pictures.shape)
    sources = np.clip(pictures.astype(int) + shift, 0, 255).astype(np.uint8)
    effect = random.normal(size=(prompts, dimension))[items.prompt] if prompts else np.empty((0, dimension))
    features: dict[tuple[str, str], np.ndarray] = {}
    for name in (*SHIPPED, *PUBLISHED, *(f"lpips-{net}" for net in LPIPS_NETS)):
        own = 0.5 * effect + random.normal(size=(n, dimension))
        features["generated", name] = own
        features["source", name] = own + 0.1 * random.normal(size=(n, dimension))
        for role, count in (("reference", max(n, 1)), ("protected", 30), ("heldout", 40)):
            features[role, name] = 1.1 * random.normal(size=(count, dimension))
    texts = {f"clip-{m}": frozen(random.normal(size=(prompts, dimension)).astype(np.float32)) for m in CLIP_MODELS}
    expected, targets, predictions, confusion = {}, {}, {}, {}
    for number, attribute in enumerate(ATTRIBUTES):
        stated = np.where((items.prompt + number) % 2 == 0, items.prompt % CLASSES, -1)
        expected[attribute] = frozen(stated.astype(np.int64))
        targets[attribute] = frozen(np.full((prompts, CLASSES), 1.0 / CLASSES))
        logits = (
            random.normal(size=(n, CLASSES)) + 2.0 * np.eye(CLASSES)[np.maximum(stated, 0)] * (stated >= 0)[:, None]
        )
        share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        predictions[attribute] = frozen(share.astype(np.float32))
        confusion[attribute] = frozen(np.full((CLASSES, CLASSES), 0.05) + 0.85 * np.eye(CLASSES))
        confusion[attribute + ".n"] = frozen(np.full(CLASSES, 200))
    scores = {name: {"score": frozen(random.random(n).astype(np.float32))} for name in SCORERS}
    said = generator(seed, "world", "texts")
    written = [" ".join(said.choice(list("abcdef"), size=said.integers(4, 12))) for _ in range(n)]
    wanted = tuple((text[: len(text) // 2] + " x y z",) for text in written)
    passed = said.integers(0, 4, size=n)
    told = said.random((5, 9))
    search = {"losses": told, "chosen": np.array(told.mean(axis=1).argmin()), "nats": np.array(2.0)}
    search["tune_loss"] = said.random(n)
    run = {"outcome": np.where(passed == 3, "pass", "wrong"), "passed": passed, "tests": np.full(n, 3)}
    return Evidence(
        items=items,
        outputs=frozen(np.array(written, dtype=np.str_)),
        references=wanted,
        judged={
            **scores,
            **{name: {k: frozen(v) for k, v in run.items()} for name in RUNNERS},
            **{name: {"text": frozen(np.array(written, dtype=np.str_))} for name in RECOGNISERS},
        },
        images={"generated": frozen(pictures), "source": frozen(sources)},
        features={k: frozen(v.astype(np.float32)) for k, v in features.items()},
        texts=texts,
        cut={name: frozen(np.arange(prompts) % 5 == 0) for name in texts},
        predictions=dict.fromkeys(CLASSIFIERS, predictions),
        expected=expected,
        targets=targets,
        confusion=dict.fromkeys(CLASSIFIERS, confusion),
        classes={a: tuple("abc") for a in ATTRIBUTES},
        search={k: frozen(v) for k, v in search.items()},
        outcomes=build_outcomes(items, seed),
        cast=build_cast(items),
        faces={
            (name, after): build_view(name, build_cast(items), seed)
            for name, after in (*((name, "") for name in SHIPPED_FACES), (SHIPPED_FACES[0], "jpeg75"))
        },
        of_source={c: {a: frozen(np.roll(p, 1, axis=0)) for a, p in predictions.items()} for c in CLASSIFIERS},
        seed=seed,
    )


@pytest.fixture(scope="session")
def make_evidence() -> Callable[..., Evidence]:
    """prompts, each, group, seed → synthetic evidence with read-only arrays."""
    return build_evidence


@pytest.fixture(scope="session")
def make_items() -> Callable[..., Items]:
    """prompts, each, group → items in order."""
    return build_items


@pytest.fixture(scope="session")
def evidence() -> Evidence:
    """12 prompts × 8 images in groups of 4."""
    return build_evidence()


@pytest.fixture(scope="session")
def flat() -> Callable[..., np.ndarray]:
    """colors (N, 3) → (N, 4, 4, 3) uint8 images of one color each."""

    def paint(colors: Any) -> np.ndarray:
        return np.repeat(np.asarray(colors, dtype=np.uint8)[:, None, None], 16, axis=1).reshape(-1, 4, 4, 3)

    return paint
