"""The speaking half of a line, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import numpy as np

from omni_agent.audio import AudioFrame, Pcm
from omni_agent.lines.clock import FrameClock
from omni_agent.lines.playout import Playout
from omni_agent.lines.speech import QUEUE_S, SpeechQueue
from omni_agent.testing import virtual_time
from omni_agent.transport import Heard, Playback, PlayoutFinished, PlayoutStarted


def tone(seconds: float) -> AudioFrame:
    return AudioFrame(np.full(round(24_000 * seconds), 9000, np.int16), 24_000)


class Wire:
    """Where speech goes; knows when each frame left."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.sent: list[tuple[float, Pcm]] = []
        self.told: list[Playback] = []
        self.speech = SpeechQueue(Playout(8_000, ear_delay_s=0.0), self.told.append)
        self.began = self.loop.time()

    @property
    def now(self) -> float:
        return self.loop.time() - self.began

    async def send(self, pcm: Pcm) -> None:
        self.sent.append((round(self.now, 6), pcm))

    async def during(self, call: Coroutine[Any, Any, None]) -> None:
        pacing = asyncio.create_task(self.speech.pace(FrameClock(), self.send))
        await call
        pacing.cancel()


@virtual_time
async def test_speech_leaves_as_fast_as_it_is_spoken_and_nothing_in_between() -> None:
    wire = Wire()

    async def call() -> None:
        await asyncio.sleep(1.0)
        await wire.speech.play("u", tone(0.1))
        wire.speech.finish("u")
        await asyncio.sleep(1.0)

    await wire.during(call())
    times = [at for at, _ in wire.sent]
    assert len(times) in (5, 6)  # the resampler's end may need one more
    assert times == [round(times[0] + 0.02 * n, 6) for n in range(len(times))]
    assert {len(pcm) for _, pcm in wire.sent} == {160}
    assert [type(news) for news in wire.told] == [PlayoutStarted, PlayoutFinished]


@virtual_time
async def test_playing_waits_while_enough_is_queued_until_it_is_said_or_dropped_or_over() -> None:
    wire = Wire()

    async def call() -> None:
        await wire.speech.play("u", tone(QUEUE_S + 1))
        await wire.speech.play("u", tone(9))
        assert 0.9 < wire.now < 1.1
        dropping = asyncio.create_task(wire.speech.play("v", tone(1)))
        await asyncio.sleep(0)
        assert wire.speech.flush() > 9000
        await dropping
        assert wire.now < 1.1
        await wire.speech.play("w", tone(9))
        waiting = asyncio.create_task(wire.speech.play("w", tone(1)))
        await asyncio.sleep(0)
        wire.speech.close()
        await waiting

    await wire.during(call())


@virtual_time
async def test_what_was_heard_goes_on_with_time_and_stands_still_after_a_flush() -> None:
    wire = Wire()

    async def call() -> None:
        await wire.speech.play("u", tone(2))
        await asyncio.sleep(0.51)
        before = wire.speech.heard("u")
        assert 480 <= before.ms <= 510
        wire.speech.flush()
        await asyncio.sleep(1)
        after = wire.speech.heard("u")
        assert before.ms <= after.ms <= before.ms + 28
        assert wire.speech.heard("nobody") == Heard(0.0)

    await wire.during(call())
