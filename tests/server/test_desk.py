"""Who may call: tokens, origins, names, limits; and what is read without a call."""

from __future__ import annotations

import asyncio
from importlib.resources import files

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from omni_agent import __version__
from omni_agent.server.host import Readiness
from omni_agent.server.limits import Limits, RequestLimits
from omni_agent.server.options import ServerOptions
from omni_agent.server.rates import MAX_ADDRESSES, Rates
from omni_agent.server.tokens import Grant, Tokens
from tests.server.calling import Caller, ScriptedHost, Server, location

CALLS = "/v1/realtime/calls"
SECRETS = "/v1/realtime/client_secrets"
SDP = {"content-type": "application/sdp"}
PAGE = {"origin": "http://localhost"}


async def test_a_token_is_good_for_one_call(caller: Caller) -> None:
    async with Server(ScriptedHost()) as server:
        headers = {**SDP, **PAGE, "authorization": f"Bearer {await server.token()}"}
        offer = await caller.offer()
        assert (await server.http.post(CALLS, content=offer, headers=headers)).status_code == 201
        again = await server.http.post(CALLS, content=offer, headers=headers)
        assert again.status_code == 401
        assert "client_secrets" in again.json()["error"]["message"]
        assert again.headers["www-authenticate"] == "Bearer"


async def test_a_call_that_is_refused_leaves_its_caller_the_token(caller: Caller) -> None:
    host = ScriptedHost()
    limits = Limits(connecting_per_address=1)
    async with Server(host, ServerOptions(limits=limits)) as server:
        headers = {**SDP, **PAGE, "authorization": f"Bearer {await server.token()}"}

        async def begin(offer: str, query: str = "") -> int:
            reply = await server.http.post(CALLS + query, content=offer, headers=headers)
            return reply.status_code

        offer = await caller.offer()
        host.readiness = Readiness(False, "loading the Talker")
        assert await begin(offer) == 503
        host.readiness = Readiness(True)
        other = Caller()
        path = location(await server.post(await other.offer()))
        assert await begin(offer) == 429
        await server.hang_up(path)
        await other.peer.close()
        while server.app.state.calls.active:  # noqa: ASYNC110  # nobody is told
            await asyncio.sleep(0)
        assert await begin("v=0") == 400
        assert await begin("v=0" + "x" * 70_000) == 413
        assert await begin(offer, "?persona=nobody") == 400
        assert await begin(offer) == 201
        assert await begin(offer) == 401


async def test_of_two_calls_at_once_with_one_token_one_begins(caller: Caller) -> None:
    async with Server(ScriptedHost()) as server:
        headers = {**SDP, **PAGE, "authorization": f"Bearer {await server.token()}"}
        offer = await caller.offer()
        both = (server.http.post(CALLS, content=offer, headers=headers) for _ in range(2))
        statuses = [reply.status_code for reply in await asyncio.gather(*both)]
        assert sorted(statuses) == [201, 401]


def test_a_token_that_is_being_used_is_nobody_else_s_until_that_fails() -> None:
    tokens = Tokens(RequestLimits())
    value = tokens.mint().value
    with pytest.raises(OSError), tokens.spending(value) as token:  # noqa: PT012  # meanwhile
        assert token is not None
        assert tokens.look(value) is None
        with tokens.spending(value) as other:
            assert other is None
        raise OSError
    assert tokens.look(value) is token


def test_a_token_expires() -> None:
    now = 0.0
    tokens = Tokens(RequestLimits(token_s=10.0), now=lambda: now)
    first, second = tokens.mint().value, tokens.mint().value
    now = 9.9
    with tokens.spending(first) as spent:
        assert spent is not None
    now = 10.0
    assert tokens.look(second) is None
    with tokens.spending(second) as spent:
        assert spent is None


def test_a_token_expires_whatever_is_done_to_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    tokens = Tokens(RequestLimits(token_s=10.0), now=lambda: now)
    old = tokens.mint()
    monkeypatch.setattr("time.time", lambda: old.expires - 3600)  # the clock was put back
    now = 5.0
    fresh = tokens.mint()
    now = 10.0
    assert tokens.look(old.value) is None
    assert tokens.look(fresh.value) is fresh


