"""What a tool may do in the call it runs in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Literal, Protocol, TypeVar, get_args

from omni_agent.plugin_settings import PluginSettings
from omni_agent.tools.panels import Panel

log = logging.getLogger(__name__)

T = TypeVar("T")
When = Literal["now", "silence"]
After = Literal["goodbye", "answer"]
CARRIED_S = 10.0
"""The event loop takes no longer to do what a thread asks of it, or it hangs."""


@contextmanager
def _a_thread_waits() -> Iterator[None]:
    """For what happens on this loop, whose time may be virtual: see
    :class:`omni_agent.testing.VirtualTimeLoop`."""
    tell = getattr(asyncio.get_running_loop(), "thread_waits", lambda waits: None)
    tell(True)
    try:
        yield
    finally:
        tell(False)


class Answer:
    """A yes or a no of the user's, who is asked once, however often it is looked at: to be awaited,
    or in a plain function's thread waited for."""

    def __init__(
        self, asking: Callable[[], Awaitable[bool]], loop: asyncio.AbstractEventLoop | None
    ) -> None:
        self._asking, self._loop = asking, loop
        self._asked: asyncio.Future[bool] | None = None
        self._waiting = 0

    def __await__(self) -> Generator[Any, Any, bool]:
        return self._answered().__await__()

    def __bool__(self) -> bool:
        if self._loop is None:
            raise TypeError("await it: if await call.ask(...)")

        async def waited_for() -> bool:
            with _a_thread_waits():
                return await self

        return asyncio.run_coroutine_threadsafe(waited_for(), self._loop).result()

    async def _answered(self) -> bool:
        if self._asked is None:
            self._asked = asyncio.ensure_future(self._asking())
        self._waiting += 1
        try:
            await asyncio.wait([self._asked])
        finally:
            self._waiting -= 1
            if not self._waiting:  # who waits no more does not ask any more
                self._asked.cancel()
        return not self._asked.cancelled() and self._asked.result()


class CallSide(Protocol):
    """What a call does for its tools: see :class:`ToolContext`. On the event loop's thread."""

    def say(self, text: str, when: When) -> None: ...
    def ask(self, question: str) -> Awaitable[bool]: ...
    def hand_over(self, persona: str) -> None: ...
    def hang_up(self, after: After) -> None: ...
    def show(self, name: str, panel: Panel) -> None: ...
    def progress(self, text: str) -> None: ...
    def background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]: ...


class ToolContext:
    """What a tool may do in the call it runs in.

    A plain function, which runs in a thread, has the same methods, carried to the event loop's
    thread. Raises TypeError or ValueError, in the tool, for what is no text, panel or choice.

    caller: whose call it is, so that what belongs to somebody is kept under this; empty
    when nobody knows. state: scratch space that lives as long as the call; key it with your
    plugin's name. settings: what the persona says of plugins; ``call.settings(Model)`` is that
    of the plugin that registers this model.
    """

    def __init__(
        self,
        side: CallSide,
        *,
        session_id: str,
        caller: str = "",
        state: dict[str, Any] | None = None,
        settings: PluginSettings | None = None,
    ) -> None:
        self.session_id, self.caller = session_id, caller
        self.settings = settings or PluginSettings()
        self.state: dict[str, Any] = {} if state is None else state
        self._side = side
        self._loop: asyncio.AbstractEventLoop | None = None

    def from_thread(self) -> ToolContext:
        """The same, for a function that runs in a thread of its own."""
        mine = {"session_id": self.session_id, "caller": self.caller}
        other = ToolContext(self, state=self.state, settings=self.settings, **mine)
        other._loop = asyncio.get_running_loop()
        return other

    def say(self, text: str, when: When = "silence") -> None:
        """Have the agent say this.

        when: ``silence``, as soon as nobody is speaking (a timer that rings); ``now``, as the next
        thing of the reply that waits for this tool ("I have found two, let me compare them").
        """
        _expect(str, text, "say")
        _expect_one_of(When, when)
        self._soon(self._side.say, text, when)

    def ask(self, question: str) -> Answer:
        """Ask the user aloud, for a yes or a no: ``if await call.ask("Shall I?")``.

        A plain function does not await it: ``if call.ask("Shall I?")`` waits. No where no answer
        comes. What is neither is answered as any turn is, and the question is asked again. It takes
        none of the tool's ``timeout_s``.
        """
        _expect(str, question, "ask")
        return Answer(lambda: self._side.ask(question), self._loop)

    def hand_over(self, persona: str) -> None:
        """Have another persona answer from the next turn on. Raises ToolError for none."""
        _expect(str, persona, "hand_over")
        self._done(self._side.hand_over, persona)

    def hang_up(self, after: After = "goodbye") -> None:
        """End the call once all is said, the answer of the reply that waits for this tool, too.

        after: ``goodbye``, the persona's, which is said after that answer ("See you." "Bye now.");
        ``answer``, that answer alone.
        """
        _expect_one_of(After, after)
        self._soon(self._side.hang_up, after)

    def show(self, name: str, panel: Panel) -> None:
        """Show or replace a panel on the call page."""
        _expect(str, name, "show")
        _expect(Panel, panel, "show")
        self._soon(self._side.show, name, panel)

    def progress(self, text: str) -> None:
        """Tell the page how far this tool call is."""
        _expect(str, text, "progress")
        self._soon(self._side.progress, text)

    def background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something until it ends or the call does; a failure is logged, not fatal."""
        return self._done(self._side.background, work)

    # -- to the event loop's thread ------------------------------------------------------

    def _soon(self, do: Callable[..., None], *arguments: Any) -> None:
        if self._loop is None:
            do(*arguments)
            return

        def contained() -> None:
            try:
                do(*arguments)
            except BaseException:  # in the loop's own hands it could end the loop
                log.exception("a tool's call.%s failed", do.__name__)

        self._loop.call_soon_threadsafe(contained)

    def _done(self, do: Callable[..., T], *arguments: Any) -> T:
        if self._loop is None:
            return do(*arguments)

        async def carried() -> T:
            return do(*arguments)

        return asyncio.run_coroutine_threadsafe(carried(), self._loop).result(timeout=CARRIED_S)


def _expect(kind: type[Any], given: Any, method: str) -> None:
    if not isinstance(given, kind):
        raise TypeError(f"call.{method}() takes a {kind.__name__}, not {type(given).__name__}")


def _expect_one_of(choices: Any, given: Any) -> None:
    if given not in get_args(choices):
        raise ValueError(f"{given!r} is none of {', '.join(get_args(choices))}")


CallContext = ToolContext
"""What it was called before."""
