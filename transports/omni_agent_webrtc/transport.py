"""The line of one call: audio and pictures in, speech out, messages both ways."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

from aiortc import RTCDataChannel

from omni_agent.audio import AudioFrame
from omni_agent.errors import SignallingError
from omni_agent.lines.clock import FrameClock
from omni_agent.lines.inbox import Inbox
from omni_agent.lines.playout import Playout
from omni_agent.lines.speech import SpeechQueue
from omni_agent.transport import Heard, Playback, VideoFrame
from omni_agent_webrtc.opus import LINE_RATE
from omni_agent_webrtc.peer import Arrival, Peer
from omni_agent_webrtc.silence import Silence
from omni_agent_webrtc.tracks import SpeechTrack

log = logging.getLogger(__name__)

MAX_WAITING = 256
"""Messages kept for a client whose channel is not open."""
MAX_REPLAYED = 256
"""Messages of a lost connection that are sent again; beside those that wait."""
MAX_BUFFERED = 4 * 1024 * 1024
"""Bytes waiting in the channel for a client that does not read; then messages are dropped."""
CONNECT_S = 15.0
WATCH_S = 0.5
"""How often the line is looked at."""
DOUBT_S = 0.5
"""With no packet for so long, nobody is told that something was heard to its end."""
STALLED_S, LOST_S = 3.0, 30.0
"""No packet at all for so long: the agent stops speaking; the line is over (RFC 7675)."""
RENEWALS = 30
"""Offers in a minute, the first one among them; each takes sockets and work of its own."""
REPLAY_S = 5.0
"""Messages of the last seconds of a lost connection are sent again over the next."""
LAST_WORDS_S = 0.25
"""Hanging up waits no longer for the last messages to leave."""

Negotiate = Callable[[str, Callable[[Arrival], None]], Awaitable[tuple[Peer, str]]]
"""Answers an offer with a peer connection that delivers to the given function."""


class WebRTCTransport:
    """The media half of :class:`omni_agent.transport.Transport`, and the data channel.

    ``messages`` are a client's, as they came; ``send`` sends one. ``run`` keeps the line and
    must run beside the session; it ends when the line does. ``renew`` takes an
    offer of the same client for a new peer connection; all else stays. Made by
    :func:`omni_agent_webrtc.answer`.
    """

    def __init__(
        self,
        negotiate: Negotiate,
        *,
        on_late: Callable[[float], None] = lambda seconds: None,
        connect_s: float = CONNECT_S,
    ) -> None:
        self._negotiate, self._connect_s = negotiate, connect_s
        self._loop = asyncio.get_running_loop()
        self._inbox: Inbox[str] = Inbox()
        self._speech = SpeechQueue(Playout(LINE_RATE), self._inbox.put)
        self._clock = FrameClock(on_late, time=self._loop.time)
        self._peer: Peer | None = None
        """The connection in use; None until the first is up."""
        self._peers: list[Peer] = []
        self._renewing = asyncio.Lock()
        self._offered: deque[float] = deque(maxlen=RENEWALS)
        self._silence = Silence()
        self._waiting: deque[str] = deque()
        self._sent: deque[tuple[float, str]] = deque(maxlen=MAX_REPLAYED)
        self._gone = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._closing: asyncio.Future[None] | None = None
        self.stalled = False
        """No packet for ``STALLED_S``: the agent is silent and the line waits."""
        self.reason = ""
        """Why the line ended: ``line lost``, ``closed by the page``, ``never connected``, or
        what ``aclose`` was given; empty while it lasts."""

    # -- in ------------------------------------------------------------------------

    def audio(self) -> AsyncIterator[AudioFrame]:
        """The microphone, 20 ms frames at 16 kHz."""
        return self._inbox.audio.read()

    def video(self) -> AsyncIterator[VideoFrame]:
        return self._inbox.video.read()

    def messages(self) -> AsyncIterator[str]:
        return self._inbox.messages.read()

    def playback(self) -> AsyncIterator[Playback]:
        return self._inbox.playback.read()

    # -- messages out ----------------------------------------------------------------

    def send(self, text: str) -> None:
        """Send one message, or keep it until a channel is open. Never blocks, never raises."""
        channel = self._channel
        if channel is None:
            if len(self._waiting) < MAX_WAITING:
                self._waiting.append(text)
        elif channel.bufferedAmount < MAX_BUFFERED:
            self._sent.append((self._loop.time(), text))
            try:
                channel.send(text)
            except Exception:  # a channel that is closing under us is no failure of the call
                log.debug("a message was not sent", exc_info=True)

    @property
    def _channel(self) -> RTCDataChannel | None:
        """Where messages go; None while they wait."""
        channel = self._peer.channel if self._peer is not None else None
        up = channel is not None and channel.readyState == "open" and not self.stalled
        return channel if up else None

    def _send_waiting(self) -> None:
        """Send what waits for the channel, as far as it is open now."""
        while self._waiting and self._channel is not None:
            self.send(self._waiting.popleft())

    # -- speech out ------------------------------------------------------------------

    async def play(self, utterance: str, frame: AudioFrame) -> None:
        await self._speech.play(utterance, frame)

    def finish(self, utterance: str) -> None:
        self._speech.finish(utterance)

    def hold(self) -> None:
        self._speech.hold()

    def resume(self) -> None:
        self._speech.resume()

    def flush(self) -> float:
        return self._speech.flush()

    def heard(self, utterance: str) -> Heard:
        round_trip_s = self._peer.round_trip_s if self._peer is not None else 0.0
        return self._speech.heard(utterance, round_trip_s)

    def _frame_sent(self) -> None:
        quiet_s = self._loop.time() - self._peer.sign_at if self._peer is not None else 0.0
        self._speech.left(certain=quiet_s < DOUBT_S)

    # -- the line's life ---------------------------------------------------------------

    async def renew(self, offer: str) -> str:
        """Answer an offer for a new peer connection, the first or another.

        The connection in use stays until the new one is up, with its data channel if it
        offers one; one that was offered before and is not up yet is given up. Raises
        SignallingError as ``answer`` does, with 404 when the line is over and 429 after
        ``RENEWALS`` in a minute.
        """
        now = self._loop.time()
        if len(self._offered) == RENEWALS and now - self._offered[0] < 60:
            raise SignallingError(429, f"the call had {RENEWALS} offers within a minute")
        self._offered.append(now)
        async with self._renewing:
            peer, sdp = await self._negotiate(offer, self._inbox.put)
            if self.ended:
                await peer.close()
                raise SignallingError(404, "the call is over")
            for other in self._peers:
                if other is not self._peer:
                    other.over.set()
            peer.opened = lambda: self._channel_opened(peer)
            if self._peer is None:
                peer.in_use.set()
            self._peers.append(peer)
        if self._tasks is not None:
            self._tasks.create_task(self._keep(peer))
        return sdp

    async def run(self) -> None:
        """Keep the line until it ends: connected in time, packets coming, tracks drained."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for peer in self._peers:
                    tasks.create_task(self._keep(peer))
                self._tasks = tasks
                watching = tasks.create_task(self._watch())
                await self._gone.wait()
                self._tasks = None
                watching.cancel()
                for peer in self._peers:
                    peer.over.set()
        finally:
            await self.aclose()

    async def _keep(self, peer: Peer) -> None:
        """One connection, from its answer to its end; the line ends with the last one."""
        try:
            await _first_of(peer.connected, peer.over, timeout=self._connect_s)
            if peer.connected.is_set() and peer.offers_channel:
                # Until then its client speaks and listens over the one before.
                await _first_of(peer.in_use, peer.over, timeout=self._connect_s)
            ready = peer.in_use.is_set() or not peer.offers_channel
            if ready and peer.connected.is_set() and not peer.over.is_set():
                self._use(peer)
                await peer.run()
        finally:
            self._peers.remove(peer)
            await peer.close()
        if not self._peers:  # of their own accord, that is: nobody cancelled this
            self._hang_up("closed by the page" if self._peer else "never connected")

    def _channel_opened(self, peer: Peer) -> None:
        if not (peer.over.is_set() or self.ended):
            self._use(peer)
            self._send_waiting()

    def _use(self, peer: Peer) -> None:
        """Go on over this connection, unless that is so already."""
        if self._peer is peer:
            return
        before, self._peer = self._peer, peer
        peer.in_use.set()
        peer.speak(SpeechTrack(self._speech.playout, self._clock, self._frame_sent))
        if before is not None:
            log.info("the call goes on over a new connection")
            since = before.sign_at - REPLAY_S
            self._waiting.extendleft(text for at, text in reversed(self._sent) if at > since)
            self._sent.clear()
            before.over.set()
        self._silence = Silence()
        self._recover()

    async def _watch(self) -> None:
        """Notice that nothing comes any more, and that it comes again."""
        while True:
            await asyncio.sleep(WATCH_S)
            if self._peer is None:
                continue
            await self._peer.measure()
            quiet_s = self._silence.seconds(self._peer.signs, self._loop.time())
            if quiet_s >= LOST_S:
                self._hang_up("line lost")
            elif quiet_s >= STALLED_S and not self.stalled:
                self._stall(self._peer.sign_at)
            elif quiet_s == 0 and self.stalled:
                self._recover()

    def _stall(self, since: float) -> None:
        log.info("no packet for %.0f s: the agent waits", STALLED_S)
        self.stalled = True
        self._speech.playout.stall(since)

    def _recover(self) -> None:
        self.stalled = False
        self._speech.playout.recover()
        self._send_waiting()

    @property
    def ended(self) -> bool:
        return self._gone.is_set()

    @property
    def connected(self) -> bool:
        return self._peer is not None and not self.ended

    def _hang_up(self, reason: str) -> None:
        if not self.ended:
            self.reason = reason
            log.info("the line is over: %s", reason)
        self._gone.set()
        self._speech.close()
        self._inbox.close()

    async def aclose(self, reason: str = "hung up") -> None:
        """Hang up. Bounded and idempotent: every caller waits for the same end."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close(reason))
        await asyncio.shield(self._closing)

    async def _close(self, reason: str) -> None:
        if not self.ended:
            await self._last_words()
        self._hang_up(reason)
        await asyncio.gather(*(peer.close() for peer in self._peers))

    async def _last_words(self) -> None:
        """Let messages that were just sent reach the wire."""
        until = self._loop.time() + LAST_WORDS_S
        while (channel := self._channel) is not None and channel.bufferedAmount:
            if self._loop.time() > until:
                return
            await asyncio.sleep(0.005)


async def _first_of(*events: asyncio.Event, timeout: float) -> None:
    """Wait until one of the events is set, or ``timeout`` seconds are over."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
