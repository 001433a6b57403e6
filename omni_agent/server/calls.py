"""The calls in progress: each one a line, a session, and a task that ends both."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from omni_agent.conversation import new_id, whole
from omni_agent.errors import SignallingError
from omni_agent.events import SessionEnded
from omni_agent.server.call_log import CallLog
from omni_agent.server.client_messages import SessionConfig
from omni_agent.server.host import CallRequest, Host
from omni_agent.server.ice import IceServers
from omni_agent.server.limits import MOST_CALLS
from omni_agent.server.line import AnswerOffer, MediaLine, load_transport
from omni_agent.server.metrics import Metrics
from omni_agent.server.options import ServerOptions
from omni_agent.server.realtime import Realtime
from omni_agent.server.realtime_transport import RealtimeTransport
from omni_agent.server.tokens import Grant
from omni_agent.server.wire import Facts, Json, SessionState

log = logging.getLogger(__name__)

OVERTIME_S = 15.0
"""A session whose time is over may take so long for its goodbye; then it loses its line."""


@dataclass(slots=True)
class Place:
    """One of the lines, from the offer on.

    address: whose share it is in; empty is nobody's. secret: what its caller began it
    with, and so goes on and ends it with.
    """

    address: str = ""
    secret: str = ""
    line: MediaLine | None = None

    @property
    def connected(self) -> bool:
        return self.line is not None and self.line.connected


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
        self._most = options.limits.calls or MOST_CALLS
        self.ice_servers = IceServers(
            options.ice_servers, options.network.turn_secret, longest_s=options.limits.call_s
        )
        self._places: dict[str, Place] = {}
        self._talking: dict[asyncio.Task[None], RealtimeTransport] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._scope: asyncio.Task[None] | None = None
        self._opening = asyncio.Lock()
        self.metrics = Metrics()

    @property
    def active(self) -> int:
        return sum(place.line is not None for place in self._places.values())

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
        """End all calls at the same time; a session that is cancelled tells its client why,
        and one that takes too long to end has it told for it."""
        talking = dict(self._talking)
        for one in talking:
            one.cancel()
        if talking:
            _, slow = await asyncio.wait(talking, timeout=self._limits.hang_up_s)
            for one in slow:
                talking[one].notify(SessionEnded(asyncio.get_running_loop().time(), "shutdown"))
        lines = [place.line for place in self._places.values() if place.line is not None]
        await asyncio.gather(*(line.aclose("shutdown") for line in lines))

    async def _own_scope(self) -> asyncio.TaskGroup:
        async with self._opening:
            if self._tasks is None:
                opened = asyncio.Event()
                self._scope = asyncio.get_running_loop().create_task(self._hold_scope(opened))
                await opened.wait()
        assert self._tasks is not None
        return self._tasks

    async def _hold_scope(self, opened: asyncio.Event) -> None:
        async with self.running():
            opened.set()
            await asyncio.Event().wait()

    async def aclose(self) -> None:
        """Hang up everywhere and leave a scope that a mounted app opened for itself."""
        scope, self._scope = self._scope, None
        if scope is not None:
            scope.cancel()
            await asyncio.wait([scope])

    async def start(
        self,
        offer: str,
        place: Place,
        *,
        persona: str | None = None,
        session: SessionConfig | None = None,
        grant: Grant | None = None,
    ) -> tuple[str, str]:
        """Answer an offer: the call's id and the SDP answer; the session runs from now on.

        place: the line it is to have. grant: what its token allows. Raises
        SignallingError: 503 while the agent starts or all lines are busy, 429 where the
        address has its share of them, 400 for a persona that does not exist or an offer
        that cannot be answered, 403 for a persona that the token is not for.
        """
        grant = grant or Grant()
        self._check_size(offer)
        self._check_room(place.address)
        chosen = self._choose(persona, session, grant)
        call_id = new_id("rtc")
        self._places[call_id] = place
        try:
            tasks = await self._own_scope()
            line, answer = await self._answered(offer, call_id)
            place.line = line
        finally:
            if place.line is None:
                del self._places[call_id]
        if self._tasks is not tasks:  # the server began to stop meanwhile
            del self._places[call_id]
            await line.aclose()
            raise SignallingError(503, "the server is stopping")
        request = CallRequest(call_id, chosen, grant.caller, self._limits.call_s)
        self.metrics.started += 1
        facts = self._facts(request.persona, grant)
        tasks.create_task(self._serve(request, line, facts, session), name=call_id)
        return call_id, answer

    async def _answered(self, offer: str, call_id: str) -> tuple[MediaLine, str]:
        if self._answer is None:
            self._answer = load_transport()
        return await self._answer(
            offer,
            ice_servers=self.ice_servers.minted(call_id),
            allow_private=bool(self._options.allow_private),
            on_late=self.metrics.lateness.observe,
            connect_s=self._limits.connect_s,
            sees=self._host.sees,
            max_media=self._limits.offers.media,
            max_candidates=self._limits.offers.candidates,
            udp_ports=self._options.network.udp_ports,
            external_ip=self._options.network.external_ip,
        )

    def _check_size(self, offer: str) -> None:
        """Reading SDP takes time on the event loop, and grows faster than its lines."""
        most = self._limits.offers.lines
        if len(offer.splitlines()) > most:
            raise SignallingError(400, f"the offer has over {most} lines")

    def _check_room(self, address: str) -> None:
        readiness, limits = self._host.readiness, self._limits
        if not readiness.ready:
            what = "cannot start" if readiness.failed else "is starting"
            how = readiness.shown(dev=self._options.dev) or "no details"
            raise SignallingError(503, f"the agent {what}: {how}")
        if len(self._places) >= self._most:
            raise SignallingError(503, "all lines are busy, try again in a moment")
        own = [place for place in self._places.values() if address and place.address == address]
        if len(own) >= _share(limits.calls_per_address, self._most, left=4):
            raise SignallingError(429, f"your address has {len(own)} calls already, its share")
        connecting = sum(not place.connected for place in own)
        if connecting >= _share(limits.connecting_per_address, self._most, left=2):
            raise SignallingError(429, "your address has calls that have not connected yet")

    def _choose(
        self, persona: str | None, session: SessionConfig | None, grant: Grant
    ) -> str | None:
        """The persona that answers, if it may."""
        if persona is None and session is not None and session.omni is not None:
            persona = session.omni.persona
        offered = [card.name for card in self._host.personas]
        granted = grant.among(offered)
        if grant.personas is not None and not granted:  # renamed or deleted since
            raise SignallingError(
                403, "no persona that this token is for is offered now: get another token"
            )
        if persona is None:
            default = self._host.default_persona
            return None if default in granted else next(iter(granted), None)
        if persona in granted:
            return persona
        if persona in offered:
            raise SignallingError(403, f"this token is not for the persona {persona[:80]!r}")
        known = ", ".join(granted) or "none"
        raise SignallingError(400, f"no persona is called {persona[:80]!r}; there are {known}")

    def check_renewal(self, call_id: str, secret: str | None) -> None:
        """Raises as ``renew`` does, as far as that is known without an offer."""
        self._line(call_id, secret)

    async def renew(self, call_id: str, offer: str, secret: str | None) -> str:
        """Answer an offer for a new connection of a call that goes on.

        secret: what its caller began it with; None is whoever may do this to any call.
        Raises SignallingError: 404 when there is none of this id, 403 for another's
        call, 400 for an offer that cannot be answered, 429 for too many.
        """
        line = self._line(call_id, secret)
        self._check_size(offer)
        return await line.renew(offer)

    async def hang_up(self, call_id: str, secret: str | None) -> None:
        """End a call. Raises as ``renew`` does."""
        reason = "closed with the key" if secret is None else "closed by the page"
        await self._line(call_id, secret).aclose(reason)

    def _line(self, call_id: str, secret: str | None) -> MediaLine:
        place = self._places.get(call_id)
        if place is None or place.line is None:
            raise SignallingError(404, "no such call")
        if secret is not None and not _same(place.secret, whole(secret)):
            raise SignallingError(403, "this call was begun with another token")
        return place.line

    def _facts(self, persona: str | None, grant: Grant) -> Facts:
        host = self._host
        return Facts(
            persona=persona or host.default_persona,
            personas=grant.among([card.name for card in host.personas]),
            sees=host.sees,
            engine=host.engine,
            limit_s=self._limits.call_s,
        )

    def session_json(self, session: SessionConfig | None, grant: Grant) -> Json:
        """The session a call with this configuration would begin with. Raises SignallingError
        for a persona that it could not have."""
        facts = self._facts(self._choose(None, session, grant), grant)
        state = SessionState(new_id("sess"), facts)
        if session is not None:
            state.merge(session)
        return state.json()

    async def _serve(
        self, request: CallRequest, line: MediaLine, facts: Facts, session: SessionConfig | None
    ) -> None:
        """One call, from the answer to the end of its session and its line."""
        noted, failed = CallLog(request.id), False
        noted.begin(facts.persona, self.active, self._most)
        try:
            protocol = Realtime(facts, session_id=request.id, limits=self._limits.messages)
            if session is not None:
                protocol.configure(session)
            dev = self._options.dev
            transport = RealtimeTransport(line, protocol, noted.see, dev=dev)
            async with asyncio.TaskGroup() as pair:
                talking = pair.create_task(self._talk(transport, request))
                held = pair.create_task(line.run())
                await asyncio.wait([held], timeout=self._limits.call_s + OVERTIME_S)
                if not held.done():
                    await line.aclose("the longest call is over")
                await asyncio.wait([talking, held], timeout=self._limits.hang_up_s)
                talking.cancel()
                held.cancel()
        except Exception:  # one call's failure is its own; the others go on
            failed = True
            self.metrics.failed += 1
            log.exception("call %s failed", request.id)
        finally:
            try:
                await line.aclose()
            except Exception:
                log.exception("call %s: its line did not close", request.id)
            finally:
                self._places.pop(request.id, None)
                noted.end(line.reason, failed=failed)

    async def _talk(self, transport: RealtimeTransport, request: CallRequest) -> None:
        session = asyncio.current_task()
        assert session is not None
        self._talking[session] = transport
        try:
            await self._host.serve_call(transport, request)
        finally:
            self._talking.pop(session, None)
            await transport.aclose()


def _share(given: int, lines: int, *, left: int) -> int:
    """What one address may have: of few lines, one in ``left`` stays for others."""
    return max(1, min(given, lines - max(1, lines // left)))


def _same(secret: str, given: str) -> bool:
    return hmac.compare_digest(secret.encode(), given.encode())
