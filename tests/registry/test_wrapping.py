"""What a plugin puts between a call and its line fails, and the call goes on."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from omni_agent import events, hookimpl
from omni_agent.audio import AudioFrame
from omni_agent.commands import Command
from omni_agent.lines.in_process import InProcessTransport
from omni_agent.lines.wrapped import WrappedTransport
from omni_agent.registry.registry import Registry
from omni_agent.registry.wrapping import CLOSES_S, Lent
from omni_agent.testing import ScriptedThinker, rehearse, virtual_time
from omni_agent.transport import Heard, Playback, Transport, VideoFrame


def wrapping(kind: type[WrappedTransport]) -> Any:
    def wrap(transport: Transport) -> Transport:
        return kind(transport)

    return SimpleNamespace(__name__="wraps", wrap_transport=hookimpl(wrap))


def fails(self: Any, *about: Any) -> Any:
    raise SystemExit("no")


async def fails_later(self: Any, *about: Any) -> None:
    raise ValueError("no")


class Failing(WrappedTransport):
    finish = hold = resume = flush = notify = fails
    play = aclose = fails_later

    def heard(self, utterance: str) -> Heard:
        return 5  # type: ignore[return-value]


@virtual_time
async def test_where_it_fails_the_line_is_asked(caplog: pytest.LogCaptureFixture) -> None:
    thinker = ScriptedThinker(["word " * 60], ["Fine."])
    async with rehearse(thinker, plugins=[wrapping(Failing)]) as stage:
        stage.types("Go on")
        await stage.until(events.PlaybackStarted)
        await asyncio.sleep(3)
        await stage.user("Stop it please, that is enough.")
        assert "word" in await stage.agent()
        assert await stage.agent() == "Fine."
        line = stage.line
    assert line.events
    for what in ("SystemExit", "ValueError", "heard returned 5, not a Heard"):
        assert what in caplog.text


def test_what_is_no_line_is_told_what_to_be() -> None:
    class Partial:
        def flush(self) -> float:
            return 0.0

    wraps = SimpleNamespace(__name__="wraps", wrap_transport=hookimpl(lambda: Partial()))
    registry = Registry([wraps], discover=False)
    line = InProcessTransport()
    assert registry.wrapped(line, "s", "") is line
    (problem,) = registry.problems
    assert problem.reason.endswith("which is no Transport: subclass WrappedTransport")


class Hanging(WrappedTransport):
    """Does not end when it is cancelled, until it may."""

    may_end = False

    async def aclose(self) -> None:
        while not self.may_end:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(CLOSES_S)


@virtual_time
async def test_one_that_never_hangs_up_has_the_line_closed_for_it(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = InProcessTransport()
    registry = Registry(discover=False)
    registry.add(wrapping(Hanging), "hangs")
    await registry.wrapped(line, "s", "").aclose()
    assert [each async for each in line.commands()] == []
    assert "left behind" in caplog.text
    monkeypatch.setattr(Hanging, "may_end", True)
    await asyncio.sleep(CLOSES_S)


class Breaking(WrappedTransport):
    """Its streams break off after what came first, and it cannot play."""

    error: BaseException

    async def _first(self, stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for each in stream:
            yield each
            raise self.error

    def audio(self) -> AsyncIterator[AudioFrame]:
        return self._first(super().audio())

    def commands(self) -> AsyncIterator[Command]:
        return self._first(super().commands())

    def playback(self) -> AsyncIterator[Playback]:
        return self._first(super().playback())

    async def play(self, utterance: str, frame: AudioFrame) -> None:
        raise self.error


@pytest.mark.parametrize("error", [asyncio.CancelledError, SystemExit, GeneratorExit, ValueError])
@virtual_time
async def test_where_its_stream_breaks_off_the_lines_own_goes_on(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    kind = type("Kind", (Breaking,), {"error": error("no")})
    thinker = ScriptedThinker(["One."], ["Two."])
    async with rehearse(thinker, plugins=[wrapping(kind)]) as stage:
        stage.types("Hello")
        assert await stage.agent() == "One."
        await stage.user("Are you there, my dear?")
        assert await stage.agent() == "Two."
        stage.line.hang_up()
        assert (await stage.until(events.SessionEnded)).reason == "hangup"
    assert f"plugin 'wraps': the transport raised {error.__name__}" in caplog.text


class Odd(WrappedTransport):
    async def audio(self) -> AsyncIterator[AudioFrame]:
        yield None  # type: ignore[misc]


async def test_a_stream_of_something_else_gives_way_to_the_lines_own() -> None:
    registry, line = Registry(discover=False), InProcessTransport()
    registry.add(wrapping(Odd), "odd")
    line.put(frame := AudioFrame(np.zeros(160, np.int16), 16_000, 0))
    line.hang_up()
    assert [each async for each in registry.wrapped(line, "s", "").audio()] == [frame]
    assert "audio yielded None" in str(registry.problems[0])


async def test_a_plugin_may_read_before_the_call_does() -> None:
    heard = list[AudioFrame]()

    class Early(WrappedTransport):
        def __init__(self, line: Transport) -> None:
            super().__init__(line)
            self.reading = asyncio.ensure_future(self._listen(super().audio()))

        async def _listen(self, frames: AsyncIterator[AudioFrame]) -> None:
            heard.extend([each async for each in frames])

        async def audio(self) -> AsyncIterator[AudioFrame]:
            await self.reading
            for each in heard:
                yield each

    registry, line = Registry(discover=False), InProcessTransport()
    registry.add(wrapping(Early), "early")
    wrapped = registry.wrapped(line, "s", "")
    line.put(frame := AudioFrame(np.zeros(160, np.int16), 16_000, 0))
    line.hang_up()
    await asyncio.sleep(0)
    assert [each async for each in wrapped.audio()] == [frame]
    assert registry.problems == ()


class Peeking(WrappedTransport):
    """Reads a line as it is made, beside whoever reads it then."""

    def __init__(self, line: Transport) -> None:
        super().__init__(line)
        self.seen = list[AudioFrame]()
        self.peek = asyncio.ensure_future(self._look(super().audio()))

    async def _look(self, frames: AsyncIterator[AudioFrame]) -> None:
        self.seen = [each async for each in frames]


@pytest.mark.parametrize("gives_up", [True, False])
async def test_a_plugin_that_peeks_takes_nothing_from_the_call(gives_up: bool) -> None:
    made = list[Peeking]()

    def wrap(transport: Transport) -> Transport:
        made.append(Peeking(transport))
        return made[0]

    registry, line = Registry(discover=False), InProcessTransport()
    registry.add(SimpleNamespace(wrap_transport=hookimpl(wrap)), "peeks")
    audio = registry.wrapped(line, "s", "").audio()
    await asyncio.sleep(0)
    if gives_up:
        made[0].peek.cancel()
    sent = [AudioFrame(np.zeros(160, np.int16), 16_000, 160 * n) for n in range(4)]
    for frame in sent:
        line.put(frame)
    line.hang_up()
    heard = [each async for each in audio]
    await asyncio.wait([made[0].peek])
    assert sorted(heard + made[0].seen, key=lambda each: each.position) == sent
    assert bool(made[0].seen) is not gives_up
    assert registry.problems == ()


class Broken(InProcessTransport):
    async def audio(self) -> AsyncIterator[AudioFrame]:
        raise ValueError("no")
        yield


async def test_a_line_that_breaks_is_no_fault_of_a_plugins() -> None:
    registry = Registry(discover=False)
    registry.add(wrapping(WrappedTransport), "fine")
    with pytest.raises(ValueError, match="no"):
        await anext(registry.wrapped(Broken(), "s", "").audio())
    assert registry.problems == ()


async def test_a_real_cancellation_is_no_failure() -> None:
    registry, line = Registry(discover=False), InProcessTransport()
    registry.add(wrapping(WrappedTransport), "fine")
    audio = registry.wrapped(line, "s", "").audio()
    reading = asyncio.ensure_future(anext(audio))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert registry.problems == ()


class Stubborn(WrappedTransport):
    """Its streams swallow that they are cancelled, until they are let go."""

    let_go: asyncio.Event

    async def video(self) -> AsyncIterator[VideoFrame]:
        while not self.let_go.is_set():
            with suppress(asyncio.CancelledError):
                await self.let_go.wait()
        return
        yield

    commands = playback = video  # type: ignore[assignment]


@virtual_time
async def test_a_stream_that_never_ends_does_not_keep_the_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Stubborn.let_go = asyncio.Event()
    async with rehearse(plugins=[wrapping(Stubborn)]) as stage:
        await asyncio.sleep(1)
        stage.session.end("agent")
        assert (await stage.until(events.SessionEnded)).reason == "agent"
    assert "left behind" in caplog.text
    Stubborn.let_go.set()
    await asyncio.sleep(1)


def test_what_is_lent_is_a_line_for_every_python() -> None:
    """From 3.12 on a Protocol is looked for without ``__getattr__``."""
    lent = Lent(InProcessTransport())
    needed = [name for name in dir(WrappedTransport) if not name.startswith("_")]
    assert all(inspect.getattr_static(lent, name, None) for name in needed)
    assert isinstance(lent, Transport)
