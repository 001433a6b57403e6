# mypy: disable-error-code="untyped-decorator,no-untyped-def"
# pyright: reportArgumentType=false, reportGeneralTypeIssues=false, reportOperatorIssue=false
# A kernel's arguments are Triton's own values (pointers, scalars, constexpr), which have no types.
"""The operations that read no large weight, as Triton kernels: norms, attention, routing, drawing.

Lengths, slots and chosen experts are read on the device and shapes are static, so a
decoding step can be captured as a CUDA graph. Every program computes one row's result, so
a row never depends on its companions. Sums are in fp32. ``TRITON_INTERPRET=1`` runs the
kernels on a CPU: that is how the tests hold them equal to ``EagerOps``. The tests also
compile them for sm_80 to sm_90. They have not run on a GPU yet, nor been timed: block
sizes and warps are reckoned.
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
def _turned(source, weight, cos, sin, eps, HALF: tl.constexpr, BLOCK: tl.constexpr):
    """A head (2 HALF,) normed and rotated: its halves, (BLOCK,) fp32 each."""
    at = tl.arange(0, BLOCK)
    inside = at < HALF
    low = tl.load(source + at, mask=inside, other=0.0).to(tl.float32)
    high = tl.load(source + HALF + at, mask=inside, other=0.0).to(tl.float32)
    squares = tl.sum(low * low, axis=0) + tl.sum(high * high, axis=0)
    scale = tl.rsqrt(squares / (2 * HALF) + eps)
    low = low * scale * tl.load(weight + at, mask=inside, other=0.0).to(tl.float32)
    high = high * scale * tl.load(weight + HALF + at, mask=inside, other=0.0).to(tl.float32)
    c = tl.load(cos + at, mask=inside, other=0.0)
    s = tl.load(sin + at, mask=inside, other=0.0)
    return low * c - high * s, high * c + low * s


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
    at = tl.arange(0, BLOCK)
    inside = at < HALF
    source = qkv + (row * (queries + 2 * groups) + head) * 2 * HALF
    slot, length = tl.load(slots + row), tl.load(lengths + row)
    if head >= queries + groups:
        place = ((slot * groups + head - queries - groups) * positions + length) * 2 * HALF + at
        low = tl.load(source + at, mask=inside, other=0.0)
        high = tl.load(source + HALF + at, mask=inside, other=0.0)
        tl.store(v_cache + place, low.to(v_cache.dtype.element_ty), mask=inside)
        tl.store(v_cache + place + HALF, high.to(v_cache.dtype.element_ty), mask=inside)
    else:
        weight = q_norm if head < queries else k_norm
        first, second = _turned(
            source, weight, cos + row * HALF, sin + row * HALF, eps, HALF, BLOCK
        )
        if head < queries:
            target = q_out + (row * queries + head) * 2 * HALF + at
        else:
            place = ((slot * groups + head - queries) * positions + length) * 2 * HALF + at
            target = k_cache + place
        tl.store(target, first.to(q_out.dtype.element_ty), mask=inside)
        tl.store(target + HALF, second.to(q_out.dtype.element_ty), mask=inside)


@triton.jit
def attend_apart_kernel(
    qkv, q_norm, k_norm, cos, sin, out, k_cache, v_cache, slots, lengths, eps,
    queries, groups, positions, scale,
    PER_GROUP: tl.constexpr, HALF: tl.constexpr, BLOCK: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """Program (row, group): a row's new key and value, and its group's queries over all of them.

    qkv (B, (queries + 2 groups) 2 HALF); caches (S, groups, positions, 2 HALF) of up to BLOCK_N
    positions; out (B, queries 2 HALF). Nothing of another program's is read.
    """
    row = tl.program_id(0).to(tl.int64)
    group = tl.program_id(1)
    at = tl.arange(0, BLOCK)
    inside = at < HALF
    heads = qkv + row * (queries + 2 * groups) * 2 * HALF
    c, s = cos + row * HALF, sin + row * HALF
    length = tl.load(lengths + row)
    base = (tl.load(slots + row) * groups + group) * positions * 2 * HALF
    new = base + length * 2 * HALF + at
    kind = k_cache.dtype.element_ty
    k_low, k_high = _turned(heads + (queries + group) * 2 * HALF, k_norm, c, s, eps, HALF, BLOCK)
    k_low, k_high = k_low.to(kind), k_high.to(kind)
    tl.store(k_cache + new, k_low, mask=inside)
    tl.store(k_cache + new + HALF, k_high, mask=inside)
    value = heads + (queries + groups + group) * 2 * HALF + at
    v_low = tl.load(value, mask=inside, other=0.0).to(kind)
    v_high = tl.load(value + HALF, mask=inside, other=0.0).to(kind)
    tl.store(v_cache + new, v_low, mask=inside)
    tl.store(v_cache + new + HALF, v_high, mask=inside)
    position = tl.arange(0, BLOCK_N)
    past = position < length
    place = base + position[:, None] * 2 * HALF + at[None, :]
    both = past[:, None] & inside[None, :]
    # The new position takes its own place among the earlier ones, from registers.
    own = (position == length)[:, None]
    keys_low = tl.where(own, k_low[None, :], tl.load(k_cache + place, mask=both, other=0.0))
    keys_high = tl.where(
        own, k_high[None, :], tl.load(k_cache + place + HALF, mask=both, other=0.0)
    )
    low = tl.where(own, v_low[None, :], tl.load(v_cache + place, mask=both, other=0.0))
    high = tl.where(own, v_high[None, :], tl.load(v_cache + place + HALF, mask=both, other=0.0))
    for rank in tl.static_range(PER_GROUP):
        head = group * PER_GROUP + rank
        q_low, q_high = _turned(heads + head * 2 * HALF, q_norm, c, s, eps, HALF, BLOCK)
        q_low, q_high = q_low.to(kind).to(tl.float32), q_high.to(kind).to(tl.float32)
        scores = tl.sum(keys_low.to(tl.float32) * q_low[None, :], axis=1)
        scores = (scores + tl.sum(keys_high.to(tl.float32) * q_high[None, :], axis=1)) * scale
        scores = tl.where(position <= length, scores, -float("inf"))
        shares = tl.exp(scores - tl.max(scores, axis=0))
        shares = (shares / tl.sum(shares, axis=0))[:, None]
        target = out + (row * queries + head) * 2 * HALF + at
        mixed = tl.sum(shares * low.to(tl.float32), axis=0)
        tl.store(target, mixed.to(out.dtype.element_ty), mask=inside)
        mixed = tl.sum(shares * high.to(tl.float32), axis=0)
        tl.store(target + HALF, mixed.to(out.dtype.element_ty), mask=inside)


@triton.jit
def attend_kernel(
    q, k_cache, v_cache, out, slots, lengths, queries, groups, positions, scale,
    SPLITS: tl.constexpr, DIM: tl.constexpr, BLOCK_D: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """Program (row, query head, split): one query over its share of the row's length + 1 positions.

    Online softmax (arXiv 1805.02867) over every SPLITS-th block of BLOCK_N positions. out: with
    one split the result (B, queries, DIM), else what ``merge_kernel`` takes, in fp32:
    (B, queries, SPLITS, DIM + 2), the sums of the values and then the largest score and
    the sum of the shares.
    """
    row = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1)
    split = tl.program_id(2)
    group = head // (queries // groups)
    dim = tl.arange(0, BLOCK_D)
    wide = dim < DIM
    query = tl.load(q + (row * queries + head) * DIM + dim, mask=wide, other=0.0).to(tl.float32)
    count = tl.load(lengths + row) + 1
    base = (tl.load(slots + row) * groups + group) * positions * DIM
    best = -float("inf")
    total = 0.0
    mixed = tl.zeros([BLOCK_D], dtype=tl.float32)
    for start in range(split * BLOCK_N, count, SPLITS * BLOCK_N):
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
    if SPLITS == 1:
        target = out + (row * queries + head) * DIM + dim
        tl.store(target, (mixed / total).to(out.dtype.element_ty), mask=wide)
    else:
        target = out + ((row * queries + head) * SPLITS + split) * (DIM + 2)
        tl.store(target + dim, mixed, mask=wide)
        tl.store(target + DIM, best)
        tl.store(target + DIM + 1, total)


@triton.jit
def merge_kernel(parts, out, SPLITS: tl.constexpr, DIM: tl.constexpr, BLOCK_D: tl.constexpr):
    """A program a query: parts (n, SPLITS, DIM + 2) to out (n, DIM). The first split has a key."""
    at = tl.program_id(0).to(tl.int64)
    dim = tl.arange(0, BLOCK_D)
    wide = dim < DIM
    split = parts + (at * SPLITS + tl.arange(0, SPLITS)) * (DIM + 2)
    best = tl.load(split + DIM)
    weight = tl.exp(best - tl.max(best, axis=0))
    mixed = tl.load(split[:, None] + dim[None, :], mask=wide[None, :], other=0.0)
    total = tl.sum(tl.load(split + DIM + 1) * weight, axis=0)
    result = tl.sum(mixed * weight[:, None], axis=0) / total
    tl.store(out + at * DIM + dim, result.to(out.dtype.element_ty), mask=wide)


@triton.jit
def route_kernel(
    scores, chosen, scales, experts,
    PER_ROW: tl.constexpr, NORMALISE: tl.constexpr, BLOCK: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """A program a row: scores (B, experts + 1) to chosen (B, PER_ROW), scales (B, PER_ROW + 1)."""
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    place = tl.arange(0, BLOCK_K)
    own = scores + row * (experts + 1)
    score = tl.load(own + at, mask=at < experts, other=-float("inf")).to(tl.float32)
    share = tl.exp(score - tl.max(score, axis=0))
    share = tl.where(share >= 0, share, 0.0)  # what is not a number has no place either
    whole = tl.sum(share, axis=0)
    expert = tl.zeros([BLOCK_K], dtype=tl.int64)
    scale = tl.zeros([BLOCK_K], dtype=tl.float32)
    for rank in tl.static_range(PER_ROW):
        largest, index = tl.max(share, axis=0, return_indices=True)
        expert = tl.where(place == rank, tl.minimum(index, experts - 1), expert)
        scale = tl.where(place == rank, largest, scale)
        share = tl.where(at == index, -1.0, share)
    if NORMALISE:
        whole = tl.sum(scale, axis=0)
    gate = tl.sigmoid(tl.load(own + experts).to(tl.float32))
    scale = tl.where(place == PER_ROW, gate, scale / whole)
    tl.store(chosen + row * PER_ROW + place, expert, mask=place < PER_ROW)
    tl.store(scales + row * (PER_ROW + 1) + place, scale, mask=place <= PER_ROW)


@triton.jit
def combine_kernel(
    pairs, scales, shared, residual, out, width, PER_ROW: tl.constexpr, BLOCK: tl.constexpr
):
    """Program (row, block): the residual, the row's pairs (B PER_ROW, width) and the shared expert.

    scales (B, PER_ROW + 1); shared, residual, out (B, width).
    """
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = at < width
    own = scales + row * (PER_ROW + 1)
    total = tl.load(shared + row * width + at, mask=inside, other=0.0).to(tl.float32)
    total *= tl.load(own + PER_ROW)
    for rank in tl.static_range(PER_ROW):
        part = tl.load(pairs + (row * PER_ROW + rank) * width + at, mask=inside, other=0.0)
        total += part * tl.load(own + rank)
    total += tl.load(residual + row * width + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + row * width + at, total.to(out.dtype.element_ty), mask=inside)


@triton.jit
def _least(keys, weight, target, BITS: tl.constexpr):
    """The largest key at and above which there is more than ``target`` of the weight, or 0.

    keys (n,) int64 below 2^BITS, weight (n,): found bit by bit, without sorting.
    """
    least = tl.full((), 0, tl.int64)
    for step in range(BITS):
        larger = least | (tl.full((), 1, tl.int64) << (BITS - 1 - step))
        above = tl.sum(tl.where(keys >= larger, weight, 0.0), axis=0)
        least = tl.where(above > target, larger, least)
    return least


@triton.jit
def choose_kernel(
    logits, temperature, top_k, top_p, uniform, code, vocabulary, logits_row, uniform_row,
    BITS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One row a program, as ``sampling.choose``, but that those tied with the k-th are all kept.

    BITS: of a logit, 16 or 32. ``*_row``: elements from one row to the next.
    """
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    inside = at < vocabulary
    logit = tl.load(logits + row * logits_row + at, mask=inside, other=-float("inf"))
    score = logit.to(tl.float32)
    # Integers of BITS bits that sort as the logits do: positive ones above, negative ones inverted.
    bits = score.to(tl.int32, bitcast=True)
    keys = tl.where(bits < 0, ~bits, bits ^ -0x80000000).to(tl.uint32, bitcast=True).to(tl.int64)
    keys = tl.where(inside, (keys >> (32 - BITS)) + 1, 0)
    warmth = tl.load(temperature + row)
    score = score / tl.where(warmth > 0, warmth, 1.0)
    one = tl.where(inside, 1.0, 0.0)
    kept = keys >= _least(keys, one, tl.load(top_k + row) - 0.5, BITS + 1)
    share = tl.where(kept, tl.exp(score - tl.max(score, axis=0)), 0.0)
    share = share / tl.sum(share, axis=0)
    most = tl.load(top_p + row)
    lowest = _least(keys, share, tl.where(most < 1, most, 2.0), BITS + 1)
    share = tl.where(keys >= lowest, share, 0.0)
    target = tl.load(uniform + row * uniform_row) * tl.sum(share, axis=0)
    drawn = tl.maximum(_least(keys, share, target, BITS + 1), lowest)
    drawn = tl.where(warmth > 0, drawn, tl.max(keys, axis=0))
    tied = (keys == drawn) & inside
    each = tl.max(tl.where(tied, share, 0.0), axis=0)
    above = tl.sum(tl.where(keys > drawn, share, 0.0), axis=0)
    place = tl.cumsum(tied.to(tl.int32), axis=0) - 1
    # Of equals, the one that the draw reaches; in order of their ids.
    last = tl.max(tl.where(tied, place, 0), axis=0)
    reached = tl.where(warmth > 0, ((target - above) / each).to(tl.int32), 0)
    reached = tl.minimum(tl.maximum(reached, 0), last)
    chosen = tl.sum(tl.where(tied & (place == reached), at, 0), axis=0)
    tl.store(code + row, chosen.to(tl.int64))


@triton.jit
def join_snake_kernel(
    kept, x, frequency, inverse, out, count, length, channels,
    kept_batch, x_batch, x_time, x_channel,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Program (batch, block): kept (B, count, channels), then SnakeBeta of x (B, length, channels).

    out (B, count + length, channels); ``kept_*``, ``x_*``: elements from one of them to the next.
    """
    batch = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = at < (count + length) * channels
    time, channel = at // channels - count, at % channels
    old, new = inside & (time < 0), inside & (time >= 0)
    place = x + batch * x_batch + time * x_time + channel * x_channel
    value = tl.load(place, mask=new, other=0.0).to(tl.float32)
    wave = tl.sin(value * tl.load(frequency + channel, mask=new, other=0.0).to(tl.float32))
    value += wave * wave * tl.load(inverse + channel, mask=new, other=0.0).to(tl.float32)
    past = tl.load(kept + batch * kept_batch + at, mask=old, other=0.0).to(tl.float32)
    result = tl.where(new, value, past).to(out.dtype.element_ty)
    tl.store(out + batch * (count + length) * channels + at, result, mask=inside)
