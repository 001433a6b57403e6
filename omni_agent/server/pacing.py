"""How often one address may ask for anything at all."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from omni_agent.server.access import Access
from omni_agent.server.refusals import Refused


class Paced:
    """Every request of the app, the page's files included."""

    def __init__(self, app: ASGIApp, *, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            try:
                self._access.pace(Request(scope))
            except Refused as refused:
                app = refused.response()
        await app(scope, receive, send)
