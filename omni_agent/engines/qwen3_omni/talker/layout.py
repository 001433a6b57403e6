"""Names and shapes of every tensor the speech half reads, from the config alone.

The published checkpoint stores experts one by one
(``mlp.experts.N.{gate,up,down}_proj``) and its names are fixed; this module is
the one place that spells them.
"""

from __future__ import annotations

from collections.abc import Iterator

from omni_agent.engines.qwen3_omni.talker.config import (
    BackboneConfig,
    Code2WavConfig,
    OmniConfig,
    PredictorConfig,
    TalkerConfig,
)

Shape = tuple[int, ...]
Entry = tuple[str, Shape]

TEXT_EMBEDDING = "thinker.model.embed_tokens.weight"
DILATIONS = (1, 3, 9)  # of a decoder block's three residual units
CONVNEXT_KERNEL = 7
CONV_KERNEL = 7


def runtime_layout(config: OmniConfig) -> dict[str, Shape]:
    """Every tensor the runtime loads: Talker, Code2Wav, and the Thinker's embedding table."""
    text = config.thinker_config.text_config
    entries: dict[str, Shape] = {TEXT_EMBEDDING: (text.vocab_size, text.hidden_size)}
    entries.update(talker_layout(config.talker_config))
    entries.update(code2wav_layout(config.code2wav_config))
    return entries


def talker_layout(config: TalkerConfig) -> Iterator[Entry]:
    text = config.text_config
    hidden = text.hidden_size
    for layer in range(text.num_hidden_layers):
        yield from _backbone_layer(f"talker.model.layers.{layer}", text)
    yield "talker.model.norm.weight", (hidden,)
    yield "talker.model.codec_embedding.weight", (text.vocab_size, hidden)
    for projection in ("text_projection", "hidden_projection"):
        inner = text.intermediate_size
        yield f"talker.{projection}.linear_fc1.weight", (inner, config.thinker_hidden_size)
        yield f"talker.{projection}.linear_fc1.bias", (inner,)
        yield f"talker.{projection}.linear_fc2.weight", (hidden, inner)
        yield f"talker.{projection}.linear_fc2.bias", (hidden,)
    yield "talker.codec_head.weight", (text.vocab_size, hidden)
    yield from _predictor(config.code_predictor_config)


def _attention(
    prefix: str, hidden: int, heads: int, kv_heads: int, head_dim: int, *, normed: bool
) -> Iterator[Entry]:
    yield f"{prefix}.self_attn.q_proj.weight", (heads * head_dim, hidden)
    yield f"{prefix}.self_attn.k_proj.weight", (kv_heads * head_dim, hidden)
    yield f"{prefix}.self_attn.v_proj.weight", (kv_heads * head_dim, hidden)
    yield f"{prefix}.self_attn.o_proj.weight", (hidden, heads * head_dim)
    if normed:
        yield f"{prefix}.self_attn.q_norm.weight", (head_dim,)
        yield f"{prefix}.self_attn.k_norm.weight", (head_dim,)
    yield f"{prefix}.input_layernorm.weight", (hidden,)
    yield f"{prefix}.post_attention_layernorm.weight", (hidden,)


def _mlp(prefix: str, hidden: int, inner: int) -> Iterator[Entry]:
    yield f"{prefix}.gate_proj.weight", (inner, hidden)
    yield f"{prefix}.up_proj.weight", (inner, hidden)
    yield f"{prefix}.down_proj.weight", (hidden, inner)


def _backbone_layer(prefix: str, config: BackboneConfig) -> Iterator[Entry]:
    hidden = config.hidden_size
    yield from _attention(
        prefix,
        hidden,
        config.num_attention_heads,
        config.num_key_value_heads,
        config.head_dim,
        normed=True,
    )
    yield f"{prefix}.mlp.gate.weight", (config.num_experts, hidden)
    for expert in range(config.num_experts):
        yield from _mlp(f"{prefix}.mlp.experts.{expert}", hidden, config.moe_intermediate_size)
    yield from _mlp(f"{prefix}.mlp.shared_expert", hidden, config.shared_expert_intermediate_size)
    yield f"{prefix}.mlp.shared_expert_gate.weight", (1, hidden)


