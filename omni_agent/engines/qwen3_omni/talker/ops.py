"""The operations that a decoding step is made of, and their plain torch form.

A *row* is one position of one stream. ``slots[b]`` says which stream's cache row
b belongs to and ``lengths[b]`` how many positions that cache holds before it.
Every operation computes a row from that row and its own cache alone, with shapes
that do not depend on the other rows, so in fp32 a stream's result is bit for bit
the same whoever shares the batch (matrix products of one shape add in one order;
test_batch_independence holds this). ``triton_ops`` has the same operations as
Triton kernels, one or two launches each: a step is hundreds of small dependent
operations, and on a GPU each launch costs more than what it computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from omni_agent.engines.qwen3_omni.talker import sampling
from omni_agent.engines.qwen3_omni.talker.products import Product

Norm = tuple[Tensor, float]
"""An RMS norm before an operation: weight (H,) and epsilon."""


Norms = tuple[Norm, Norm]
Cache = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Places:
    """Where B rows are: their cache slots and lengths (B,) int64, and rotary angles.

    cos, sin (B, D / 2) fp32. apart: no row needs what another one writes, because each has
    a slot of its own (but for rows that nobody uses).
    """

    slots: Tensor
    lengths: Tensor
    cos: Tensor
    sin: Tensor
    apart: bool

    def first(self, count: int) -> Places:
        """The first ``count`` rows."""
        slots, lengths, cos, sin = self.slots, self.lengths, self.cos, self.sin
        return Places(slots[:count], lengths[:count], cos[:count], sin[:count], self.apart)


class Ops(Protocol):
    """B rows, Q query heads, G key/value heads, D head dim, S slots, P cache positions."""

    def rms_norm(self, x: Tensor, norm: Norm) -> Tensor:
        """x (..., H); statistics in fp32."""
        ...

    def linear(
        self, x: Tensor, weight: Product, *, norm: Norm | None = None, add: Tensor | None = None
    ) -> Tensor:
        """weight (O, H) times x (..., H), normed first; plus ``add`` (..., O)."""
        ...

    def gated(self, x: Tensor, weight: Product, *, norm: Norm | None = None) -> Tensor:
        """silu(gate x) * (up x) of x (..., H): (..., I). weight (2 I, H): gate rows, then up."""
        ...

    def rope_store(self, qkv: Tensor, norms: Norms, cache: Cache, places: Places) -> Tensor:
        """Norm and rotate q and k, write k and v to the cache; return q (B, Q, D).

        qkv (B, (Q + 2 G) D); norms of q and k, (D,); cache k, v (S, G, P, D).
        """
        ...

    def attention(self, qkv: Tensor, norms: Norms, cache: Cache, places: Places) -> Tensor:
        """``rope_store``, then each row's q over its own ``lengths + 1`` positions: (B, Q D)."""
        ...

    def route(self, scores: Tensor, per_row: int, *, normalise: bool) -> tuple[Tensor, Tensor]:
        """Each row's ``per_row`` = K experts (B, K) int64 and their scales (B, K + 1).

        scores (B, E + 1): the router's, then the shared expert's gate. The last scale is
        the shared expert's. normalise: the experts' scales add up to 1.
        """
        ...

    def experts(
        self,
        x: Tensor,
        chosen: tuple[Tensor, Tensor],
        weights: tuple[Tensor, Tensor],
        others: tuple[Tensor, Tensor],
        *,
        grouped: bool,
    ) -> Tensor:
        """The scaled sum of each row's experts and the shared one, plus the residual: (B, H).

        x (B, H); chosen: what ``route`` gave; weights: gate and up (E, 2 I, H), down
        (E, H, I), of which only the chosen experts' are read; others: the shared expert's
        output and the residual, (B, H) each. grouped: the rows are one stream's.
        """
        ...

    def choose(
        self,
        logits: Tensor,
        temperature: Tensor,
        top_k: Tensor,
        top_p: Tensor,
        uniform: Tensor,
    ) -> Tensor:
        """``sampling.choose``: logits (B, V) of any dtype, the others (B,): codes (B,)."""
        ...

    def join_snake(self, kept: Tensor, x: Tensor, snake: tuple[Tensor, Tensor]) -> Tensor:
        """``kept`` (B, n, C), then ``snake`` of x (B, T, C): (B, n + T, C).

        SnakeBeta (BigVGAN, arXiv 2206.04658): x + sin(x * frequency)^2 * inverse, with
        frequency and inverse (C,).
        """
        ...


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """RoPE on halves: x (B, heads, D); cos, sin (B, D / 2)."""
    cos, sin = cos.to(x.dtype).unsqueeze(1), sin.to(x.dtype).unsqueeze(1)
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


