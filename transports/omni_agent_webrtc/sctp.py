"""The data channel's association, for clients that mean ill and lines that are bad."""

from __future__ import annotations

import logging
from typing import Any

import aiortc.rtcsctptransport
from aiortc import RTCSctpTransport
from aiortc.rtcsctptransport import (
    SCTP_TSN_MODULO,
    Chunk,
    DataChunk,
    ForwardTsnChunk,
    InitChunk,
    ReconfigChunk,
    SackChunk,
    serialize_packet,
)
from aiortc.utils import uint32_add

log = logging.getLogger(__name__)

MAX_CHUNKS = 128
"""Pieces of an unfinished message, or of what came ahead of a lost packet. The longest message
that our answers allow (64 KiB) has 64 pieces where a network carries 1,024 bytes of it."""
MAX_STREAMS = 64
"""Streams of a client, of which a call needs one."""
MAX_SENT = 4096
"""Our pieces that a client has not acknowledged one and all; it looks at each for each answer."""
RECONFIG_PARAMETERS = 2
"""Of one RE-CONFIG chunk (RFC 6525 section 3.1); each is answered."""

_stock_decode_params = aiortc.rtcsctptransport.decode_params


def decode_params(body: bytes) -> list[tuple[int, bytes]]:
    """aiortc's, which has no end where a parameter says that it has no length.

    Raises ValueError there, at which aiortc drops the packet.
    """
    at = 0
    while at <= len(body) - 4:
        length = int.from_bytes(body[at + 2 : at + 4], "big")
        if length < 4:
            raise ValueError("an SCTP parameter is shorter than its own header")
        at += length + -length % 4
    return _stock_decode_params(body)


class SctpTransport(RTCSctpTransport):
    """Survives an INIT that comes late: aiortc begins to count the other's packets anew then,
    and the data channel is silent for good. RFC 9260 section 5.2.2 has it change nothing.

    Ends an association whose messages do not: aiortc keeps every piece of one, and looks
    through all of them for each that comes. What a client's packet makes us do is bounded
    by what we have sent and what it may send, never by the numbers in it.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._kinds: set[int] = set()  # of chunks in the packet that is read

    async def _send_chunk(self, chunk: Chunk) -> None:
        """An INIT says that it is one with a tag of 0 (RFC 9260 section 8.5.1). aiortc repeats
        it with the other's tag, once that is known, and the other does not look at it."""
        if isinstance(chunk, InitChunk):
            assert self._remote_port is not None  # since it was started
            packet = serialize_packet(self._local_port, self._remote_port, 0, chunk)
            await self.transport._send_data(packet)
        else:
            await super()._send_chunk(chunk)

    async def _handle_data(self, data: bytes) -> None:
        if self.state == "closed":
            return
        self._kinds.clear()
        try:
            await super()._handle_data(data)
        except ConnectionError:  # of the line, which aiortc looks after
            raise
        except Exception as error:  # what damaged chunks do to aiortc is not the same twice
            log.warning("a data channel was closed: its client sent what is not SCTP (%r)", error)
            log.debug("where it failed", exc_info=True)
            await self.stop()

    async def _receive_chunk(self, chunk: Chunk) -> None:
        if self.state == "closed":  # by an earlier chunk of the same packet
            return
        if not self._is_sensible(chunk):
            return
        if isinstance(chunk, DataChunk) and self._is_too_early(chunk):
            self._sack_needed = True  # it is sent again
            return
        late = isinstance(chunk, InitChunk) and self._association_state in (
            self.State.COOKIE_ECHOED,
            self.State.ESTABLISHED,
        )
        counted = self._last_received_tsn, self._reconfig_response_seq
        await super()._receive_chunk(chunk)
        if late:
            self._last_received_tsn, self._reconfig_response_seq = counted
        if self._holds_too_much():
            log.warning("a data channel was closed: its client goes beyond every bound")
            await self.stop()

    def _is_sensible(self, chunk: Chunk) -> bool:
        """Whether it is one that a client sends; the others are answered many times over."""
        if isinstance(chunk, DataChunk):
            return True
        if chunk.type in self._kinds:
            return False
        self._kinds.add(chunk.type)
        if isinstance(chunk, SackChunk):
            return self._is_of_what_was_sent(chunk)
        if isinstance(chunk, ForwardTsnChunk):
            return len(chunk.streams) <= MAX_STREAMS
        return not isinstance(chunk, ReconfigChunk) or len(chunk.params) <= RECONFIG_PARAMETERS

    def _is_of_what_was_sent(self, sack: SackChunk) -> bool:
        """aiortc walks through every number that a gap block spans, and blocks may overlap."""
        unsent = self._outbound_queue[0].tsn if self._outbound_queue else self._local_tsn
        ahead = (unsent - sack.cumulative_tsn) % SCTP_TSN_MODULO
        if not 0 < ahead < SCTP_TSN_MODULO // 2:
            return False
        last = 0
        for start, end in sack.gaps:
            if not last < start <= end < ahead:
                return False
            last = end
        return True

    def _is_too_early(self, chunk: DataChunk) -> bool:
        """Whether it, and more than are kept, came ahead of a chunk that is still missing."""
        expected = uint32_add(self._last_received_tsn or 0, 1)
        return len(self._sack_misordered) >= MAX_CHUNKS and chunk.tsn != expected

    async def _reset_deferred_streams(self) -> None:
        """aiortc forgets what a stream that is reset still held, and not that it takes room."""
        held = self._held()
        await super()._reset_deferred_streams()
        self._advertised_rwnd += held - self._held()

    def _held(self) -> int:
        """Bytes of messages that are not complete."""
        streams = self._inbound_streams.values()
        return sum(len(chunk.user_data) for stream in streams for chunk in stream.reassembly)

    def _holds_too_much(self) -> bool:
        """Whether the client overran the window it was told of, never ends a message, or
        leaves a hole in what it acknowledges."""
        streams = self._inbound_streams.values()
        longest = max((len(stream.reassembly) for stream in streams), default=0)
        return (
            self._advertised_rwnd < 0
            or len(streams) > MAX_STREAMS
            or len(self._data_channels) > MAX_STREAMS  # a reset leaves the channel of a stream
            or len(self._sent_queue) > MAX_SENT
            or longest - len(self._sack_misordered) > MAX_CHUNKS
        )
