"""The engine Talker: a stream of text to a stream of speech, over one ``TalkerService``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path

import torch

from omni_agent.audio import AudioFrame
from omni_agent.engines.qwen3_omni.features import PromptFeatures
from omni_agent.engines.qwen3_omni.talker.ahead import ReadAhead, view
from omni_agent.engines.qwen3_omni.talker.pace import Pace
from omni_agent.engines.qwen3_omni.talker.prompt import Segment, system_segment
from omni_agent.engines.qwen3_omni.talker.runtime import SAMPLE_RATE, Runtime, RuntimeOptions
from omni_agent.engines.qwen3_omni.talker.sampling import TalkerSampling
from omni_agent.engines.qwen3_omni.talker.service import ServiceOptions, TalkerService, Utterance
from omni_agent.engines.qwen3_omni.talker.tokens import (
    TextFeed,
    TextToken,
    TextTokenizer,
    added_tokens,
)
from omni_agent.engines.qwen3_omni.talker.weights import Progress, load, log_progress
from omni_agent.errors import ConfigError, EngineError, EngineUnavailable, ModelStoreError
from omni_agent.talker import Speech, Voice

_log = logging.getLogger(__name__)


class QwenTalker:
    """Speaks with Qwen3-Omni's Talker; any Thinker may stand before it.

    ``Voice.prompt`` becomes a Talker system segment, ``Voice.features`` (None or
    PromptFeatures) the conversation it has heard. Tempo and pauses are the model's own and
    the language is the text's: ``speed``, ``pause_ms`` and ``language`` have no effect;
    ask for them in the prompt.
    """

    def __init__(
        self,
        service: TalkerService,
        tokenizer: TextTokenizer,
        sampling: TalkerSampling | None = None,
        *,
        tool_response: int = -1,
    ) -> None:
        """tool_response: id of the token that begins a tool's results in a prompt."""
        self._service, self._tokenizer, self._sampling = service, tokenizer, sampling
        self._tool_response = tool_response
        self._ahead = ReadAhead(self._open)

    @property
    def sample_rate(self) -> int:
        return SAMPLE_RATE

    async def speak(self, text: AsyncIterator[str], voice: Voice) -> AsyncIterator[Speech]:
        """Speech as the text comes: 80 ms a piece, the first a little shorter.

        ``text_end`` is an estimate until the last piece (see ``pace``). Raises
        EngineError when this utterance cannot go on; others are not affected.
        """
        utterance, unread = await self._utterance(voice)
        # A TaskGroup cannot span a yield (PEP 789): this generator owns one task, the
        # pump, and has awaited its end before it returns.
        reader = _Reader(utterance, TextFeed(self._tokenizer))
        pump: asyncio.Task[None] | None = None
        try:
            if unread is not None and unread.ids:
                utterance.prefill(unread)
            utterance.begin()
            pump = asyncio.create_task(reader.pump(text))
            position = 0
            async with aclosing(utterance.frames()) as frames:
                async for frame in frames:
                    audio = AudioFrame.from_float(frame.samples, SAMPLE_RATE, position)
                    position += audio.samples
                    yield Speech(audio, reader.voiced(position, frame.token, last=frame.last))
        finally:
            try:
                if pump is not None:
                    pump.cancel()
                    await asyncio.wait({pump})  # unlike awaiting it, never swallows our own cancel
            finally:
                await utterance.aclose()

    async def prepare(self, voice: Voice) -> None:
        """Read what ``voice.features`` holds of the conversation; see ``ahead``."""
        features = voice.features
        if isinstance(features, PromptFeatures) and features.conversation:
            await self._ahead.read(voice, features.conversation, self._view(features))

    async def _utterance(self, voice: Voice) -> tuple[Utterance, Segment | None]:
        """An utterance that has read the voice's prompt, and what it has still to read."""
        match voice.features:
            case None:
                return await self._ahead.open(voice), None
            case PromptFeatures() as features:
                segment = self._view(features)
                return await self._ahead.take(voice, features.conversation, segment)
            case foreign:
                raise EngineError(f"this Talker reads PromptFeatures, not {type(foreign).__name__}")

    async def _open(self, voice: Voice) -> Utterance:
        utterance = await self._service.open(voice.speaker, self._sampling)
        if voice.prompt:
            tokens = [token.id for token in self._tokenizer.encode(voice.prompt)]
            utterance.prefill(system_segment(self._service.runtime.config, tokens))
        return utterance

    def _view(self, features: PromptFeatures) -> Segment:
        runtime = self._service.runtime
        room = runtime.options.positions // 2  # the other half is for what it says
        return view(runtime.config, features, self._tool_response, room)

    async def aclose(self) -> None:
        await self._ahead.aclose()
        await self._service.aclose()