class EagerOps:
    """Plain torch, on any device."""

    def rms_norm(self, x: Tensor, norm: Norm) -> Tensor:
        weight, eps = norm
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
        return weight * wide.to(x.dtype)

    def linear(
        self, x: Tensor, weight: Product, *, norm: Norm | None = None, add: Tensor | None = None
    ) -> Tensor:
        out = weight(x if norm is None else self.rms_norm(x, norm))
        return out if add is None else add + out

    def gated(self, x: Tensor, weight: Product, *, norm: Norm | None = None) -> Tensor:
        return swiglu(self.linear(x, weight, norm=norm))

    def rope_store(self, qkv: Tensor, norms: Norms, cache: Cache, places: Places) -> Tensor:
        kv_heads, dim = cache[0].shape[1], cache[0].shape[3]
        heads = qkv.view(qkv.shape[0], -1, dim)  # (B, Q + 2 G, D)
        queries = heads.shape[1] - 2 * kv_heads
        q = rotate(self.rms_norm(heads[:, :queries], norms[0]), places.cos, places.sin)
        k = rotate(self.rms_norm(heads[:, queries:-kv_heads], norms[1]), places.cos, places.sin)
        cache[0][places.slots, :, places.lengths] = k
        cache[1][places.slots, :, places.lengths] = heads[:, -kv_heads:]
        return q

    def attend(self, q: Tensor, cache: Cache, places: Places) -> Tensor:
        """q (B, Q, D) over each row's own ``lengths + 1`` positions: (B, Q D)."""
        # Row by row: a shared padded length would let a longer companion change the shapes.
        rows = [
            attend_span(q[row : row + 1], cache, slot, length + 1)
            for row, (slot, length) in enumerate(
                zip(places.slots.tolist(), places.lengths.tolist(), strict=True)
            )
        ]
        return torch.cat(rows)

    def attention(self, qkv: Tensor, norms: Norms, cache: Cache, places: Places) -> Tensor:
        return self.attend(self.rope_store(qkv, norms, cache, places), cache, places)

    def route(self, scores: Tensor, per_row: int, *, normalise: bool) -> tuple[Tensor, Tensor]:
        shares = torch.softmax(scores[:, :-1].float(), dim=-1)
        scales, chosen = torch.topk(shares, per_row, dim=-1)
        if normalise:
            scales = scales / scales.sum(-1, keepdim=True)
        gate = torch.sigmoid(scores[:, -1:])
        return chosen, torch.cat((scales.to(gate.dtype), gate), dim=-1)

    def experts(
        self,
        x: Tensor,
        chosen: tuple[Tensor, Tensor],
        weights: tuple[Tensor, Tensor],
        others: tuple[Tensor, Tensor],
        *,
        grouped: bool,
    ) -> Tensor:
        experts, scales = chosen
        shared, residual = others
        count = len(x) if grouped else 1  # rows that may be in one product
        parts = [slice(begin, begin + count) for begin in range(0, len(x), count)]
        routed = [_routed(x[part], experts[part], scales[part], weights) for part in parts]
        return residual + (torch.cat(routed) + scales[:, -1:] * shared)

    def choose(
        self,
        logits: Tensor,
        temperature: Tensor,
        top_k: Tensor,
        top_p: Tensor,
        uniform: Tensor,
    ) -> Tensor:
        return sampling.choose(logits.float(), temperature, top_k, top_p, uniform)

    def join_snake(self, kept: Tensor, x: Tensor, snake: tuple[Tensor, Tensor]) -> Tensor:
        frequency, inverse = snake
        count = kept.shape[1]
        joined = x.new_empty(x.shape[0], count + x.shape[1], x.shape[2])
        joined[:, :count] = kept
        # In the buffer that it fills: another would leave the cache.
        wave = torch.mul(x, frequency, out=joined[:, count:]).sin_().square_()
        torch.addcmul(x, wave, inverse, out=wave)
        return joined


def swiglu(x: Tensor) -> Tensor:
    """silu(first half) * second half of the last axis: (..., 2 I) to (..., I)."""
    gate, up = x.chunk(2, dim=-1)
    return F.silu(gate) * up


def _routed(x: Tensor, chosen: Tensor, scales: Tensor, weights: tuple[Tensor, Tensor]) -> Tensor:
    """The scaled sum of each row's own experts, rows grouped by expert: (n, H)."""
    gate_up, down = weights
    out = torch.zeros_like(x)
    for expert in sorted(set(chosen.flatten().tolist())):
        rows, place = torch.where(chosen == expert)
        inner = swiglu(F.linear(x[rows], gate_up[expert]))
        result = F.linear(inner, down[expert]) * scales[rows, place].unsqueeze(-1)
        out.index_add_(0, rows, result)
    return out


def causal(count: int, past: int, device: torch.device) -> Tensor:
    """(n, past + n) bool: what n consecutive positions after ``past`` ones may see."""
    return torch.ones(count, past + count, dtype=torch.bool, device=device).tril(past)


def attend_span(q: Tensor, cache: Cache, slot: int, end: int, mask: Tensor | None = None) -> Tensor:
    """n rows of one slot, q (n, Q, D), over its first ``end`` positions, masked: (n, Q D)."""
    keys, values = cache[0][slot, :, :end], cache[1][slot, :, :end]  # (G, end, D)
    out = F.scaled_dot_product_attention(
        q.transpose(0, 1).unsqueeze(0),  # (1, Q, n, D)
        keys.unsqueeze(0),
        values.unsqueeze(0),
        attn_mask=mask,
        enable_gqa=True,
    )
    return out.squeeze(0).transpose(0, 1).flatten(1)
