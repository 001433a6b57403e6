# mypy: disable-error-code="untyped-decorator,no-untyped-def"
# A kernel's arguments are Triton's own values (pointers, scalars, constexpr), which have no types.
"""The row-wise operations as Triton kernels: few launches, static shapes, no host reads.

Lengths, slots and chosen experts are read on the device, so a decoding step can
be captured as a CUDA graph. Every program computes one row's result (the rows of
a tile do not mix), so a row never depends on its companions. Sums are in fp32.
``TRITON_INTERPRET=1`` runs them on a CPU: that is how the tests hold them equal
to ``EagerOps``. The tests also compile them for sm_80 to sm_90. They have not run
on a GPU yet, nor been tuned or timed; the places to look first are ``attend`` for
long prompts (one program a query head, no split over positions) and block sizes
everywhere.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def rms_norm_kernel(x, weight, out, width, eps, BLOCK: tl.constexpr):
    """One row a program: x, out (rows, width) contiguous; weight (width,)."""
    row = tl.program_id(0).to(tl.int64) * width
    at = tl.arange(0, BLOCK)
    inside = at < width
    value = tl.load(x + row + at, mask=inside, other=0.0).to(tl.float32)
    scale = tl.rsqrt(tl.sum(value * value, axis=0) / width + eps)
    normed = (value * scale).to(out.dtype.element_ty).to(tl.float32)
    scaled = normed * tl.load(weight + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + row + at, scaled.to(out.dtype.element_ty), mask=inside)


@triton.jit
def swiglu_kernel(x, out, width, BLOCK: tl.constexpr):
    """x (rows, 2 width) to out (rows, width); program (row, block)."""
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = at < width
    gate = tl.load(x + row * 2 * width + at, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(x + row * 2 * width + width + at, mask=inside, other=0.0).to(tl.float32)
    result = gate * tl.sigmoid(gate) * up
    tl.store(out + row * width + at, result.to(out.dtype.element_ty), mask=inside)


@triton.jit
def rope_store_kernel(
    qkv, q_norm, k_norm, cos, sin, q_out, k_cache, v_cache, slots, lengths, eps,
    queries, groups, positions, HALF: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Program (row, head) over queries, then keys, then values.

    qkv (B, (queries + 2 groups) 2 HALF); caches (S, groups, positions, 2 HALF).
    """
    row = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1)
    heads = queries + 2 * groups
    at = tl.arange(0, BLOCK)
    inside = at < HALF
    source = qkv + (row * heads + head) * 2 * HALF + at
    low = tl.load(source, mask=inside, other=0.0).to(tl.float32)
    high = tl.load(source + HALF, mask=inside, other=0.0).to(tl.float32)
    slot, length = tl.load(slots + row), tl.load(lengths + row)
    if head >= queries + groups:
        place = ((slot * groups + head - queries - groups) * positions + length) * 2 * HALF + at
        tl.store(v_cache + place, low.to(v_cache.dtype.element_ty), mask=inside)
        tl.store(v_cache + place + HALF, high.to(v_cache.dtype.element_ty), mask=inside)
    else:
        squares = tl.sum(low * low, axis=0) + tl.sum(high * high, axis=0)
        scale = tl.rsqrt(squares / (2 * HALF) + eps)
        weight = q_norm if head < queries else k_norm
        low = low * scale * tl.load(weight + at, mask=inside, other=0.0).to(tl.float32)
        high = high * scale * tl.load(weight + HALF + at, mask=inside, other=0.0).to(tl.float32)
        c = tl.load(cos + row * HALF + at, mask=inside, other=0.0)
        s = tl.load(sin + row * HALF + at, mask=inside, other=0.0)
        first, second = low * c - high * s, high * c + low * s
        if head < queries:
            target = q_out + (row * queries + head) * 2 * HALF + at
        else:
            place = ((slot * groups + head - queries) * positions + length) * 2 * HALF + at
            target = k_cache + place
        tl.store(target, first.to(q_out.dtype.element_ty), mask=inside)
        tl.store(target + HALF, second.to(q_out.dtype.element_ty), mask=inside)


