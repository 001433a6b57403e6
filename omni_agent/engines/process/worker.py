"""A model process as seen from the media process: started, watched, restarted, stopped."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from omni_agent.engines.process.wire import Packet, Unpacker, pack
from omni_agent.errors import EngineError, EngineUnavailable

log = logging.getLogger(__name__)

_STDERR_TAIL = 1500
_STOP_S = 3.0
_ROOT = str(Path(__file__).resolve().parents[3])
"""Where this package was imported from: it may not be installed."""
_CHILD = """import sys
root, fd, service = sys.argv[1:]
sys.path.append(root)
from omni_agent.engines.process.child import main
main(int(fd), service)
"""
"""Appended, so that nothing beside this package can stand in for a standard module;
for the same reason -P keeps the working directory out."""
_BACKOFF_S = (0.0, 0.5, 2.0, 10.0, 30.0)
"""Waits between restarts of a process that dies while it starts."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker runs.

    service: ``module:factory``, called in the child with ``options`` (see child.py).
    niceness: added to ours; higher yields the processor to the media loop.
    environment: extra variables, e.g. thread counts that libraries read at import.
    """

    name: str
    service: str
    options: Mapping[str, Any]
    niceness: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    start_timeout_s: float = 180.0


class _Line(asyncio.Protocol):
    """The parent's end: packets to the request they belong to."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self.requests: dict[int, asyncio.Queue[Packet | None]] = {}
        self.ready: asyncio.Future[Packet] = asyncio.get_running_loop().create_future()
        self.lost = asyncio.Event()
        self._report = report
        self._unpacker = Unpacker()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not isinstance: uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            packets = self._unpacker.feed(data)
        except ValueError:
            log.exception("a model process sent something that is not a packet")
            self.close()
            return
        for packet in packets:
            if packet.id:
                if inbox := self.requests.get(packet.id):
                    inbox.put_nowait(packet)
            elif packet.kind == "report":
                self._report(str(packet.body.get("text", "")))
            elif not self.ready.done():
                self.ready.set_result(packet)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        if not self.ready.done():
            self.ready.set_result(Packet(0, "error", {"message": "it died while starting"}))
        for inbox in self.requests.values():
            inbox.put_nowait(None)

    def send(self, packet: Packet) -> None:
        if self._transport is not None and not self.lost.is_set():
            self._transport.write(pack(packet))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


