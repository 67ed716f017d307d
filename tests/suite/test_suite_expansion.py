"""Suites to cells: rows, sweeps, presets, addresses, and what must change nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.suite import LoadedSuite, SuiteError, load_suite, plan, resolved_yaml
from harness.suite.loading import read_tree
from harness.suite.resolved import dump

Write = Callable[..., str]


def addresses(loaded: LoadedSuite) -> dict[tuple[str, int], str]:
    return {(c.label, c.cell.seed): c.cell.address for c in plan(loaded).cells}


def test_cells_are_rows_by_seeds_baselines_first(write: Write) -> None:
    found = plan(load_suite(write()))
    assert [(c.label, c.role, c.cell.seed) for c in found.cells] == [
        ("iid", "baseline", 0), ("iid", "baseline", 1), ("spell", "method", 0), ("spell", "method", 1),
        ("cads", "method", 0), ("cads", "method", 1),
    ]  # fmt: skip
    assert found.compare_to == "iid"
    assert found.primary == ("fd.avatars", "vendi.avatars")
    assert len({c.cell.address for c in found.cells}) == 6


def test_a_cell_says_everything_that_could_change_its_result(write: Write) -> None:
    changed = {"radius_quantile: 0.3": "protected: protected", "data:": "data:\n  protected: avatars/heldout"}
    cell = next(c.cell for c in plan(load_suite(write(changed))).cells if c.label == "spell")
    assert cell.model.params == {"steps": 7, "guidance": 3.0}  # settings of the card are in, `absent` is not
    assert cell.model.content == {"unet/model.safetensors": "ab" * 32}
    assert (cell.model.version, cell.method.version, cell.split) == (3, 1, "report")
    assert cell.method.params["overcompensation"] == 1.6  # a default
    assert set(cell.data) == {"protected"}  # what the method reads, not what metrics compare with
    assert len(cell.data["protected"].content["digest"]) == 32
    assert list(cell.task.content.values()) != [""]
    assert all(v.count(".") == 1 for v in cell.libraries.values())
    assert "torch" in cell.libraries


def test_what_is_no_identity_is_in_no_address_and_yet_handed_on(write: Write) -> None:
    found = plan(load_suite(write({"model: toy": "model: {name: toy, absent: false}"}))).cells[0]
    assert "absent" not in found.cell.model.params
    assert "prompts" not in found.cell.task.params  # its texts are hashed in the content
    assert found.outside["task"] == {"prompts": "avatars/open", "judge": None, "tune_prompts": None}
    assert found.outside["model"] == {"absent": False}


def test_a_judge_and_tune_prompts_change_addresses_only_where_they_are_named(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what they are: the judge's identity, the texts of the prompts."""
    from harness.models.judges import JUDGES

    monkeypatch.setitem(JUDGES.entries, "toy-redness", "toy_judges:Redness")  # type: ignore[index]
    first = "first: 2"
    tasks = ({}, {first: f"{first}, judge: toy-redness"}, {first: f"{first}, judge: toy-redness, tune_prompts: [a b]"})
    cells = [plan(load_suite(write(t))).cells[0].cell for t in tasks]
    assert len({c.address for c in cells}) == 3
    assert [sorted(c.task.content) for c in cells] == [
        ["prompts"], ["judge", "prompts"], ["judge", "prompts", "tune_prompts"]
    ]  # fmt: skip
    assert len({str(c.task.params) for c in cells}) == 1


def test_a_sweep_becomes_rows_with_labels_and_points(write: Write) -> None:
    sweep = "sweep: {radius_quantile: [0.1, 0.3], among: [group, history]}"
    found = plan(load_suite(write({"radius_quantile: 0.3": f"as: SPELL, {sweep}"})), ["SPELL"])
    assert [c.label for c in found.cells if c.cell.seed == 0] == [
        "SPELL radius_quantile=0.1 among=group",
        "SPELL radius_quantile=0.1 among=history",
        "SPELL radius_quantile=0.3 among=group",
        "SPELL radius_quantile=0.3 among=history",
    ]
    assert found.cells[0].point == {"radius_quantile": 0.1, "among": "group"}
    assert found.cells[0].cell.method.params["radius_quantile"] == 0.1


def test_a_swept_value_takes_the_place_of_the_given_one(write: Write) -> None:
    found = plan(load_suite(write({"radius_quantile: 0.3": "radius_quantile: 0.3, sweep: {radius_quantile: [0.1]}"})))
    assert {c.cell.method.params["radius_quantile"] for c in found.cells if c.role == "method" and c.point} == {0.1}


def test_a_point_of_a_sweep_is_the_cell_of_the_plain_row(write: Write) -> None:
    plain = addresses(load_suite(write()))
    swept = addresses(load_suite(write({"radius_quantile: 0.3": "sweep: {radius_quantile: [0.3]}"})))
    assert swept["spell radius_quantile=0.3", 0] == plain["spell", 0]