@triton.jit
def attend_kernel(
    q, k_cache, v_cache, out, slots, lengths, queries, groups, positions, scale,
    DIM: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """Program (row, query head): one query over its row's own length + 1 positions.

    Online softmax; blocks of BLOCK_N positions from the row's own cache only.
    """
    row = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1)
    group = head // (queries // groups)
    dim = tl.arange(0, BLOCK_D)
    wide = dim < DIM
    query = tl.load(q + (row * queries + head) * DIM + dim, mask=wide, other=0.0).to(tl.float32)
    count = tl.load(lengths + row) + 1
    base = (tl.load(slots + row) * groups + group) * positions * DIM
    best = -float("inf")
    total = 0.0
    mixed = tl.zeros([BLOCK_D], dtype=tl.float32)
    for start in range(0, count, BLOCK_N):
        at = start + tl.arange(0, BLOCK_N)
        live = at < count
        place = base + at[:, None] * DIM + dim[None, :]
        both = live[:, None] & wide[None, :]
        keys = tl.load(k_cache + place, mask=both, other=0.0).to(tl.float32)
        scores = tl.sum(keys * query[None, :], axis=1) * scale
        scores = tl.where(live, scores, -float("inf"))
        top = tl.maximum(best, tl.max(scores, axis=0))
        shrink = tl.exp(best - top)
        shares = tl.exp(scores - top)
        values = tl.load(v_cache + place, mask=both, other=0.0).to(tl.float32)
        mixed = mixed * shrink + tl.sum(shares[:, None] * values, axis=0)
        total = total * shrink + tl.sum(shares, axis=0)
        best = top
    result = (mixed / total).to(out.dtype.element_ty)
    tl.store(out + (row * queries + head) * DIM + dim, result, mask=wide)


@triton.jit
def expert_up_kernel(
    x, weights, inner, order, tile_expert, tile_begin, tile_end, width, inner_width,
    experts, per_row, M: tl.constexpr, N: tl.constexpr, K: tl.constexpr,
):  # fmt: skip
    """Program (tile, block): silu(gate) * up of up to M (row, expert) pairs of one expert.

    x (B, width); weights (E, 2 inner_width, width); inner (pairs, inner_width).
    """
    expert = tl.load(tile_expert + tl.program_id(0))
    if expert < experts:
        at = tl.load(tile_begin + tl.program_id(0)) + tl.arange(0, M)
        live = at < tl.load(tile_end + tl.program_id(0))
        pair = tl.load(order + at, mask=live, other=0)
        column = tl.program_id(1) * N + tl.arange(0, N)
        inside = column < inner_width
        gate_rows = weights + (expert * 2 * inner_width + column)[None, :] * width
        gate = tl.zeros([M, N], dtype=tl.float32)
        up = tl.zeros([M, N], dtype=tl.float32)
        for begin in range(0, width, K):
            k = begin + tl.arange(0, K)
            part = k < width
            rows = tl.load(
                x + (pair // per_row)[:, None] * width + k[None, :],
                mask=live[:, None] & part[None, :],
                other=0.0,
            )
            both = part[:, None] & inside[None, :]
            left = tl.load(gate_rows + k[:, None], mask=both, other=0.0)
            right = tl.load(gate_rows + inner_width * width + k[:, None], mask=both, other=0.0)
            gate = tl.dot(rows, left, gate, input_precision="ieee")
            up = tl.dot(rows, right, up, input_precision="ieee")
        result = (gate * tl.sigmoid(gate) * up).to(inner.dtype.element_ty)
        place = inner + pair[:, None] * inner_width + column[None, :]
        tl.store(place, result, mask=live[:, None] & inside[None, :])


@triton.jit
def expert_down_kernel(
    inner, weights, scales, out, order, tile_expert, tile_begin, tile_end, width, inner_width,
    experts, M: tl.constexpr, N: tl.constexpr, K: tl.constexpr,
):  # fmt: skip
    """Program (tile, block): each pair's expert output times its scale, out (pairs, width) fp32."""
    expert = tl.load(tile_expert + tl.program_id(0))
    if expert < experts:
        at = tl.load(tile_begin + tl.program_id(0)) + tl.arange(0, M)
        live = at < tl.load(tile_end + tl.program_id(0))
        pair = tl.load(order + at, mask=live, other=0)
        column = tl.program_id(1) * N + tl.arange(0, N)
        inside = column < width
        weight_rows = weights + (expert * width + column)[None, :] * inner_width
        total = tl.zeros([M, N], dtype=tl.float32)
        for begin in range(0, inner_width, K):
            k = begin + tl.arange(0, K)
            part = k < inner_width
            rows = tl.load(
                inner + pair[:, None] * inner_width + k[None, :],
                mask=live[:, None] & part[None, :],
                other=0.0,
            )
            both = part[:, None] & inside[None, :]
            block = tl.load(weight_rows + k[:, None], mask=both, other=0.0)
            total = tl.dot(rows, block, total, input_precision="ieee")
        scale = tl.load(scales + pair, mask=live, other=0.0).to(tl.float32)
        place = out + pair[:, None] * width + column[None, :]
        tl.store(place, total * scale[:, None], mask=live[:, None] & inside[None, :])
