"""The tools that run in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from omni_agent import events
from omni_agent.call.state import Call
from omni_agent.call.tool_context import LiveSide, Showing, Talk
from omni_agent.conversation import ToolCall, ToolResult, new_id
from omni_agent.frozen import frozen
from omni_agent.thinker import ToolCallRequest
from omni_agent.tools.approval import ALLOWED, Ask, Deny, strictest
from omni_agent.tools.context import ToolContext
from omni_agent.tools.ledger import CallState, Outcome
from omni_agent.tools.signatures import Settled
from omni_agent.tools.tool import Tool

DECLINED = "The user did not agree, so it was not done."
UNANSWERED = "The user gave no answer that was understood, so it was not done."
"""What the Thinker is told of a tool call that needed a yes."""


@dataclass(frozen=True, slots=True)
class _Run:
    """reply_id: of the reply that asked for it."""

    reply_id: str
    task: asyncio.Task[Outcome | None]


class ToolRuns:
    """Runs tools beyond the life of the reply that asked for them.

    talk: says what tools have to say. ended: told the id of the reply
    that asked, once a result has joined the conversation.
    """

    def __init__(self, call: Call, talk: Talk, ended: Callable[[str], None]) -> None:
        self._call, self._talk, self._ended = call, talk, ended
        self._running: dict[str, _Run] = {}
        self._told: set[str] = set()
        self._state: dict[str, Any] = {}
        self._showing = Showing()

    def start(self, reply_id: str, made: ToolCall) -> asyncio.Task[Outcome | None]:
        """Run a call that the ledger opened. The task ends with None where the client runs it."""
        request = ToolCallRequest(made.call_id, made.name, made.arguments)
        work: Coroutine[Any, Any, Outcome | None]
        tool = self._call.ledger.tool(made.call_id)
        if tool is not None and tool.runs_at == "client":
            work = self._hand_out(reply_id, made, request)
        else:
            self._tell(reply_id, made)
            work = self._run(reply_id, request)
        try:
            task = self._call.spawn(work)
        except asyncio.CancelledError:  # the call is ending
            self._cancelled(request)
            raise
        self._running[made.call_id] = _Run(reply_id, task)
        task.add_done_callback(lambda _: self._never_began(request))
        return task

    def _tell(self, reply_id: str, made: ToolCall) -> None:
        self._told.add(made.call_id)
        self._call.conversation.add(made)
        told = frozen(made.arguments)  # whoever looks at it changes it for nobody
        now, name = self._call.now(), made.name
        self._call.emit(events.ToolStarted(now, reply_id, made.call_id, name, told))

    async def _hand_out(
        self, reply_id: str, made: ToolCall, request: ToolCallRequest
    ) -> Outcome | None:
        """The client learns of a call when it may run, and of one that may not with its result."""
        try:
            judged = await self._judged(request)
        except asyncio.CancelledError:
            self._cancelled(request)
            raise
        self._tell(reply_id, made)
        self._running.pop(request.call_id, None)
        if not isinstance(judged, Outcome):
            self._call.ledger.hand_out(request.call_id)
            return None
        self._record(judged)
        self._ended(reply_id)
        return judged

    def _never_began(self, request: ToolCallRequest) -> None:
        """A task that is cancelled before its first step runs none of its code."""
        if request.call_id in self._running:
            self._cancelled(request)

    def interrupt(self) -> None:
        """The user interrupted: cancel the tools that say they may be."""
        for call_id, run in self._running.items():
            tool = self._call.ledger.tool(call_id)
            if tool is not None and tool.interruptible:
                run.task.cancel()

    def wait_for_the_user(self, reply_id: str) -> bool:
        """Whether a tool that this reply waits for waits for a yes or a no."""
        asked = (call_id for call_id, run in self._running.items() if run.reply_id == reply_id)
        return any(self._call.ledger.state(call_id) is CallState.WAITING for call_id in asked)

    async def _run(self, reply_id: str, request: ToolCallRequest) -> Outcome:
        side = LiveSide(self._call, self._talk, request.call_id, request.name, self._showing)
        try:
            outcome = await self._outcome(request, side)
        except asyncio.CancelledError:
            side.give_up()
            self._cancelled(request)
            raise
        if not outcome.ok:
            side.give_up()
        self._record(outcome)
        self._ended(reply_id)
        return outcome

    async def _outcome(self, request: ToolCallRequest, side: LiveSide) -> Outcome:
        judged = await self._judged(request)
        if isinstance(judged, Outcome):
            return judged
        call = self._call
        return await call.ledger.run(
            request.call_id, lambda _: self._context(side), call.scope, judged
        )

    async def _judged(self, request: ToolCallRequest) -> Settled | Outcome | None:
        """The arguments that it may run with, what comes of a call that may not, or None where
        there is no such tool. The user may have to be asked, but not of one whose arguments cannot
        be read."""
        ledger = self._call.ledger
        tool = ledger.tool(request.call_id)
        if tool is None:
            return None
        try:
            settled = tool.settle(request.arguments)
        except BaseException as error:  # a validator's own, SystemExit too
            return ledger.fail(request.call_id, error)
        refusal = await self._refusal(tool, replace(request, arguments=settled.told))
        return ledger.refuse(request.call_id, refusal) if refusal else settled

    async def _refusal(self, tool: Tool, judged: ToolCallRequest) -> str:
        """Why; empty when it may."""
        own = Ask(tool.question(judged.arguments)) if tool.approval else ALLOWED
        call = self._call
        theirs = call.counsel.judge(judged, call.session_id, call.caller)
        match strictest([theirs, own]):
            case Deny(reason):
                return reason
            case Ask(question):
                return await self._objection(judged.call_id, question)
            case _:
                return ""

    async def _objection(self, call_id: str, question: str) -> str:
        """What the user has against it; empty after a yes."""
        call = self._call
        call.ledger.wait(call_id)
        call.emit(events.ToolWaiting(call.now(), call_id, question))
        agreed = await self._talk.ask(question)
        call.emit(events.ToolAnswered(call.now(), call_id, bool(agreed)))
        if agreed is None:
            return UNANSWERED
        return "" if agreed else DECLINED

    def answered(self, result: ToolResult) -> None:
        """The client says what came of a call. Raises ProtocolError when none waits for that."""
        name = self._call.ledger.answer(result)
        self._record(Outcome(result.call_id, name, result.output, result.ok, 0.0), result.id)

    def _cancelled(self, request: ToolCallRequest) -> None:
        self._call.ledger.cancel(request.call_id)
        if request.call_id in self._told:
            self._record(Outcome(request.call_id, request.name, "Cancelled.", False, 0.0))
        self._running.pop(request.call_id, None)

    def _record(self, outcome: Outcome, item_id: str = "") -> None:
        self._running.pop(outcome.call_id, None)
        self._told.discard(outcome.call_id)
        call_id, name, output, ok = outcome.call_id, outcome.name, outcome.output, outcome.ok
        result = ToolResult(call_id, output, ok, item_id or new_id("item"))
        self._call.conversation.add(result)
        ms = round(outcome.ms, 1)
        shown = outcome.shown or output
        self._call.emit(events.ToolFinished(self._call.now(), call_id, name, shown, ok, ms))

    def _context(self, side: LiveSide) -> ToolContext:
        call = self._call
        return ToolContext(
            side,
            session_id=call.session_id,
            caller=call.caller,
            state=self._state,
            settings=call.outfit.settings,
        )
