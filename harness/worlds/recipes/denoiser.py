"""Training a text-conditional U-Net in latent space: v-prediction, min-SNR weights, EMA."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from numpy.typing import NDArray
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from harness.keys import generator
from harness.worlds.recipes.text import tokenize


@dataclass(frozen=True)
class DenoiserRecipe:
    """What fixes a training: widths, batch, peak learning rate, min-SNR gamma, share of dropped captions, EMA decay.

    cooldown: share of the steps at the end over which the learning rate falls to zero.
    """

    block_out_channels: tuple[int, ...]
    sample_size: int
    heads: int = 4
    batch: int = 64
    learning_rate: float = 8e-4
    gamma: float = 5.0
    caption_dropout: float = 0.1
    decay: float = 0.999
    warmup: int = 200
    cooldown: float = 0.3


def build(recipe: DenoiserRecipe, width: int, seed: int) -> UNet2DConditionModel:
    """An untrained U-Net with cross-attention to a text of the given width at every level."""
    levels = len(recipe.block_out_channels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator(seed, "training", "denoiser").integers(2**31)))
        return UNet2DConditionModel(
            sample_size=recipe.sample_size,
            in_channels=4,
            out_channels=4,
            block_out_channels=recipe.block_out_channels,
            layers_per_block=1,
            cross_attention_dim=width,
            attention_head_dim=recipe.heads,
            norm_num_groups=16,
            down_block_types=("CrossAttnDownBlock2D",) * levels,
            up_block_types=("CrossAttnUpBlock2D",) * levels,
        )


def scheduler() -> DDIMScheduler:
    """The noise schedule of Stable Diffusion (scaled linear), v-prediction, steps counted from the noisy end."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
        timestep_spacing="trailing",
    )


