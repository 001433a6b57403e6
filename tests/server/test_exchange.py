"""Who may begin a call over a line, how they prove it, and whose the call is then."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from typing import Any, ClassVar, cast
from urllib.parse import urlencode

import httpx
import numpy as np
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from omni_agent import Line, ServerOptions, Wishes, events, hookimpl
from omni_agent.audio import Pcm
from omni_agent.errors import SignallingError
from omni_agent.line import Opening, OpenLine, Switchboard
from omni_agent.server.limits import Limits, RequestLimits
from omni_agent.testing import virtual_time
from omni_agent.thinker import ToolSchema
from omni_agent.transport import Transport
from tests.clocks import until
from tests.lines import pcm_socket
from tests.lines.pcm_socket import RATE, PcmSocket
from tests.lines.serving import Served

KEYED = ServerOptions(api_key="secret")
KEY = {"authorization": "Bearer secret"}
PAGE = "http://localhost"
SLOWLY = Wishes(instructions="Speak German.", voice="anna", speed=0.5)


class Telephone:
    """A plugin with a carrier's line, which is signed; one whose clients speak Realtime; and one
    that takes the token from its query."""

    carrier = b"the carrier's own secret"
    wishes = SLOWLY
    asked: ClassVar[dict[str, Any]] = {}

    @classmethod
    def signature(cls, number: str) -> str:
        return hmac.digest(cls.carrier, number.encode(), "sha256").hex()

    @hookimpl
    def register_lines(self) -> Sequence[Line]:
        return [Line("telephone", self._routes), *pcm_socket.register_lines()]

    def _routes(self, switchboard: Switchboard) -> Sequence[BaseRoute]:
        async def held(socket: WebSocket, **asked: Any) -> None:
            line = PcmSocket(socket)

            async def open(opening: Opening) -> tuple[OpenLine, Transport]:
                await socket.accept()
                return line, line

            await switchboard.begin(socket, open, **asked)
            await line.over.wait()

        async def carrier(socket: WebSocket) -> None:
            number, signature = socket.query_params["from"], socket.headers.get("x-signature", "")
            if not hmac.compare_digest(signature, self.signature(number)):
                raise SignallingError(403, "not signed by the carrier")
            own = socket.query_params.get("own")
            await held(socket, caller=number, wishes=self.wishes, secret=own, verified=True)

        async def query(socket: WebSocket) -> None:
            session = socket.query_params.get("session")
            await held(
                socket, caller="+49", wishes=self.wishes, session=session,
                secret=socket.query_params["secret"],
            )  # fmt: skip

        async def realtime(socket: WebSocket) -> None:
            line = RealtimeSocket(socket)

            async def open(opening: Opening) -> tuple[OpenLine, Transport]:
                offered = socket.scope["subprotocols"]
                await socket.accept("realtime" if "realtime" in offered else None)
                return line, opening.realtime(line)

            await switchboard.begin(socket, open)
            await line.over.wait()

        async def plainly(socket: WebSocket) -> None:
            await held(socket, **self.asked)

        views = {
            "/v1/carrier": carrier, "/v1/query": query, "/v1/realtime": realtime,
            "/v1/asking": plainly,
        }  # fmt: skip

        async def end(request: Request) -> Response:
            session_id, secret = request.path_params["id"], request.query_params["secret"]
            await switchboard.line_of(session_id, request, secret=secret).aclose()
            return Response()

        return [
            *(WebSocketRoute(path, view) for path, view in views.items()),
            Route("/v1/query/{id}", end, methods=["DELETE"]),
        ]


class RealtimeSocket(PcmSocket):
    """Has messages beside the sound."""

    def __init__(self, socket: WebSocket) -> None:
        super().__init__(socket)
        self._unsent: asyncio.Queue[str] = asyncio.Queue()
        self.messages: Any = self._inbox.messages.read

    def send(self, text: str) -> None:
        self._unsent.put_nowait(text)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(self._send_messages())
            await super().run()
            sending.cancel()

    async def _send_messages(self) -> None:
        while True:
            await self._socket.send_text(await self._unsent.get())


@asynccontextmanager
async def serving(
    options: ServerOptions = KEYED, script: list[Any] | None = None
) -> AsyncIterator[Served]:
    served = Served(Telephone(), script or [], options=options)
    async with served.running():
        yield served


def http(served: Served) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(served.app), base_url=PAGE)


async def minted(served: Served, **token: Any) -> str:
    async with http(served) as client:
        reply = await client.post("/v1/realtime/client_secrets", json=token, headers=KEY)
    return str(reply.json()["value"])


def dialled(served: Served, path: str, *, query: Any = None, **options: Any) -> connect:
    url = f"ws://localhost{path}?{urlencode(query or {})}"
    return connect(url, sock=served.dial(), **options)


def as_carrier(served: Served, number: str, own: str | None = None) -> connect:
    headers = {"x-signature": Telephone.signature(number)}
    query = {"from": number} if own is None else {"from": number, "own": own}
    return dialled(served, "/v1/carrier", query=query, additional_headers=headers)


async def refused(connecting: connect) -> int:
    with pytest.raises(InvalidStatus) as error:
        await connecting
    return error.value.response.status_code


async def caller_of(served: Served) -> str:
    began = await served.seen.until(events.SessionStarted)
    return str(began.caller)


# -- a browser's WebSocket -----------------------------------------------------------------------


def from_a_page(served: Served, secret: str, *others: str, path: str = "/v1/realtime") -> connect:
    offered: Any = [*others, f"openai-insecure-api-key.{secret}"]
    return dialled(served, path, subprotocols=offered, origin=PAGE)


async def first_message(connection: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await connection.recv())
    return message


async def test_a_browser_brings_its_token_as_a_subprotocol_and_is_answered_another() -> None:
    async with serving() as served:
        token = await minted(served, caller="ada")
        async with from_a_page(served, token, "realtime", "openai-agents-sdk.0.20") as connection:
            assert connection.subprotocol == "realtime"
            assert (await first_message(connection))["type"] == "session.created"
            assert await caller_of(served) == "ada"
        assert await refused(from_a_page(served, token, "realtime")) == 401  # it is used


async def test_what_a_subprotocol_brings_is_worth_what_it_is_in_a_header() -> None:
    limits = Limits(requests=RequestLimits(guesses_per_minute=2))
    async with serving(replace(KEYED, limits=limits)) as served:
        keyed: Any = ["realtime", "openai-insecure-api-key.secret"]
        async with dialled(served, "/v1/realtime", subprotocols=keyed) as connection:
            assert connection.subprotocol == "realtime"
        assert await refused(from_a_page(served, "secret", "realtime")) == 401  # pages bring tokens
        guesses = [await refused(from_a_page(served, "guess")) for _ in range(3)]
        assert guesses == [401, 401, 429]


async def test_a_subprotocol_is_a_websockets_only() -> None:
    async with serving() as served, http(served) as client:
        headers = {"sec-websocket-protocol": "openai-insecure-api-key.secret"}
        reply = await client.post("/v1/realtime/client_secrets", headers=headers)
        assert reply.status_code == 401


# -- a line that knows by itself -------------------------------------------------------------


async def test_a_caller_that_a_line_has_verified_needs_no_key_and_is_known_by_number() -> None:
    async with serving() as served, as_carrier(served, "+4930123"):
        assert await caller_of(served) == "+4930123"


async def test_what_one_line_has_verified_lets_in_nobody_else() -> None:
    async with serving() as served, as_carrier(served, "+4930123"):
        assert await refused(dialled(served, "/v1/carrier", query={"from": "+4930123"})) == 403
        assert await refused(dialled(served, "/v1/pcm")) == 401
        assert await refused(dialled(served, "/v1/realtime")) == 401
        assert served.app.state.calls.active == 1


@pytest.mark.parametrize("options", [KEYED, ServerOptions()])
@pytest.mark.parametrize("own", [None, "", "of its own"])
async def test_a_verified_call_is_ended_with_the_lines_secret_or_the_key_and_nothing_else(
    own: str | None, options: ServerOptions
) -> None:
    async with (
        serving(options) as served,
        http(served) as client,
        as_carrier(served, "+4930123", own),
    ):
        began = await served.seen.until(events.SessionStarted)
        path = f"/v1/realtime/calls/{began.session_id}"
        for wrong in ({}, {"authorization": "Bearer "}, {"authorization": "Bearer ek_other"}):
            assert (await client.delete(path, headers=wrong)).status_code == 403
        right = {"authorization": f"Bearer {own}"} if own else KEY
        if own or options.api_key:
            assert (await client.delete(path, headers=right)).status_code == 200
            await until(lambda: served.app.state.calls.active == 0)


async def test_verified_calls_are_in_no_addresss_share() -> None:
    async with (
        serving(ServerOptions(limits=Limits(calls=8, calls_per_address=1))) as served,
        as_carrier(served, "+491"),
        as_carrier(served, "+492"),
        dialled(served, "/v1/pcm"),
    ):
        assert await refused(dialled(served, "/v1/pcm")) == 429
        assert served.app.state.calls.active == 3


async def test_the_secret_of_a_verified_call_is_no_guess_at_the_key() -> None:
    limits = Limits(requests=RequestLimits(guesses_per_minute=1))
    async with serving(replace(KEYED, limits=limits)) as served:
        for own in ("one", "two", "three"):
            async with as_carrier(served, "+491", own):
                pass
        assert served.app.state.calls.metrics.started == 3


async def test_a_number_that_no_token_could_name_is_refused() -> None:
    async with serving() as served:
        number = "Robert'); DROP TABLE"
        assert await refused(as_carrier(served, number)) == 400


# -- a token that came some other way -----------------------------------------------------------


async def test_a_line_may_be_given_the_token_in_its_own_way() -> None:
    async with serving() as served:
        given = {"secret": await minted(served)}
        async with dialled(served, "/v1/query", query=given, origin=PAGE):
            assert await caller_of(served) == "+49"  # the token says of nobody
        assert await refused(dialled(served, "/v1/query", query=given)) == 401
        async with dialled(served, "/v1/query", query={"secret": "secret"}):
            await until(lambda: served.app.state.calls.active == 1)  # the first is over


async def test_whose_call_a_token_says_it_is_goes_before_the_line() -> None:
    async with serving() as served:
        token = await minted(served, caller="ada")
        async with dialled(served, "/v1/query", query={"secret": token}):
            assert await caller_of(served) == "ada"


async def test_a_wrong_key_that_a_line_was_given_is_counted() -> None:
    limits = Limits(requests=RequestLimits(guesses_per_minute=2))
    async with serving(replace(KEYED, limits=limits)) as served:
        guesses = [
            await refused(dialled(served, "/v1/query", query={"secret": "guess"})) for _ in range(3)
        ]
        assert guesses == [401, 401, 429]


@pytest.mark.parametrize("right", ["of its own", "secret"])
async def test_a_line_goes_on_with_a_call_by_the_secret_that_came_in_its_own_way(
    right: str,
) -> None:
    async with (
        serving() as served,
        http(served) as client,
        as_carrier(served, "+491", "of its own"),
    ):
        began = await served.seen.until(events.SessionStarted)
        path = f"/v1/query/{began.session_id}"
        for wrong in ("", "guess", "ek_other"):
            assert (await client.delete(path, params={"secret": wrong})).status_code == 403
        nowhere = await client.delete("/v1/query/rtc_none", params={"secret": right})
        assert nowhere.status_code == 404
        assert (await client.delete(path, params={"secret": right})).status_code == 200
        await until(lambda: served.app.state.calls.active == 0)


async def test_who_goes_on_with_a_call_rightly_guesses_at_no_key_and_who_does_not_does() -> None:
    limits = Limits(requests=RequestLimits(guesses_per_minute=2))
    async with serving(replace(KEYED, limits=limits)) as served, http(served) as client:
        for own in ("one", "two", "three"):
            served.seen.events.clear()
            async with as_carrier(served, "+491", own):
                began = await served.seen.until(events.SessionStarted)
                path = f"/v1/query/{began.session_id}"
                if own == "three":
                    for status in (403, 403, 429):
                        guess = await client.delete(path, params={"secret": "guess"})
                        assert guess.status_code == status
                assert (await client.delete(path, params={"secret": own})).status_code == 200
                await until(lambda: served.app.state.calls.active == 0)
                assert (await client.delete(path, params={"secret": own})).status_code == 404


# -- what the line wishes ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("session", "speed"), [({}, 0.5), ({"session": '{"audio": {"output": {"speed": 1.5}}}'}, 1.5)]
)
@virtual_time
async def test_a_line_says_how_its_calls_are_and_its_client_has_the_last_word(
    session: dict[str, str], speed: float
) -> None:
    async with (
        serving(script=["Guten Tag."]) as served,
        dialled(served, "/v1/query", query={"secret": "secret", **session}) as connection,
    ):
        await served.seen.until(events.SessionStarted)
        await speak(connection, served.ears.say("Tell me something please.").pcm)
        await until(lambda: bool(served.talker.voices))
        voice = served.talker.voices[0]
        assert (voice.speaker, voice.speed) == ("anna", speed)
        assert "Speak German." in served.thinker.requests[0].instructions


async def speak(connection: ClientConnection, pcm: Pcm) -> None:
    """This, and silence after it."""
    sound = np.pad(pcm, (0, 2 * RATE))
    for start in range(0, len(sound), 320):
        await connection.send(sound[start : start + 320].tobytes())
        await asyncio.sleep(0.02)


NO_SCHEMA = ToolSchema("locate", "", {"type": "nothing"})


@pytest.mark.parametrize(
    ("wishes", "why"),
    [
        (Wishes(language="no language at all"), "language"),
        (Wishes(speed=0), "speed"),
        (Wishes(turns=cast(Any, "x")), "turns"),
        (Wishes(voice=cast(Any, 5)), "voice"),
        (Wishes(voice="\ud800"), "voice"),
        (Wishes(tools=(NO_SCHEMA,)), "tool 'locate': not a JSON schema"),
        (Wishes(tools=(ToolSchema("locate", "\ud800", {}),)), "description"),
        (Wishes(tools=(ToolSchema("locate", "", {"\ud800": {}}),)), "tool 'locate'"),
        (Wishes(tools=(cast(Any, asdict(NO_SCHEMA)),)), "no ToolSchema"),
        (cast(Any, {"turns": "auto"}), "no Wishes"),
    ],
)
async def test_wishes_that_cannot_be_are_refused_before_the_line_is_opened(
    wishes: Wishes, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Telephone, "wishes", wishes)
    async with serving() as served:
        with pytest.raises(InvalidStatus) as error:
            await as_carrier(served, "+491")
        assert error.value.response.status_code == 400
        assert why in error.value.response.body.decode()
        assert not served.app.state.calls._places


# -- text that is none ------------------------------------------------------------------------

HALF = "\ud800"
"""JSON spells it, UTF-8 cannot."""


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"persona": HALF}, 400),
        ({"persona": f"{HALF}\0"}, 400),
        ({"caller": HALF}, 400),
        ({"secret": HALF}, 401),
        ({"secret": f"ek_{HALF}"}, 401),
        ({"session": HALF}, 400),
        ({"session": '{"omni": {"persona": "\\ud800"}}'}, 400),
    ],
)
async def test_half_a_character_is_refused_as_what_it_is_in(
    asked: dict[str, str], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Telephone, "asked", {"secret": "secret", **asked})
    async with serving() as served:
        assert await refused(dialled(served, "/v1/asking")) == status


async def test_a_verified_call_whose_secret_has_half_a_character_is_ended_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Telephone, "asked", {"secret": HALF, "verified": True})
    async with serving() as served, http(served) as client, dialled(served, "/v1/asking"):
        began = await served.seen.until(events.SessionStarted)
        path = f"/v1/realtime/calls/{began.session_id}/hangup"
        wrong = await client.post(path, content=b'{"token": "other"}')
        right = await client.post(path, content=b'{"token": "\\ud800"}')
        assert (wrong.status_code, right.status_code) == (403, 200)


@pytest.mark.parametrize(
    "session",
    [
        '{"tools": [{"name": "a", "parameters": {"type": "object", "\\ud800": 1}}]}',
        '{"audio": {"\\ud800": 1}}',
        '{"model": "\\ud800"}',
    ],
)
async def test_half_a_character_in_a_tokens_session_is_refused(session: str) -> None:
    async with serving() as served, http(served) as client:
        body = f'{{"session": {session}}}'
        reply = await client.post("/v1/realtime/client_secrets", content=body, headers=KEY)
        assert reply.status_code == 400
