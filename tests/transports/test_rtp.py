"""RTP and RTCP: what a client's packets make us keep, send and look at."""

from __future__ import annotations

import asyncio
import random
import struct
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pylibsrtp
import pytest
from aiortc import RTCDtlsTransport, RTCRtpSender
from aiortc.rtcrtpreceiver import NackGenerator
from aiortc.rtp import (
    RTP_HISTORY_SIZE,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtpPacket,
)
from omni_agent_webrtc.rtp import MAX_SOURCES, Nacks, Receiver, Session
from omni_agent_webrtc.stack import DtlsTransport

from tests.transports.calling import Hum, call, client, first, until


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[DtlsTransport, RTCDtlsTransport]]:
    """Our end of a call, and its client's; both are heard."""
    peer = client(Hum())
    async with call(peer) as line, asyncio.timeout(20):
        await first(line, lambda arrival: True)
        await until(lambda: line.connected)  # it delivers a little before
        assert line._peer is not None
        ours = line._peer.connection.getTransceivers()[0].sender.transport
        assert isinstance(ours, DtlsTransport)
        yield ours, peer.getTransceivers()[0].sender.transport


def known(ours: DtlsTransport) -> set[bytes]:
    """The sources of the client."""
    assert isinstance(ours._rx_srtp, Session)
    return ours._rx_srtp._known


def silence(ssrc: int) -> bytes:
    """A packet of it, in Opus, from a sender of that name."""
    return RtpPacket(96, sequence_number=1, ssrc=ssrc, payload=b"\xf8\xff\xfe").serialize()


async def test_the_sources_of_a_client_are_bounded_and_its_reports_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of many more aiortc cannot write a report: its task died, and closing waited for it."""
    monkeypatch.setattr("aiortc.rtcrtpreceiver.random.random", lambda: -0.45)
    reports: dict[Any, list[RtcpRrPacket]] = defaultdict(list)  # of each end
    send = Receiver._send_rtcp

    async def count(self: Receiver, packet: Any) -> None:
        await send(self, packet)
        reports[self.transport].append(packet)

    monkeypatch.setattr(Receiver, "_send_rtcp", count)
    async with connected() as (ours, theirs):
        for ssrc in range(1000, 1000 + 10 * MAX_SOURCES):
            await theirs._send_rtp(silence(ssrc))
        await until(lambda: len(known(ours)) == MAX_SOURCES)
        before = len(reports[ours])
        await until(lambda: len(reports[ours]) > before + 2)
        assert 2 <= len(reports[ours][-1].reports) <= MAX_SOURCES
        assert len(known(ours)) == MAX_SOURCES
        assert len(ours._rtp_router.ssrc_table) <= MAX_SOURCES


async def test_who_forges_packets_takes_nobodys_place() -> None:
    async with connected() as (ours, _):
        before = set(known(ours))
        for ssrc in range(2 * MAX_SOURCES):
            with pytest.raises(pylibsrtp.Error):
                ours._rx_srtp.unprotect(silence(ssrc) + bytes(16))
            with pytest.raises(pylibsrtp.Error):
                ours._rx_srtp.unprotect_rtcp(struct.pack("!BBHL", 0x80, 201, 1, ssrc) + bytes(20))
        assert {struct.pack("!L", ssrc) for ssrc in range(99)}.isdisjoint(known(ours))
        assert len(known(ours) - before) <= 1  # the client's own reports


async def test_what_was_lost_is_not_sent_again_and_reports_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a request of 1.1 KB aiortc makes 4,760 packets."""
    asked: list[int] = []

    async def retransmit(self: RTCRtpSender, number: int) -> None:
        asked.append(number)

    monkeypatch.setattr(RTCRtpSender, "_retransmit", retransmit)
    async with connected() as (ours, _):
        (ssrc,) = ours._rtp_router.senders
        nack = struct.pack("!BBHLL", 0x81, 205, 2 + 280, 1, ssrc)
        await ours._handle_rtcp_data(nack + struct.pack("!HH", 7, 0xFFFF) * 280)
        assert asked == []
        remb = struct.pack("!BBHLL4sL", 0x8F, 206, 4, 1, 0, b"REMB", 0xFF000000)
        await ours._handle_rtcp_data(remb)  # of 255 sources that are not there
        report = RtcpRrPacket(ssrc=1, reports=[RtcpReceiverInfo(ssrc, 0, 0, 0, 0, 0, 0)])
        assert ours._rtp_router.route_rtcp(report) == {ours._rtp_router.senders[ssrc]}


async def test_a_report_that_cannot_be_written_is_not_the_last() -> None:
    async with connected() as (ours, _):
        (receiver,) = ours._rtp_router.receivers
        assert isinstance(receiver, Receiver)
        beyond = RtcpReceiverInfo(1, 0, 0, 0, jitter=2**32, lsr=0, dlsr=0)
        await receiver._send_rtcp(RtcpRrPacket(ssrc=1, reports=[beyond]))


class Missing(set[int]):
    """Counts the numbers that are put into it."""

    put = 0

    def add(self, number: int) -> None:
        self.put += 1
        super().add(number)


def numbers(*sequence: int) -> list[RtpPacket]:
    return [RtpPacket(sequence_number=number % 2**16) for number in sequence]


def test_a_jump_costs_no_more_than_what_is_asked_for() -> None:
    nacks = Nacks()
    nacks.missing = missing = Missing()
    for packet in numbers(*(jump * 30_000 for jump in range(10))):
        nacks.add(packet)
    assert missing.put <= 10 * RTP_HISTORY_SIZE


def test_what_is_asked_for_is_what_aiortc_asks_for() -> None:
    rng, at = random.Random(5), 65_000
    ours, stock = Nacks(), NackGenerator()
    for _ in range(500):
        at += rng.choice((1, 1, 1, 2, -3, 100, 127, 128, 129, 130, 300, 32_000))
        (packet,) = numbers(at)
        assert ours.add(packet) == stock.add(packet)
        assert ours.missing == stock.missing
