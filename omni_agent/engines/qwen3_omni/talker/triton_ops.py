"""``Ops`` on Triton kernels: what a GPU's decoding steps run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import triton
from torch import Tensor

from omni_agent.engines.qwen3_omni.talker import kernels

TILE = 16  # rows of one expert a program takes: the least tl.dot accepts


@dataclass(frozen=True, slots=True)
class ExpertTiles:
    """(row, expert) pairs sorted by expert and cut into tiles; all on the device, shapes static.

    order (pairs,): pair indices by expert. expert, begin, end (tiles,): a tile's expert
    (E for a tile that is not used) and its range in ``order``.
    """

    order: Tensor
    expert: Tensor
    begin: Tensor
    end: Tensor


def expert_tiles(chosen: Tensor, experts: int) -> ExpertTiles:
    """Tiles for chosen (B, K) int64. Each used expert appears in as few tiles as it needs."""
    flat = chosen.reshape(-1)
    pairs = flat.shape[0]
    order = torch.argsort(flat, stable=True)
    counts = torch.zeros(experts, dtype=torch.int64, device=flat.device)
    counts.scatter_add_(0, flat, torch.ones_like(flat))
    stops = counts.cumsum(0)
    tile_counts = (counts + TILE - 1) // TILE
    tile_stops = tile_counts.cumsum(0)
    # Never more tiles than pairs, nor than one unfilled a used expert and the filled ones.
    tiles = torch.arange(min(pairs, experts + pairs // TILE), device=flat.device)
    expert = torch.searchsorted(tile_stops, tiles, right=True)
    owner = expert.clamp(max=experts - 1)
    begin = stops[owner] - counts[owner] + (tiles - tile_stops[owner] + tile_counts[owner]) * TILE
    return ExpertTiles(order, expert, begin, stops[owner])


class TritonOps:
    """``Ops`` on a GPU (or, interpreted, on a CPU)."""

    def rms_norm(self, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        x = x.contiguous()
        out, width = torch.empty_like(x), x.shape[-1]
        block = triton.next_power_of_2(width)
        _launch(
            kernels.rms_norm_kernel, (x.numel() // width,), x, weight, out, width, eps, BLOCK=block
        )
        return out

    def rope_store(
        self,
        qkv: Tensor,
        norms: tuple[Tensor, Tensor],
        angles: tuple[Tensor, Tensor],
        cache: tuple[Tensor, Tensor],
        where: tuple[Tensor, Tensor],
        eps: float,
    ) -> Tensor:
        _, groups, positions, dim = cache[0].shape
        heads = qkv.shape[1] // dim
        queries = heads - 2 * groups
        q = qkv.new_empty(qkv.shape[0], queries, dim)
        _launch(
            kernels.rope_store_kernel, (qkv.shape[0], heads),
            qkv.contiguous(), *norms, angles[0].contiguous(), angles[1].contiguous(), q,
            *cache, *where, eps, queries, groups, positions,
            HALF=dim // 2, BLOCK=triton.next_power_of_2(dim // 2),
        )  # fmt: skip
        return q

    def attend(
        self, q: Tensor, cache: tuple[Tensor, Tensor], where: tuple[Tensor, Tensor]
    ) -> Tensor:
        rows, queries, dim = q.shape
        _, groups, positions, _ = cache[0].shape
        out = q.new_empty(rows, queries * dim)
        _launch(
            kernels.attend_kernel, (rows, queries),
            q.contiguous(), *cache, out, *where, queries, groups, positions, dim**-0.5,
            DIM=dim, BLOCK_D=triton.next_power_of_2(dim), BLOCK_N=64,
        )  # fmt: skip
        return out

    def swiglu(self, x: Tensor) -> Tensor:
        width = x.shape[-1] // 2
        x, out = x.contiguous(), x.new_empty(*x.shape[:-1], width)
        rows = out.numel() // width
        block = min(1024, triton.next_power_of_2(width))
        _launch(
            kernels.swiglu_kernel, (rows, triton.cdiv(width, block)), x, out, width, BLOCK=block
        )
        return out

    def experts(
        self, x: Tensor, chosen: Tensor, scales: Tensor, gate_up: Tensor, down: Tensor
    ) -> Tensor:
        x, (rows, width) = x.contiguous(), x.shape
        experts, inner_width = gate_up.shape[0], down.shape[2]
        tiles = expert_tiles(chosen, experts)
        plan = (tiles.order, tiles.expert, tiles.begin, tiles.end)
        inner = x.new_empty(chosen.numel(), inner_width)
        out = torch.empty(chosen.numel(), width, dtype=torch.float32, device=x.device)
        count, n, k = tiles.expert.shape[0], 32, 64
        _launch(
            kernels.expert_up_kernel, (count, triton.cdiv(inner_width, n)),
            x, gate_up, inner, *plan, width, inner_width, experts, chosen.shape[1],
            M=TILE, N=n, K=k,
        )  # fmt: skip
        _launch(
            kernels.expert_down_kernel, (count, triton.cdiv(width, n)),
            inner, down, scales.contiguous(), out, *plan, width, inner_width, experts,
            M=TILE, N=n, K=k,
        )  # fmt: skip
        return out.view(rows, chosen.shape[1], width).sum(1).to(x.dtype)


def _launch(kernel: Any, grid: tuple[int, ...], *args: Any, **constants: int) -> None:
    kernel[grid](*args, **constants)
