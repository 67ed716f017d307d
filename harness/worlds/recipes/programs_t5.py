"""Recipe of programs-t5: a small T5 that translates JavaScript functions into Python, trained on the programs world.

A real T5ForConditionalGeneration with its own tokenizer. No program, and no family of `compositions`, that the tune and
report splits ask about is in the training data. The world's training targets are a mixture of today's Python and of a
legacy dialect, a planted flaw: the trained model writes legacy code in part of its answers, greedily and by chance of
its fit. Of the states looked at on held-back training programs, that of the least loss is kept. Half an hour on a core.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from harness.keys import generator
from harness.worlds.programs import LEGACY_SHARE, SIZES, Problem, problems
from harness.worlds.recipes import card
from harness.worlds.recipes.programs_tokenizer import build

NAME = "programs-t5"
SEED = 0
FLAW = (
    "Somewhat over half of the training targets are written in a legacy dialect (Python 2) that the JavaScript does"
    " not tell apart and that fails under Python 3, in which answers are run: the untouched model writes it in part of"
    " its answers. It stands for a model of an old, mixed corpus that is used today."
)
HELD_BACK = 480  # training programs that no step sees
BATCH, STEPS, RATE, WARMUP = 48, 6500, 2e-3, 150
LOOK_EVERY = 300


def opened(folder: Path) -> T5ForConditionalGeneration:
    """The network of an earlier run, to go on from."""
    network: T5ForConditionalGeneration = T5ForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, dropout_rate=0.0
    )
    return network


def untrained(tokenizer: PreTrainedTokenizerFast) -> T5ForConditionalGeneration:
    """The network with its drawn initial weights."""
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=128,
        d_kv=32,
        num_heads=4,
        d_ff=256,
        num_layers=2,
        num_decoder_layers=2,
        feed_forward_proj="relu",
        relative_attention_num_buckets=32,
        relative_attention_max_distance=64,
        dropout_rate=0.0,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(SEED, "training", NAME).integers(2**31)))
        return T5ForConditionalGeneration(config)


def padded(rows: Sequence[Sequence[int]], fill: int) -> Tensor:
    """(B, longest) int64."""
    width = max(len(r) for r in rows)
    return torch.tensor([[*r, *[fill] * (width - len(r))] for r in rows])


def loss_of(
    model: T5ForConditionalGeneration, source: Sequence[Sequence[int]], target: Sequence[Sequence[int]]
) -> Tensor:
    """Mean cross-entropy of the target's tokens, in nats."""
    ids = padded(source, 0)
    loss: Tensor = model(input_ids=ids, attention_mask=(ids != 0).long(), labels=padded(target, -100)).loss
    return loss


@torch.no_grad()
def held_back_loss(model: T5ForConditionalGeneration, source: list[list[int]], target: list[list[int]]) -> float:
    model.eval()
    parts = [float(loss_of(model, source[i : i + 48], target[i : i + 48])) for i in range(0, len(source), 48)]
    model.train()
    return float(np.mean(parts))


