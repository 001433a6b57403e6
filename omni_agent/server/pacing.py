"""How often one address may ask for anything at all."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from omni_agent.server.rates import Rates, address_of
from omni_agent.server.refusals import Refused


class Paced:
    """Every request of the app, the page's files included."""

    def __init__(self, app: ASGIApp, *, per_minute: int) -> None:
        self._app, self._rates = app, Rates(per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http":
            client = scope.get("client")
            wait_s = self._rates.wait_s(address_of(client[0] if client else None))
            if wait_s:
                refused = Refused(429, "too many requests from this address", wait_s)
                app = refused.response()
        await app(scope, receive, send)
