"""Code2Wav's weights, fused, with SnakeBeta's parameters already exponentiated."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from omni_agent.engines.qwen3_omni.talker.config import Code2WavConfig
from omni_agent.engines.qwen3_omni.talker.layout import DILATIONS
from omni_agent.engines.qwen3_omni.talker.reading import Reader

# Added to SnakeBeta's exp(beta) before dividing, as in the reference model.
_SNAKE_EPS = 1e-9


@dataclass(frozen=True, slots=True)
class Conv:
    weight: Tensor
    bias: Tensor


@dataclass(frozen=True, slots=True)
class Transposed:
    """A stride-s transposed convolution as one matrix product per input sample.

    With kernel 2s, output block j is made of inputs j and j - 1: weight
    (s * out, 2 in), the newer input's half first. With kernel s, of input j alone:
    weight (s * out, in). Rows run over the block's samples, then channels.
    """

    weight: Tensor
    bias: Tensor  # (out,)
    rate: int


@dataclass(frozen=True, slots=True)
class Snake:
    """x + inverse * sin(x * frequency)^2, with exp(alpha) and 1 / exp(beta) precomputed."""

    frequency: Tensor  # (C, 1)
    inverse: Tensor  # (C, 1)


@dataclass(frozen=True, slots=True)
class WavLayer:
    """A layer of the sliding-window transformer. The layer scales are folded into out and down."""

    norm1: Tensor
    qkv: Tensor  # (3 H, H)
    out: Tensor  # (H, H)
    norm2: Tensor
    gate_up: Tensor  # (2 I, H)
    down: Tensor  # (H, I)


@dataclass(frozen=True, slots=True)
class Upsample:
    """A k = s transposed convolution and a ConvNeXt block (gamma folded into pwconv2)."""

    transposed: Transposed
    depthwise: Conv
    norm: Conv  # LayerNorm's weight and bias
    wide: Conv
    narrow: Conv


@dataclass(frozen=True, slots=True)
class ResidualUnit:
    snake1: Snake
    conv1: Conv
    snake2: Snake
    pointwise: Conv  # (C, C), (C, 1): a 1 x 1 convolution as a product
    dilation: int


@dataclass(frozen=True, slots=True)
class DecoderBlock:
    snake: Snake
    transposed: Transposed
    units: tuple[ResidualUnit, ...]


@dataclass(frozen=True, slots=True)
class Code2WavWeights:
    embedding: Tensor  # (16 * codebook, H)
    layers: tuple[WavLayer, ...]
    norm: Tensor
    upsamples: tuple[Upsample, ...]
    conv_in: Conv  # (decoder width, k H), (decoder width, 1): see wav_convs.wide_conv
    blocks: tuple[DecoderBlock, ...]
    snake_out: Snake
    conv_out: Conv


def read_code2wav(config: Code2WavConfig, reader: Reader) -> Code2WavWeights:
    last = len(config.upsample_rates) + 1
    return Code2WavWeights(
        embedding=reader.one("code2wav.code_embedding.weight"),
        layers=tuple(_layer(reader, index) for index in range(config.num_hidden_layers)),
        norm=reader.one("code2wav.pre_transformer.norm.weight"),
        upsamples=tuple(
            _upsample(reader, index, rate) for index, rate in enumerate(config.upsampling_ratios)
        ),
        conv_in=_wide(reader, "code2wav.decoder.0.conv"),
        blocks=tuple(
            _block(reader, index, rate) for index, rate in enumerate(config.upsample_rates, start=1)
        ),
        snake_out=_snake(reader, f"code2wav.decoder.{last}"),
        conv_out=_conv(reader, f"code2wav.decoder.{last + 1}.conv"),
    )


def _conv(reader: Reader, prefix: str) -> Conv:
    return Conv(reader.one(f"{prefix}.weight"), reader.one(f"{prefix}.bias"))


def _transposed(reader: Reader, prefix: str, rate: int) -> Transposed:
    stored = _conv(reader, prefix)  # (in, out, kernel)
    taps = stored.weight.permute(2, 1, 0)  # (kernel, out, in)
    halves = [taps[begin : begin + rate].flatten(0, 1) for begin in range(0, len(taps), rate)]
    weight = torch.cat(halves, dim=1)
    return Transposed(weight.contiguous(), stored.bias, rate)


def _pointwise(reader: Reader, prefix: str) -> Conv:
    stored = _conv(reader, prefix)
    return Conv(stored.weight.squeeze(-1), stored.bias.unsqueeze(-1))


def _wide(reader: Reader, prefix: str) -> Conv:
    stored = _conv(reader, prefix)
    weight = stored.weight.permute(0, 2, 1).flatten(1).contiguous()
    return Conv(weight, stored.bias.unsqueeze(-1))


def _snake(reader: Reader, prefix: str) -> Snake:
    alpha, beta = reader.one(f"{prefix}.alpha"), reader.one(f"{prefix}.beta")
    frequency = torch.exp(alpha).unsqueeze(-1)
    return Snake(frequency, (1.0 / (torch.exp(beta) + _SNAKE_EPS)).unsqueeze(-1))


def _layer(reader: Reader, index: int) -> WavLayer:
    prefix = f"code2wav.pre_transformer.layers.{index}"
    attention_scale = reader.one(f"{prefix}.self_attn_layer_scale.scale")
    mlp_scale = reader.one(f"{prefix}.mlp_layer_scale.scale")
    return WavLayer(
        norm1=reader.one(f"{prefix}.input_layernorm.weight"),
        qkv=reader.joined([f"{prefix}.self_attn.{part}_proj.weight" for part in "qkv"]),
        out=reader.one(f"{prefix}.self_attn.o_proj.weight").mul_(attention_scale.unsqueeze(-1)),
        norm2=reader.one(f"{prefix}.post_attention_layernorm.weight"),
        gate_up=reader.joined([f"{prefix}.mlp.gate_proj.weight", f"{prefix}.mlp.up_proj.weight"]),
        down=reader.one(f"{prefix}.mlp.down_proj.weight").mul_(mlp_scale.unsqueeze(-1)),
    )


def _upsample(reader: Reader, index: int, rate: int) -> Upsample:
    prefix = f"code2wav.upsample.{index}"
    gamma = reader.one(f"{prefix}.1.gamma")
    narrow = _conv(reader, f"{prefix}.1.pwconv2")
    return Upsample(
        transposed=_transposed(reader, f"{prefix}.0.conv", rate),
        depthwise=_conv(reader, f"{prefix}.1.dwconv.conv"),
        norm=_conv(reader, f"{prefix}.1.norm"),
        wide=_conv(reader, f"{prefix}.1.pwconv1"),
        narrow=Conv(narrow.weight.mul_(gamma.unsqueeze(-1)), narrow.bias.mul_(gamma)),
    )


def _block(reader: Reader, index: int, rate: int) -> DecoderBlock:
    prefix = f"code2wav.decoder.{index}.block"
    units = tuple(
        ResidualUnit(
            snake1=_snake(reader, f"{prefix}.{unit}.act1"),
            conv1=_conv(reader, f"{prefix}.{unit}.conv1.conv"),
            snake2=_snake(reader, f"{prefix}.{unit}.act2"),
            pointwise=_pointwise(reader, f"{prefix}.{unit}.conv2.conv"),
            dilation=dilation,
        )
        for unit, dilation in enumerate(DILATIONS, start=2)
    )
    return DecoderBlock(
        snake=_snake(reader, f"{prefix}.0"),
        transposed=_transposed(reader, f"{prefix}.1.conv", rate),
        units=units,
    )