def batches(lengths: NDArray[np.int64], steps: int, stage: int = 0) -> Sequence[NDArray[np.int64]]:
    """Row numbers of each step's batch; rows of similar length stand together."""
    result: list[NDArray[np.int64]] = []
    for epoch in range(steps * BATCH // len(lengths) + 1):
        g = generator(SEED, "training", NAME, "epoch", epoch, *([stage] if stage else []))
        order = np.argsort(lengths + g.uniform(-6, 6, len(lengths)), kind="stable")
        chunks = [order[i : i + BATCH] for i in range(0, len(order) - BATCH + 1, BATCH)]
        result += [chunks[int(i)] for i in g.permutation(len(chunks))]
    return result[:steps]


def train(
    model: T5ForConditionalGeneration,
    source: list[list[int]],
    target: list[list[int]],
    steps: int,
    limit_s: float,
    stage: int = 0,
) -> dict[str, float]:
    """Trains in place; leaves the best state seen in the model. Returns step and held-back loss of that state."""
    kept_source, kept_target = source[:-HELD_BACK], target[:-HELD_BACK]
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01, betas=(0.9, 0.98))
    plan = batches(np.array([len(s) + len(t) for s, t in zip(kept_source, kept_target, strict=True)]), steps, stage)
    best: dict[str, float] = {"step": 0, "loss": float("inf")}
    state, began, running = copy.deepcopy(model.state_dict()), time.time(), 0.0
    model.train()
    for step, rows in enumerate(plan):
        done = max(step / steps, (time.time() - began) / limit_s)  # a slow machine ends its descent in time too
        rate = RATE * min(1.0, (step + 1) / WARMUP) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * min(1.0, done))))
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(model, [kept_source[i] for i in rows], [kept_target[i] for i in rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        running = 0.98 * running + 0.02 * float(loss.detach()) if running else float(loss.detach())
        if (step + 1) % 50 == 0:
            speed = (step + 1) / (time.time() - began)
            print(
                time.strftime("%H:%M:%S"), f"step {step + 1}/{steps} loss {running:.4f} {speed:.2f} steps/s", flush=True
            )
        out_of_time = time.time() - began > limit_s
        if (step + 1) % LOOK_EVERY == 0 or step + 1 == len(plan) or out_of_time:
            value = held_back_loss(model, source[-HELD_BACK:], target[-HELD_BACK:])
            print(f"held back: {value:.5f}", flush=True)
            if value < best["loss"]:
                best, state = {"step": step + 1, "loss": value}, copy.deepcopy(model.state_dict())
        if out_of_time:
            break
    model.load_state_dict(state)
    return {**best, "steps": step + 1}


def save(model: T5ForConditionalGeneration, folder: Path) -> None:
    """Float16 weights and the configuration, without the paths they came from."""
    copy.deepcopy(model).half().save_pretrained(folder)
    for name in ("config.json", "generation_config.json"):
        path = folder / name
        config = json.loads(path.read_text())
        config.pop("_name_or_path", None)
        path.write_text(json.dumps(config, indent=2) + "\n")


def main(arguments: list[str] | None = None) -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/zoo") / NAME)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--limit", type=float, default=1620, help="seconds after which training ends")
    parser.add_argument("--start", type=Path, help="folder of an earlier run to go on from, with other batches")
    options = parser.parse_args(arguments)
    pairs: tuple[Problem, ...] = problems("training")
    # families follow one another in the split: mixed, so that the held-back programs are of every family
    order = generator(SEED, "training", NAME, "held back").permutation(len(pairs))
    pairs = tuple(pairs[int(i)] for i in order)
    tokenizer = build([text for p in pairs for text in (p.source, p.target)], options.out)
    source = [tokenizer(p.source).input_ids for p in pairs]
    target = [tokenizer(p.target).input_ids for p in pairs]
    model = opened(options.start) if options.start else untrained(tokenizer)
    print(f"{sum(p.numel() for p in model.parameters())} parameters", flush=True)
    earlier = json.loads((options.start / "card.json").read_text()) if options.start else {}
    began = time.time()
    best = train(model, source, target, options.steps, options.limit, stage=int(bool(options.start)))
    save(model.eval(), options.out)
    card.write_card(
        options.out,
        {
            "kind": "sequence to sequence, JavaScript to Python (transformers T5ForConditionalGeneration)",
            "recipe": "harness.worlds.recipes.programs_t5",
            "seed": SEED,
            "device": "cpu",
            "steps": int(best["steps"]) + earlier.get("steps", 0),
            "seconds": round(time.time() - began) + earlier.get("seconds", 0),
            "data": {
                "world": "programs",
                "split": "training",
                "n": SIZES["training"],
                "held_back": HELD_BACK,
                "legacy_targets": LEGACY_SHARE,
            },
            "planted_flaw": FLAW,
            "measured": {"kept_step": best["step"], "held_back_loss_nats": round(best["loss"], 5)},
        },
    )


if __name__ == "__main__":
    main()
