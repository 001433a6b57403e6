"""Packets out of order, twice or not at all: what leaves is the sent audio, in order."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omni_agent_webrtc.reorder import (
    HOLD_PACKETS,
    HOLD_S,
    MAX_FILL,
    Gap,
    Reorderer,
    RtpAudio,
    opus_samples,
)

SILK_20_MS = b"\x48payload"
"""TOC 0x48: SILK wideband, 20 ms, one frame."""


def stream(count: int, *, sequence: int = 65_530, timestamp: int = 0xFFFF_F000) -> list[RtpAudio]:
    """Packets of 20 ms whose sequence numbers and timestamps wrap on the way."""
    return [
        RtpAudio((sequence + i) & 0xFFFF, (timestamp + 960 * i) & 0xFFFFFFFF, SILK_20_MS)
        for i in range(count)
    ]


def test_packets_in_order_leave_at_once() -> None:
    reorderer = Reorderer()
    for packet in stream(200):
        assert reorderer.push(packet, 0.0) == [packet]
        assert reorderer.deadline is None


def test_a_lost_packet_holds_the_next_ones_for_60_ms_and_becomes_a_gap() -> None:
    reorderer = Reorderer()
    first, _, *rest = stream(6)
    assert reorderer.push(first, 0.0) == [first]
    assert reorderer.push(rest[0], 0.02) == []
    assert reorderer.deadline == pytest.approx(0.02 + HOLD_S)
    assert reorderer.push(rest[1], 0.04) == []
    assert reorderer.poll(0.07) == []
    assert reorderer.poll(0.02 + HOLD_S) == [Gap(960), rest[0], rest[1]]
    assert reorderer.push(rest[2], 0.09) == [rest[2]]


def test_a_lost_packet_holds_no_more_than_ten() -> None:
    reorderer = Reorderer()
    first, _, *rest = stream(2 + HOLD_PACKETS)
    reorderer.push(first, 0.0)
    out = [reorderer.push(packet, 0.0) for packet in rest]
    assert out[:-1] == [[]] * (HOLD_PACKETS - 1)
    assert out[-1] == [Gap(960), *rest]


def test_a_packet_that_comes_too_late_or_twice_is_dropped() -> None:
    reorderer = Reorderer()
    first, second, third = stream(3)
    reorderer.push(first, 0.0)
    reorderer.push(third, 0.0)
    reorderer.poll(1.0)
    assert reorderer.push(second, 1.0) == []
    assert reorderer.push(third, 1.0) == []
    assert reorderer.late == 2


@given(st.permutations(range(6)), st.integers(2, 12))
def test_any_shuffle_within_the_hold_is_undone(order: list[int], blocks: int) -> None:
    """Streaming equals offline: shuffled blocks of six come out as they were sent."""
    first, *rest = stream(1 + 6 * blocks)
    reorderer = Reorderer()
    out = reorderer.push(first, 0.0)
    for block in range(blocks):
        for index in order:
            out += reorderer.push(rest[6 * block + index], 0.02 * block)
    assert out == [first, *rest]


fates = st.tuples(st.floats(0, 0.05), st.booleans(), st.booleans())
"""What happens to a packet: its delay in seconds, whether it is lost, whether it comes twice."""


@settings(max_examples=200)
@given(st.lists(fates, min_size=1, max_size=80))
def test_whatever_the_network_does_time_stays_whole(told: list[tuple[float, bool, bool]]) -> None:
    """Delays up to 50 ms, losses, duplicates: order is kept, no sample of time lost or added
    but what is beyond 200 ms of a hole."""
    first, *middle, last = stream(len(told) + 2)
    arrivals: list[tuple[float, RtpAudio]] = []
    for index, ((delay, lost, twice), packet) in enumerate(zip(told, middle, strict=True), 1):
        when = 0.02 * index + delay
        if not lost:
            arrivals += [(when, packet)] + [(when + 0.001, packet)] * twice
    end = 0.02 * (len(told) + 10)
    reorderer = Reorderer()
    out = reorderer.push(first, 0.0)
    for when, packet in [*sorted(arrivals, key=lambda arrival: arrival[0]), (end, last)]:
        out += reorderer.poll(when)
        out += reorderer.push(packet, when)
    out += reorderer.poll(end + HOLD_S)
    survivors = [packet for (_, lost, _), packet in zip(told, middle, strict=True) if not lost]
    assert [piece for piece in out if isinstance(piece, RtpAudio)] == [first, *survivors, last]
    numbers = [0, *(i for i, (_, lost, _) in enumerate(told, 1) if not lost), len(told) + 1]
    gaps = [
        Gap(min(960 * (after - before - 1), MAX_FILL))
        for before, after in pairwise(numbers)
        if after - before > 1
    ]
    assert [piece for piece in out if isinstance(piece, Gap)] == gaps


def test_a_pause_of_the_sender_stays_on_the_timeline() -> None:
    reorderer = Reorderer()
    reorderer.push(RtpAudio(1, 0, SILK_20_MS), 0.0)
    after = RtpAudio(2, 960 + 4800, SILK_20_MS)
    assert reorderer.push(after, 0.12) == [Gap(4800), after]


def test_a_sender_that_starts_anew_is_followed_at_once() -> None:
    reorderer = Reorderer()
    for packet in stream(5):
        reorderer.push(packet, 0.0)
    anew = RtpAudio(30_000, 5, SILK_20_MS)
    assert reorderer.push(anew, 0.0) == [anew]
    other = RtpAudio(30_000, 5, SILK_20_MS, ssrc=7)
    assert reorderer.push(other, 0.0) == [other]


@pytest.mark.parametrize(
    ("payload", "samples"),
    [
        (b"", 0),
        (b"\x48", 960),  # SILK WB 20 ms
        (b"\x58x", 2880),  # SILK WB 60 ms
        (b"\x78x", 960),  # hybrid FB 20 ms
        (b"\xf8x", 960),  # CELT FB 20 ms
        (b"\xe0x", 120),  # CELT FB 2.5 ms
        (b"\xf9xx", 1920),  # two frames of 20 ms
        (b"\xfb\x03x", 2880),  # code 3, three frames of 20 ms
        (b"\xfb", 0),  # code 3 without its count
        (b"\xfb\x3fx", 0),  # 63 frames of 20 ms: more than 120 ms may not be
    ],
)
def test_a_packets_length_is_read_from_its_first_byte(payload: bytes, samples: int) -> None:
    assert opus_samples(payload) == samples


@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 2**32 - 1), st.binary(max_size=8))))
def test_no_packet_raises(packets: list[tuple[int, int, bytes]]) -> None:
    reorderer = Reorderer()
    for index, (sequence, timestamp, payload) in enumerate(packets):
        reorderer.push(RtpAudio(sequence, timestamp, payload), 0.02 * index)
    reorderer.drain()
