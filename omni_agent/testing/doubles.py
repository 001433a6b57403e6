"""Scripted Thinker, Talker and ears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from omni_agent.audio import AudioFrame
from omni_agent.conversation import Item
from omni_agent.ears import EAR_RATE, Transcript
from omni_agent.talker import Speech, Voice
from omni_agent.thinker import (
    Features,
    TextDelta,
    ThinkRequest,
    Thought,
    ToolCallBegun,
    ToolCallRequest,
)

_ids = count(1)


@dataclass(frozen=True, slots=True)
class Pause:
    """A script line: the model takes this long, in seconds."""

    seconds: float


def call(name: str, /, **arguments: Any) -> ToolCallRequest:
    """A script line: the Thinker calls a tool."""
    return ToolCallRequest(f"call_{next(_ids)}", name, arguments)


Cue = str | Pause | Exception | Thought


class ScriptedThinker:
    """Plays one script per run: strings are text, exceptions are raised, the rest is yielded.

    prepares: a script for each ``prepare`` (pauses, exceptions, and the Features it
    returns); the ones after that return None at once. hears: as for
    :class:`omni_agent.thinker.Thinker`.

    Runs that were thrown away because the user went on speaking do not use up a
    script when ``drafts`` are cancelled before their first line.
    """

    def __init__(
        self,
        *scripts: Sequence[Cue],
        prepares: Sequence[Sequence[Cue]] = (),
        hears: bool = False,
    ) -> None:
        self.hears, self.sees = hears, False
        self._scripts, self._prepares = list(scripts), list(prepares)
        self.requests: list[ThinkRequest] = []
        self.prepared: list[ThinkRequest] = []
        self.preparing = 0
        self.most_preparing = 0
        """The most prepares that ever ran at the same time."""
        self.stopped_early = 0

    async def think(self, request: ThinkRequest) -> AsyncGenerator[Thought, None]:
        self.requests.append(request)
        script = self._scripts.pop(0) if self._scripts else ["I have nothing more to say."]
        done = False
        try:
            for line in script:
                if isinstance(line, Pause):
                    await asyncio.sleep(line.seconds)
                elif isinstance(line, Exception):
                    raise line
                elif isinstance(line, str):
                    yield TextDelta(line)
                else:
                    if isinstance(line, ToolCallRequest):
                        yield ToolCallBegun(line.name)
                    yield line
            done = True
        finally:
            self.stopped_early += not done

    async def prepare(self, request: ThinkRequest) -> Features | None:
        self.prepared.append(request)
        features = None
        self.preparing += 1
        self.most_preparing = max(self.most_preparing, self.preparing)
        try:
            for line in self._prepares.pop(0) if self._prepares else ():
                if isinstance(line, Pause):
                    await asyncio.sleep(line.seconds)
                elif isinstance(line, Exception):
                    raise line
                elif isinstance(line, Features):
                    features = line
        finally:
            self.preparing -= 1
        return features

    async def aclose(self) -> None:
        pass

    def assert_complete(self) -> None:
        """Every script was used."""
        assert not self._scripts, f"scripts never used: {self._scripts}"


class ScriptedTalker:
    """Speaks ``ms_per_character`` of a quiet tone for each character, in 20 ms pieces.

    ``voices`` and ``prepared`` are the voices it was given to speak and to prepare.
    """

    sample_rate = 24_000

    def __init__(self, ms_per_character: int = 50, *, error: Exception | None = None) -> None:
        self.ms_per_character, self._error = ms_per_character, error
        self.voices: list[Voice] = []
        self.prepared: list[Voice] = []
        self.open_streams = 0

    async def speak(self, text: AsyncIterator[str], voice: Voice) -> AsyncGenerator[Speech, None]:
        self.voices.append(voice)
        self.open_streams += 1
        samples = self.sample_rate // 50
        tone = (600 * np.sin(np.arange(samples) * 2 * np.pi * 10 / samples)).astype(np.int16)
        position, said = 0, 0
        try:
            async for piece in text:
                if self._error is not None:
                    raise self._error
                frames = len(piece) * self.ms_per_character // 20
                for index in range(1, frames + 1):
                    audio = AudioFrame(tone, self.sample_rate, position)
                    position += samples
                    yield Speech(audio, said + len(piece) * index // frames)
                said += len(piece)
        finally:
            self.open_streams -= 1

    async def prepare(self, voice: Voice) -> None:
        self.prepared.append(voice)

    async def aclose(self) -> None:
        pass


class ScriptedTurnEnd:
    """A learned end of turn that says these probabilities in turn, and the last one ever after.

    delay_s: how long it takes. error: raised instead, while it is set. asked: the words and the
    conversation it was asked about.
    """

    def __init__(self, *likelihoods: float, delay_s: float = 0.05) -> None:
        self._likelihoods, self._delay_s = list(likelihoods), delay_s
        self.asked: list[tuple[str, Sequence[Item]]] = []
        self.error: Exception | None = None

    async def is_over(self, audio: AudioFrame, words: str, items: Sequence[Item]) -> float:
        self.asked.append((words, items))
        await asyncio.sleep(self._delay_s)
        if self.error is not None:
            raise self.error
        more = len(self._likelihoods) > 1
        return self._likelihoods.pop(0) if more else self._likelihoods[0]

    async def aclose(self) -> None:
        pass


class Loudness:
    """Voice activity for scripted audio: anything but zeros is speech.

    error: raised instead, while it is set. wait_for: until this is set nothing is heard.
    """

    window_ms = 32

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.int16)
        self.error: Exception | None = None
        self.wait_for: asyncio.Event | None = None

    async def push(self, frame: AudioFrame) -> list[float]:
        if self.wait_for is not None:
            await self.wait_for.wait()
        if self.error is not None:
            raise self.error
        samples = np.concatenate([self._rest, frame.pcm])
        size = EAR_RATE * self.window_ms // 1000
        windows = len(samples) // size
        self._rest = samples[windows * size :]
        return [float(np.any(samples[i * size : (i + 1) * size] != 0)) for i in range(windows)]

    async def aclose(self) -> None:
        pass


class ScriptedEars:
    """Understands what :meth:`say` made; every other sound is noise without words.

    error: raised by ``transcribe``, while it is set. activity: the voice activity handed out
    last, which can fail and hang.
    """

    def __init__(self, *, delay_s: float = 0.1, ms_per_character: int = 60) -> None:
        self.delay_s, self._ms = delay_s, ms_per_character
        self._said: list[str] = []
        self.transcribed = 0
        self.error: Exception | None = None
        self.activity = Loudness()

    def say(self, text: str) -> AudioFrame:
        """Audio that these ears will transcribe as ``text``; empty text is mere noise."""
        self._said.append(text)
        samples = EAR_RATE * max(200, len(text) * self._ms) // 1000
        return AudioFrame(np.full(samples, len(self._said), np.int16), EAR_RATE)

    def voice_activity(self) -> Loudness:
        self.activity = Loudness()
        return self.activity

    async def transcribe(self, audio: AudioFrame, *, language: str = "en") -> Transcript:
        self.transcribed += 1
        await asyncio.sleep(self.delay_s)
        if self.error is not None:
            raise self.error
        said = []
        for number in sorted({int(n) for n in np.unique(audio.pcm)} - {0}):
            whole = self._said[number - 1]
            heard_ms = 1000 * np.count_nonzero(audio.pcm == number) / audio.sample_rate
            words = whole.split()
            share = min(1.0, heard_ms / max(200, len(whole) * self._ms))
            said.append(" ".join(words[: round(share * len(words))]))
        return Transcript(" ".join(said).strip())

    async def aclose(self) -> None:
        pass
