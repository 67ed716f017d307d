"""Recipe of avatars-gan: a decoder learns to draw from an autoencoder's codes, then from noise against adversaries.

The first phase is a variational autoencoder: a gradient at every pixel teaches one CPU core far faster than an
adversary does. Then the generator draws from N(0, I) against heads on frozen features and a small discriminator on
pixels, while a share of each batch still redraws real portraits from their codes: without it, or against stronger
adversaries, faces dissolve into speckles that the frozen features cannot tell from faces. The generator kept is the
moving average of its weights. Every phase ends after its steps or its seconds, whichever comes first; the card says how
many steps were made.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from harness.keys import generator as draws
from harness.metrics.frechet_distance import frechet
from harness.models import zoo
from harness.models.features import FeatureExtractor
from harness.models.generator import Generator
from harness.worlds.avatars import dataset
from harness.worlds.avatars.draw import render
from harness.worlds.recipes import card
from harness.worlds.recipes.adversary import Heads, Pixels, augment, slope
from harness.worlds.recipes.augment import batch_of
from harness.worlds.recipes.quality import agreement

NAME = "avatars-gan"
SEED = 0
DATA_SEED = 41
TRAIN, HELD_OUT = 30_000, 2000
LATENT, BATCH = 64, 48


@dataclass(frozen=True)
class Coding:
    """The first phase. kl: weight of the codes' divergence from N(0, I), which ends at about 50 nats a portrait."""

    steps: int = 1000
    seconds: float = 700.0
    rate: float = 1.2e-3
    kl: float = 2.5e-3


@dataclass(frozen=True)
class Contest:
    """A phase against new adversaries, from the averaged generator of the phase before.

    redrawn   pictures of a batch that are redrawn portraits instead of new ones;  redraw  weight of their error
    sharp     share of that error at full resolution;  heads, pixels  weights of the adversaries
    r1        weight of the pixel adversary's slope, paid every `r1_every` steps
    last      share of the rate at the end;  average  decay of the averaged generator
    """

    name: str
    steps: int
    seconds: float
    rate: float
    redrawn: int
    redraw: float
    sharp: float
    heads: float
    pixels: float
    r1: float
    last: float
    r1_every: int = 8
    average: float = 0.998


CONTESTS = (
    Contest("apart", 650, 700.0, 4e-4, 12, redraw=1.7, sharp=0.0, heads=0.25, pixels=0.4, r1=2.0, last=1.0),
    Contest(
        "calm", 2000, 480.0, 3e-4, 16, redraw=2.5, sharp=0.5, heads=0.1, pixels=0.2, r1=5.0, last=0.0, average=0.995
    ),
)


