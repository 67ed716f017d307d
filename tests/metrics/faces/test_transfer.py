from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from toy_faces import a_cast, a_view, evidence_of, photos_of, random_rows, unit

from harness.metrics.faces.retention import Retention
from harness.metrics.faces.transfer import (
    asymmetry,
    at_distortion,
    excess,
    leave_one_out,
    newest,
    ratio_replicates,
    relation,
    shared,
    spearman,
    transfer_ratio,
)
from harness.metrics.faces.transfer_scores import Black, Newest, Ratio, White, WorstBlack
from harness.metrics.faces.verification import Dodging
from harness.metrics.metric import CannotMeasure, Evidence, ScoreStatus

FAMILIES = {
    "own": ("w1", "data1", "resnet"),
    "tuned": ("w1", "data9", "other"),
    "same data": ("w2", "data1", "vit"),
    "same shape": ("w3", "data2", "resnet"),
    "far": ("w4", "data3", "mobilenet"),
}


def test_t15_excess_and_ratio_of_the_example() -> None:
    white, black = excess(0.95, 0.05), excess(0.50, 0.05)
    assert white == pytest.approx(0.90)
    assert black == pytest.approx(0.45)
    assert transfer_ratio(black, white, 500) == pytest.approx(0.50)
    assert transfer_ratio(1.2, 0.4, 500) == pytest.approx(3.0)  # never clipped
    assert transfer_ratio(-0.1, 0.4, 500) == pytest.approx(-0.25)


def test_t16_a_cloak_that_fails_at_home_transfers_nothing() -> None:
    with pytest.raises(CannotMeasure, match="whitebox_failed") as caught:
        transfer_ratio(0.05, excess(0.15, 0.05), 500)
    assert caught.value.status is ScoreStatus.UNDEFINED
    with pytest.raises(CannotMeasure, match="whitebox_failed"):
        transfer_ratio(0.05, float("nan"), 500)
    with pytest.raises(CannotMeasure, match="few_identities") as caught:
        transfer_ratio(0.4, 0.8, 49)
    assert caught.value.status is ScoreStatus.INSUFFICIENT_N


def test_the_ratio_has_no_interval_where_the_white_excess_touches_half_its_least() -> None:
    assert ratio_replicates(np.array([0.2, 0.3]), np.array([0.11, 0.5])) is not None
    assert ratio_replicates(np.array([0.2, 0.3]), np.array([0.10, 0.5])) is None


@pytest.mark.parametrize(
    ("target", "wanted"),
    [("own", "white"), ("tuned", "grey"), ("same data", "grey"), ("same shape", "grey"), ("far", "black")],
)
def test_t17_relatives_of_a_surrogate_are_grey(target: str, wanted: str) -> None:
    assert relation(target, FAMILIES[target], ["own"], FAMILIES) == wanted
    assert relation(target, FAMILIES[target], [], FAMILIES) == "black"


def test_what_is_shared_is_named_and_the_unknown_is_shared_with_nobody() -> None:
    assert shared(FAMILIES["tuned"], [FAMILIES["own"]]) == ("weights",)
    assert shared(("w9", "data1", "resnet"), [FAMILIES["own"]]) == ("training", "architecture")
    assert shared(("", "", ""), [("", "", "")]) == ()


def a_case(strength: dict[str, float], surrogates: tuple[str, ...] = ("own",), people: int = 60) -> Evidence:
    """Each recogniser sees each photo moved so far against itself; strength 1 turns it round."""
    cast = a_cast(people, surrogates=surrogates, lineages=FAMILIES)
    views = []
    for number, (name, push) in enumerate(strength.items()):
        clean = photos_of(cast, 0.5, 64, name)
        turned = generator_share(len(cast), push)[:, None]
        views.append(
            a_view(
                cast,
                np.where(turned, -clean, clean),
                clean,
                name=name,
                lineage=FAMILIES[name],
                released=f"20{10 + number}-06-01",
            )
        )
    return evidence_of(cast, *views)


def generator_share(n: int, share: float) -> np.ndarray:
    return (np.arange(n) * 7919 % 1000) / 1000 < share


ALL = dict(zip(FAMILIES, (0.9, 0.8, 0.7, 0.6, 0.45), strict=True))
NAMES = "+".join(FAMILIES)


