"""The line over real aiortc on loopback."""

from __future__ import annotations

import asyncio
import logging

import aiortc
import numpy as np
import pytest
from aiortc import RTCPeerConnection
from aiortc.mediastreams import AudioStreamTrack
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from omni_agent_webrtc import WebRTCTransport, answer
from omni_agent_webrtc.inbox import MAX_AUDIO, MAX_MESSAGES, Inbox
from omni_agent_webrtc.tracks import JITTER_BUFFER
from omni_agent_webrtc.transport import CHANNEL, MAX_WAITING, close_peer

from omni_agent.audio import AudioFrame
from omni_agent.transport import PlayoutFinished, PlayoutStarted, VideoFrame
from tests.transports.calling import Camera, Hum, call, client, first, offer_of


def tone(seconds: float) -> AudioFrame:
    wave = 8000 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * 24_000)) / 24_000)
    return AudioFrame(wave.astype(np.int16), 24_000)


async def test_aiortc_is_the_minor_version_whose_private_parts_we_know() -> None:
    """When this fails: check the attribute and JitterBuffer.add, then raise the pin."""
    assert aiortc.__version__.startswith("1.16.")
    peer = RTCPeerConnection()
    receiver = peer.addTransceiver("audio").receiver
    assert isinstance(receiver, RTCRtpReceiver)
    assert hasattr(getattr(receiver, JITTER_BUFFER), "add")
    assert hasattr(peer, "_RTCPeerConnection__dtlsTransports")
    assert hasattr(peer, "_RTCPeerConnection__iceTransports")
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
        async with asyncio.timeout(5):
            await waiting


async def test_play_never_waits_for_a_line_that_has_ended() -> None:
    async with call(client()) as line:
        await line.play("u", tone(3.0))
        waiting = asyncio.ensure_future(line.play("u", tone(3.0)))
        await line.aclose()
        async with asyncio.timeout(5):
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


async def test_last_words_arrive_although_the_line_is_closed_at_once() -> None:
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
    assert [arrival async for arrival in line.frames()] == []
    line.send("nobody hears this")
    await peer.close()


async def test_a_line_with_no_packets_is_stalled_then_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("omni_agent_webrtc.transport.STALLED_S", 0.0)
    monkeypatch.setattr("omni_agent_webrtc.transport.LOST_S", 0.1)

    async def silent(self: WebRTCTransport) -> int:
        return 7

    monkeypatch.setattr(WebRTCTransport, "_packets_received", silent)
    async with call(client()) as line, asyncio.timeout(20):
        async for _ in line.frames():
            pass
        assert line.stalled


async def test_a_close_that_hangs_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = client()
    await offer_of(peer)

    async def hang() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(peer, "close", hang)
    monkeypatch.setattr("omni_agent_webrtc.transport.CLOSE_S", 0.05)
    await close_peer(peer)
    monkeypatch.undo()
    await peer.close()


async def test_a_reader_that_lags_loses_the_oldest_audio_and_nothing_else() -> None:
    inbox = Inbox()
    inbox.put(PlayoutStarted("u", 0.0))
    for index in range(MAX_AUDIO + 10):
        inbox.put(AudioFrame.silence(0.02, 16_000, index))
        inbox.put(VideoFrame(b"", index, 1, 0.0))
    inbox.put(PlayoutFinished("u", 0.0))
    for index in range(MAX_MESSAGES + 5):
        inbox.put(str(index))
    inbox.close()
    inbox.put("too late")
    out = [arrival async for arrival in inbox.read()]
    positions = [one.position for one in out if isinstance(one, AudioFrame)]
    assert positions == list(range(10, MAX_AUDIO + 10))
    assert [one.width for one in out if isinstance(one, VideoFrame)] == [MAX_AUDIO + 9]
    assert sum(isinstance(one, PlayoutStarted | PlayoutFinished) for one in out) == 2
    assert [one for one in out if isinstance(one, str)] == [str(i) for i in range(MAX_MESSAGES)]
    assert (inbox.dropped_audio, inbox.dropped_messages) == (10, 5)
