"""The static buffers of all streams, and the two programs that advance them.

``TalkerStep`` makes one frame's sixteen codes for B streams, ``WavStep`` one
frame's samples. Both read and write fixed tensors in place, so on a GPU each is
one CUDA graph per batch width; on a CPU the same functions run eagerly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from omni_agent.engines.qwen3_omni.talker.backbone import Backbone, KvCache, project
from omni_agent.engines.qwen3_omni.talker.code2wav import Code2Wav, WavStore
from omni_agent.engines.qwen3_omni.talker.ops import Ops
from omni_agent.engines.qwen3_omni.talker.predictor import Predictor
from omni_agent.engines.qwen3_omni.talker.prompt import Piece
from omni_agent.engines.qwen3_omni.talker.sampling import (
    SamplingRows,
    penalize,
    suppressed,
)
from omni_agent.engines.qwen3_omni.talker.weights import TalkerWeights


@dataclass(frozen=True, slots=True)
class StepInputs:
    """One batch's inputs, fixed tensors that every step overwrites. B is the batch width.

    Rows that no stream uses point at the scratch slot.
    """

    slots: Tensor  # (B,) int64
    lengths: Tensor  # (B,) int64: positions in the cache before this one
    positions: Tensor  # (B,) fp32: rotary position
    text: Tensor  # (B, thinker hidden): the text token's embedding row
    uniform: Tensor  # (B, 16) fp32 in [0, 1)
    sampling: SamplingRows

    @staticmethod
    def empty(
        width: int, thinker_hidden: int, groups: int, device: torch.device, dtype: torch.dtype
    ) -> StepInputs:
        return StepInputs(
            torch.zeros(width, dtype=torch.int64, device=device),
            torch.zeros(width, dtype=torch.int64, device=device),
            torch.zeros(width, device=device),
            torch.zeros(width, thinker_hidden, device=device, dtype=dtype),
            torch.zeros(width, groups, device=device),
            SamplingRows.empty(width, device),
        )

    def tensors(self) -> tuple[Tensor, ...]:
        rows = self.sampling
        return (
            self.slots, self.lengths, self.positions, self.text, self.uniform,
            rows.temperature, rows.top_k, rows.top_p, rows.penalty,
        )  # fmt: skip

    def pinned(self) -> StepInputs:
        """The same in page-locked memory, which a GPU reads without a copy in between."""
        slots, lengths, positions, text, uniform, *rows = (
            tensor.pin_memory() for tensor in self.tensors()
        )
        return StepInputs(slots, lengths, positions, text, uniform, SamplingRows(*rows))

    def fill(self, source: StepInputs) -> None:
        for own, new in zip(self.tensors(), source.tensors(), strict=True):
            own.copy_(new, non_blocking=True)


class Stepper:
    """Every stream's model state, and the maths that advances it. Model thread only.

    slots: streams at once; one more row is scratch. positions: cache places a
    stream has (prompt and frames together). width: the largest batch.
    """

    def __init__(
        self, weights: TalkerWeights, ops: Ops, *, slots: int, positions: int, width: int
    ) -> None:
        self.weights, self.scratch, self._ops = weights, slots, ops
        talker = weights.config.talker_config
        text, norm = talker.text_config, weights.backbone.norm
        rows = slots + 1
        shape = (
            text.num_hidden_layers, rows, text.num_key_value_heads, positions, text.head_dim,
        )  # fmt: skip
        self.cache = KvCache.empty(shape, norm.device, norm.dtype)
        self.carry = torch.zeros(rows, text.hidden_size, device=norm.device, dtype=norm.dtype)
        self.seen = torch.zeros(rows, text.vocab_size, device=norm.device, dtype=torch.bool)
        self._suppressed = suppressed(text.vocab_size, talker.codec_eos_token_id, norm.device)
        self._backbone = Backbone(text, weights.backbone, ops)
        predictor = talker.code_predictor_config
        self._predictor = Predictor(predictor, weights.predictor, ops, width)
        self._code2wav = Code2Wav(weights.config.code2wav_config, weights.code2wav, ops)
        self.wave = WavStore(rows, self._code2wav.empty_state(1))

    def reset(self, slot: int) -> None:
        """Make a slot ready for a new stream. Cached keys stay: lengths say they are void."""
        self.seen[slot].zero_()
        self.wave.reset(slot)

    def prefill(self, slot: int, piece: Piece, past: int) -> None:
        self._backbone.prefill(piece.rows, piece.positions, self.cache, slot, past)

    def begin(self, slot: int) -> None:
        """The ninth opening position's codec side: bos."""
        bos = self.weights.config.talker_config.codec_bos_id
        self.carry[slot] = self.weights.backbone.codec_embedding[bos]

    def codes(self, inputs: StepInputs) -> Tensor:
        """One frame of B streams: codes (B, 17) int64, the last column 1 where all is finite.

        Where codebook 0 is the codec's eos the other columns mean nothing.
        """
        slots, rows = inputs.slots, inputs.sampling
        backbone = self.weights.backbone
        x = self.carry[slots] + project(inputs.text, backbone.text_projection)
        hidden = self._backbone.step(x, inputs.positions, self.cache, slots, inputs.lengths)
        logits = self._ops.linear(hidden, backbone.codec_head).float()  # (B, V)
        finite = torch.isfinite(logits).all(-1)
        logits = penalize(logits, self.seen[slots], rows.penalty)
        logits = logits.masked_fill(self._suppressed, -torch.inf)
        code = self._ops.choose(
            logits, rows.temperature, rows.top_k, rows.top_p, inputs.uniform[:, 0]
        )
        first = F.embedding(code, backbone.codec_embedding)
        residual, total = self._predictor.frame(
            hidden, first, rows.temperature, inputs.uniform[:, 1:]
        )
        # State changes last, so that a step that raised can be tried again row by row.
        self.seen[slots, code] = True
        self.carry[slots] = first + total
        return torch.cat((code.unsqueeze(-1), residual, finite.long().unsqueeze(-1)), dim=-1)

    def samples(self, slots: Tensor, codes: Tensor, *, first: bool) -> Tensor:
        """One frame's waveform: slots (B,), codes (B, 16) to (B, n) in [-1, 1].

        ``first``: the frame is the first of each of these streams.
        """
        wave, after = self._code2wav.decode(
            codes.unsqueeze(-1), self.wave.select(slots), first=first
        )
        self.wave.store(slots, after)
        return wave

    def tail(self, slot: int) -> Tensor:
        """The samples after a stream's last frame, (n,)."""
        slots = torch.tensor([slot], device=self.carry.device)
        return self._code2wav.flush(self.wave.select(slots))[0]
