"""Log-mel spectrograms and the way back: parity of the filters, closed forms, Griffin-Lim that converges."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.models.speech.griffin_lim import griffin_lim
from harness.models.speech.log_mel import Frames, filters, hz_of_mel, log_mel, magnitude, mel_of_hz

FRAMES = Frames()


def tone(hz: float, seconds: float = 0.5) -> torch.Tensor:
    return 0.5 * torch.sin(2 * np.pi * hz * torch.arange(int(16_000 * seconds)) / 16_000)


@pytest.mark.parity
@pytest.mark.parametrize("frames", [FRAMES, Frames(fft=1024, window=1024, hop=256, bands=80, low_hz=80.0)])
def test_the_filters_are_slaneys(frames: Frames) -> None:
    audio_utils = pytest.importorskip("transformers.audio_utils")
    bins = frames.fft // 2 + 1
    theirs = audio_utils.mel_filter_bank(
        bins, frames.bands, frames.low_hz, frames.high_hz, frames.rate_hz, norm="slaney", mel_scale="slaney"
    )
    assert np.abs(theirs - filters(frames)).max() < 1e-12


def test_the_mel_scale_has_its_fixed_points_and_an_inverse() -> None:
    assert mel_of_hz(np.array([0.0, 200.0, 1000.0, 6400.0])).tolist() == pytest.approx([0.0, 3.0, 15.0, 42.0])
    hz = np.linspace(1.0, 8000.0, 50)
    assert hz_of_mel(mel_of_hz(hz)) == pytest.approx(hz)


@pytest.mark.parametrize("hz", [300.0, 1000.0, 3000.0])
def test_a_tone_is_loudest_in_its_band(hz: float) -> None:
    mel = log_mel(tone(hz), FRAMES)[:, 10]
    corners = hz_of_mel(np.linspace(*mel_of_hz(np.array([60.0, 7600.0])), FRAMES.bands + 2))
    assert abs(corners[1:-1] - hz).argmin() == int(mel.argmax())


def test_silence_is_the_floor_and_twice_as_loud_is_ln_two_more() -> None:
    assert torch.equal(
        log_mel(torch.zeros(4000), FRAMES), torch.full((48, 21), float(np.log(np.float32(FRAMES.floor))))
    )
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal(8000).astype(np.float32)) * 0.1
    difference = log_mel(2 * noise, FRAMES) - log_mel(noise, FRAMES)
    assert difference.numpy() == pytest.approx(np.log(2.0), abs=1e-4)
    assert log_mel(noise, FRAMES).shape[1] == FRAMES.frames_of(8000)


def test_the_magnitude_has_the_bands_it_came_from() -> None:
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal(8000).astype(np.float32)) * 0.1
    mel = log_mel(noise, FRAMES)
    back = magnitude(mel, FRAMES)
    assert back.shape == (257, mel.shape[1])
    assert (back >= 0).all()
    again = torch.from_numpy(filters(FRAMES)).float().T @ back
    # only where nothing had to be cut at zero are the bands exact
    assert float((again.clamp_min(FRAMES.floor).log() - mel).abs().median()) < 0.05


def test_griffin_lim_comes_nearer_to_the_magnitude_with_every_few_rounds() -> None:
    wanted = magnitude(log_mel(tone(440) + tone(1500), FRAMES), FRAMES)
    distances = []
    for rounds in (0, 4, 32):
        audio = griffin_lim(wanted, FRAMES, rounds, 8000)
        assert audio.shape == (8000,)
        found = magnitude(log_mel(audio, FRAMES), FRAMES)
        distances.append(float((found - wanted).norm() / wanted.norm()))
    assert distances[0] > distances[1] > distances[2]


def test_griffin_lim_is_the_same_every_time_and_touches_no_global_generator() -> None:
    wanted = magnitude(log_mel(tone(440), FRAMES), FRAMES)
    before = torch.get_rng_state()
    first, second = (griffin_lim(wanted, FRAMES, 3, 8000) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)
