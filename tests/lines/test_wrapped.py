"""Something between a call and its line: here, a stereo recording as a plugin makes one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from omni_agent import events, hookimpl
from omni_agent.audio import AudioFrame
from omni_agent.lines.wrapped import WrappedTransport
from omni_agent.testing import ScriptedThinker, rehearse, virtual_time
from omni_agent.transport import Transport


@dataclass
class Tape:
    heard: list[AudioFrame] = field(default_factory=list)
    said: list[AudioFrame] = field(default_factory=list)


class Recorded(WrappedTransport):
    def __init__(self, line: Transport, tape: Tape) -> None:
        super().__init__(line)
        self.tape = tape

    async def audio(self) -> AsyncIterator[AudioFrame]:
        async for frame in super().audio():
            self.tape.heard.append(frame)
            yield frame

    async def play(self, utterance: str, frame: AudioFrame) -> None:
        self.tape.said.append(frame)
        await super().play(utterance, frame)


class Recorder:
    def __init__(self) -> None:
        self.tapes: dict[str, Tape] = {}

    @hookimpl
    def wrap_transport(self, transport: Transport, session_id: str) -> Transport:
        self.tapes[session_id] = tape = Tape()
        return Recorded(transport, tape)


class Broken:
    @hookimpl
    def wrap_transport(self, transport: Transport) -> str:
        return "no transport"


@virtual_time
async def test_a_plugin_records_both_sides_of_a_call() -> None:
    recorder = Recorder()
    async with rehearse(ScriptedThinker(["Noon."]), plugins=[Broken(), recorder]) as stage:
        await stage.user("When?")
        assert await stage.agent() == "Noon."
        (tape,) = recorder.tapes.values()
        assert list(recorder.tapes) == [stage.session.id]
        assert sum(frame.seconds for frame in tape.heard) > 1
        assert tape.said == stage.line.recording()


@virtual_time
async def test_everything_else_goes_through() -> None:
    thinker = ScriptedThinker(["word " * 60], ["Fine."])
    async with rehearse(thinker, plugins=[Recorder()]) as stage:
        stage.types("Go on")
        await stage.until(events.PlaybackStarted)
        await asyncio.sleep(3)
        await stage.user("Stop it please, that is enough.")
        assert "word" in await stage.agent()
        assert await stage.agent() == "Fine."
