"""What a running tool can do in its call: the session's side of ``CallContext``."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from omni_agent import events
from omni_agent.call import Call
from omni_agent.results import clean
from omni_agent.scope import Scope
from omni_agent.tools import Panel

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


@dataclass(frozen=True, slots=True)
class LiveContext:
    """One tool call's view of the call it runs in (a ``CallContext``)."""

    session_id: str
    caller: str
    call_id: str
    tool: str
    state: dict[str, Any]
    scope: Scope
    emit: Callable[[events.Event], None]
    announce: Callable[[str], None]
    showing: Showing = field(default_factory=Showing)

    def say(self, text: str) -> None:
        if words := clean(text).strip():
            self.announce(words)

    def show(self, name: str, panel: Panel) -> None:
        if self.showing.may(self.tool, Call.now()):
            few = panel.model_copy(update={"rows": panel.rows[:MOST_ROWS]})
            data = _short(few.model_dump())
            self.emit(events.PanelShown(Call.now(), clean(name, MOST_SHOWN_CHARS), data))

    def progress(self, text: str) -> None:
        if self.showing.may(self.tool, Call.now()):
            told = clean(text, MOST_SHOWN_CHARS)
            self.emit(events.ToolProgress(Call.now(), self.call_id, told))

    def background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        if not inspect.iscoroutine(work):
            raise TypeError(f"background() takes a coroutine, not a {type(work).__name__}")
        try:
            task = self.scope.spawn(self._guarded(work), f"background work of tool {self.tool}")
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