def test_presets_bring_their_parameters_which_rows_may_change(write: Write) -> None:
    changed = "{name: low_guidance@dave, as: lower, w: 1.5}, {name: low_guidance, w: 1.5}"
    rows = f"baselines: [iid, low_guidance@dave, {changed}]"
    cells = {c.label: c.cell for c in plan(load_suite(write({"baselines: [iid]": rows}))).cells}
    assert cells["low_guidance@dave"].method.name == "low_guidance"
    assert cells["lower"].method.params["w"] == 1.5
    assert cells["lower"].address == cells["low_guidance"].address
    assert cells["lower"].address != cells["low_guidance@dave"].address


def test_controls_are_presets_or_methods(write: Write) -> None:
    found = plan(
        load_suite(write({"baselines: [iid]": "controls: [norm_matched_noise, iid]", "compare_to: iid\n": ""}))
    )
    roles = {c.label: c.role for c in found.cells}
    assert roles["norm_matched_noise"] == roles["iid"] == "control"
    assert found.compare_to is None


def test_only_takes_labels_sweep_labels_and_methods(write: Write) -> None:
    loaded = load_suite(write({"radius_quantile: 0.3": "as: A, sweep: {radius_quantile: [0.1, 0.2]}"}))
    assert {c.label for c in plan(loaded, ["A"]).cells} == {"A radius_quantile=0.1", "A radius_quantile=0.2"}
    assert {c.label for c in plan(loaded, ["A radius_quantile=0.2"]).cells} == {"A radius_quantile=0.2"}
    assert {c.label for c in plan(loaded, ["spell", "cads"]).cells} == {
        "A radius_quantile=0.1", "A radius_quantile=0.2", "cads",
    }  # fmt: skip


def test_primary_is_a_list_a_flag_or_everything(write: Write) -> None:
    primary = lambda changes: load_suite(write(changes)).primary  # noqa: E731
    assert primary({}) == ("fd.avatars", "vendi.avatars")
    assert primary({"compare_to: iid": "primary: [vendi.avatars]"}) == ("vendi.avatars",)
    assert primary({"fd.avatars,": "{name: fd.avatars, primary: true},"}) == ("fd.avatars",)


def test_a_metric_may_stand_twice_with_different_parameters(write: Write) -> None:
    loaded = load_suite(write({"vendi.avatars]": "vendi.avatars, {name: vendi.avatars, q: 2}]"}))
    assert len({str(m.identify()) for m in loaded.metrics}) == 3
    again = load_suite(write(resolved_yaml(loaded), name="resolved.yaml"))
    assert again.metrics == loaded.metrics
    assert loaded.primary == ("fd.avatars", "vendi.avatars")


def test_adding_a_method_a_metric_or_a_seed_changes_no_other_address(write: Write) -> None:
    before = addresses(load_suite(write()))
    changes = {
        "suite: mine": "suite: other",
        "version: 2": "version: 3",
        "seeds: [0, 1]": "seeds: [4, 1, 0]",
        "  - cads": "  - diverse_diffusion\n  - cads",
        "metrics: [": "metrics: [kd.avatars, ",
    }
    after = addresses(load_suite(write(changes)))
    assert {key: after[key] for key in before} == before


@pytest.mark.parametrize(
    "change",
    [
        {"first: 2": "first: 3"},
        {"images_per_prompt: 4": "images_per_prompt: 2"},
        {"avatars/open": "avatars/occupations"},
        {"model: toy": "model: {name: toy, guidance: 4}"}, {"model: toy": "model: {name: toy, steps: 9}"},
        {"radius_quantile: 0.3": "radius_quantile: 0.4"}, {"compare_to: iid": "split: tune"},
    ],
    ids=str,
)  # fmt: skip
def test_what_changes_a_result_changes_the_address(change: dict[str, str], write: Write) -> None:
    key = ("spell", 0)
    assert addresses(load_suite(write(change)))[key] != addresses(load_suite(write()))[key]


def test_the_shield_is_in_the_address_of_the_method_that_reads_it_only(write: Write) -> None:
    reads = {"radius_quantile: 0.3": "radius_quantile: 0.3, protected: protected"}
    at = lambda n: addresses(  # noqa: E731
        load_suite(write({**reads, "data:": f"data:\n  protected: {{name: avatars/heldout, n: {n}}}"}))
    )
    some, more = at(10), at(11)
    assert some["spell", 0] != more["spell", 0]
    assert some["cads", 0] == more["cads", 0]


RICH = {
    "baselines: [iid]": "baselines: [iid, {name: low_guidance@dave, as: dave}]\ncontrols: [norm_matched_noise]",
    "radius_quantile: 0.3": "as: S, protected: protected, sweep: {radius_quantile: [0.1, 1e-3], among: [group]}",
    "data:": "data:\n  protected: avatars/heldout",
    "vendi.avatars]": "{name: vendi.avatars, q: 2, primary: true}]",
    "version: 2": 'version: 2\ntitle: "yes: #1"\ndescription: |\n  Two lines\n  of text.\n',
}


