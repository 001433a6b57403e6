"""Who may what: the key, logins, tokens and what they bind, proxies, metrics."""

from __future__ import annotations

import logging
from typing import Any

import httpx
import pytest

from omni_agent.errors import ConfigError
from omni_agent.server.host import PersonaCard
from omni_agent.server.limits import Limits, RequestLimits
from omni_agent.server.logins import LOGIN_S, Logins
from omni_agent.server.options import Network, ServerOptions
from omni_agent.server.rates import address_of
from tests.server.calling import Caller, ScriptedHost, Server, location

CALLS = "/v1/realtime/calls"
SECRETS = "/v1/realtime/client_secrets"
SDP = {"content-type": "application/sdp"}
PAGE = {"origin": "http://localhost"}
KEY = {"authorization": "Bearer secret"}
TLS = "https://localhost"
LOCKED = ServerOptions(api_key="secret")


def client(server: Server, address: str = "127.0.0.1", url: str = "http://localhost") -> Any:
    transport = httpx.ASGITransport(server.app, client=(address, 1234))
    return httpx.AsyncClient(transport=transport, base_url=url)


async def log_in(http: httpx.AsyncClient, key: str = "secret", **headers: str) -> httpx.Response:
    origin = str(http.base_url).rstrip("/")
    return await http.post("/login", data={"key": key}, headers={"origin": origin, **headers})


# -- pages, where a key is needed ---------------------------------------------------


async def test_an_origin_header_is_no_key() -> None:
    async with Server(ScriptedHost(), LOCKED) as server:
        assert (await server.http.post(SECRETS, headers=PAGE)).status_code == 401
        assert (await server.http.get("/v1/personas", headers=PAGE)).status_code == 401


async def test_a_page_asks_for_the_key_once_and_may_then_mint_tokens() -> None:
    async with Server(ScriptedHost(), LOCKED) as server, client(server) as http:
        front = await http.get("/")
        assert "Server key" in front.text
        assert "form-action 'self'" in front.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in front.headers["content-security-policy"]
        assert front.headers["referrer-policy"] == "same-origin"
        entered = await log_in(http)
        assert (entered.status_code, entered.headers["location"]) == (303, "./")
        cookie = entered.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "; secure" not in cookie
        assert "Server key" not in (await http.get("/")).text
        assert (await http.post(SECRETS, headers=PAGE)).status_code == 200
        assert (await http.get("/v1/personas")).status_code == 200


async def test_the_login_page_has_an_address_of_its_own() -> None:
    async with Server(ScriptedHost(), LOCKED) as server, client(server) as http:
        await log_in(http)
        reply = await http.get("/login")
        assert "Server key" in reply.text
        assert "form-action 'self'" in reply.headers["content-security-policy"]


async def test_over_tls_the_cookie_is_for_tls_only() -> None:
    async with Server(ScriptedHost(), LOCKED) as server, client(server, url=TLS) as http:
        assert "; secure" in (await log_in(http)).headers["set-cookie"].lower()


async def test_a_wrong_key_opens_nothing_and_guessing_is_slow() -> None:
    options = ServerOptions(
        api_key="secret", limits=Limits(requests=RequestLimits(guesses_per_minute=3))
    )
    async with Server(ScriptedHost(), options) as server, client(server) as http:
        for guess in ("", "wrong"):
            reply = await log_in(http, guess)
            assert reply.headers["location"] == "./#wrong"
            assert "set-cookie" not in reply.headers
        bearer = {"authorization": "Bearer guess"}
        assert (await http.post(SECRETS, headers=bearer)).status_code == 401
        assert (await http.post(SECRETS, headers=bearer)).status_code == 429
        assert (await log_in(http, "secret")).headers["location"] == "./#wait"
        async with client(server, "192.0.2.7") as other:
            assert (await log_in(other)).headers["location"] == "./"


async def test_a_browser_logs_out() -> None:
    async with Server(ScriptedHost(), LOCKED) as server, client(server) as http:
        await log_in(http)
        assert (await http.post("/logout", headers=PAGE)).status_code == 204
        assert (await http.post(SECRETS, headers=PAGE)).status_code == 401
        assert "Server key" in (await http.get("/")).text


async def test_a_login_from_a_page_of_another_site_is_refused() -> None:
    async with Server(ScriptedHost(), LOCKED) as server, client(server) as http:
        reply = await log_in(http, origin="https://evil.example")
        assert reply.status_code == 403
        assert "set-cookie" not in reply.headers


