"""The data channel's association: what a client's packets may cost."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiortc.rtcsctptransport
import pytest
from aiortc import RTCDataChannel, RTCSctpTransport
from aiortc.rtcsctptransport import (
    SCTP_DATA_FIRST_FRAG,
    SCTP_DATA_LAST_FRAG,
    Chunk,
    DataChunk,
    ForwardTsnChunk,
    HeartbeatChunk,
    InitChunk,
    ReconfigChunk,
    SackChunk,
    StreamResetOutgoingParam,
    serialize_packet,
)
from omni_agent_webrtc import WebRTCTransport
from omni_agent_webrtc.peer import CHANNEL
from omni_agent_webrtc.sctp import (
    MAX_CHUNKS,
    MAX_SENT,
    MAX_STREAMS,
    RECONFIG_PARAMETERS,
    SctpTransport,
    decode_params,
)

from tests.transports.calling import call, client, first, until


@dataclass
class Talking:
    """A call over whose data channel a message has come already."""

    line: WebRTCTransport
    channel: RTCDataChannel
    ours: RTCSctpTransport
    theirs: RTCSctpTransport


@asynccontextmanager
async def talking() -> AsyncIterator[Talking]:
    peer = client()
    channel = peer.createDataChannel(CHANNEL)
    channel.on("open", lambda: channel.send("first"))
    async with call(peer) as line, asyncio.timeout(20):
        await first(line, lambda arrival: arrival == "first")
        assert line._peer is not None
        assert line._peer.connection.sctp is not None
        assert peer.sctp is not None
        yield Talking(line, channel, line._peer.connection.sctp, peer.sctp)


async def test_an_init_that_comes_late_does_not_deafen_the_data_channel() -> None:
    """aiortc would count the client's packets anew and wait for one that came long ago."""
    async with talking() as they:
        theirs, late = they.theirs, InitChunk()
        late.initiate_tag, late.initial_tsn = theirs._local_verification_tag, theirs._local_tsn - 1
        late.advertised_rwnd, late.outbound_streams, late.inbound_streams = 131_072, 65_535, 65_535
        await they.ours._receive_chunk(late)
        they.channel.send("second")
        await first(they.line, lambda arrival: arrival == "second")


def piece(tsn: int, *, stream: int = 1, first: bool = False, size: int = 1_100) -> DataChunk:
    """A part of a message that does not end with it."""
    chunk = DataChunk(flags=SCTP_DATA_FIRST_FRAG if first else 0)
    chunk.tsn, chunk.stream_id, chunk.protocol = tsn, stream, 51
    chunk.user_data = b"x" * size
    return chunk


async def test_a_message_without_end_costs_its_client_the_call_and_nobody_time() -> None:
    async with talking() as they:
        for count in range(20 * MAX_CHUNKS):
            chunk = piece(they.theirs._local_tsn + count, first=count == 0)
            chunk.stream_seq = 1
            await they.theirs._send_chunk(chunk)
            if they.line.ended:
                break
            if count % 32 == 0:
                await asyncio.sleep(0)
        await until(lambda: they.line.ended)
        held = sum(len(one.reassembly) for one in they.ours._inbound_streams.values())
        assert held < 2 * MAX_CHUNKS


@pytest.fixture
async def association() -> AsyncIterator[SctpTransport]:
    """Where packet 1 is expected."""
    peer = client()
    sctp = SctpTransport(peer.getTransceivers()[0].receiver.transport)
    sctp._set_state(sctp.State.ESTABLISHED)
    sctp._last_received_tsn, sctp._remote_port = 0, 5000
    yield sctp
    await sctp.stop()
    await peer.close()


async def test_two_that_lost_each_others_first_answers_find_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both begin; each has the other's INIT, neither the answer to its own."""
    peers = client(), client()
    ends = [SctpTransport(peer.getTransceivers()[0].receiver.transport) for peer in peers]
    wire: list[tuple[SctpTransport, bytes]] = []
    for end, other in (ends, ends[::-1]):

        async def send(data: bytes, to: SctpTransport = other) -> None:
            wire.append((to, data))

        monkeypatch.setattr(end.transport, "_send_data", send)

    async def carry() -> None:
        while wire:
            to, data = wire.pop(0)
            await to._handle_data(data)

    for end in ends:
        await end.start(SctpTransport.getCapabilities(), 5000)
    inits, wire[:] = wire[:], []
    for to, data in inits:
        await to._handle_data(data)
    wire.clear()  # the answers
    for end in ends:
        assert end._t1_chunk is not None
        await end._send_chunk(end._t1_chunk)  # as the timer does
    await carry()
    assert [end.state for end in ends] == ["connected", "connected"]
    for end, peer in zip(ends, peers, strict=True):
        await end.stop()
        await peer.close()


