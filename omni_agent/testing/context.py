"""A call for one tool, without the call."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from omni_agent.tools import Panel


class FakeCall:
    """A ``CallContext`` that remembers what was done in it::

        call = FakeCall(caller="anna")
        assert await order_status.call({"order_id": "A-1"}, call) == "out for delivery"
        assert call.panels["orders"].rows

    said, progressed: texts in order. panels: the last one shown under each name. tasks:
    background work, which runs in the test's loop.
    """

    def __init__(self, *, session_id: str = "call_1", caller: str = "") -> None:
        self.session_id, self.caller = session_id, caller
        self.state: dict[str, Any] = {}
        self.said: list[str] = []
        self.progressed: list[str] = []
        self.panels: dict[str, Panel] = {}
        self.tasks: list[asyncio.Task[None]] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def show(self, name: str, panel: Panel) -> None:
        self.panels[name] = panel

    def progress(self, text: str) -> None:
        self.progressed.append(text)

    def background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        self.tasks.append(asyncio.get_running_loop().create_task(work))
        return self.tasks[-1]
