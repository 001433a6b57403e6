"""Offers are screened before aiortc sees them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omni_agent_webrtc.sdp import MAX_WILDCARDS, as_seen_from_outside, reachable, screen

from omni_agent.errors import SignallingError

AUDIO = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"


def candidate(address: str, transport: str = "udp") -> str:
    return f"a=candidate:1 1 {transport} 2122260223 {address} 50000 typ host"


@pytest.mark.parametrize(
    ("address", "public", "private"),
    [
        ("8.8.8.8", True, True),
        ("2001:4860:4860::8888", True, True),
        ("192.168.1.7", False, True),
        ("10.0.0.1", False, True),
        ("127.0.0.1", False, True),
        ("fd00::1", False, True),
        ("::1", False, True),
        ("169.254.169.254", False, False),
        ("fe80::1", False, False),
        ("224.0.0.1", False, False),
        ("ff02::1", False, False),
        ("0.0.0.0", False, False),
        ("255.255.255.255", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("::ffff:10.0.0.1", False, True),
        ("3f9c2a.local", False, False),
        ("internal.example.com", False, False),
    ],
)
def test_only_harmless_addresses_are_probed(address: str, public: bool, private: bool) -> None:
    assert reachable(address, allow_private=False) is public
    assert reachable(address, allow_private=True) is private


def test_candidates_that_are_refused_leave_and_so_does_the_end_of_candidates() -> None:
    lines = [candidate("8.8.8.8"), candidate("10.0.0.1"), candidate("8.8.4.4", "tcp")]
    kept = screen(AUDIO + "\r\n".join([*lines, "a=end-of-candidates", ""]), allow_private=False)
    assert candidate("8.8.8.8") in kept
    assert "10.0.0.1" not in kept
    assert "8.8.4.4" not in kept
    assert "end-of-candidates" not in kept


def test_of_a_client_with_many_addresses_the_first_usable_ones_are_kept() -> None:
    """Those that would be dropped anyway do not count."""
    useless = [candidate(f"192.168.0.{n}") for n in range(30)]
    usable = [candidate(f"8.8.8.{n}") for n in range(22)]
    lines = [*useless, *usable, "a=end-of-candidates", ""]
    kept = screen(AUDIO + "\r\n".join(lines), allow_private=False, max_candidates=20)
    assert [line for line in kept.splitlines() if "candidate" in line] == usable[:20]


def test_our_host_candidates_can_be_told_under_another_address() -> None:
    relayed = candidate("203.0.113.9").replace("typ host", "typ relay raddr 10.0.0.5 rport 9")
    answer = f"{candidate('10.0.0.5')}\r\n{candidate('fd00::1')}\r\n{relayed}\r\n"
    told = as_seen_from_outside(answer, "198.51.100.7")
    assert told == f"{candidate('198.51.100.7')}\r\n{candidate('fd00::1')}\r\n{relayed}\r\n"


def test_an_offer_with_nothing_to_refuse_stays_as_it_is() -> None:
    offer = AUDIO + candidate("8.8.8.8") + "\r\na=end-of-candidates\r\n"
    assert screen(offer, allow_private=False) == offer


def test_a_candidate_cannot_hide_behind_a_rare_line_break() -> None:
    for separator in "\x0b\x0c\x1c\x85\u2028\r":
        offer = AUDIO + "a=x" + separator + candidate("10.0.0.1") + "\r\n"
        assert "10.0.0.1" not in screen(offer, allow_private=False)


@pytest.mark.parametrize(
    ("offer", "why"),
    [
        ("", "must begin with v=0"),
        ("hello", "must begin with v=0"),
        ("v=0\r\ns=-\r\n", "m=audio"),
        (AUDIO * 5, "5 media sections"),
    ],
)
def test_what_cannot_be_a_call_is_refused_with_the_reason(offer: str, why: str) -> None:
    with pytest.raises(SignallingError, match=why) as caught:
        screen(offer, allow_private=False)
    assert caught.value.status == 400


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    for offer in (text, AUDIO + text):
        try:
            screen(offer, allow_private=False)
        except SignallingError as error:
            assert error.status == 400  # noqa: PT017  # either outcome is fine, a third is not


def test_feedback_for_any_format_is_bounded() -> None:
    lines = [f"a=rtcp-fb:* nack {n}" for n in range(3 * MAX_WILDCARDS)]
    kept = screen(AUDIO + "\r\n".join([*lines, candidate("8.8.8.8"), ""]), allow_private=False)
    assert [line for line in kept.splitlines() if "rtcp-fb" in line] == lines[:MAX_WILDCARDS]
    assert candidate("8.8.8.8") in kept
