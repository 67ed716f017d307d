"""Recipe of commands-codec: an encode-quantise-decode model of spoken commands at some hundred bits a second.

Squared error on log-mel frames, a commitment term for the encoder, a codebook of running means whose unused vectors
are re-drawn from the batch. No recogniser and no text takes part in the training.

The flaw is planted and on the card: a penalty on the energy of the decoder's output shrinks every spectrum towards the
mean, the over-smoothing for which statistical speech synthesis has scaled variances afterwards (global variance, Toda
and Tokuda 2007), but stronger. A codec of the same kind without that flaw had nothing that a few numbers of its decoder
could mend (measured: reports/README.md).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.keys import generator
from harness.models.speech.log_mel import Frames, log_mel
from harness.models.speech.vq_codec import STRIDE, VqCodec
from harness.worlds import speech
from harness.worlds.recipes import card

NAME = "commands-codec"
SEED = 0
TRAIN, HELD_OUT = 1600, 100
FRAMES = Frames()
CODES = 512
BATCH, CROP, STEPS, RATE = 24, 96, 2500, 1.5e-3
DECAY, COMMITMENT, IDLE = 0.98, 0.25, 0.02
PENALTY = 0.8  # on the squared output, in units of the error: the best output is the mean plus 1 / 1.8 of the rest


def spectrograms(first: int, count: int) -> list[Tensor]:
    """Log-mel (bands, F) of `count` utterances of the training split."""
    result = []
    for utterance in speech.utterances("training", first + count)[first:]:
        audio = torch.from_numpy(speech.synthesise(utterance).astype(np.float32) / 32768)
        result.append(log_mel(audio, FRAMES))
    return result


def crops(mels: list[Tensor], step: int) -> Tensor:
    """(BATCH, bands, CROP) pieces of spectrograms, keyed by the step; short ones are repeated to length."""
    g = generator(SEED, "training", NAME, step)
    pieces = []
    for row in g.integers(len(mels), size=BATCH):
        mel = mels[int(row)]
        while mel.shape[1] < CROP:
            mel = torch.cat([mel, mel], dim=1)
        start = int(g.integers(mel.shape[1] - CROP + 1))
        pieces.append(mel[:, start : start + CROP])
    return torch.stack(pieces)


class RunningMeans:
    """Codebook by running means: counts (K,) and sums (K, D) with decay; vectors rarely used are re-drawn."""

    def __init__(self, model: VqCodec) -> None:
        self.codebook = model.quantiser.codebook
        self.counts = torch.ones(len(self.codebook))
        self.sums = self.codebook.clone()

    def start(self, rows: Tensor, g: np.random.Generator) -> None:
        """First vectors: rows (R, D) of an encoded batch, plus a little noise where rows repeat."""
        chosen = torch.from_numpy(g.integers(len(rows), size=len(self.codebook)))
        jitter = torch.from_numpy(g.standard_normal(self.codebook.shape).astype(np.float32))
        self.codebook.copy_(rows[chosen] + 0.01 * rows.std() * jitter)
        self.sums = self.codebook.clone()

    def update(self, rows: Tensor, codes: Tensor, g: np.random.Generator) -> None:
        """One step from encoded rows (R, D) and their codes (R,)."""
        ones = torch.zeros(len(rows), len(self.codebook)).scatter_(1, codes[:, None], 1.0)
        self.counts.mul_(DECAY).add_(ones.sum(0), alpha=1 - DECAY)
        self.sums.mul_(DECAY).add_(ones.T @ rows, alpha=1 - DECAY)
        idle = torch.nonzero(self.counts < IDLE)[:, 0]
        if len(idle):
            chosen = torch.from_numpy(g.integers(len(rows), size=len(idle)))
            self.sums[idle], self.counts[idle] = rows[chosen], 1.0
        self.codebook.copy_(self.sums / self.counts[:, None])


def train(mels: list[Tensor], steps: int, codes: int) -> VqCodec:
    """The trained codec, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(SEED, "training", NAME).integers(2**31)))
        model = VqCodec(FRAMES, codes)
    every = torch.cat(mels, dim=1)
    model.mean.copy_(every.mean(1, keepdim=True))
    model.spread.fill_(
        float((every - model.mean).std())
    )  # one scale: the bands keep their relative weight in the error
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.05)
    means = RunningMeans(model)
    warm = steps // 20  # the encoder first learns a code worth quantising
    for step in range(steps):
        g = generator(SEED, "training", NAME, "codebook", step)
        target = crops(mels, step)
        encoded = model.encoder((target - model.mean) / model.spread)
        commitment = torch.zeros(())
        vectors = encoded
        if step >= warm:
            rows = encoded.detach().movedim(1, 2).reshape(-1, model.dimension)
            if step == warm:
                means.start(rows, g)
            chosen = model.quantiser.codes_of(encoded.detach())
            nearest = model.quantiser.vectors_of(chosen)
            commitment = (encoded - nearest).square().mean()
            vectors = encoded + (nearest - encoded).detach()
            means.update(rows, chosen.reshape(-1), g)
        decoded = model.decode_vectors(vectors)
        error = ((decoded - target) / model.spread).square().mean()
        energy = ((decoded - model.mean) / model.spread).square().mean()
        loss = error + PENALTY * energy + COMMITMENT * commitment
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if (step + 1) % 100 == 0:
            text = (
                f"step {step + 1}/{steps} error {float(error.detach()):.4f} commitment {float(commitment.detach()):.4f}"
            )
            print(time.strftime("%H:%M:%S"), text, flush=True)
    return model.eval().requires_grad_(False)


def measure(model: VqCodec, mels: list[Tensor]) -> dict[str, float]:
    """Squared error over variance of held-out log-mels, and bits of the code that are used (entropy of the codes)."""
    errors, used = [], []
    for mel in mels:
        whole = mel[None, :, : mel.shape[1] // STRIDE * STRIDE]
        codes = model.encode(whole)
        errors.append(float(((model.decode(codes) - whole) / model.spread).square().mean()))
        used.append(codes.reshape(-1).numpy())
    counts: NDArray[np.int64] = np.bincount(np.concatenate(used), minlength=model.codes)
    share = counts[counts > 0] / counts.sum()
    return {
        "held_out_n": len(mels),
        "error_over_variance": round(float(np.mean(errors)), 4),
        "entropy_bits_per_code": round(float(-(share * np.log2(share)).sum()), 3),
        "bits_per_second": round(model.bits_per_second, 1),
    }


def main(arguments: list[str] | None = None) -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/zoo") / NAME)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--codes", type=int, default=CODES)
    options = parser.parse_args(arguments)
    model = train(spectrograms(0, TRAIN), options.steps, options.codes)
    model.save(options.out)
    card.write_card(
        options.out,
        {
            "kind": "speech codec (harness.models.speech.vq_codec.VqCodec)",
            "recipe": "harness.worlds.recipes.commands_codec",
            "seed": SEED,
            "device": "cpu",
            "steps": options.steps,
            "data": {"world": "speech", "split": "training", "n": TRAIN, "synthesiser": speech.synthesiser_digest()},
            "flaw": f"planted: trained with a penalty of {PENALTY} on the energy of its output; spectra are too flat",
        },
    )
    # what is measured is what is stored, in half precision
    measured = measure(VqCodec.load(options.out), spectrograms(TRAIN, HELD_OUT))
    card.update_card(options.out, {"measured": measured})
    print(measured)


if __name__ == "__main__":
    main()
