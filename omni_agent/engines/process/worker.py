"""A model process as seen from the media process: started, watched, restarted, stopped."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

from omni_agent.engines.process.life import Life, forked
from omni_agent.engines.process.pulse import BEAT_S
from omni_agent.engines.process.wire import Packet
from omni_agent.errors import EngineError, EngineUnavailable

log = logging.getLogger(__name__)

_QUIET_S = 3 * BEAT_S
"""Silent for longer, a process is in trouble; not yet hung: a busy machine delays a thread by
a second or two."""
_HUNG_S = 10 * BEAT_S
"""Silent for longer, it is killed. With the local models at work beside eight busy processes on
two cores the longest silence was 1.3 s."""
WAIT_S = 20.0
"""How long a request waits for a process that is being restarted: the largest of the local
models loads in 5 s from a warm disk."""
_BACKOFF_S = (0.0, 0.5, 2.0, 10.0, 30.0)
"""Waits between restarts of a process that dies while it starts."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker runs.

    service: ``module:factory``, called in the child with ``options`` (see child.py).
    niceness: added to ours; higher yields the processor to the media loop.
    environment: extra variables, e.g. thread counts that libraries read at import.
    start_timeout_s: a process that is not ready by then is killed.
    hung_after_s: one that is ready and then silent for so long is, too.
    """

    name: str
    service: str
    options: Mapping[str, Any]
    niceness: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    start_timeout_s: float = 180.0
    hung_after_s: float = _HUNG_S


class Worker:
    """Runs a job in its own process and restarts it when it dies or hangs.

    A process gives a sign of life every second. Its silence is counted in turns of our
    own loop, not read from a clock: a loop that was held up, or a machine that slept, must
    not take everybody else for dead.

    A request that is running when the process ends raises EngineError; the next
    one waits for the restarted process. Not thread-safe: one event loop.
    """

    def __init__(
        self,
        job: Job,
        report: Callable[[str], None] = lambda line: None,
        *,
        beat: Callable[[asyncio.Event], Awaitable[None]] | None = None,
    ) -> None:
        """report: told of progress. beat: ends after ``BEAT_S``, or when the event is set."""
        self.job = job
        self._report, self._beat = report, beat or _beat
        self._life: Life | None = None
        self._starting = asyncio.Lock()
        self._running = asyncio.Event()
        self._ids = itertools.count(1)
        self._keeper: asyncio.Task[None] | None = None
        self._failures = 0
        self._retry_at = 0.0
        self._failure = ""
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Process id of the running child; None when there is none."""
        return self._life.process.pid if self._life and not self._life.gone else None

    @property
    def trouble(self) -> str:
        """Why requests are not answered just now, on one line; empty when they are.

        It passes by itself: a process that is gone or hangs is replaced.
        """
        life = self._life
        if self._keeper is None or self._closed:
            return ""
        if life is None:
            return f"{self.job.name}: it is being restarted"
        if life.gone:
            return f"{self.job.name}: {_end_of(life)}; it is being restarted"
        if (silent_s := life.line.silent_s) >= _QUIET_S:
            return f"{self.job.name}: no sign of life for {silent_s:.0f} s"
        return ""

    async def start(self) -> Mapping[str, Any]:
        """Start the process and wait until its models are loaded; returns the service's info.

        Raises EngineUnavailable with the child's own words.
        """
        life = await self._started()
        # Lives until aclose, which cancels and awaits it; a TaskGroup cannot span two calls.
        self._keeper = self._keeper or asyncio.create_task(
            self._keep(), name=f"keep {self.job.name}"
        )
        return life.info

    async def info(self) -> Mapping[str, Any]:
        """The info of the process that is running now. Raises EngineError like ``stream``."""
        return (await self._alive(WAIT_S)).info

    def replace(self, pid: int | None, reason: str) -> None:
        """End a process that was found not to work, unless it is gone already: it is restarted.

        For what cannot be seen from here: requests that do not come over this line. reason:
        for whoever waits.
        """
        if self._life is not None and self.pid == pid:
            self._life.kill(reason)

    async def call(
        self,
        op: str,
        body: Mapping[str, Any] | None = None,
        blob: bytes = b"",
        *,
        deadline_s: float | None = None,
        wait_s: float = WAIT_S,
    ) -> Packet:
        """The first reply to a request: see ``stream``."""
        async with aclosing(
            self.stream(op, body, blob, deadline_s=deadline_s, wait_s=wait_s)
        ) as replies:
            async for packet in replies:
                return packet
        raise EngineError(f"{self.job.name}: no reply to {op!r}")

    async def stream(
        self,
        op: str,
        body: Mapping[str, Any] | None = None,
        blob: bytes = b"",
        *,
        deadline_s: float | None = None,
        wait_s: float = WAIT_S,
    ) -> AsyncGenerator[Packet, None]:
        """All replies to a request, as they come. Closing cancels it.

        deadline_s: a process that works longer than this on one of them hangs and is
        replaced; time in the queue does not count. wait_s: how long a process that is being
        restarted is waited for. Raises EngineError when it cannot be had, fails or dies.
        """
        life = await self._alive(wait_s)
        number = next(self._ids)
        inbox: asyncio.Queue[Packet | None] = asyncio.Queue()
        life.line.requests[number] = inbox
        finished = False
        try:
            head = {**(body or {}), "op": op, "deadline_s": deadline_s}
            life.line.send(Packet(number, "call", head, blob))
            while True:
                packet = await inbox.get()
                if packet is None:
                    finished = True
                    raise EngineError(f"{self.job.name}: {_end_of(life)}; it is being restarted")
                if packet.kind == "item":
                    yield packet
                    continue
                finished = True
                if packet.kind == "error":
                    raise EngineError(f"{self.job.name}: {packet.body.get('message', 'failed')}")
                return
        finally:
            if not finished:
                life.line.send(Packet(number, "cancel"))
            del life.line.requests[number]

    async def aclose(self) -> None:
        """Stop the process; requests that are running fail."""
        self._closed = True
        self._running.set()  # whoever waits for a process waits for none
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        async with self._starting:
            if self._life is not None:
                life, self._life = self._life, None
                await life.end()

    async def _keep(self) -> None:
        """Restart the process whenever it ends, so that the next request finds it ready."""
        while True:
            if (life := self._life) is not None:
                await self._watch(life)
                self._running.clear()
                reason = f"{_end_of(life)}; it is being restarted"
                self._failure = f"{self.job.name}: {reason}"
                log.warning("%s", self._why(reason, life))
            await asyncio.sleep(max(0.0, self._retry_at - asyncio.get_running_loop().time()))
            try:
                await self._started()
            except EngineUnavailable as error:
                log.error("%s", error)

    async def _watch(self, life: Life) -> None:
        """Until the process is gone. One that gives no sign of life is killed."""
        line = life.line
        while not line.lost.is_set():
            await self._beat(line.lost)
            line.silent_s += BEAT_S
            if not line.lost.is_set() and line.silent_s > self.job.hung_after_s:
                life.kill(f"no sign of life for {self.job.hung_after_s:.0f} s")

    async def _alive(self, wait_s: float) -> Life:
        """The process that is running now. Raises EngineError."""
        if self._closed:
            raise EngineUnavailable(f"{self.job.name}: it has been stopped")
        if self._keeper is None or asyncio.get_running_loop().time() < self._retry_at:
            raise EngineUnavailable(self._failure or f"{self.job.name}: it has not been started")
        if self._life is None or self._life.gone:
            self._running.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._running.wait()
            except TimeoutError:
                raise EngineError(self.trouble or f"{self.job.name}: it is not running") from None
            if self._closed:
                raise EngineUnavailable(f"{self.job.name}: it has been stopped")
        assert self._life is not None
        return self._life

    async def _started(self) -> Life:
        """The running process; a new one when there is none. Raises EngineUnavailable."""
        async with self._starting:
            if self._closed:
                raise EngineUnavailable(f"{self.job.name}: it has been stopped")
            if self._life is not None and not self._life.gone:
                return self._life
            if asyncio.get_running_loop().time() < self._retry_at:
                raise EngineUnavailable(self._failure)
            if self._life is not None:
                await self._life.end()  # when this is cancelled, aclose ends it
                self._life = None
            try:
                self._life = await self._spawn()
            except EngineUnavailable as error:
                self._failures += 1
                wait = _BACKOFF_S[min(self._failures, len(_BACKOFF_S) - 1)]
                self._retry_at = asyncio.get_running_loop().time() + wait
                self._failure = str(error)
                raise
            self._failures = 0
            self._running.set()
            return self._life

    async def _spawn(self) -> Life:
        try:
            life = await forked(self.job.service, self.job.environment, self._report)
        except OSError as error:  # no more files, processes or memory: there may be some again
            why = f"{self.job.name}: no process can be started ({error})"
            raise EngineUnavailable(why, may_recover=True) from error
        try:
            if self.job.niceness:
                with suppress(OSError):
                    os.setpriority(os.PRIO_PROCESS, life.process.pid, self.job.niceness)
            life.line.send(Packet(0, "call", self.job.options))
            async with asyncio.timeout(self.job.start_timeout_s):
                packet = await life.line.ready
            if packet.kind != "ready":
                life.process.poll()
                raise EngineUnavailable(self._why(str(packet.body.get("message")), life))
            life.info = packet.body
        except TimeoutError:
            why = self._why(f"not ready after {self.job.start_timeout_s:.0f} s", life)
            life.kill(why)
            await life.end()
            raise EngineUnavailable(why) from None
        except BaseException:
            life.process.kill()
            await life.end()
            raise
        return life

    def _why(self, reason: str, life: Life) -> str:
        words = life.last_words()
        return f"{self.job.name}: {reason}" + (f"\n{words}" if words else "")


async def _beat(lost: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(BEAT_S):
            await lost.wait()


def _end_of(life: Life) -> str:
    """How the process ended, in words."""
    failing = life.line.failing
    return f"the model process was ended ({failing})" if failing else "the model process died"
