"""The page says what the frames say: numbers, bold, gaps, escaping, and nothing from the network."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from harness.report import RunView, render
from harness.report.rounding import MINUS, digits
from harness.report.summary import summarise

VOID = {"meta", "br", "input", "img", "link", "wbr", "line", "circle", "hr"}


class Page(HTMLParser):
    """Cells of the summary tables by (method, metric), all tags with attributes, and the page's text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.cells, self.words = [], {}, []
        self.costs = defaultdict(list)
        self.row, self.cell, self.stack, self.in_summary, self.bounds = None, None, [], False, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append((tag, found))
        classes = (found.get("class") or "").split()
        if tag not in VOID:
            self.stack.append((tag, classes))
        if tag == "table":
            self.in_summary = "summary" in classes
        if self.in_summary and tag == "tr":
            self.row = found.get("data-row")
        if self.in_summary and tag == "td":
            self.cell = {"classes": classes, "text": "", "v": [], "ci": [], "d": [], "c": []}
            if "data-metric" in found:
                self.cells[self.row, found["data-metric"]] = self.cell
            else:
                self.costs[self.row].append(self.cell)
        if self.cell is not None and tag == "data":
            inside = [c for _, cs in self.stack for c in cs]
            kind = next(k for k in ("d", "c", "ci", "v") if k in inside)
            self.cell[kind].append([float(found["value"]), ""])
            self.bounds = self.cell[kind][-1]

    def handle_endtag(self, tag):
        if tag == "td":
            self.cell = None
        if tag == "data":
            self.bounds = None
        if tag == "table":
            self.in_summary = False
        if tag not in VOID:
            self.stack.pop()

    def handle_data(self, data):
        if not self.stack or self.stack[-1][0] not in ("style", "script"):
            self.words.append(data)
        if self.cell is not None:
            self.cell["text"] += data
        if self.bounds is not None:
            self.bounds[1] += data


@pytest.fixture(scope="module")
def text(view):
    return render(view)


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def aggregates(view):
    rows = view.scores[view.scores["seed"] == "all"]
    return rows[~rows["metric"].str.endswith((".same", ".jack"))]


def test_every_number_of_the_table_is_the_frames_number(view, page):
    rows = aggregates(view)
    assert set(page.cells) == set(zip(rows["method"], rows["metric"], strict=True))
    for row in rows[rows["status"] == "ok"].itertuples():
        cell = page.cells[row.method, row.metric]
        d = digits(row.value, row.ci_low, row.ci_high)
        assert cell["v"] == [[row.value, d.text(row.value)]]
        assert cell["ci"] == [[row.ci_low, d.text(row.ci_low)], [row.ci_high, d.text(row.ci_high)]]
        if pd.notna(row.delta):
            e = digits(row.delta, row.delta_ci_low, row.delta_ci_high)
            assert [v for v, _ in cell["d"]] == [row.delta, row.delta_ci_low, row.delta_ci_high]
            assert cell["d"][0][1] == e.text(row.delta, signed=True)
        else:
            assert not cell["d"]


def test_companions_stand_beside_their_parent_and_have_no_column(view, page):
    same = view.scores[(view.scores["metric"] == "recall.avatars.same") & (view.scores["seed"] == "all")]
    for row in same[same["status"] == "ok"].itertuples():
        assert page.cells[row.method, "recall.avatars"]["c"][0][0] == row.value
    assert not any(metric.endswith(".same") for _, metric in page.cells)


def test_a_companion_that_is_one_number_everywhere_is_said_once_in_the_heading(view):
    scores = view.scores.copy()
    same = scores["metric"] == "recall.avatars.same"
    scores.loc[same & (scores["status"] == "ok"), ["value", "ci_low", "ci_high"]] = 0.5
    page = render(replace(view, scores=scores), "html")
    assert page.count('<span class="unit shared">same 0.5') == 1
    assert not re.search(r"<div class=\"c\"><span>same</span>", page)
    # one row with another number, and each row says its own again
    at = scores.index[same & (scores["seed"] == "all") & (scores["status"] == "ok")][0]
    scores.loc[at, "value"] = 0.4
    page = render(replace(view, scores=scores), "html")
    assert 'class="unit shared"' not in page
    assert re.search(r"<div class=\"c\"><span>same</span>", page)


