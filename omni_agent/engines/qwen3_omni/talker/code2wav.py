"""Code2Wav, streamed exactly: codes in, waveform out, all state explicit.

Report section 2.5: a codec decoder "that only attends to the left context".
What a frame needs of the past is: keys and values of the last ``window - 1``
frames in each transformer layer, the last (k - 1) * dilation inputs of each
causal convolution (zeros at the start), and one input sample of each strided
transposed convolution. A stride-s transposed convolution with kernel 2s makes
output block j from inputs j and j - 1 and the reference trims its first and last
block; so the first frame is ``lag_samples`` short (1365 of 1920 samples when
published) and ``flush`` gives that tail, the trimmed last blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from omni_agent.engines.qwen3_omni.talker.code2wav_weights import Code2WavWeights
from omni_agent.engines.qwen3_omni.talker.config import Code2WavConfig
from omni_agent.engines.qwen3_omni.talker.ops import EagerOps, Ops
from omni_agent.engines.qwen3_omni.talker.rope import RotaryAngles
from omni_agent.engines.qwen3_omni.talker.wav_convs import (
    Taps,
    add_taps,
    decoder_block,
    upsample,
)


@dataclass(frozen=True, slots=True)
class WavState:
    """The state of B streams. Every tensor's first axis is the stream.

    frames (B,) int64: frames decoded so far. keys, values: per layer
    (B, heads, window - 1, D). taps: the inputs each convolution still needs,
    (B, n, C), in the order the decoder meets them.
    """

    frames: Tensor
    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]
    taps: tuple[Tensor, ...]

    def parts(self) -> tuple[Tensor, ...]:
        """All but ``frames``."""
        return (*self.keys, *self.values, *self.taps)


class WavStore:
    """The state of S streams, each in one row: a batch is taken out and put back in few copies."""

    def __init__(self, streams: int, start: WavState) -> None:
        """start: what each stream begins with, a state of one."""
        self._shapes = [part.shape[1:] for part in start.parts()]
        self._layers = len(start.keys)
        self._frames = start.frames.repeat(streams)
        self._rows = _row(start).repeat(streams, 1)

    def select(self, slots: Tensor) -> WavState:
        """A copy of the state of streams ``slots`` (B,)."""
        rows, begin = self._rows.index_select(0, slots), 0
        parts = []
        for shape in self._shapes:
            parts.append(rows[:, begin : begin + shape.numel()].view(-1, *shape))
            begin += shape.numel()
        layers = self._layers
        keys, values, taps = parts[:layers], parts[layers : 2 * layers], parts[2 * layers :]
        return WavState(
            self._frames.index_select(0, slots), tuple(keys), tuple(values), tuple(taps)
        )

    def store(self, slots: Tensor, state: WavState) -> None:
        """Write the state of streams ``slots`` in place."""
        self._frames.index_copy_(0, slots, state.frames)
        self._rows.index_copy_(0, slots, _row(state))

    def reset(self, slot: int) -> None:
        self._frames[slot] = 0
        self._rows[slot].zero_()

    def nbytes_per_stream(self) -> int:
        return self._rows[0].nbytes + self._frames[0].nbytes


def _row(state: WavState) -> Tensor:
    """(B, n): all parts of a stream's state behind each other."""
    return torch.cat([part.flatten(1) for part in state.parts()], dim=1)


