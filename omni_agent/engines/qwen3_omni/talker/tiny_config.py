"""The config and tokenizer of tiny checkpoints: the published ones, scaled down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# A tiny vocabulary: 256 bytes, a few merges, then the special tokens.
_BYTES = 256
_MERGES = (
    ("u", "s"), ("e", "r"), ("us", "er"), ("s", "y"), ("sy", "s"), ("t", "e"), ("te", "m"),
    ("sys", "tem"), ("a", "s"), ("as", "s"), ("i", "s"), ("t", "a"), ("n", "t"), ("ass", "is"),
    ("ta", "nt"), ("assis", "tant"), ("Ġ", "t"), ("h", "e"), ("Ġt", "he"), ("l", "l"),
    ("he", "ll"), ("hell", "o"),
)  # fmt: skip
_SPECIALS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
    "<|image_pad|>", "<|video_pad|>", "<|audio_start|>", "<|audio_end|>", "<tts_pad>",
    "<tts_text_bos>", "<tts_text_eod>", "<|audio_pad|>",
)  # fmt: skip
_FIRST_SPECIAL = 300
_VOCAB = 320


def byte_encoding() -> dict[int, str]:
    """Byte to its printable stand-in of byte-level BPE, in the order of token ids (GPT-2's)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in set(printable)]
    shifted = {byte: chr(256 + index) for index, byte in enumerate(rest)}
    return {byte: chr(byte) for byte in printable} | shifted


def _vocabulary() -> dict[str, int]:
    symbols = [*byte_encoding().values()] + ["".join(pair) for pair in _MERGES]
    return {symbol: index for index, symbol in enumerate(symbols)}


def special_ids() -> dict[str, int]:
    return {name: _FIRST_SPECIAL + index for index, name in enumerate(_SPECIALS)}


def tiny_tokenizer() -> dict[str, str]:
    """``vocab.json``, ``merges.txt`` and ``tokenizer_config.json`` by file name."""
    added = {
        str(index): {"content": name, "special": True} for name, index in special_ids().items()
    }
    return {
        "vocab.json": json.dumps(_vocabulary(), ensure_ascii=False),
        "merges.txt": "".join(f"{a} {b}\n" for a, b in _MERGES),
        "tokenizer_config.json": json.dumps({"added_tokens_decoder": added}),
    }


def tiny_config(
    ids: Mapping[str, int] | None = None, roles: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """A raw ``config.json`` whose every part has the published structure.

    ids, roles: of the special tokens, and of the words ``system``, ``user`` and
    ``assistant``; the tiny vocabulary's by default.
    """
    ids, roles = ids or special_ids(), roles or _vocabulary()
    shared = {
        "audio_token_id": ids["<|audio_pad|>"],
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "audio_start_token_id": ids["<|audio_start|>"],
        "audio_end_token_id": ids["<|audio_end|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "position_id_per_seconds": 13,
        "seconds_per_chunk": 2,
    }
    return {
        "architectures": ["Qwen3OmniMoeForConditionalGeneration"],
        "model_type": "qwen3_omni_moe",
        "dtype": "float32",
        "enable_audio_output": True,
        "im_start_token_id": ids["<|im_start|>"],
        "im_end_token_id": ids["<|im_end|>"],
        "tts_pad_token_id": ids["<tts_pad>"],
        "tts_bos_token_id": ids["<tts_text_bos>"],
        "tts_eos_token_id": ids["<tts_text_eod>"],
        "system_token_id": roles["system"],
        "user_token_id": roles["user"],
        "assistant_token_id": roles["assistant"],
        "thinker_config": {
            **shared,
            "vision_end_token_id": ids["<|vision_end|>"],
            "user_token_id": roles["user"],
            "text_config": _thinker_text(),
            "audio_config": _audio(),
            "vision_config": _vision(),
        },
        "talker_config": {**shared, **_talker()},
        "code2wav_config": _code2wav(),
    }


def _thinker_text() -> dict[str, Any]:
    return {
        "vocab_size": _VOCAB, "hidden_size": 48, "intermediate_size": 32,
        "num_hidden_layers": 6, "num_attention_heads": 4, "num_key_value_heads": 2,
        "head_dim": 16, "moe_intermediate_size": 32, "num_experts": 4,
        "num_experts_per_tok": 2, "norm_topk_prob": True, "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-6, "decoder_sparse_step": 1, "mlp_only_layers": [],
        "rope_parameters": {
            "rope_type": "default", "rope_theta": 1000000.0, "mrope_section": [4, 2, 2],
            "interleaved": True, "mrope_interleaved": True,
        },
    }  # fmt: skip


def _audio() -> dict[str, Any]:
    return {
        "d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 64,
        "downsample_hidden_size": 8, "n_window": 50, "n_window_infer": 800,
        "conv_chunksize": 500, "num_mel_bins": 128, "output_dim": 48,
        "max_source_positions": 1500,
    }  # fmt: skip


def _vision() -> dict[str, Any]:
    return {
        "depth": 4, "hidden_size": 32, "intermediate_size": 64, "num_heads": 4,
        "patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2,
        "out_hidden_size": 48, "num_position_embeddings": 64, "in_channels": 3,
        "deepstack_visual_indexes": [0, 1, 2], "hidden_act": "gelu_pytorch_tanh",
    }  # fmt: skip


def _talker() -> dict[str, Any]:
    return {
        "accept_hidden_layer": 4,
        # The control ids begin 1024 below the vocabulary's end, as published.
        "codec_pad_id": 164, "codec_bos_id": 165, "codec_eos_token_id": 166,
        "codec_nothink_id": 171, "codec_think_bos_id": 172, "codec_think_eos_id": 173,
        "num_code_groups": 16, "thinker_hidden_size": 48, "spatial_merge_size": 2,
        "speaker_id": {"chelsie": 201, "ethan": 202, "aiden": 203},
        "text_config": {
            "vocab_size": 64 + 1024, "hidden_size": 32, "intermediate_size": 48,
            "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
            "head_dim": 16, "moe_intermediate_size": 24, "num_experts": 8,
            "num_experts_per_tok": 3, "shared_expert_intermediate_size": 40,
            "norm_topk_prob": True, "max_position_embeddings": 8192, "mlp_only_layers": [],
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 1000000.0,
                "mrope_section": [4, 2, 2], "interleaved": True,
            },
        },
        "code_predictor_config": {
            "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "head_dim": 16, "num_code_groups": 16, "max_position_embeddings": 8192,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
        },
    }  # fmt: skip


def _code2wav() -> dict[str, Any]:
    return {
        "codebook_size": 64, "num_quantizers": 16, "hidden_size": 32, "intermediate_size": 48,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
        "sliding_window": 72, "decoder_dim": 48, "upsample_rates": [8, 5, 4, 3],
        "upsampling_ratios": [2, 2], "rms_norm_eps": 1e-5, "max_position_embeddings": 8000,
        "layer_scale_initial_scale": 0.01,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    }  # fmt: skip
