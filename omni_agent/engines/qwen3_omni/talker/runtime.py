"""Streams over a fixed set of slots: they join, stall, end and leave between steps.

Synchronous, and used from one thread: ``service`` gives it that thread. A stream
is opened, prefilled, begun, fed text tokens and stepped; step k takes text token
k, or knows that the text has ended, or does not happen. It never pads instead of
waiting: padding would tell the model that the text is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from omni_agent.engines.qwen3_omni.talker.batch import BatchRunner, CodesJob, SamplesJob
from omni_agent.engines.qwen3_omni.talker.ops import EagerOps, Ops
from omni_agent.engines.qwen3_omni.talker.prompt import (
    OPENING,
    Piece,
    Prompter,
    PromptError,
    Segment,
)
from omni_agent.engines.qwen3_omni.talker.sampling import TalkerSampling
from omni_agent.engines.qwen3_omni.talker.stepper import Stepper
from omni_agent.engines.qwen3_omni.talker.weights import TalkerWeights
from omni_agent.errors import EngineError

SAMPLE_RATE = 24_000
FRAME_LIMIT = 4095  # the reference's 4096 new tokens, the last of which it never renders


class NoFreeSlot(EngineError):
    """Every slot is taken; the caller may try again when a stream has ended."""


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """slots: streams at once. positions: cache places of one stream, prompt and frames.

    widths: batch widths, ascending. One width makes a stream's output independent of
    its companions bit for bit (every product has one shape); several are faster when
    few streams speak. None is (1,) on a CPU and powers of two up to ``slots`` on a GPU.
    """

    slots: int = 8
    positions: int = 8192
    widths: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.slots <= 1024 or not 64 <= self.positions <= 1 << 17:
            raise ValueError(f"slots {self.slots} or positions {self.positions} out of range")
        if self.widths is not None and (
            not self.widths or min(self.widths) < 1 or list(self.widths) != sorted(set(self.widths))
        ):
            raise ValueError(f"widths {self.widths} are not ascending and positive")


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """80 ms of speech of one stream, or its end.

    index: frames before it. token: index of the text token this frame's step read
    (the number of tokens once the text is over). codes: (16,), none at the end.
    samples: float32 in [-1, 1]; 1365 for the first frame, then 1920, and 555 at the
    end. last: nothing follows, and its slot is free.
    """

    stream: Stream
    index: int
    token: int
    codes: NDArray[np.int64]
    samples: NDArray[np.float32]
    last: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Failure:
    """A stream that ended with an error; its slot is free and the others go on."""

    stream: Stream
    error: Exception


@dataclass(slots=True, eq=False)
class Stream:
    """One utterance. Its fields belong to the runtime."""

    slot: int
    sampling: TalkerSampling
    speaker: int
    frame_limit: int
    random: np.random.Generator
    length: int = 0  # positions in the cache
    position: float = 0.0  # rotary position of the next one
    begun: bool = False
    open: bool = True
    tokens: list[int] = field(default_factory=list)
    text_ended: bool = False
    frames: int = 0

    @property
    def ready(self) -> bool:
        """Whether the next step has what it needs."""
        return self.open and self.begun and (self.frames < len(self.tokens) or self.text_ended)

    @property
    def stalled(self) -> bool:
        """Speaking, and waiting for text."""
        return self.open and self.begun and not self.ready


class Runtime:
    """Slots, and the steps that advance the streams in them."""

    def __init__(
        self,
        weights: TalkerWeights,
        options: RuntimeOptions | None = None,
        *,
        ops: Ops | None = None,
    ) -> None:
        self.options = options or RuntimeOptions()
        self.config = weights.config
        device = weights.backbone.norm.device
        widths = self.options.widths or _default_widths(self.options.slots, device)
        self._stepper = Stepper(
            weights,
            ops or _default_ops(device),
            slots=self.options.slots,
            positions=self.options.positions,
            width=widths[-1],
        )
        self._batches = BatchRunner(self._stepper, widths)
        self._prompter = Prompter(weights)
        self._free = list(range(self.options.slots))

    @property
    def free_slots(self) -> int:
        return len(self._free)

    def open(
        self,
        speaker: str | None = None,
        sampling: TalkerSampling | None = None,
        *,
        frame_limit: int = FRAME_LIMIT,
    ) -> Stream:
        """Take a slot. Raises NoFreeSlot, or EngineError for an unknown speaker."""
        speaker_id = self.speaker_id(speaker)
        if not self._free:
            raise NoFreeSlot(
                f"all {self.options.slots} Talker slots are speaking; try again when one ends"
            )
        chosen = sampling or TalkerSampling()
        slot = self._free.pop()
        stream = Stream(slot, chosen, speaker_id, frame_limit, np.random.default_rng(chosen.seed))
        try:
            self._stepper.reset(slot)
        except BaseException:
            self._free.append(slot)
            raise
        return stream

    def speaker_id(self, name: str | None) -> int:
        """The codec id of a speaker; None is ethan, or the checkpoint's first."""
        speakers = self.config.talker_config.speaker_id
        if name is None:
            name = "ethan" if "ethan" in speakers else next(iter(speakers))
        if name.lower() not in speakers:
            known = ", ".join(sorted(speakers))
            raise EngineError(f"unknown speaker {name!r}; this checkpoint has {known}")
        return speakers[name.lower()]

    @torch.inference_mode()
    def prefill(self, stream: Stream, segment: Segment) -> None:
        """Read a segment of the prompt, before ``begin``; may be called as they become known."""
        if stream.begun:
            raise PromptError("the prompt is closed: the stream has begun to speak")
        room = self.options.positions - stream.length - OPENING - 1
        if len(segment.ids) > room:
            raise PromptError(
                f"the prompt needs {len(segment.ids)} more positions and {max(0, room)} of "
                f"{self.options.positions} are left"
            )
        if segment.ids:
            self._read(stream, self._prompter.piece(segment, stream.position))

    @torch.inference_mode()
    def begin(self, stream: Stream) -> None:
        """Close the prompt: read the opening up to the first text token."""
        if not stream.begun:
            self._read(stream, self._prompter.opening(stream.speaker, stream.position))
            self._stepper.begin(stream.slot)
            stream.begun = True

    def push(self, stream: Stream, tokens: Sequence[int]) -> None:
        """More text to speak. Raises PromptError for ids outside the vocabulary."""
        if stream.text_ended:
            raise PromptError("text pushed after its end")
        self._prompter.check_ids(tokens)
        stream.tokens.extend(tokens)

    def end(self, stream: Stream) -> None:
        """No text follows."""
        stream.text_ended = True

    def close(self, stream: Stream) -> None:
        """Leave: the slot is free at once, whatever the stream was doing."""
        if stream.open:
            stream.open = False
            self._free.append(stream.slot)

    @torch.inference_mode()
    def step(self, streams: Sequence[Stream]) -> list[Frame | Failure]:
        """One frame of every ready stream among ``streams``; those that end are closed."""
        results: list[Frame | Failure] = []
        ready = []
        for stream in streams:
            if not stream.ready:
                continue
            if self._over(stream):
                results.append(self._last(stream))
            else:
                ready.append(stream)
        outcomes = self._batches.codes([self._job(stream) for stream in ready])
        jobs: list[SamplesJob] = []
        speaking: list[tuple[Stream, NDArray[np.int64]]] = []
        eos = self.config.talker_config.codec_eos_token_id
        for stream, outcome in zip(ready, outcomes, strict=True):
            if isinstance(outcome, Exception):
                results.append(self._fail(stream, outcome))
            elif outcome[0] == eos:
                results.append(self._last(stream))
            else:
                speaking.append((stream, outcome))
                jobs.append(SamplesJob(stream.slot, outcome, first=stream.frames == 0))
        for (stream, codes), wave in zip(speaking, self._batches.samples(jobs), strict=True):
            if isinstance(wave, Exception):
                results.append(self._fail(stream, wave))
                continue
            token = min(stream.frames, len(stream.tokens))
            results.append(Frame(stream, stream.frames, token, codes, wave))
            stream.frames += 1
            stream.length += 1
            stream.position += 1
        return results

    def _read(self, stream: Stream, piece: Piece) -> None:
        self._stepper.prefill(stream.slot, piece, stream.length)
        stream.length += piece.rows.shape[0]
        stream.position = piece.next_position

    def _over(self, stream: Stream) -> bool:
        return (
            not stream.tokens
            or stream.frames >= stream.frame_limit
            or stream.length >= self.options.positions
        )

    def _job(self, stream: Stream) -> CodesJob:
        config, step = self.config, stream.frames
        if step < len(stream.tokens):
            token = stream.tokens[step]
        elif step == len(stream.tokens):
            token = config.tts_eos_token_id
        else:
            token = config.tts_pad_token_id
        uniform = stream.random.random(config.talker_config.num_code_groups, dtype=np.float32)
        return CodesJob(
            stream.slot, stream.length, stream.position, token, stream.sampling, uniform
        )

    def _last(self, stream: Stream) -> Frame | Failure:
        """The end of a stream: its tail, when it has spoken."""
        samples = np.zeros(0, dtype=np.float32)
        try:
            if stream.frames:
                samples = self._stepper.tail(stream.slot).float().cpu().numpy()
        except Exception as error:  # this stream's own failure; the others go on
            return self._fail(stream, error)
        self.close(stream)
        token = min(stream.frames, len(stream.tokens))
        codes = np.zeros(0, dtype=np.int64)
        return Frame(stream, stream.frames, token, codes, samples, last=True)

    def _fail(self, stream: Stream, error: Exception) -> Failure:
        self.close(stream)
        return Failure(stream, error)


def _default_widths(slots: int, device: torch.device) -> tuple[int, ...]:
    if device.type != "cuda":
        return (1,)
    powers = [1 << power for power in range(slots.bit_length()) if 1 << power < slots]
    return (*powers, slots)


def _default_ops(device: torch.device) -> Ops:
    if device.type == "cuda":
        from omni_agent.engines.qwen3_omni.talker.triton_ops import TritonOps

        return TritonOps()
    return EagerOps()
