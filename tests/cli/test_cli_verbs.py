"""Verbs that look: validate, plan, list, describe, schema, doctor, zoo. Exit codes, tables and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from harness.cli.cards import PLURALS, lines

Call = Callable[..., Result]


def document(result: Result) -> Any:
    """The one JSON document that stdout must be."""
    return json.loads(result.stdout)


def test_a_valid_suite_is_said_to_be_valid(call: Call) -> None:
    result = call("validate", "small.yaml", "quickstart")
    assert result.exit_code == 0
    assert "✓ small.yaml version 4: 3 rows, 8 cells, 2 metrics" in result.stdout
    assert result.stderr == ""


def test_every_suite_is_checked_although_one_is_wrong(call: Call, folder: Path) -> None:
    (folder / "wrong.yaml").write_text((folder / "small.yaml").read_text().replace("cads", "casd"))
    result = call("validate", "wrong.yaml", "small.yaml")
    assert result.exit_code == 2
    assert "✓ small.yaml" in result.stdout
    assert result.stderr == (
        "wrong.yaml:8:64: unknown method 'casd'; did you mean 'cads'?\n"
        "    methods: [{name: spell, sweep: {radius_quantile: [0.1, 0.3]}}, casd]\n"
        f"    {' ' * 63}^\n"
    )


def test_validation_as_json_gives_places(call: Call) -> None:
    result = call("validate", "small.yaml", "--set", "model.guidanc=1", "--json")
    assert result.exit_code == 2
    (record,) = document(result)
    assert record["valid"] is False
    assert record["problems"] == [
        {
            "source": "--set model.guidanc=1",
            "line": None,
            "column": None,
            "message": "model 'toy': unknown parameter 'guidanc'",
            "suggestions": ["guidance"],
        }
    ]


def test_a_plan_shows_rows_counts_and_the_store(call: Call) -> None:
    result = call("plan", "small.yaml", "--store", "kept")
    assert result.exit_code == 0
    for text in ("A small comparison", "iid ◂ compared with", "spell radius_quantile=0.1", "store kept"):
        assert text in result.stdout
    assert re.search(r"all +8 +0 +8 +64", result.stdout)
    assert not re.search(r" $", result.stdout, re.MULTILINE)


def test_a_plan_as_json(call: Call) -> None:
    result = call("plan", "small.yaml", "--only", "cads", "--set", "seeds=[5]", "--json")
    found = document(result)
    assert (found["cells"], found["to_run"], found["images"], found["seconds"]) == (1, 1, 8, None)
    (row,) = found["rows"]
    assert row == {
        "row": "cads", "role": "method", "method": "cads", "cells": 1, "cached": 0, "to_run": 1, "images": 8,
        "seconds": None,
    }  # fmt: skip


def test_a_plan_names_the_networks_that_its_metrics_lack(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HARNESS_WEIGHTS", "TORCH_HOME", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    arguments = ("plan", "quickstart", "--set", "metrics=[fd.dinov2-vit-s-14, lpips.alex.pairs, color.de2000]")
    arguments += ("--set", "primary=[color.de2000]")
    lacks = document(call(*arguments, "--json"))["missing_weights"]
    assert {name: entry["metrics"] for name, entry in lacks.items()} == {
        "dinov2-vit-s-14": ["fd.dinov2-vit-s-14"],
        "lpips-alex": ["lpips.alex.pairs"],
    }
    assert "facebook/dinov2-small" in lacks["dinov2-vit-s-14"]["fetch"]
    assert "curl" in lacks["lpips-alex"]["fetch"]
    assert "lpips-alex is not here: lpips.alex.pairs will have no value" in call(*arguments).stdout
    assert document(call("plan", "small.yaml", "--json"))["missing_weights"] == {}


def test_planning_says_which_weights_are_missing_and_what_to_do(call: Call) -> None:
    result = call("plan", "small.yaml", "--set", "model.absent=true")
    assert result.exit_code == 2
    assert "missing toy weights; looked in here; fetch it with: harness zoo train toy" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    "kind", ["suites", "tasks", "methods", "baselines", "metrics", "recognisers", "models", "data"]
)
def test_every_kind_is_listed_with_a_line_about_each(kind: str, call: Call) -> None:
    result = call("list", kind, "--json")
    assert result.exit_code == 0
    records = document(result)
    assert records
    assert all(r["summary"] and not r["broken"] for r in records)
    assert result.exit_code == call("list", kind).exit_code == 0


def test_the_whole_list_has_every_kind(call: Call) -> None:
    result = call("list")
    for heading in ("suites", "tasks", "methods", "baselines", "metrics", "models", "image sets (data)"):
        assert f"{heading}\n" in result.stdout
    assert "{extractor}: avatars" in result.stdout


def test_every_name_of_the_list_is_described(call: Call) -> None:
    for kind in PLURALS:
        for line in lines(kind):
            name = line.names[0] if line.names else line.name
            result = call("describe", name, "--json")
            assert result.exit_code == 0, f"{kind} {name}: {result.stderr}"
            card = next(c for c in document(result) if c["kind"] == kind)
            assert card["name"] == name
            if kind in ("method", "metric", "task", "model"):
                assert card["text"], f"{kind} {name} has no documentation"
                assert "version" in card["facts"]


@pytest.mark.parametrize("name", ["spell", "vendi.avatars", "low_guidance@dave", "quickstart", "toy", "avatars/open"])
def test_a_page_is_readable_text(name: str, call: Call) -> None:
    result = call("describe", name)
    assert result.exit_code == 0
    assert result.stdout.startswith(name)
    assert "\x1b" not in result.stdout


def test_a_parameter_shows_default_type_unit_bounds_and_source(call: Call) -> None:
    page = call("describe", "toy").stdout
    assert re.search(r"guidance +3\.0 +guidance weight\n +number · w · at least 0 · source: ours", page)
    card = document(call("describe", "toy", "--json"))[0]
    assert card["parameters"][0] == {
        "name": "guidance", "type": "number", "required": False, "default": 3.0, "unit": "w", "bounds": "at least 0",
        "help": "guidance weight", "source": "ours", "in_id": True,
    }  # fmt: skip
    assert card["facts"]["weights"] == "present"


def test_a_preset_shows_what_it_sets_and_what_is_published(call: Call) -> None:
    page = call("describe", "low_guidance@dave").stdout
    assert "set by this baseline" in page
    assert "method" in page


def test_an_unknown_name_gets_near_ones(call: Call) -> None:
    result = call("describe", "spel")
    assert result.exit_code == 2
    assert "unknown name 'spel'; did you mean 'spell'" in result.stderr


def test_the_schema_is_one_document(call: Call) -> None:
    assert document(call("schema"))["title"] == "posthoc-harness suite"


def test_the_doctor_lists_every_network_of_the_metrics_and_finds_a_wrong_file(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.metrics.embeddings import PUBLISHED

    monkeypatch.setenv("HARNESS_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    before = {f["what"]: f for f in document(call("doctor", "--json"))}
    assert set(PUBLISHED) <= set(before)
    assert before["inception-clean"]["state"] == "missing"
    assert "curl" in before["inception-clean"]["remedy"]
    (tmp_path / "inception-2015-12-05.pt").write_bytes(b"another network")
    (tmp_path / "sscd_disc_mixup.torchscript.pt").write_bytes(b"no hash is published")
    result = call("doctor", "--json")
    assert result.exit_code == 1
    after = {f["what"]: f for f in document(result)}
    assert after["inception-clean"]["state"] == "broken"
    assert "f58cb9b6ec32" in after["inception-clean"]["detail"]
    assert after["sscd-disc-mixup"]["state"] == "ok"
    assert "CC BY-NC" in after["sscd-disc-mixup"]["detail"]


def test_the_doctor_names_devices_packages_weights_and_store(call: Call) -> None:
    findings = document(call("doctor", "--json"))
    topics = {f["topic"] for f in findings}
    assert topics == {"machine", "devices", "packages", "shipped weights", "optional weights", "store"}
    assert all(f["remedy"] for f in findings if f["state"] == "broken")
    result = call("doctor")
    assert ("not working" in result.stderr) == (result.exit_code == 1)
    for line in ("torch", "cpu", "writable"):
        assert line in result.stdout


def test_shipped_models_are_listed_and_checked(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    records = document(call("zoo", "list", "--json"))
    assert {"avatars-sd", "avatars-features"} <= {r["name"] for r in records}
    monkeypatch.setattr("harness.models.zoo.verify", lambda name: {"a": "b"})
    assert call("zoo", "verify").exit_code == 0

    def changed(name: str) -> dict[str, str]:
        raise ValueError("model.safetensors has another sha256")

    monkeypatch.setattr("harness.models.zoo.verify", changed)
    result = call("zoo", "verify", "avatars-sd", "--json")
    assert result.exit_code == 1
    assert document(result) == [{"name": "avatars-sd", "ok": False, "detail": "model.safetensors has another sha256"}]


def test_an_unknown_shipped_model_gets_near_ones(call: Call) -> None:
    result = call("zoo", "train", "avatar-sd")
    assert result.exit_code == 2
    assert "unknown shipped model 'avatar-sd'; did you mean 'avatars-sd'?" in result.stderr


def test_training_runs_the_recipe(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    seen: list[list[str]] = []

    def run(command: list[str], check: bool) -> subprocess.CompletedProcess[str]:
        seen.append(command)
        return subprocess.CompletedProcess(command, len(seen) - 1)

    monkeypatch.setattr(subprocess, "run", run)
    assert call("zoo", "train", "avatars-sd", "--out", "here", "--steps", "3").exit_code == 0
    assert seen[0][1:] == ["-m", "harness.worlds.recipes.avatars_sd", "--out", "here", "--steps", "3"]
    result = call("zoo", "train", "avatars-sd")
    assert result.exit_code == 2
    assert "ended with exit code 1" in result.stderr
