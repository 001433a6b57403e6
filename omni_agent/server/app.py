"""The ASGI application: signalling, tokens, personas, health, metrics and the call page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from omni_agent.server.access import Access
from omni_agent.server.calls import Calls
from omni_agent.server.desk import Desk
from omni_agent.server.host import Host
from omni_agent.server.line import AnswerOffer
from omni_agent.server.options import ServerOptions
from omni_agent.server.pacing import Paced
from omni_agent.server.rates import as_sockets_tell
from omni_agent.server.shielding import Shielded


def create_app(
    host: Host, options: ServerOptions | None = None, *, answer: AnswerOffer | None = None
) -> Starlette:
    """The server of one agent; mount it anywhere, all its URLs are relative.

    answer: how offers are answered; None takes the installed WebRTC transport.
    """
    options = options or ServerOptions()
    calls = Calls(host, options, answer=answer)
    access = Access(options)
    desk = Desk(host, calls, options, access)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with calls.running():
            yield

    middleware = [
        Middleware(Shielded, hosts=options.hosts, origins=options.origins),
        Middleware(Paced, access=access),
    ]
    if options.trusted_proxies:
        trusted = as_sockets_tell(options.trusted_proxies)
        middleware.insert(0, Middleware(ProxyHeadersMiddleware, trusted_hosts=trusted))
    if options.origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(options.origins),
                allow_methods=["GET", "POST", "DELETE"],
                allow_headers=["authorization", "content-type"],
                expose_headers=["Location"],
            )
        )
    app = Starlette(routes=desk.routes(), lifespan=lifespan, middleware=middleware)
    app.state.calls = calls
    return app
