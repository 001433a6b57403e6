"""The chunks of a completion that is text and audio: words here, sound there."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from omni_agent.engines.remote.deltas import ChunkReader
from omni_agent.engines.vllm_omni.pcm import PcmReader
from omni_agent.engines.vllm_omni.sound import ReplySound
from omni_agent.errors import EngineError
from omni_agent.thinker import Features, TextDelta, Thought


class SpokenReader:
    """Reads two dialects.

    vllm-omni (0.26) says ``"modality": "audio"`` beside the choices and puts
    base64 into the delta's content, by default a WAV file a chunk; OpenAI has ``delta.audio``
    with ``data`` (samples) and ``transcript``. ``Features`` comes before the first word.
    """

    def __init__(self, sound: ReplySound, words: ChunkReader) -> None:
        self._sound, self._pcm, self._words = sound, PcmReader(), words
        self._introduced = self._complete = False

    @property
    def begun(self) -> bool:
        return self._words.begun

    @property
    def stopped(self) -> bool:
        return self._words.stopped

    @property
    def done(self) -> bool:
        """After a call only the sound of the words before it is wanted, if there were any."""
        called = self._complete and self._words.calling
        return called and (self._sound.enough or not self._introduced)

    def read(self, chunk: Any) -> Iterator[Thought]:
        """Raises Lost for a chunk that is an error, EngineError for one that cannot be read."""
        if isinstance(chunk, Mapping):
            chunk = self._without_audio(chunk)
        yield from self._watched(self._words.read(chunk))
        self._sound.calling = self._words.calling
        if self._words.calling and not self._complete and _ends_text(chunk):
            # The call need not wait until the server has voiced it.
            yield from self._rest(ended=True)

    def finish(self, *, ended: bool) -> Iterator[Thought]:
        yield from self._rest(ended=ended)
        self._sound.put(self._pcm.finish())
        self._sound.end(whole=True)

    def _rest(self, *, ended: bool) -> Iterator[Thought]:
        if not self._complete:
            self._complete = True
            yield from self._watched(self._words.finish(ended=ended))

    def _watched(self, thoughts: Iterator[Thought]) -> Iterator[Thought]:
        for thought in thoughts:
            if isinstance(thought, TextDelta) and thought.text.strip() and not self._introduced:
                self._introduced = True
                yield Features(self._sound)
            yield thought

    def _without_audio(self, chunk: Mapping[str, Any]) -> Mapping[str, Any]:
        """The chunk as one of text; its audio is taken out and put into the sound."""
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
            return chunk
        delta = choices[0].get("delta")
        if not isinstance(delta, Mapping):
            return chunk
        audio, content = delta.get("audio"), delta.get("content")
        if chunk.get("modality") == "audio":
            self._hear(content)
            return {"choices": [{"finish_reason": choices[0].get("finish_reason")}]}
        if isinstance(audio, Mapping):
            self._hear(audio.get("data"))
            words = {**delta, "content": content or audio.get("transcript")}
            return {**chunk, "choices": [{**choices[0], "delta": words}]}
        return chunk

    def _hear(self, data: Any) -> None:
        if not isinstance(data, str) or not data:
            return  # an empty segment: the Talker had nothing to say yet
        try:
            sound = base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise EngineError(f"the server sent audio that is not base64: {data[:40]!r}") from error
        self._pcm.begin()
        self._sound.put(self._pcm.push(sound))


def _ends_text(chunk: Any) -> bool:
    """Whether the words end here. Audio still to come, vllm-omni leaves ``finish_reason``
    null; vLLM sends ``stop_reason``, be it null, with the last chunk of words only.
    """
    choices = chunk.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        return False
    return bool(choices[0].get("finish_reason")) or "stop_reason" in choices[0]
