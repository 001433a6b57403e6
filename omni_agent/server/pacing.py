"""How often one address may ask for anything at all."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from omni_agent.server.access import Access
from omni_agent.server.guarding import answer
from omni_agent.server.refusals import Refused


class Paced:
    """Every request of the app, the page's files and WebSockets included."""

    def __init__(self, app: ASGIApp, *, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            try:
                self._access.pace(HTTPConnection(scope))
            except Refused as refused:
                await answer(refused, scope, receive, send)
                return
        await self._app(scope, receive, send)