class Encoder(nn.Module):
    """Pictures (N, 3, 64, 64) to means and log-variances (N, latent) of their codes; training only."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.PixelUnshuffle(2), nn.Conv2d(12, 32, 3, padding=1), nn.ReLU()]
        for a, b in ((32, 64), (64, 128), (128, 128)):
            layers += [nn.Conv2d(a, b, 4, stride=2, padding=1), nn.BatchNorm2d(b), nn.ReLU()]
        layers.append(nn.Flatten())
        self.body = nn.Sequential(*layers, nn.Linear(128 * 16, 2 * latent))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        mean, spread = self.body(images * 2 - 1).float().chunk(2, dim=1)
        return mean, spread.clamp(-8, 4)


def fast() -> torch.autocast:
    """bfloat16 convolutions on the CPU: twice as fast where the processor has them."""
    return torch.autocast("cpu", dtype=torch.bfloat16)


def noise(g: np.random.Generator, n: int) -> Tensor:
    """n latents (n, LATENT) of N(0, I)."""
    return torch.from_numpy(g.standard_normal((n, LATENT), dtype=np.float32))


class Trainer:
    """The phases, one step at a time; `averaged` is the generator that is kept."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self.images = images
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(draws(SEED, "training", NAME).integers(2**31)))
            self.generator = Generator(LATENT).to(memory_format=torch.channels_last)
            self.encoder = Encoder(LATENT).to(memory_format=torch.channels_last)
        self.averaged = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.heads, self.pixels = self.adversaries("coding")

    def adversaries(self, phase: str) -> tuple[Heads, Pixels]:
        """New ones for a phase."""
        contrast = FeatureExtractor.load(zoo.entry("avatars-contrast").directory)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(draws(SEED, "training", NAME, phase).integers(2**31)))
            return Heads(contrast), Pixels()

    def real(self, g: np.random.Generator, n: int) -> Tensor:
        return batch_of(self.images, g.choice(len(self.images), n, replace=False), torch.device("cpu"))

    def redrawing(self, drawn: Tensor, real: Tensor, sharp: float) -> Tensor:
        """Error of redrawn pictures: at `sharp` of full and the rest at half resolution, and in frozen features."""
        with torch.no_grad():
            goal = self.heads.features(real)
        seen = self.heads.features(drawn)
        deep = sum(((a - b).abs().mean() / b.abs().mean() for a, b in zip(seen, goal, strict=True)), torch.zeros(()))
        small = (functional.avg_pool2d(drawn, 2) - functional.avg_pool2d(real, 2)).abs().mean()
        return 8 * (sharp * (drawn - real).abs().mean() + (1 - sharp) * small) + 0.25 * deep

    def follow(self, decay: float) -> None:
        """Moves the averaged generator towards the present one."""
        with torch.no_grad():
            for kept, new in zip(
                self.averaged.state_dict().values(), self.generator.state_dict().values(), strict=True
            ):
                if kept.is_floating_point():
                    kept.lerp_(new, 1 - decay)

    def code(self, s: Coding, frozen: bool = False) -> int:
        """The first phase: the generator redraws portraits from codes that are close to N(0, I); the steps made.

        The rate falls with the share of the steps or of the time that is used, whichever is larger, so that a slower
        machine makes fewer steps and still ends at the low rate.
        """
        start = time.monotonic()
        parameters = [*self.encoder.parameters(), *(() if frozen else self.generator.parameters())]
        optimizer = torch.optim.Adam(parameters, s.rate, betas=(0.9, 0.99))
        self.generator.load_state_dict(self.averaged.state_dict())
        self.generator.requires_grad_(not frozen)
        made = 0
        while (used := max((made + 1) / (s.steps + 1), (time.monotonic() - start) / s.seconds)) < 1:
            step, made = made, made + 1
            optimizer.param_groups[0]["lr"] = s.rate * min(1.0, (step + 5) / 60) * (1.02 - used)
            g = draws(SEED, "training", NAME, "coding", step)
            real = self.real(g, BATCH).contiguous(memory_format=torch.channels_last)
            with fast():
                mean, spread = self.encoder(real)
                drawn = self.generator(mean + noise(g, BATCH) * (0.5 * spread).exp())
                error = self.redrawing(drawn, real, sharp=1.0)
            kl = 0.5 * (mean.square() + spread.exp() - 1 - spread).sum(1).mean()
            loss = error + s.kl * kl
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 5.0)
            optimizer.step()
            if step % 100 == 0:
                log(f"coding {step}/{s.steps} error {float(error.detach()):.4f} kl {float(kl.detach()):.1f}")
        self.generator.requires_grad_(True)
        if not frozen:
            self.follow(0.0)
        return made

    def compete(self, s: Contest, snapshot: Callable[[int], None]) -> int:
        """A phase against adversaries; the steps made. The rate falls as in the first. Five snapshots are taken."""
        start, taken, step = time.monotonic(), 0, 0
        self.generator.load_state_dict(self.averaged.state_dict())
        self.heads, self.pixels = self.adversaries(s.name)
        parameters = [*self.generator.parameters(), *self.encoder.parameters()]
        own = torch.optim.Adam(parameters, s.rate, betas=(0.0, 0.99))
        adversaries = [*self.heads.parameters(), *self.pixels.parameters()]
        other = torch.optim.Adam(adversaries, s.rate, betas=(0.0, 0.99))
        n = BATCH - s.redrawn
        while (used := max((step + 1) / (s.steps + 1), (time.monotonic() - start) / s.seconds)) < 1:
            if int(5 * used) > taken:
                taken = int(5 * used)
                snapshot(step)
            g = draws(SEED, "training", NAME, s.name, step)
            rate = min(1.0, (step + 50) / 300) * min(1.0, 1.3 * (1 - used) + s.last)
            for group in (own.param_groups[0], other.param_groups[0]):
                group["lr"] = s.rate * rate
            real = self.real(g, BATCH).contiguous(memory_format=torch.channels_last)
            with fast():
                mean, spread = self.encoder(real[: s.redrawn])
                codes = mean + noise(g, s.redrawn) * (0.5 * spread).exp()
                made = self.generator(torch.cat([noise(g, n), codes]))
                still = made.detach()
                with torch.no_grad():
                    both = self.heads.features(augment(torch.cat([real, still]), g))
                loss = torch.zeros(())
                for verdict in self.heads(both):
                    loss = (
                        loss + functional.relu(1 - verdict[:BATCH]).mean() + functional.relu(1 + verdict[BATCH:]).mean()
                    )
                loss = (
                    loss
                    + functional.softplus(-self.pixels(real)).mean()
                    + functional.softplus(self.pixels(still)).mean()
                )
            if step % s.r1_every == 0:
                loss = loss + 0.5 * s.r1 * s.r1_every * slope(self.pixels, real[:16])
            other.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            other.step()
            for parameter in adversaries:
                parameter.requires_grad_(False)
            with fast():
                seen = self.heads(self.heads.features(augment(made, g)))
                fooled = -sum((verdict.mean() for verdict in seen), torch.zeros(()))
                pixels = functional.softplus(-self.pixels(made)).mean()
                error = self.redrawing(made[n:], real[: s.redrawn], sharp=s.sharp)
            kl = 0.5 * (mean.square() + spread.exp() - 1 - spread).sum(1).mean()
            total = s.heads * fooled + s.pixels * pixels + s.redraw * (error + Coding.kl * kl)
            own.zero_grad(set_to_none=True)
            total.backward()
            own.step()
            for parameter in adversaries:
                parameter.requires_grad_(True)
            self.follow(min(s.average, (step + 1) / (step + 10)))
            if step % 100 == 0:
                log(
                    f"{s.name} {step}/{s.steps} adversaries {float(loss.detach()):.3f}"
                    f" fooled {float(fooled.detach()):.3f} pixels {float(pixels.detach()):.3f}"
                    f" redrawing {float(error.detach()):.4f}"
                )
            step += 1
        snapshot(step)
        return step


