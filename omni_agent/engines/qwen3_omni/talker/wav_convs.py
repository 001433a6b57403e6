"""Code2Wav's convolutions over a piece of a stream, each with the inputs it still needs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from omni_agent.engines.qwen3_omni.talker.code2wav_weights import (
    Conv,
    DecoderBlock,
    ResidualUnit,
    Snake,
    Transposed,
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
    x = _blocks(x.transpose(1, 2), weights.transposed)
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
    x = snake(x, weights.snake)
    joined = taps.join(x)  # (B, C, 1 + T)
    if first:  # the block of the first input alone is trimmed
        joined = x
    if tail:  # and so is, until the stream ends, the block that lacks its newer input
        joined = F.pad(joined, (0, 1))
    steps = joined.transpose(1, 2)
    y = _blocks(torch.cat((steps[:, 1:], steps[:, :-1]), dim=-1), weights.transposed)
    for unit in weights.units:
        y = residual_unit(y, unit, taps)
    return y


def wide_conv(joined: Tensor, weights: Conv) -> Tensor:
    """A causal convolution with few samples and many channels, as one product.

    joined (B, C, k - 1 + T), weight (out, k C): (B, out, T).
    """
    channels = joined.shape[1]
    kernel = weights.weight.shape[1] // channels
    count = joined.shape[2] - kernel + 1
    columns = torch.cat([joined[..., tap : tap + count] for tap in range(kernel)], dim=1)
    return torch.matmul(weights.weight, columns) + weights.bias


def _blocks(inputs: Tensor, weights: Transposed) -> Tensor:
    """A transposed convolution's output (B, out, rate n) from its blocks' inputs (B, n, width)."""
    blocks = F.linear(inputs, weights.weight)  # (B, n, rate out)
    out = weights.bias.shape[0]
    samples = blocks.view(*blocks.shape[:2], weights.rate, out) + weights.bias
    return samples.flatten(1, 2).transpose(1, 2)


def residual_unit(x: Tensor, weights: ResidualUnit, taps: Taps) -> Tensor:
    """x (B, C, T) to the same: snake, dilated causal convolution, snake, 1 x 1 convolution."""
    joined = taps.join(snake(x, weights.snake1))
    y = F.conv1d(joined, weights.conv1.weight, weights.conv1.bias, dilation=weights.dilation)
    y = torch.matmul(weights.pointwise.weight, snake(y, weights.snake2))
    return x + y.add_(weights.pointwise.bias)
