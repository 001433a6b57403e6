"""Code2Wav's convolutions over a piece of a stream, each with the inputs it still needs.

Rows are samples: x (B, T, C), so a product takes them as they lie.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from omni_agent.engines.qwen3_omni.talker.code2wav_weights import (
    DecoderBlock,
    Depthwise,
    ResidualUnit,
    Snake,
    Upsample,
)
from omni_agent.engines.qwen3_omni.talker.ops import Ops


class Taps:
    """The inputs kept for each convolution, met in decoding order; collects the new ones."""

    def __init__(self, kept: Sequence[Tensor], ops: Ops) -> None:
        self._old, self._ops, self.new = iter(kept), ops, list[Tensor]()

    def join(self, x: Tensor) -> Tensor:
        """The kept inputs, then x (B, T, C). As many of the newest are kept for next time."""
        old = next(self._old)
        return self._keep(torch.cat((old, x), dim=1), x.shape[1])

    def join_snake(self, x: Tensor, weights: Snake) -> Tensor:
        """``join`` of ``snake`` of x, written once."""
        joined = self._ops.join_snake(next(self._old), x, weights.pair())
        return self._keep(joined, x.shape[1])

    def snake(self, x: Tensor, weights: Snake) -> Tensor:
        """SnakeBeta of x (B, T, C), before a product that needs no other inputs."""
        return self._ops.join_snake(x[:, :0], x, weights.pair())

    def _keep(self, joined: Tensor, count: int) -> Tensor:
        self.new.append(joined[:, count:])
        return joined


def upsample(x: Tensor, weights: Upsample, taps: Taps) -> Tensor:
    """x (B, T, H) to (B, 2 T, H): transposed convolution, then ConvNeXt (arXiv 2201.03545)."""
    x = _unfolded(weights.expand(x), weights.rate)
    y = depthwise(taps.join(x), weights.depthwise)
    y = F.layer_norm(y, y.shape[-1:], weights.norm.weight, weights.norm.bias, eps=1e-6)
    return x + weights.narrow(F.gelu(weights.wide(y)))


def depthwise(joined: Tensor, weights: Depthwise) -> Tensor:
    """joined (B, n, C) to (B, n - kernel + 1, C): each channel by itself."""
    kernel = weights.weight.shape[-1]
    return (joined.unfold(1, kernel, 1) * weights.weight).sum(-1) + weights.bias


def decoder_block(
    x: Tensor, weights: DecoderBlock, taps: Taps, *, first: bool = False, tail: bool = False
) -> Tensor:
    """x (B, T, C) to (B, n, C / 2).

    n is rate * T; a block less where the stream begins (``first``), a block more
    where it ends (``tail``).
    """
    joined = taps.join_snake(x, weights.snake)  # (B, 1 + T, C)
    if first:  # the block of the first input alone is trimmed
        joined = joined[:, 1:]
    if tail:  # and so is, until the stream ends, the block that lacks its newer input
        joined = F.pad(joined, (0, 0, 0, 1))
    y = _unfolded(weights.expand(joined), weights.rate)
    for unit in weights.units:
        y = residual_unit(y, unit, taps)
    return y


def add_taps(products: Tensor) -> Tensor:
    """A convolution to one channel from products (B, n, k) with its taps: (B, n - k + 1)."""
    taps = products.shape[2]
    return products.unfold(1, taps, 1).diagonal(dim1=2, dim2=3).sum(-1)


def _unfolded(blocks: Tensor, rate: int) -> Tensor:
    """blocks (B, n, rate C) to (B, rate n, C)."""
    batch, count, width = blocks.shape
    return blocks.reshape(batch, count * rate, width // rate)


def residual_unit(x: Tensor, weights: ResidualUnit, taps: Taps) -> Tensor:
    """x (B, T, C) to the same: snake, dilated causal convolution, snake, 1 x 1 convolution."""
    y = weights.conv1(taps.join_snake(x, weights.snake1))
    return weights.conv2(taps.snake(y, weights.snake2)).add_(x)