def test_a_login_is_signed_with_the_key_and_ends() -> None:
    now = 1000.0
    logins = Logins("secret", now=lambda: now)
    cookie = logins.cookie()
    assert logins.valid(cookie)
    assert not Logins("another", now=lambda: now).valid(cookie)
    expires, rest = cookie.split(".", 1)
    for forged in (f"{int(expires) + 1}.{rest}", cookie[:-1], "", "..", "é", "a.b.c"):
        assert not logins.valid(forged)
    now += LOGIN_S
    assert not logins.valid(cookie)


async def test_where_no_key_is_needed_there_is_nothing_to_log_in_to() -> None:
    async with Server(ScriptedHost()) as server, client(server) as http:
        assert "Server key" not in (await http.get("/")).text
        reply = await log_in(http)
        assert reply.headers["location"] == "./"
        assert "set-cookie" not in reply.headers


@pytest.mark.parametrize("key", ["", " ", "ek_secret", " secret", "secret\n", "schlüssel"])
def test_a_key_that_lets_everybody_in_or_nobody_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="the server key is empty"):
        ServerOptions(api_key=key)


@pytest.mark.parametrize("form", ["key=secret&a=&b=&c=&d=", "%", "", "key=%ED%A0%80"])
async def test_a_form_that_is_no_login_opens_nothing(form: str) -> None:
    async with Server(ScriptedHost(), LOCKED) as server, client(server) as http:
        headers = {**PAGE, "content-type": "application/x-www-form-urlencoded"}
        reply = await http.post("/login", content=form, headers=headers)
        assert reply.status_code in (303, 400)
        assert "set-cookie" not in reply.headers


# -- what a token binds ---------------------------------------------------------------


async def begin(server: Server, caller: Caller, token: str, query: str = "") -> httpx.Response:
    headers = {**SDP, "authorization": f"Bearer {token}"}
    return await server.http.post(CALLS + query, content=await caller.offer(), headers=headers)


async def minted(server: Server, headers: dict[str, str] = KEY, **body: Any) -> str:
    reply = await server.http.post(SECRETS, json=body, headers=headers)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["value"])


TUTOR = {"type": "realtime", "omni": {"persona": "tutor"}}


async def test_a_token_minted_for_one_persona_calls_no_other(caller: Caller) -> None:
    host = ScriptedHost()
    async with Server(host, LOCKED) as server:
        token = await minted(server, session=TUTOR)
        assert (await begin(server, caller, token, "?persona=concierge")).status_code == 403
    assert host.chosen == []


async def test_nor_does_its_caller_change_to_another_during_the_call(caller: Caller) -> None:
    host = ScriptedHost()
    async with Server(host, LOCKED) as server:
        reply = await begin(server, caller, await minted(server, session=TUTOR))
        await caller.accept(reply.text)
        omni = (await caller.until("session.created"))["session"]["omni"]
        assert (omni["persona"], omni["personas"]) == ("tutor", ["tutor"])
        await caller.say(type="omni.persona.choose", persona="concierge")
        assert "no persona" in (await caller.until("error"))["error"]["message"]
    assert host.chosen == ["tutor"]


async def test_nor_does_a_session_that_comes_with_the_offer(caller: Caller) -> None:
    async with Server(ScriptedHost(), LOCKED) as server:
        headers = {"authorization": f"Bearer {await minted(server, session=TUTOR)}"}
        other = '{"omni": {"persona": "concierge"}}'
        form = {"sdp": (None, await caller.offer()), "session": (None, other)}
        reply = await server.http.post(CALLS, files=form, headers=headers)
        assert reply.status_code == 403


async def test_a_token_and_a_query_may_name_a_persona_by_its_file_and_bind_it_all_the_same(
    caller: Caller,
) -> None:
    host = ScriptedHost()
    async with Server(host, LOCKED) as server:
        own = {"omni": {"persona": "teacher"}}
        for body in ({"session": own}, {"personas": ["teacher"]}, {"personas": ["tutor"]}):
            reply = await server.http.post(SECRETS, json=body, headers=KEY)
            assert reply.status_code == 200, reply.text
            omni = reply.json()["session"]["omni"]
            assert (omni["persona"], omni["personas"]) == ("tutor", ["tutor"])
        other = await minted(server, personas=["concierge"])
        assert (await begin(server, caller, other, "?persona=teacher")).status_code == 403
        token = await minted(server, session=own)
        reply = await begin(server, caller, token, "?persona=teacher")
        await caller.accept(reply.text)
        omni = (await caller.until("session.created"))["session"]["omni"]
        assert (omni["persona"], omni["personas"]) == ("tutor", ["tutor"])
    assert host.chosen == ["tutor"]


