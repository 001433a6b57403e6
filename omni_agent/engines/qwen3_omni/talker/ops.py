"""The row-wise operations of one decoding step, and their plain torch form.

A *row* is one position of one stream. ``slots[b]`` says which stream's cache row
b belongs to and ``lengths[b]`` how many positions that cache holds before it.
Every operation computes a row from that row and its own cache alone, with shapes
that do not depend on the other rows, so in fp32 a stream's result is bit for bit
the same whoever shares the batch (matrix products of one shape add in one order;
test_batch_independence holds this). ``kernels`` has the same operations as
Triton kernels.
"""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


class Ops(Protocol):
    """B rows, Q query heads, G key/value heads, D head dim, S slots, P cache positions."""

    def rms_norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        """x (..., H); statistics in fp32."""
        ...

    def rope_store(
        self,
        qkv: Tensor,
        norms: tuple[Tensor, Tensor],
        angles: tuple[Tensor, Tensor],
        cache: tuple[Tensor, Tensor],
        where: tuple[Tensor, Tensor],
        eps: float,
    ) -> Tensor:
        """Norm and rotate q and k, write k and v to the cache; return q (B, Q, D).

        qkv (B, (Q + 2 G) D); norms q, k (D,); angles cos, sin (B, D / 2) fp32;
        cache k, v (S, G, P, D); where slots, lengths (B,) int64.
        """
        ...

    def attend(
        self, q: Tensor, cache: tuple[Tensor, Tensor], where: tuple[Tensor, Tensor]
    ) -> Tensor:
        """q (B, Q, D) over each row's own ``lengths + 1`` positions: (B, Q D)."""
        ...

    def swiglu(self, x: Tensor) -> Tensor:
        """silu(first half) * second half of the last axis: (B, 2 I) to (B, I)."""
        ...

    def experts(
        self, x: Tensor, chosen: Tensor, scales: Tensor, gate_up: Tensor, down: Tensor
    ) -> Tensor:
        """Weighted sum of each row's own experts; only those are read.

        x (B, H), chosen (B, K) int64, scales (B, K), gate_up (E, 2 I, H), down (E, H, I).
        """
        ...


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """RoPE on halves: x (B, heads, D); cos, sin (B, D / 2)."""
    cos, sin = cos.to(x.dtype).unsqueeze(1), sin.to(x.dtype).unsqueeze(1)
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


class EagerOps:
    """Plain torch, on any device."""

    def rms_norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
        return weight * wide.to(x.dtype)

    def rope_store(
        self,
        qkv: Tensor,
        norms: tuple[Tensor, Tensor],
        angles: tuple[Tensor, Tensor],
        cache: tuple[Tensor, Tensor],
        where: tuple[Tensor, Tensor],
        eps: float,
    ) -> Tensor:
        kv_heads, dim = cache[0].shape[1], cache[0].shape[3]
        heads = qkv.view(qkv.shape[0], -1, dim)  # (B, Q + 2 G, D)
        queries = heads.shape[1] - 2 * kv_heads
        q = rotate(self.rms_norm(heads[:, :queries], norms[0], eps), *angles)
        k = rotate(self.rms_norm(heads[:, queries:-kv_heads], norms[1], eps), *angles)
        slots, lengths = where
        cache[0][slots, :, lengths] = k
        cache[1][slots, :, lengths] = heads[:, -kv_heads:]
        return q

    def attend(
        self, q: Tensor, cache: tuple[Tensor, Tensor], where: tuple[Tensor, Tensor]
    ) -> Tensor:
        # Row by row: a shared padded length would let a longer companion change the shapes.
        rows = [
            attend_span(q[row : row + 1], cache, slot, length)
            for row, (slot, length) in enumerate(
                zip(where[0].tolist(), where[1].tolist(), strict=True)
            )
        ]
        return torch.cat(rows)

    def swiglu(self, x: Tensor) -> Tensor:
        gate, up = x.chunk(2, dim=-1)
        return F.silu(gate) * up

    def experts(
        self, x: Tensor, chosen: Tensor, scales: Tensor, gate_up: Tensor, down: Tensor
    ) -> Tensor:
        rows = [
            self.grouped_experts(x[b : b + 1], chosen[b : b + 1], scales[b : b + 1], gate_up, down)
            for b in range(x.shape[0])
        ]
        return torch.cat(rows)

    def grouped_experts(
        self, x: Tensor, chosen: Tensor, scales: Tensor, gate_up: Tensor, down: Tensor
    ) -> Tensor:
        """``experts`` with rows grouped by expert: for rows of one stream (a prefill)."""
        out = torch.zeros_like(x)
        for expert in sorted(set(chosen.flatten().tolist())):
            rows, place = torch.where(chosen == expert)
            inner = self.swiglu(F.linear(x[rows], gate_up[expert]))
            result = F.linear(inner, down[expert]) * scales[rows, place].unsqueeze(-1)
            out.index_add_(0, rows, result)
        return out


def attend_span(q: Tensor, cache: tuple[Tensor, Tensor], slot: int, past: int) -> Tensor:
    """n consecutive rows of one slot, causal: q (n, Q, D) with ``past`` positions before.

    Returns (n, Q D).
    """
    count = q.shape[0]
    end = past + count
    keys, values = cache[0][slot, :, :end], cache[1][slot, :, :end]  # (G, end, D)
    mask = None
    if count > 1:
        steps = torch.arange(end, device=q.device)
        mask = steps[None, :] <= steps[past:, None]  # (n, end)
    out = F.scaled_dot_product_attention(
        q.transpose(0, 1).unsqueeze(0),  # (1, Q, n, D)
        keys.unsqueeze(0),
        values.unsqueeze(0),
        attn_mask=mask,
        enable_gqa=True,
    )
    return out.squeeze(0).transpose(0, 1).reshape(count, -1)