_UNREAD = 256
"""Text tokens that wait to be spoken (some 20 s of speech): while there are more, no text is
taken. Who makes text faster than it is spoken would only keep the model thread from its work."""


class _Reader:
    """Feeds text to an utterance and remembers which token ends where."""

    def __init__(self, utterance: Utterance, feed: TextFeed) -> None:
        self._utterance, self._feed = utterance, feed
        self._ends: list[int] = []  # characters up to and with each token
        self._read = 0
        self._room = asyncio.Event()
        self._pace = Pace()

    async def pump(self, text: AsyncIterator[str]) -> None:
        """Push all of ``text``; an error of its own ends the utterance with it."""
        try:
            async for piece in text:
                self._pace.push(piece)
                self._push(self._feed.push(piece))
                while len(self._ends) - self._read > _UNREAD:
                    self._room.clear()
                    await self._room.wait()
            self._push(self._feed.finish())
            self._utterance.end()
        except Exception as error:  # raised again where the frames are read
            self._utterance.fail(error)

    def _push(self, tokens: Sequence[TextToken]) -> None:
        self._ends.extend(token.end for token in tokens)
        if tokens:
            self._utterance.push([token.id for token in tokens])

    def voiced(self, samples: int, token: int, *, last: bool) -> int:
        """Characters voiced once ``samples`` have played and the Talker has read ``token``."""
        if last:
            return self._pace.characters
        self._read = token + 1
        self._room.set()
        read = self._ends[min(token, len(self._ends) - 1)] if self._ends else 0
        return self._pace.voiced(samples / SAMPLE_RATE, read)


def _read_something(runtime: Runtime) -> None:
    """Steps were warmed up for their graphs, prompts were not: no caller should wait for that."""
    stream = runtime.open()
    runtime.prefill(stream, system_segment(runtime.config, [0] * 32))
    runtime.begin(stream)
    runtime.close(stream)


async def start_talker(
    directory: Path | str,
    *,
    device: str | None = None,
    sampling: TalkerSampling | None = None,
    runtime: RuntimeOptions | None = None,
    service: ServiceOptions | None = None,
    progress: Progress = log_progress,
) -> QwenTalker:
    """Load a checkpoint directory and start its model thread.

    device: ``cuda`` (bfloat16) when there is one, else ``cpu`` (float32). progress is
    called on the model thread. Raises EngineUnavailable, saying which file or tensor
    is at fault.
    """
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    dtype = torch.bfloat16 if place.type == "cuda" else torch.float32

    def build() -> Runtime:
        if place.type == "cuda" and place.index is not None:
            torch.cuda.set_device(place)  # of this thread, which launches every kernel
        weights = load(directory, device=place, dtype=dtype, progress=progress)
        made = Runtime(weights, runtime)
        _read_something(made)
        return made

    running = TalkerService(build, service)
    try:
        tokenizer = TextTokenizer.open(directory)
        tool_response = added_tokens(directory).get("<tool_response>", -1)
        await running.start()
    except (ConfigError, ModelStoreError) as error:
        raise EngineUnavailable(f"the Talker cannot start: {error}") from error
    return QwenTalker(running, tokenizer, sampling, tool_response=tool_response)
