"""Every tool call exactly once, across interruptions, failures and hang-ups."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from omni_agent.errors import ToolError
from omni_agent.thinker import ToolCallRequest
from omni_agent.tools import CallContext, Tool

log = logging.getLogger(__name__)


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


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended. output: for the Thinker. ms: how long the tool ran."""

    call_id: str
    name: str
    output: str
    ok: bool
    ms: float


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

    async def run(self, call_id: str, context: Callable[[ToolCallRequest], CallContext]) -> Outcome:
        """Run an opened call to its outcome; every failure is an outcome too.

        Only cancellation comes out as an exception, after the call is recorded
        as cancelled.
        """
        request = self._entries[call_id].request
        started = asyncio.get_running_loop().time()
        try:
            output, ok = await self._attempt(request, context)
        except asyncio.CancelledError:
            self._move(call_id, CallState.CANCELLED)
            raise
        self._move(call_id, CallState.DONE if ok else CallState.FAILED)
        ms = 1000 * (asyncio.get_running_loop().time() - started)
        return Outcome(call_id, request.name, output, ok, ms)

    async def _attempt(
        self, request: ToolCallRequest, context: Callable[[ToolCallRequest], CallContext]
    ) -> tuple[str, bool]:
        tool = self._tools.get(request.name)
        self._move(request.call_id, CallState.RUNNING)
        if tool is None:
            known = ", ".join(sorted(self._tools)) or "none"
            return f"There is no tool {request.name!r}. Tools: {known}.", False
        try:
            async with asyncio.timeout(tool.timeout_s):
                return await tool.call(request.arguments, context(request)), True
        except TimeoutError:
            log.warning("tool %s timed out after %g s", tool.name, tool.timeout_s)
            return f"{tool.name} did not answer within {tool.timeout_s:g} seconds.", False
        except ToolError as error:
            return str(error), False
        except Exception as error:
            log.exception("tool %s raised", tool.name)
            return f"{tool.name} failed: {type(error).__name__}: {error}"[:500], False
