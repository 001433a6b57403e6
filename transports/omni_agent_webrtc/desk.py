"""The HTTP requests that WebRTC calls begin and go on with: SDP in, SDP out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from omni_agent.errors import ProtocolError, SignallingError
from omni_agent.line import Opening, OpenLine, Switchboard
from omni_agent.transport import Transport
from omni_agent_webrtc.signalling import answer
from omni_agent_webrtc.transport import WebRTCTransport

SDP = "application/sdp"
Answer = Callable[..., Awaitable[tuple[WebRTCTransport, str]]]
"""As ``omni_agent_webrtc.answer``."""


def routes(switchboard: Switchboard, answer: Answer = answer) -> Sequence[BaseRoute]:
    """OpenAI's, as its clients know them. answer: how offers are answered."""
    desk = _Desk(switchboard, answer)
    return [
        Route("/v1/realtime/calls", desk.begin, methods=["POST"]),
        Route("/v1/realtime/calls/{session_id}", desk.renew, methods=["POST"]),
    ]


class _Desk:
    def __init__(self, switchboard: Switchboard, answer: Answer) -> None:
        self._switchboard, self._answer = switchboard, answer

    async def begin(self, request: Request) -> Response:
        """``POST /v1/realtime/calls``: SDP in, 201 and SDP out."""
        self._switchboard.check(request)
        offer, session = await self._offer(request)
        sdp = ""

        async def open(opening: Opening) -> tuple[OpenLine, Transport]:
            nonlocal sdp
            line, sdp = await self._answered(offer, opening)
            return line, opening.realtime(line)

        persona = request.query_params.get("persona")
        session_id = await self._switchboard.begin(request, open, persona=persona, session=session)
        # Relative (RFC 9110, 10.2.2): what a proxy strips of our paths, we never see.
        return Response(sdp, 201, {"Location": f"calls/{session_id}"}, media_type=SDP)

    async def renew(self, request: Request) -> Response:
        """``POST /v1/realtime/calls/{id}``: the call goes on over another connection."""
        line = self._switchboard.line_of(request.path_params["session_id"], request)
        if not isinstance(line, WebRTCTransport):
            raise SignallingError(409, "this call is not over WebRTC")
        offer, _ = await self._offer(request)
        return Response(await line.renew(offer), 200, media_type=SDP)

    async def _answered(self, offer: str, opening: Opening) -> tuple[WebRTCTransport, str]:
        media = self._switchboard.media
        return await self._answer(
            offer,
            ice_servers=opening.ice_servers,
            allow_private=media.allow_private,
            on_late=opening.on_late,
            connect_s=opening.connect_s,
            sees=opening.sees,
            max_media=media.max_media,
            max_candidates=media.max_candidates,
            udp_ports=media.udp_ports,
            external_ip=media.external_ip,
        )

    async def _offer(self, request: Request) -> tuple[str, str | None]:
        """The SDP, and the session that came with it, JSON."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == SDP:
            return self._of_a_size(_text(await self._switchboard.read(request))), None
        if kind != "multipart/form-data":
            raise SignallingError(
                415, "send the offer as application/sdp, or as multipart sdp + session"
            )
        parts = await self._switchboard.form(request, "sdp", "session")
        if "sdp" not in parts:
            raise SignallingError(400, "the form has no part called sdp")
        return self._of_a_size(parts["sdp"]), parts.get("session")

    def _of_a_size(self, offer: str) -> str:
        """Reading SDP takes time on the event loop, and grows faster than its lines."""
        most = self._switchboard.media.max_lines
        if len(offer.splitlines()) > most:
            raise SignallingError(400, f"the offer has over {most} lines")
        return offer


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError(f"the offer is not UTF-8 text: {error}") from error
