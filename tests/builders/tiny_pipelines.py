"""Tiny random pipelines of the very classes of diffusers: Stable Diffusion, SDXL, SD3, Flux, DiT.

One place for all tests. Weights are keyed, so that no test depends on torch's global generator.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any


def _tokenizer(length: int = 12) -> Any:
    from transformers import CLIPTokenizer

    letters = "abcdefghijklmnopqrstuvwxyz,."
    vocab = {"<|startoftext|>": 0, "<|endoftext|>": 1}
    for token in [*letters, *(c + "</w>" for c in letters)]:
        vocab[token] = len(vocab)
    merges: list[tuple[str, str]] = []
    tokenizer = CLIPTokenizer(vocab=vocab, merges=merges)
    tokenizer.model_max_length = length
    return tokenizer


def _text_encoder(projection: bool, width: int = 16) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=64,
        hidden_size=width,
        intermediate_size=32,
        projection_dim=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=12,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config).eval()


def _vae(channels: int = 4, **changes: Any) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        block_out_channels=[8, 8],
        norm_num_groups=4,
        latent_channels=channels,
        sample_size=16,
        **changes,
    ).eval()


def _unet(**changes: Any) -> Any:
    from diffusers import UNet2DConditionModel

    arguments: dict[str, Any] = {
        "sample_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 16,
        "attention_head_dim": 4,
    }
    return UNet2DConditionModel(**{**arguments, **changes}).eval()


def _weights(pipe: Any) -> Any:
    """Keyed weights (fan-in scaled), so that no test depends on torch's global generator."""
    import torch

    from harness import keys

    for name, part in sorted(pipe.components.items()):
        if not isinstance(part, torch.nn.Module):
            continue
        for key, value in part.named_parameters():
            fan = max(1, math.prod(value.shape[1:])) if value.ndim > 1 else 25
            drawn = keys.normal(tuple(value.shape), 0, "world", name, key) / math.sqrt(fan)
            value.data.copy_(
                drawn + (1.0 if key.endswith("norm.weight") or (".norm" in key and value.ndim == 1) else 0)
            )
            value.requires_grad_(False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _t5() -> tuple[Any, Any]:
    from transformers import T5Config, T5EncoderModel, T5TokenizerFast

    letters = "abcdefghijklmnopqrstuvwxyz0123456789,.:"
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((c, -3.0) for c in letters)]
    config = T5Config(
        vocab_size=64, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2, feed_forward_proj="gated-gelu"
    )
    return T5EncoderModel(config).eval(), T5TokenizerFast(vocab=pieces, extra_ids=0)


def _flux(guidance: bool) -> Any:
    """guidance: whether the network has a guidance input (FLUX.1-dev) or not (FLUX.1-schnell)."""
    import diffusers

    transformer = diffusers.FluxTransformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=16,
        guidance_embeds=guidance,
        axes_dims_rope=(4, 4, 8),
    ).eval()
    second, tokenizer_2 = _t5()
    return diffusers.FluxPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(
            shift=3.0 if guidance else 1.0, use_dynamic_shifting=guidance
        ),
        vae=_vae(shift_factor=0.12, scaling_factor=0.36),
        text_encoder=_text_encoder(False),
        tokenizer=_tokenizer(),
        text_encoder_2=second,
        tokenizer_2=tokenizer_2,
        transformer=transformer,
    )


def _dit(tied: bool) -> Any:
    """1000 classes; tied: one table of class embeddings for all blocks, as in the published checkpoints."""
    import diffusers

    transformer = diffusers.DiTTransformer2DModel(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=4,
        out_channels=8,
        num_layers=2,
        sample_size=8,
        patch_size=2,
        num_embeds_ada_norm=1000,
    ).eval()
    scheduler = diffusers.DDIMScheduler(clip_sample=False, set_alpha_to_one=True)
    names = {"207": "golden retriever", "1": "goldfish, Carassius auratus"}
    pipe = _weights(diffusers.DiTPipeline(transformer=transformer, vae=_vae(), scheduler=scheduler, id2label=names))
    if tied:
        tables = [b.norm1.emb.class_embedder.embedding_table.weight for b in transformer.transformer_blocks]
        for table in tables[1:]:
            table.data.copy_(tables[0])
    return pipe


KINDS = ("sd", "sdxl", "sd3", "flux-dev", "flux-schnell", "dit", "dit-untied")


@lru_cache
def build_pipeline(kind: str, prediction: str = "epsilon") -> Any:
    """A tiny random pipeline of a kind (KINDS). One a session; schedulers are replaced, never changed."""
    import diffusers

    if kind in ("flux-dev", "flux-schnell"):
        return _weights(_flux(guidance=kind == "flux-dev"))
    if kind in ("dit", "dit-untied"):
        return _dit(tied=kind == "dit")

    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
    ddim = diffusers.DDIMScheduler(
        clip_sample=False, set_alpha_to_one=False, prediction_type=prediction, timestep_spacing="leading", **schedule
    )
    if kind == "sd":
        pipe = diffusers.StableDiffusionPipeline(
            vae=_vae(),
            text_encoder=_text_encoder(False),
            tokenizer=_tokenizer(),
            unet=_unet(),
            scheduler=ddim,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    elif kind == "sdxl":
        unet = _unet(
            cross_attention_dim=32,
            addition_embed_type="text_time",
            addition_time_embed_dim=4,
            projection_class_embeddings_input_dim=16 + 6 * 4,
            use_linear_projection=True,
        )
        pipe = diffusers.StableDiffusionXLPipeline(
            vae=_vae(force_upcast=True),
            text_encoder=_text_encoder(False),
            text_encoder_2=_text_encoder(True),
            tokenizer=_tokenizer(),
            tokenizer_2=_tokenizer(),
            unet=unet,
            scheduler=diffusers.EulerDiscreteScheduler(timestep_spacing="leading", **schedule),
            add_watermarker=False,
        )
    else:
        transformer = diffusers.SD3Transformer2DModel(
            sample_size=8,
            patch_size=2,
            in_channels=4,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=40,
            caption_projection_dim=16,
            pooled_projection_dim=32,
            out_channels=4,
            pos_embed_max_size=16,
        ).eval()
        pipe = diffusers.StableDiffusion3Pipeline(
            transformer=transformer,
            scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
            vae=_vae(shift_factor=0.06, scaling_factor=1.5),
            text_encoder=_text_encoder(True),
            tokenizer=_tokenizer(),
            text_encoder_2=_text_encoder(True),
            tokenizer_2=_tokenizer(),
            text_encoder_3=None,
            tokenizer_3=None,
        )
    return _weights(pipe)