async def test_a_token_may_name_the_personas_it_is_for(caller: Caller) -> None:
    host = ScriptedHost()
    host.personas = (*host.personas, PersonaCard("nobody"))
    async with Server(host, LOCKED) as server:
        token = await minted(server, personas=["tutor", "nobody"])
        host.personas = host.personas[:-1]
        shown = await server.http.get("/v1/personas", headers={"authorization": f"Bearer {token}"})
        assert shown.json()["default"] == "tutor"
        assert [card["name"] for card in shown.json()["personas"]] == ["tutor"]
        assert (await begin(server, caller, token)).status_code == 201
    assert host.chosen == ["tutor"]


@pytest.mark.parametrize(
    "body",
    [
        {"personas": ["Receptoin"]},
        {"personas": ["tutor", "Receptoin"]},
        {"session": {"omni": {"persona": "Receptoin"}}},
        {"session": TUTOR, "personas": ["concierge"]},
    ],
)
async def test_a_token_for_a_persona_that_its_call_could_not_have_is_not_minted(
    body: dict[str, Any],
) -> None:
    async with Server(ScriptedHost(), LOCKED) as server:
        reply = await server.http.post(SECRETS, json=body, headers=KEY)
        assert reply.status_code == 400
        said = reply.json()["error"]["message"]
        assert "Receptoin" in said or "tutor" in said


async def test_a_token_whose_personas_are_gone_is_not_for_the_default_instead(
    caller: Caller,
) -> None:
    host = ScriptedHost()
    async with Server(host, LOCKED) as server:
        tokens = [await minted(server, personas=["tutor"]), await minted(server, session=TUTOR)]
        host.personas = (PersonaCard("concierge"),)
        for token in tokens:
            mine = {"authorization": f"Bearer {token}"}
            shown = (await server.http.get("/v1/personas", headers=mine)).json()
            assert (shown["default"], shown["personas"]) == (None, [])
            assert (await server.http.post(SECRETS, headers=mine)).status_code == 403
            for query in ("", "?persona=concierge", "?persona=tutor"):
                refused = await begin(server, caller, token, query)
                assert refused.status_code == 403
                assert "get another token" in refused.json()["error"]["message"]
    assert host.chosen == []


async def test_what_a_token_s_call_begins_with_is_shown_as_it_will_be() -> None:
    async with Server(ScriptedHost(), LOCKED) as server:
        reply = await server.http.post(SECRETS, json={"personas": ["tutor"]}, headers=KEY)
        omni = reply.json()["session"]["omni"]
        assert (omni["persona"], omni["personas"]) == ("tutor", ["tutor"])


async def test_relays_are_used_in_each_token_s_own_name_which_begins_no_call() -> None:
    """coturn's quotas and log tell callers apart by it."""
    options = ServerOptions(
        api_key="secret",
        ice_servers=({"urls": "turn:turn.example"},),
        network=Network(turn_secret="shared"),
    )
    async with Server(ScriptedHost(), options) as server:
        names = []
        for _ in range(2):
            reply = (await server.http.post(SECRETS, headers=KEY)).json()
            mine = {"authorization": f"Bearer {reply['value']}"}
            again = (await server.http.post(SECRETS, headers=mine)).json()
            shown = [one["ice_servers"][0]["username"].split(":")[1] for one in (reply, again)]
            assert shown[0] == shown[1]
            assert reply["value"] not in shown[0]
            names.append(shown[0])
    assert names[0] != names[1]


async def test_a_page_brought_a_token_by_link_learns_what_it_needs_without_spending_it(
    caller: Caller,
) -> None:
    async with Server(ScriptedHost(), LOCKED) as server:
        token = await minted(server, session=TUTOR)
        link = {**PAGE, "authorization": f"Bearer {token}"}
        looked = await server.http.post(SECRETS, headers=link)
        assert looked.json()["value"] == token
        assert looked.json()["ice_servers"] == []
        assert (await begin(server, caller, token)).status_code == 201
        assert (await server.http.post(SECRETS, headers=link)).status_code == 401


async def test_a_call_is_ended_and_gone_on_with_by_who_began_it(caller: Caller) -> None:
    """Its id alone is no secret: it is in the log and in the records."""
    async with Server(ScriptedHost(), LOCKED) as server:
        path = location(await begin(server, caller, await minted(server)))
        for headers in ({}, {"authorization": f"Bearer {await minted(server)}"}):
            assert (await server.http.delete(path, headers=headers)).status_code == 403
            offer = {**SDP, **headers}
            reply = await server.http.post(path, content="v=0", headers=offer)
            assert reply.status_code == 403
        assert (await server.hang_up(path)).status_code == 200


