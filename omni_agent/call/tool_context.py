"""What a call does for a running tool: the session's side of ``ToolContext``."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from omni_agent import events
from omni_agent.call.state import Call
from omni_agent.errors import OmniAgentError, ToolError, UnknownPersonaError, public
from omni_agent.frozen import frozen
from omni_agent.tools.context import After, When
from omni_agent.tools.panels import Panel
from omni_agent.utf8 import clean

log = logging.getLogger(__name__)

MOST_SHOWN_CHARS = 300
"""Of one text on the page."""
MOST_ROWS = 200
"""Of a panel."""
SHOWN_AT_ONCE = 100
"""Panels and progress of all tools in a call; more are dropped …"""
SHOWN_PER_S = 20
"""… until time has made room for so many a second."""


class Showing:
    """What the tools of one call may still show."""

    def __init__(self) -> None:
        self._left, self._since = float(SHOWN_AT_ONCE), 0.0
        self._told = False

    def may(self, tool: str, now: float) -> bool:
        self._left = min(SHOWN_AT_ONCE, self._left + SHOWN_PER_S * (now - self._since))
        self._since = now
        if self._left >= 1:
            self._left -= 1
            return True
        if not self._told:
            self._told = True
            log.warning("tool %s shows more than a page can: what is too much is dropped", tool)
        return False


class Talk(Protocol):
    """What the agent's side of the call says for tools."""

    def announce(self, text: str) -> None: ...
    def say_next(self, text: str) -> None: ...
    async def ask(self, question: str) -> bool | None: ...
    def hang_up(self, after: After) -> None: ...


@dataclass(frozen=True, slots=True)
class LiveSide:
    """What a call does for one of its tool calls (a ``CallSide``)."""

    call: Call
    talk: Talk
    call_id: str
    tool: str
    showing: Showing = field(default_factory=Showing)
    _asking: set[asyncio.Task[bool | None]] = field(default_factory=set)
    _given_up: asyncio.Event = field(default_factory=asyncio.Event)

    def give_up(self) -> None:
        """The tool failed, as it was told: its thread asks nobody any more, and ends no call."""
        self._given_up.set()
        for task in self._asking:
            task.cancel()

    def say(self, text: str, when: When) -> None:
        if words := clean(text).strip():
            (self.talk.say_next if when == "now" else self.talk.announce)(words)

    async def ask(self, question: str) -> bool:
        if self._given_up.is_set():
            return False
        words = clean(question).strip()
        task = self.call.scope.spawn(self.talk.ask(words), f"a question of tool {self.tool}")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        with self.call.ledger.asking(self.call_id) as waits:
            if waits:
                self.call.emit(events.ToolWaiting(Call.now(), self.call_id, words))
            try:
                await asyncio.wait([task])  # only a cancellation of the tool's own comes out of it
            finally:
                task.cancel()
        agreed = not task.cancelled() and bool(task.result())
        if waits and self.call_id in self.call.ledger.running:
            self.call.emit(events.ToolAnswered(Call.now(), self.call_id, agreed))
        return agreed

    def hand_over(self, persona: str) -> None:
        try:
            self.call.hand_over(persona)
        except OmniAgentError as error:
            told = public(error)
            if isinstance(error, UnknownPersonaError):  # for the Thinker, which may have misread it
                told = f"it is not offered. There are: {', '.join(error.there)}."
            why = f"There is no handing over to {clean(persona)!r}: {told}"
            raise ToolError(why) from error

    def hang_up(self, after: After) -> None:
        if not self._given_up.is_set():
            self.talk.hang_up(after)

    def show(self, name: str, panel: Panel) -> None:
        if self.showing.may(self.tool, Call.now()):
            few = panel.model_copy(update={"rows": panel.rows[:MOST_ROWS]})
            data = frozen(_short(few.model_dump()))
            self.call.emit(events.PanelShown(Call.now(), clean(name, MOST_SHOWN_CHARS), data))

    def progress(self, text: str) -> None:
        if self.showing.may(self.tool, Call.now()):
            told = clean(text, MOST_SHOWN_CHARS)
            self.call.emit(events.ToolProgress(Call.now(), self.call_id, told))

    def background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        if not inspect.iscoroutine(work):
            raise TypeError(f"background() takes a coroutine, not a {type(work).__name__}")
        try:
            task = self.call.scope.spawn(
                self._guarded(work), f"background work of tool {self.tool}"
            )
        except BaseException:  # the call is ending, or has too many
            work.close()
            raise
        task.add_done_callback(lambda _: work.close())
        return task

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except BaseException:  # SystemExit too, which would end every call
            log.exception("background work of tool %s failed", self.tool)


def _short(data: Any) -> Any:
    """A panel's data with its texts cut."""
    if isinstance(data, dict):
        return {key: _short(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_short(value) for value in data]
    return clean(data, MOST_SHOWN_CHARS) if isinstance(data, str) else data