def test_one_address_has_its_share_of_the_unused_tokens_and_never_costs_another_its_own() -> None:
    tokens = Tokens(RequestLimits(tokens=100, tokens_per_address=3))
    of_key = tokens.mint().value
    of_other = tokens.mint(grant=Grant(address="192.0.2.2")).value
    own = [tokens.mint(grant=Grant(address="192.0.2.1")).value for _ in range(200)]
    assert [tokens.look(value) is not None for value in own[-4:]] == [False, True, True, True]
    assert tokens.look(of_other)
    assert tokens.look(of_key)


def test_of_too_many_unused_tokens_the_oldest_that_no_key_minted_gives_way() -> None:
    tokens = Tokens(RequestLimits(tokens=5, tokens_per_address=3))
    of_key = tokens.mint().value
    values = [tokens.mint(grant=Grant(address=str(one))).value for one in range(6)]
    assert [tokens.look(value) is not None for value in values] == [False, False] + [True] * 4
    assert tokens.look(of_key)


@pytest.mark.parametrize("bearer", ["", "Bearer ek_guess", "Bearer wrong", "Basic a2V5"])
async def test_with_an_api_key_programs_must_bring_it(bearer: str) -> None:
    async with Server(ScriptedHost(), ServerOptions(api_key="secret")) as server:
        headers = {**SDP, "authorization": bearer}
        assert (await server.http.post(CALLS, content="v=0", headers=headers)).status_code == 401
        assert (await server.http.post(SECRETS, headers=headers)).status_code == 401
        key = {**SDP, "authorization": "Bearer secret"}
        assert (await server.http.post(CALLS, content="v=0", headers=key)).status_code == 400
        assert (await server.http.post(SECRETS, headers=key)).status_code == 200


async def test_a_page_needs_a_token_even_without_an_api_key() -> None:
    async with Server(ScriptedHost()) as server:
        headers = {**SDP, **PAGE, "authorization": "Bearer anything"}
        assert (await server.http.post(CALLS, content="v=0", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:81"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://["},
        {"sec-fetch-site": "cross-site"},
    ],
)
async def test_pages_of_other_sites_may_not_call(headers: dict[str, str]) -> None:
    async with Server(ScriptedHost()) as server:
        for path in (SECRETS, CALLS):
            reply = await server.http.post(path, content="v=0", headers={**SDP, **headers})
            assert reply.status_code == 403
            assert "access-control-allow-origin" not in reply.headers


async def test_an_allowed_origin_may_call_and_read_the_location(caller: Caller) -> None:
    options = ServerOptions(origins=("https://friend.example",))
    async with Server(ScriptedHost(), options) as server:
        friend = {"origin": "https://friend.example"}
        token = (await server.http.post(SECRETS, headers=friend)).json()["value"]
        headers = {**SDP, **friend, "authorization": f"Bearer {token}"}
        reply = await server.http.post(CALLS, content=await caller.offer(), headers=headers)
        assert reply.status_code == 201
        assert reply.headers["access-control-allow-origin"] == "https://friend.example"
        assert "location" in reply.headers["access-control-expose-headers"].lower()
        preflight = await server.http.options(
            CALLS, headers={**friend, "access-control-request-method": "POST"}
        )
        assert preflight.status_code == 200


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("localhost:8000", True),
        ("127.0.0.1", True),
        ("[::1]:8000", True),
        ("192.168.1.4:80", True),
        ("agent.example", True),
        ("rebound.evil.example", False),
        ("localhost.evil.example", False),
        ("", False),
        ("[", False),
        ("127.0.0.1:", True),
        ("localhost:65535", True),
        ("localhost:65536", False),
        ("127.0.0.1:99999999999", False),
        ("localhost:²", False),
        ("a@127.0.0.1", False),
        ("@localhost", False),
        ("localhost/x", False),
        ("localhost?", False),
        ("[1::2::3]", False),
    ],
)
async def test_the_server_answers_to_names_it_knows(name: str, known: bool) -> None:
    async with Server(ScriptedHost(), ServerOptions(hosts=("agent.example",))) as server:
        reply = await server.http.get("/healthz", headers={"host": name.encode("latin-1")})
        assert reply.status_code == (200 if known else 421)


