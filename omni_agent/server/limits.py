"""Everything a stranger could have too much of, and how much they get."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """body_bytes: of any request. media, candidates: in one offer. calls: at once.

    requests_per_minute: signalling requests of one address. token_s: how long a
    session token may wait to be used. connect_s: from the answer to media.
    hang_up_s: how long a session may take to end after its line did.
    """

    body_bytes: int = 64 * 1024
    media: int = 4
    candidates: int = 20
    calls: int = 16
    requests_per_minute: int = 60
    token_s: float = 120.0
    connect_s: float = 15.0
    hang_up_s: float = 3.0