async def test_a_page_that_is_closed_ends_its_call_by_the_token_in_the_body(
    caller: Caller,
) -> None:
    async with Server(ScriptedHost()) as server:
        token = await minted(server, PAGE)
        path = location(await begin(server, caller, token))
        wrong = [("{}", 403), ('{"token": "ek_other"}', 403), (r'{"token": "\ud800"}', 403)]
        for body, status in (*wrong, (f'{{"token": "{token}"}}', 200)):
            reply = await server.http.post(f"{path}/hangup", content=body, headers=PAGE)
            assert reply.status_code == status


async def test_the_key_ends_any_call(caller: Caller) -> None:
    async with Server(ScriptedHost(), LOCKED) as server:
        path = location(await begin(server, caller, await minted(server)))
        assert (await server.http.delete(path, headers=KEY)).status_code == 200


# -- whose call it is -------------------------------------------------------------------


async def test_who_has_the_key_says_who_calls(caller: Caller) -> None:
    host = ScriptedHost()
    async with Server(host, LOCKED) as server:
        token = await minted(server, caller="customer-17")
        assert (await begin(server, caller, token)).status_code == 201
    assert host.callers == ["customer-17"]


@pytest.mark.parametrize("options", [ServerOptions(), LOCKED])
async def test_nobody_else_does(options: ServerOptions) -> None:
    async with Server(ScriptedHost(), options) as server, client(server) as http:
        await log_in(http)
        for headers in (PAGE, {}):
            reply = await http.post(SECRETS, json={"caller": "customer-17"}, headers=headers)
            assert reply.status_code == 403


@pytest.mark.parametrize("name", ["", "x" * 129, "a b", "a\nb", "<b>"])
async def test_a_caller_has_a_short_and_plain_name(name: str) -> None:
    async with Server(ScriptedHost(), LOCKED) as server:
        reply = await server.http.post(SECRETS, json={"caller": name}, headers=KEY)
        assert reply.status_code == 400


async def call_from_browser(server: Server, cookies: dict[str, str]) -> httpx.Response:
    """A page mints a token and calls with it; the reply that minted."""
    async with client(server) as http:
        http.cookies.update(cookies)
        reply: httpx.Response = await http.post(SECRETS, headers=PAGE)
        caller = Caller()
        await begin(server, caller, reply.json()["value"])
        await caller.peer.close()
        return reply


async def test_a_browser_is_the_same_caller_again_and_its_cookie_stays_a_secret() -> None:
    host = ScriptedHost()
    async with Server(host) as server:
        reply = await call_from_browser(server, {})
        cookie = reply.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        kept = reply.cookies["omni_caller"]
        await call_from_browser(server, {"omni_caller": kept})
        await call_from_browser(server, {})
    first, again, other = host.callers
    assert first == again != other
    assert kept not in first


async def test_a_cookie_that_is_not_ours_makes_nobody(caller: Caller) -> None:
    host = ScriptedHost()
    async with Server(host) as server:
        token = await minted(server, {**PAGE, "cookie": "omni_caller=customer-17"})
        assert (await begin(server, caller, token)).status_code == 201
    (who,) = host.callers
    assert who.startswith("web_")


async def test_a_program_is_nobody_in_particular(caller: Caller) -> None:
    host = ScriptedHost()
    async with Server(host) as server:
        assert (await begin(server, caller, await minted(server, {}))).status_code == 201
    assert host.callers == [""]


# -- proxies, names, metrics --------------------------------------------------------------


async def test_forwarded_addresses_are_believed_from_named_proxies_only() -> None:
    limits = Limits(requests=RequestLimits(per_minute=1))
    for proxies, status in (((), 429), (("127.0.0.0/8",), 200), (("192.0.2.1",), 429)):
        options = ServerOptions(limits=limits, trusted_proxies=proxies)
        async with Server(ScriptedHost(), options) as server:
            for one in ("198.51.100.1", "198.51.100.2"):
                reply = await server.http.post(SECRETS, headers={**PAGE, "x-forwarded-for": one})
            assert reply.status_code == status