def _predictor(config: PredictorConfig) -> Iterator[Entry]:
    prefix, hidden = "talker.code_predictor", config.hidden_size
    for index in range(config.num_hidden_layers):
        layer = f"{prefix}.model.layers.{index}"
        yield from _attention(
            layer,
            hidden,
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
            normed=True,
        )
        yield from _mlp(f"{layer}.mlp", hidden, config.intermediate_size)
    yield f"{prefix}.model.norm.weight", (hidden,)
    for index in range(config.num_code_groups - 1):
        yield f"{prefix}.model.codec_embedding.{index}.weight", (config.vocab_size, hidden)
        yield f"{prefix}.lm_head.{index}.weight", (config.vocab_size, hidden)


def code2wav_layout(config: Code2WavConfig) -> Iterator[Entry]:
    hidden = config.hidden_size
    for index in range(config.num_hidden_layers):
        layer = f"code2wav.pre_transformer.layers.{index}"
        heads = config.num_attention_heads
        yield from _attention(layer, hidden, heads, heads, config.head_dim, normed=False)
        yield from _mlp(f"{layer}.mlp", hidden, config.intermediate_size)
        yield f"{layer}.self_attn_layer_scale.scale", (hidden,)
        yield f"{layer}.mlp_layer_scale.scale", (hidden,)
    yield "code2wav.pre_transformer.norm.weight", (hidden,)
    rows = config.codebook_size * config.num_quantizers
    yield "code2wav.code_embedding.weight", (rows, hidden)
    for index, factor in enumerate(config.upsampling_ratios):
        yield from _convnext(f"code2wav.upsample.{index}", hidden, factor)
    width = config.decoder_dim
    yield from _conv("code2wav.decoder.0.conv", (width, hidden, CONV_KERNEL))
    for index, rate in enumerate(config.upsample_rates, start=1):
        yield from _decoder_block(f"code2wav.decoder.{index}.block", width, rate)
        width //= 2
    after = len(config.upsample_rates) + 1
    yield from _snake(f"code2wav.decoder.{after}", width)
    yield from _conv(f"code2wav.decoder.{after + 1}.conv", (1, width, CONV_KERNEL))


def _conv(prefix: str, shape: Shape) -> Iterator[Entry]:
    yield f"{prefix}.weight", shape
    yield f"{prefix}.bias", (shape[0],)


def _snake(prefix: str, width: int) -> Iterator[Entry]:
    yield f"{prefix}.alpha", (width,)
    yield f"{prefix}.beta", (width,)


def _convnext(prefix: str, hidden: int, factor: int) -> Iterator[Entry]:
    yield from _conv(f"{prefix}.0.conv", (hidden, hidden, factor))
    yield f"{prefix}.1.gamma", (hidden,)
    yield from _conv(f"{prefix}.1.dwconv.conv", (hidden, 1, CONVNEXT_KERNEL))
    yield f"{prefix}.1.norm.weight", (hidden,)
    yield f"{prefix}.1.norm.bias", (hidden,)
    yield from _conv(f"{prefix}.1.pwconv1", (4 * hidden, hidden))
    yield from _conv(f"{prefix}.1.pwconv2", (hidden, 4 * hidden))


def _decoder_block(prefix: str, width: int, rate: int) -> Iterator[Entry]:
    out = width // 2
    yield from _snake(f"{prefix}.0", width)
    # A transposed convolution stores (in, out, kernel); its bias is per output.
    yield f"{prefix}.1.conv.weight", (width, out, 2 * rate)
    yield f"{prefix}.1.conv.bias", (out,)
    for unit in range(2, 2 + len(DILATIONS)):
        yield from _snake(f"{prefix}.{unit}.act1", out)
        yield from _conv(f"{prefix}.{unit}.conv1.conv", (out, out, CONV_KERNEL))
        yield from _snake(f"{prefix}.{unit}.act2", out)
        yield from _conv(f"{prefix}.{unit}.conv2.conv", (out, out, 1))