def test_means_are_over_the_cells_of_a_class_and_grey_stays_apart() -> None:
    evidence = a_case(ALL)
    own = {name: Dodging(name).measure(evidence).value for name in FAMILIES}
    white, black = White(recognisers=NAMES).measure(evidence), Black(recognisers=NAMES).measure(evidence)
    assert white.value == own["own"]
    assert black.value == own["far"]
    assert black.companions["grey"].value == pytest.approx(
        np.mean([own[n] for n in ("tuned", "same data", "same shape")])
    )
    ratio = Ratio(recognisers=NAMES).measure(evidence)
    assert ratio.value == pytest.approx(own["far"] / own["own"])
    assert ratio.companions["tuned"].value == pytest.approx(own["tuned"] / own["own"])
    assert set(ratio.companions) >= {"white", "black", "similarity.far"}
    assert ratio.units is not None
    assert ratio.units.value.mean() == pytest.approx(ratio.value, abs=0.02)


def test_cells_are_resampled_jointly() -> None:
    evidence = a_case({"own": 0.6, "far": 0.5})
    found = Black(recognisers="own+far").measure(evidence)
    units = Dodging("far").measure(evidence).units
    assert found.units is not None
    assert units is not None
    assert found.units.value.tolist() == units.value.tolist()


def test_worst_and_newest_look_at_unrelated_targets_only() -> None:
    free = {**FAMILIES, "tuned": ("w5", "data5", "vit")}
    evidence = a_case({"own": 0.9, "tuned": 0.5, "far": 0.3, "same data": 0.1})
    cast = evidence.cast
    assert cast is not None
    views = {k: dataclasses.replace(v, lineage=free[k[0]]) for k, v in evidence.faces.items()}
    evidence = dataclasses.replace(evidence, faces=views)
    own = {name: Dodging(name).measure(evidence).value for name in ("tuned", "far")}
    names = "own+tuned+far+same data"
    worst, latest = WorstBlack(recognisers=names).measure(evidence), Newest(recognisers=names).measure(evidence)
    assert worst.value == min(own.values()) == own["far"]  # the grey one is worse and does not count
    assert latest.value == own["far"]  # 2012, the grey one of 2013 does not count
    assert worst.units is not None
    assert worst.units.value.mean() == pytest.approx(worst.value)


def test_t05_the_identity_has_no_excess_and_no_ratio() -> None:
    evidence = a_case(dict.fromkeys(FAMILIES, 0.0))
    assert Black(recognisers=NAMES).measure(evidence).value == 0.0
    assert White(recognisers=NAMES).measure(evidence).value == 0.0
    with pytest.raises(CannotMeasure, match="whitebox_failed"):
        Ratio(recognisers=NAMES).measure(evidence)


def test_a_control_without_surrogates_has_black_targets_only() -> None:
    evidence = a_case(ALL, surrogates=())
    assert len(Black(recognisers=NAMES).measure(evidence).companions) == 5
    with pytest.raises(CannotMeasure, match="no_white"):
        White(recognisers=NAMES).measure(evidence)


def test_fifty_people_are_needed_for_a_ratio_and_a_missing_value_is_named() -> None:
    with pytest.raises(CannotMeasure, match="few_identities"):
        Ratio(recognisers=NAMES).measure(a_case(ALL, people=49))
    evidence = a_case(ALL)
    far = evidence.faces["far", ""]
    apart = np.where(evidence.cast.role == "probe", -1, 1)[:, None].astype(np.float32)  # type: ignore[union-attr]
    dead = {("far", ""): dataclasses.replace(far, clean=far.clean * apart)}
    with pytest.raises(CannotMeasure, match="far: no_clean_match"):
        Black(recognisers=NAMES).measure(dataclasses.replace(evidence, faces={**evidence.faces, **dead}))


@pytest.mark.parametrize("success", ["ver.dodge_raw", "id.untargeted", "id.untargeted_cond"])
def test_other_successes_subtract_what_clean_photos_do(success: str) -> None:
    evidence = a_case(ALL)
    found = White(recognisers=NAMES, success=success).measure(evidence)  # type: ignore[arg-type]
    assert found.value == pytest.approx(0.9, abs=0.05)
    still = {k: dataclasses.replace(v, protected=v.clean) for k, v in evidence.faces.items()}
    nothing = dataclasses.replace(evidence, faces=still)
    assert White(recognisers=NAMES, success=success).measure(nothing).value == 0.0  # type: ignore[arg-type]


