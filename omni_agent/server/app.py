"""The ASGI application: lines, tokens, personas, health, metrics and the call page."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from omni_agent.errors import TransportError
from omni_agent.line import Line, Switchboard
from omni_agent.server.access import Access
from omni_agent.server.calls import Calls
from omni_agent.server.desk import Desk
from omni_agent.server.exchange import Exchange
from omni_agent.server.guarding import Guarded
from omni_agent.server.host import Host
from omni_agent.server.metrics import Metrics
from omni_agent.server.options import ServerOptions
from omni_agent.server.pacing import Paced
from omni_agent.server.rates import as_sockets_tell
from omni_agent.server.shielding import Shielded
from omni_agent.server.tokens import Tokens

log = logging.getLogger(__name__)


def create_app(
    host: Host, options: ServerOptions | None = None, *, lines: Sequence[Line] = ()
) -> Starlette:
    """The server of one agent; mount it anywhere, all its URLs are relative.

    lines: how users reach it. Raises TransportError where none of them can be had.
    """
    options = options or ServerOptions()
    calls = Calls(host, options)
    access = Access(options)
    tokens = Tokens(options.limits.requests)
    exchange = Exchange(calls, access, tokens, options)
    routes = Desk(host, calls, options, access, tokens).routes(routes_of(lines, exchange))
    app = Starlette(
        routes=routes,
        lifespan=_lifespan(calls),
        middleware=_middleware(options, access, calls.metrics),
    )
    app.state.calls = calls
    return app


def routes_of(lines: Sequence[Line], switchboard: Switchboard) -> list[BaseRoute]:
    """The routes of the lines that can be had, each line's a plugin's; TransportError where it is
    none of them."""
    routes: list[BaseRoute] = []
    missing: list[TransportError] = []
    for line in lines:
        try:
            routes += _checked(line.routes(switchboard))
        except TransportError as error:
            missing.append(error)
        except Exception:
            log.exception("line %s is left out", line.name)
    if missing and not routes:
        raise missing[0]
    for absent in missing:
        log.warning("%s", absent)
    return routes


def _checked(routes: Iterable[BaseRoute]) -> list[BaseRoute]:
    """What is no route would fail whoever asks for anything. Raises TypeError for that."""
    found = list(routes)
    for strange in (one for one in found if not isinstance(one, BaseRoute)):
        raise TypeError(f"{strange!r} is not a Starlette route")
    return found


def _lifespan(calls: Calls) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with calls.running():
            yield

    return lifespan


def _middleware(options: ServerOptions, access: Access, metrics: Metrics) -> list[Middleware]:
    """What a request goes through, the outermost first."""
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
    return [*middleware, Middleware(Guarded, access=access, metrics=metrics)]
