"""The Talker's MoE decoder: prefill of one stream, one step of many.

Report section 2.4: the backbone reads the summed codebook embeddings of the last
frame plus the next text token and predicts codebook 0. 20 layers of normed
grouped-query attention and 128 experts (6 a position) beside a sigmoid-gated
shared expert.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from omni_agent.engines.qwen3_omni.talker.config import BackboneConfig
from omni_agent.engines.qwen3_omni.talker.ops import EagerOps, Ops, attend_span
from omni_agent.engines.qwen3_omni.talker.rope import RotaryAngles
from omni_agent.engines.qwen3_omni.talker.weights import (
    BackboneLayer,
    BackboneWeights,
    Projection,
)


@dataclass(frozen=True, slots=True)
class KvCache:
    """Static key/value buffers (L, S, G, P, D), written in place."""

    keys: Tensor
    values: Tensor

    @staticmethod
    def empty(shape: tuple[int, ...], device: torch.device, dtype: torch.dtype) -> KvCache:
        return KvCache(
            torch.zeros(shape, device=device, dtype=dtype),
            torch.zeros(shape, device=device, dtype=dtype),
        )

    def layer(self, index: int) -> tuple[Tensor, Tensor]:
        return self.keys[index], self.values[index]


def project(rows: Tensor, weights: Projection) -> Tensor:
    """Thinker rows (n, thinker hidden) to Talker rows (n, H)."""
    inner = F.silu(F.linear(rows, weights.fc1, weights.bias1))
    return F.linear(inner, weights.fc2, weights.bias2)


class Backbone:
    """The decoder's maths over given weights and cache; it holds no state of its own."""

    def __init__(self, config: BackboneConfig, weights: BackboneWeights, ops: Ops) -> None:
        self._config, self._weights, self._ops = config, weights, ops
        device = weights.norm.device
        self.angles = RotaryAngles(config.rope_parameters, config.head_dim, device)

    def step(
        self, x: Tensor, positions: Tensor, cache: KvCache, slots: Tensor, lengths: Tensor
    ) -> Tensor:
        """One position of B streams: x (B, H) to post-norm hidden (B, H).

        positions (B,) fp32 rotary positions; slots, lengths (B,) int64.
        """
        angles, eps = self.angles.linear(positions), self._config.rms_norm_eps
        ops, where = self._ops, (slots, lengths)
        for index, layer in enumerate(self._weights.layers):
            attention, kv = layer.attention, cache.layer(index)
            qkv = F.linear(ops.rms_norm(x, attention.norm, eps), attention.qkv)
            norms = (attention.q_norm, attention.k_norm)
            q = ops.rope_store(qkv, norms, angles, kv, where, eps)
            x = x + F.linear(ops.attend(q, kv, where), attention.out)
            x = x + self._feed_forward(ops.rms_norm(x, layer.norm, eps), layer, grouped=False)
        return ops.rms_norm(x, self._weights.norm, eps)

    def prefill(self, x: Tensor, positions: Tensor, cache: KvCache, slot: int, past: int) -> None:
        """n positions of one stream into its cache: x (n, H), positions (3, n) fp32.

        ``past`` positions are already there. Any cut of a prompt into pieces gives
        the same cache but for fp32 rounding.
        """
        angles, eps = self.angles.spatial(positions), self._config.rms_norm_eps
        ops, count = self._ops, x.shape[0]
        lengths = torch.arange(past, past + count, device=x.device)
        where = (torch.full_like(lengths, slot), lengths)
        for index, layer in enumerate(self._weights.layers):
            attention, kv = layer.attention, cache.layer(index)
            qkv = F.linear(ops.rms_norm(x, attention.norm, eps), attention.qkv)
            norms = (attention.q_norm, attention.k_norm)
            q = ops.rope_store(qkv, norms, angles, kv, where, eps)
            if index == len(self._weights.layers) - 1:
                return  # nothing reads the last layer's output: a prefill predicts nothing
            x = x + F.linear(attend_span(q, kv, slot, past), attention.out)
            x = x + self._feed_forward(ops.rms_norm(x, layer.norm, eps), layer, grouped=True)

    def _feed_forward(self, x: Tensor, layer: BackboneLayer, *, grouped: bool) -> Tensor:
        config, ops = self._config, self._ops
        scores = F.linear(x, layer.router)  # (B, E + 1)
        shares = torch.softmax(scores[:, :-1].float(), dim=-1)
        scales, chosen = torch.topk(shares, config.num_experts_per_tok, dim=-1)
        if config.norm_topk_prob:
            scales = scales / scales.sum(-1, keepdim=True)
        if grouped and isinstance(ops, EagerOps):
            routed = ops.grouped_experts(x, chosen, scales.to(x.dtype), layer.gate_up, layer.down)
        else:
            routed = ops.experts(x, chosen, scales.to(x.dtype), layer.gate_up, layer.down)
        shared = F.linear(ops.swiglu(F.linear(x, layer.shared.gate_up)), layer.shared.down)
        return routed + torch.sigmoid(scores[:, -1:]) * shared