@dataclass(slots=True)
class _Life:
    """One incarnation of the process."""

    process: subprocess.Popen[bytes]
    stderr: IO[bytes]
    line: _Line
    info: Mapping[str, Any] = field(default_factory=dict)

    def last_words(self) -> str:
        """The end of what it wrote to stderr, for an error message."""
        with suppress(OSError, ValueError):
            size = self.stderr.seek(0, os.SEEK_END)
            self.stderr.seek(max(0, size - _STDERR_TAIL))
            return self.stderr.read().decode(errors="replace").strip()
        return ""

    async def end(self) -> None:
        """Close the line, which stops the child; kill it when that is not enough."""
        self.line.close()
        try:
            await asyncio.to_thread(self.process.wait, _STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            await asyncio.to_thread(self.process.wait)
        finally:
            self.stderr.close()


class Worker:
    """Runs a job in its own process and restarts it when it dies.

    A request that is running when the process dies raises EngineError; the next
    one waits for the restarted process. Not thread-safe: one event loop.
    """

    def __init__(self, job: Job, report: Callable[[str], None] = lambda line: None) -> None:
        self.job = job
        self._report = report
        self._life: _Life | None = None
        self._starting = asyncio.Lock()
        self._ids = itertools.count(1)
        self._keeper: asyncio.Task[None] | None = None
        self._failures = 0
        self._retry_at = 0.0
        self._failure = ""
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Process id of the running child; None when there is none."""
        return self._life.process.pid if self._life and not self._life.line.lost.is_set() else None

    async def start(self) -> Mapping[str, Any]:
        """Start the process and wait until its models are loaded; returns the service's info.

        Raises EngineUnavailable with the child's own words.
        """
        life = await self._alive()
        # Lives until aclose, which cancels and awaits it; a TaskGroup cannot span two calls.
        self._keeper = self._keeper or asyncio.create_task(
            self._keep(), name=f"keep {self.job.name}"
        )
        return life.info

    async def info(self) -> Mapping[str, Any]:
        """The info of the process that is running now; waits for a restart."""
        return (await self._alive()).info

    async def call(
        self, op: str, body: Mapping[str, Any] | None = None, blob: bytes = b""
    ) -> Packet:
        """The first reply to a request. Raises EngineError. Cancelling tells the process."""
        async with aclosing(self.stream(op, body, blob)) as replies:
            async for packet in replies:
                return packet
        raise EngineError(f"{self.job.name}: no reply to {op!r}")

    async def stream(
        self, op: str, body: Mapping[str, Any] | None = None, blob: bytes = b""
    ) -> AsyncGenerator[Packet, None]:
        """All replies to a request, as they come. Raises EngineError. Closing cancels it."""
        life = await self._alive()
        number = next(self._ids)
        inbox: asyncio.Queue[Packet | None] = asyncio.Queue()
        life.line.requests[number] = inbox
        finished = False
        try:
            life.line.send(Packet(number, "call", {**(body or {}), "op": op}, blob))
            while True:
                packet = await inbox.get()
                if packet is None:
                    finished = True
                    raise EngineError(
                        f"{self.job.name}: the model process died; it is being restarted"
                    )
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
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        async with self._starting:
            if self._life is not None:
                life, self._life = self._life, None
                await life.end()

    async def _keep(self) -> None:
        """Restart the process whenever it dies, so that the next request finds it ready."""
        while True:
            if (life := self._life) is not None:
                await life.line.lost.wait()
                why = self._why("the model process died, restarting it", life)
                log.warning("%s", why)
            await asyncio.sleep(max(0.0, self._retry_at - asyncio.get_running_loop().time()))
            try:
                await self._alive()
            except EngineUnavailable as error:
                log.error("%s", error)

    async def _alive(self) -> _Life:
        async with self._starting:
            if self._closed:
                raise EngineUnavailable(f"{self.job.name}: it has been stopped")
            if self._life is not None and not self._life.line.lost.is_set():
                return self._life
            if asyncio.get_running_loop().time() < self._retry_at:
                raise EngineUnavailable(self._failure)
            if self._life is not None:
                life, self._life = self._life, None
                await life.end()
            try:
                self._life = await self._spawn()
            except EngineUnavailable as error:
                self._failures += 1
                wait = _BACKOFF_S[min(self._failures, len(_BACKOFF_S) - 1)]
                self._retry_at = asyncio.get_running_loop().time() + wait
                self._failure = str(error)
                raise
            self._failures = 0
            return self._life

    async def _spawn(self) -> _Life:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        with theirs:
            # Before there is a process, which nobody would end if this were cancelled.
            _, line = await loop.create_unix_connection(lambda: _Line(self._report), sock=ours)
            stderr = tempfile.TemporaryFile()  # noqa: SIM115  # closed by _Life.end
            # On the loop's own thread: PR_SET_PDEATHSIG fires when the *thread* that forked ends.
            arguments = [_ROOT, str(theirs.fileno()), self.job.service]
            process = subprocess.Popen(  # noqa: ASYNC220  # as above; it takes a millisecond or two
                [sys.executable, "-P", "-c", _CHILD, *arguments],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                env={**os.environ, **self.job.environment},
            )
        life = _Life(process, stderr, line)
        try:
            if self.job.niceness:
                with suppress(OSError):
                    os.setpriority(os.PRIO_PROCESS, process.pid, self.job.niceness)
            line.send(Packet(0, "call", self.job.options))
            async with asyncio.timeout(self.job.start_timeout_s):
                packet = await line.ready
            if packet.kind != "ready":
                process.poll()
                raise EngineUnavailable(self._why(str(packet.body.get("message")), life))
            life.info = packet.body
        except TimeoutError:
            why = self._why(f"not ready after {self.job.start_timeout_s:.0f} s", life)
            process.kill()
            await life.end()
            raise EngineUnavailable(why) from None
        except BaseException:
            process.kill()
            await life.end()
            raise
        return life

    def _why(self, reason: str, life: _Life) -> str:
        words = life.last_words()
        return f"{self.job.name}: {reason}" + (f"\n{words}" if words else "")
