"""Checks an SDP offer before aiortc sees it, and keeps it from making us probe other hosts."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator

from aiortc.sdp import SessionDescription

from omni_agent.errors import SignallingError

MAX_MEDIA = 4
MAX_CANDIDATES = 20
MAX_WILDCARDS = 16
"""Lines of feedback for any format; browsers send none, and more are left out."""


def reachable(address: str, *, allow_private: bool) -> bool:
    """Whether we are willing to send to a candidate's address.

    Names (mDNS included) are not: resolving what a stranger names is a probe too.
    A browser on the same network reaches us, and its address is learned from that.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_multicast or ip.is_link_local or ip.is_unspecified:
        return False
    if ip.is_reserved and not ip.is_loopback:  # ::1 is both, to Python
        return False
    return allow_private or ip.is_global


def _keep(line: str, *, allow_private: bool) -> bool:
    fields = line.removeprefix("a=candidate:").split()
    if len(fields) < 8 or fields[2].lower() != "udp":
        return False
    return reachable(fields[4], allow_private=allow_private)


def screen(
    offer: str,
    *,
    allow_private: bool,
    max_media: int = MAX_MEDIA,
    max_candidates: int = MAX_CANDIDATES,
) -> str:
    """The offer with the first usable candidates, and none that we will not talk to.

    Raises SignallingError(400) for what is no SDP or is beyond the limits.
    """
    # splitlines, as aiortc does: a candidate must not hide behind a rarer line break.
    lines = offer.splitlines()
    if not lines or not lines[0].startswith("v=0"):
        raise SignallingError(400, "not an SDP offer: it must begin with v=0")
    media = sum(line.startswith("m=") for line in lines)
    if media > max_media:
        raise SignallingError(400, f"the offer has {media} media sections, at most {max_media} fit")
    if not any(line.startswith("m=audio ") for line in lines):
        raise SignallingError(400, "the offer has no audio section: a call needs m=audio")
    candidates = [line for line in lines if line.startswith("a=candidate:")]
    usable = [line for line in candidates if _keep(line, allow_private=allow_private)]
    refused = set(candidates).difference(usable[:max_candidates])
    # With candidates left out, "that was all of them" is no longer true: ICE must
    # go on waiting for the address it learns when the client's check arrives.
    kept = [
        line
        for line in _with_few_wildcards(lines)
        if line not in refused and not (refused and line.startswith("a=end-of-candidates"))
    ]
    return "\r\n".join(kept) + "\r\n"


def _with_few_wildcards(lines: Iterable[str]) -> Iterator[str]:
    """aiortc reads what is for any format once for each of them."""
    wildcards = 0
    for line in lines:
        wildcards += line.startswith("a=rtcp-fb:*")
        if wildcards <= MAX_WILDCARDS or not line.startswith("a=rtcp-fb:*"):
            yield line


def require_identity(offer: str) -> None:
    """Refuse what could never be connected: without these DTLS cannot tell who calls.

    Sections bundled with another need none (RFC 9143 section 7.1.3). Raises
    SignallingError(400), and aiortc's own exceptions for damaged SDP.
    """
    description = SessionDescription.parse(offer)
    bundles = [group.items for group in description.group if group.semantic == "BUNDLE"]
    bundled = {mid for items in bundles for mid in items[1:]}
    for media in description.media:
        identified = media.dtls is not None and media.dtls.fingerprints
        if not identified and media.rtp.muxId not in bundled:
            raise SignallingError(
                400, f"the offer's {media.kind} section needs a=fingerprint and a=setup"
            )


def with_fec(answer: str) -> str:
    """Ask for a coarse copy of each Opus packet in the next (RFC 7587 section 6.1)."""
    return re.sub(
        r"(?m)^a=rtpmap:(\d+) opus/48000/2\r?$",
        r"a=rtpmap:\1 opus/48000/2\r\na=fmtp:\1 minptime=10;useinbandfec=1\r",
        answer,
    )


def as_seen_from_outside(answer: str, external_ip: str) -> str:
    """Our host candidates of that family under the address that a 1:1 NAT gives this machine."""
    family = r"[0-9a-fA-F:]+:[0-9a-fA-F:]*" if ":" in external_ip else r"\d+\.\d+\.\d+\.\d+"
    return re.sub(
        rf"(?m)^(a=candidate:\S+ \d+ udp \d+ ){family}( \d+ typ host)",
        rf"\g<1>{external_ip}\g<2>",
        answer,
    )
