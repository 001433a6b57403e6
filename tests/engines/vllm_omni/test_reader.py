"""Chunks of words and sound, in vllm-omni's dialect and in OpenAI's."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from omni_agent.audio import Pcm
from omni_agent.engines.remote.asking import Lost
from omni_agent.engines.remote.deltas import ChunkReader
from omni_agent.engines.vllm_omni.reader import SpokenReader
from omni_agent.engines.vllm_omni.sound import ReplySound
from omni_agent.errors import EngineError
from omni_agent.thinker import (
    Features,
    ReasoningDelta,
    TextDelta,
    Thought,
    ToolCallBegun,
    ToolCallRequest,
    Usage,
)
from tests.engines.vllm_omni.wire import called, heard, heard_bytes, reply, tone, word

PARTS = [tone(100), tone(50, 1000), tone(70, 2000)]


def read(chunks: list[dict[str, Any]]) -> tuple[list[Thought], ReplySound]:
    """What a whole reply gives, read until it is done."""
    sound = ReplySound()
    reader = SpokenReader(sound, ChunkReader())
    thoughts: list[Thought] = []
    for chunk in chunks:
        thoughts += reader.read(chunk)
        if reader.done:
            break
    return [*thoughts, *reader.finish(ended=True)], sound


def is_call(thought: Thought, name: str, **arguments: Any) -> bool:
    """Whatever its id."""
    return isinstance(thought, ToolCallRequest) and (thought.name, thought.arguments) == (
        name,
        arguments,
    )


def pcm(sound: ReplySound) -> Pcm:
    return np.concatenate([np.zeros(0, np.int16), *(frame.pcm for frame in sound.taken())])


def test_words_and_sound_are_told_apart_and_features_come_before_the_first_word() -> None:
    thoughts, sound = read(reply(["Hel", "lo."], PARTS))
    assert thoughts == [
        Features(sound),
        TextDelta("Hel"),
        TextDelta("lo."),
        Usage(9, 0, 4),
    ]
    assert np.array_equal(pcm(sound), np.concatenate(PARTS))
    assert sound.whole
    assert not sound.calling


def test_openais_dialect_has_both_in_one_delta() -> None:
    data = tone(60).tobytes()
    pieces = [
        {"id": "a", "transcript": "Hel"},
        {"data": base64.b64encode(data[:40]).decode(), "transcript": "lo."},
        {"data": base64.b64encode(data[40:]).decode()},
    ]
    chunks: list[dict[str, Any]] = [{"choices": [{"delta": {"audio": piece}}]} for piece in pieces]
    chunks.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    thoughts, sound = read(chunks)
    assert thoughts == [Features(sound), TextDelta("Hel"), TextDelta("lo.")]
    assert np.array_equal(pcm(sound), tone(60))


def test_audio_is_never_taken_for_words_and_empty_segments_are_none() -> None:
    thoughts, sound = read([heard(tone(10)), heard_bytes(b""), word("Yes."), word("", last=True)])
    assert thoughts == [Features(sound), TextDelta("Yes.")]
    assert len(pcm(sound)) == 10


def test_reasoning_and_white_space_are_no_words() -> None:
    thoughts, sound = read([word("<think>hm</think>"), word("\n"), word("Yes.")])
    assert thoughts == [ReasoningDelta("hm"), Features(sound), TextDelta("Yes.")]
    thoughts, sound = read([word("\n"), word(" "), word("Yes.")])
    assert thoughts == [Features(sound), TextDelta("Yes.")]


def test_a_call_is_given_when_its_text_is_over_and_its_sound_is_not_awaited() -> None:
    chunks = [word(""), *called("find", '{"x"', ": 1}")]
    never = heard(tone(10))
    thoughts, sound = read([*chunks, never])
    assert thoughts[:-1] == [ToolCallBegun("find")]
    assert is_call(thoughts[-1], "find", x=1)
    assert sound.calling
    assert len(pcm(sound)) == 0


def test_sound_on_its_way_before_a_call_is_complete_does_not_end_it() -> None:
    call = called("find", '{"x"', ": 1}")
    thoughts, _ = read([*call[:2], heard(tone(10)), *call[2:]])
    assert is_call(thoughts[-1], "find", x=1)


def test_after_words_and_a_call_sound_is_read_until_the_words_were_voiced() -> None:
    sound = ReplySound()
    reader = SpokenReader(sound, ChunkReader())
    thoughts: list[Thought] = []
    for chunk in [word("One moment. "), *called("find", "{}")]:
        thoughts += reader.read(chunk)
    assert is_call(thoughts[-1], "find")
    assert not reader.done
    assert list(reader.read(heard(tone(10)))) == []
    assert not reader.done
    sound.enough = True
    assert reader.done
    assert list(reader.finish(ended=True)) == []
    assert len(pcm(sound)) == 10


@pytest.mark.parametrize(
    ("chunk", "reason"),
    [
        ({"modality": "audio", "choices": [{"delta": {"content": "not base64!"}}]}, "base64"),
        ({"error": {"message": "the Talker died"}}, "the Talker died"),
        ([], "list where a chunk"),
    ],
)
def test_what_cannot_be_read_ends_the_reply(chunk: Any, reason: str) -> None:
    with pytest.raises((EngineError, Lost), match=reason):
        list(SpokenReader(ReplySound(), ChunkReader()).read(chunk))


@pytest.mark.parametrize(
    "chunk",
    [
        {"modality": "audio"},
        {"modality": "audio", "choices": []},
        {"modality": "audio", "choices": [3]},
        {"modality": "audio", "choices": [{"delta": None}]},
        {"modality": "audio", "choices": [{"delta": {"content": 7}}]},
        {"choices": [{"delta": {"audio": {"data": None, "transcript": 3}}}]},
    ],
)
def test_chunks_without_any_sound_are_passed_over(chunk: Any) -> None:
    assert list(SpokenReader(ReplySound(), ChunkReader()).read(chunk)) == []


def test_a_server_that_never_stops_is_stopped() -> None:
    reader = SpokenReader(ReplySound(), ChunkReader())
    minute = heard(np.zeros(24_000 * 60, np.int16))
    for _ in range(15):
        assert list(reader.read(minute)) == []
    with pytest.raises(EngineError, match="more than 900 s"):
        list(reader.read(minute))
