"""The retrofitting tasks on their shipped worlds: splits apart, items laid out, answers reproducible, losses right."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness.models import MODELS, judges
from harness.options import build
from harness.suite import load_suite
from harness.suite.errors import SuiteError
from harness.tasks import TASKS
from harness.tasks.code_translation import CodeTranslation
from harness.tasks.retrofitting import Retrofitting

SUITE = """
suite: broken
task: {task}
model: {model}
methods: [untouched]
metrics: [search.gap]
"""


def task(name: str, **options: object) -> Retrofitting:
    made: Retrofitting = build(TASKS.get(name), options)
    return made


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("code_translation", {}),
        ("speech_resynthesis", {}),
        ("image_generation", {"judge": "avatars-quality-a", "blocks": 3, "images_per_block": 4}),
    ],
)
def test_items_are_laid_out_and_their_content_names_them(name: str, options: dict[str, object]) -> None:
    made = task(name, **options)
    table, facts = made.items(), made.facts()
    assert len(table) == len(facts) == sum(len(s) for s in made.shards())
    assert table.prompt.max() + 1 == len(made.texts())
    assert len({(p, s) for p, s in zip(table.prompt, table.sample, strict=True)}) == len(table)
    assert set(made.content()) == {"tune", "report", "judge"}
    assert made.content() == task(name, **options).content()
    smaller = task(name, **{**options, "tune": 7})
    assert smaller.content()["tune"] != made.content()["tune"]
    assert smaller.content()["report"] == made.content()["report"]


def test_splits_share_no_program_and_no_sentence() -> None:
    code, speech = task("code_translation"), task("speech_resynthesis")
    for made, key in ((code, "source"), (speech, "reference")):
        tune, report = ({str(f[key]) for f in made.facts_of(s)} for s in ("tune", "report"))
        assert not tune & report


def test_samples_of_one_sentence_are_one_cluster() -> None:
    made = task("speech_resynthesis")
    cluster, sample = made.clusters()
    texts = np.array([f["reference"] for f in made.facts()])
    for c in np.unique(cluster):
        assert len(set(texts[cluster == c])) == 1
        assert sorted(sample[cluster == c]) == list(range(int((cluster == c).sum())))


def test_a_tune_split_that_is_too_small_is_said_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(SUITE.format(task="{name: code_translation, tune: 4000}", model="programs-t5"))
    with pytest.raises(SuiteError, match="tune split has"):
        load_suite(path)
    path.write_text(SUITE.format(task="{name: code_translation, judge: python-test}", model="programs-t5"))
    with pytest.raises(SuiteError, match=r"unknown judge 'python-test'.*did you mean 'python-tests'"):
        load_suite(path)


def test_problems_in_both_splits_are_refused(tmp_path: Path) -> None:
    def line(name: str, split: str) -> str:
        tests = [{"args": [1], "expected": 2}]
        return json.dumps({"name": name, "source": "f", "target": "def f(x):\n    return x + 1\n", "entry": "f",
                           "tests": tests, "split": split})  # fmt: skip

    path = tmp_path / "problems.jsonl"
    path.write_text("\n".join([line("a", "tune"), line("b", "report")]))
    made = task("code_translation", problems=str(path), tune=1)
    assert [f["name"] for f in made.facts()] == ["b"]


def test_a_users_problem_with_a_failing_reference_is_left_out_by_name(tmp_path: Path) -> None:
    def line(name: str, split: str, target: str) -> str:
        tests = [{"args": [1], "expected": 2}]
        return json.dumps({"name": name, "source": name, "target": f"def f(x):\n    return {target}\n", "entry": "f",
                           "tests": tests, "split": split})  # fmt: skip

    path = tmp_path / "problems.jsonl"
    path.write_text("\n".join([line("a", "tune", "x + 1"), line("b", "tune", "x + 2"), line("c", "report", "x * 2"),
                               line("d", "report", "xrange(x)")]))  # fmt: skip
    made = CodeTranslation(problems=str(path), tune=1)
    assert [f["name"] for f in made.facts_of("tune")] == ["a"]
    assert [f["name"] for f in made.facts()] == ["c"]
    assert made.left_out == {"b": "wrong", "d": "runtime_error"}
    assert made.notes() == (
        "2 problems are left out: their references fail their own tests: b (wrong), d (runtime_error).",
    )
    assert CodeTranslation().notes() == ()
    with pytest.raises(ValueError, match="has 1 problems, 2 problems of the file being left out; 2 are asked"):
        CodeTranslation(problems=str(path), tune=2).facts()


def test_losses_of_programs_by_hand() -> None:
    made = task("code_translation", tune=3)
    facts = made.facts_of("tune")
    said = {
        "passed": np.array([4, 2, 0]),
        "tests": np.array([4, 4, 4]),
        "outcome": np.array(["pass", "wrong", "wrong"]),
    }
    texts = {"texts": np.array([str(f["reference"]) for f in facts])}
    assert made.losses(texts, facts, said).tolist() == [0.0, 0.5, 1.0]
    assert task("code_translation", tune=3, loss="all").losses(texts, facts, said).tolist() == [0.0, 1.0, 1.0]
    assert task("code_translation", tune=3, loss="bleu").losses(texts, facts, {}).tolist() == pytest.approx([0, 0, 0])
    wrong = {"texts": np.array(["def f(x):\n    return 0\n"] * 3)}
    assert (task("code_translation", tune=3, loss="bleu").losses(wrong, facts, {}) > 0.3).all()


def test_losses_of_utterances_by_hand() -> None:
    made = task("speech_resynthesis")
    facts = [{"reference": "turn left now"}, {"reference": "stop"}]
    said = {"text": np.array(["turn left now", "please do stop here at once"])}
    assert made.losses({}, facts, said).tolist() == [0.0, 1.0]  # five insertions over one word, at most 1
    assert made.losses({}, facts, {"text": np.array(["turn right", ""])}).tolist() == pytest.approx([2 / 3, 1.0])


def test_generated_images_depend_on_their_key_alone() -> None:
    made = task("image_generation", judge="avatars-quality-a", blocks=2, images_per_block=3, tune=2)
    model = MODELS.get("avatars-gan")().open("cpu")
    whole = made.answer(model, "report", range(6), seed=4)
    part = made.answer(model, "report", range(4, 6), seed=4)
    np.testing.assert_array_equal(part["images"], whole["images"][4:])
    assert not np.array_equal(made.answer(model, "report", range(1), seed=5)["images"], whole["images"][:1])
    tune = made.answer(model, "tune", range(2), seed=4)
    assert not np.array_equal(tune["latents"], whole["latents"][:2])
    scores = judges.opened("avatars-quality-a", "cpu")(whole, made.facts())
    assert ((losses := made.losses(whole, made.facts(), scores)) >= 0).all()
    assert (losses <= 1).all()
