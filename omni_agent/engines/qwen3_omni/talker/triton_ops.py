"""``Ops`` on Triton kernels: what a GPU's decoding steps run."""

from __future__ import annotations

from typing import Any

import torch
import triton
from torch import Tensor

from omni_agent.engines.qwen3_omni.talker import kernels, matmul_kernels
from omni_agent.engines.qwen3_omni.talker.ops import Cache, Norm, Norms, Places
from omni_agent.engines.qwen3_omni.talker.products import Product

MOST_ROWS = 32  # of a product that takes as long as its weight takes to read
_TILE = 16  # rows: the least that tl.dot accepts
_LONE_ROWS = 4  # up to so many, rows seldom share an expert: each reads its own
_SHORT = 64  # positions of a cache that one program reads at once
_SPLIT = 256  # positions of a cache for each split of its attention


class TritonOps:
    """``Ops`` on a GPU (or, interpreted, on a CPU)."""

    def rms_norm(self, x: Tensor, norm: Norm) -> Tensor:
        weight, eps = norm
        x = x.contiguous()
        out, width = torch.empty_like(x), x.shape[-1]
        block = triton.next_power_of_2(width)
        _launch(
            kernels.rms_norm_kernel, (x.numel() // width,), x, weight, out, width, eps, BLOCK=block
        )
        return out

    def linear(
        self, x: Tensor, weight: Product, *, norm: Norm | None = None, add: Tensor | None = None
    ) -> Tensor:
        if _few(x, weight):
            return _linear(x, weight.weight, norm, add, gated=False)
        out = weight(x if norm is None else self.rms_norm(x, norm))
        return out if add is None else add + out

    def gated(self, x: Tensor, weight: Product, *, norm: Norm | None = None) -> Tensor:
        if _few(x, weight):
            return _linear(x, weight.weight, norm, None, gated=True)
        both = self.linear(x, weight, norm=norm)
        width = both.shape[-1] // 2
        out = both.new_empty(*both.shape[:-1], width)
        block = min(1024, triton.next_power_of_2(width))
        grid = (out.numel() // width, triton.cdiv(width, block))
        _launch(kernels.swiglu_kernel, grid, both, out, width, BLOCK=block)
        return out

    def rope_store(self, qkv: Tensor, norms: Norms, cache: Cache, places: Places) -> Tensor:
        _, groups, positions, dim = cache[0].shape
        heads = qkv.shape[1] // dim
        queries = heads - 2 * groups
        q = qkv.new_empty(qkv.shape[0], queries, dim)
        (q_norm, eps), (k_norm, _) = norms
        _launch(
            kernels.rope_store_kernel, (qkv.shape[0], heads),
            qkv.contiguous(), q_norm, k_norm, places.cos.contiguous(), places.sin.contiguous(), q,
            *cache, places.slots, places.lengths, eps, queries, groups, positions,
            HALF=dim // 2, BLOCK=triton.next_power_of_2(dim // 2),
        )  # fmt: skip
        return q

    def attend(self, q: Tensor, cache: Cache, places: Places) -> Tensor:
        """q (B, Q, D) over each row's own ``lengths + 1`` positions: (B, Q D)."""
        rows, queries, dim = q.shape
        _, groups, positions, _ = cache[0].shape
        splits = min(16, triton.next_power_of_2(triton.cdiv(positions, _SPLIT)))
        out = q.new_empty(rows, queries * dim)
        parts = out
        if splits > 1:
            parts = torch.empty(
                rows, queries, splits, dim + 2, dtype=torch.float32, device=q.device
            )
        sizes = {"SPLITS": splits, "DIM": dim, "BLOCK_D": triton.next_power_of_2(dim)}
        _launch(
            kernels.attend_kernel, (rows, queries, splits),
            q.contiguous(), *cache, parts, places.slots, places.lengths,
            queries, groups, positions, dim**-0.5,
            **sizes, BLOCK_N=min(64, triton.next_power_of_2(positions)),
        )  # fmt: skip
        if splits > 1:
            _launch(kernels.merge_kernel, (rows * queries,), parts, out, **sizes)
        return out

    def attention(self, qkv: Tensor, norms: Norms, cache: Cache, places: Places) -> Tensor:
        _, groups, positions, dim = cache[0].shape
        if positions > _SHORT or not places.apart:
            return self.attend(self.rope_store(qkv, norms, cache, places), cache, places)
        rows, queries = len(qkv), qkv.shape[1] // dim - 2 * groups
        out = qkv.new_empty(rows, queries * dim)
        (q_norm, eps), (k_norm, _) = norms
        _launch(
            kernels.attend_apart_kernel, (rows, groups),
            qkv.contiguous(), q_norm, k_norm, places.cos.contiguous(), places.sin.contiguous(), out,
            *cache, places.slots, places.lengths, eps, queries, groups, positions, dim**-0.5,
            PER_GROUP=queries // groups, HALF=dim // 2, BLOCK=triton.next_power_of_2(dim // 2),
            BLOCK_N=triton.next_power_of_2(positions),
        )  # fmt: skip
        return out

    def route(self, scores: Tensor, per_row: int, *, normalise: bool) -> tuple[Tensor, Tensor]:
        scores, (rows, width) = scores.contiguous(), scores.shape
        chosen = torch.empty(rows, per_row, dtype=torch.int64, device=scores.device)
        scales = torch.empty(rows, per_row + 1, dtype=torch.float32, device=scores.device)
        _launch(
            kernels.route_kernel, (rows,), scores, chosen, scales, width - 1,
            PER_ROW=per_row, NORMALISE=normalise, BLOCK=triton.next_power_of_2(width - 1),
            BLOCK_K=triton.next_power_of_2(per_row + 1),
        )  # fmt: skip
        return chosen, scales

    def experts(
        self,
        x: Tensor,
        chosen: tuple[Tensor, Tensor],
        weights: tuple[Tensor, Tensor],
        others: tuple[Tensor, Tensor],
        *,
        grouped: bool,
    ) -> Tensor:
        (rows, width), (experts, scales), (gate_up, down) = x.shape, chosen, weights
        shared, residual = others
        inner_width, per_row = down.shape[2], experts.shape[1]
        pairs, count, tile = experts.numel(), experts.numel(), 1
        order = starts = None
        if rows > _LONE_ROWS:
            order, starts = by_expert(experts, len(down))
            count, tile = len(down), _TILE
        inner = x.new_empty(pairs, inner_width)
        made = torch.empty(pairs, width, dtype=torch.float32, device=x.device)
        out = torch.empty_like(x)
        plan = (experts, order, starts)
        sizes = _block(tile, width, narrow=True)
        _launch(
            matmul_kernels.expert_up_kernel, (count, triton.cdiv(inner_width, sizes["N"])),
            x.contiguous(), gate_up, inner, *plan, width, inner_width, per_row, **sizes,
        )  # fmt: skip
        sizes = _block(tile, inner_width)
        _launch(
            matmul_kernels.expert_down_kernel, (count, triton.cdiv(width, sizes["N"])),
            inner, down, made, *plan, width, inner_width, **sizes,
        )  # fmt: skip
        block = min(256, triton.next_power_of_2(width))
        _launch(
            kernels.combine_kernel, (rows, triton.cdiv(width, block)),
            made, scales, shared.contiguous(), residual.contiguous(), out, width,
            PER_ROW=per_row, BLOCK=block,
        )  # fmt: skip
        return out

    def choose(
        self,
        logits: Tensor,
        temperature: Tensor,
        top_k: Tensor,
        top_p: Tensor,
        uniform: Tensor,
    ) -> Tensor:
        rows, vocabulary = logits.shape
        code = torch.empty(rows, dtype=torch.int64, device=logits.device)
        _launch(
            kernels.choose_kernel, (rows,), logits, temperature, top_k, top_p, uniform, code,
            vocabulary, logits.stride(0), uniform.stride(0),
            BITS=16 if logits.dtype == torch.bfloat16 else 32,
            BLOCK=triton.next_power_of_2(vocabulary),
        )  # fmt: skip
        return code

    def join_snake(self, kept: Tensor, x: Tensor, snake: tuple[Tensor, Tensor]) -> Tensor:
        batch, length, channels = x.shape
        count = kept.shape[1]
        out = x.new_empty(batch, count + length, channels)
        block = 1024
        _launch(
            kernels.join_snake_kernel, (batch, triton.cdiv((count + length) * channels, block)),
            kept, x, *snake, out, count, length, channels, kept.stride(0), *x.stride(), BLOCK=block,
        )  # fmt: skip
        return out


def by_expert(chosen: Tensor, experts: int) -> tuple[Tensor, Tensor]:
    """The pairs of chosen (B, K) by expert (B K,), and where each of them begins (E + 1,)."""
    sorted_pairs = chosen.flatten().sort(stable=True)
    bounds = torch.arange(experts + 1, device=chosen.device)
    return sorted_pairs.indices, torch.searchsorted(sorted_pairs.values, bounds)


def _few(x: Tensor, weight: Product) -> bool:
    """Whether ``linear_kernel`` computes this product; cuBLAS does the others."""
    return x.numel() // x.shape[-1] <= MOST_ROWS and weight.bias is None


def _linear(
    x: Tensor, weight: Tensor, norm: Norm | None, add: Tensor | None, *, gated: bool
) -> Tensor:
    """``linear_kernel``: weight (O, H), or (2 O, H) when gated."""
    width, outputs = x.shape[-1], len(weight) // (2 if gated else 1)
    rows = x.numel() // width
    out = x.new_empty(*x.shape[:-1], outputs)
    tile = 1 if rows == 1 else max(_TILE, triton.next_power_of_2(rows))
    sizes = _block(tile, width, narrow=gated or outputs <= 1024)
    gain, eps = norm or (None, 0.0)
    _launch(
        matmul_kernels.linear_kernel, (triton.cdiv(outputs, sizes["N"]),),
        x.contiguous(), weight, gain, None if add is None else add.contiguous(), out,
        rows, width, outputs, eps, GATED=gated, **sizes,
    )  # fmt: skip
    return out


def _block(tile: int, width: int, *, narrow: bool = False) -> dict[str, int]:
    """A program's tile of rows, and how it reads its columns of weights.

    So that many bytes are under way at once: with one row whole columns, in 16 to 32 KB; with
    more, four steps of 4 KB (or twice as much) ahead of the tensor cores. narrow: half as many
    columns, because there are two weights, or else too few programs.
    """
    depth = triton.next_power_of_2(width)
    if tile == 1:
        return {"M": 1, "N": 8 if narrow else 16, "K": min(1024, depth), "num_warps": 8}
    return {"M": tile, "N": 16, "K": min(128, max(16, depth)), "num_warps": 4, "num_stages": 5}


def _launch(kernel: Any, grid: tuple[int, ...], *args: Any, **settings: int) -> None:
    kernel[grid](*args, **settings)
