"""Everything a stranger could have too much of, and how much they get.

docs/operating.md lists every one of these, with the test that holds it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_CALLS = 16
"""Calls at once where nobody says how many; fewer where the engines bear fewer."""


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """HTTP. An address is an IPv4 address or an IPv6 /64.

    head_bytes, body_bytes: of one request. per_minute: signalling requests of one
    address; whoever brings the server's key is not counted. reads_per_minute:
    other requests of one address. guesses_per_minute: wrong keys of one address.
    tokens, tokens_per_address: session tokens waiting to be used; the oldest give
    way. token_s: how long one may wait.
    """

    head_bytes: int = 16 * 1024
    body_bytes: int = 64 * 1024
    per_minute: int = 60
    reads_per_minute: int = 3000
    guesses_per_minute: int = 10
    tokens: int = 1000
    tokens_per_address: int = 20
    token_s: float = 120.0


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """TCP, where ``serve`` listens.

    total, per_address: connections open at once. request_s: from its first byte (or
    from the connection) until a request is whole. response_s: until its response is
    taken. idle_s: between two requests. backlog: connections that wait to be accepted.
    message_bytes: of one WebSocket message; a larger one ends its connection.
    """

    total: int = 1024
    per_address: int = 128
    request_s: float = 10.0
    response_s: float = 30.0
    idle_s: float = 5.0
    backlog: int = 128
    message_bytes: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class MessageLimits:
    """One call's data channel.

    characters, depth: of one message, as JSON. per_minute, characters_per_minute: of
    all messages; a burst may use up a minute's at once. texts_per_minute,
    replies_per_minute, updates_per_minute: typed messages, replies asked for, session
    updates and choices of a persona. text_characters: typed in a whole call.
    overrun: messages beyond the rate, within a minute, that end the call.
    """

    characters: int = 64 * 1024
    depth: int = 16
    per_minute: int = 600
    characters_per_minute: int = 256 * 1024
    texts_per_minute: int = 30
    replies_per_minute: int = 30
    updates_per_minute: int = 20
    text_characters: int = 200_000
    overrun: int = 2000


@dataclass(frozen=True, slots=True)
class OfferLimits:
    """One SDP offer: its lines (a browser's has some 250), media sections, and candidates
    (addresses to be reached at)."""

    lines: int = 600
    media: int = 4
    candidates: int = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls, and what belongs to one.

    calls: at once; None is as many as the agent's engines bear on this machine, MOST_CALLS at
    the most. calls_per_address, connecting_per_address: at once from one
    address, and of those not yet connected; calls begun with the server's key are not
    counted. call_s: the longest call. connect_s: from the answer to media. hang_up_s:
    how long a session may take to end after its line did.
    """

    calls: int | None = None
    calls_per_address: int = 8
    connecting_per_address: int = 4
    call_s: float = 7200.0
    connect_s: float = 15.0
    hang_up_s: float = 3.0
    offers: OfferLimits = field(default_factory=OfferLimits)
    connections: ConnectionLimits = field(default_factory=ConnectionLimits)
    requests: RequestLimits = field(default_factory=RequestLimits)
    messages: MessageLimits = field(default_factory=MessageLimits)
