"""MTP: the fifteen residual codes of a frame, after its codebook-0 code.

Report section 2.4 ("a multi-token prediction module generates all residual
codebooks"). A frame starts afresh: positions 0 to 15, sixteen fixed cache
places a row, overwritten every frame. The hidden state and codebook 0's
embedding go in together, then one code at a time: fifteen dependent steps.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from omni_agent.engines.qwen3_omni.talker.backbone import KvCache
from omni_agent.engines.qwen3_omni.talker.config import PredictorConfig
from omni_agent.engines.qwen3_omni.talker.ops import Ops
from omni_agent.engines.qwen3_omni.talker.rope import RotaryAngles
from omni_agent.engines.qwen3_omni.talker.sampling import (
    PREDICTOR_TOP_K,
    PREDICTOR_TOP_P,
    choose,
)
from omni_agent.engines.qwen3_omni.talker.weights import PredictorWeights


class Predictor:
    """The MTP module for up to ``rows`` streams at once."""

    def __init__(
        self, config: PredictorConfig, weights: PredictorWeights, ops: Ops, rows: int
    ) -> None:
        self._config, self._weights, self._ops = config, weights, ops
        device, dtype = weights.norm.device, weights.norm.dtype
        groups = config.num_code_groups
        shape = (
            config.num_hidden_layers, rows, config.num_key_value_heads, groups, config.head_dim,
        )  # fmt: skip
        self._cache = KvCache.empty(shape, device, dtype)
        angles = RotaryAngles(config.rope_parameters, config.head_dim, device)
        self._cos, self._sin = angles.linear(torch.arange(groups, device=device))

    def frame(
        self, hidden: Tensor, first: Tensor, temperature: Tensor, uniform: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Residual codes (B, 15) and the sum of their embeddings (B, H).

        hidden: the Talker's post-norm state (B, H); first: codebook 0's embedding
        (B, H); temperature (B,), 0 greedy and anything else 1 as in the reference;
        uniform (B, 15).
        """
        rows, width = hidden.shape
        row = torch.arange(rows, device=hidden.device)
        # Positions 0 and 1 as two cache rows of the same stream.
        x = torch.stack((hidden, first), dim=1).reshape(2 * rows, width)
        place = torch.arange(2, device=hidden.device).repeat(rows)
        x = self._layers(x, row.repeat_interleave(2), place)[1::2]
        warm = (temperature > 0).to(temperature.dtype)
        codes, total = [], torch.zeros_like(hidden)
        for index in range(self._config.num_code_groups - 1):
            if index:
                x = self._layers(x, row, torch.full_like(row, index + 1))
            logits = F.linear(x, self._weights.heads[index]).float()
            code = choose(logits, warm, PREDICTOR_TOP_K, PREDICTOR_TOP_P, uniform[:, index])
            x = F.embedding(code, self._weights.embeddings[index])
            codes.append(code)
            total = total + x
        return torch.stack(codes, dim=-1), total

    def _layers(self, x: Tensor, slots: Tensor, place: Tensor) -> Tensor:
        """x (n, H) at cache row ``slots`` and position ``place``, both (n,): post-norm (n, H)."""
        ops, eps = self._ops, self._config.rms_norm_eps
        angles, where = (self._cos[place], self._sin[place]), (slots, place)
        for index, layer in enumerate(self._weights.layers):
            attention, kv = layer.attention, self._cache.layer(index)
            qkv = F.linear(ops.rms_norm(x, attention.norm, eps), attention.qkv)
            norms = (attention.q_norm, attention.k_norm)
            q = ops.rope_store(qkv, norms, angles, kv, where, eps)
            x = x + F.linear(ops.attend(q, kv, where), attention.out)
            inner = F.linear(ops.rms_norm(x, layer.norm, eps), layer.mlp.gate_up)
            x = x + F.linear(ops.swiglu(inner), layer.mlp.down)
        return ops.rms_norm(x, self._weights.norm, eps)
