"""The speech world: its language, its splits, and speech that depends on the utterance alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.worlds.speech import RATE_HZ, SIZES, SPLITS, VOICES, espeak, sentences, synthesise, utterance, utterances
from harness.worlds.speech.corpus import RATES_WPM
from harness.worlds.speech.grammar import SLOTS, jsgf, language, templates, vocabulary


def test_the_language_is_the_product_of_its_slots() -> None:
    assert [t.count for t in templates()] == [5 * 8 * 12 * 4 * 8, 6 * 19 * 4, 4 * 10 * 8, 4 * 19 * 8 * 10]
    assert len(language()) == sum(t.count for t in templates()) == len(set(language()))


def test_every_word_is_in_the_recognisers_dictionary() -> None:
    pocketsphinx = pytest.importorskip("pocketsphinx")
    with open(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"), encoding="utf-8") as lines:
        known = {line.split()[0] for line in lines}
    assert set(vocabulary()) <= known


def test_the_splits_share_no_sentence_and_are_the_whole_language() -> None:
    kept = [set(sentences(split)) for split in SPLITS]
    assert set().union(*kept) == set(language())
    assert sum(map(len, kept)) == len(language())


def test_every_split_shows_every_template_early() -> None:
    for split, count in (("tune", 24), ("report", 48), ("training", SIZES["training"])):
        first = {text.split()[0] for text in sentences(split)[:count]}
        assert any(word in first for word in SLOTS["carry"])
        assert "set" in first
        assert any(word in first for word in SLOTS["reach"])
        assert any(word in first for word in SLOTS["look"])


def test_more_utterances_extend_fewer_and_variants_share_their_sentence() -> None:
    assert utterances("tune", 5, 2) == utterances("tune", 9, 2)[:10]
    first, second = utterances("report", 1, 2)
    assert (first.text, first.sentence) == (second.text, second.sentence)
    assert first.name != second.name
    assert utterance("report", 0, 1) == second


def test_voices_rates_and_noises_vary() -> None:
    drawn = utterances("report")
    assert len(drawn) == SIZES["report"]
    assert {u.voice for u in drawn} == set(VOICES)
    assert len({u.noise_db for u in drawn}) == 4
    assert all(RATES_WPM[0] <= u.rate <= RATES_WPM[1] for u in drawn)


def test_asking_for_too_much_or_another_split_is_refused() -> None:
    with pytest.raises(ValueError, match="has 400 sentences"):
        utterances("tune", 401)
    with pytest.raises(KeyError):
        sentences("validation")


def test_the_grammar_lists_every_slot_and_template() -> None:
    text = jsgf()
    assert text.startswith("#JSGF V1.0;")
    assert all(f"<{slot}> = " in text for slot in SLOTS)
    assert text.count("( ") == len(templates())
    assert "{" not in text


def test_speech_depends_on_the_utterance_alone() -> None:
    chosen = [dataclasses.replace(utterance("tune", i), voice=voice) for i, voice in enumerate(VOICES)]
    forwards = [synthesise(u) for u in chosen]
    backwards = [synthesise(u) for u in reversed(chosen)][::-1]
    for u, a, b in zip(chosen, forwards, backwards, strict=True):
        assert np.array_equal(a, b), u.voice


def test_an_utterance_is_a_second_or_two_of_sixteen_bit_audio() -> None:
    spoken = synthesise(utterance("tune", 0))
    assert spoken.dtype == np.int16
    assert 0.8 * RATE_HZ < len(spoken) < 4 * RATE_HZ
    assert 0.45 * 32767 < np.abs(spoken.astype(int)).max() < 0.55 * 32767


def test_the_noise_has_the_stated_ratio() -> None:
    u = dataclasses.replace(utterance("tune", 0), noise_db=20.0)
    loud, quiet = (synthesise(dataclasses.replace(u, noise_db=db)).astype(float) for db in (20.0, None))
    silence = slice(0, int(0.1 * RATE_HZ))  # before the speech starts: noise alone
    ratio = 20 * np.log10(loud[silence].std() / quiet[silence].std())
    assert abs(ratio - (50.0 - 20.0)) < 1.0  # the loudest sample, to which both are scaled, has a little noise in it


def test_another_rate_and_voice_sound_different_and_an_unknown_voice_is_refused() -> None:
    slow, fast = (espeak.say("count ten red boxes", "en-us", rate) for rate in (150, 200))
    assert len(slow) > 1.1 * len(fast)
    with pytest.raises(espeak.EspeakError, match="no voice"):
        espeak.say("count", "nobody", 150)


def test_a_library_that_somebody_else_holds_is_refused() -> None:
    import ctypes
    from _ctypes import dlclose

    held = ctypes.CDLL(str(espeak.library()))
    try:
        with pytest.raises(espeak.EspeakError, match="another part of this process"):
            espeak.say("count", "en-us", 150)
    finally:
        dlclose(held._handle)
    assert len(espeak.say("count", "en-us", 150)) > 0
