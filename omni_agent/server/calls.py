"""The calls in progress: each one a line, a session, and a task that ends both."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from omni_agent.conversation import new_id
from omni_agent.errors import SignallingError
from omni_agent.server.call_log import CallLog
from omni_agent.server.client_messages import SessionConfig
from omni_agent.server.host import CallRequest, Host
from omni_agent.server.ice import IceServers
from omni_agent.server.line import AnswerOffer, MediaLine, load_transport
from omni_agent.server.metrics import Metrics
from omni_agent.server.options import ServerOptions
from omni_agent.server.realtime import Realtime
from omni_agent.server.realtime_transport import RealtimeTransport
from omni_agent.server.wire import Facts, Json, SessionState

log = logging.getLogger(__name__)


class Calls:
    """Answers offers and runs the sessions they begin.

    ``running`` is the scope that all sessions live in; leaving it hangs up. Where
    nobody entered it (an app mounted in another, whose lifespan does not reach
    here), the first call opens a scope that lives as long as the event loop.
    """

    def __init__(
        self,
        host: Host,
        options: ServerOptions,
        *,
        answer: AnswerOffer | None = None,
    ) -> None:
        self._host, self._options, self._answer = host, options, answer
        self._limits = options.limits
        self.ice_servers = IceServers(options.ice_servers, options.network.turn_secret)
        self._lines: dict[str, MediaLine] = {}
        self._talking: dict[str, asyncio.Task[None]] = {}
        self._pending = 0
        self._tasks: asyncio.TaskGroup | None = None
        self._scope: asyncio.Task[None] | None = None
        self.metrics = Metrics()

    @property
    def active(self) -> int:
        return len(self._lines)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The scope of all calls."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                yield
            finally:
                self._tasks = None
                await self._shut_down()

    async def _shut_down(self) -> None:
        """End all calls at the same time; a session that is cancelled tells its client why."""
        talking = list(self._talking.values())
        for one in talking:
            one.cancel()
        if talking:
            await asyncio.wait(talking, timeout=self._limits.hang_up_s)
        await asyncio.gather(*(line.aclose("shutdown") for line in self._lines.values()))

    async def _own_scope(self) -> asyncio.TaskGroup:
        if self._tasks is None:
            opened = asyncio.Event()

            async def hold() -> None:
                async with self.running():
                    opened.set()
                    await asyncio.Event().wait()

            self._scope = asyncio.get_running_loop().create_task(hold())
            await opened.wait()
        assert self._tasks is not None
        return self._tasks

    async def aclose(self) -> None:
        """Hang up everywhere and leave a scope that a mounted app opened for itself."""
        scope, self._scope = self._scope, None
        if scope is not None:
            scope.cancel()
            await asyncio.wait([scope])

    async def start(
        self,
        offer: str,
        *,
        persona: str | None = None,
        session: SessionConfig | None = None,
        caller: str = "",
    ) -> tuple[str, str]:
        """Answer an offer: the call's id and the SDP answer; the session runs from now on.

        Raises SignallingError: 503 while the agent starts or all lines are busy,
        400 for a persona that does not exist or an offer that cannot be answered.
        """
        chosen = self._check(persona, session)
        self._pending += 1
        try:
            tasks = await self._own_scope()
            if self._answer is None:
                self._answer = load_transport()
            call_id = new_id("rtc")
            line, answer = await self._answer(
                offer,
                ice_servers=self.ice_servers.minted(call_id),
                allow_private=self._options.allow_private,
                on_late=self.metrics.lateness.observe,
                connect_s=self._limits.connect_s,
                sees=self._host.sees,
                max_media=self._limits.media,
                max_candidates=self._limits.candidates,
                udp_ports=self._options.network.udp_ports,
                external_ip=self._options.network.external_ip,
            )
        finally:
            self._pending -= 1
        if self._tasks is not tasks:  # the server began to stop meanwhile
            await line.aclose()
            raise SignallingError(503, "the server is stopping")
        request = CallRequest(call_id, chosen, caller)
        self._lines[request.id] = line
        self.metrics.started += 1
        tasks.create_task(self._serve(request, line, session), name=request.id)
        return request.id, answer

    def _check(self, persona: str | None, session: SessionConfig | None) -> str | None:
        readiness = self._host.readiness
        if not readiness.ready:
            what = "cannot start" if readiness.failed else "is starting"
            raise SignallingError(503, f"the agent {what}: {readiness.progress or 'no details'}")
        if self.active + self._pending >= self._limits.calls:
            raise SignallingError(503, "all lines are busy, try again in a moment")
        if persona is None and session is not None and session.omni is not None:
            persona = session.omni.persona
        names = [card.name for card in self._host.personas]
        if persona is not None and persona not in names:
            known = ", ".join(names) or "none"
            raise SignallingError(400, f"no persona is called {persona[:80]!r}; there are {known}")
        return persona

    async def renew(self, call_id: str, offer: str) -> str:
        """Answer an offer for a new connection of a call that goes on.

        Raises SignallingError: 404 when there is none of this id, 400 for an offer
        that cannot be answered.
        """
        line = self._lines.get(call_id)
        if line is None:
            raise SignallingError(404, "no such call")
        return await line.renew(offer)

    async def hang_up(self, call_id: str, reason: str = "closed by the page") -> bool:
        """End a call; False when there is none of this id."""
        line = self._lines.get(call_id)
        if line is None:
            return False
        await line.aclose(reason)
        return True

    def _facts(self, persona: str | None) -> Facts:
        host = self._host
        return Facts(
            persona=persona or host.default_persona,
            personas=tuple(card.name for card in host.personas),
            sees=host.sees,
            engine=host.engine,
        )

    def session_json(self, session: SessionConfig | None) -> Json:
        """The session a call with this configuration would begin with."""
        omni = session.omni if session is not None else None
        state = SessionState(new_id("sess"), self._facts(omni.persona if omni else None))
        if session is not None:
            state.merge(session)
        return state.json()

    async def _serve(
        self, request: CallRequest, line: MediaLine, session: SessionConfig | None
    ) -> None:
        """One call, from the answer to the end of its session and its line."""
        facts, noted, failed = self._facts(request.persona), CallLog(request.id), False
        noted.begin(facts.persona, self.active, self._limits.calls)
        try:
            protocol = Realtime(facts, session_id=request.id)
            if session is not None:
                protocol.configure(session)
            transport = RealtimeTransport(line, protocol, noted.see)
            async with asyncio.TaskGroup() as pair:
                talking = pair.create_task(self._talk(transport, request))
                await line.run()
                await asyncio.wait([talking], timeout=self._limits.hang_up_s)
                talking.cancel()
        except Exception:  # one call's failure is its own; the others go on
            failed = True
            self.metrics.failed += 1
            log.exception("call %s failed", request.id)
        finally:
            await line.aclose()
            self._lines.pop(request.id, None)
            noted.end(line.reason, failed=failed)

    async def _talk(self, transport: RealtimeTransport, request: CallRequest) -> None:
        if (session := asyncio.current_task()) is not None:
            self._talking[request.id] = session
        try:
            await self._host.serve_call(transport, request)
        finally:
            self._talking.pop(request.id, None)
            await transport.aclose()
