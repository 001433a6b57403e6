"""Lines that plugins bring, as the server takes them up: what they may do wrong, and to whom."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from omni_agent import Line, events
from omni_agent.errors import ProtocolError, SignallingError, TransportError
from omni_agent.line import Opening, OpenLine, Switchboard
from omni_agent.lines.in_process import InProcessTransport
from omni_agent.server.app import create_app
from omni_agent.server.options import ServerOptions
from omni_agent.server.refusals import Refused
from omni_agent.transport import Transport
from omni_agent.utf8 import whole
from tests.clocks import until
from tests.server.calling import WEBRTC, Caller, ScriptedHost, Server, location


def missing(switchboard: Switchboard) -> Sequence[BaseRoute]:
    raise TransportError("line 'phone' needs packages that are missing")


def broken(switchboard: Switchboard) -> Sequence[BaseRoute]:
    raise KeyError("a bug")


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


def good(switchboard: Switchboard) -> Sequence[BaseRoute]:
    return [Route("/hello", hello, methods=["GET", "POST"])]


def test_a_line_that_cannot_be_had_is_named_and_the_others_serve(
    caplog: pytest.LogCaptureFixture,
) -> None:
    strange: Any = lambda switchboard: ["no route"]  # noqa: E731  # a plugin may return anything
    lines = [Line("phone", missing), Line("broken", broken), Line("strange", strange)]
    app = create_app(ScriptedHost(), lines=[*lines, Line("good", good)])
    with TestClient(app, base_url="http://localhost") as client:
        assert client.get("/hello").text == "hello"
    assert "line 'phone' needs packages" in caplog.text
    assert "line broken is left out" in caplog.text
    assert "line strange is left out" in caplog.text


def test_a_server_without_any_line_says_what_is_missing() -> None:
    with pytest.raises(TransportError, match="'phone' needs packages"):
        create_app(ScriptedHost(), lines=[Line("broken", broken), Line("phone", missing)])


def test_no_line_takes_the_place_of_what_the_server_answers_itself() -> None:
    def routes(switchboard: Switchboard) -> Sequence[BaseRoute]:
        return [Route(path, hello) for path in ("/login", "/healthz", "/hello")]

    app = create_app(ScriptedHost(), lines=[Line("greedy", routes)])
    with TestClient(app, base_url="http://localhost") as client:
        assert client.get("/hello").text == "hello"
        assert client.get("/login").text != "hello"
        assert client.get("/healthz").json()["status"] == "ready"


# -- refusals ------------------------------------------------------------------------------


REFUSALS: list[tuple[Exception, int]] = [
    (SignallingError(418, "no coffee"), 418),
    (ProtocolError("no such thing"), 400),
    (SignallingError(403, "nobody is called \ud800"), 403),
    (Refused(429, "later", 3.0), 429),
]


def refusing(error: Exception, *, accept: bool = False) -> Line:
    async def ask(request: Request) -> Response:
        raise error

    async def call(socket: WebSocket) -> None:
        if accept:
            await socket.accept()
        raise error

    routes = [Route("/ask", ask, methods=["POST"]), WebSocketRoute("/call", call)]
    return Line("refusing", lambda switchboard: routes)


@pytest.mark.parametrize(("error", "status"), REFUSALS)
def test_what_a_line_refuses_becomes_the_answer(error: Exception, status: int) -> None:
    app = create_app(ScriptedHost(), lines=[refusing(error)])
    with TestClient(app, base_url="http://localhost") as client:
        answer = client.post("/ask")
        assert answer.status_code == status
        assert answer.json()["error"]["message"] == whole(str(error))
        with (
            pytest.raises(WebSocketDisconnect) as closed,
            client.websocket_connect("ws://localhost/call"),
        ):
            pass
        denial: Any = closed.value  # what the test client makes of an answer in HTTP
        assert denial.status_code == status
        assert app.state.calls.metrics.refused == {status: 2}


def test_what_is_refused_once_a_websocket_is_open_closes_it_and_says_why() -> None:
    line = refusing(SignallingError(403, "né " * 100), accept=True)
    app = create_app(ScriptedHost(), lines=[line])
    with (
        TestClient(app, base_url="http://localhost") as client,
        client.websocket_connect("ws://localhost/call") as socket,
        pytest.raises(WebSocketDisconnect) as closed,
    ):
        socket.receive_text()
    assert (closed.value.code, closed.value.reason) == (1008, ("né " * 31)[:-1])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"host": "evil.example"}, 421),
    ],
)
def test_a_route_of_a_line_is_for_our_pages_and_names_only(
    headers: dict[str, str], status: int
) -> None:
    with TestClient(
        create_app(ScriptedHost(), lines=[Line("good", good)]), base_url="http://localhost"
    ) as client:
        assert client.post("/hello").status_code == 200
        assert client.post("/hello", headers=headers).status_code == status


async def test_a_websocket_is_turned_away_also_where_a_server_cannot_answer_it_in_http() -> None:
    app = create_app(ScriptedHost(), lines=[refusing(SignallingError(403, "no"))])
    for headers, code in (
        ([(b"host", b"localhost")], 1008),
        ([(b"host", b"evil.example")], 1000),
    ):
        sent: list[Any] = []

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        scope = {
            "type": "websocket", "path": "/call", "headers": headers, "query_string": b"",
            "client": ("127.0.0.1", 1), "subprotocols": [],
        }  # fmt: skip
        await app(scope, receive, send)
        assert [(one["type"], one["code"]) for one in sent] == [("websocket.close", code)]


@pytest.mark.parametrize(
    ("files", "status", "answer"),
    [
        ({"sdp": (None, "v=0"), "other": (None, "?")}, 200, "sdp=v=0"),
        ({"sdp": b"\xff"}, 400, "sdp is not UTF-8 text"),
        ({"sdp": "v" * 500_000}, 413, "larger than"),
        ({}, 400, "the form cannot be read"),
    ],
)
def test_a_line_reads_a_form_within_the_servers_limits(
    files: dict[str, Any], status: int, answer: str
) -> None:
    def routes(switchboard: Switchboard) -> Sequence[BaseRoute]:
        async def ask(request: Request) -> Response:
            parts = await switchboard.form(request, "sdp", "session")
            return PlainTextResponse(" ".join(f"{name}={text}" for name, text in parts.items()))

        return [Route("/ask", ask, methods=["POST"])]

    app = create_app(ScriptedHost(), lines=[Line("reading", routes)])
    with TestClient(app, base_url="http://localhost") as client:
        replied = client.post("/ask", files=files)
    assert (replied.status_code, answer in replied.text) == (status, True)


# -- calls over a line of its own ------------------------------------------------------------


class Deaf(InProcessTransport):
    """Cannot be told anything."""

    connected, reason = True, ""

    def notify(self, event: events.Event) -> None:
        raise RuntimeError("deaf")

    async def run(self) -> None:
        await until(lambda: self.closed)

    async def aclose(self, reason: str = "hung up") -> None:
        self.reason = self.reason or reason
        await super().aclose()


def speaking(make: Callable[[Opening], Awaitable[Any]]) -> Line:
    """Opens what is made by ``POST /begin``."""

    def routes(switchboard: Switchboard) -> Sequence[BaseRoute]:
        async def open(opening: Opening) -> tuple[OpenLine, Transport]:
            line = await make(opening)
            return line, line

        async def begin(request: Request) -> Response:
            body = await switchboard.read(request)
            session = body.decode() or None
            session_id = await switchboard.begin(
                request, open, persona=request.query_params.get("persona"), session=session
            )
            return PlainTextResponse(session_id, 201, {"location": session_id})

        return [Route("/begin", begin, methods=["POST"])]

    return Line("speaking", routes)


async def deaf(opening: Opening) -> Deaf:
    return Deaf()


async def test_a_transport_that_cannot_be_told_is_named_and_its_call_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def script(transport: Transport, host: ScriptedHost) -> None:
        transport.notify(events.SessionEnded(0.0, "goodbye"))
        host.arrived.append("told")

    caplog.set_level(logging.INFO)
    host = ScriptedHost(script)
    async with Server(host, lines=[speaking(deaf)]) as server:
        assert (await server.http.post("/begin?persona=tutor")).status_code == 201
        await until(lambda: host.arrived == ["told"])
        assert host.chosen == ["tutor"]
        assert server.app.state.calls.active == 1
    assert "an event could not be told" in caplog.text
    assert "goodbye" in next(r.message for r in caplog.records if " ended after " in r.message)


async def test_a_session_that_cannot_be_is_refused_before_a_line_is_opened() -> None:
    opened: list[Opening] = []

    async def make(opening: Opening) -> Deaf:
        opened.append(opening)
        return Deaf()

    async with Server(ScriptedHost(), lines=[speaking(make)]) as server:
        for session in ("no JSON", '{"tools": 3}', '{"omni": {"persona": "nobody"}}'):
            assert (await server.http.post("/begin", content=session)).status_code == 400
        assert not opened
        wanted = '{"type": "realtime", "omni": {"persona": "tutor"}}'
        assert (await server.http.post("/begin", content=wanted)).status_code == 201
        (opening,) = opened
        assert opening.session_id.startswith("rtc_")


async def test_a_line_that_does_not_open_costs_no_place_and_no_token() -> None:
    opens = False

    async def make(opening: Opening) -> Deaf:
        if not opens:
            raise SignallingError(504, "nobody there")
        return Deaf()

    options = ServerOptions(api_key="secret")
    async with Server(ScriptedHost(), options, lines=[speaking(make)]) as server:
        minted = await server.http.post(
            "/v1/realtime/client_secrets", headers={"authorization": "Bearer secret"}
        )
        headers = {"authorization": f"Bearer {minted.json()['value']}"}
        assert (await server.http.post("/begin", headers=headers)).status_code == 504
        assert not server.app.state.calls._places
        opens = True
        assert (await server.http.post("/begin", headers=headers)).status_code == 201
        assert (await server.http.post("/begin", headers=headers)).status_code == 401


async def test_a_call_of_another_line_does_not_go_on_over_webrtc(caller: Caller) -> None:
    async with Server(ScriptedHost(), lines=[*WEBRTC, speaking(deaf)]) as server:
        session_id = (await server.http.post("/begin")).text
        path = f"/v1/realtime/calls/{session_id}"
        sdp = {"content-type": "application/sdp"}
        offer = await caller.offer()
        assert (await server.http.post(path, content=offer, headers=sdp)).status_code == 409
        assert (await server.http.delete(path)).status_code == 200
        await asyncio.wait_for(server.host.ended.wait(), 20)
        begun: httpx.Response = await server.post(offer)
        assert location(begun).startswith("/v1/realtime/calls/rtc_")
