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
from omni_agent.engines.qwen3_omni.talker.ops import Ops, Places
from omni_agent.engines.qwen3_omni.talker.rope import RotaryAngles
from omni_agent.engines.qwen3_omni.talker.sampling import PREDICTOR_TOP_K, PREDICTOR_TOP_P
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
        row = torch.arange(rows, device=device)
        # Positions 0 and 1 are two rows of the same stream, side by side.
        opening = torch.arange(2, device=device).repeat(rows)
        pairs = row.repeat_interleave(2)
        self._places = [Places(pairs, opening, *angles.linear(opening), apart=False)]
        for group in range(2, groups):
            lengths = torch.full_like(row, group)
            self._places.append(Places(row, lengths, *angles.linear(lengths), apart=True))
        self._top_k = torch.full((rows,), PREDICTOR_TOP_K, device=device)
        self._top_p = torch.full((rows,), PREDICTOR_TOP_P, device=device)
        # Where each codebook begins in the table of all.
        self._begin = torch.arange(groups - 1, device=device) * config.vocab_size

    def frame(
        self, hidden: Tensor, first: Tensor, temperature: Tensor, uniform: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Residual codes (B, 15) and the sum of their embeddings (B, H).

        hidden: the Talker's post-norm state (B, H); first: codebook 0's embedding
        (B, H); temperature (B,), 0 greedy and anything else 1 as in the reference;
        uniform (B, 15).
        """
        rows, width = hidden.shape
        weights, norm = self._weights, (self._weights.norm, self._config.rms_norm_eps)
        x = torch.stack((hidden, first), dim=1).reshape(2 * rows, width)
        x = self._layers(x, self._places[0])[1::2]
        warm = (temperature > 0).to(temperature.dtype)
        top_k, top_p = self._top_k[:rows], self._top_p[:rows]
        codes: list[Tensor] = []
        for index, head in enumerate(weights.heads):
            if index:
                x = F.embedding(codes[-1], weights.embeddings[index - 1])
                x = self._layers(x, self._places[index])
            logits = self._ops.linear(x, head, norm=norm)
            codes.append(self._ops.choose(logits, warm, top_k, top_p, uniform[:, index]))
        chosen = torch.stack(codes, dim=-1)
        table = weights.embeddings.flatten(0, 1)
        return chosen, F.embedding(chosen + self._begin, table).sum(1)

    def _layers(self, x: Tensor, places: Places) -> Tensor:
        """x (n, H) at the first n of ``places``: (n, H), not normed."""
        ops, eps, places = self._ops, self._config.rms_norm_eps, places.first(len(x))
        for index, layer in enumerate(self._weights.layers):
            weights = layer.attention
            qkv = ops.linear(x, weights.qkv, norm=(weights.norm, eps))
            mixed = ops.attention(qkv, weights.norms(eps), self._cache.layer(index), places)
            x = ops.linear(mixed, weights.out, add=x)
            inner = ops.gated(x, layer.mlp.gate_up, norm=(layer.norm, eps))
            x = ops.linear(inner, layer.mlp.down, add=x)
        return x
