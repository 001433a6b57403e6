"""A call for one tool, without the call."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Iterable
from typing import Any

from pydantic import BaseModel

from omni_agent.errors import ToolError
from omni_agent.plugin_settings import PluginSettings
from omni_agent.tools.context import After, ToolContext, When
from omni_agent.tools.panels import Panel
from omni_agent.utf8 import clean


class FakeCall(ToolContext):
    """A ``ToolContext`` that remembers what was done in it::

        call = FakeCall(caller="anna", answers=[True])
        assert await order_status.call({"order_id": "A-1"}, call) == "out for delivery"
        assert call.panels["orders"].rows

    answers: of the user to what is asked, in order; then there are none, which is a no.
    settings: what the persona says of plugins, as their models:
    ``FakeCall(settings=[ClockSettings(home="Tokyo")])``. personas: those that it may be handed over
    to; None is any. said, progressed, asked: texts in
    order. said_now: those of ``said`` that were not to wait for a silence. panels: the last one
    shown under each name. tasks: background work, which runs in the test's loop. handed_over: the
    persona that is to answer. hung_up: after what the call is to end.
    """

    def __init__(
        self,
        *,
        session_id: str = "call_1",
        caller: str = "",
        answers: Iterable[bool] = (),
        settings: Iterable[BaseModel] = (),
        personas: Collection[str] | None = None,
    ) -> None:
        super().__init__(
            _Remembering(self, answers, personas),
            session_id=session_id,
            caller=caller,
            settings=PluginSettings(*settings),
        )
        self.said: list[str] = []
        self.said_now: list[str] = []
        self.progressed: list[str] = []
        self.asked: list[str] = []
        self.panels: dict[str, Panel] = {}
        self.tasks: list[asyncio.Task[None]] = []
        self.handed_over = ""
        self.hung_up: After | None = None


class _Remembering:
    """As a call does it: what is blank is not said, and texts are whole."""

    def __init__(
        self, call: FakeCall, answers: Iterable[bool], personas: Collection[str] | None
    ) -> None:
        self._call, self._answers, self._personas = call, iter(answers), personas

    def say(self, text: str, when: When) -> None:
        if words := clean(text).strip():
            self._call.said.append(words)
            if when == "now":
                self._call.said_now.append(words)

    async def ask(self, question: str) -> bool:
        self._call.asked.append(clean(question).strip())
        return next(self._answers, False)

    def hand_over(self, persona: str) -> None:
        if self._personas is not None and persona not in self._personas:
            raise ToolError(f"There is no handing over to {clean(persona)!r}.")
        self._call.handed_over = persona

    def hang_up(self, after: After) -> None:
        self._call.hung_up = after

    def show(self, name: str, panel: Panel) -> None:
        self._call.panels[name] = panel

    def progress(self, text: str) -> None:
        self._call.progressed.append(text)

    def background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        self._call.tasks.append(asyncio.get_running_loop().create_task(work))
        return self._call.tasks[-1]