async def test_what_came_ahead_of_a_lost_packet_is_bounded_and_comes_again(
    association: SctpTransport,
) -> None:
    for tsn in range(2, 10 * MAX_CHUNKS):
        await association._receive_chunk(piece(tsn))
    assert len(association._sack_misordered) == MAX_CHUNKS
    assert association.state == "connected"
    await association._receive_chunk(piece(1))
    assert association._last_received_tsn == MAX_CHUNKS + 1


async def test_pieces_are_bounded_whatever_their_size_and_number_of_streams(
    association: SctpTransport,
) -> None:
    for tsn in range(1, MAX_STREAMS + 1):
        await association._receive_chunk(piece(tsn, stream=tsn, first=True, size=1))
    assert association.state == "connected"
    await association._receive_chunk(piece(MAX_STREAMS + 1, stream=0, first=True, size=1))
    assert association.state == "closed"


async def test_pieces_are_bounded_by_the_window_that_the_client_is_told_of(
    association: SctpTransport,
) -> None:
    for tsn in range(1, MAX_CHUNKS):
        await association._receive_chunk(piece(tsn, first=tsn == 1, size=16_000))
    assert association.state == "closed"
    assert association._advertised_rwnd > -16_001


# -- chunks with numbers in them ---------------------------------------------------------


@pytest.fixture
def answers(association: SctpTransport, monkeypatch: pytest.MonkeyPatch) -> list[Chunk]:
    """What the association sends."""
    sent: list[Chunk] = []

    async def send(chunk: Chunk) -> None:
        sent.append(chunk)

    monkeypatch.setattr(association, "_send_chunk", send)
    return sent


async def speak(association: SctpTransport, pieces: int) -> int:
    """Our message of so many pieces, all of them sent; the number before the first of them."""
    association._cwnd = 2**31
    before = association._last_sacked_tsn
    await association._send(1, 51, b"x" * pieces * aiortc.rtcsctptransport.USERDATA_MAX_LENGTH)
    while association._outbound_queue:
        association._flight_size = 0  # as a client has it that takes its time
        await association._transmit()
    assert len(association._sent_queue) == pieces
    return before


def sack(cumulative: int, *gaps: tuple[int, int]) -> SackChunk:
    chunk = SackChunk()
    chunk.cumulative_tsn, chunk.gaps = cumulative % 2**32, list(gaps)
    return chunk


def packet(association: SctpTransport, *chunks: Chunk) -> bytes:
    """As the client sends them, in one datagram."""

    class Several:
        def __bytes__(self) -> bytes:
            return b"".join(map(bytes, chunks))

    tag = association._local_verification_tag
    several: Any = Several()  # as much of a chunk as is used
    return serialize_packet(5000, 5000, tag, several)


class Span(tuple[int, int]):
    """A gap block; counts how often somebody looks at all that it spans."""

    looked = 0

    def __getitem__(self, index: Any) -> Any:
        Span.looked += 1
        return super().__getitem__(index)


@pytest.mark.parametrize(
    "gaps",
    [
        [(0, 65_535)] * 280,  # which cost 3 s
        [(2, 3), (3, 4)],
        [(4, 5), (2, 2)],
        [(5, 4)],
        [(0, 2)],
        [(2, 6)],
    ],
    ids=["everything, many times", "overlap", "descend", "backwards", "begin at 0", "unsent"],
)
async def test_an_acknowledgement_of_what_was_never_sent_is_not_looked_at(
    association: SctpTransport, answers: list[Chunk], gaps: list[tuple[int, int]]
) -> None:
    before = await speak(association, 5)
    Span.looked = 0
    await association._handle_data(packet(association, sack(before, *gaps)))
    chunk = sack(before)
    chunk.gaps = [Span(gap) for gap in gaps]
    association._kinds.clear()
    await association._receive_chunk(chunk)
    assert Span.looked == 0
    assert not any(one._acked or one._misses for one in association._sent_queue)
    assert association.state == "connected"


async def test_what_was_sent_is_acknowledged(
    association: SctpTransport, answers: list[Chunk]
) -> None:
    before = await speak(association, 6)
    await association._handle_data(packet(association, sack(before + 7)))
    assert len(association._sent_queue) == 6
    await association._handle_data(packet(association, sack(before + 1, (2, 2), (4, 5))))
    assert [one._acked for one in association._sent_queue] == [False, True, False, True, True]
    await association._handle_data(packet(association, sack(before + 6)))
    assert not association._sent_queue


