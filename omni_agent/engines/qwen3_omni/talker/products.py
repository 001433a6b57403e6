"""Products and convolutions with fixed weights, laid out once as the device reads them best.

Given a plain weight, a CPU's library rearranges it at every call. That is nothing beside
hundreds of rows, and beside four it costs more than the product itself. So fp32 weights
on a CPU are kept in oneDNN's blocked layouts, through the operators that torch's own
compiler emits for frozen weights; elsewhere, and where torch has no oneDNN, they stay
as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

# oneDNN takes longer for fewer rows than for four (measured: benchmarks/RESULTS.md).
_LEAST_ROWS = 4


@dataclass(frozen=True, slots=True)
class Product:
    """x (..., in) to (..., out): x times weight transposed, plus bias.

    weight: (out, in), or ``blocked`` and then only oneDNN can read it. bias: (out,).
    """

    weight: Tensor
    bias: Tensor | None
    blocked: bool

    @staticmethod
    def of(weight: Tensor, bias: Tensor | None = None, *, rows: int) -> Product:
        """Lay out weight (out, in) for about ``rows`` rows; any number of them is right."""
        if not _blockable(weight):
            return Product(weight, bias, blocked=False)
        rows = max(rows, _LEAST_ROWS)
        return Product(torch.ops.mkldnn._reorder_linear_weight(weight, rows), bias, blocked=True)

    def __call__(self, x: Tensor) -> Tensor:
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

    weight: (out, channels, taps), or ``blocked`` and then only oneDNN can read it.
    bias: (out,). kept: how many of its inputs the next output needs again.
    """

    weight: Tensor
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
        blocked = _blockable(weight)
        if blocked:
            weight = torch.ops.mkldnn._reorder_convolution_weight(
                weight.unsqueeze(2), [0, 0], [1, 1], [1, dilation], 1, [1, channels, 1, rows + kept]
            )
        else:  # channels innermost, as in the rows: else torch would copy it at every call
            weight = weight.transpose(1, 2).contiguous().transpose(1, 2)
        return Convolution(weight, bias, dilation, channels, kept, blocked)

    def __call__(self, x: Tensor) -> Tensor:
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
