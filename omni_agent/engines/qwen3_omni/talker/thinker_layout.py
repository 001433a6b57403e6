"""Names and shapes of the Thinker's tensors: for whole checkpoints, not for the runtime.

The runtime reads one Thinker tensor (its embedding table). ``make_tiny`` writes
complete checkpoints, so that the reference implementation and vLLM load them,
and a test holds the complete layout against the published one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omni_agent.engines.qwen3_omni.talker.layout import Entry

Raw = Mapping[str, Any]


def thinker_layout(config: Raw) -> Iterator[Entry]:
    """Every ``thinker.*`` tensor for a raw ``thinker_config``."""
    yield from _audio_tower(config["audio_config"])
    yield from _visual(config["vision_config"])
    yield from _text(config["text_config"])


def _linear(prefix: str, out: int, inner: int) -> Iterator[Entry]:
    yield f"{prefix}.weight", (out, inner)
    yield f"{prefix}.bias", (out,)


def _norm(prefix: str, width: int) -> Iterator[Entry]:
    yield f"{prefix}.weight", (width,)
    yield f"{prefix}.bias", (width,)


def _audio_tower(config: Raw) -> Iterator[Entry]:
    prefix, width, ffn = "thinker.audio_tower", config["d_model"], config["encoder_ffn_dim"]
    for index in range(config["encoder_layers"]):
        layer = f"{prefix}.layers.{index}"
        for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
            yield from _linear(f"{layer}.self_attn.{name}", width, width)
        yield from _norm(f"{layer}.self_attn_layer_norm", width)
        yield from _linear(f"{layer}.fc1", ffn, width)
        yield from _linear(f"{layer}.fc2", width, ffn)
        yield from _norm(f"{layer}.final_layer_norm", width)
    yield from _norm(f"{prefix}.ln_post", width)
    channels, bins = config["downsample_hidden_size"], config["num_mel_bins"]
    for index, inner in ((1, 1), (2, channels), (3, channels)):
        yield f"{prefix}.conv2d{index}.weight", (channels, inner, 3, 3)
        yield f"{prefix}.conv2d{index}.bias", (channels,)
    for _ in range(3):  # three stride-2 convolutions over the mel bins
        bins = (bins + 1) // 2
    yield f"{prefix}.conv_out.weight", (width, channels * bins)
    yield from _linear(f"{prefix}.proj1", width, width)
    yield from _linear(f"{prefix}.proj2", config["output_dim"], width)


def _visual(config: Raw) -> Iterator[Entry]:
    prefix, width = "thinker.visual", config["hidden_size"]
    merged = width * config["spatial_merge_size"] ** 2
    for index in range(len(config["deepstack_visual_indexes"])):
        yield from _merger(f"{prefix}.merger_list.{index}", merged, merged, config)
    patch, frames = config["patch_size"], config["temporal_patch_size"]
    yield (
        f"{prefix}.patch_embed.proj.weight",
        (width, config["in_channels"], frames, patch, patch),
    )
    yield f"{prefix}.patch_embed.proj.bias", (width,)
    yield f"{prefix}.pos_embed.weight", (config["num_position_embeddings"], width)
    for index in range(config["depth"]):
        block = f"{prefix}.blocks.{index}"
        yield from _norm(f"{block}.norm1", width)
        yield from _norm(f"{block}.norm2", width)
        yield from _linear(f"{block}.attn.qkv", 3 * width, width)
        yield from _linear(f"{block}.attn.proj", width, width)
        yield from _linear(f"{block}.mlp.linear_fc1", config["intermediate_size"], width)
        yield from _linear(f"{block}.mlp.linear_fc2", width, config["intermediate_size"])
    yield from _merger(f"{prefix}.merger", width, merged, config)


def _merger(prefix: str, norm: int, merged: int, config: Raw) -> Iterator[Entry]:
    yield from _norm(f"{prefix}.ln_q", norm)
    yield from _linear(f"{prefix}.mlp.0", merged, merged)
    yield from _linear(f"{prefix}.mlp.2", config["out_hidden_size"], merged)


def _text(config: Raw) -> Iterator[Entry]:
    hidden, vocab, head = config["hidden_size"], config["vocab_size"], config["head_dim"]
    yield "thinker.model.embed_tokens.weight", (vocab, hidden)
    for index in range(config["num_hidden_layers"]):
        layer = f"thinker.model.layers.{index}"
        queries = config["num_attention_heads"] * head
        keys = config["num_key_value_heads"] * head
        yield f"{layer}.self_attn.q_proj.weight", (queries, hidden)
        yield f"{layer}.self_attn.k_proj.weight", (keys, hidden)
        yield f"{layer}.self_attn.v_proj.weight", (keys, hidden)
        yield f"{layer}.self_attn.o_proj.weight", (hidden, queries)
        yield f"{layer}.self_attn.q_norm.weight", (head,)
        yield f"{layer}.self_attn.k_norm.weight", (head,)
        inner = config["moe_intermediate_size"]
        for expert in range(config["num_experts"]):
            mlp = f"{layer}.mlp.experts.{expert}"
            yield f"{mlp}.gate_proj.weight", (inner, hidden)
            yield f"{mlp}.up_proj.weight", (inner, hidden)
            yield f"{mlp}.down_proj.weight", (hidden, inner)
        yield f"{layer}.mlp.gate.weight", (config["num_experts"], hidden)
        yield f"{layer}.input_layernorm.weight", (hidden,)
        yield f"{layer}.post_attention_layernorm.weight", (hidden,)
    yield "thinker.model.norm.weight", (hidden,)
    yield "thinker.lm_head.weight", (vocab, hidden)
