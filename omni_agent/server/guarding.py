"""What every route goes through, whoever brought it: who may ask, and refusals as answers."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose, WebSocketDisconnect

from omni_agent.errors import ProtocolError, SignallingError
from omni_agent.server.access import Access
from omni_agent.server.metrics import Metrics
from omni_agent.server.refusals import Refused, is_deaf

SAFE = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing (RFC 9110, 9.2.1). A WebSocket's GET is none of them: a browser
lets any page open one."""
POLICY = 1008
"""WebSocket close code for what is refused once it is open (RFC 6455, 7.4.1)."""

MAX_REASON = 123
"""Bytes of why a WebSocket is closed (RFC 6455, 5.5.1)."""


class Guarded:
    """Admits what asks for more than to look; deliberate refusals become their answers."""

    def __init__(self, app: ASGIApp, *, access: Access, metrics: Metrics) -> None:
        self._app, self._access, self._metrics = app, access, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] in ("http.response.start", "websocket.accept")
            await send(message)

        try:
            if scope.get("method") not in SAFE:
                self._access.admit(HTTPConnection(scope))
            await self._app(scope, receive, sending)
        except (SignallingError, ProtocolError) as error:
            refused = _refusal(error)
            self._metrics.refused[refused.status] += 1
            if begun and scope["type"] == "http":
                raise
            await answer(refused, scope, receive, send, begun=begun)
        except (ClientDisconnect, WebSocketDisconnect):
            if scope["type"] == "http" and not begun:
                await Response(status_code=400)(scope, receive, send)


def _refusal(error: SignallingError | ProtocolError) -> Refused:
    if isinstance(error, Refused):
        return error
    if isinstance(error, SignallingError):
        return Refused(error.status, str(error))
    return Refused(400, error.reason)


async def answer(
    refused: Refused, scope: Scope, receive: Receive, send: Send, *, begun: bool = False
) -> None:
    """Say no. begun: to a WebSocket that is open."""
    response: ASGIApp = refused.response()
    if begun or is_deaf(scope):
        why = str(refused).encode()[:MAX_REASON].decode(errors="ignore")
        response = WebSocketClose(POLICY, why)
    await response(scope, receive, send)