def test_bold_is_exactly_what_the_intervals_allow(view, page):
    summary = summarise(view)
    bold = {key for key, cell in page.cells.items() if "best" in cell["classes"]}
    assert bold == {(m, c.name) for c in summary.columns for m in summary.bold[c.name]}
    assert ("spell radius_quantile=0.5", "vendi.avatars") in bold
    assert ("cads", "vendi.avatars") not in bold
    assert not any(metric == "color.dominance" for _, metric in bold)
    assert not any(method == "particle_guidance" for method, _ in bold)


def test_without_intervals_nothing_is_bold(view):
    bare = view.scores.assign(**dict.fromkeys(["ci_low", "ci_high", "delta_ci_low", "delta_ci_high"], np.nan))
    found = Page(render(replace(view, scores=bare.assign(p_holm=np.nan, p_value=np.nan))))
    assert not any("best" in cell["classes"] for cell in found.cells.values())
    assert "no interval" in found.cells["iid", "vendi.avatars"]["text"]


def test_a_missing_value_shows_status_and_reason_and_never_a_number(view, page):
    for (method, _), cell in page.cells.items():
        if method == "diverse_diffusion":
            assert "failed" in cell["text"]
            assert "2/3 cells; no average over a gap" in cell["text"]
            assert not cell["v"]
        assert cell["text"].strip()
        assert "nan" not in cell["text"].lower()


def test_a_method_without_any_row_in_the_frame_says_why(view):
    kept = view.scores[~((view.scores["method"] == "diverse_diffusion") & (view.scores["seed"] == "all"))]
    cell = Page(render(replace(view, scores=kept))).cells["diverse_diffusion", "fd.avatars"]
    assert "oom" in cell["text"]
    assert "out of memory at micro-batch 1" in cell["text"]


def test_a_value_under_a_status_other_than_ok_is_not_shown(view):
    scores = view.scores.copy()
    scores.loc[(scores["method"] == "cads") & (scores["metric"] == "fd.avatars"), ["status", "reason"]] = (
        "insufficient-n", "n below 10·k",
    )  # fmt: skip
    cell = Page(render(replace(view, scores=scores))).cells["cads", "fd.avatars"]
    assert not cell["v"]
    assert "insufficient-n" in cell["text"]


def test_inert_rows_and_missing_cells_are_named_on_top(text):
    lede = text.split("<main>")[0]
    assert "particle_guidance is inert" in lede
    assert "1 of 27 cells has no result: diverse_diffusion (oom)" in lede


def test_costs_are_columns(page):
    assert [c["v"][0][0] for c in page.costs["iid"]] == pytest.approx([4.1 / 48, 40.0, 852.0])
    assert "×1.5" in page.costs["diverse_diffusion"][1]["text"]


def test_the_page_needs_no_network(text, page):
    assert "http" not in re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    assert not re.search(r"@import|url\((?!\"data:)", text)
    assert not any(tag in ("link", "img", "iframe", "object") or "src" in attrs for tag, attrs in page.tags)
    policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
    assert policy.startswith("default-src 'none'")


def test_hostile_prompts_names_and_reasons_stay_text(hostile_view):
    text = render(hostile_view)
    page = Page(text)
    assert [t for t, _ in page.tags].count("script") == 1
    assert [t for t, _ in page.tags].count("style") == 2  # the sheet and that of noscript
    assert not any(t in ("img", "i", "u") for t, _ in page.tags)
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    words = "".join(page.words)
    for shown in (
        "<script>alert('m')</script>",
        'x" onload="evil()',
        "onerror=alert(1)",
        "{{ 7 * 7 }}",
        "<b>bold</b> warning",
    ):
        assert shown in words
    assert ("<script>alert('m')</script>", "vendi.avatars") in page.cells


