"""A plugin's hooks as pluggy calls them: each in its containment, whatever it does.

A hook that raises, exits or returns something else than it should has its plugin named, and
counts as one that returned None, or that denied where it guards something. So pluggy's calling,
with its order and its wrappers, never sees an error, and wrappers see nothing but answers that
are right.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterable
from functools import partial, wraps
from time import perf_counter
from typing import Any, TypeVar

from omni_agent.registry.answers import READ
from omni_agent.registry.problems import Misfit, Problems, on_a_loop, shown
from omni_agent.runtime.scope import LEFT_BEHIND_S, Scope
from omni_agent.tools.approval import UNCHECKED

T = TypeVar("T")
Hook = Callable[..., Any]

BLOCKS_S = 0.1
"""A hook that takes longer on the event loop is named: no call's audio moves meanwhile."""
STRIKES = 10
"""An observer that fails this often in a row is asked no more."""
LIMITS_S = {
    "context": 1.0,
    "connect_tools": 5.0,
    "agent_started": 5.0,
    "agent_stopping": 5.0,
    "session_ended": 10.0,
}
"""The hooks that may be coroutines, and how long each of them may take."""
UNAWAITED = {"session_ended"}
"""Those that nobody waits for."""

IN_DOUBT = {"before_tool": UNCHECKED}
"""The hooks whose failure is an answer, too: who guards something lets nothing pass then."""


class Later(Awaitable[Any]):
    """The answer of a hook that is a coroutine, read; None where it failed."""

    def __init__(self, plugin: str, task: asyncio.Task[Any]) -> None:
        self.plugin, self.task = plugin, task

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.task.__await__()


