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
from omni_agent.engines.qwen3_omni.talker.ops import Ops, Places, attend_span, causal
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
        ops, eps = self._ops, self._config.rms_norm_eps
        places = Places(slots, lengths, *self.angles.linear(positions), apart=True)
        for index, layer in enumerate(self._weights.layers):
            weights = layer.attention
            qkv = ops.linear(x, weights.qkv, norm=(weights.norm, eps))
            mixed = ops.attention(qkv, weights.norms(eps), cache.layer(index), places)
            x = ops.linear(mixed, weights.out, add=x)
            x = self._feed_forward(x, layer, grouped=False)
        return ops.rms_norm(x, (self._weights.norm, eps))

    def prefill(self, x: Tensor, positions: Tensor, cache: KvCache, slot: int, past: int) -> None:
        """n positions of one stream into its cache: x (n, H), positions (3, n) fp32.

        ``past`` positions are already there. Any cut of a prompt into pieces gives
        the same cache but for fp32 rounding.
        """
        ops, eps, count = self._ops, self._config.rms_norm_eps, x.shape[0]
        lengths = torch.arange(past, past + count, device=x.device)
        slots, angles = torch.full_like(lengths, slot), self.angles.spatial(positions)
        places = Places(slots, lengths, *angles, apart=False)
        mask = causal(count, past, x.device)
        for index, layer in enumerate(self._weights.layers):
            weights, kv = layer.attention, cache.layer(index)
            qkv = ops.linear(x, weights.qkv, norm=(weights.norm, eps))
            q = ops.rope_store(qkv, weights.norms(eps), kv, places)
            if index == len(self._weights.layers) - 1:
                return  # nothing reads the last layer's output: a prefill predicts nothing
            mixed = attend_span(q, kv, slot, past + count, mask)
            x = ops.linear(mixed, weights.out, add=x)
            x = self._feed_forward(x, layer, grouped=True)

    def _feed_forward(self, x: Tensor, layer: BackboneLayer, *, grouped: bool) -> Tensor:
        config, ops = self._config, self._ops
        normed = ops.rms_norm(x, (layer.norm, config.rms_norm_eps))
        chosen = ops.route(
            ops.linear(normed, layer.router),
            config.num_experts_per_tok,
            normalise=config.norm_topk_prob,
        )
        shared = ops.linear(ops.gated(normed, layer.shared.gate_up), layer.shared.down)
        weights = (layer.gate_up, layer.down)
        return ops.experts(normed, chosen, weights, (shared, x), grouped=grouped)
