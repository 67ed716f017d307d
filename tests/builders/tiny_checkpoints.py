"""Tiny random checkpoints of the very classes of transformers: translators, codecs and recognisers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    PLBartConfig,
    PLBartForConditionalGeneration,
    T5Config,
    T5ForConditionalGeneration,
)


def translator(kind: str, size: int, pad: int, end: int) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        shared = {"vocab_size": size, "d_model": 32, "pad_token_id": pad, "eos_token_id": end}
        if kind in ("t5", "tied"):
            config = T5Config(
                **shared, d_kv=8, num_heads=4, d_ff=64, num_layers=2, num_decoder_layers=2, decoder_start_token_id=pad,
                feed_forward_proj="gated-gelu" if kind == "tied" else "relu", tie_word_embeddings=kind == "tied",
            )  # fmt: skip
            made: Any = T5ForConditionalGeneration(config)
        else:
            layers = dict.fromkeys(("encoder_layers", "decoder_layers"), 2)
            heads = dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4)
            wide = dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 48)
            more = {"max_position_embeddings": 256, "bos_token_id": 1, "decoder_start_token_id": end}
            config_of, of = {
                "bart": (BartConfig, BartForConditionalGeneration),
                "plbart": (PLBartConfig, PLBartForConditionalGeneration),
            }[kind]
            made = of(config_of(**shared, **layers, **heads, **wide, **more, forced_eos_token_id=None))
        for parameter in made.parameters():  # so that what is drawn differs from source to source
            parameter.data.mul_(10.0)
        if kind in ("bart", "plbart"):  # a random one would end at once
            made.final_logits_bias[:, end] = -30.0
    return made


def speech_model(folder: Path, name: str) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if name == "encodec":
            config = transformers.EncodecConfig(
                num_filters=4, hidden_size=8, codebook_dim=8, codebook_size=16, num_lstm_layers=1
            )
            network = transformers.EncodecModel(config)
            for layer in network.quantizer.layers:  # an untrained codebook is all zeros, and the decoder then silent
                layer.codebook.embed.normal_()
        else:
            config = transformers.SpeechT5HifiGanConfig(
                upsample_initial_channel=32, resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1, 3]]
            )
            network = transformers.SpeechT5HifiGan(config)
            for part in network.modules():
                if isinstance(part, torch.nn.Conv1d | torch.nn.ConvTranspose1d):
                    part.weight.data.normal_(0, 0.2)
        network.save_pretrained(folder)
    return folder


def whisper(folder: Path) -> Path:
    from tokenizers.pre_tokenizers import ByteLevel

    vocabulary = {c: i for i, c in enumerate([*sorted(ByteLevel.alphabet()), "<|endoftext|>"])}
    tokenizer = transformers.WhisperTokenizer(vocab=vocabulary, merges=[])
    end = vocabulary["<|endoftext|>"]
    config = transformers.WhisperConfig(
        vocab_size=len(vocabulary),
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        d_model=16,
        max_target_positions=32,
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
        decoder_start_token_id=end,
        begin_suppress_tokens=None,
        suppress_tokens=None,
    )
    network = transformers.WhisperForConditionalGeneration(config)
    network.save_pretrained(folder)
    transformers.WhisperProcessor(transformers.WhisperFeatureExtractor(), tokenizer).save_pretrained(folder)
    return folder


def wav2vec2(folder: Path) -> Path:
    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "A": 5, "B": 6, "C": 7}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    tokenizer = transformers.Wav2Vec2CTCTokenizer(str(folder / "vocab.json"))
    config = transformers.Wav2Vec2Config(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8, 8),
        conv_kernel=(10, 8),
        conv_stride=(5, 4),
        num_feat_extract_layers=2,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        pad_token_id=0,
    )
    transformers.Wav2Vec2ForCTC(config).save_pretrained(folder)
    transformers.Wav2Vec2Processor(transformers.Wav2Vec2FeatureExtractor(), tokenizer).save_pretrained(folder)
    return folder
