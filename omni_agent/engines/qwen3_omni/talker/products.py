"""Products and convolutions with fixed weights, laid out once as the device reads them best.

Given a plain weight, a CPU's library rearranges it at every call. That is nothing beside
hundreds of rows, and beside four it costs more than the product itself. So fp32 weights
on a CPU are kept in oneDNN's blocked layouts, through the operators that torch's own
compiler emits for frozen weights; elsewhere, and where torch has no oneDNN, they stay
as they are.

A product of a few rows takes as long as its weight takes to read. The published weights
are bfloat16, all of which a scaled float16 holds (but for what is 2^-29 of the largest and
less, and loses nothing that a sum in fp32 would keep), so on x86 such a product keeps its
weight in half the bytes and FBGEMM widens it to fp32 on the way. A weight that needs more
than that, as a checkpoint in fp32 has them, stays in fp32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# oneDNN takes longer for fewer rows than for four (measured: benchmarks/RESULTS.md).
_LEAST_ROWS = 4
# Up to so many rows a product from half the bytes is no slower than oneDNN's (measured too).
_FEW_ROWS = 32
# A halved weight's error, beside its matrix's largest: far below what a sum in fp32 rounds off.
_LOST = 2.0**-36


@dataclass(frozen=True, slots=True)
class Product:
    """x (..., in) to (..., out): x times weight transposed, times gain, plus bias.

    weight: (out, in), or ``blocked`` for oneDNN, or FBGEMM's own object where ``gain``
    (out,) is given. bias: (out,).
    """

    weight: Any
    bias: Tensor | None = None
    blocked: bool = False
    gain: Tensor | None = None

    @staticmethod
    def of(
        weight: Tensor, bias: Tensor | None = None, *, rows: int, gain: Tensor | None = None
    ) -> Product:
        """Lay out weight (out, in) for about ``rows`` rows; any number of them is right.

        gain: a factor (out,) of the product, before the bias.
        """
        if rows <= _FEW_ROWS and (scale := _halving(weight)) is not None:
            packed = torch.ops.quantized.linear_prepack_fp16(weight * scale, None)
            gain = (weight.new_ones(len(weight)) if gain is None else gain) / scale
            return Product(packed, bias, gain=gain)
        if gain is not None:
            weight = weight * gain.unsqueeze(-1)
        if not _blockable(weight):
            return Product(weight, bias)
        rows = max(rows, _LEAST_ROWS)
        return Product(torch.ops.mkldnn._reorder_linear_weight(weight, rows), bias, blocked=True)

    def __call__(self, x: Tensor) -> Tensor:
        if self.gain is not None:
            out: Tensor = torch.ops.quantized.linear_dynamic_fp16(x, self.weight)
            return out.mul_(self.gain) if self.bias is None else self.bias.addcmul(out, self.gain)
        if not self.blocked:
            return F.linear(x, self.weight, self.bias)
        rows = x.numel() // x.shape[-1]
        if rows >= _LEAST_ROWS:
            return self._blocked(x)
        padded = F.pad(x.reshape(rows, -1), (0, 0, 0, _LEAST_ROWS - rows))
        return self._blocked(padded)[:rows].view(*x.shape[:-1], -1)

    def _blocked(self, x: Tensor) -> Tensor:
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")
        return out


@dataclass(frozen=True, slots=True)
class Convolution:
    """x (B, n, channels) to (B, n - kept, out), rows being samples.

    weight: (out, channels, taps), or ``blocked`` and then only oneDNN can read it, or a
    product's (out, taps * channels): of the rows' windows, where there are few of them.
    bias: (out,). kept: how many of its inputs the next output needs again.
    """

    weight: Tensor | Product
    bias: Tensor
    dilation: int
    channels: int
    kept: int
    blocked: bool

    @staticmethod
    def of(weight: Tensor, bias: Tensor, *, rows: int, dilation: int = 1) -> Convolution:
        """Lay out weight (two taps or more) for about ``rows`` outputs; any number is right."""
        _, channels, taps = weight.shape
        kept = (taps - 1) * dilation
        laid: Tensor | Product = weight
        blocked = _blockable(weight)
        if blocked and rows <= _FEW_ROWS:
            laid = Product.of(weight.transpose(1, 2).flatten(1), bias, rows=rows)
        elif blocked:
            laid = torch.ops.mkldnn._reorder_convolution_weight(
                weight.unsqueeze(2), [0, 0], [1, 1], [1, dilation], 1, [1, channels, 1, rows + kept]
            )
        else:  # channels innermost, as in the rows: else torch would copy it at every call
            laid = weight.transpose(1, 2).contiguous().transpose(1, 2)
        return Convolution(laid, bias, dilation, channels, kept, blocked)

    def __call__(self, x: Tensor) -> Tensor:
        if isinstance(self.weight, Product):
            windows = x.unfold(1, self.kept + 1, 1)[..., :: self.dilation]  # (B, n, C, taps)
            return self.weight(windows.transpose(2, 3).flatten(2))
        x = x.transpose(1, 2)  # a view: torch's convolutions name the channels first
        if not self.blocked:
            return F.conv1d(x, self.weight, self.bias, dilation=self.dilation).transpose(1, 2)
        out: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x.unsqueeze(2), self.weight, self.bias,
            [0, 0], [1, 1], [1, self.dilation], 1, "none", [], "",
        )  # fmt: skip
        return out.squeeze(2).transpose(1, 2)


def _blockable(weight: Tensor) -> bool:
    built = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # torch leaves it
    known = built and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return known and weight.device.type == "cpu" and weight.dtype == torch.float32


def _halving(weight: Tensor) -> float | None:
    """The power of two by which float16 holds all of a fp32 weight on this CPU, if one does."""
    if weight.device.type != "cpu" or weight.dtype != torch.float32:
        return None
    if torch.backends.quantized.engine not in {"x86", "fbgemm"}:
        return None
    largest = weight.abs().max().item()
    if not 0 < largest < math.inf:
        return None
    scale = 2.0 ** (15 - math.frexp(largest)[1])  # the largest then lies below 2^15
    off = (weight * scale).half().float().div_(scale).sub_(weight).abs_().max().item()
    return scale if off <= _LOST * largest else None
