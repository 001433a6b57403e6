"""An agent as the server sees it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from omni_agent.call.request import CallRequest
from omni_agent.errors import (
    EngineUnavailable,
    OmniAgentError,
    detail,
    public,
)
from omni_agent.server.host import PersonaCard, Readiness, Served
from omni_agent.transport import Transport
from omni_agent.wishes import Wishes

log = logging.getLogger(__name__)

RETRY_S = 30.0
"""The longest pause between two attempts to start."""


class AgentHost:
    """An agent as the server sees it (a ``Host``).

    wait_for_engine: try again, for ever, while what is missing may still come. on_failure:
    told when the agent cannot start, and then says why; None has it logged.
    """

    def __init__(
        self,
        agent: Served,
        *,
        wait_for_engine: bool = False,
        on_failure: Callable[[], None] | None = None,
    ) -> None:
        self._agent, self._wait, self._on_failure = agent, wait_for_engine, on_failure
        self._begun = False
        self._own: asyncio.Task[None] | None = None
        self._missing: Exception | None = None
        self.failure: Exception | None = None

    @property
    def readiness(self) -> Readiness:
        kept = self._agent.transcripts
        records = kept.health if kept is not None else {}
        if self.failure is not None:
            return Readiness(False, public(self.failure), True, detail(self.failure), records)
        if (why := self._missing) is not None:
            return Readiness(False, f"waiting: {public(why)}", False, detail(why), records)
        return Readiness(self._agent.ready, self._agent.progress, records=records)

    @property
    def personas(self) -> Sequence[PersonaCard]:
        wardrobe = self._agent.wardrobe
        return [
            PersonaCard(
                persona.name, persona.description, persona.language, wardrobe.offers(persona)
            )
            for persona in wardrobe.known()
        ]

    @property
    def default_persona(self) -> str:
        return self._agent.wardrobe.default_name

    def shown_name(self, persona: str) -> str:
        try:
            return self._agent.wardrobe.outfit(persona).persona.name
        except OmniAgentError:
            return persona

    @property
    def sees(self) -> bool:
        return self._agent.ready and self._agent.stages.thinker.sees

    @property
    def engine(self) -> Mapping[str, str]:
        return self._agent.lineup.names

    def check_wishes(self, persona: str, wishes: Wishes) -> None:
        self._agent.wardrobe.outfit(persona).wishing(wishes)

    async def serve_call(self, transport: Transport, request: CallRequest) -> None:
        await self._agent.session(transport, request).run()

    async def start(self) -> None:
        """Start the models; a failure is what callers are told, not the server's end."""
        self._begun = True
        self.failure = self._missing = None  # of a start before this one
        pause = 1.0
        while not await self._started():
            await asyncio.sleep(pause)
            pause = min(2 * pause, RETRY_S)

    def start_late(self) -> None:
        """Start the models where nobody did: the app is in use without its lifespan."""
        if self._begun or self._agent.ready:
            return
        log.warning(
            "mounted without its lifespan: the models start with the first request, and nobody "
            "stops them; enter app.router.lifespan_context(app) in yours (examples/mounted.py)"
        )
        self._begun = True
        self._own = asyncio.get_running_loop().create_task(self.start())

    async def _started(self) -> bool:
        """Whether it is decided: the agent runs, or never will."""
        try:
            await self._agent.start()
        except OmniAgentError as error:
            if self._wait and isinstance(error, EngineUnavailable) and error.may_recover:
                if str(error) != str(self._missing):
                    log.warning("not started yet, trying again: %s", error)
                self._missing = error
                return False
            if self._on_failure is None:
                log.error("the agent could not start: %s", error)
            self._fail(error)
        except Exception as error:
            log.exception("the agent could not start")
            self._fail(error)
        self._missing = None
        return True

    def _fail(self, error: Exception) -> None:
        self.failure = error
        if self._on_failure is not None:
            self._on_failure()
