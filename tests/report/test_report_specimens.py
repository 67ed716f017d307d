"""What came out, on the page: which items, which marks, which sounds, and nothing invented."""

from __future__ import annotations

import base64
import io
import re
import time
import wave
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_outputs import ROWS, is_wrong, make_view, reference, specimens, tone

from harness.report import render
from harness.report.marks import Kind, marked
from harness.report.sound import wav
from harness.report.specimens import BUDGET, chosen, exhibit
from harness.report.summary import summarise


@pytest.fixture(scope="module")
def texts():
    return make_view("texts")


@pytest.fixture(scope="module")
def sound():
    return make_view("sound")


@given(st.text("ab +\n", max_size=30), st.text("ab +\n", max_size=30))
def test_pieces_spell_the_output_and_the_reference(output, wanted):
    pieces = marked(output, wanted)
    assert "".join(p.text for p in pieces if p.kind is not Kind.MISSING) == output
    assert "".join(p.text for p in pieces if p.kind is not Kind.EXTRA) == wanted


def test_a_text_that_repeats_itself_is_still_compared_at_once():
    output = "out  x " * 570
    began = time.perf_counter()
    pieces = marked(output, output[::-1])
    assert time.perf_counter() - began < 5  # word by word it takes minutes
    assert "".join(p.text for p in pieces if p.kind is not Kind.MISSING) == output
    assert [p.kind for p in marked("a\n" * 900 + "b\n", "a\n" * 900 + "c\n") if p.kind is not Kind.SAME]


def test_equal_texts_have_one_unmarked_piece():
    assert [p.kind for p in marked("a = b + 1", "a = b + 1")] == [Kind.SAME]


def test_words_that_differ_are_marked_and_no_others():
    pieces = marked("move a box two steps", "move the box two steps left")
    assert [(p.kind.value, p.text) for p in pieces if p.kind is not Kind.SAME] == [
        ("missing", "the"), ("extra", "a"), ("missing", " left"),
    ]  # fmt: skip


def test_items_with_the_most_disagreement_come_first_and_the_rest_by_lot():
    keys = [f"{i:04d}/0000" for i in range(20)]
    values = {(m, "exact", k): float(m == "a" and k in keys[3:5]) for m in ("a", "b") for k in keys}
    found = chosen(keys, values, "exact", ["a", "b"], 8, 3)
    assert {k for k, why in found if why == "rows differ most"} == set(keys[3:5])
    assert len(found) == 11  # what disagreement leaves free is drawn
    assert found == chosen(list(reversed(keys)), values, "exact", ["b", "a"], 8, 3)  # no order of anything matters


def test_rows_with_one_output_stand_together_and_every_row_stands_once(texts):
    shown = exhibit(texts, summarise(texts))
    for specimen in shown.specimens:
        rows = [r.label for a in specimen.answers for r in a.rows] + [r.label for r, _ in specimen.missing]
        assert sorted(rows) == sorted(r.label for r in ROWS)
        outputs = ["".join(p.text for p in a.pieces if p.kind is not Kind.MISSING) for a in specimen.answers]
        assert len(set(outputs)) == len(outputs)


def test_chips_say_what_the_runner_said(texts):
    for specimen in exhibit(texts, summarise(texts)).specimens:
        item = int(specimen.key[:4])
        for answer in specimen.answers:
            wrong = is_wrong(next(r for r in ROWS if r.label == answer.rows[0].label), "0", item)
            assert answer.chips[0].text == ("wrong · 2 of 6 tests" if wrong else "pass · 6 of 6 tests")
            assert answer.chips[0].tone == ("bad" if wrong else "good")
            assert answer.exact is not wrong


def test_sounds_of_the_page_are_the_stored_samples(sound):
    found = exhibit(sound, summarise(sound))
    for specimen in found.specimens:
        item = 2 * int(specimen.key[:4]) + int(specimen.key[5:])
        for answer in specimen.answers:
            row = next(r for r in ROWS if r.label == answer.rows[0].label)
            with wave.open(io.BytesIO(base64.b64decode(answer.sound.uri.split(",")[1]))) as file:
                assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
                samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
            assert np.array_equal(samples, tone(row, "0", item))


def test_heard_words_are_compared_with_what_was_said(sound):
    for specimen in exhibit(sound, summarise(sound)).specimens:
        for answer in specimen.answers:
            right = answer.chips[0].tone == "good"
            assert all(p.kind is Kind.SAME for h in answer.heard for p in h.pieces) is right


def test_sound_keeps_to_its_budget_and_shows_at_least_one_item(sound, monkeypatch):
    monkeypatch.setattr("harness.report.specimens.BUDGET", 10)
    assert len(exhibit(sound, summarise(sound)).specimens) == 1
    assert BUDGET < 5_000_000


def test_a_wav_file_is_a_function_of_its_samples():
    samples = np.arange(-5, 5, dtype=np.int16)
    assert wav(samples, 16000) == wav(samples.copy(), 16000)
    assert wav(samples, 16000)[44:] == samples.astype("<i2").tobytes()


def test_pages_of_texts_and_sound_speak_of_no_images(texts, sound):
    for view, item in ((texts, "program"), (sound, "utterance")):
        for page in (render(view), render(view, "md")):
            words = re.sub(r"<style.*?</style>|<script.*?</script>|<[^>]*>", " ", page, flags=re.S)
            assert item in words
            assert not re.search(r"\b(images?|prompts?|denoiser|noise)\b", words, re.I)


def test_outputs_cannot_become_markup(texts):
    evil = "</pre><script>alert(1)</script>"

    def hostile(address):
        own = specimens("texts", ROWS[0], "0")
        return replace(own, texts=(evil,) * len(own.keys), references=(evil + "x",) * len(own.keys))

    page = render(replace(texts, specimens=hostile))
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page


def test_a_view_without_outputs_has_no_exhibit(view, texts):
    assert exhibit(view, summarise(view)) is None

    def gone(address):
        raise KeyError(address)

    assert exhibit(replace(texts, specimens=gone), summarise(texts)) is None


def test_an_output_that_is_the_reference_is_not_repeated(texts):
    page = render(texts)
    assert "the reference, word for word" in page
    assert reference(0).splitlines()[0] in page
