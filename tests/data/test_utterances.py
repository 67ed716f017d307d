"""Utterances: the commands by split, and folders in LibriSpeech layout of wav and flac files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from harness.data import utterances
from harness.data.utterances import UtterancesError, load_utterances, read_audio, recordings, speakers_of
from harness.tasks.speech_resynthesis import SpeechResynthesis
from harness.worlds import speech


def tone(seconds: float = 0.2, rate: int = 16_000) -> np.ndarray:
    return 0.4 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)


def chapter(root: Path, speaker: str, texts: list[str], suffix: str = ".flac", number: str = "1") -> None:
    folder = root / speaker / number
    folder.mkdir(parents=True)
    lines = []
    for i, text in enumerate(texts):
        name = f"{speaker}-{number}-{i:04d}"
        soundfile.write(folder / f"{name}{suffix}", tone(), 16_000)
        lines.append(f"{name} {text}")
    (folder / f"{speaker}-{number}.trans.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i, speaker in enumerate(("84", "174", "251", "422")):
        chapter(tmp_path, speaker, [f"TEXT {speaker} A", f"TEXT {speaker} B"], (".flac", ".wav")[i % 2])
    return tmp_path


def test_the_commands_come_by_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utterances.speech, "utterances", lambda split: speech.corpus.utterances(split, 3))
    utterances._commands.cache_clear()
    found = load_utterances("commands", "report")
    utterances._commands.cache_clear()
    wanted = speech.corpus.utterances("report", 3)
    assert [f["reference"] for f in found] == [u.text for u in wanted]
    assert [f["sentence"] for f in found] == [0, 1, 2]
    assert np.array_equal(found[1]["audio"], speech.synthesise(wanted[1]))
    with pytest.raises(UtterancesError, match="no split 'all'"):
        load_utterances("commands", "all")


def test_a_folder_is_cut_by_speakers(folder: Path) -> None:
    tune, report = (load_utterances(str(folder), split) for split in ("tune", "report"))
    assert len(tune) == 2
    assert len(report) == 6
    assert not {f["speaker"] for f in tune} & {f["speaker"] for f in report}
    first = next(f for f in report if f["reference"].endswith(" A"))
    assert first["reference"] == f"TEXT {first['speaker']} A"
    assert first["audio"].dtype == np.int16
    assert len(first["audio"]) == 3200
    assert abs(int(first["audio"].max()) - 0.4 * 32768) < 40
    assert [f["name"] for f in report] == [f["name"] for f in load_utterances(str(folder), "report")]


def test_folders_named_tune_and_report_are_read_as_they_are(tmp_path: Path) -> None:
    chapter(tmp_path / "tune", "84", ["ONE"])
    chapter(tmp_path / "report", "84", ["TWO", "TWO", "THREE"])
    assert [u.text for u in recordings(str(tmp_path), "tune")] == ["ONE"]
    assert [u.sentence for u in recordings(str(tmp_path), "report")] == [0, 0, 1]


def test_the_task_reads_a_folder(folder: Path) -> None:
    task = SpeechResynthesis(utterances=str(folder), tune=2)
    assert len(task.facts_of("tune")) == 2
    assert task.references()[0][0].startswith("TEXT")


def test_speakers_are_cut_the_same_way_whatever_their_order() -> None:
    names = {str(i) for i in range(10)}
    tune, report = speakers_of(names, "tune"), speakers_of(names, "report")
    assert len(tune) == 3
    assert tune | report == names
    assert not tune & report


def test_other_rates_and_channels_become_sixteen_kilohertz_mono(tmp_path: Path) -> None:
    left = tone(0.5, 44_100)
    soundfile.write(tmp_path / "a.wav", np.stack([left, 0 * left], axis=1), 44_100)
    found = read_audio(tmp_path / "a.wav").astype(float) / 32768
    assert len(found) == 8000
    assert np.abs(found - 0.5 * tone(0.5))[200:-200].max() < 2e-3


def test_a_full_scale_sample_does_not_wrap_around(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([1.0, -1.0, 1.5]), 16_000, subtype="FLOAT")
    assert read_audio(tmp_path / "a.wav").tolist() == [32767, -32768, 32767]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda root: (root / "84/1/84-1-0000.flac").unlink(), "line 1: no recording of '84-1-0000'"),
        (lambda root: (root / "84/1/84-1.trans.txt").write_text("84-1-0000 \n"), "line 1: no text"),
        (lambda root: [p.unlink() for p in root.rglob("*.trans.txt")], "no speaker/chapter"),
        (lambda root: (root / "tune").mkdir(), "not its counterpart"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(folder: Path, spoil: object, words: str) -> None:
    spoil(folder)  # type: ignore[operator]
    with pytest.raises(UtterancesError, match=words):
        recordings(str(folder), "tune")


def test_broken_audio_one_speaker_and_no_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no audio")
    with pytest.raises(UtterancesError, match=r"a\.wav"):
        read_audio(tmp_path / "a.wav")
    with pytest.raises(UtterancesError, match="cannot be cut"):
        speakers_of({"84"}, "tune")
    with pytest.raises(UtterancesError, match="no folder"):
        recordings(str(tmp_path / "none"), "tune")