@pytest.mark.parametrize("proxy", ["127.0.0.1", "127.0.0.0/8"])
@pytest.mark.parametrize("chain", ["", ", ::ffff:127.0.0.2", ", 127.0.0.2"])
async def test_a_named_proxy_is_believed_on_an_ipv6_socket_too(proxy: str, chain: str) -> None:
    """``--host ::`` has IPv4 peers as ``::ffff:127.0.0.1``, and so has a proxy's that is."""
    options = ServerOptions(
        limits=Limits(requests=RequestLimits(per_minute=1)), trusted_proxies=(proxy, "127.0.0.2")
    )
    async with (
        Server(ScriptedHost(), options) as server,
        client(server, "::ffff:127.0.0.1") as http,
    ):
        for one in ("198.51.100.1", "198.51.100.2"):
            forwarded = {**PAGE, "x-forwarded-for": one + chain}
            assert (await http.post(SECRETS, headers=forwarded)).status_code == 200


async def test_what_a_caller_forges_before_the_proxy_adds_to_it_is_not_believed() -> None:
    options = ServerOptions(
        limits=Limits(requests=RequestLimits(per_minute=1)), trusted_proxies=("127.0.0.1",)
    )
    async with Server(ScriptedHost(), options) as server:
        for forged in ("203.0.113.1", "203.0.113.2"):
            chain = {**PAGE, "x-forwarded-for": f"{forged}, 198.51.100.1"}
            reply = await server.http.post(SECRETS, headers=chain)
        assert reply.status_code == 429


async def test_the_scheme_is_believed_from_named_proxies_only() -> None:
    headers = {"x-forwarded-proto": "https"}
    for proxies, secure in (((), False), (("127.0.0.1",), True)):
        options = ServerOptions(api_key="secret", trusted_proxies=proxies)
        async with Server(ScriptedHost(), options) as server, client(server) as http:
            cookie = (await log_in(http, **headers)).headers["set-cookie"].lower()
            assert ("; secure" in cookie) is secure


async def test_an_operator_is_told_once_of_a_proxy_that_is_not_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    options = ServerOptions(trusted_proxies=("192.0.2.1",))  # another one is
    async with Server(ScriptedHost(), options) as server, client(server, "192.0.2.1") as named:
        # An address that the proxy's own is a part of.
        forwarded = {**PAGE, "x-forwarded-for": "198.51.100.1, 127.0.0.12"}
        await named.post(SECRETS, headers=forwarded)
        assert "--trusted-proxy" not in caplog.text
        for _ in range(3):
            await server.http.post(SECRETS, headers=forwarded)
    told = [record.levelno for record in caplog.records if "--trusted-proxy" in record.getMessage()]
    assert told == [logging.WARNING]


def test_a_proxy_that_is_no_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="is neither an address"):
        ServerOptions(trusted_proxies=("proxy.example",))


@pytest.mark.parametrize(
    ("host", "private", "hosts"),
    [
        ("127.0.0.1", True, ()),
        ("::1", True, ()),
        ("localhost", True, ()),
        ("0.0.0.0", False, ()),
        ("::", False, ()),
        ("192.168.1.4", False, ("192.168.1.4",)),
        ("agent.lan", False, ("agent.lan",)),
    ],
)
def test_beyond_loopback_nothing_is_taken_for_granted(
    host: str, private: bool, hosts: tuple[str, ...]
) -> None:
    options = ServerOptions().listening_on(host)
    assert options.allow_private is private
    assert tuple(options.hosts) == hosts
    assert ServerOptions(allow_private=True).listening_on(host).allow_private


@pytest.mark.parametrize(
    ("who", "address", "headers", "status"),
    [
        ("private", "127.0.0.1", {}, 200),
        ("private", "::1", {}, 200),
        ("private", "192.0.2.1", {}, 403),
        ("private", "127.0.0.1", {"x-forwarded-for": "192.0.2.1"}, 403),
        ("private", "127.0.0.1", {"host": "192.0.2.1"}, 403),
        ("private", "127.0.0.1", {"host": "[::1]:80"}, 200),
        ("private", "192.0.2.1", KEY, 200),
        ("public", "192.0.2.1", {}, 200),
        ("off", "127.0.0.1", KEY, 404),
    ],
)
async def test_metrics_are_for_this_machine_and_for_who_has_the_key(
    who: Any, address: str, headers: dict[str, str], status: int
) -> None:
    options = ServerOptions(api_key="secret", metrics=who)
    async with Server(ScriptedHost(), options) as server, client(server, address) as http:
        assert (await http.get("/metrics", headers=headers)).status_code == status


@pytest.mark.parametrize(
    ("host", "share"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "unknown"),
        ("x" * 500, "x" * 64),
    ],
)
def test_an_address_is_what_one_customer_has(host: str | None, share: str) -> None:
    assert address_of(host) == share
