"""Code2Wav's weights, fused, with SnakeBeta's parameters already exponentiated."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from omni_agent.engines.qwen3_omni.talker.config import Code2WavConfig
from omni_agent.engines.qwen3_omni.talker.layout import CONV_KERNEL, DILATIONS
from omni_agent.engines.qwen3_omni.talker.products import Convolution, Product
from omni_agent.engines.qwen3_omni.talker.reading import Reader

# Added to SnakeBeta's exp(beta) before dividing, as in the reference model.
_SNAKE_EPS = 1e-9


@dataclass(frozen=True, slots=True)
class Depthwise:
    weight: Tensor  # (C, kernel)
    bias: Tensor  # (C,)


@dataclass(frozen=True, slots=True)
class Norm:
    weight: Tensor  # (C,)
    bias: Tensor  # (C,)


@dataclass(frozen=True, slots=True)
class Snake:
    """x + inverse * sin(x * frequency)^2, with exp(alpha) and 1 / exp(beta) precomputed."""

    frequency: Tensor  # (C,)
    inverse: Tensor  # (C,)

    def pair(self) -> tuple[Tensor, Tensor]:
        return self.frequency, self.inverse


@dataclass(frozen=True, slots=True)
class WavLayer:
    """A layer of the sliding-window transformer. The layer scales are out's and down's gains."""

    norm1: Tensor
    qkv: Product  # (3 H, H)
    out: Product  # (H, H)
    norm2: Tensor
    gate_up: Product  # (2 I, H)
    down: Product  # (H, I)


@dataclass(frozen=True, slots=True)
class Upsample:
    """A transposed convolution and a ConvNeXt block (gamma is narrow's gain).

    expand: the convolution, with kernel = stride: each input makes ``rate`` outputs.
    """

    expand: Product  # (rate H, H)
    rate: int
    depthwise: Depthwise
    norm: Norm
    wide: Product
    narrow: Product


@dataclass(frozen=True, slots=True)
class ResidualUnit:
    snake1: Snake
    conv1: Convolution
    snake2: Snake
    conv2: Product  # (C, C): a 1 x 1 convolution


@dataclass(frozen=True, slots=True)
class DecoderBlock:
    """A transposed convolution and three residual units.

    expand: the convolution, with kernel = 2 stride: a pair of inputs, j - 1 and j, makes
    the ``rate`` outputs of block j. So it is a convolution of two taps.
    """

    snake: Snake
    expand: Convolution  # (rate C / 2, C, 2)
    rate: int
    units: tuple[ResidualUnit, ...]


@dataclass(frozen=True, slots=True)
class Code2WavWeights:
    embedding: Tensor  # (16 * codebook, H)
    layers: tuple[WavLayer, ...]
    norm: Tensor
    upsamples: tuple[Upsample, ...]
    conv_in: Convolution
    blocks: tuple[DecoderBlock, ...]
    snake_out: Snake
    taps_out: Product  # (k, C): the last convolution, one tap a row; see wav_convs.add_taps
    bias_out: Tensor  # (1,)

    def kept(self) -> list[tuple[int, int]]:
        """(inputs, channels) kept for each convolution, in decoding order."""
        kept = []
        for stage in self.upsamples:
            channels, kernel = stage.depthwise.weight.shape
            kept.append((kernel - 1, channels))
        convolutions = [self.conv_in]
        for block in self.blocks:
            convolutions += [block.expand, *(unit.conv1 for unit in block.units)]
        kept += [(each.kept, each.channels) for each in convolutions]
        return [*kept, (CONV_KERNEL - 1, self.snake_out.inverse.shape[0])]


def read_code2wav(config: Code2WavConfig, reader: Reader) -> Code2WavWeights:
    """Read the decoder's tensors; its products are laid out for one frame a call."""
    rows, last = 1, len(config.upsample_rates) + 1  # rows: of the product being read
    layers = tuple(_layer(reader, index) for index in range(config.num_hidden_layers))
    upsamples = []
    for index, rate in enumerate(config.upsampling_ratios):
        upsamples.append(_upsample(reader, index, rate, rows))
        rows *= rate
    conv_in = _conv(reader, "code2wav.decoder.0.conv", rows)
    blocks = []
    for index, rate in enumerate(config.upsample_rates, start=1):
        blocks.append(_block(reader, index, rate, rows))
        rows *= rate
    conv_out = reader.one(f"code2wav.decoder.{last + 1}.conv.weight")  # (1, C, k)
    return Code2WavWeights(
        embedding=reader.one("code2wav.code_embedding.weight"),
        layers=layers,
        norm=reader.one("code2wav.pre_transformer.norm.weight"),
        upsamples=tuple(upsamples),
        conv_in=conv_in,
        blocks=tuple(blocks),
        snake_out=_snake(reader, f"code2wav.decoder.{last}"),
        taps_out=Product.of(conv_out.squeeze(0).T.contiguous(), rows=rows),
        bias_out=reader.one(f"code2wav.decoder.{last + 1}.conv.bias"),
    )


def _conv(reader: Reader, prefix: str, rows: int, dilation: int = 1) -> Convolution:
    weight, bias = reader.one(f"{prefix}.weight"), reader.one(f"{prefix}.bias")
    return Convolution.of(weight, bias, rows=rows, dilation=dilation)


def _expanding(reader: Reader, prefix: str, rate: int) -> tuple[Tensor, Tensor]:
    """A transposed convolution of stride ``rate`` as a convolution to blocks of ``rate`` outputs.

    Weight (rate * out, in, taps) and bias (rate * out,).
    """
    stored = reader.one(f"{prefix}.weight")  # (in, out, taps * rate), the newest input first
    taps = stored.view(*stored.shape[:2], -1, rate).flip(
        2
    )  # (in, out, taps, rate), the oldest first
    weight = taps.permute(3, 1, 0, 2).flatten(0, 1).contiguous()
    return weight, reader.one(f"{prefix}.bias").repeat(rate)


def _linear(reader: Reader, prefix: str, rows: int) -> Product:
    weight, bias = reader.one(f"{prefix}.weight"), reader.one(f"{prefix}.bias")
    return Product.of(weight.flatten(1), bias, rows=rows)


def _snake(reader: Reader, prefix: str) -> Snake:
    alpha, beta = reader.one(f"{prefix}.alpha"), reader.one(f"{prefix}.beta")
    return Snake(torch.exp(alpha), 1.0 / (torch.exp(beta) + _SNAKE_EPS))


def _layer(reader: Reader, index: int) -> WavLayer:
    prefix = f"code2wav.pre_transformer.layers.{index}"
    attention_scale = reader.one(f"{prefix}.self_attn_layer_scale.scale")
    mlp_scale = reader.one(f"{prefix}.mlp_layer_scale.scale")
    out = reader.one(f"{prefix}.self_attn.o_proj.weight")
    down = reader.one(f"{prefix}.mlp.down_proj.weight")
    qkv = reader.joined([f"{prefix}.self_attn.{part}_proj.weight" for part in "qkv"])
    gate_up = reader.joined([f"{prefix}.mlp.gate_proj.weight", f"{prefix}.mlp.up_proj.weight"])
    return WavLayer(
        norm1=reader.one(f"{prefix}.input_layernorm.weight"),
        qkv=Product.of(qkv, rows=1),
        out=Product.of(out, rows=1, gain=attention_scale),
        norm2=reader.one(f"{prefix}.post_attention_layernorm.weight"),
        gate_up=Product.of(gate_up, rows=1),
        down=Product.of(down, rows=1, gain=mlp_scale),
    )


def _upsample(reader: Reader, index: int, rate: int, rows: int) -> Upsample:
    """``rows``: of its input, a frame."""
    prefix = f"code2wav.upsample.{index}"
    gamma = reader.one(f"{prefix}.1.gamma")
    weight, bias = reader.one(f"{prefix}.1.pwconv2.weight"), reader.one(f"{prefix}.1.pwconv2.bias")
    after = rows * rate
    expand, expand_bias = _expanding(reader, f"{prefix}.0.conv", rate)
    return Upsample(
        expand=Product.of(expand.squeeze(2), expand_bias, rows=rows),
        rate=rate,
        depthwise=Depthwise(
            reader.one(f"{prefix}.1.dwconv.conv.weight").squeeze(1),
            reader.one(f"{prefix}.1.dwconv.conv.bias"),
        ),
        norm=Norm(reader.one(f"{prefix}.1.norm.weight"), reader.one(f"{prefix}.1.norm.bias")),
        wide=_linear(reader, f"{prefix}.1.pwconv1", after),
        narrow=Product.of(weight, bias.mul_(gamma), rows=after, gain=gamma),
    )


def _block(reader: Reader, index: int, rate: int, rows: int) -> DecoderBlock:
    """``rows``: of its input, a frame."""
    prefix, after = f"code2wav.decoder.{index}.block", rows * rate
    units = tuple(
        ResidualUnit(
            snake1=_snake(reader, f"{prefix}.{unit}.act1"),
            conv1=_conv(reader, f"{prefix}.{unit}.conv1.conv", after, dilation),
            snake2=_snake(reader, f"{prefix}.{unit}.act2"),
            conv2=_linear(reader, f"{prefix}.{unit}.conv2.conv", after),
        )
        for unit, dilation in enumerate(DILATIONS, start=2)
    )
    expand, expand_bias = _expanding(reader, f"{prefix}.1.conv", rate)
    return DecoderBlock(
        snake=_snake(reader, f"{prefix}.0"),
        expand=Convolution.of(expand, expand_bias, rows=rows),
        rate=rate,
        units=units,
    )
