"""The tools that run in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from omni_agent import events
from omni_agent.call import Call
from omni_agent.conversation import ToolResult
from omni_agent.ledger import Outcome
from omni_agent.thinker import ToolCallRequest
from omni_agent.tool_context import LiveContext, Showing


class ToolRuns:
    """Runs tools beyond the life of the reply that asked for them.

    announce: says a text when nobody is speaking. ended: told the id of the reply
    that asked, once a result has joined the conversation.
    """

    def __init__(
        self, call: Call, announce: Callable[[str], None], ended: Callable[[str], None]
    ) -> None:
        self._call, self._announce, self._ended = call, announce, ended
        self._tasks: dict[str, asyncio.Task[Outcome]] = {}
        self._state: dict[str, Any] = {}
        self._showing = Showing()

    def start(self, reply_id: str, request: ToolCallRequest) -> asyncio.Task[Outcome]:
        """Run a call that the ledger has opened."""
        call_id, arguments = request.call_id, dict(request.arguments)
        self._call.emit(
            events.ToolStarted(self._call.now(), reply_id, call_id, request.name, arguments)
        )
        self._tasks[call_id] = task = self._call.spawn(self._run(reply_id, request))
        task.add_done_callback(lambda _: self._never_began(request))
        return task

    def _never_began(self, request: ToolCallRequest) -> None:
        """A task that is cancelled before its first step runs none of its code."""
        if request.call_id in self._tasks:
            self._call.ledger.drop(request.call_id)
            self._cancelled(request)

    def interrupt(self) -> None:
        """The user interrupted: cancel the tools that say they may be."""
        for call_id in self._call.ledger.running:
            if call_id in self._tasks and self._call.ledger.interruptible(call_id):
                self._tasks[call_id].cancel()

    async def _run(self, reply_id: str, request: ToolCallRequest) -> Outcome:
        try:
            outcome = await self._call.ledger.run(request.call_id, self._context, self._call.scope)
        except asyncio.CancelledError:
            self._cancelled(request)
            raise
        self._record(outcome)
        self._ended(reply_id)
        return outcome

    def _cancelled(self, request: ToolCallRequest) -> None:
        self._record(Outcome(request.call_id, request.name, "Cancelled.", False, 0.0))

    def _record(self, outcome: Outcome) -> None:
        self._tasks.pop(outcome.call_id, None)
        call_id, name, output, ok = outcome.call_id, outcome.name, outcome.output, outcome.ok
        self._call.conversation.add(ToolResult(call_id, output, ok))
        ms = round(outcome.ms, 1)
        shown = outcome.shown or output
        self._call.emit(events.ToolFinished(self._call.now(), call_id, name, shown, ok, ms))

    def _context(self, request: ToolCallRequest) -> LiveContext:
        call = self._call
        return LiveContext(
            session_id=call.session_id,
            caller=call.caller,
            call_id=request.call_id,
            tool=request.name,
            state=self._state,
            scope=call.scope,
            emit=call.emit,
            announce=self._announce,
            showing=self._showing,
        )