def log(message: str) -> None:
    """Prints a line with the time of day."""
    print(time.strftime("%H:%M:%S"), message, flush=True)


def samples(model: Generator, n: int, batch: int = 100) -> NDArray[np.uint8]:
    """n pictures (n, 64, 64, 3) of fixed latents."""
    latents = torch.from_numpy(draws(SEED, "calibration", NAME).standard_normal((n, LATENT), dtype=np.float32))
    with torch.no_grad():
        drawn = torch.cat([model(latents[i : i + batch]) for i in range(0, n, batch)])
    return np.asarray((drawn * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy())


def features_of(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Features (N, 64) of avatars-features, which no adversary looks through."""
    extractor = FeatureExtractor.load(zoo.entry("avatars-features").directory)
    pictures = batch_of(images, np.arange(len(images)), torch.device("cpu"))
    return np.asarray(extractor.extract(pictures).numpy(), dtype=np.float64)


def grid(images: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.uint8]:
    """The first rows x columns pictures side by side."""
    n, h, w, c = images[: rows * columns].shape
    return images[:n].reshape(rows, columns, h, w, c).swapaxes(1, 2).reshape(rows * h, columns * w, c)


def reference_features() -> NDArray[np.float64]:
    """Features (HELD_OUT, 64) of portraits that were not trained on."""
    return features_of(render(dataset.load("held_out", HELD_OUT, DATA_SEED, "declared").portraits))


def measured(model: Generator) -> dict[str, object]:
    """What the card says beside the curve: the distance of fresh renders, and what both quality scorers say."""
    renders = render(dataset.load("training", 1000, DATA_SEED, "declared").portraits)
    return {
        "held_out_n": HELD_OUT,
        "fd_of_1000_renders": round(frechet(features_of(renders), reference_features()), 3),
        "quality": agreement(samples(model, 1000)),
        "quality_of_renders": agreement(renders),
    }


def main(arguments: list[str] | None = None) -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/zoo") / NAME)
    parser.add_argument("--work", type=Path, default=Path("build/work") / NAME, help="folder of the snapshots")
    parser.add_argument(
        "--start", type=Path, help="folder of a snapshot: a new encoder, then only the last phase from there"
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="factor on the time of every phase")
    parser.add_argument("--measure", action="store_true", help="train nothing: measure what is in --out again")
    options = parser.parse_args(arguments)
    if options.measure:
        kept = json.loads((options.out / "card.json").read_text())["measured"]
        kept |= measured(Generator.load(options.out))
        card.update_card(options.out, {"measured": kept})
        return
    options.work.mkdir(parents=True, exist_ok=True)
    images = render(dataset.load("training", TRAIN, DATA_SEED, "declared").portraits)
    reference = reference_features()
    trainer = Trainer(images)
    curve: list[dict[str, object]] = []
    start = time.monotonic()

    def snapshot(phase: str, step: int) -> None:
        from PIL import Image

        drawn = samples(trainer.averaged, 1000)
        fd = round(frechet(features_of(drawn), reference), 3)
        curve.append({"phase": phase, "step": step, "seconds": round(time.monotonic() - start), "fd": fd})
        log(f"snapshot {curve[-1]}")
        trainer.averaged.save(options.work / f"{phase}-{step:05d}")
        Image.fromarray(grid(drawn, 8, 16)).save(options.work / f"{phase}-{step:05d}.png")

    made: dict[str, int] = {}
    if options.start is None:
        made["coding"] = trainer.code(replace(Coding(), seconds=options.seconds * Coding.seconds))
        snapshot("coding", made["coding"])
    else:
        trainer.averaged.load_state_dict(Generator.load(options.start).state_dict())
        made["reading"] = trainer.code(Coding(steps=150, seconds=120.0), frozen=True)
    for contest in CONTESTS if options.start is None else CONTESTS[-1:]:
        timed = replace(contest, seconds=options.seconds * contest.seconds)
        made[contest.name] = trainer.compete(timed, partial(snapshot, contest.name))
    trainer.averaged.save(options.out)
    card.write_card(
        options.out,
        {
            "kind": "GAN generator, latents of 64 to 64x64 pictures (harness.models.generator.Generator)",
            "recipe": "harness.worlds.recipes.avatars_gan",
            "seed": SEED,
            "device": "cpu",
            "steps": made,
            "seconds": round(time.monotonic() - start),
            "batch": BATCH,
            "data": {"world": "avatars", "n": TRAIN, "seed": DATA_SEED, "distribution": "declared"},
            "measured": {"fd_avatars_features_1000": curve, **measured(trainer.averaged)},
        },
    )


if __name__ == "__main__":
    main()
