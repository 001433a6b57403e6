"""What a line is: a way for users to reach the agent, WebRTC, a WebSocket or a telephone. A plugin
returns its lines from the hook ``register_lines``.

A line brings the routes that calls are begun with. A request that comes in asks the server's
:class:`Switchboard` for a call, which lets it in or refuses it, and then has the line opened::

    def routes(switchboard):
        async def call(socket):
            async def open(opening):
                await socket.accept()
                return line, opening.realtime(line)

            line = MyLine(socket)
            await switchboard.begin(socket, open)
            await line.over()

        return [WebSocketRoute("/v1/my-line", call)]

    @hookimpl
    def register_lines():
        return [Line("my-line", routes)]

Every route is guarded as the server's own are: by the names and the sites that it answers to, by
how often an address may ask, and what is refused (``SignallingError``) becomes the answer.
:mod:`omni_agent.lines` has what lines share.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from omni_agent.audio import AudioFrame
from omni_agent.finding import Finding
from omni_agent.transport import Heard, Playback, Transport, VideoFrame
from omni_agent.wishes import NO_WISHES, Wishes

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection, Request
    from starlette.routing import BaseRoute


class OpenLine(Protocol):
    """The line of one call, from its opening on."""

    @property
    def connected(self) -> bool:
        """Whether its user is there; a call that never was is given up by its own line."""
        ...

    @property
    def reason(self) -> str:
        """Why the line ended, for the operator's log: ``line lost``, ``never connected`` or what
        ``aclose`` was given first; empty while it lasts."""
        ...

    async def run(self) -> None:
        """Keep the line; runs beside the session, and ends when the line does."""
        ...

    async def aclose(self, reason: str = "hung up") -> None:
        """Hang up; any number of times."""
        ...


class MediaLine(OpenLine, Protocol):
    """The media half of :class:`omni_agent.transport.Transport`, and a channel of messages: what
    is said over that is for a protocol to know."""

    def audio(self) -> AsyncIterator[AudioFrame]: ...
    def video(self) -> AsyncIterator[VideoFrame]: ...
    def playback(self) -> AsyncIterator[Playback]: ...
    def messages(self) -> AsyncIterator[str]:
        """A client's messages as they come, until the line ends."""
        ...

    def send(self, text: str) -> None:
        """Send a message to the client. Never blocks, never raises."""
        ...

    async def play(self, utterance: str, frame: AudioFrame) -> None: ...
    def finish(self, utterance: str) -> None: ...
    def hold(self) -> None: ...
    def resume(self) -> None: ...
    def flush(self) -> float: ...
    def heard(self, utterance: str) -> Heard: ...


@dataclass(frozen=True, slots=True)
class MediaTerms:
    """How media may go, as the operator has it.

    allow_private: whether anything is sent to private addresses that a client names.
    udp_ports: the first and the last port to receive at; None takes any. external_ip: where
    callers reach this machine, if not at its own addresses. max_lines, max_media,
    max_candidates: of a client's offer.
    """

    allow_private: bool = False
    udp_ports: tuple[int, int] | None = None
    external_ip: str | None = None
    max_lines: int = 600
    max_media: int = 4
    max_candidates: int = 20


@dataclass(frozen=True, slots=True)
class Opening:
    """A call that was let in and has its place, before its line is there.

    session_id: the call's name, everywhere. sees: whether pictures are understood. connect_s: a
    line that is not connected so long after its opening should end. ice_servers: as browsers take
    them (``urls``, ``username``, ``credential``), with credentials for this call. on_late: is to
    be told of each outgoing frame's lateness, seconds. realtime: makes the transport of a line
    whose client speaks the OpenAI Realtime protocol; may be called once.
    """

    session_id: str
    sees: bool
    connect_s: float
    ice_servers: Sequence[Mapping[str, Any]]
    on_late: Callable[[float], None]
    realtime: Callable[[MediaLine], Transport]


Open = Callable[[Opening], Awaitable[tuple[OpenLine, Transport]]]
"""Opens a call's line: it, and the transport that the session uses, which may be the same object.

Raises SignallingError with an HTTP status, leaving nothing behind.
"""


class Switchboard(Protocol):
    """What a server offers its lines. What it refuses it raises as SignallingError, with the HTTP
    status; routes let it pass."""

    @property
    def media(self) -> MediaTerms: ...

    def check(self, asking: HTTPConnection) -> None:
        """Whether this request may begin a call at all: it brings a session token or the key. To be
        asked before anything is read of what a stranger sends."""
        ...

    async def read(self, request: Request) -> bytes:
        """A request's body, within the server's limits of size and time."""
        ...

    async def form(self, request: Request, *names: str) -> dict[str, str]:
        """Those parts of a request's multipart form that are there, within the same limits. Raises
        ProtocolError for what is no form, or no text."""
        ...

    async def begin(
        self,
        asking: HTTPConnection,
        open: Open,
        *,
        persona: str | None = None,
        caller: str = "",
        wishes: Wishes = NO_WISHES,
        session: str | None = None,
        secret: str | None = None,
        verified: bool = False,
    ) -> str:
        """Let a call in, have its line opened, and hold it; returns its name as soon as it runs.

        persona: the one that is asked for. caller: whose call it is, where the line can be sure
        (a telephone number that the carrier vouches for); what a token says goes first. wishes:
        laid over the persona. session: Realtime's session object, JSON as it came; what it wishes
        goes over ``wishes``.

        secret: the session token or the key, where it came in a way of the line's own; None takes
        ``Authorization: Bearer …`` or, of a WebSocket, the subprotocol
        ``openai-insecure-api-key.…``, which is all that a browser can bring (and which is not to
        be answered: ``accept`` another one that was offered). verified: the line has made sure
        by itself who asks, say by a carrier's signature: neither is needed, the call is in no
        address's share, and nobody goes on with it or ends it but the line, who brings its
        ``secret``, and who has the key.

        The token is used up by the call that it begins, not by one that is refused: 401 without
        a token or a key, 503 while the agent starts or all places are taken, 429 where the
        address has its share of them, 400 for a persona that does not exist and for a caller,
        wishes or a session that cannot be, 403 for a persona that the token is not for. Raises
        what ``open`` raises.
        """
        ...

    def line_of(
        self, session_id: str, asking: HTTPConnection, *, secret: str | None = None
    ) -> OpenLine:
        """The line of a call that goes on. secret: as in ``begin``. Refused with 404 where there
        is no such call, with 403 where neither what the call was begun with nor the key is
        brought, and with 429 after too many wrong keys."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """A way for users to reach the agent. Making one costs nothing.

    name: what operators call it. routes: its signalling, of HTTP and WebSockets; asked once, as
    the server starts. It raises TransportError for packages that are missing, and says how to get
    them; the line is left out then. examine: what it needs and whether it is here, for
    ``omni-agent doctor``.
    """

    name: str
    routes: Callable[[Switchboard], Sequence[BaseRoute]]
    examine: Callable[[], Iterable[Finding]] | None = None