async def test_requests_have_a_size_and_a_rate() -> None:
    options = ServerOptions(limits=Limits(requests=RequestLimits(per_minute=3)))
    async with Server(ScriptedHost(), options) as server:
        token = await server.token()
        headers = {**SDP, "authorization": f"Bearer {token}"}
        big = await server.http.post(CALLS, content="v=0" + "x" * 70_000, headers=headers)
        assert big.status_code == 413
        await server.http.post(SECRETS, headers=PAGE)
        reply = await server.http.post(SECRETS, headers=PAGE)
        assert reply.status_code == 429
        assert int(reply.headers["retry-after"]) >= 1
        assert (await server.http.get("/healthz")).status_code == 200


def test_a_rate_fills_up_again_and_addresses_are_bounded() -> None:
    now = 0.0
    rates = Rates(2, now=lambda: now)
    assert [rates.wait_s("a") for _ in range(3)] == [0.0, 0.0, pytest.approx(30.0)]
    now = 30.0
    assert rates.wait_s("a") == 0.0
    for index in range(MAX_ADDRESSES + 5):
        rates.wait_s(str(index))
    assert len(rates._buckets) == MAX_ADDRESSES


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        ("v=0", "application/sdp", 400),
        ("hello", "application/sdp", 400),
        (b"\xff\xfe", "application/sdp", 400),
        ("{}", "application/json", 415),
        ("x", "multipart/form-data", 400),
        ("x", "multipart/form-data; boundary=b", 400),
        ("v=0", "", 415),
    ],
)
async def test_what_is_no_offer_is_refused_with_a_reason(
    content: str | bytes, kind: str, status: int
) -> None:
    async with Server(ScriptedHost()) as server:
        headers = {"authorization": f"Bearer {await server.token()}", "content-type": kind}
        reply = await server.http.post(CALLS, content=content, headers=headers)
        assert reply.status_code == status
        assert reply.json()["error"]["message"]
        assert server.app.state.calls.active == 0


async def test_a_form_with_a_broken_session_is_refused_naming_the_field() -> None:
    async with Server(ScriptedHost()) as server:
        headers = {"authorization": f"Bearer {await server.token()}"}
        form = {"sdp": (None, "v=0"), "session": (None, '{"audio": 5}')}
        reply = await server.http.post(CALLS, files=form, headers=headers)
        assert reply.status_code == 400
        assert "audio" in reply.json()["error"]["message"]
        form = {"nothing": (None, "v=0")}
        headers = {"authorization": f"Bearer {await server.token()}"}
        reply = await server.http.post(CALLS, files=form, headers=headers)
        assert "sdp" in reply.json()["error"]["message"]


@pytest.mark.parametrize("body", [b"[", b"[]", b"\xff", b'{"session": 3}', b"[" * 60_000])
async def test_a_bad_client_secrets_request_is_refused(body: bytes) -> None:
    async with Server(ScriptedHost()) as server:
        reply = await server.http.post(SECRETS, content=body, headers=PAGE)
        assert reply.status_code == 400


async def test_an_unknown_persona_is_refused_naming_the_known_ones(caller: Caller) -> None:
    async with Server(ScriptedHost()) as server:
        reply = await server.post("v=0", path=f"{CALLS}?persona=nobody")
        assert reply.status_code == 400
        assert "concierge, tutor" in reply.json()["error"]["message"]


async def test_client_secrets_carry_the_session_and_the_ice_servers(caller: Caller) -> None:
    servers = [{"urls": ["turn:turn.example:3478"], "username": "u", "credential": "c"}]
    host = ScriptedHost()
    async with Server(host, ServerOptions(ice_servers=servers)) as server:
        session = {"session": {"type": "realtime", "omni": {"persona": "tutor"}}}
        secret = (await server.http.post(SECRETS, json=session, headers=PAGE)).json()
        assert secret["value"].startswith("ek_")
        assert secret["ice_servers"] == servers
        assert secret["session"]["omni"]["persona"] == "tutor"
    async with Server(host) as server:  # a TURN server that does not exist would cost 5 s
        secret = (await server.http.post(SECRETS, json=session, headers=PAGE)).json()
        headers = {**SDP, "authorization": f"Bearer {secret['value']}"}
        reply = await server.http.post(CALLS, content=await caller.offer(), headers=headers)
        assert reply.status_code == 201
    assert host.chosen == ["tutor"]


