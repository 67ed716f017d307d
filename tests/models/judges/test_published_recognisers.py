"""Whisper and wav2vec 2.0 as judges: tiny random checkpoints of the very classes, saved and opened by path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_checkpoints import wav2vec2, whisper

from harness.models.judges import find, identity
from harness.models.judges.published_recognisers import Wav2Vec2, Whisper
from harness.models.model import MissingWeights

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        made = {"whisper": whisper, "wav2vec2": wav2vec2}
        return {name: make(tmp_path_factory.mktemp(name)) for name, make in made.items()}


def judge(name: str, folder: Path) -> Any:
    return Whisper(path=str(folder), longest=8) if name == "whisper" else Wav2Vec2(path=str(folder))


def audio() -> dict[str, Any]:
    g = np.random.default_rng(0)
    return {"audio": (g.standard_normal((3, 8000)) * 3000).astype(np.int16), "lengths": np.array([8000, 6000, 0])}


@pytest.mark.parametrize("name", ["whisper", "wav2vec2"])
def test_a_checkpoint_reads_utterances_one_by_one(name: str, folders: dict[str, Path]) -> None:
    listen, heard = judge(name, folders[name]).open("cpu"), audio()
    texts = listen(heard, [{}] * 3)["text"]
    assert texts.dtype.kind == "U"
    assert texts.shape == (3,)
    assert texts[0]
    assert texts[2] == ""
    assert listen({k: v[::-1] for k, v in heard.items()}, [{}] * 3)["text"][::-1].tolist() == texts.tolist()
    alone = {"audio": heard["audio"][1:2, :6000], "lengths": heard["lengths"][1:2]}
    assert listen(alone, [{}])["text"].tolist() == texts[1:2].tolist()


def test_wav2vec2_merges_repeats_and_drops_blanks(folders: dict[str, Path]) -> None:
    from transformers import Wav2Vec2ForCTC, Wav2Vec2Processor

    folder, heard = folders["wav2vec2"], audio()
    processor, network = Wav2Vec2Processor.from_pretrained(folder), Wav2Vec2ForCTC.from_pretrained(folder).eval()
    values = processor(heard["audio"][0] / 32768, sampling_rate=16_000, return_tensors="pt").input_values.float()
    best = network(values).logits.argmax(-1)[0].tolist()
    best = [0 if c < 4 else c for c in best]  # marks of starts, ends and unknowns are no text
    kept = [c for i, c in enumerate(best) if c != 0 and (i == 0 or best[i - 1] != c)]
    expected = "".join({4: " ", 5: "A", 6: "B", 7: "C"}[c] for c in kept)
    text = str(judge("wav2vec2", folder).open("cpu")(heard, [{}] * 3)["text"][0])
    assert text.split() == expected.split()
    assert text


@pytest.mark.parametrize("name", ["whisper", "wav2vec2"])
def test_other_weights_are_another_judge(name: str, folders: dict[str, Path], tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        other = {"whisper": whisper, "wav2vec2": wav2vec2}[name](tmp_path)
    assert identity(judge(name, other)) != identity(judge(name, folders[name]))
    assert judge(name, folders[name]).missing() == ()


@pytest.mark.parametrize("name", ["whisper", "wav2vec2"])
def test_without_weights_the_default_says_what_to_fetch(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    absent = type(find(name))(path=f"nobody/no-{name}")
    assert f"hf download nobody/no-{name}" in str(absent.missing()[0])
    with pytest.raises(MissingWeights):
        absent.open("cpu")
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "config.json").write_text("{}")
    said = " ".join(map(str, type(find(name))(path="half").missing()))
    assert "tokenizer.json or vocab.json" in said
    assert "weights" in said
