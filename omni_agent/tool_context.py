"""What a running tool can do in its call: the session's side of ``CallContext``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from omni_agent import events
from omni_agent.tools import Panel

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LiveContext:
    """One tool call's view of the call it runs in (a ``CallContext``)."""

    session_id: str
    caller: str
    call_id: str
    state: dict[str, Any]
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    emit: Callable[[events.Event], None]
    announce: Callable[[str], None]

    def say(self, text: str) -> None:
        self.announce(text)

    def show(self, name: str, panel: Panel) -> None:
        self.emit(events.PanelShown(self._now(), name, panel.model_dump()))

    def progress(self, text: str) -> None:
        self.emit(events.ToolProgress(self._now(), self.call_id, text))

    def background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        try:
            task = self.spawn(self._guarded(work))
        except asyncio.CancelledError:  # the call is ending
            work.close()
            raise
        task.add_done_callback(lambda _: work.close())
        return task

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            log.exception("background work of tool call %s failed", self.call_id)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
