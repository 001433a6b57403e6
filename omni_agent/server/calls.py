"""The calls in progress: each one a line, a session, and a task that ends both."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from omni_agent.call.request import CallRequest
from omni_agent.call.sense import nonsense
from omni_agent.commands import Configure
from omni_agent.conversation import new_id
from omni_agent.errors import ProtocolError, SignallingError
from omni_agent.events import SessionEnded
from omni_agent.line import Open, Opening, OpenLine
from omni_agent.server.call_log import CallLog
from omni_agent.server.client_messages import SessionConfig
from omni_agent.server.host import Host
from omni_agent.server.ice import IceServers
from omni_agent.server.limits import MOST_CALLS
from omni_agent.server.metrics import Metrics
from omni_agent.server.offered import Offered
from omni_agent.server.options import ServerOptions
from omni_agent.server.realtime import Realtime
from omni_agent.server.realtime_transport import RealtimeTransport
from omni_agent.server.tokens import Grant
from omni_agent.server.watched import Watched
from omni_agent.transport import Transport
from omni_agent.utf8 import whole
from omni_agent.wishes import NO_WISHES, Wishes

log = logging.getLogger(__name__)

OVERTIME_S = 15.0
"""A session whose time is over may take so long for its goodbye; then it loses its line."""


@dataclass(slots=True)
class Place:
    """One of the places for calls, from its opening on.

    address: whose share it is in; empty is nobody's. secret: what its caller began it
    with, and so goes on and ends it with.
    """

    address: str = ""
    secret: str = ""
    line: OpenLine | None = None

    @property
    def connected(self) -> bool:
        return self.line is not None and self.line.connected


class Calls:
    """Has lines opened and runs the sessions over them.

    ``running`` is the scope that all sessions live in; leaving it hangs up. Where
    nobody entered it (an app mounted in another, whose lifespan does not reach
    here), the first call opens a scope that lives as long as the event loop.
    """

    def __init__(self, host: Host, options: ServerOptions) -> None:
        self._host, self._options = host, options
        self._limits = options.limits
        self._most = options.limits.calls or MOST_CALLS
        self.ice_servers = IceServers(
            options.ice_servers, options.network.turn_secret, max_call_s=options.limits.call_s
        )
        self.offered = Offered(host, max_call_s=options.limits.call_s)
        self._places: dict[str, Place] = {}
        self._talking: dict[asyncio.Task[None], Transport] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._scope: asyncio.Task[None] | None = None
        self._scoping = asyncio.Lock()
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
        async with self._scoping:
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

    async def begin(
        self,
        place: Place,
        open: Open,
        *,
        persona: str | None = None,
        session: SessionConfig | None = None,
        grant: Grant | None = None,
        wishes: Wishes = NO_WISHES,
    ) -> str:
        """Have a line opened: the call's id; the session runs from now on.

        grant: what its token allows. wishes: those of the session go over them. Raises
        SignallingError: 503 while the agent starts or all places are taken, 429 where the address
        has its share of them, 400 for a persona that does not exist, 403 for one that the token is
        not for; ProtocolError for wishes or a session that cannot be; and what ``open`` raises.
        """
        grant = grant or Grant()
        if why := nonsense(Configure(wishes)):
            raise ProtocolError(why)
        self._check_room(place.address)
        chosen = self.offered.choose(persona, session, grant)
        session_id = new_id("rtc")
        facts = self.offered.facts(chosen, grant)
        protocol = Realtime(
            facts,
            session_id=session_id,
            wishes=wishes,
            limits=self._limits.messages,
            fits=self._host.check_wishes,
        )
        request = CallRequest(
            persona=chosen,
            caller=grant.caller,
            wishes=protocol.configure(session or SessionConfig()),
            max_call_s=self._limits.call_s,
            session_id=session_id,
        )
        self._places[session_id] = place
        try:
            await self._start(request, place, open, protocol)
        except BaseException:
            del self._places[session_id]
            raise
        return session_id

    async def _start(
        self, request: CallRequest, place: Place, open: Open, protocol: Realtime
    ) -> None:
        tasks = await self._own_scope()
        line, transport = await open(
            Opening(
                request.session_id,
                sees=self._host.sees,
                connect_s=self._limits.connect_s,
                ice_servers=self.ice_servers.minted(request.session_id),
                on_late=self.metrics.lateness.observe,
                realtime=partial(RealtimeTransport, protocol=protocol),
            )
        )
        if self._tasks is not tasks:  # the server began to stop meanwhile
            await line.aclose()
            raise SignallingError(503, "the server is stopping")
        place.line = line
        self.metrics.started += 1
        tasks.create_task(self._serve(request, line, transport), name=request.session_id)

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

    async def hang_up(self, session_id: str, secret: str | None) -> None:
        """End a call. Raises as ``line`` does."""
        reason = "closed with the key" if secret is None else "closed by the page"
        await self.line(session_id, secret).aclose(reason)

    def line(self, session_id: str, secret: str | None) -> OpenLine:
        """The line of a call that goes on.

        secret: what its caller began it with; None is whoever may do anything to any call.
        Raises SignallingError: 404 when there is none of this id, 403 for another's call.
        """
        place = self._places.get(session_id)
        if place is None or place.line is None:
            raise SignallingError(404, "no such call")
        if secret is not None and not _same(place.secret, whole(secret)):
            raise SignallingError(403, "this call was begun with another token")
        return place.line

    async def _serve(self, request: CallRequest, line: OpenLine, transport: Transport) -> None:
        """One call, from its opening to the end of its session and its line."""
        noted, failed = CallLog(request.session_id), False
        noted.begin(request.persona or self._host.default_persona, self.active, self._most)
        try:
            watched = Watched(transport, noted.see, dev=self._options.dev)
            async with asyncio.TaskGroup() as pair:
                talking = pair.create_task(self._talk(watched, request))
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
            log.exception("call %s failed", request.session_id)
        finally:
            try:
                await line.aclose()
            except Exception:
                log.exception("call %s: its line did not close", request.session_id)
            finally:
                self._places.pop(request.session_id, None)
                noted.end(line.reason, failed=failed)

    async def _talk(self, transport: Transport, request: CallRequest) -> None:
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