class Containment:
    """Of one agent's plugins; the tasks of their coroutines end with ``aclose``."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._strikes: Counter[tuple[str, str]] = Counter()
        self._scope = Scope()
        self._unawaited: set[asyncio.Task[Any]] = set()

    async def rest(self) -> None:
        """Wait for the coroutines that nobody waits for, as long as they have."""
        if self._unawaited:
            longest_s = max(LIMITS_S[hook] for hook in UNAWAITED)
            await asyncio.wait(self._unawaited, timeout=longest_s + LEFT_BEHIND_S)

    async def aclose(self) -> None:
        """End what coroutines are still at; one that does not end is left behind."""
        scope, self._scope = self._scope, Scope()  # an agent may be started again
        await scope.aclose()

    # -- what pluggy calls ---------------------------------------------------------------

    def hook(self, plugin: str, hook: str, function: Hook) -> Hook:
        """An implementation that answers right, or with None (see ``IN_DOUBT``)."""

        @wraps(function)
        def contained(*args: Any, **keywords: Any) -> Any:
            answer = self.attempt(
                plugin, hook, lambda: self._read(plugin, hook, function(*args, **keywords))
            )
            return IN_DOUBT.get(hook) if answer is None else answer

        return contained

    def wrapper(self, plugin: str, hook: str, function: Hook) -> Hook:
        """A wrapper that leaves the answers as they are where it fails (see ``IN_DOUBT``)."""

        @wraps(function)
        def contained(*args: Any, **keywords: Any) -> Generator[None, list[Any], list[Any]]:
            begun = self.attempt(plugin, hook, lambda: _begun(function(*args, **keywords)))
            answers = yield
            if begun is not None:
                finish = partial(self._rewritten, plugin, hook, begun, answers)
                if (rewritten := self.attempt(plugin, hook, finish)) is not None:
                    return rewritten
            return [*answers, IN_DOUBT[hook]] if hook in IN_DOUBT else answers

        return contained

    def attempt(self, plugin: str, hook: str, work: Callable[[], T]) -> T | None:
        """What it comes to; None when it fails, or did so too often."""
        if self._strikes[plugin, hook] >= STRIKES:
            return None
        began = perf_counter()
        try:
            done = work()
        except BaseException as error:
            self._problems.failed(plugin, hook, error)
            self._strike(plugin, hook)
            return None
        finally:
            self._time(plugin, hook, perf_counter() - began)
        self._strikes.pop((plugin, hook), None)
        return done

    def _strike(self, plugin: str, hook: str) -> None:
        if hook != "event_emitted":  # the others come rarely, and what they need may come back
            return
        self._strikes[plugin, hook] += 1
        if self._strikes[plugin, hook] == STRIKES:
            reason = f"{hook} failed {STRIKES} times in a row and is asked no more"
            self._problems.report(plugin, f"{hook} dropped", reason)

    def _time(self, plugin: str, hook: str, seconds: float) -> None:
        if seconds > BLOCKS_S and on_a_loop():
            reason = f"{hook} held every call up for {1000 * seconds:.0f} ms; a hook must be quick"
            self._problems.report(plugin, f"{hook} slow", reason)

    # -- answers -------------------------------------------------------------------------

    def _read(self, plugin: str, hook: str, answer: Any) -> Any:
        """What a hook returned, made sure of. Raises Misfit, and whatever looking at it raises."""
        if inspect.isawaitable(answer):
            return self._later(plugin, hook, answer)
        complain = partial(self._problems.report, plugin, f"{hook} part")
        return READ[hook](answer, lambda why: complain(f"{hook} {why}"))

    def _rewritten(
        self, plugin: str, hook: str, wrapper: Generator[Any, Any, Any], answers: list[Any]
    ) -> list[Any]:
        """The answers as a wrapper leaves them."""
        rewritten = _ended(wrapper, list(answers))
        if not isinstance(rewritten, list | tuple):
            raise Misfit(f"is a wrapper and returned {shown(rewritten)}, not a list of answers")
        read = (
            answer if any(answer is one for one in answers) else self._read(plugin, hook, answer)
            for answer in rewritten
        )
        return [answer for answer in read if answer is not None]

    def _later(self, plugin: str, hook: str, answer: Awaitable[Any]) -> Later:
        try:
            if hook not in LIMITS_S or not on_a_loop():
                raise Misfit("is asynchronous; this hook is a plain function")
            work = self._awaited(plugin, hook, answer)
            task = self._scope.spawn(work, f"{hook} of plugin {plugin}")
            if hook in UNAWAITED:
                self._unawaited.add(task)
                task.add_done_callback(self._unawaited.discard)
            return Later(plugin, task)
        except BaseException:
            _close(answer)
            raise

    async def _awaited(self, plugin: str, hook: str, answer: Awaitable[Any]) -> Any:
        limit = asyncio.timeout(LIMITS_S[hook] if hook in UNAWAITED else None)
        try:
            async with limit:
                final = await answer
            if inspect.isawaitable(final):
                _close(final)
                raise Misfit(f"came to {shown(final)}, which is to be awaited, too")
            return self._read(plugin, hook, final)
        except GeneratorExit:  # it was left behind, and is gone now
            raise
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            if limit.expired():
                self._late(plugin, hook)
            else:
                self._problems.failed(plugin, hook, error)
            return None

    def _late(self, plugin: str, hook: str) -> None:
        reason = f"{hook} took more than {LIMITS_S[hook]:g} s and was not waited for"
        self._problems.report(plugin, f"{hook} late", reason)

    async def settled(self, hook: str, answers: Iterable[Any]) -> list[Any]:
        """The answers once those that take time are there, for the hook's limit; a later one is
        dropped, and its plugin named."""
        answers = list(answers)
        waiting = {answer.task: answer for answer in answers if isinstance(answer, Later)}
        try:
            if waiting:
                await asyncio.wait(waiting, timeout=LIMITS_S[hook])
        finally:
            late = [each for task, each in waiting.items() if not task.done()]
            for each in late:
                each.task.cancel()
        for each in late:
            self._late(each.plugin, hook)
        there = (_result(answer) if isinstance(answer, Later) else answer for answer in answers)
        return [answer for answer in there if answer is not None]


def _close(work: Awaitable[Any]) -> None:
    """It will never be awaited, and need not warn of that."""
    if inspect.iscoroutine(work):
        work.close()


def _result(answer: Later) -> Any:
    task = answer.task
    return task.result() if task.done() and not task.cancelled() else None


def _begun(wrapper: Any) -> Generator[Any, Any, Any]:
    if not isinstance(wrapper, Generator):
        raise Misfit(f"is a wrapper and returned {shown(wrapper)}: it should yield once")
    try:
        next(wrapper)
    except StopIteration:
        raise Misfit("is a wrapper and did not yield") from None
    return wrapper


def _ended(wrapper: Generator[Any, Any, Any], answers: list[Any]) -> Any:
    try:
        wrapper.send(answers)
    except StopIteration as end:
        return end.value
    wrapper.close()
    raise Misfit("is a wrapper and yielded more than once")