def sprites(text):
    found = {}
    for name, count, data in re.findall(
        r'\.(sp\d+)\{--n:(\d+);background-image:url\("data:image/png;base64,([^"]+)"\)\}', text
    ):
        found[name] = (int(count), np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")))
    return found


def test_every_tile_shows_the_stored_pixels_of_its_method_prompt_and_noise(view, text):
    found = sprites(text)
    panels = re.findall(r'<figure class="grid-panel".*?</figure>', text, re.S)
    assert len(panels) == 6
    for prompt, panel in enumerate(panels):
        for method, row in re.findall(r'<tr class="\w+" data-row="([^"]+)">(.*?)</tr>', panel, re.S):
            stored = view.images(f"{method}/0")
            tiles = re.findall(r'class="t (sp\d+)" style="--i:(\d+)" data-column="(\d+)"', row)
            assert [int(column) for _, _, column in tiles] == list(range(8))
            for name, position, column in tiles:
                _, sheet = found[name]
                shown = sheet[:, int(position) * 64 : (int(position) + 1) * 64]
                index = np.flatnonzero((stored.prompt == prompt) & (stored.sample == int(column)))[0]
                assert np.array_equal(shown, stored.images[index])


def test_pairs_are_sorted_by_difference_and_show_the_frames_values(view, text):
    items = view.items[view.items["seed"] == "0"].set_index(["method", "item"])["value"]
    panel = next(p for p in re.findall(r'<div class="pair-panel".*?</div>', text, re.S) if 'data-method="cads"' in p)
    up, down = panel.split("Lowered most")
    for part, sign in ((up, -1), (down, 1)):
        values = [
            tuple(map(float, m))
            for m in re.findall(r'<data value="([^"]+)">[^<]*</data> → <data value="([^"]+)"', part)
        ]
        differences = [sign * (b - a) for a, b in values]
        assert differences == sorted(differences)
    assert min(b - a for a, b in values) == (items["cads"] - items["iid"]).min()


def test_forest_plots_and_sweep_curves_are_there_for_each_metric(text):
    assert text.count('<figure class="forest">') == 7
    assert text.count('<figure class="curve">') == 7
    assert text.count('<figure class="tradeoff"') == 30


def test_full_metric_ids_intervals_and_family_size_are_printed(view, page):
    words = "".join(page.words)
    for metric_id in view.scores["metric_id"].unique():
        assert metric_id in words
    assert "jackknife t(9)" in words
    assert "24 comparisons on primary metrics, 18 on secondary ones" in words


def test_published_numbers_stand_apart_with_their_mark(text):
    before, claimed = text.split("What papers claim")
    assert "secondary</td>" in claimed
    assert "0.31" not in [m.strip() for m in re.findall(r'<data value="[^"]*">([^<]*)</data>', before)]


def test_the_page_of_thirty_cells_is_small_and_quick(view):
    images = {c: view.images(c) for c in view.cells[view.cells["status"] == "ok"]["cell"]}
    cached = replace(view, images=lambda address: images[address])
    start = time.process_time()
    text = render(cached)
    assert time.process_time() - start < 4.5  # measured .8 s; a loaded CI core is up to five times slower
    assert len(text) < 6_000_000


def test_a_run_without_images_items_or_baseline_still_renders(view):
    def none(address: str):
        raise KeyError(address)

    scores = view.scores.assign(baseline="", delta=np.nan, p_holm=np.nan)
    suite = {"suite": "bare"}
    bare = RunView(suite, {}, (), scores, view.items.iloc[:0], view.cells.assign(activity="", point=""), none)
    text = render(bare)
    assert 'id="images"' not in text
    assert 'id="differences"' not in text
    assert Page(text).cells["iid", "vendi.avatars"]["v"]


def test_activity_is_the_mean_over_cells(view, text):
    steps = json.loads(view.cells[view.cells["method"] == "cads"]["activity"].iloc[0])["share changed"]
    assert f"mean {digits(round(float(np.mean(steps)), 4)).text(float(np.mean(steps)))}" in text


def test_minus_signs_are_typographic(page):
    assert all("-" not in text for cell in page.cells.values() for key in "vd" for _, text in cell[key])
    assert any(text.startswith(MINUS) for cell in page.cells.values() for _, text in cell["d"])


def test_importing_the_report_room_loads_neither_torch_nor_matplotlib():
    modules = ["html", "markdown", "terminal", "grids", "curves", "forest", "differences", "activity", "verdicts"]
    code = f"import sys; [__import__('harness.report.' + m) for m in {modules}]; "
    code += "print({'torch', 'matplotlib'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
