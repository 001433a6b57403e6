"""The front desk: tokens, hanging up, the page, and what the server says of itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from omni_agent import __version__
from omni_agent.errors import ProtocolError
from omni_agent.server.access import Access, bearer
from omni_agent.server.calls import Calls
from omni_agent.server.client_commands import wished
from omni_agent.server.client_messages import MAX_PERSONAS, Caller, Name, SessionConfig
from omni_agent.server.host import Host, PersonaCard
from omni_agent.server.logins import (
    CALLER,
    CALLER_S,
    LOGIN,
    LOGIN_S,
    caller_of,
    own_id,
    set_cookie,
)
from omni_agent.server.options import ServerOptions
from omni_agent.server.reading import parse_object, read_body, validate
from omni_agent.server.refusals import Refused
from omni_agent.server.tokens import PREFIX, Grant, Token, Tokens

View = Callable[[Request], Awaitable[Response]]

LOGIN_PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "referrer-policy": "same-origin",  # with no-referrer the form's Origin would be null
    "vary": "cookie",
}


class _Minting(BaseModel):
    """The body of ``POST /v1/realtime/client_secrets``."""

    session: SessionConfig | None = None
    personas: list[Name] | None = Field(None, min_length=1, max_length=MAX_PERSONAS)
    caller: Caller | None = None


class Desk:
    """Handles the requests of one app."""

    def __init__(
        self, host: Host, calls: Calls, options: ServerOptions, access: Access, tokens: Tokens
    ) -> None:
        self._host, self._calls, self._options, self._access = host, calls, options, access
        self._tokens = tokens
        page = files("omni_agent.server") / "page"
        self._static = StaticFiles(directory=str(page), html=True, check_dir=False)

    def routes(self, lines: Sequence[BaseRoute]) -> list[BaseRoute]:
        """Ours, then those of lines, then the page's files, which are all the rest."""
        api: list[tuple[str, View, str]] = [
            ("/v1/realtime/calls/{session_id}", self._end, "DELETE"),
            ("/v1/realtime/calls/{session_id}/hangup", self._end, "POST"),
            ("/v1/realtime/client_secrets", self._mint, "POST"),
            ("/v1/personas", self._personas, "GET"),
            ("/login", self._ask, "GET"),
            ("/login", self._login, "POST"),
            ("/logout", self._log_out, "POST"),
            ("/healthz", self._health, "GET"),
            ("/metrics", self._metrics, "GET"),
            ("/", self._front, "GET"),
        ]
        return [
            *(Route(path, view, methods=[method]) for path, view, method in api),
            *lines,
            Mount("/", self._files),
        ]

    async def _files(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The page's; no line that a WebSocket asks for."""
        app = self._static if scope["type"] == "http" else WebSocketClose()
        await app(scope, receive, send)

    # -- calls -----------------------------------------------------------------------

    async def _end(self, request: Request) -> Response:
        """``DELETE /v1/realtime/calls/{id}``: hangs up a call, whatever line it is over.

        Brought what the call was begun with, or the key.
        ``POST …/hangup`` takes the token in its body, too: a page that is being closed
        can send no headers.
        """
        secret = self._access.secret_of(request)
        body = await read_body(request, self._options.limits)
        if secret == "" and body.strip():
            secret = str(self._parsed(body).get("token", ""))
        await self._calls.hang_up(request.path_params["session_id"], secret)
        return Response(status_code=200)

    def _parsed(self, text: str | bytes) -> dict[str, Any]:
        return parse_object(text, self._options.limits.messages.depth)

    # -- tokens ------------------------------------------------------------------------

    async def _mint(self, request: Request) -> Response:
        """``POST /v1/realtime/client_secrets``: for our own pages, and for who has the key.

        Brought a token, it says what that one is good for; it is not spent.
        """
        given = bearer(request)
        if given.startswith(PREFIX):
            known = self._tokens.look(given)
            if known is None:
                raise Refused(401, "this session token is used, too old or unknown")
            return self._secret(known)
        keyed = self._access.has_key(request)
        if not (keyed or self._access.is_logged_in(request)):
            raise Refused(401, "this server's API key is needed: as a bearer token, or log in")
        body = await read_body(request, self._options.limits)
        wanted = validate(_Minting, self._parsed(body) if body.strip() else {}, "request")
        if wanted.caller is not None and not keyed:
            raise Refused(403, "only who brings the server's key may say who calls")
        if wanted.session is not None:
            wished(wanted.session)  # a call with tools that nobody may bring could not begin
        own = own_id(request) if self._access.is_page(request) and not keyed else ""
        grant = Grant(
            self._granted(wanted),
            caller=caller_of(own) if own else wanted.caller or "",
            address="" if keyed else self._access.address(request),
        )
        response = self._secret(self._tokens.mint(wanted.session, grant))
        if own:
            set_cookie(response, request, CALLER, own, max_age=CALLER_S, strict=False)
        return response

    def _granted(self, wanted: _Minting) -> tuple[str, ...] | None:
        """A session that names a persona is for that one only, unless more are named.

        Raises ProtocolError for a name that is not offered: its call could not begin.
        """
        omni = wanted.session.omni if wanted.session else None
        shown = self._host.shown_name
        one = (shown(omni.persona),) if omni and omni.persona else ()
        names = tuple(map(shown, wanted.personas)) if wanted.personas is not None else one
        offered = [card.name for card in self._host.personas]
        for name in (*names, *one):
            if name not in offered:
                known = ", ".join(offered) or "none"
                raise ProtocolError(f"no persona is called {name[:80]!r}; there are {known}")
            if name not in names:
                raise ProtocolError(f"personas leaves out the session's own, {name[:80]!r}")
        return names or None

    def _secret(self, token: Token) -> Response:
        return JSONResponse(
            {
                "value": token.value,
                "expires_at": int(token.expires),
                "session": self._calls.offered.session_json(token.session, token.grant),
                "ice_servers": self._calls.ice_servers.minted(token.name),
            },
            headers={"Cache-Control": "no-store"},
        )

    # -- the page ----------------------------------------------------------------------

    async def _front(self, request: Request) -> Response:
        """The call page; where a key is needed and was not brought, the page that asks for it."""
        if not self._access.is_logged_in(request):
            return await self._ask(request)
        response = await self._static.get_response("index.html", request.scope)
        response.headers["vary"] = "cookie"
        return response

    async def _ask(self, request: Request) -> Response:
        """``GET /login``: the page that asks for the key."""
        response = await self._static.get_response("login.html", request.scope)
        response.headers.update(LOGIN_PAGE_HEADERS)
        return response

    async def _login(self, request: Request) -> Response:
        """``POST /login``: the key in a form; a cookie for who has it."""
        body = await read_body(request, self._options.limits)
        try:
            form = parse_qs(body.decode("utf-8", "replace"), max_num_fields=4)
        except ValueError as error:
            raise ProtocolError(f"the form cannot be read: {error}") from error
        logins = self._access.logins
        if logins is None:
            return RedirectResponse("./", 303)
        try:
            right = self._access.is_key(request, form.get("key", [""])[0])
        except Refused:
            return RedirectResponse("./#wait", 303)
        if not right:
            return RedirectResponse("./#wrong", 303)
        response = RedirectResponse("./", 303)
        set_cookie(response, request, LOGIN, logins.cookie(), max_age=LOGIN_S, strict=True)
        return response

    async def _log_out(self, request: Request) -> Response:
        """``POST /logout``: this browser forgets that it brought the key."""
        response = Response(status_code=204)
        set_cookie(response, request, LOGIN, "", max_age=0, strict=True)
        return response

    # -- facts -----------------------------------------------------------------------

    async def _personas(self, request: Request) -> Response:
        """``GET /v1/personas``: those that this request's call could have.

        With what ``/healthz`` says, as no error: that would fill the console of a page that waits.
        """
        default, cards = self._offered(self._asking(request))
        return JSONResponse(
            {
                "default": default,
                "personas": [
                    {
                        "name": card.name,
                        "description": card.description,
                        "language": card.language,
                        "tools": card.tools,
                    }
                    for card in cards
                ],
                "sees": self._host.sees,
                "engine": dict(self._host.engine),
                "version": __version__,
                "logged_in": self._access.may_log_out(request),
                **self._state(),
            },
            headers={"Vary": "Authorization, Cookie"},
        )

    def _asking(self, request: Request) -> Grant:
        token = self._tokens.look(bearer(request))
        if token is not None:
            return token.grant
        if self._access.is_logged_in(request) or self._access.has_key(request):
            return Grant()
        raise Refused(401, "this server's API key is needed: as a bearer token, or log in")

    def _offered(self, grant: Grant) -> tuple[str | None, Sequence[PersonaCard]]:
        cards, default = self._host.personas, self._host.default_persona
        names = grant.among([card.name for card in cards])
        first = default if default in names else next(iter(names), None)
        return first, [card for card in cards if card.name in names]

    async def _health(self, request: Request) -> Response:
        """200 when calls are taken; 503 with the progress while the models load."""
        readiness = self._host.readiness
        body = {
            **self._state(),
            "calls": self._calls.active,
            "records": dict(readiness.records),
        }
        return JSONResponse(body, 200 if readiness.ready else 503)

    def _state(self) -> dict[str, str]:
        """Whether calls are taken, and what is going on while they are not."""
        readiness = self._host.readiness
        status = "ready" if readiness.ready else "failed" if readiness.failed else "starting"
        return {"status": status, "progress": readiness.shown(dev=self._options.dev)}

    async def _metrics(self, request: Request) -> Response:
        who = self._options.metrics
        if who == "off":
            raise Refused(404, "metrics are off")
        access = self._access
        if who == "private" and not (access.is_local(request) or access.has_key(request)):
            raise Refused(403, "metrics are for this machine and for who has the server's key")
        return PlainTextResponse(
            self._calls.metrics.text(self._calls.active), media_type="text/plain; version=0.0.4"
        )
