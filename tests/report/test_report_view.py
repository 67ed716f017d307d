"""What the report accepts, refuses and concludes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from harness.report.curves import pareto
from harness.report.entries import Clarity, Delta, Direction, Entry, Tone, entry_of, relative, tone
from harness.report.grids import BUDGET, data_uri, gallery, spread, strip
from harness.report.narration import own_warnings
from harness.report.run_view import COMPARISONS, BadFrame, GridImages, MixedProtocols, differing_fields, id_fields
from harness.report.summary import parent_of, summarise
from harness.report.svg import Axis, axis_over
from harness.report.verdicts import Kind, verdicts


def test_two_metric_ids_in_one_column_are_refused_with_the_fields_that_differ(view):
    scores = view.scores.copy()
    rows = (scores["method"] == "cads") & (scores["metric"] == "recall.avatars") & (scores["seed"] == "all")
    scores.loc[rows, "metric_id"] = scores.loc[rows, "metric_id"].str.replace("k=3", "k=5")
    with pytest.raises(MixedProtocols, match=r"recall\.avatars carries 2 ids.*iid and cads differ in k=3 against k=5"):
        replace(view, scores=scores)


def test_an_id_of_a_row_without_a_value_does_not_matter(view):
    scores = view.scores.copy()
    scores.loc[scores["status"] != "ok", "metric_id"] = "other"
    assert replace(view, scores=scores)


def test_a_missing_column_is_named(view):
    with pytest.raises(BadFrame, match="frame scores lacks the columns p_holm"):
        replace(view, scores=view.scores.drop(columns="p_holm"))


def test_two_rows_for_one_score_are_refused(view):
    with pytest.raises(BadFrame, match="several rows for method 'iid'"):
        replace(view, scores=pd.concat([view.scores, view.scores.iloc[:1]]))


def test_fields_of_an_id_keep_commas_inside_brackets():
    assert id_fields("a.b[n=1/2,sizes=(1,2),v=1]") == {"name": "a.b", "n": "1/2", "sizes": "(1,2)", "v": "1"}
    assert differing_fields("m[k=3]", "m[k=3,v=2]") == "v=– against v=2"


def test_roles_order_the_rows_and_sweeps_form_families(view):
    summary = summarise(view)
    assert [r.label for r in summary.rows][:2] == ["iid", "low_guidance"]
    assert summary.rows[-1].role == "control"
    assert {k: len(v) for k, v in summary.families().items()} == {"spell": 3}
    assert [c.name for c in summary.primary] == ["vendi.avatars", "recall.avatars", "fd.avatars", "attr.adherence"]
    assert summary.columns[1].companions == ("recall.avatars.same",)


@pytest.mark.parametrize(
    ("value", "half", "p", "clarity"),
    [
        (1.0, 0.5, 0.01, Clarity.CLEAR),
        (1.0, 0.5, 0.2, Clarity.HINT),
        (1.0, 1.5, 0.2, Clarity.UNCLEAR),
        (1.0, 0.5, None, Clarity.CLEAR),
        (1.0, 1.5, None, Clarity.UNCLEAR),
        (0.0, 0.0, 0.0, Clarity.UNCLEAR),
    ],
)
def test_clarity_needs_the_corrected_test_and_the_interval_where_there_is_none(value, half, p, clarity):
    assert Delta("b", value, value - half, value + half, p, p).clarity is clarity


def test_tone_follows_the_direction():
    up = Delta("b", 1.0, 0.5, 1.5, 0.001, 0.001)
    assert tone(up, Direction.HIGHER) is Tone.BETTER
    assert tone(up, Direction.LOWER) is Tone.WORSE
    assert tone(up, Direction.NONE) is Tone.CHANGED
    assert tone(up, Direction.TARGET, base=0.0, ideal=2.0) is Tone.BETTER
    assert tone(up, Direction.TARGET, base=0.0, ideal=0.5) is Tone.CHANGED


def test_relative_effects_need_a_base_twice_its_half_width():
    d = Delta("b", 1.0, 0.5, 1.5, None, None)
    base = Entry("b", "m", "m", 4.0, 3.0, 5.0, 10, "t", "ok", "")
    assert relative(d, base) == 0.25
    assert relative(d, replace(base, low=1.0, high=7.0)) is None
    assert relative(d, None) is None


def test_nan_and_missing_values_become_none_and_a_status(view):
    row = dict(view.scores.iloc[0]) | {"value": float("nan"), "n": pd.NA, "ci_low": None}
    entry = entry_of(row)
    assert (entry.value, entry.n, entry.status) == (None, None, "undefined")
    assert entry.reason


def test_sentences_name_gains_with_their_price_and_interval(view):
    found = {v.subject: v for v in verdicts(summarise(view))}
    cads = found["cads"]
    assert cads.kind is Kind.MIXED
    assert cads.sentence.startswith("cads raises vendi.avatars by ")
    assert "at a price: it raises fd.avatars by" in cads.sentence
    assert cads.sentence.count("[") == 4
    assert found["norm_matched_noise"].kind is Kind.UNCLEAR
    assert found["diverse_diffusion"].sentence == (
        "diverse_diffusion has no result: failed (2/3 cells; no average over a gap)."
    )
    assert "clear at 3 of 3" in found["spell"].sentence
    assert "particle_guidance" not in found


def test_many_rows_without_a_clear_change_share_one_sentence(view, monkeypatch):
    summary = summarise(view)
    each = verdicts(summary)
    unclear = [v.subject for v in each if v.kind is Kind.UNCLEAR]
    assert unclear
    monkeypatch.setattr("harness.report.verdicts.NAMED", len(unclear) - 1)
    merged = verdicts(summary)
    assert [v for v in merged if v.kind is not Kind.UNCLEAR] == [v for v in each if v.kind is not Kind.UNCLEAR]
    (last,) = [v for v in merged if v.kind is Kind.UNCLEAR]
    assert last.sentence.startswith("No clear change against iid in any primary metric: ")
    assert all(name in last.sentence for name in unclear)


def test_a_control_that_wins_is_called_what_it_is(view):
    rows = (view.scores["method"] == "norm_matched_noise") & (view.scores["metric"] == "vendi.avatars")
    rows &= view.scores["seed"] == "all"
    scores = view.scores.copy()
    scores.loc[rows, ["delta", "delta_ci_low", "delta_ci_high", "p_holm"]] = [1.0, 0.7, 1.3, 0.001]
    found = {v.subject: v.sentence for v in verdicts(summarise(replace(view, scores=scores)))}
    assert "a gain in vendi.avatars alone is no evidence for a method" in found["norm_matched_noise"]


def test_further_comparisons_appear_with_what_they_are_against(view):
    row = ("cads", "fd.avatars", "norm_matched_noise", 0.5, 0.2, 0.8, 0.001, 0.01)
    more = replace(view, comparisons=pd.DataFrame([row], columns=list(COMPARISONS)))
    from harness.report import render

    assert "against norm_matched_noise" in render(more)


def test_pareto_front_holds_who_no_other_row_beats_on_both(view):
    rows = {r.label: r for r in summarise(view).rows}
    value = lambda v: Entry("m", "x", "x", v, None, None, None, "", "ok", "")  # noqa: E731
    points = [("iid", 1, 1), ("cads", 2, 0.5), ("low_guidance", 0.5, 0.5), ("particle_guidance", 9, 9)]
    pairs = [(rows[m], value(x), value(y)) for m, x, y in points]
    assert pareto(pairs, Direction.HIGHER, Direction.HIGHER) == {"iid", "cads"}  # the inert row does not compete
    assert pareto(pairs, Direction.LOWER, Direction.HIGHER) == {"iid", "low_guidance"}
    assert pareto(pairs, Direction.NONE, Direction.HIGHER) == frozenset()


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-0.0013, 0.0042), (3.9, 4.1), (-250, 12000), (1e-9, 2e-9)])
def test_axis_ticks_are_few_round_and_inside(low, high):
    ticks = Axis(low, high).ticks(4)
    assert 2 <= len(ticks) <= 5
    assert all(low - 1e-12 <= v <= high + 1e-12 for v, _ in ticks)
    assert len({t for _, t in ticks}) == len(ticks)


def test_an_axis_over_equal_values_has_a_width():
    axis = axis_over([2.0, 2.0, None], 0, 100)
    assert axis(2.0) == 50.0


def test_a_page_over_budget_shows_fewer_samples_and_prompts_and_says_so(view):
    rng = np.random.default_rng(0)
    pairs = np.array([(p, s) for p in range(30) for s in range(16)])
    noise = rng.integers(0, 255, (len(pairs), 64, 64, 3), dtype=np.uint8)
    grid = GridImages(noise, pairs[:, 0], pairs[:, 1], tuple(f"prompt {p}" for p in range(30)))
    found = gallery(replace(view, images=lambda _: grid), summarise(view))
    assert found is not None
    assert sum(len(s.uri) for s in found.sprites.values()) < BUDGET * 1.05
    assert "of 16 samples" in found.shown
    assert "of 30 prompts" in found.shown
    assert [g.text for g in found.grids] == [f"prompt {g.prompt}" for g in found.grids]


def test_large_images_become_small_jpegs():
    images = np.zeros((3, 512, 256, 3), dtype=np.uint8)
    picture = strip(images)
    assert picture.size == (3 * 64, 128)
    assert data_uri(picture).startswith("data:image/jpeg;base64,")


def test_chosen_prompts_are_spread_over_all():
    assert spread(range(10), 3) == [0, 4, 9]
    assert spread([1, 2], 5) == [1, 2]


def test_one_metric_with_two_options_gets_two_columns_named_by_what_differs(view):
    scores = view.scores.copy()
    more = scores[scores["metric"].str.startswith("recall.avatars")].copy()
    for frame, k in ((scores, "k=3"), (more, "k=5")):
        same = frame["metric"] == "recall.avatars.same"
        frame.loc[same, "metric_id"] = metric_id_of(frame).replace("k=3", k) + ".same"
        frame["metric_id"] = frame["metric_id"].str.replace("k=3", k)
    both = replace(view, scores=pd.concat([scores, more], ignore_index=True))
    columns = {c.name: c for c in summarise(both).columns}
    assert {"recall.avatars k=3", "recall.avatars k=5"} < set(columns)
    assert "recall.avatars" not in columns
    assert columns["recall.avatars k=5"].companions == ("recall.avatars k=5.same",)
    assert columns["recall.avatars k=5"].primary


def metric_id_of(frame):
    return str(frame[frame["metric"] == "recall.avatars"]["metric_id"].iloc[0])


def test_a_companion_belongs_to_the_nearest_metric_that_the_suite_asks_for():
    names = ["vendi.a", "vendi.a.prompt", "vendi.a.prompt.null", "vendi.a.jack"]
    assert parent_of("vendi.a.prompt.null", names, {"vendi.a", "vendi.a.prompt"}) == "vendi.a.prompt"
    assert parent_of("vendi.a.jack", names, {"vendi.a", "vendi.a.prompt"}) == "vendi.a"
    assert parent_of("vendi.a.prompt.null", names) == "vendi.a"


def test_a_row_that_a_warning_begins_with_is_not_warned_of_again(view):
    told = replace(view, warnings=("particle_guidance changed nothing.",))
    assert [w.split(" ")[0] for w in own_warnings(told, summarise(told))] == ["1"]
