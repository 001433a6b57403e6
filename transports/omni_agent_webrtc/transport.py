"""The line of one WebRTC call: audio and pictures in, speech out, messages both ways."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiortc import RTCDataChannel, RTCDtlsTransport, RTCIceTransport, RTCPeerConnection
from aiortc.mediastreams import MediaStreamTrack

from omni_agent.audio import AudioFrame
from omni_agent.transport import Heard
from omni_agent_webrtc.camera import watch_camera
from omni_agent_webrtc.clock import FrameClock
from omni_agent_webrtc.inbox import Arrival, Inbox
from omni_agent_webrtc.playout import QUEUE_S, Playout
from omni_agent_webrtc.tracks import InlineReceiver, SpeechTrack, read_stock

log = logging.getLogger(__name__)

CHANNEL = "oai-events"
"""The data channel's label, as OpenAI's clients open it."""
MAX_WAITING = 256
"""Messages kept for a client whose channel is not open yet."""
MAX_MESSAGE = 256 * 1024
"""Characters in one message from the client; a longer one is not looked at."""
MAX_BUFFERED = 4 * 1024 * 1024
"""Bytes waiting in the channel for a client that does not read; then messages are dropped."""
CONNECT_S = 15.0
STALLED_S, LOST_S = 3.0, 15.0
"""No packet at all for this long: the line is reported stalled; it is closed."""
LAST_WORDS_S = 0.25
"""Hanging up waits no longer for the last messages to leave."""
CLOSE_S = 2.0
"""Closing a peer connection takes no longer; what is left is torn down by hand."""


class WebRTCTransport:
    """The media half of :class:`omni_agent.transport.Transport`, and the data channel.

    ``frames`` yields a client's messages as they came (``str``) among the audio,
    pictures and playout notices; ``send`` sends one. ``run`` watches the line and
    must run beside the session; it ends when the line does. Made by
    :func:`omni_agent_webrtc.answer`.
    """

    def __init__(
        self,
        peer: RTCPeerConnection,
        *,
        on_late: Callable[[float], None] = lambda seconds: None,
        inline: bool = True,
        connect_s: float = CONNECT_S,
    ) -> None:
        self._peer, self._inline, self._connect_s = peer, inline, connect_s
        self._loop = asyncio.get_running_loop()
        self._inbox = Inbox()
        self._playout = Playout()
        self._room = asyncio.Event()
        self._clock = FrameClock(on_late, time=self._loop.time)
        self.track = SpeechTrack(self._playout, self._clock, self._frame_sent)
        self._channel: RTCDataChannel | None = None
        self._waiting: deque[str] = deque()
        self._tracks: list[MediaStreamTrack] = []
        self._hearing = False
        self._stock: MediaStreamTrack | None = None
        self._connected, self._gone = asyncio.Event(), asyncio.Event()
        self._closing: asyncio.Future[None] | None = None
        self._round_trip_s = 0.0
        self.stalled = False
        peer.on("track", self._on_track)
        peer.on("datachannel", self._on_channel)
        peer.on("connectionstatechange", self._on_state)

    # -- in ------------------------------------------------------------------------

    def frames(self) -> AsyncIterator[Arrival]:
        """What the line delivers until it ends: 20 ms audio frames at 16 kHz, JPEG pictures,
        messages, playout notices. Call once."""
        return self._inbox.read()

    def _on_track(self, track: MediaStreamTrack) -> None:
        microphone = track.kind == "audio" and not self._hearing
        if microphone:
            self._hearing = True
            receiver = next(
                one.receiver for one in self._peer.getTransceivers() if one.receiver.track is track
            )
            if self._inline and InlineReceiver.install(receiver, self._inbox.put):
                return
            self._stock = track
        self._tracks.append(track)

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if channel.label != CHANNEL or self._channel is not None:
            channel.close()
            return
        self._channel = channel
        channel.on("message", self._on_message)
        channel.on("open", self._send_waiting)
        self._send_waiting()

    def _on_message(self, message: str | bytes) -> None:
        if len(message) > MAX_MESSAGE:
            log.warning("a message of %d bytes was dropped", len(message))
            return
        text = message if isinstance(message, str) else message.decode("utf-8", "replace")
        self._inbox.put(text)

    # -- messages out ----------------------------------------------------------------

    def send(self, text: str) -> None:
        """Send one message, or keep it until the channel opens. Never blocks, never raises."""
        channel = self._channel
        if channel is None or channel.readyState == "connecting":
            if len(self._waiting) < MAX_WAITING:
                self._waiting.append(text)
        elif channel.readyState == "open" and channel.bufferedAmount < MAX_BUFFERED:
            try:
                channel.send(text)
            except Exception:  # a channel that is closing under us is no failure of the call
                log.debug("a message was not sent", exc_info=True)

    def _send_waiting(self) -> None:
        while self._waiting and self._channel is not None and self._channel.readyState == "open":
            self.send(self._waiting.popleft())

    # -- speech out ------------------------------------------------------------------

    async def play(self, utterance: str, frame: AudioFrame) -> None:
        """Queue speech; waits while more than ``QUEUE_S`` seconds are queued already."""
        while self._playout.queued_s > QUEUE_S and not self._gone.is_set():
            self._room.clear()
            await self._room.wait()
        if not self._gone.is_set():
            self._playout.put(utterance, frame)

    def finish(self, utterance: str) -> None:
        self._playout.finish(utterance)

    def hold(self) -> None:
        self._playout.hold()

    def resume(self) -> None:
        self._playout.resume()

    def flush(self) -> float:
        dropped = self._playout.flush()
        self._room.set()
        return dropped

    def heard(self, utterance: str) -> Heard:
        return self._playout.heard(utterance, self._loop.time(), self._round_trip_s)

    def _frame_sent(self) -> None:
        for event in self._playout.take_events():
            self._inbox.put(event)
        if self._playout.queued_s <= QUEUE_S:
            self._room.set()

    # -- the line's life ---------------------------------------------------------------

    async def run(self) -> None:
        """Keep the line until it ends: connected in time, packets coming, tracks drained."""
        try:
            async with asyncio.TaskGroup() as tasks:
                readers = [tasks.create_task(self._read(track)) for track in self._tracks]
                watching = tasks.create_task(self._watch())
                await self._gone.wait()
                for task in (watching, *readers):
                    task.cancel()
        finally:
            await self.aclose()

    async def _read(self, track: MediaStreamTrack) -> None:
        if track.kind == "video":
            await watch_camera(track, self._inbox.put)
        elif track is self._stock:
            await read_stock(track, self._inbox.put)
        else:
            await read_stock(track, lambda frame: None)

    async def _watch(self) -> None:
        try:
            async with asyncio.timeout(self._connect_s):
                await self._connected.wait()
        except TimeoutError:
            log.info("no connection within %.0f s", self._connect_s)
            self._hang_up()
            return
        received, since = -1, self._loop.time()
        while True:
            await asyncio.sleep(1.0)
            count = await self._packets_received()
            now = self._loop.time()
            if count != received:
                received, since = count, now
            self.stalled = now - since >= STALLED_S
            if now - since >= LOST_S:
                log.info("no packet for %.0f s", LOST_S)
                self._hang_up()
                return

    async def _packets_received(self) -> int:
        """Packets of any kind so far; notes the round-trip time on the way."""
        count = 0
        for transceiver in self._peer.getTransceivers():
            for one in (await transceiver.sender.getStats()).values():
                stats: Any = one  # aiortc types its report as a dict of a common base
                if stats.type == "transport":
                    count = max(count, stats.packetsReceived)
                elif stats.type == "remote-inbound-rtp" and stats.roundTripTime is not None:
                    self._round_trip_s = min(1.0, max(0.0, stats.roundTripTime))
        return count

    def _on_state(self) -> None:
        state = self._peer.connectionState
        if state == "connected":
            self._connected.set()
        elif state in ("failed", "closed"):
            self._hang_up()

    @property
    def ended(self) -> bool:
        return self._gone.is_set()

    @property
    def connected(self) -> bool:
        return self._connected.is_set() and not self._gone.is_set()

    def _hang_up(self) -> None:
        self._gone.set()
        self._room.set()
        self._inbox.close()

    async def aclose(self) -> None:
        """Hang up. Bounded and idempotent: every caller waits for the same end."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if not self.ended:
            await self._last_words()
        self._hang_up()
        await close_peer(self._peer)
        self.track.stop()

    async def _last_words(self) -> None:
        """Let messages that were just sent reach the wire."""
        channel = self._channel
        until = self._loop.time() + LAST_WORDS_S
        while channel is not None and channel.readyState == "open" and channel.bufferedAmount:
            if self._loop.time() > until:
                return
            await asyncio.sleep(0.005)


async def close_peer(peer: RTCPeerConnection) -> None:
    """Close within ``CLOSE_S`` whatever aiortc does; never raises.

    After a damaged offer aiortc's own close may raise or wait for tasks that
    never started; then its transports are stopped one by one.
    """
    transports = [
        transport
        for name in ("dtlsTransports", "iceTransports")
        for transport in getattr(peer, f"_RTCPeerConnection__{name}", ())
    ]
    try:
        async with asyncio.timeout(CLOSE_S):
            await peer.close()
    except Exception:  # any failure of closing has the same cure
        log.debug("closing by hand", exc_info=True)
        for transport in transports:
            await _stop(transport)


async def _stop(transport: RTCDtlsTransport | RTCIceTransport) -> None:
    try:
        async with asyncio.timeout(CLOSE_S / 2):
            await transport.stop()
    except Exception:  # the others must be stopped too
        log.debug("a transport did not stop", exc_info=True)
