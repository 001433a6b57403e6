"""What a running tool can do in its call: the session's side of ``CallContext``."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from omni_agent import events
from omni_agent.call import Call
from omni_agent.results import clean
from omni_agent.scope import Scope
from omni_agent.tools import Panel

log = logging.getLogger(__name__)


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

    def say(self, text: str) -> None:
        if words := clean(text).strip():
            self.announce(words)

    def show(self, name: str, panel: Panel) -> None:
        self.emit(events.PanelShown(Call.now(), name, panel.model_dump()))

    def progress(self, text: str) -> None:
        self.emit(events.ToolProgress(Call.now(), self.call_id, clean(text)))

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
