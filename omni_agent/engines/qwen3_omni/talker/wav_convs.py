"""Code2Wav's convolutions over a piece of a stream, each with the inputs it still needs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from omni_agent.engines.qwen3_omni.talker.code2wav_weights import (
    DecoderBlock,
    ResidualUnit,
    Snake,
    Upsample,
)


class Taps:
    """The inputs kept for each convolution, met in decoding order; collects the new ones."""

    def __init__(self, kept: Sequence[Tensor]) -> None:
        self._old, self.new = iter(kept), list[Tensor]()

    def join(self, x: Tensor) -> Tensor:
        """The kept inputs, then x (B, C, T). As many of the newest are kept for next time."""
        old = next(self._old)
        joined = torch.cat((old, x), dim=-1)
        self.new.append(joined[..., joined.shape[-1] - old.shape[-1] :])
        return joined


def snake(x: Tensor, weights: Snake) -> Tensor:
    """SnakeBeta (BigVGAN, arXiv 2206.04658): x + sin(x * frequency)^2 * inverse; x (B, C, T)."""
    return torch.addcmul(x, torch.sin(x * weights.frequency).square_(), weights.inverse)


def upsample(x: Tensor, weights: Upsample, taps: Taps) -> Tensor:
    """x (B, H, T) to (B, H, 2 T): transposed convolution, then ConvNeXt (arXiv 2201.03545)."""
    factor = weights.transposed.weight.shape[-1]
    x = F.conv_transpose1d(x, weights.transposed.weight, weights.transposed.bias, stride=factor)
    depthwise = weights.depthwise
    y = F.conv1d(taps.join(x), depthwise.weight, depthwise.bias, groups=x.shape[1])
    y = y.transpose(1, 2)  # (B, 2 T, H)
    y = F.layer_norm(y, y.shape[-1:], weights.norm.weight, weights.norm.bias, eps=1e-6)
    y = F.gelu(F.linear(y, weights.wide.weight, weights.wide.bias))
    y = F.linear(y, weights.narrow.weight, weights.narrow.bias)
    return x + y.transpose(1, 2)


def decoder_block(
    x: Tensor, weights: DecoderBlock, taps: Taps, *, first: bool = False, tail: bool = False
) -> Tensor:
    """x (B, C, T) to (B, C / 2, n).

    n is rate * T; a block less where the stream begins (``first``), a block more
    where it ends (``tail``).
    """
    rate = weights.rate
    joined = taps.join(snake(x, weights.snake))  # (B, C, 1 + T)
    y = F.conv_transpose1d(
        joined, weights.transposed.weight, weights.transposed.bias, stride=rate
    )  # (B, C / 2, (2 + T) rate): the first block lacks its older input, the last its newer
    begin = 2 * rate if first else rate
    y = y[..., begin : y.shape[-1] if tail else y.shape[-1] - rate]
    for unit in weights.units:
        y = residual_unit(y, unit, taps)
    return y


def residual_unit(x: Tensor, weights: ResidualUnit, taps: Taps) -> Tensor:
    """x (B, C, T) to the same: snake, dilated causal convolution, snake, 1 x 1 convolution."""
    joined = taps.join(snake(x, weights.snake1))
    y = F.conv1d(joined, weights.conv1.weight, weights.conv1.bias, dilation=weights.dilation)
    return x + F.conv1d(snake(y, weights.snake2), weights.conv2.weight, weights.conv2.bias)
