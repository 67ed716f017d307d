"""Classification with something to forget: parts apart, retraining kept and shared, answers reproducible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.methods import METHODS
from harness.methods.retrofitting.fine_tuning import FineTuning
from harness.models import MODELS
from harness.options import build
from harness.tasks.classification import Classification
from harness.tasks.task import RunContext

Arrays = dict[str, NDArray[Any]]


@dataclass
class Kept:
    """A store of derived arrays that counts what it had to compute."""

    arrays: dict[str, Arrays] = field(default_factory=dict)
    computed: int = 0

    def __call__(self, key: str, compute: Callable[[], Arrays]) -> Arrays:
        if key not in self.arrays:
            self.computed += 1
            self.arrays[key] = compute()
        return dict(self.arrays[key])


def cell(
    made: Classification, method: str, seed: int = 0, kept: Kept | None = None, **options: Any
) -> tuple[Arrays, Arrays, dict[str, float]]:
    """Artifacts, what is recorded beside them, and seconds by stage, of a small and short perceptron."""
    recorded: Arrays = {}
    spent: dict[str, float] = {}
    context = RunContext(
        "cpu", 8, lambda _: None, cache=kept or Kept(), record=recorded.update, spend=lambda k, s: spent.update({k: s})
    )
    model = build(MODELS.get("digits-mlp"), {"epochs": 6, "width": 32}).open("cpu")
    ready = made.prepare(model, build(METHODS.get(method), options), seed, context)
    return dict(made.run(model, ready, seed, made.shards()[0], context).arrays), recorded, spent


def test_the_parts_of_the_training_set_are_apart_and_no_option_but_theirs_moves_them() -> None:
    made = Classification(scenario="random", share=0.2)
    parts = [made.cut.forget, made.cut.retain, made.cut.held_out]
    every = np.concatenate(parts)
    assert len(set(every.tolist())) == len(every) == len(made.pictures.labels["train"])
    assert len(made.cut.forget) == round(0.2 * (len(every) - len(made.cut.held_out)))
    assert np.array_equal(Classification(scenario="random", share=0.2, shadows=3).cut.forget, made.cut.forget)
    assert not np.array_equal(Classification(scenario="random", share=0.2, draw=1).cut.forget, made.cut.forget)


def test_a_class_is_forgotten_whole_and_by_name_or_index() -> None:
    made = Classification(scenario="class", forget="3")
    train = made.pictures.labels["train"]
    assert set(train[made.cut.forget]) == {3}
    assert 3 not in train[made.cut.retain]
    assert np.array_equal(Classification(scenario="class", forget=3).cut.forget, made.cut.forget)
    assert made.forgotten == 3


def test_a_sub_class_is_part_of_a_class_that_stays() -> None:
    made = Classification(data="digits/parity", scenario="subclass", forget="7")
    labels, parts = made.pictures.labels["train"], made.pictures.parts["train"]
    assert set(parts[made.cut.forget]) == {7}
    assert set(labels[made.cut.forget]) == {1}
    assert set(labels[made.cut.retain]) == {0, 1}


def test_a_forgotten_class_that_is_not_there_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="`forget` names the class"):
        Classification(scenario="random", forget=3)
    with pytest.raises(ValueError, match=r"no class 'person 33' in avatars/people.*did you mean 'person"):
        _ = Classification(data="avatars/people", scenario="class", forget="person 33").cut


def test_the_scale_of_pixels_is_that_of_what_is_kept() -> None:
    made = Classification(data="avatars/people", scenario="class", forget=2)
    shape, mean, std = made.scale
    kept = made.pictures.read("train")[made.cut.retain].reshape(-1, 3) / 255
    assert shape == (3, 16, 16)
    np.testing.assert_allclose(mean, kept.mean(0), rtol=1e-9)
    np.testing.assert_allclose(std, kept.std(0), rtol=1e-9)


def test_items_are_forget_retain_and_test_in_order() -> None:
    made = Classification(scenario="class", forget=3, retain_items=50)
    roles, labels = made.roles(), made.labels()
    assert len(made.items()) == len(made.texts()) == len(roles) == len(labels) == made.shards()[0].stop
    assert [r for i, r in enumerate(roles) if i == 0 or roles[i - 1] != r] == ["forget", "retain", "test"]
    assert (roles == "retain").sum() == 50
    assert made.texts()[0].startswith("forget")
    assert made.texts()[0].endswith(": 3")
    assert len(set(made.texts())) == len(made.texts())


def test_what_is_only_reported_is_no_part_of_what_is_trained() -> None:
    kept = Kept()
    few, many = (Classification(scenario="class", forget=3, retain_items=n) for n in (50, 60))
    cell(few, "do_nothing", kept=kept)
    cell(many, "do_nothing", kept=kept)
    assert kept.computed == 2


def test_the_original_and_retraining_are_trained_once_a_seed_for_all_methods() -> None:
    kept, made = Kept(), Classification(scenario="class", forget=3)
    first, _, _ = cell(made, "do_nothing", kept=kept)
    again, beside, spent = cell(made, "retrain", kept=kept)
    assert kept.computed == 2
    for name in ("logits_original", "logits_retrain", "logits_random"):
        assert np.array_equal(first[name], again[name])
    assert np.array_equal(first["logits"], first["logits_original"])
    assert np.array_equal(again["logits"], again["logits_retrain"])
    assert spent["retraining"] > 0  # the row of retraining pays for it, although it was read back
    assert beside["seconds_method"] == pytest.approx(beside["seconds_retrain"], rel=0.5)
    cell(made, "do_nothing", seed=1, kept=kept)
    assert kept.computed == 4


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_networks() -> None:
    made = Classification(scenario="class", forget=3)
    first, again, other = (cell(made, "fine_tune", seed=s, epochs=1)[0] for s in (0, 0, 1))
    for name in first:
        assert np.array_equal(first[name], again[name])
        assert not np.array_equal(first[name], other[name])
        assert first[name].dtype == np.float32


def test_retraining_never_saw_the_class_and_the_original_did() -> None:
    made = Classification(scenario="class", forget=3)
    arrays, _, _ = cell(made, "do_nothing")
    roles, labels = made.roles(), made.labels()
    right = {
        k: (arrays[k].argmax(1) == labels)[roles == "forget"].mean() for k in ("logits_original", "logits_retrain")
    }
    assert right["logits_original"] > 0.9
    assert right["logits_retrain"] == 0.0
    assert (arrays["logits_retrain"].argmax(1) == labels)[(roles == "test") & (labels != 3)].mean() > 0.85


def test_shadows_and_the_pool_are_networks_of_their_own() -> None:
    made = Classification(scenario="class", forget=3, shadows=2, pool=2)
    arrays, beside, _ = cell(made, "retrain")
    outcomes = made.outcomes(arrays, beside, seed=0)
    assert outcomes.pool is not None
    assert outcomes.logits_retrain is not None
    pool = outcomes.pool
    networks = [*outcomes.retrain_others, outcomes.logits_retrain]
    forget = made.roles() == "forget"
    seen = [n[forget] for n in networks] + [*pool.unlearned, *pool.retrained, *pool.oracle]
    assert len({n.tobytes() for n in seen}) == len(seen) == 3 + 6
    assert pool.unlearned.shape == (2, forget.sum(), 10)


def test_a_method_told_of_a_part_keeps_the_rest() -> None:
    made = Classification(scenario="class", forget=3, known=0.5)
    arrays, _, _ = cell(made, "retrain")
    labels, roles = made.labels(), made.roles()
    right = (arrays["logits"].argmax(1) == labels)[roles == "forget"].mean()
    gold = (arrays["logits_retrain"].argmax(1) == labels)[roles == "forget"].mean()
    assert right > 0.8
    assert gold == 0.0


def test_edits_of_other_tasks_are_refused_by_name() -> None:
    assert "does not forget examples" in Classification().refuses(FineTuning())
    assert Classification().refuses(build(METHODS.get("fine_tune"), {})) == ""