@dataclass
class Training:
    """The moving parts of a training: current and averaged weights, optimiser, step."""

    unet: UNet2DConditionModel
    encoder: CLIPTextModel
    averaged_unet: UNet2DConditionModel
    averaged_encoder: CLIPTextModel
    optimizer: torch.optim.Optimizer
    step: int = 0

    @classmethod
    def start(cls, unet: UNet2DConditionModel, encoder: CLIPTextModel, recipe: DenoiserRecipe) -> Training:
        """A training at step 0; averages begin as copies."""
        parameters = [p for p in (*unet.parameters(), *encoder.parameters()) if p.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=recipe.learning_rate, betas=(0.9, 0.99), weight_decay=1e-3)
        return cls(unet, encoder, copy.deepcopy(unet), copy.deepcopy(encoder), optimizer)

    def _modules(self) -> dict[str, torch.nn.Module]:
        return {
            "unet": self.unet,
            "encoder": self.encoder,
            "averaged_unet": self.averaged_unet,
            "averaged_encoder": self.averaged_encoder,
        }

    def save(self, path: Path) -> None:
        """Writes a checkpoint."""
        path.parent.mkdir(parents=True, exist_ok=True)
        state: dict[str, object] = {name: module.state_dict() for name, module in self._modules().items()}
        temporary = path.with_suffix(".tmp")
        torch.save(state | {"optimizer": self.optimizer.state_dict(), "step": self.step}, temporary)
        temporary.replace(path)

    def restore(self, path: Path, device: torch.device) -> None:
        """Continues from a checkpoint."""
        state = torch.load(path, map_location=device, weights_only=True)
        for name, module in self._modules().items():
            module.load_state_dict(state[name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = int(state["step"])


def loss_of(
    unet: UNet2DConditionModel, noisy: Tensor, t: Tensor, text: Tensor, velocity: Tensor, weight: Tensor
) -> Tensor:
    """Weighted mean squared error of the predicted velocity."""
    predicted = unet(noisy, t, text).sample.float()
    loss: Tensor = (weight * (predicted - velocity).square()).mean()
    return loss


def train(
    training: Training,
    latents: Tensor,
    tokenizer: CLIPTokenizer,
    captions: Callable[[NDArray[np.int64], np.random.Generator], list[str]],
    recipe: DenoiserRecipe,
    steps: int,
    seed: int,
    device: torch.device,
    log: Callable[[str], None],
    checkpoint: Path,
    stop_at: float | None = None,
    on_snapshot: Callable[[Training], None] | None = None,
    snapshot_every: int = 2000,
    compile_loss: bool = False,
) -> int:
    """Trains to `steps` and returns the steps taken in all; latents (N, 4, h, w) float32, already scaled.

    captions: rows and a generator -> one caption a row, drawn anew at every visit. The learning rate is constant, then
    falls linearly over the last `recipe.cooldown` of the steps. stop_at: time.time() at which the training must be
    over: the total is then cut so that the cooldown still fits; the card records the total reached.
    """
    alphas = scheduler().alphas_cumprod.to(device)
    empty = tokenize(tokenizer, [""])
    compute = torch.compile(loss_of) if compile_loss else loss_of
    current = [*training.unet.parameters(), *training.encoder.parameters()]
    followers = [*training.averaged_unet.parameters(), *training.averaged_encoder.parameters()]
    averages = [a for a, p in zip(followers, current, strict=True) if p.requires_grad]
    parameters = [p for p in current if p.requires_grad]
    began, first, running, mark = time.time(), training.step, 0.0, time.time()
    total = steps
    while training.step < total:
        step = training.step
        if stop_at is not None and step - first >= 100 and step < total * (1 - recipe.cooldown):
            speed = (step - first) / (time.time() - began)
            reachable = step + int((stop_at - time.time()) * speed)
            total = max(min(steps, reachable), step + 1)
        g = generator(seed, "training", "denoiser", step)
        rows = g.integers(len(latents), size=recipe.batch)
        ids = tokenize(tokenizer, captions(rows, g))
        dropped = torch.from_numpy(g.random(recipe.batch) < recipe.caption_dropout)
        ids = torch.where(dropped[:, None], empty, ids).to(device)
        x = latents[torch.from_numpy(rows)].to(device)
        noise = torch.from_numpy(g.standard_normal(tuple(x.shape), dtype=np.float32)).to(device)
        t = torch.from_numpy(g.integers(1000, size=recipe.batch)).to(device)
        a = alphas[t].float()[:, None, None, None]
        noisy, velocity = a.sqrt() * x + (1 - a).sqrt() * noise, a.sqrt() * noise - (1 - a).sqrt() * x
        ratio = a / (1 - a)
        weight = torch.minimum(ratio, torch.full_like(ratio, recipe.gamma)) / (ratio + 1)
        with torch.autocast(device.type, torch.bfloat16):
            text = training.encoder(ids).last_hidden_state
            loss = compute(training.unet, noisy, t, text, velocity, weight)
        remaining = (total - step) / max(total * recipe.cooldown, 1)
        rate = recipe.learning_rate * min(1.0, (step + 1) / recipe.warmup, remaining)
        for group in training.optimizer.param_groups:
            group["lr"] = rate
        training.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        training.optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(averages, parameters, 1 - min(recipe.decay, (step + 1) / (step + 10)))
        value = float(loss.detach())
        running = 0.99 * running + 0.01 * value if running else value
        training.step += 1
        if training.step % 100 == 0:
            log(f"denoiser: step {training.step}/{total} loss {running:.4f} {100 / (time.time() - mark):.2f} steps/s")
            mark = time.time()
        if training.step % 500 == 0 or training.step == total:
            training.save(checkpoint)
        if on_snapshot is not None and training.step % snapshot_every == 0:
            on_snapshot(training)
    return training.step


def pipeline(
    vae: AutoencoderKL, encoder: CLIPTextModel, tokenizer: CLIPTokenizer, unet: UNet2DConditionModel
) -> StableDiffusionPipeline:
    """The parts as a StableDiffusionPipeline without safety checker."""
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


@torch.no_grad()
def generate(
    parts: StableDiffusionPipeline,
    prompts: Sequence[str],
    seed: int,
    guidance: float,
    steps: int = 20,
    batch: int = 32,
) -> NDArray[np.uint8]:
    """Pictures (N, H, W, 3) uint8, one a prompt; item i starts from the noise of key (seed, "init_noise", i)."""
    from harness.keys import normal

    parts.set_progress_bar_config(disable=True)
    side = parts.unet.config.sample_size
    out = []
    for start in range(0, len(prompts), batch):
        chunk = list(prompts[start : start + batch])
        noise = torch.stack([normal((4, side, side), seed, "init_noise", start + i) for i in range(len(chunk))])
        images = parts(
            chunk, latents=noise.to(parts.device), num_inference_steps=steps, guidance_scale=guidance, output_type="np"
        ).images
        out.append(np.rint(np.asarray(images) * 255).astype(np.uint8))
    return np.concatenate(out)


def save_half(parts: StableDiffusionPipeline, out: Path) -> None:
    """Saves a pipeline with float16 weights, without the paths it was put together from; leaves `parts` as it is."""
    half = copy.deepcopy(parts)
    half.to(dtype=torch.float16)
    half.save_pretrained(out)
    for path in out.rglob("*.json"):
        if path.name.endswith("config.json") or path.name == "model_index.json":
            config = json.loads(path.read_text())
            config.pop("_name_or_path", None)
            config.pop("name_or_path", None)
            path.write_text(json.dumps(config, indent=2) + "\n")
