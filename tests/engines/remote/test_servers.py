"""The pool: whom it asks next, whom it sets aside, and how they come back."""

from __future__ import annotations

from collections import Counter

import pytest

from omni_agent.engines.remote.servers import Servers, addresses
from omni_agent.errors import ConfigError
from tests.engines.remote.serving import HELLO, Clock, cluster, joined, nobody, serving

THREE = "http://a/v1, http://b/v1,http://c/v1"


@pytest.fixture
async def three() -> Servers:
    return Servers(THREE, clock=Clock())


def test_addresses_are_separated_by_commas_and_each_counts_once() -> None:
    given = " http://a:1/v1/, https://b/v1 ,http://a:1/v1,"
    assert addresses(given) == ["http://a:1/v1", "https://b/v1"]


@pytest.mark.parametrize(
    "given", [None, "", " , ", "http://a/v1, b:8000", "http://a/v1/chat/completions"]
)
def test_an_address_that_is_none_is_a_config_error(given: str | None) -> None:
    with pytest.raises(ConfigError, match="base_url"):
        addresses(given)


async def test_the_least_busy_server_is_chosen(three: Servers) -> None:
    a, b, c = three.all
    a.busy, b.busy, c.busy = 2, 1, 3
    assert three.choose("any conversation") is b


async def test_equally_busy_servers_share_conversations_and_keep_them(three: Servers) -> None:
    chosen = [three.choose(f"item_{n}") for n in range(300)]
    assert chosen == [three.choose(f"item_{n}") for n in range(300)]
    counts = Counter(server.url for server in chosen if server)
    assert all(60 <= counts[server.url] <= 140 for server in three.all)


async def test_a_server_that_lacks_what_is_needed_is_the_last_choice(three: Servers) -> None:
    a, b, c = three.all
    a.spare("audio")
    c.spare("audio")
    b.busy = 5
    assert three.choose("x", {"audio"}) is b
    three.lose(b, "b failed")
    assert three.choose("x", {"audio"}) in (a, c)


async def test_a_server_that_is_set_aside_is_not_chosen_until_a_probe_finds_it_well() -> None:
    clock = Clock()
    async with cluster(HELLO, HELLO) as (first, second):
        second.health = 200
        pool = Servers(joined([first, second]), clock=clock)
        one, two = pool.all
        pool.lose(two, "it failed")
        assert {pool.choose(str(n)) for n in range(50)} == {one}
        await pool.probe_due()
        assert two.aside  # its time has not come
        assert second.probes == []
        clock.now = 2.0
        await pool.probe_due()
        assert second.probes == ["health"]
        assert {pool.choose(str(n)) for n in range(50)} == {one, two}
        await pool.aclose()


async def test_the_back_off_doubles_with_every_failure_in_a_row_up_to_a_minute() -> None:
    clock = Clock()
    pool = Servers(THREE, clock=clock)
    server = pool.all[0]
    waits = []
    for _ in range(9):
        pool.lose(server, "no")
        waits.append(server.back_at - clock.now)
    for wait, expected in zip(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=True):
        assert 0.75 * expected <= wait <= 1.25 * expected
    pool.keep(server)
    pool.lose(server, "no")
    assert server.back_at <= 1.25


async def test_a_server_may_say_itself_when_it_wants_to_be_asked_again(three: Servers) -> None:
    three.lose(three.all[0], "busy", 30.0)
    assert three.all[0].back_at == 30.0


@pytest.mark.parametrize("wait_s", [31_536_000.0, float("9" * 400)])
async def test_no_server_may_ask_to_be_left_alone_for_longer_than_a_minute(
    three: Servers, wait_s: float
) -> None:
    three.lose(three.all[0], "busy", wait_s)
    assert three.all[0].back_at == 60.0


async def test_a_probe_that_fails_makes_the_back_off_longer() -> None:
    clock = Clock()
    async with serving(HELLO) as up:
        up.health = 503
        pool = Servers(f"{up.url}, {nobody()}", clock=clock)
        for server in pool.all:
            pool.lose(server, "no", 0.0)
        await pool.probe_due()
        assert [server.aside for server in pool.all] == [True, True]
        assert all(server.failures == 2 and server.back_at >= 1.5 for server in pool.all)
        assert await pool.revive() is None
        await pool.aclose()


async def test_a_server_without_a_health_address_is_asked_for_its_models() -> None:
    async with serving(HELLO) as server:
        pool = Servers(server.url)
        pool.lose(pool.all[0], "no")
        assert await pool.revive() is pool.all[0]
        assert server.probes == ["health", "models"]
        await pool.aclose()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("NO_PROXY", "fe80::/10"),
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
        ("HTTP_PROXY", "ftp://x"),
        ("SSL_CERT_FILE", "/nonexistent"),
    ],
)
def test_an_environment_that_no_connection_can_be_made_in_is_named(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv(variable.lower(), value)
    with pytest.raises(ConfigError, match="environment's proxies or certificates"):
        Servers("http://127.0.0.1:1/v1")
