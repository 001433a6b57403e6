"""Every tool call exactly once, across interruptions, failures and hang-ups."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any

from omni_agent.conversation import Item, ToolCall, ToolResult
from omni_agent.errors import ProtocolError, ToolArgumentsError, ToolError, words_of
from omni_agent.runtime.scope import Scope
from omni_agent.thinker import ToolCallRequest
from omni_agent.tools.allowance import Allowance
from omni_agent.tools.context import ToolContext
from omni_agent.tools.signatures import Settled
from omni_agent.tools.tool import Tool

log = logging.getLogger(__name__)


MISCALLED = (
    "{reason}. Nothing was done. Call it again, exactly as its parameters say; ask the user for "
    "what is missing. These are words for you, not for the user."
)
"""What the Thinker is told of a call that does not fit."""
LOST = "The call went on elsewhere while this ran: nobody knows what came of it."
"""What is told of a call whose session ended before it did."""
FAILED = "Something went wrong on my side."
"""What is told of an exception that was not meant for the user: it may hold a password."""


class CallState(Enum):
    """WAITING: for the user's yes or no, before it runs or meanwhile. AWAITED: from the client,
    which runs it."""

    PENDING = "pending"
    WAITING = "waiting"
    RUNNING = "running"
    AWAITED = "awaited"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


_NEXT = {
    CallState.PENDING: {
        CallState.WAITING,
        CallState.RUNNING,
        CallState.AWAITED,
        CallState.FAILED,
        CallState.CANCELLED,
    },
    CallState.WAITING: {
        CallState.RUNNING,
        CallState.DONE,  # what asked may end before it is answered
        CallState.FAILED,
        CallState.CANCELLED,
    },
    CallState.AWAITED: {CallState.DONE, CallState.FAILED, CallState.CANCELLED},
    CallState.RUNNING: {
        CallState.WAITING,
        CallState.DONE,
        CallState.FAILED,
        CallState.CANCELLED,
    },
}


_Ending = tuple[str, bool, str]
"""output, ok and shown of an Outcome."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended. output: for the Thinker. ms: how long the tool ran, but for what it asked.

    shown: what callers see instead of an output that means nothing to them; else empty.
    """

    call_id: str
    name: str
    output: str
    ok: bool
    ms: float
    shown: str = ""


@dataclass(slots=True)
class _Entry:
    request: ToolCallRequest
    tool: Tool | None
    known: tuple[str, ...]
    state: CallState = CallState.PENDING
    allowance: Allowance | None = None
    questions: int = 0
    """That it has asked while it runs, and nobody has answered."""


class Ledger:
    """Runs tool calls and records their states; none begins or ends twice."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def state(self, call_id: str) -> CallState:
        return self._entries[call_id].state

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of the calls that have not ended."""
        return tuple(i for i, e in self._entries.items() if e.state in _NEXT)

    def tool(self, call_id: str) -> Tool | None:
        """The tool that was called; None when there was none of this name."""
        return self._entries[call_id].tool

    def open(self, request: ToolCallRequest, tools: Mapping[str, Tool]) -> bool:
        """Enter a call of one of these; False when the id is known already, and it must not run
        again."""
        if request.call_id in self._entries:
            return False
        entry = _Entry(request, tools.get(request.name), tuple(sorted(tools)))
        self._entries[request.call_id] = entry
        return True

    def _move(self, call_id: str, state: CallState) -> None:
        entry = self._entries[call_id]
        if state not in _NEXT.get(entry.state, set()):
            raise RuntimeError(
                f"tool call {call_id}: {entry.state.value} cannot become {state.value}"
            )
        entry.state = state

    def cancel(self, call_id: str) -> None:
        """A call that has not ended never will."""
        if self._entries[call_id].state in _NEXT:
            self._move(call_id, CallState.CANCELLED)

    def wait(self, call_id: str) -> None:
        """The user is asked whether this call may run."""
        self._move(call_id, CallState.WAITING)

    @contextmanager
    def asking(self, call_id: str) -> Iterator[bool]:
        """The user is asked something by a tool, whose time does not run meanwhile.

        Whether its call waits for that; one that has ended does not.
        """
        entry = self._entries[call_id]
        entry.questions += 1
        if entry.state is CallState.RUNNING and entry.allowance is not None:
            self._move(call_id, CallState.WAITING)
            entry.allowance.stop()
        try:
            yield entry.state is CallState.WAITING
        finally:
            entry.questions -= 1
            answered = entry.state is CallState.WAITING and not entry.questions
            if answered and entry.allowance is not None:
                self._move(call_id, CallState.RUNNING)
                entry.allowance.run()

    def refuse(self, call_id: str, reason: str) -> Outcome:
        """It may not run; ``reason`` is for the Thinker."""
        self._move(call_id, CallState.FAILED)
        return Outcome(call_id, self._entries[call_id].request.name, reason, False, 0.0)

    def fail(self, call_id: str, error: BaseException) -> Outcome:
        """It cannot run: nobody could say what with."""
        self._move(call_id, CallState.FAILED)
        name = self._entries[call_id].request.name
        output, ok, shown = _failed(name, error)
        return Outcome(call_id, name, output, ok, 0.0, shown)

    def hand_out(self, call_id: str) -> None:
        """The client runs this call."""
        self._move(call_id, CallState.AWAITED)

    def answer(self, result: ToolResult) -> str:
        """The client says what came of a call: the tool's name.

        Raises ProtocolError for a call that no client is awaited to answer.
        """
        entry = self._entries.get(result.call_id)
        if entry is None or entry.state is not CallState.AWAITED:
            raise ProtocolError("no tool call of this id waits for a result from the client")
        self._move(result.call_id, CallState.DONE if result.ok else CallState.FAILED)
        return entry.request.name

    def recall(self, items: Iterable[Item], tools: Mapping[str, Tool]) -> list[ToolResult]:
        """Enter the calls of a conversation that another session began.

        None of them runs again. What the client was to answer is still awaited; of any other
        call without a result nobody knows what came: results that say so.
        """
        items = list(items)
        results = {item.call_id: item for item in items if isinstance(item, ToolResult)}
        calls = [item for item in items if isinstance(item, ToolCall)]
        new = [
            call
            for call in calls
            if self.open(ToolCallRequest(call.call_id, call.name, call.arguments), tools)
        ]
        return [lost for call in new for lost in self._recall(call, results.get(call.call_id))]

    def _recall(self, call: ToolCall, result: ToolResult | None) -> list[ToolResult]:
        entry = self._entries[call.call_id]
        tool = entry.tool
        if result is not None:
            entry.state = CallState.DONE if result.ok else CallState.FAILED
        elif tool is not None and tool.runs_at == "client":
            entry.state = CallState.AWAITED
        else:
            entry.state = CallState.CANCELLED
            return [ToolResult(call.call_id, LOST, ok=False)]
        return []

    async def run(
        self,
        call_id: str,
        context: Callable[[ToolCallRequest], ToolContext],
        scope: Scope,
        settled: Settled | None = None,
    ) -> Outcome:
        """Run an opened call to its outcome; every failure is an outcome too.

        scope: where the tool's task lives, for the case that it refuses to end. settled: its
        arguments, where they have been read. Only cancellation comes out as an exception, after
        the call is recorded as cancelled.
        """
        entry = self._entries[call_id]
        request = entry.request
        if entry.questions:  # it waits as one does that has not begun
            raise RuntimeError(f"tool call {call_id} has begun already")
        try:
            output, ok, shown = await self._attempt(request, context, scope, settled)
        except asyncio.CancelledError:
            self._move(call_id, CallState.CANCELLED)
            raise
        finally:
            if entry.allowance is not None:
                entry.allowance.stop()
        self._move(call_id, CallState.DONE if ok else CallState.FAILED)
        ms = 1000 * entry.allowance.used_s if entry.allowance is not None else 0.0
        return Outcome(call_id, request.name, output, ok, ms, shown)

    async def _attempt(
        self,
        request: ToolCallRequest,
        context: Callable[[ToolCallRequest], ToolContext],
        scope: Scope,
        settled: Settled | None,
    ) -> _Ending:
        entry = self._entries[request.call_id]
        tool = entry.tool
        self._move(request.call_id, CallState.RUNNING)
        if tool is None:
            known = ", ".join(entry.known) or "none"
            return _miscalled(f"There is no tool {request.name!r}; tools: {known}")
        try:
            work = _contained(tool, settled or request.arguments, context(request))
            task = scope.spawn(work, f"tool {tool.name}")
        except ToolError as error:
            return words_of(error), False, ""
        entry.allowance = Allowance(tool.timeout_s)
        try:
            await entry.allowance.wait(task)
        except asyncio.CancelledError:
            task.cancel()  # and the scope waits for it
            raise
        if task.done():
            return (FAILED, False, "") if task.cancelled() else task.result()
        log.warning("tool %s timed out after %g s", tool.name, tool.timeout_s)
        await scope.end([task])
        return f"It did not answer within {tool.timeout_s:g} seconds.", False, ""


def _miscalled(reason: str) -> _Ending:
    return MISCALLED.format(reason=reason), False, ToolArgumentsError.public


async def _contained(
    tool: Tool, arguments: Mapping[str, Any] | Settled, context: ToolContext
) -> _Ending:
    """What a tool says, and whether it worked; only a cancellation comes out of it."""
    try:
        return await tool.call(arguments, context), True, ""
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # SystemExit too, which would end every call
        return _failed(tool.name, error)


def _failed(tool: str, error: BaseException) -> _Ending:
    match error:
        case ToolArgumentsError():
            return _miscalled(words_of(error))
        case ToolError():
            return words_of(error), False, ""
        case _:
            log.error("tool %s failed", tool, exc_info=error)
            return FAILED, False, ""
