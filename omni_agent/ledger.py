"""Every tool call exactly once, across interruptions, failures and hang-ups."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from omni_agent.errors import ToolArgumentsError, ToolError
from omni_agent.results import words_of
from omni_agent.scope import Scope
from omni_agent.thinker import ToolCallRequest
from omni_agent.tools import CallContext, Tool

log = logging.getLogger(__name__)


MISCALLED = (
    "{reason}. Nothing was done. Call it again, exactly as its parameters say; ask the user for "
    "what is missing. These are words for you, not for the user."
)
"""What the Thinker is told of a call that does not fit."""
FAILED = "Something went wrong on my side."
"""What is told of an exception that was not meant for the user: it may hold a password."""


class CallState(Enum):
    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


_NEXT = {
    CallState.PENDING: {CallState.RUNNING, CallState.FAILED, CallState.CANCELLED},
    CallState.RUNNING: {CallState.DONE, CallState.FAILED, CallState.CANCELLED},
}


_Ending = tuple[str, bool, str]
"""output, ok and shown of an Outcome."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended. output: for the Thinker. ms: how long the tool ran.

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
    state: CallState = CallState.PENDING


class Ledger:
    """Runs tool calls and records their states; each transition happens once."""

    def __init__(self, tools: Mapping[str, Tool]) -> None:
        self._tools = dict(tools)
        self._entries: dict[str, _Entry] = {}

    def state(self, call_id: str) -> CallState:
        return self._entries[call_id].state

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of the calls that have not ended."""
        return tuple(i for i, e in self._entries.items() if e.state in _NEXT)

    def use(self, tools: Mapping[str, Tool]) -> None:
        """Other tools from now on (another persona); running calls are not disturbed."""
        self._tools = dict(tools)

    def interruptible(self, call_id: str) -> bool:
        tool = self._tools.get(self._entries[call_id].request.name)
        return tool is not None and tool.interruptible

    def open(self, request: ToolCallRequest) -> bool:
        """Enter a call; False when the id is known already, and it must not run again."""
        if request.call_id in self._entries:
            return False
        self._entries[request.call_id] = _Entry(request)
        return True

    def _move(self, call_id: str, state: CallState) -> None:
        entry = self._entries[call_id]
        if state not in _NEXT.get(entry.state, set()):
            raise RuntimeError(
                f"tool call {call_id}: {entry.state.value} cannot become {state.value}"
            )
        entry.state = state

    def drop(self, call_id: str) -> None:
        """A call that is pending will never run."""
        self._move(call_id, CallState.CANCELLED)

    async def run(
        self, call_id: str, context: Callable[[ToolCallRequest], CallContext], scope: Scope
    ) -> Outcome:
        """Run an opened call to its outcome; every failure is an outcome too.

        scope: where the tool's task lives, for the case that it refuses to end. Only
        cancellation comes out as an exception, after the call is recorded as cancelled.
        """
        request = self._entries[call_id].request
        started = asyncio.get_running_loop().time()
        try:
            output, ok, shown = await self._attempt(request, context, scope)
        except asyncio.CancelledError:
            self._move(call_id, CallState.CANCELLED)
            raise
        self._move(call_id, CallState.DONE if ok else CallState.FAILED)
        ms = 1000 * (asyncio.get_running_loop().time() - started)
        return Outcome(call_id, request.name, output, ok, ms, shown)

    async def _attempt(
        self,
        request: ToolCallRequest,
        context: Callable[[ToolCallRequest], CallContext],
        scope: Scope,
    ) -> _Ending:
        tool = self._tools.get(request.name)
        self._move(request.call_id, CallState.RUNNING)
        if tool is None:
            known = ", ".join(sorted(self._tools)) or "none"
            return _miscalled(f"There is no tool {request.name!r}; tools: {known}")
        try:
            task = scope.spawn(_contained(tool, request, context(request)), f"tool {tool.name}")
        except ToolError as error:
            return words_of(error), False, ""
        try:
            await asyncio.wait([task], timeout=tool.timeout_s)
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


async def _contained(tool: Tool, request: ToolCallRequest, context: CallContext) -> _Ending:
    """What a tool says, and whether it worked; only a cancellation comes out of it."""
    try:
        return await tool.call(request.arguments, context), True, ""
    except asyncio.CancelledError:
        raise
    except ToolArgumentsError as error:
        return _miscalled(words_of(error))
    except ToolError as error:
        return words_of(error), False, ""
    except BaseException:  # SystemExit too, which would end every call
        log.exception("tool %s failed", tool.name)
        return FAILED, False, ""
