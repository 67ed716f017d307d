"""Every baseline file fits its method; what is wrong with a file is said with its field."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.methods import METHODS
from harness.methods.baseline import BadBaseline, baseline_names, load_baseline, read_baseline
from harness.options import build
from harness.registry import UnknownName
from harness.shipped import shipped

GOOD = "name: x@y\nmethod: iid\ntitle: A title\n"


@pytest.mark.parametrize("name", baseline_names())
def test_a_shipped_baseline_builds_its_method(name: str) -> None:
    baseline = load_baseline(name)
    assert build(METHODS.get(baseline.method), baseline.params)
    assert name.split("@")[0] == baseline.method
    assert baseline.title
    assert baseline.source.licence


def test_every_method_has_a_baseline_file() -> None:
    assert {load_baseline(n).method for n in baseline_names()} == set(METHODS.entries)


def test_published_numbers_keep_their_marks() -> None:
    marks = {n: {p.mark for p in load_baseline(n).published} for n in baseline_names()}
    assert marks["low_guidance@dave"] == {"paper"}
    assert marks["spell@ours-static"] == {"secondary"}
    sd3 = {
        p.metric: (p.before, p.value) for p in load_baseline("low_guidance@dave").published if "SD3.5, I" in p.setting
    }
    assert sd3["fid"] == (22.23, 17.13)
    assert sd3["recall"] == (0.2589, 0.5106)


def test_the_gate_of_the_third_party_preset_is_its_timestep_on_that_schedule() -> None:
    """Active for t ≥ 780 of SD 1.4's scaled-linear schedule, so σ(779) < bound < σ(780)."""
    import torch

    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    signal = torch.cumprod(1 - betas, 0)
    sigma = ((1 - signal) / signal) ** 0.5
    assert sigma[779] < load_baseline("spell@safe-denoiser").params["sigma_min"] < sigma[780]


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'cads@paper'"):
        load_baseline("cads@papr")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "extra: 1\n", "extra: Extra inputs are not permitted"),
        ("name: x@y\nmethod: iid\n", "title: Field required"),
        (GOOD.replace("x@y", "z"), "name 'z' is not the file's name 'x@y'"),
        (GOOD + "published:\n  - {metric: fid, setting: s, value: 1, mark: guess, source: s}\n", "published.0.mark"),
        (GOOD + "params: [\n", "not YAML"),
    ],
)
def test_a_bad_file_names_file_and_field(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x@y.yaml"
    path.write_text(text)
    with pytest.raises(BadBaseline, match=r"x@y\.yaml: ") as caught:
        read_baseline(path)
    assert message in str(caught.value)


def test_shipped_folders_are_found_in_a_checkout() -> None:
    assert (shipped("baselines") / "iid.yaml").is_file()
    with pytest.raises(FileNotFoundError, match="looked in"):
        shipped("nothing")  # type: ignore[arg-type]