async def test_a_packet_has_one_acknowledgement_and_one_heartbeat(
    association: SctpTransport, answers: list[Chunk]
) -> None:
    before = await speak(association, 3)
    answers.clear()
    chunks = [HeartbeatChunk()] * 200 + [sack(before + 1), sack(before + 3)]
    await association._handle_data(packet(association, *chunks))
    assert len(answers) == 1
    assert len(association._sent_queue) == 2


async def test_a_parameter_without_a_length_has_an_end(
    association: SctpTransport, answers: list[Chunk]
) -> None:
    """aiortc would read it for ever, and every other call would wait."""
    for body in (b"\0\x01\0\0", b"\0\x01\0\x04\0\x01\0\x03"):
        with pytest.raises(ValueError, match="shorter than its own header"):
            decode_params(body)
    whole = b"\0\x01\0\x05x\0\0\0\0\x02\0\x04"
    assert decode_params(whole) == [(1, b"x"), (2, b"")]
    assert aiortc.rtcsctptransport.decode_params is decode_params
    heartbeat = Chunk(body=b"\0\x01\0\0")
    heartbeat.type = HeartbeatChunk.type
    await association._handle_data(packet(association, heartbeat))
    assert (answers, association.state) == ([], "connected")


async def test_a_reconfiguration_has_no_more_requests_than_the_rfc_gives_it(
    association: SctpTransport, answers: list[Chunk]
) -> None:
    chunk = ReconfigChunk()
    for sequence in range(70):
        request = StreamResetOutgoingParam(sequence, 0, last_tsn=0, streams=[])
        chunk.params.append((aiortc.rtcsctptransport.SCTP_STR_RESET_OUT_REQUEST, bytes(request)))
    await association._handle_data(packet(association, chunk))
    assert answers == []
    del chunk.params[RECONFIG_PARAMETERS:]
    await association._handle_data(packet(association, chunk))
    assert len(answers) == RECONFIG_PARAMETERS


async def test_no_more_streams_are_skipped_than_there_may_be(
    association: SctpTransport, answers: list[Chunk]
) -> None:
    chunk = ForwardTsnChunk()
    chunk.cumulative_tsn, chunk.streams = 5, [(1, 1)] * (MAX_STREAMS + 1)
    await association._handle_data(packet(association, chunk))
    assert association._last_received_tsn == 0
    chunk.streams.pop()
    await association._handle_data(packet(association, chunk))
    assert association._last_received_tsn == 5


async def test_a_chunk_that_cannot_be_read_costs_its_client_the_channel_and_one_line(
    association: SctpTransport, answers: list[Chunk], caplog: pytest.LogCaptureFixture
) -> None:
    torn = Chunk(body=struct.pack("!LLHH", 1, 1, 500, 0))  # of 500 blocks there is none
    torn.type = SackChunk.type
    for _ in range(3):
        await association._handle_data(packet(association, torn))
    assert association.state == "closed"
    assert len([one for one in caplog.records if one.levelname == "WARNING"]) == 1


async def test_a_client_that_leaves_a_hole_in_what_it_acknowledges_loses_the_channel(
    association: SctpTransport, answers: list[Chunk]
) -> None:
    before = await speak(association, MAX_SENT)
    await association._handle_data(packet(association, sack(before, (2, MAX_SENT))))
    assert association.state == "connected"
    await association._send(1, 51, b"x")
    await association._handle_data(packet(association, sack(before, (2, MAX_SENT))))
    assert association.state == "closed"


async def test_a_stream_that_is_reset_in_the_middle_of_a_message_takes_no_room_any_more(
    association: SctpTransport, answers: list[Chunk]
) -> None:
    before = association._advertised_rwnd
    for tsn in range(1, 50):
        await association._receive_chunk(piece(tsn, stream=2, first=True))
        assert association._advertised_rwnd < before
        association._kinds.clear()
        asked = StreamResetOutgoingParam(
            request_sequence=tsn, response_sequence=0, last_tsn=tsn, streams=[2]
        )
        reset = ReconfigChunk()
        reset.params = [(13, bytes(asked))]
        await association._receive_chunk(reset)
    assert association.state == "connected"
    assert association._advertised_rwnd == before


async def test_channels_are_bounded_although_their_streams_are_given_up(
    association: SctpTransport, answers: list[Chunk]
) -> None:
    whole = SCTP_DATA_FIRST_FRAG | SCTP_DATA_LAST_FRAG
    for tsn in range(1, MAX_STREAMS + 2):
        assert association.state == "connected"
        opening = DataChunk(flags=whole)
        opening.tsn, opening.stream_id = tsn, 2 * tsn
        opening.protocol = aiortc.rtcsctptransport.WEBRTC_DCEP
        opening.user_data = struct.pack("!BBHLHH", 3, 0, 0, 0, 0, 0)
        await association._receive_chunk(opening)
        association._inbound_streams.clear()
    assert association.state == "closed"
