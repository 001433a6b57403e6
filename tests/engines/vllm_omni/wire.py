"""Chunks as vllm-omni streams them (0.26, ``chat_completion_stream_generator``)."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from omni_agent.audio import AudioFrame, Pcm
from omni_agent.engines.remote.recordings import wav


def tone(samples: int, start: int = 1) -> Pcm:
    """Samples that are all different, so that none can be lost or doubled unnoticed."""
    return ((np.arange(start, start + samples) * 7) % 30_011 + 1).astype(np.int16)


def word(content: str, *, last: bool = False) -> dict[str, Any]:
    """A piece of the text stage. The last one has a ``stop_reason``; the end of the whole
    reply is told when the audio is over, too.
    """
    end: dict[str, Any] = {"stop_reason": None} if last else {}
    delta = {"content": content}
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None, **end}
    return {"object": "chat.completion.chunk", "choices": [choice], "modality": "text"}


def heard(pcm: Pcm, *, rate: int = 24_000, last: bool = False) -> dict[str, Any]:
    """A piece of the audio stage: a WAV file of its own."""
    return heard_bytes(wav(AudioFrame(pcm, rate)), last=last)


def heard_bytes(data: bytes, *, last: bool = False) -> dict[str, Any]:
    choice = {
        "index": 0,
        "delta": {"role": "assistant", "content": base64.b64encode(data).decode()},
        "logprobs": None,
        "finish_reason": "stop" if last else None,
        "stop_reason": None,
    }
    usage = {"prompt_tokens": 9, "completion_tokens": 0, "total_tokens": 9}
    return {"choices": [choice], "modality": "audio", "usage": usage}


USAGE = {
    "choices": [],
    "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13},
}


def called(name: str, *arguments: str) -> list[dict[str, Any]]:
    """A tool call as the hermes parser streams it, after which the text is over."""
    rows: list[dict[str, Any]] = [{"id": "call_1", "function": {"name": name, "arguments": ""}}]
    rows += [{"function": {"arguments": piece}} for piece in arguments]
    chunks = [word("") for _ in rows]
    for chunk, row in zip(chunks, rows, strict=True):
        chunk["choices"][0]["delta"] = {"tool_calls": [{"index": 0, **row}]}
    return [*chunks, word("", last=True)]


def reply(words: Sequence[str], sound: Sequence[Pcm]) -> list[dict[str, Any]]:
    """A whole reply: the first sound comes among the words, as it does with async chunks."""
    texts = [word(""), *(word(piece) for piece in words), word("", last=True)]
    sounds = [heard(pcm, last=at == len(sound) - 1) for at, pcm in enumerate(sound)]
    return [*texts[:2], *sounds[:1], *texts[2:], *sounds[1:], USAGE]


def streamed_wav(pcm: Pcm, rate: int = 24_000) -> bytes:
    """A WAV file whose header was written before its end was known."""
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 0xFFFFFFFF, b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16),
        *(b"data", 0xFFFFFFFF),
    )
    return header + pcm.astype("<i2").tobytes()