class Code2Wav:
    """The codec decoder's maths; state goes in and comes out."""

    def __init__(
        self, config: Code2WavConfig, weights: Code2WavWeights, ops: Ops | None = None
    ) -> None:
        self._config, self._weights, self._ops = config, weights, ops or EagerOps()
        device = weights.norm.device
        self._angles = RotaryAngles(config.rope_parameters, config.head_dim, device)
        self._offsets = torch.arange(config.num_quantizers, device=device) * config.codebook_size

    def empty_state(self, streams: int) -> WavState:
        """Zeroed state: the start of every stream."""
        config, norm = self._config, self._weights.norm
        kv = (streams, config.num_attention_heads, config.sliding_window - 1, config.head_dim)

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, device=norm.device, dtype=norm.dtype)

        layers = range(config.num_hidden_layers)
        return WavState(
            frames=torch.zeros(streams, dtype=torch.int64, device=norm.device),
            keys=tuple(zeros(*kv) for _ in layers),
            values=tuple(zeros(*kv) for _ in layers),
            taps=tuple(zeros(streams, *shape) for shape in self._weights.kept()),
        )

    def decode(self, codes: Tensor, state: WavState, *, first: bool) -> tuple[Tensor, WavState]:
        """T more frames of B streams: codes (B, 16, T) to samples (B, n) and the state after.

        ``first`` means that these frames begin their streams (all of them): n is then
        1920 T - 555, and 1920 T otherwise. Samples are in [-1, 1].
        """
        weights = self._weights
        hidden = F.embedding(codes + self._offsets[:, None], weights.embedding).mean(1)  # (B, T, H)
        x, keys, values = self._transformer(hidden, state)
        taps = Taps(state.taps, self._ops)
        for stage in weights.upsamples:
            x = upsample(x, stage, taps)
        x = weights.conv_in(taps.join(x))
        for block in weights.blocks:
            x = decoder_block(x, block, taps, first=first)
        wave = self._wave(x, taps)
        return wave, WavState(state.frames + codes.shape[-1], keys, values, tuple(taps.new))

    def flush(self, state: WavState) -> Tensor:
        """The tail after the last frame, (B, 555) when published: a stream then lasts 1920 N.

        The last block of each transposed convolution, which ``decode`` never makes
        because it lacks the next input; here that input is zero.
        """
        weights = self._weights
        # The layers before the blocks have no tail; their taps come first.
        taps = Taps(state.taps[len(weights.upsamples) + 1 :], self._ops)
        x = state.taps[len(weights.upsamples) + 1][:, :0]  # (B, 0, C): no new input
        for block in weights.blocks:
            x = decoder_block(x, block, taps, tail=True)
        return self._wave(x, taps)

    def _wave(self, x: Tensor, taps: Taps) -> Tensor:
        """The last layer's input (B, n, C) to samples (B, n)."""
        joined = taps.join_snake(x, self._weights.snake_out)
        wave = add_taps(self._weights.taps_out(joined)) + self._weights.bias_out
        return wave.clamp_(-1, 1)

    def _transformer(
        self, x: Tensor, state: WavState
    ) -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
        """x (B, T, H) through the sliding-window layers; also the new keys and values."""
        batch, count, width = x.shape
        positions = state.frames[:, None] + torch.arange(count, device=x.device)  # (B, T)
        cos, sin = (part.to(x.dtype) for part in self._angles.linear(positions.reshape(-1)))
        # RoPE on halves as two products: a half beside itself, and the other one beside it.
        own = torch.cat((cos, cos), dim=-1).unsqueeze(1)
        other = torch.cat((-sin, sin), dim=-1).unsqueeze(1)
        mask = self._mask(state.frames, count)
        keys, values = [], []
        eps, half = self._config.rms_norm_eps, self._config.head_dim // 2
        for layer, old_k, old_v in zip(self._weights.layers, state.keys, state.values, strict=True):
            qkv = self._ops.linear(x, layer.qkv, norm=(layer.norm1, eps))
            heads = qkv.view(batch * count, -1, self._config.head_dim)
            third, shape = heads.shape[1] // 3, (batch, count, -1, self._config.head_dim)
            turning = heads[:, : 2 * third]
            turned = torch.addcmul(turning * own, turning.roll(half, dims=-1), other)
            # Each (B, heads, T, D).
            q, k = turned.view(shape).transpose(1, 2).chunk(2, dim=1)
            v = heads[:, 2 * third :].reshape(shape).transpose(1, 2)
            k, v = torch.cat((old_k, k), dim=2), torch.cat((old_v, v), dim=2)
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            mixed = mixed.transpose(1, 2).reshape(batch, count, width)
            x = self._ops.linear(mixed, layer.out, add=x)
            inner = self._ops.gated(x, layer.gate_up, norm=(layer.norm2, eps))
            x = self._ops.linear(inner, layer.down, add=x)
            keys.append(k[:, :, count:])
            values.append(v[:, :, count:])
        x = self._ops.rms_norm(x, (self._weights.norm, eps))
        return x, tuple(keys), tuple(values)

    def _mask(self, frames: Tensor, count: int) -> Tensor:
        """(B, 1, T, window - 1 + T): 0 where causal, within the window and not before the
        start, else -inf. Made once here, or each layer would make it of a boolean one.
        """
        kept = self._config.sliding_window - 1
        query = torch.arange(count, device=frames.device)[:, None]
        key = torch.arange(kept + count, device=frames.device)[None, :] - kept  # relative frame
        near = (key <= query) & (key >= query - kept)
        begun = key[None] + frames[:, None, None] >= 0  # (B, 1, window - 1 + T)
        seen = (near[None] & begun).unsqueeze(1)
        zero = torch.zeros((), device=frames.device, dtype=self._weights.norm.dtype)
        return torch.where(seen, zero, -torch.inf)
