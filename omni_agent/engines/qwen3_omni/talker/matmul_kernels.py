# mypy: disable-error-code="untyped-decorator,no-untyped-def"
# pyright: reportArgumentType=false, reportGeneralTypeIssues=false, reportOperatorIssue=false
# A kernel's arguments are Triton's own values (pointers, scalars, constexpr), which have no types.
"""Products of few rows with large weights, as Triton kernels: what most of a step's time goes to.

Such a product takes as long as its weight takes to read, and starting it takes as long again.
So each kernel does what comes before and after its product too, and reads as many bytes at a
time as it can: with one row (M = 1) a block of the weight is multiplied and summed in place;
with more, tensor cores take tiles of M rows. Rows do not mix, and sums are in fp32.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _multiply(values, weight, column, k, inside, part, width, total, M: tl.constexpr):
    """total (M, N) plus values (M, K) times the rows ``column`` (N,) of weight, at ``k`` (K,)."""
    if M == 1:
        place = weight + column[:, None] * width + k[None, :]
        block = tl.load(place, mask=inside[:, None] & part[None, :], other=0.0)
        products = block.to(tl.float32) * values.to(tl.float32)
        total += tl.sum(products, axis=1)[None, :]
    else:
        place = weight + column[None, :] * width + k[:, None]
        block = tl.load(place, mask=part[:, None] & inside[None, :], other=0.0)
        total = tl.dot(values, block, total, input_precision="ieee")
    return total


@triton.jit
def linear_kernel(
    x, weight, norm, add, out, rows, width, outputs, eps,
    GATED: tl.constexpr, M: tl.constexpr, N: tl.constexpr, K: tl.constexpr,
):  # fmt: skip
    """A program a block of N columns of all (at most M) rows.

    out (rows, outputs) = weight (outputs, width) times x (rows, width), plus add (rows, outputs).
    GATED: weight has twice as many rows, and silu of the first half's products multiplies the
    second's. norm (width,): an RMS norm of x; its scale is a row's own and so comes afterwards,
    when one pass over x has given both.
    """
    row = tl.arange(0, M)
    column = tl.program_id(0) * N + tl.arange(0, N)
    live, inside = row < rows, column < outputs
    total = tl.zeros([M, N], dtype=tl.float32)
    up = tl.zeros([M, N], dtype=tl.float32)
    squares = tl.zeros([M], dtype=tl.float32)
    for begin in range(0, width, K):
        k = begin + tl.arange(0, K)
        part = k < width
        place = x + row[:, None] * width + k[None, :]
        values = tl.load(place, mask=live[:, None] & part[None, :], other=0.0)
        if norm is not None:
            wide = values.to(tl.float32)
            squares += tl.sum(wide * wide, axis=1)
            gain = tl.load(norm + k, mask=part, other=0.0).to(tl.float32)
            values = wide * gain[None, :]
            if M > 1:  # as tensor cores want it
                values = values.to(x.dtype.element_ty)
        total = _multiply(values, weight, column, k, inside, part, width, total, M)
        if GATED:
            second = weight + outputs * width
            up = _multiply(values, second, column, k, inside, part, width, up, M)
    if norm is not None:
        scale = tl.rsqrt(squares / width + eps)[:, None]
        total *= scale
        up *= scale
    if GATED:
        total = total * tl.sigmoid(total) * up
    place = row[:, None] * outputs + column[None, :]
    both = live[:, None] & inside[None, :]
    if add is not None:
        total += tl.load(add + place, mask=both, other=0.0).to(tl.float32)
    tl.store(out + place, total.to(out.dtype.element_ty), mask=both)


@triton.jit
def _pairs(chosen, starts, M: tl.constexpr):
    """The program's expert and its (row, expert) pairs: one pair (M = 1), or all of one expert."""
    at = tl.program_id(0)
    if M == 1:
        expert, begin, end = tl.load(chosen + at), at, at + 1
    else:
        expert = at.to(tl.int64)
        begin = tl.load(starts + at).to(tl.int32)
        end = tl.load(starts + at + 1).to(tl.int32)
    return expert, begin, end


@triton.jit
def expert_up_kernel(
    x, weights, inner, chosen, order, starts, width, inner_width, per_row,
    M: tl.constexpr, N: tl.constexpr, K: tl.constexpr,
):  # fmt: skip
    """Program (pair or expert, block of N columns): silu(gate) * up of its pairs.

    x (B, width); weights (E, 2 inner_width, width); inner (pairs, inner_width); chosen (pairs,)
    experts. With M > 1, order (pairs,) lists the pairs by expert and starts (E + 1,) says where
    each begins in it.
    """
    expert, begin, end = _pairs(chosen, starts, M)
    column = tl.program_id(1) * N + tl.arange(0, N)
    inside = column < inner_width
    gates = weights + expert * 2 * inner_width * width
    for first in range(begin, end, M):
        at = first + tl.arange(0, M)
        live = at < end
        pair = at if M == 1 else tl.load(order + at, mask=live, other=0)
        gate = tl.zeros([M, N], dtype=tl.float32)
        up = tl.zeros([M, N], dtype=tl.float32)
        for start in range(0, width, K):
            k = start + tl.arange(0, K)
            part = k < width
            place = x + (pair // per_row)[:, None] * width + k[None, :]
            values = tl.load(place, mask=live[:, None] & part[None, :], other=0.0)
            gate = _multiply(values, gates, column, k, inside, part, width, gate, M)
            second = gates + inner_width * width
            up = _multiply(values, second, column, k, inside, part, width, up, M)
        result = (gate * tl.sigmoid(gate) * up).to(inner.dtype.element_ty)
        place = inner + pair[:, None] * inner_width + column[None, :]
        tl.store(place, result, mask=live[:, None] & inside[None, :])


@triton.jit
def expert_down_kernel(
    inner, weights, out, chosen, order, starts, width, inner_width,
    M: tl.constexpr, N: tl.constexpr, K: tl.constexpr,
):  # fmt: skip
    """Program (pair or expert, block of N columns): its pairs' outputs, out (pairs, width) fp32."""
    expert, begin, end = _pairs(chosen, starts, M)
    column = tl.program_id(1) * N + tl.arange(0, N)
    inside = column < width
    own = weights + expert * width * inner_width
    for first in range(begin, end, M):
        at = first + tl.arange(0, M)
        live = at < end
        pair = at if M == 1 else tl.load(order + at, mask=live, other=0)
        total = tl.zeros([M, N], dtype=tl.float32)
        for start in range(0, inner_width, K):
            k = start + tl.arange(0, K)
            part = k < inner_width
            place = inner + pair[:, None] * inner_width + k[None, :]
            values = tl.load(place, mask=live[:, None] & part[None, :], other=0.0)
            total = _multiply(values, own, column, k, inside, part, inner_width, total, M)
        place = out + pair[:, None] * width + column[None, :]
        tl.store(place, total, mask=live[:, None] & inside[None, :])
