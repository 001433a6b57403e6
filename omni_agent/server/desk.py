"""The front desk: who may call, and the HTTP requests that calls begin and end with."""

from __future__ import annotations

import hmac
import json
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from omni_agent.errors import SignallingError
from omni_agent.server.calls import Calls
from omni_agent.server.client_messages import SessionConfig
from omni_agent.server.host import Host
from omni_agent.server.options import ServerOptions
from omni_agent.server.rates import Rates
from omni_agent.server.tokens import PREFIX, Tokens

View = Callable[[Request], Awaitable[Response]]

_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


class Desk:
    """Handles the requests of one app."""

    def __init__(self, host: Host, calls: Calls, options: ServerOptions) -> None:
        self._host, self._calls, self._options = host, calls, options
        self._tokens = Tokens(options.limits.token_s)
        self._rates = Rates(options.limits.requests_per_minute)

    def routes(self) -> list[BaseRoute]:
        api: list[tuple[str, View, str]] = [
            ("/v1/realtime/calls", self._begin, "POST"),
            ("/v1/realtime/calls/{call_id}", self._renew, "POST"),
            ("/v1/realtime/calls/{call_id}", self._end, "DELETE"),
            ("/v1/realtime/calls/{call_id}/hangup", self._end, "POST"),
            ("/v1/realtime/client_secrets", self._mint, "POST"),
            ("/v1/personas", self._personas, "GET"),
            ("/healthz", self._health, "GET"),
            ("/metrics", self._metrics, "GET"),
        ]
        page = files("omni_agent.server") / "page"
        static = StaticFiles(directory=str(page), html=True, check_dir=False)
        return [
            *(Route(path, self._guarded(view), methods=[method]) for path, view, method in api),
            Mount("/", static),
        ]

    def _guarded(self, view: View) -> View:
        """Deliberate refusals as JSON, in the shape OpenAI's clients read."""

        async def answer(request: Request) -> Response:
            try:
                if request.method != "GET":
                    self._admit(request)
                return await view(request)
            except _Refused as refused:
                status, reason, wait_s = refused.status, str(refused), refused.wait_s
            except SignallingError as error:
                status, reason, wait_s = error.status, str(error), None
            except ClientDisconnect:
                return Response(status_code=400)
            self._calls.metrics.refused[status] += 1
            kind = _KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
            if status == 503 and wait_s is None:
                wait_s = 2.0
            headers = {"Retry-After": str(math.ceil(wait_s))} if wait_s is not None else {}
            if status == 401:
                headers["WWW-Authenticate"] = "Bearer"
            body = {"error": {"type": kind, "code": None, "message": reason, "param": None}}
            return JSONResponse(body, status, headers)

        return answer

    # -- who may -------------------------------------------------------------------

    def _admit(self, request: Request) -> None:
        """Anyone whose page may ask, not too often."""
        origin = request.headers.get("origin")
        if origin is not None and not self._same_origin(request, origin):
            if origin not in self._options.origins:
                raise _Refused(403, f"pages of {origin[:200]} may not call here (option origins)")
        elif origin is None and request.headers.get("sec-fetch-site", "none") not in _OWN_SITES:
            raise _Refused(403, "a page of another site may not call here")
        address = request.client.host if request.client else "unknown"
        wait_s = self._rates.wait_s(address)
        if wait_s:
            raise _Refused(429, "too many requests from this address", wait_s)

    @staticmethod
    def _same_origin(request: Request, origin: str) -> bool:
        return bool(origin) and urlsplit(origin).netloc == request.headers.get("host")

    def _bearer(self, request: Request) -> str:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        return value.strip() if scheme.lower() == "bearer" else ""

    @staticmethod
    def _is_page(request: Request) -> bool:
        """Whether a browser asks for a page that ``_admit`` let in."""
        return request.headers.get("origin") is not None

    def _is_key(self, value: str) -> bool:
        """Whether this is the API key; without one, any program may come in."""
        key = self._options.api_key
        return key is None or hmac.compare_digest(value.encode(), key.encode())

    # -- calls -----------------------------------------------------------------------

    async def _begin(self, request: Request) -> Response:
        """``POST /v1/realtime/calls``: SDP in, 201 and SDP out."""
        bearer = self._bearer(request)
        token = self._tokens.spend(bearer) if bearer.startswith(PREFIX) else None
        if token is None and (self._is_page(request) or not self._is_key(bearer)):
            raise _Refused(
                401,
                "a call needs a session token, good for one call, from "
                "POST /v1/realtime/client_secrets (or the server's API key)",
            )
        offer, session = await self._offer(request)
        if session is None and token is not None:
            session = token.session
        persona = request.query_params.get("persona")
        call_id, answer = await self._calls.start(offer, persona=persona, session=session)
        headers = {"Location": f"{request.url.path.rstrip('/')}/{call_id}"}
        return Response(answer, 201, headers, media_type="application/sdp")

    async def _renew(self, request: Request) -> Response:
        """``POST /v1/realtime/calls/{id}``: the call goes on over the connection that is offered.

        Whoever knows the id may, as with hanging up: the line that was lost may be all they had.
        """
        offer, _ = await self._offer(request)
        answer = await self._calls.renew(request.path_params["call_id"], offer)
        return Response(answer, 200, media_type="application/sdp")

    async def _offer(self, request: Request) -> tuple[str, SessionConfig | None]:
        body = await self._body(request)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/sdp":
            return _text(body), None
        if kind != "multipart/form-data":
            raise _Refused(415, "send the offer as application/sdp, or as multipart sdp + session")

        async def whole() -> AsyncGenerator[bytes, None]:
            yield body

        try:
            parser = MultiPartParser(request.headers, whole(), max_files=4, max_fields=8)
            form = await parser.parse()
        except (MultiPartException, KeyError, ValueError) as error:
            raise _Refused(400, f"the form cannot be read: {error}") from error
        parts: dict[str, str] = {}
        for name in ("sdp", "session"):
            part = form.get(name)
            if part is not None:
                raw = await part.read() if isinstance(part, UploadFile) else part
                parts[name] = raw if isinstance(raw, str) else _text(raw)
        await form.close()
        if "sdp" not in parts:
            raise _Refused(400, "the form has no part called sdp")
        return parts["sdp"], _session(parts["session"]) if "session" in parts else None

    async def _body(self, request: Request) -> bytes:
        limit = self._options.limits.body_bytes
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > limit:
                raise _Refused(413, f"the request is larger than {limit // 1024} KB")
        return body

    async def _end(self, request: Request) -> Response:
        """``DELETE /v1/realtime/calls/{id}``: whoever knows the id may hang up."""
        if not await self._calls.hang_up(request.path_params["call_id"]):
            raise _Refused(404, "no such call")
        return Response(status_code=200)

    async def _mint(self, request: Request) -> Response:
        """``POST /v1/realtime/client_secrets``: for our own pages, and for who has the key."""
        if not self._is_page(request) and not self._is_key(self._bearer(request)):
            raise _Refused(401, "this server's API key is needed (Authorization: Bearer …)")
        session = _wrapped_session(await self._body(request))
        token = self._tokens.mint(session)
        return JSONResponse(
            {
                "value": token.value,
                "expires_at": int(token.expires),
                "session": self._calls.session_json(session),
                "ice_servers": self._calls.ice_servers.minted("page"),
            },
            headers={"Cache-Control": "no-store"},
        )

    # -- facts -----------------------------------------------------------------------

    async def _personas(self, request: Request) -> Response:
        cards = [
            {
                "name": card.name,
                "description": card.description,
                "language": card.language,
                "tools": card.tools,
            }
            for card in self._host.personas
        ]
        return JSONResponse(
            {
                "default": self._host.default_persona,
                "personas": cards,
                "sees": self._host.sees,
                "engine": dict(self._host.engine),
            }
        )

    async def _health(self, request: Request) -> Response:
        """200 when calls are taken; 503 with the progress while the models load."""
        readiness = self._host.readiness
        status = "ready" if readiness.ready else "failed" if readiness.failed else "starting"
        body = {"status": status, "progress": readiness.progress, "calls": self._calls.active}
        return JSONResponse(body, 200 if readiness.ready else 503)

    async def _metrics(self, request: Request) -> Response:
        return PlainTextResponse(
            self._calls.metrics.text(self._calls.active), media_type="text/plain; version=0.0.4"
        )


_OWN_SITES = ("none", "same-origin")


class _Refused(Exception):
    """A request that is answered with an error. wait_s: when it may be tried again."""

    def __init__(self, status: int, reason: str, wait_s: float | None = None) -> None:
        self.status, self.wait_s = status, wait_s
        super().__init__(reason)


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise _Refused(400, f"the offer is not UTF-8 text: {error}") from error


def _session(text: str | bytes) -> SessionConfig:
    try:
        return SessionConfig.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _Refused(400, f"session: {where}: {first['msg']}") from error


def _wrapped_session(body: bytes) -> SessionConfig | None:
    """The ``session`` of a client_secrets request; an empty body is fine."""
    if not body.strip():
        return None
    try:
        wrapped: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _Refused(400, f"the request is not JSON: {error}") from error
    if not isinstance(wrapped, dict):
        raise _Refused(400, "the request is not a JSON object")
    session = wrapped.get("session")
    return None if session is None else _session(json.dumps(session))
