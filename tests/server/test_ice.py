"""STUN and TURN servers: what may be written, and what each call is given."""

from __future__ import annotations

import base64
import hashlib
import hmac
import math

import pytest

from omni_agent.errors import ConfigError
from omni_agent.server.ice import IceServers, ice_server
from omni_agent.server.options import Network


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("stun:stun.example", {"urls": "stun:stun.example"}),
        ("stun:192.0.2.1:3478", {"urls": "stun:192.0.2.1:3478"}),
        (
            "turn:ann:s%40fe@turn.example:3478?transport=tcp",
            {
                "urls": "turn:turn.example:3478?transport=tcp",
                "username": "ann",
                "credential": "s@fe",
            },
        ),
    ],
)
def test_a_url_says_the_server_and_who_may_use_it(url: str, server: dict[str, str]) -> None:
    assert ice_server(url) == server


def test_credentials_given_apart_are_for_servers_that_have_none_and_relay() -> None:
    given = {"username": "ann", "credential": "safe"}
    assert ice_server("turns:turn.example", "ann", "safe") == {
        "urls": "turns:turn.example",
        **given,
    }
    assert ice_server("turn:bob:other@turn.example", "ann", "safe")["username"] == "bob"
    assert ice_server("stun:stun.example", "ann", "safe") == {"urls": "stun:stun.example"}


@pytest.mark.parametrize(
    "url",
    [
        "foo",
        "",
        "http://x",
        "turn:",
        "turn:a b",
        "stun:h:99999",
        "turn:u@h",
        "stun://h",
        "stun:[::1]",
    ],
)
def test_what_is_no_url_of_such_a_server_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="not a STUN or TURN URL"):
        ice_server(url)


def test_a_secret_in_a_url_that_is_refused_is_not_shown() -> None:
    with pytest.raises(ConfigError) as refused:
        ice_server("turn:ann:hunter2@bad host")
    assert "hunter2" not in str(refused.value)


def test_a_turn_server_that_nobody_could_use_is_refused() -> None:
    with pytest.raises(ConfigError, match="--turn-secret"):
        IceServers([ice_server("turn:turn.example")])


def test_with_a_shared_secret_each_call_has_credentials_of_its_own_that_outlast_it() -> None:
    """As coturn checks them: base64(HMAC-SHA1(secret, "expiry:name"))."""
    servers = IceServers(
        [ice_server("stun:stun.example"), ice_server("turn:turn.example")],
        "s3cret",
        lambda: 1000.5,
        max_call_s=7200.0,
    )
    stun, turn = servers.minted("rtc_1")
    assert stun == {"urls": "stun:stun.example"}
    assert turn["username"] == "9100:rtc_1"
    digest = hmac.new(b"s3cret", b"9100:rtc_1", hashlib.sha1).digest()
    assert turn["credential"] == base64.b64encode(digest).decode()
    assert servers.minted("rtc_2")[1]["credential"] != turn["credential"]


def test_where_calls_have_no_longest_time_credentials_are_good_for_a_day() -> None:
    servers = IceServers(
        [ice_server("turn:turn.example")], "s3cret", lambda: 1000.0, max_call_s=math.inf
    )
    (turn,) = servers.minted("rtc_1")
    assert turn["username"] == f"{1000 + 24 * 3600 + 900}:rtc_1"


@pytest.mark.parametrize("ports", [(80, 90), (40100, 40000), (40000, 70000)])
def test_ports_that_cannot_be_are_refused(ports: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match="UDP ports"):
        Network(udp_ports=ports)


def test_an_external_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="not an IP address"):
        Network(external_ip="example.com")
