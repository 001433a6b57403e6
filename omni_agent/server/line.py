"""What the server needs of a transport package: an answer to an offer, and the line it opens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, Protocol

from omni_agent.audio import AudioFrame
from omni_agent.distribution import install
from omni_agent.errors import TransportError
from omni_agent.transport import Heard, PlayoutFinished, PlayoutStarted, VideoFrame

GROUP = "omni_agent.transports"


class MediaLine(Protocol):
    """The media half of :class:`omni_agent.transport.Transport`, and a message channel."""

    @property
    def connected(self) -> bool: ...

    @property
    def reason(self) -> str:
        """Why the line ended: ``line lost``, ``closed by the page``, ``never connected`` or what
        ``aclose`` was given first; empty while it lasts."""
        ...

    def frames(
        self,
    ) -> AsyncIterator[AudioFrame | VideoFrame | PlayoutStarted | PlayoutFinished | str]:
        """What comes from the user until the line ends; a ``str`` is a client's message."""
        ...

    def send(self, text: str) -> None:
        """Send a message to the client. Never blocks, never raises."""
        ...

    async def run(self) -> None:
        """Keep the line; must run beside its reader; ends when the line does."""
        ...

    async def play(self, utterance: str, frame: AudioFrame) -> None: ...
    def finish(self, utterance: str) -> None: ...
    def hold(self) -> None: ...
    def resume(self) -> None: ...
    def flush(self) -> float: ...
    def heard(self, utterance: str) -> Heard: ...
    async def renew(self, offer: str) -> str:
        """Go on over a new peer connection: the SDP answer to its offer. All else stays.

        Raises SignallingError with an HTTP status, leaving the line as it was.
        """
        ...

    async def aclose(self, reason: str = "hung up") -> None: ...


class AnswerOffer(Protocol):
    """Answers an SDP offer. Raises SignallingError with an HTTP status, leaving nothing behind."""

    async def __call__(
        self,
        offer: str,
        *,
        ice_servers: Sequence[Mapping[str, Any]],
        allow_private: bool,
        on_late: Callable[[float], None],
        connect_s: float,
        sees: bool,
        max_media: int,
        max_candidates: int,
        udp_ports: tuple[int, int] | None = None,
        external_ip: str | None = None,
    ) -> tuple[MediaLine, str]: ...


def load_transport(name: str = "webrtc") -> AnswerOffer:
    """An installed transport package's ``answer``. Raises TransportError if it cannot be had."""
    found = entry_points(group=GROUP, name=name)
    if not found:
        raise TransportError(f"no transport is called {name!r}; is omni_agent installed?")
    try:
        answer: AnswerOffer = next(iter(found)).load().answer
    except ImportError as error:
        raise TransportError(
            f"transport {name!r} needs packages that are missing ({error}); "
            f"install them with: {install(name)}"
        ) from error
    return answer
