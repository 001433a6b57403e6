"""A Talker that plays what the server said; other texts the server is asked to speak."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from omni_agent.audio import AudioFrame
from omni_agent.engines.qwen3_omni.talker.pace import Pace
from omni_agent.engines.remote.asking import Sleep
from omni_agent.engines.remote.servers import Servers
from omni_agent.engines.vllm_omni.aloud import Aloud
from omni_agent.engines.vllm_omni.pcm import SAMPLE_RATE
from omni_agent.engines.vllm_omni.question import letters
from omni_agent.engines.vllm_omni.sound import ReplySound
from omni_agent.engines.vllm_omni.thinker import meet
from omni_agent.talker import Speech, Voice

_PIECE = SAMPLE_RATE // 10
"""Samples. A server sends up to two seconds at once; a barge-in needs finer marks."""


class VllmOmniTalker:
    """See :class:`omni_agent.talker.Talker`.

    With a reply's sound as ``Voice.features`` it plays that, whatever the text has
    become on the way. Without (greetings, fillers, announcements, apologies) the
    server is asked to speak the text. Which characters were voiced is an estimate
    until the last piece. Of the voice, only ``speaker`` has an effect.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, servers: Servers, sleep: Sleep = asyncio.sleep) -> None:
        self._servers = servers
        self._aloud = Aloud(servers, sleep)

    @staticmethod
    async def start(
        base_url: str | None, model: str | None, api_key: str | None = None
    ) -> VllmOmniTalker:
        """Raises ConfigError, EngineUnavailable."""
        return VllmOmniTalker(await meet(base_url, model, api_key))

    async def speak(self, text: AsyncIterator[str], voice: Voice) -> AsyncIterator[Speech]:
        """Raises EngineError when the server cannot speak this text."""
        sound = voice.features
        if isinstance(sound, ReplySound) and sound.claim():
            speech = self._play(sound, text)
        else:
            speech = self._read(text, voice.speaker)
        async with aclosing(speech):
            async for piece in speech:
                yield piece

    async def prepare(self, voice: Voice) -> None:
        """Nothing: the server's own Talker reads what its Thinker has heard."""

    async def aclose(self) -> None:
        await self._servers.aclose()

    async def _play(
        self, sound: ReplySound, text: AsyncIterator[str]
    ) -> AsyncGenerator[Speech, None]:
        """The reply's sound, while its text is taken as it comes (it becomes captions)."""
        pace = Pace()
        # A TaskGroup cannot span a yield (PEP 789): this generator owns one task and
        # has awaited its end before it returns.
        captions = asyncio.create_task(_take(text, pace))
        try:
            seconds = 0.0
            async with aclosing(_pieces(sound.frames())) as pieces:
                async for audio, last in pieces:
                    seconds += audio.seconds
                    await asyncio.sleep(0)  # sound that is there already must not outrun its text
                    if last and not sound.calling:
                        await asyncio.wait({captions})
                    end = pace.voiced(seconds, pace.characters)
                    if last and sound.whole and not sound.calling:
                        end = pace.characters
                    yield Speech(audio, end)
                    if sound.calling and end == pace.characters:
                        sound.enough = True
                        break
            await asyncio.wait({captions})
            captions.result()
        finally:
            captions.cancel()
            await asyncio.wait({captions})

    async def _read(
        self, text: AsyncIterator[str], speaker: str | None
    ) -> AsyncGenerator[Speech, None]:
        words = "".join([piece async for piece in text])
        if not letters(words):
            return
        pace, seconds = Pace(), 0.0
        pace.push(words)
        async with aclosing(_pieces(self._aloud.speech(words, speaker))) as pieces:
            async for audio, last in pieces:
                seconds += audio.seconds
                yield Speech(audio, len(words) if last else pace.voiced(seconds, len(words)))


async def _take(text: AsyncIterator[str], pace: Pace) -> None:
    async for piece in text:
        pace.push(piece)


async def _pieces(
    frames: AsyncGenerator[AudioFrame, None],
) -> AsyncGenerator[tuple[AudioFrame, bool], None]:
    """Short pieces, and whether each is the last; one is held back to know that."""
    held: AudioFrame | None = None
    async with aclosing(frames):
        async for frame in frames:
            for at in range(0, frame.samples, _PIECE):
                if held is not None:
                    yield held, False
                pcm = frame.pcm[at : at + _PIECE]
                held = AudioFrame(pcm, frame.sample_rate, frame.position + at)
    if held is not None:
        yield held, True