async def test_personas_are_listed() -> None:
    async with Server(ScriptedHost()) as server:
        body = (await server.http.get("/v1/personas")).json()
        assert body["default"] == "concierge"
        assert [card["name"] for card in body["personas"]] == ["concierge", "tutor"]
        assert body["engine"] == {"thinker": "scripted"}
        assert body["version"] == __version__
        assert body["status"] == "ready"


async def test_personas_are_listed_while_the_models_load_with_how_far_that_is() -> None:
    host = ScriptedHost()
    host.readiness = Readiness(False, "loading the Talker")
    async with Server(host) as server:
        reply = await server.http.get("/v1/personas")
        assert reply.status_code == 200
        assert reply.json()["status"] == "starting"
        assert reply.json()["progress"] == "loading the Talker"
        assert len(reply.json()["personas"]) == 2


async def test_every_response_carries_the_security_headers() -> None:
    async with Server(ScriptedHost()) as server:
        for path in ("/healthz", "/v1/personas", "/no/such/file", "/metrics"):
            headers = (await server.http.get(path)).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"


async def test_mounted_in_another_app_it_needs_no_lifespan(caller: Caller) -> None:
    server = Server(ScriptedHost())
    outer = Starlette(routes=[Mount("/agent", server.app)])
    transport = httpx.ASGITransport(outer)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        token = (await http.post(f"/agent{SECRETS}", headers=PAGE)).json()["value"]
        headers = {**SDP, "authorization": f"Bearer {token}"}
        offer = await caller.offer()
        reply = await http.post(f"/agent{CALLS}", content=offer, headers=headers)
        assert reply.status_code == 201
        assert location(reply).startswith("/agent/v1/realtime/calls/rtc_")
        assert server.app.state.calls.active == 1
        assert (await http.delete(location(reply), headers=headers)).status_code == 200
    await server.http.aclose()
    await server.app.state.calls.aclose()
    assert server.app.state.calls.active == 0


class Stripping:
    """A proxy that serves an app below ``/agent`` and tells it nothing of that, as nginx does
    with ``location /agent/ { proxy_pass http://app/; }``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "path": scope["path"].removeprefix("/agent")}, receive, send)


async def test_behind_a_proxy_that_strips_a_path_calls_go_on_and_end(caller: Caller) -> None:
    async with Server(ScriptedHost()) as server:
        transport = httpx.ASGITransport(Stripping(server.app))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            token = (await http.post(f"/agent{SECRETS}", headers=PAGE)).json()["value"]
            headers = {**SDP, "authorization": f"Bearer {token}"}
            offer = await caller.offer()
            begun = await http.post(f"/agent{CALLS}?persona=tutor", content=offer, headers=headers)
            assert location(begun).startswith("/agent/v1/realtime/calls/rtc_")
            again = Caller()
            renewed = await http.post(location(begun), content=await again.offer(), headers=headers)
            assert renewed.status_code == 200
            await again.peer.close()
            assert (await http.delete(location(begun), headers=headers)).status_code == 200


async def test_cookies_are_for_the_path_that_the_browser_knows_the_app_by() -> None:
    """Two agents of one host are logged in to apart, and neither sees the other's callers."""
    async with Server(ScriptedHost(), ServerOptions(api_key="secret")) as server:
        transport = httpx.ASGITransport(Stripping(server.app))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            await http.post("/agent/login", data={"key": "secret"}, headers=PAGE)
            assert (await http.post(f"/agent{SECRETS}", headers=PAGE)).status_code == 200
            assert (await http.post(SECRETS, headers=PAGE)).status_code == 401
            assert {cookie.path for cookie in http.cookies.jar} == {"/agent", "/agent/v1/realtime"}
            await http.post("/agent/logout", headers=PAGE)
            assert (await http.post(f"/agent{SECRETS}", headers=PAGE)).status_code == 401


async def test_the_page_is_served_from_the_package() -> None:
    page = files("omni_agent.server") / "page"
    async with Server(ScriptedHost()) as server:
        reply = await server.http.get("/")
        assert reply.status_code == 200
        assert reply.text == (page / "index.html").read_text()
