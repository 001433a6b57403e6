"""A Thinker whose server speaks what it thinks; the sound travels as ``Features``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing

from omni_agent.engines.remote import meeting
from omni_agent.engines.remote.asking import Sleep
from omni_agent.engines.remote.completions import Completions
from omni_agent.engines.remote.question import AUDIO
from omni_agent.engines.remote.recordings import Recordings
from omni_agent.engines.remote.servers import Servers
from omni_agent.engines.vllm_omni.question import SpokenQuestion
from omni_agent.thinker import ThinkRequest, Thought

log = logging.getLogger(__name__)


class VllmOmniThinker:
    """See :class:`omni_agent.thinker.Thinker`.

    ``Features`` holds a :class:`ReplySound`, which the Talker of this engine plays.
    ``ThinkRequest.speaker`` is the voice. Several servers, their health and what
    happens when one fails: as for the remote Thinker.
    """

    sees = True

    def __init__(self, servers: Servers, sleep: Sleep = asyncio.sleep) -> None:
        self.servers = servers
        self._completions = Completions(servers, sleep)
        self._recordings = Recordings()

    @staticmethod
    async def start(
        base_url: str | None, model: str | None, api_key: str | None = None
    ) -> VllmOmniThinker:
        """``model`` None takes the first one offered. Raises ConfigError, EngineUnavailable."""
        thinker = VllmOmniThinker(await meet(base_url, model, api_key))
        log.info("%s speaks itself: filters change what is read, not what is heard", thinker.model)
        return thinker

    @property
    def model(self) -> str:
        return self.servers.model

    @property
    def hears(self) -> bool:
        """False while every server refuses audio."""
        return any(AUDIO not in server.lacks for server in self.servers.all)

    async def think(self, request: ThinkRequest) -> AsyncIterator[Thought]:
        question = SpokenQuestion(self.model, request, self._recordings)
        try:
            async with aclosing(self._completions.answer(question)) as thoughts:
                async for thought in thoughts:
                    yield thought
        finally:
            question.sound.end(whole=False)  # whoever plays it is not left waiting

    async def prepare(self, request: ThinkRequest) -> None:
        """Looks at the servers that were set aside (see the remote Thinker)."""
        await self.servers.probe_due()

    async def aclose(self) -> None:
        await self.servers.aclose()


async def meet(base_url: str | None, model: str | None, api_key: str | None) -> Servers:
    """The servers, agreed on a model. Raises ConfigError, EngineUnavailable."""
    servers = Servers(base_url, model or "", api_key)
    try:
        await meeting.meet(servers, model)
    except BaseException:
        await servers.aclose()
        raise
    return servers
