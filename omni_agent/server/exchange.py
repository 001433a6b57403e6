"""The switchboard that lines are given: who may begin a call, and whose a call is."""

from __future__ import annotations

from dataclasses import replace
from secrets import token_urlsafe

from pydantic import TypeAdapter, ValidationError
from starlette.requests import HTTPConnection, Request

from omni_agent.errors import ProtocolError, SignallingError
from omni_agent.line import MediaTerms, Open, OpenLine
from omni_agent.server.access import Access, bearer
from omni_agent.server.calls import Calls, Place
from omni_agent.server.client_messages import MAX_CALLER, Caller, SessionConfig
from omni_agent.server.options import ServerOptions
from omni_agent.server.reading import parse_object, read_body, read_form, validate
from omni_agent.server.refusals import Refused
from omni_agent.server.tokens import Grant, Token, Tokens
from omni_agent.utf8 import whole
from omni_agent.wishes import NO_WISHES, Wishes

_CALLER = TypeAdapter[str](Caller)


class Exchange:
    """Implements :class:`omni_agent.line.Switchboard` for one app."""

    def __init__(
        self, calls: Calls, access: Access, tokens: Tokens, options: ServerOptions
    ) -> None:
        self._calls, self._access, self._tokens = calls, access, tokens
        self._options = options

    @property
    def media(self) -> MediaTerms:
        options, offers = self._options, self._options.limits.offers
        return MediaTerms(
            bool(options.allow_private),
            options.network.udp_ports,
            options.network.external_ip,
            max_lines=offers.lines,
            max_media=offers.media,
            max_candidates=offers.candidates,
        )

    def check(self, asking: HTTPConnection) -> None:
        self._let_in(asking, self._tokens.look(bearer(asking)))

    async def read(self, request: Request) -> bytes:
        return await read_body(request, self._options.limits)

    async def form(self, request: Request, *names: str) -> dict[str, str]:
        return await read_form(request, await self.read(request), *names)

    async def begin(
        self,
        asking: HTTPConnection,
        open: Open,
        *,
        persona: str | None = None,
        caller: str = "",
        wishes: Wishes = NO_WISHES,
        session: str | None = None,
        secret: str | None = None,
        verified: bool = False,
    ) -> str:
        secret = whole(secret) if secret is not None else None
        given = bearer(asking) if secret is None else secret
        config = self._config(session) if session is not None else None
        with self._tokens.spending(given) as token:
            if verified:  # where nobody is told the secret it is no empty one, which all have
                place = Place("", given if token or secret else token_urlsafe())
            else:
                keyed = self._let_in(asking, token, secret)
                place = Place("" if keyed else self._access.address(asking), given)
            return await self._calls.begin(
                place,
                open,
                persona=persona,
                session=config or (token.session if token else None),
                grant=_granted(token, caller),
                wishes=wishes,
            )

    def line_of(
        self, session_id: str, asking: HTTPConnection, *, secret: str | None = None
    ) -> OpenLine:
        if secret is None:
            return self._calls.line(session_id, self._access.secret_of(asking))
        secret = whole(secret)
        try:
            return self._calls.line(session_id, secret)
        except SignallingError as error:
            # What is right for the call is no guess at the key, nor is what comes after its end.
            if error.status == 404 or not self._access.opens(asking, secret):
                raise
            return self._calls.line(session_id, None)

    def _let_in(
        self, asking: HTTPConnection, token: Token | None, secret: str | None = None
    ) -> bool:
        """Whether it brings the key. Raises Refused for who brings too little."""
        access = self._access
        keyed = access.has_key(asking) if secret is None else access.opens(asking, secret)
        program = not access.is_page(asking) and (self._options.api_key is None or keyed)
        if token is None and not program:
            raise Refused(
                401,
                "a call needs a session token, good for one call, from "
                "POST /v1/realtime/client_secrets (or the server's API key)",
            )
        return keyed

    def _config(self, session: str) -> SessionConfig:
        parsed = parse_object(session, self._options.limits.messages.depth)
        return validate(SessionConfig, parsed, "session")


def _granted(token: Token | None, caller: str) -> Grant:
    """What the call may be, and whose it is. Raises ProtocolError."""
    grant = token.grant if token else Grant()
    if grant.caller or not caller:
        return grant
    try:
        return replace(grant, caller=_CALLER.validate_python(caller))
    except ValidationError as error:
        raise ProtocolError(
            f"caller {caller[:80]!r} is none: up to {MAX_CALLER} letters, digits and _.:@+/=-"
        ) from error
