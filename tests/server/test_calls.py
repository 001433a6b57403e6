"""The calls in progress, over lines that are none."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import cast

import pytest

from omni_agent.audio import AudioFrame
from omni_agent.call.request import CallRequest
from omni_agent.call.session import Session
from omni_agent.line import MediaLine, Opening, OpenLine
from omni_agent.lines.inbox import Inbox
from omni_agent.persona import Persona
from omni_agent.personas.outfit import Outfit
from omni_agent.server.calls import Calls, Place
from omni_agent.server.client_messages import OmniOptions, SessionConfig
from omni_agent.server.host import Host
from omni_agent.server.limits import Limits, MessageLimits
from omni_agent.server.options import ServerOptions
from omni_agent.stages import Stages
from omni_agent.testing import FixedWardrobe, ScriptedTalker, ScriptedThinker, virtual_time
from omni_agent.transport import Playback, Transport, VideoFrame
from omni_agent.wishes import Wishes
from tests.server.calling import ScriptedHost


class Line:
    """Lasts until it is closed, which raises ``error``, or breaks."""

    connected = True

    def __init__(self, error: BaseException | None = None) -> None:
        self._error, self._over = error, asyncio.Event()
        self._inbox: Inbox[str] = Inbox()
        self.reason, self.broken = "", False

    async def run(self) -> None:
        try:
            await self._over.wait()
            if self.broken:
                raise RuntimeError("a broken line")
        finally:
            self.hang_up("hung up")

    def audio(self) -> AsyncIterator[AudioFrame]:
        return self._inbox.audio.read()

    def video(self) -> AsyncIterator[VideoFrame]:
        return self._inbox.video.read()

    def playback(self) -> AsyncIterator[Playback]:
        return self._inbox.playback.read()

    def messages(self) -> AsyncIterator[str]:
        return self._inbox.messages.read()

    def say(self, message: str) -> None:
        self._inbox.put(message)

    def send(self, text: str) -> None:
        pass

    def flush(self) -> float:
        return 0.0

    def hang_up(self, reason: str = "closed by the page") -> None:
        self.reason = self.reason or reason
        self._over.set()
        self._inbox.close()

    async def aclose(self, reason: str = "hung up") -> None:
        self.hang_up(reason)
        if self._error is not None:
            raise self._error


class CallsOver(Calls):
    """Each call is over the next of these lines."""

    def __init__(
        self, *lines: Line, host: Host | None = None, options: ServerOptions | None = None
    ) -> None:
        super().__init__(host or ScriptedHost(), options or ServerOptions())
        self._lines = iter(lines)

    async def start(self) -> str:
        return await self.begin(Place(), self.open)

    async def open(self, opening: Opening) -> tuple[OpenLine, Transport]:
        line = cast(MediaLine, next(self._lines))
        return line, opening.realtime(line)


async def test_two_first_calls_at_once_share_a_scope_that_ends_with_the_app() -> None:
    calls = CallsOver(Line(), Line())
    await asyncio.gather(*(calls.start() for _ in range(2)))
    assert calls.active == 2
    await calls.aclose()
    assert calls.active == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


class Asked(ScriptedHost):
    """Says for which personas it was asked about wishes."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def check_wishes(self, persona: str, wishes: Wishes) -> None:
        self.asked.append(persona)


async def test_wishes_are_judged_once_and_for_the_persona_that_answers() -> None:
    host = Asked()
    calls = CallsOver(Line(), host=host)
    session = SessionConfig(omni=OmniOptions(persona="concierge"))
    await calls.begin(Place(), calls.open, persona="tutor", session=session)
    assert host.asked == ["tutor"]
    await calls.aclose()


