"""The line over real aiortc on loopback."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import Iterator
from itertools import pairwise
from typing import Never

import aioice
import aioice.stun
import aiortc
import aiortc.rtcdtlstransport
import aiortc.rtcrtpreceiver
import aiortc.rtcsctptransport
import numpy as np
import pytest
from aiortc import RTCPeerConnection, RTCSctpTransport, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from aiortc.rtcsctptransport import Chunk
from omni_agent_webrtc import WebRTCTransport, answer
from omni_agent_webrtc.ice import Connection
from omni_agent_webrtc.peer import CHANNEL, MAX_MESSAGE, close_peer
from omni_agent_webrtc.silence import Silence
from omni_agent_webrtc.stack import SctpTransport
from omni_agent_webrtc.tracks import JITTER_BUFFER
from omni_agent_webrtc.transport import MAX_BUFFERED, MAX_REPLAYED, MAX_WAITING, RENEWALS

from omni_agent.audio import AudioFrame
from omni_agent.errors import SignallingError
from omni_agent.transport import PlayoutFinished, PlayoutStarted, VideoFrame
from tests.arrivals import arrivals
from tests.transports.calling import Camera, Hum, call, client, first, offer_of, silenced, until


def tone(seconds: float) -> AudioFrame:
    wave = 8000 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * 24_000)) / 24_000)
    return AudioFrame(wave.astype(np.int16), 24_000)


async def test_aiortc_is_the_minor_version_whose_private_parts_we_know() -> None:
    """When this fails: check the attribute and JitterBuffer.add, then raise the pin."""
    assert aiortc.__version__.startswith("1.16.")
    assert aioice.__version__.startswith("0.13.")
    peer = RTCPeerConnection()
    receiver = peer.addTransceiver("audio").receiver
    assert isinstance(receiver, RTCRtpReceiver)
    assert hasattr(getattr(receiver, JITTER_BUFFER), "add")
    assert hasattr(peer, "_RTCPeerConnection__dtlsTransports")
    assert hasattr(peer, "_RTCPeerConnection__iceTransports")
    assert hasattr(peer, "_RTCPeerConnection__connect")
    assert aiortc.rtcsctptransport.SCTP_RTO_INITIAL
    for name in ("check_incoming", "query_consent", "get_component_candidates"):
        assert callable(getattr(aioice.Connection, name))
    sctp = RTCSctpTransport(receiver.transport)
    for name in ("_association_state", "_last_received_tsn", "_reconfig_response_seq"):
        assert hasattr(sctp, name)
    for name in ("_advertised_rwnd", "_inbound_streams", "_sack_misordered", "_sack_needed"):
        assert hasattr(sctp, name)
    for name in ("_data_channels", "_local_tsn", "_outbound_queue", "_sent_queue"):
        assert hasattr(sctp, name)
    assert hasattr(receiver.transport, "_rtp_router")
    for module, name in (
        (aioice.stun, "parse_message"),
        (aiortc.rtcdtlstransport, "Session"),
        (aiortc.rtcrtpreceiver, "NackGenerator"),
        (aiortc.rtcsctptransport, "decode_params"),
    ):
        assert hasattr(module, name)
    for name in ("_handle_rtp_data", "_handle_rtcp_data"):
        assert callable(getattr(aiortc.RTCDtlsTransport, name))
    await peer.close()


@pytest.mark.parametrize("inline", [True, False])
async def test_the_users_voice_arrives_inline_and_through_the_fallback(inline: bool) -> None:
    async with call(client(Hum()), inline=inline) as line:
        heard = 0

        def loud(arrival: object) -> bool:
            nonlocal heard
            if isinstance(arrival, AudioFrame):
                assert (arrival.sample_rate, arrival.samples) == (16_000, 320)
                assert arrival.position % 320 == 0
                heard += int(np.abs(arrival.pcm).max() > 4000)
            return heard >= 10

        await first(line, loud)


async def test_without_the_private_attribute_the_stock_path_is_taken(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("omni_agent_webrtc.tracks.JITTER_BUFFER", "_gone")
    with caplog.at_level(logging.WARNING):
        async with call(client(Hum())) as line:
            await first(line, lambda arrival: isinstance(arrival, AudioFrame))
    assert "_gone" in caplog.text


async def test_speech_is_announced_played_and_finished() -> None:
    async with call(client()) as line:
        await line.play("u", tone(0.3))
        line.finish("u")
        await first(line, lambda arrival: arrival == PlayoutStarted("u", arrival.at)
                    if isinstance(arrival, PlayoutStarted) else False)  # fmt: skip


async def test_play_waits_while_enough_is_queued_and_a_flush_lets_it_go() -> None:
    async with call(client()) as line:
        await line.play("u", tone(3.0))
        waiting = asyncio.ensure_future(line.play("u", tone(3.0)))
        await first(line, lambda arrival: isinstance(arrival, PlayoutStarted))
        assert not waiting.done()
        assert line.flush() > 2000
        async with asyncio.timeout(20):
            await waiting


async def test_play_never_waits_for_a_line_that_has_ended() -> None:
    async with call(client()) as line:
        await line.play("u", tone(3.0))
        waiting = asyncio.ensure_future(line.play("u", tone(3.0)))
        await line.aclose()
        async with asyncio.timeout(20):
            await waiting


async def test_the_camera_is_drained_and_its_newest_picture_delivered_as_jpeg() -> None:
    async with call(client(Hum(), Camera())) as line:
        picture = await first(line, lambda arrival: isinstance(arrival, VideoFrame))
        assert picture.jpeg.startswith(b"\xff\xd8")
        assert (picture.width, picture.height) == (320, 240)


async def test_messages_wait_for_the_channel_and_come_in_order() -> None:
    peer = client()
    channel = peer.createDataChannel(CHANNEL)
    got: list[str] = []
    enough = asyncio.Event()

    def message(text: str) -> None:
        got.append(text)
        if len(got) == 20:
            enough.set()

    channel.on("message", message)
    channel.on("open", lambda: channel.send("from the client"))
    async with call(peer) as line:
        for index in range(20):
            line.send(str(index))
        assert await first(line, lambda arrival: isinstance(arrival, str)) == "from the client"
        async with asyncio.timeout(20):
            await enough.wait()
        assert got == [str(index) for index in range(20)]


async def test_last_words_arrive_although_the_line_is_closed_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("omni_agent_webrtc.transport.LAST_WORDS_S", 20.0)
    peer = client()
    channel = peer.createDataChannel(CHANNEL)
    got: list[str] = []
    channel.on("message", got.append)
    channel.on("open", lambda: channel.send("ready"))
    async with call(peer) as line:
        await first(line, lambda arrival: arrival == "ready")
        for index in range(50):
            line.send(str(index) + "x" * 500)
        await line.aclose()
        async with asyncio.timeout(20):
            while channel.readyState == "open":  # noqa: ASYNC110  # polls the other end
                await asyncio.sleep(0.01)
    assert len(got) == 50


async def test_a_second_microphone_is_drained_and_not_mixed_in() -> None:
    async with call(client(Hum(), AudioStreamTrack())) as line:
        positions = []

        def enough(arrival: object) -> bool:
            if isinstance(arrival, AudioFrame):
                positions.append(arrival.position)
            return len(positions) == 40

        await first(line, enough)
        assert positions == [320 * index for index in range(40)]


async def test_what_waits_for_a_channel_is_bounded_and_the_first_messages_stay() -> None:
    peer = client()
    line, _ = await answer(await offer_of(peer))
    for index in range(MAX_WAITING + 10):
        line.send(str(index))
    assert list(line._waiting) == [str(index) for index in range(MAX_WAITING)]
    await line.aclose()
    await peer.close()


async def test_closing_twice_and_at_once_is_closing() -> None:
    peer = client()
    line, _ = await answer(await offer_of(peer))
    await asyncio.gather(line.aclose(), line.aclose(), line.aclose())
    await line.aclose()
    assert [message async for message in line.messages()] == []
    line.send("nobody hears this")
    await peer.close()


async def test_a_line_with_no_packets_is_stalled_then_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omni_agent_webrtc.transport.WATCH_S", 0.05)
    monkeypatch.setattr("omni_agent_webrtc.transport.STALLED_S", 0.5)
    monkeypatch.setattr("omni_agent_webrtc.transport.LOST_S", 1.5)
    peer = client()
    async with call(peer) as line, asyncio.timeout(20):
        await first(line, lambda arrival: isinstance(arrival, AudioFrame))
        with silenced(peer):
            async for _ in line.messages():
                pass
        assert line.stalled
        assert line.reason == "line lost"


async def test_what_is_said_into_a_lost_line_is_said_again_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("omni_agent_webrtc.transport.WATCH_S", 0.05)
    monkeypatch.setattr("omni_agent_webrtc.transport.STALLED_S", 1.0)
    monkeypatch.setattr("omni_agent_webrtc.transport.DOUBT_S", 0.2)
    peer = client()
    async with call(peer) as line, asyncio.timeout(30):
        await first(line, lambda arrival: isinstance(arrival, AudioFrame))
        with silenced(peer):
            await line.play("u", tone(0.6))
            line.finish("u")
            await until(lambda: line.stalled)
            assert line.heard("u").ms < 200  # all but what left in the first moments
        ended = await first(line, lambda arrival: isinstance(arrival, PlayoutFinished))
        assert ended.utterance == "u"
        await until(lambda: line.heard("u").ms == 600)
        assert not line.stalled


async def test_an_agent_and_its_messages_go_on_over_the_next_connection() -> None:
    """The old one falls silent; a stranger's connection would need the call's id to replace it."""
    old, new = client(), client(Hum())
    got: list[str] = []
    old.createDataChannel(CHANNEL)
    channel = new.createDataChannel(CHANNEL)
    channel.on("message", got.append)
    async with call(old) as line, asyncio.timeout(30):
        await first(line, lambda arrival: isinstance(arrival, AudioFrame))
        with silenced(old):
            line.send("lost with the old one")
            sdp = await line.renew(await offer_of(new))
            await new.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
            await until(lambda: "lost with the old one" in got)
            line.send("over the new one")
            await until(lambda: "over the new one" in got)
            await line.play("u", tone(0.3))
            line.finish("u")
            await first(line, lambda arrival: isinstance(arrival, PlayoutFinished))
        await new.close()
        await until(lambda: line.ended)
        assert line.reason == "closed by the page"


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[asyncio.Event]:
    """Until it is set, the data channels of connections made from now on do not open."""
    released = asyncio.Event()
    receive = SctpTransport._receive_chunk

    async def late(self: SctpTransport, chunk: Chunk) -> None:
        if self.state != "connected":
            await released.wait()
        await receive(self, chunk)

    monkeypatch.setattr(SctpTransport, "_receive_chunk", late)
    yield released
    released.set()


async def test_the_connection_in_use_stays_until_the_next_ones_data_channel_is_open(
    request: pytest.FixtureRequest,
) -> None:
    """It may be alive again; a client whose channel was closed would take it for the end."""
    old, new = client(Hum()), client(Hum())
    channel, later = old.createDataChannel(CHANNEL), new.createDataChannel(CHANNEL)
    channel.on("message", channel.send)
    later.on("message", later.send)
    order: list[str] = []
    channel.on("close", lambda: order.append("the old one closed"))
    later.on("open", lambda: order.append("the new one opened"))
    async with call(old) as line, asyncio.timeout(30):
        line.send("there and back")
        await first(line, lambda arrival: arrival == "there and back")
        released: asyncio.Event = request.getfixturevalue("held")
        sdp = await line.renew(await offer_of(new))
        await new.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        await until(lambda: line._peers[-1].connected.is_set())
        line.send("over the old one")
        await first(line, lambda arrival: arrival == "over the old one")
        positions: list[int] = []
        async for arrival in arrivals(line):
            positions += [arrival.position] if isinstance(arrival, AudioFrame) else []
            if len(positions) == 30:
                break
        steps = {later - one for one, later in pairwise(positions)}
        assert steps == {320}, "both connections were listened to"
        assert order == []
        released.set()
        await until(lambda: len(order) == 2)
        assert order == ["the new one opened", "the old one closed"]
        line.send("over the new one")
        await first(line, lambda arrival: arrival == "over the new one")
        assert line.connected
    await new.close()


async def test_what_is_sent_again_over_a_new_connection_costs_nothing_of_what_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("omni_agent_webrtc.transport.WATCH_S", 0.05)
    monkeypatch.setattr("omni_agent_webrtc.transport.STALLED_S", 0.5)
    old, new = client(), client()
    got: list[str] = []
    opened = old.createDataChannel(CHANNEL)
    opened.on("open", lambda: opened.send("ready"))
    new.createDataChannel(CHANNEL).on("message", got.append)
    async with call(old) as line, asyncio.timeout(30):
        await first(line, lambda arrival: arrival == "ready")
        sent = [f"sent {index}" for index in range(MAX_REPLAYED)]
        waiting = [f"waiting {index}" for index in range(MAX_WAITING)]
        with silenced(old):
            for text in sent:
                line.send(text)
            await until(lambda: line.stalled)
            for text in waiting:
                line.send(text)
            sdp = await line.renew(await offer_of(new))
            await new.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
            await until(lambda: len(got) >= MAX_REPLAYED + MAX_WAITING)
        assert got == sent + waiting
    await new.close()


async def test_a_second_connection_that_never_comes_up_costs_nothing() -> None:
    old, never, later = client(), client(), client()
    channel = old.createDataChannel(CHANNEL)
    channel.on("message", channel.send)
    async with call(old) as line, asyncio.timeout(20):
        await first(line, lambda arrival: isinstance(arrival, AudioFrame))
        line._connect_s = 0.05  # for those that never come
        await line.renew(await offer_of(never))
        await line.renew(await offer_of(later))
        await until(lambda: len(line._peers) == 1)
        assert line.connected
        with pytest.raises(SignallingError, match="must begin with v=0"):
            await line.renew("nonsense")
        line.send("still here")
        await first(line, lambda arrival: arrival == "still here")
    await never.close()
    await later.close()


async def test_a_second_connection_whose_data_channel_never_opens_costs_nothing(
    request: pytest.FixtureRequest,
) -> None:
    old, mute = client(), client(Hum())
    channel = old.createDataChannel(CHANNEL)
    channel.on("message", channel.send)
    mute.createDataChannel(CHANNEL)
    async with call(old) as line, asyncio.timeout(20):
        line.send("there and back")
        await first(line, lambda arrival: arrival == "there and back")
        request.getfixturevalue("held")
        sdp = await line.renew(await offer_of(mute))
        await mute.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        line._connect_s = 0.3  # for what never comes
        await until(lambda: line._peers[-1].connected.is_set())
        await until(lambda: len(line._peers) == 1)
        line.send("still here")
        await first(line, lambda arrival: arrival == "still here")
        assert line.connected
    await mute.close()


async def test_a_line_that_is_cancelled_blames_nobody() -> None:
    peer = client()
    line, sdp = await answer(await offer_of(peer))
    await peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
    running = asyncio.create_task(line.run())
    await until(lambda: line.connected)
    running.cancel()
    await asyncio.wait([running], timeout=20)
    assert line.reason == "hung up"
    await peer.close()


async def test_of_two_connections_offered_at_once_the_last_is_used() -> None:
    old, one, other = client(), client(), client()
    got: list[str] = []
    for peer in (old, one):
        peer.createDataChannel(CHANNEL)
    other.createDataChannel(CHANNEL).on("message", got.append)
    async with call(old) as line, asyncio.timeout(30):
        await first(line, lambda arrival: isinstance(arrival, AudioFrame))
        answers = await asyncio.gather(
            line.renew(await offer_of(one)), line.renew(await offer_of(other))
        )
        for peer, sdp in zip((one, other), answers, strict=True):
            await peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        line.send("over the last")
        await until(lambda: "over the last" in got and len(line._peers) == 1)
        assert line.connected
    await one.close()
    await other.close()


async def test_a_line_that_never_connects_says_so() -> None:
    peer = client()
    line, _ = await answer(await offer_of(peer), connect_s=0.05)
    async with asyncio.timeout(20):
        await line.run()
    assert line.reason == "never connected"
    with pytest.raises(SignallingError, match="is over"):
        await line.renew(await offer_of(peer))
    await peer.close()


async def test_a_burst_of_messages_costs_messages_and_not_the_call() -> None:
    peer = client()
    channel = peer.createDataChannel(CHANNEL)
    opened = asyncio.Event()
    channel.on("open", opened.set)
    async with call(peer) as line, asyncio.timeout(60):
        await opened.wait()
        for index in range(3000):
            channel.send(str(index) + "x" * 200)
        await until(lambda: line._inbox.messages.lost > 0)
        assert line.connected
        await first(line, lambda arrival: isinstance(arrival, AudioFrame))


async def test_a_message_too_large_to_be_one_is_dropped() -> None:
    peer = client()
    channel = peer.createDataChannel(CHANNEL)
    opened = asyncio.Event()
    channel.on("open", opened.set)
    async with call(peer) as line, asyncio.timeout(20):
        await opened.wait()
        assert line._peer is not None
        line._peer._on_message("x" * (MAX_MESSAGE + 1))
        line._peer._on_message("y" * MAX_MESSAGE)
        assert await first(line, lambda arrival: isinstance(arrival, str)) == "y" * MAX_MESSAGE


async def test_what_a_client_does_not_take_is_bounded() -> None:
    peer = client()
    peer.createDataChannel(CHANNEL)
    async with call(peer) as line, asyncio.timeout(20):
        await until(lambda: line._peer is not None and line._peer.channel is not None)
        assert line._peer is not None
        channel = line._peer.channel
        assert channel is not None
        with silenced(peer):
            for _ in range(100):
                line.send("x" * 64_000)
            assert MAX_BUFFERED <= channel.bufferedAmount < MAX_BUFFERED + 64_000
        assert not line.ended


async def test_a_handshake_is_repeated_until_it_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """OpenSSL waits 1, 2, 4, 8 s: on a bad line too long for who is calling."""
    monkeypatch.setattr("omni_agent_webrtc.ice.REPEAT_S", 0.001)
    sent: list[bytes] = []

    async def lost(self: aioice.Connection, data: bytes) -> None:
        sent.append(data)

    monkeypatch.setattr(aioice.Connection, "send", lost)
    connection = Connection(ice_controlling=False)
    hello, finished, speech = b"\x16hello", b"\x16finished", b"\x80speech"
    async with asyncio.timeout(20):
        repeating = asyncio.ensure_future(connection.repeat_handshake())
        await connection.send(hello)
        await connection.send(speech)
        await until(lambda: sent.count(hello) > 3)
        connection.data_received(b"\x16certificate", 1)
        await connection.send(finished)
        before = sent.count(hello)
        await until(lambda: sent.count(finished) > 3)
        repeating.cancel()
    assert (sent.count(hello), sent.count(speech)) == (before, 1)


async def test_pictures_that_nobody_looks_at_are_not_asked_for() -> None:
    peer = client(Hum(), Camera())
    async with call(peer, sees=False) as line:
        video = next(one for one in peer.getTransceivers() if one.kind == "video")
        assert video.currentDirection == "inactive"
        await first(line, lambda arrival: isinstance(arrival, AudioFrame))


async def test_ports_are_taken_from_the_range_and_a_full_range_is_said() -> None:
    peer, other = client(), client()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(SignallingError, match="are taken") as caught:
            await answer(await offer_of(other), udp_ports=(port, port))
        assert caught.value.status == 503
    async with call(peer, udp_ports=(port, port + 20)) as line:
        named = re.findall(r"udp \d+ 127\.0\.0\.1 (\d+) typ host", peer.remoteDescription.sdp)
        assert named
        assert all(port <= int(one) <= port + 20 for one in named)
        await first(line, lambda arrival: isinstance(arrival, AudioFrame))
    await other.close()


async def test_a_call_has_so_many_offers_in_a_minute() -> None:
    async def refuse(offer: str, deliver: object) -> Never:
        raise SignallingError(400, offer)

    line = WebRTCTransport(refuse)
    for _ in range(RENEWALS):
        with pytest.raises(SignallingError, match="an offer"):
            await line.renew("an offer")
    with pytest.raises(SignallingError, match="within a minute") as caught:
        await line.renew("an offer")
    assert caught.value.status == 429
    await line.aclose()


async def test_an_offer_that_fails_at_the_second_address_gives_the_firsts_port_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    peer = client()
    offer = await offer_of(peer)
    addresses = ["127.0.0.1", "127.0.0.2"]
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda **which: addresses)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.2", 0))
        port = taken.getsockname()[1]
        with pytest.raises(SignallingError, match=r"127\.0\.0\.2 are taken"):
            await answer(offer, udp_ports=(port, port))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", port))
    await peer.close()


def test_the_time_in_which_our_own_loop_was_late_is_nobodys_silence() -> None:
    silence = Silence()
    assert silence.seconds(1, 100.0) == 0
    assert silence.seconds(1, 100.5) == 0.5
    assert silence.seconds(1, 160.0) == 1.5  # an hour of it would be one second, too
    assert silence.seconds(2, 160.5) == 0
    assert silence.seconds(2, 161.0) == 0.5


async def test_a_close_that_hangs_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = client()
    await offer_of(peer)

    async def hang() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(peer, "close", hang)
    monkeypatch.setattr("omni_agent_webrtc.peer.CLOSE_S", 0.05)
    await close_peer(peer)
    monkeypatch.undo()
    await peer.close()