def test_the_resolved_suite_gives_the_same_cells_metrics_and_comparison(write: Write) -> None:
    loaded = load_suite(write(RICH), ["model.guidance=2.5"])
    again = load_suite(write(resolved_yaml(loaded), name="resolved.yaml"))
    assert addresses(again) == addresses(loaded)
    assert [str(m.identify()) for m in again.metrics] == [str(m.identify()) for m in loaded.metrics]
    assert (again.primary, again.compare_to) == (loaded.primary, loaded.compare_to)
    assert again.suite.title == "yes: #1"
    assert resolved_yaml(again) == resolved_yaml(loaded)


def shuffled(value: Any, draw: Callable[[list[str]], list[str]]) -> Any:
    """The same value with the keys of all mappings but sweeps in another order."""
    if isinstance(value, dict):
        return {k: value[k] if k == "sweep" else shuffled(value[k], draw) for k in draw(list(value))}
    return [shuffled(v, draw) for v in value] if isinstance(value, list) else value


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_order_of_keys_changes_no_address(data: st.DataObject, write: Write) -> None:
    path = write(RICH)
    mixed = shuffled(read_tree(path).plain, lambda keys: data.draw(st.permutations(keys)))
    assert addresses(load_suite(write(dump(mixed), name="mixed.yaml"))) == addresses(load_suite(path))


def test_ten_thousand_cells_are_planned_within_two_seconds(write: Write) -> None:
    sweep = {"radius_quantile: 0.3": f"sweep: {{radius_quantile: {[i / 100 for i in range(98)]}}}"}
    path = write({**sweep, "seeds: [0, 1]": f"seeds: {list(range(100))}"})
    began = time.process_time()
    cells = plan(load_suite(path)).cells
    assert len({c.cell.address for c in cells}) == len(cells) == 10_000
    assert time.process_time() - began < 2.0  # of this process: other work on the machine does not count


def test_a_sweep_without_end_is_refused(write: Write) -> None:
    shares, numbers = str([i / 100 for i in range(30)]), str(list(range(1, 31)))
    sweep = f"{{radius_quantile: {shares}, overcompensation: {numbers}, sigma_min: {numbers}}}"
    with pytest.raises(SuiteError, match="27000 points; a sweep has at most 10000"):
        load_suite(write({"radius_quantile: 0.3": f"sweep: {sweep}"}))


def test_loading_and_checking_shipped_suites_imports_nothing_heavy() -> None:
    code = (
        "import sys; from harness.suite import load_suite, suite_names; load_suite('quickstart');"
        "print([m for m in ('torch', 'diffusers', 'transformers', 'pandas', 'scipy') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


# What only the user has, and how a suite says so.
THEIRS = {
    "cloaking-photos": "no folder of photographs at photos",
    "paper/cloaking-lfw": "no folder of photographs at lfw",
    "paper/unlearn-cifar10-resnet18": "no files of CIFAR10 in cifar10",
    "paper/unlearn-cifar10-resnet18-class": "no files of CIFAR10 in cifar10",
    "paper/retrofit-code": "no problems at problems.jsonl",
    "paper/retrofit-speech": "no folder LibriSpeech/dev-clean",
}


def test_every_shipped_suite_is_valid_or_says_which_file_of_the_user_it_needs() -> None:
    from harness.suite import suite_names

    for name in suite_names():
        if name not in THEIRS:
            load_suite(name)
            continue
        with pytest.raises(SuiteError) as raised:
            load_suite(name)
        (problem,) = raised.value.problems
        assert THEIRS[name] in str(problem)


def test_a_row_is_also_compared_with_the_one_it_names(tmp_path: Path) -> None:
    from harness.suite.controls import controlled

    text = """
suite: pairs
task: {name: image_generation, judge: sharpness, blocks: 2, images_per_block: 2, tune: 2}
model: avatars-gan
baselines: [untouched, {name: afterlearner@random-search, as: random, budget: 2}]
methods: [{name: afterlearner, as: searched, parameterisation: block_gains, sweep: {budget: [2, 3]}, against: random}]
metrics: [quality.sharpness]
"""
    path = tmp_path / "pairs.yaml"
    path.write_text(text)
    made = plan(load_suite(path))
    assert controlled(made.cells, made.loaded.rows) == (
        ("searched budget=2", "random"),
        ("searched budget=3", "random"),
    )
    assert "against: random" in resolved_yaml(made.loaded)
    assert "nevergrad" in made.cells[-1].cell.libraries
    assert "nevergrad" not in made.cells[0].cell.libraries
    path.write_text(text.replace("against: random", "against: randon"))
    with pytest.raises(SuiteError, match="did you mean 'random'"):
        load_suite(path)
