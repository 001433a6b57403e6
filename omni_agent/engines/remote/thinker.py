"""A Thinker on any OpenAI-compatible chat server, or on several that serve one model."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

from omni_agent.engines.remote.asking import Sleep
from omni_agent.engines.remote.completions import Completions
from omni_agent.engines.remote.keepsakes import Keepsakes
from omni_agent.engines.remote.meeting import meet
from omni_agent.engines.remote.question import AUDIO, ChatQuestion
from omni_agent.engines.remote.recordings import Recordings
from omni_agent.engines.remote.server import Model
from omni_agent.engines.remote.servers import PATIENCE, Patience, Servers
from omni_agent.thinker import ThinkRequest, Thought

log = logging.getLogger(__name__)


class OpenAIThinker:
    """See :class:`omni_agent.thinker.Thinker`. Pictures are sent; audio where the model hears."""

    sees = True

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str | None = None,
        *,
        hears: bool | None = None,
        patience: Patience = PATIENCE,
        sleep: Sleep = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """base_url: up to and with ``/v1``; several are separated by commas.

        hears: whether to send audio; None goes by the model's name ("omni" is in it).
        Raises ConfigError when an address is none.
        """
        self.servers = Servers(base_url, model, api_key, patience=patience, clock=clock)
        self._hears = is_omni(Model(model)) if hears is None else hears
        self._completions = Completions(self.servers, sleep)
        self._recordings, self._keepsakes = Recordings(), Keepsakes()

    @staticmethod
    async def start(
        base_url: str | None,
        model: str | None,
        api_key: str | None = None,
        *,
        hears: bool | None = None,
    ) -> OpenAIThinker:
        """Checks that a server answers. ``model`` None takes the first one offered.

        Raises ConfigError, or EngineUnavailable saying what to do.
        """
        thinker = OpenAIThinker(base_url or "", model or "", api_key, hears=hears)
        try:
            found = await meet(thinker.servers, model)
        except BaseException:
            await thinker.aclose()
            raise
        if is_omni(found):
            thinker._hears = True if hears is None else hears
            log.info(
                "%s thinks on a server, which gives no hidden states: a Qwen3-Omni Talker "
                "beside it speaks from the text alone",
                found.name,
            )
        return thinker

    @property
    def model(self) -> str:
        return self.servers.model

    @property
    def hears(self) -> bool:
        """False while every server refuses audio."""
        return self._hears and any(AUDIO not in server.lacks for server in self.servers.all)

    async def think(self, request: ThinkRequest) -> AsyncIterator[Thought]:
        recordings = self._recordings if self._hears else None
        question = ChatQuestion(self.model, request, recordings, self._keepsakes)
        async with aclosing(self._completions.answer(question)) as thoughts:
            async for thought in thoughts:
                yield thought

    async def prepare(self, request: ThinkRequest) -> None:
        """Looks at the servers that were set aside; nobody waits while the user speaks.

        Nothing is prefilled: a server keeps its own prefix cache, and a paid one bills
        every prompt.
        """
        await self.servers.probe_due()

    async def aclose(self) -> None:
        await self.servers.aclose()


def is_omni(model: Model) -> bool:
    """Whether the model's name says that it hears."""
    return "omni" in f"{model.name} {model.origin}".lower()
