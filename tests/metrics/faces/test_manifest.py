from __future__ import annotations

import pytest

from harness.metrics.faces.manifest import (
    BrokenSplit,
    Row,
    check,
    check_pools,
    overlaps,
    violations,
)


def a_row(name: str, identity: str, role: str, **more: str) -> Row:
    return Row(name, more.pop("sha256", f"sha-{name}"), identity, role, **more)  # type: ignore[arg-type]


GOOD = (
    a_row("c1", "stranger", "calib"),
    a_row("g1", "anna", "gallery"),
    a_row("p1", "anna", "probe"),
    a_row("d1", "passer-by", "distractor"),
    a_row("o1", "tom", "target_opt"),
    a_row("e1", "tom", "target_eval"),
    a_row("f1", "anna", "fit"),
)


def rules(*rows: Row) -> list[str]:
    return [v.rule for v in violations((*GOOD, *rows))]


def test_a_good_manifest_passes() -> None:
    check(GOOD)


def test_t18_each_rule_is_broken_alone_and_named() -> None:
    assert rules(a_row("c2", "anna", "calib")) == ["R1"]
    assert rules(a_row("c2", "tom", "calib")) == ["R1"]
    assert rules(a_row("g2", "anna", "gallery", sha256="sha-p1")) == ["R2"]
    assert rules(a_row("e2", "tom", "target_eval", sha256="sha-o1")) == ["R3"]
    assert rules(a_row("p2", "anna", "probe", sha256="sha-f1")) == ["R4"]
    assert rules(a_row("p2", "berta", "probe")) == ["R5"]
    assert rules(a_row("p1", "anna", "gallery", sha256="other")) == ["form"]
    assert rules(a_row("x", "anna", "judge")) == ["form"]


def test_t18_duplicates_are_found_by_group_and_by_perceptual_hash() -> None:
    one = a_row("g2", "anna", "gallery", dup_group="7", hash="00000000000000ff")
    assert rules(one, a_row("p2", "anna", "probe", dup_group="7")) == ["R2"]
    assert rules(one, a_row("p2", "anna", "probe", hash="00000000000000f0")) == ["R2"]
    assert rules(one, a_row("p2", "anna", "probe", hash="00000000000000e0")) == []  # five bits
    assert rules(one, a_row("g3", "anna", "gallery", hash="00000000000000ff")) == []  # one role


def test_an_error_says_which_photos_and_what_to_do_and_tells_all_at_once() -> None:
    with pytest.raises(BrokenSplit) as caught:
        check((*GOOD, a_row("c2", "anna", "calib"), a_row("p2", "berta", "probe")))
    text = str(caught.value)
    assert [v.rule for v in caught.value.violations] == ["R1", "R5"]
    assert (
        "R1: calibration people are scored or targets too (anna); take them out of one of the two (4 photos: g1" in text
    )
    assert "R5: probes without a gallery photo of the same person; add one or drop the probes (1 photos: p2)" in text


def test_overlap_with_training_data_is_told_and_the_unknown_is_flagged() -> None:
    rows = (a_row("p", "anna", "probe", source="LFW"),)
    told = overlaps(rows, {"a": "lfw", "b": "ms1m", "c": ""})
    assert told == {"a": "overlap", "b": "declared", "c": "unknown"}


def test_pools_of_recognisers_may_not_meet() -> None:
    pools = {
        "surrogates": {"a": ("h1", "w1")},
        "dev_targets": {"b": ("h2", "w2")},
        "heldout_targets": {"c": ("h3", "w3"), "d": ("h4", "")},
    }
    check_pools(pools)
    pools["heldout_targets"]["tuned"] = ("h9", "w1")
    with pytest.raises(BrokenSplit, match="surrogates and heldout_targets share lineage of weights"):
        check_pools(pools)