@pytest.mark.parametrize("error", [OSError("no such socket"), asyncio.CancelledError()])
async def test_a_line_that_does_not_close_gives_its_place_back_and_ends_no_other_call(
    error: BaseException,
) -> None:
    broken = Line(error)
    calls = CallsOver(broken, Line())
    async with calls.running():
        await calls.start()
        await calls.start()
        broken.hang_up()
        async with asyncio.timeout(20):
            while calls.active == 2:  # noqa: ASYNC110  # nobody is told
                await asyncio.sleep(0)
        assert calls.active == 1


# -- why a call ended ------------------------------------------------------------------------


class Conversing(ScriptedHost):
    """Holds real conversations, which nobody says anything in."""

    async def serve_call(self, transport: Transport, request: CallRequest) -> None:
        stages = Stages(ScriptedThinker(), ScriptedTalker(), None)
        wardrobe = FixedWardrobe(Outfit(Persona(name="Test", goodbye=None), {}, ()))
        await Session(stages, transport, wardrobe, replace(request, idle_s=600.0)).run()


async def heedless(transport: Transport, host: ScriptedHost) -> None:
    """A session that goes on whatever happens."""
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(50)
            return


async def broken(transport: Transport, host: ScriptedHost) -> None:
    raise RuntimeError("a broken session")


async def patience(calls: Calls, line: Line, session_id: str) -> None:
    """Nobody does anything."""


async def page_ends(calls: Calls, line: Line, session_id: str) -> None:
    await calls.hang_up(session_id, "")


async def operator_ends(calls: Calls, line: Line, session_id: str) -> None:
    await calls.hang_up(session_id, None)


async def tab_closes(calls: Calls, line: Line, session_id: str) -> None:
    line.hang_up("closed by the page")


async def line_is_lost(calls: Calls, line: Line, session_id: str) -> None:
    line.hang_up("line lost")


async def line_breaks(calls: Calls, line: Line, session_id: str) -> None:
    line.broken = True
    line.hang_up("")


async def client_floods(calls: Calls, line: Line, session_id: str) -> None:
    for _ in range(50):
        line.say('{"type": "input_audio_buffer.commit"}')


async def server_stops(calls: Calls, line: Line, session_id: str) -> None:
    await calls.aclose()


Way = Callable[[Calls, Line, str], Awaitable[None]]
WAYS: list[tuple[Way, Callable[[], ScriptedHost], float, str]] = [
    (page_ends, Conversing, 7200, "hangup (closed by the page)"),
    (operator_ends, Conversing, 7200, "hangup (closed with the key)"),
    (tab_closes, Conversing, 7200, "hangup (closed by the page)"),
    (line_is_lost, Conversing, 7200, "hangup (line lost)"),
    (client_floods, Conversing, 7200, "hangup (too many messages)"),
    (patience, Conversing, 7200, "idle"),
    (patience, Conversing, 60, "time"),
    (patience, Conversing, math.inf, "idle"),
    (patience, ScriptedHost, 60, "hangup (the longest call is over)"),
    (server_stops, Conversing, 7200, "shutdown"),
    (server_stops, lambda: ScriptedHost(heedless), 7200, "shutdown"),
    (patience, lambda: ScriptedHost(broken), 7200, "failed"),
    (line_breaks, Conversing, 7200, "failed"),
]


@pytest.mark.parametrize(("way", "host", "call_s", "reason"), WAYS)
@virtual_time
async def test_the_log_says_of_every_call_why_it_ended(
    way: Way,
    host: Callable[[], ScriptedHost],
    call_s: float,
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "omni_agent.server.call_log")
    messages = MessageLimits(per_minute=2, overrun=10)
    options = ServerOptions(limits=Limits(call_s=call_s, messages=messages))
    line = Line()
    calls = CallsOver(line, host=host(), options=options)
    session_id = await calls.start()
    await asyncio.sleep(1)
    await way(calls, line, session_id)
    while calls.active:  # noqa: ASYNC110  # nobody is told
        await asyncio.sleep(1)
    await calls.aclose()
    (said,) = [one for one in caplog.messages if one.startswith(f"call {session_id} ended")]
    assert said.partition(": ")[2] == f"{reason}, 0 turns"