def test_asymmetry_changes_sign_when_turned() -> None:
    ratios = np.array([[1.0, 0.8], [0.3, 1.0]])
    assert asymmetry(ratios).tolist() == [[0.0, 0.5], [-0.5, 0.0]]


def test_leave_one_out_is_the_mean_over_targets_that_were_left_out() -> None:
    found = {
        (frozenset({"b", "c"}), "a"): 0.1,
        (frozenset({"a", "c"}), "b"): 0.2,
        (frozenset({"a", "b"}), "c"): 0.6,
        (frozenset({"a", "b"}), "a"): 9.0,
    }
    assert leave_one_out(found, ["a", "b", "c"]) == pytest.approx(0.3)
    del found[frozenset({"a", "c"}), "b"]
    with pytest.raises(CannotMeasure, match="1 of 3 cells are missing: 'b'"):
        leave_one_out(found, ["a", "b", "c"])


def test_matched_distortion_interpolates_and_never_extrapolates() -> None:
    lpips, found = [0.08, 0.01, 0.04], [0.9, 0.1, 0.5]
    assert at_distortion(lpips, found, 0.02) == pytest.approx(0.1 + 0.4 / 3)
    assert at_distortion(lpips, found, 0.08) == 0.9
    for wanted in (0.009, 0.10):
        with pytest.raises(CannotMeasure, match="no_extrapolation"):
            at_distortion(lpips, found, wanted)
    with pytest.raises(CannotMeasure, match="same distortion"):
        at_distortion([0.1, 0.1, 0.2], [0.1, 0.2, 0.3], 0.15)


def test_rank_correlation_sees_order_and_nothing_else() -> None:
    random = np.random.Generator(np.random.Philox(0)).normal(size=500)
    assert spearman(random, np.exp(random)) == pytest.approx(1.0)
    assert spearman(random, -(random**3)) == pytest.approx(-1.0)
    assert abs(spearman(random, np.random.Generator(np.random.Philox(1)).normal(size=500))) < 0.15
    with pytest.raises(CannotMeasure):
        spearman(random, np.ones(500))


def test_a_near_copy_of_a_surrogate_is_told_by_its_scores() -> None:
    evidence = a_case(ALL)
    own = evidence.faces["own", ""]
    near = unit(own.calibration + 0.1 * random_rows(300, 64, "copy"))
    copied = {**evidence.faces, ("far", ""): dataclasses.replace(evidence.faces["far", ""], calibration=near)}
    beside = Ratio(recognisers=NAMES).measure(dataclasses.replace(evidence, faces=copied)).companions
    assert beside["similarity.far"].value > 0.95
    assert abs(beside["similarity.tuned"].value) < 0.1


def test_newest_is_the_latest_known_date() -> None:
    assert newest({"a": "2019-05-01", "b": "2023-01-02", "c": ""}) == "b"
    with pytest.raises(CannotMeasure):
        newest({"a": ""})


def test_retention_compares_with_clean_photos_after_the_same_transform() -> None:
    cast = a_cast(60)
    clean = photos_of(cast, 0.5)
    strong, weak = generator_share(240, 0.8)[:, None], generator_share(240, 0.4)[:, None]
    before = a_view(cast, np.where(strong, -clean, clean), clean)
    after = dataclasses.replace(before, protected=np.where(weak, -clean, clean))
    evidence = dataclasses.replace(evidence_of(cast, before), faces={("toy", ""): before, ("toy", "jpeg75"): after})
    found = Retention("toy").measure(evidence)
    parts = {k: found.companions[k].value for k in ("before", "after")}
    assert found.value == pytest.approx(parts["after"] / parts["before"])
    assert found.value == pytest.approx(0.5, abs=0.05)
    blind = dataclasses.replace(
        after, clean=-after.clean * np.where(cast.role == "probe", -1, 1)[:, None].astype(np.float32)
    )
    lost = dataclasses.replace(evidence, faces={("toy", ""): before, ("toy", "jpeg75"): blind})
    assert Retention("toy").measure(lost).value <= 0.0  # the transform blinds the recogniser: no merit of the cloak
