"""Puts RTP audio packets in order with as little waiting as possible.

aiortc's jitter buffer delays every packet by 80 ms, and by 200 ms for good once
one is lost. Here a packet that is next in line leaves at once; one that is early
waits for the missing ones, but no longer than ``HOLD_S`` or ``HOLD_PACKETS``.
Lost time stays on the timeline, as a gap of so many samples, up to ``MAX_FILL``.
"""

from __future__ import annotations

from dataclasses import dataclass

RTP_RATE = 48_000
"""Opus' RTP clock, Hz, whatever the coded bandwidth (RFC 7587 section 4.1)."""
HOLD_S = 0.06
HOLD_PACKETS = 10
MAX_FILL = RTP_RATE // 5
"""Of a longer hole only so much stays on the timeline: the rest would only add delay."""
MAX_JUMP = 1000
"""Sequence numbers further away than this mean that the sender started anew."""

_SILK_MS, _HYBRID_MS, _CELT_MS = (10, 20, 40, 60), (10, 20), (2.5, 5, 10, 20)


def opus_samples(payload: bytes) -> int:
    """Samples at 48 kHz in an Opus packet, from its TOC (RFC 6716 section 3.1); 0 if malformed."""
    if not payload:
        return 0
    config, code = payload[0] >> 3, payload[0] & 3
    if config < 12:
        frame_ms: float = _SILK_MS[config & 3]
    elif config < 16:
        frame_ms = _HYBRID_MS[config & 1]
    else:
        frame_ms = _CELT_MS[config & 3]
    if code == 3 and len(payload) < 2:
        return 0
    frames = (1, 2, 2, payload[1] & 63 if code == 3 else 0)[code]
    samples = round(frames * frame_ms * RTP_RATE / 1000)
    return samples if samples <= 5760 else 0  # 120 ms is the most a packet may hold


@dataclass(frozen=True, slots=True)
class RtpAudio:
    """One received packet. sequence: 16 bits; timestamp: 32 bits, at 48 kHz."""

    sequence: int
    timestamp: int
    payload: bytes
    ssrc: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """Time in which nothing arrived, samples at 48 kHz; the packet after it follows."""

    samples: int


def _forward(a: int, b: int) -> int:
    """The signed 16-bit distance from sequence number ``b`` to ``a``."""
    return ((a - b + 0x8000) & 0xFFFF) - 0x8000


class Reorderer:
    """Packets in as they arrive, packets and gaps out in order. ``now`` is in seconds."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._time: int | None = None  # RTP timestamp where the emitted audio ends
        self._ssrc = 0
        self._waiting: dict[int, tuple[float, RtpAudio]] = {}
        self.late = 0
        """Packets that came after their time was given up, or twice."""

    @property
    def deadline(self) -> float | None:
        """When ``poll`` will give up on a missing packet; None when none is missing."""
        if not self._waiting:
            return None
        return min(arrived for arrived, _ in self._waiting.values()) + HOLD_S

    def push(self, packet: RtpAudio, now: float) -> list[RtpAudio | Gap]:
        """Everything that can leave now that this packet has arrived."""
        if not opus_samples(packet.payload):
            return self.poll(now)
        out: list[RtpAudio | Gap] = []
        ahead = 0 if self._next is None else _forward(packet.sequence, self._next)
        if self._next is None or packet.ssrc != self._ssrc or abs(ahead) > MAX_JUMP:
            out += self.drain()
            self._next, self._time, self._ssrc = packet.sequence, None, packet.ssrc
            ahead = 0
        if ahead < 0 or packet.sequence in self._waiting:
            self.late += 1
        else:
            self._waiting[packet.sequence] = (now, packet)
        return out + self.poll(now)

    def poll(self, now: float) -> list[RtpAudio | Gap]:
        """What can leave at this time, giving up on packets that are missing too long."""
        out = self._take_ready()
        while self._waiting and self._give_up(now):
            self._skip_to_first()
            out += self._take_ready()
        return out

    def drain(self) -> list[RtpAudio | Gap]:
        """Everything that waits, whatever is missing."""
        out: list[RtpAudio | Gap] = []
        while self._waiting:
            self._skip_to_first()
            out += self._take_ready()
        return out

    def _give_up(self, now: float) -> bool:
        deadline = self.deadline
        return len(self._waiting) >= HOLD_PACKETS or (deadline is not None and now >= deadline)

    def _skip_to_first(self) -> None:
        start = self._next or 0
        self._next = min(self._waiting, key=lambda sequence: _forward(sequence, start))

    def _take_ready(self) -> list[RtpAudio | Gap]:
        out: list[RtpAudio | Gap] = []
        while self._next is not None and self._next in self._waiting:
            _, packet = self._waiting.pop(self._next)
            self._next = (self._next + 1) & 0xFFFF
            if self._time is not None:
                hole = (packet.timestamp - self._time) & 0xFFFFFFFF
                if 0 < hole < 1 << 31:
                    out.append(Gap(min(hole, MAX_FILL)))
            self._time = (packet.timestamp + opus_samples(packet.payload)) & 0xFFFFFFFF
            out.append(packet)
        return out
