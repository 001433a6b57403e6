"""Any text as speech of the server's: its speech endpoint, or its model asked to read."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx

from omni_agent.audio import AudioFrame
from omni_agent.engines.remote.asking import Again, Refusal, Sleep, ask, broken, failure
from omni_agent.engines.remote.completions import Completions
from omni_agent.engines.remote.question import SPARED_S, is_own
from omni_agent.engines.remote.server import Server, pieces
from omni_agent.engines.remote.servers import Servers
from omni_agent.engines.vllm_omni.pcm import PcmReader
from omni_agent.engines.vllm_omni.question import NamedVoice, Recital
from omni_agent.errors import EngineError

log = logging.getLogger(__name__)

SPEECH = "speech"
"""In ``Server.lacks``: ``/audio/speech`` is not for this server's model."""
_NOT_OFFERED, _UNFIT = frozenset({404, 405, 415, 501}), frozenset({400, 422})


class Aloud:
    """Asks a server once whether it has a speech endpoint for its model, and remembers.

    vllm-omni has one for text-to-speech models and refuses it for those that chat,
    Qwen3-Omni among them (its pull request 2763; issue 2821 would allow it). Their model is
    asked to repeat the text, which is checked before a sound of it is released.
    """

    def __init__(self, servers: Servers, sleep: Sleep = asyncio.sleep) -> None:
        self._servers, self._sleep = servers, sleep
        self._completions = Completions(servers, sleep)

    async def speech(self, words: str, speaker: str | None) -> AsyncGenerator[AudioFrame, None]:
        """24 kHz. Raises EngineError when no server speaks these words."""
        frames = ask(
            self._servers,
            lambda server: self._attempt(server, words, speaker),
            key=words,
            sleep=self._sleep,
        )
        async with aclosing(frames):
            async for frame in frames:
                yield frame

    async def _attempt(
        self, server: Server, words: str, speaker: str | None
    ) -> AsyncGenerator[AudioFrame, None]:
        if SPEECH in server.lacks:
            recital = Recital(self._servers.model, words, speaker)
            frames = self._completions.attempt(server, recital)
        else:
            frames = self._synthesised(server, words, speaker)
        async with aclosing(frames):
            async for frame in frames:
                if frame.samples:
                    yield frame

    async def _synthesised(
        self, server: Server, words: str, speaker: str | None
    ) -> AsyncGenerator[AudioFrame, None]:
        body: dict[str, Any] = {"model": self._servers.model, "input": words}
        body |= {"response_format": "wav", "stream_format": "audio"}
        voice = NamedVoice(speaker)
        body |= voice.asked("voice", server)
        http, timeout = self._servers.http, self._servers.patience(server).timeout
        url, pcm = f"{server.url}/audio/speech", PcmReader()
        try:
            async with http.stream("POST", url, json=body, timeout=timeout) as response:
                if response.status_code in _NOT_OFFERED:
                    raise self._not_offered(server, math.inf)
                if response.status_code != 200:
                    raise await failure(self._servers, server, response)
                async for data in pieces(response):
                    yield pcm.push(data)
                yield pcm.finish()
        except httpx.HTTPError as error:
            raise broken(server, error) from error
        except Refusal as refusal:
            if voice.concede(server, refusal):
                raise Again from refusal
            if refusal.status not in _UNFIT or is_own(refusal):  # this text is too long
                raise EngineError(refusal.reason) from refusal
            raise self._not_offered(server, SPARED_S) from refusal

    def _not_offered(self, server: Server, for_s: float) -> Again:
        server.spare(SPEECH, for_s)
        log.info("%s speaks no text for %s: it is asked to read", server.url, self._servers.model)
        return Again()
