"""One incarnation of a model process: forked, and ended."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from omni_agent.engines.process.line import Line

log = logging.getLogger(__name__)

_STDERR_TAIL = 1500
_STOP_S = 3.0
_LOOK_S = 0.01
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


@dataclass(slots=True)
class Life:
    """One incarnation of the process."""

    process: subprocess.Popen[bytes]
    stderr: IO[bytes]
    line: Line
    info: Mapping[str, Any] = field(default_factory=dict)

    @property
    def gone(self) -> bool:
        """It has ended, or is about to."""
        return self.line.lost.is_set() or bool(self.line.failing)

    def last_words(self) -> str:
        """The end of what it wrote to stderr, for an error message."""
        with suppress(OSError, ValueError):
            size = self.stderr.seek(0, os.SEEK_END)
            self.stderr.seek(max(0, size - _STDERR_TAIL))
            return self.stderr.read().decode(errors="replace").strip()
        return ""

    def kill(self, reason: str) -> None:
        """At once, stopped or not; requests that are running are told ``reason``."""
        self.process.kill()
        self.line.give_up(reason)

    async def end(self) -> None:
        """Close the line, which stops the child; kill it when that is not enough."""
        self.line.close()
        try:
            if not await self._ended():
                self.process.kill()
                if not await self._ended():  # deep inside the kernel
                    log.error("process %d cannot be killed", self.process.pid)
        except asyncio.CancelledError:
            self.process.kill()  # nobody looks after it any more
            raise
        finally:
            self.stderr.close()

    async def _ended(self) -> bool:
        """Looked at again and again: to wait for it takes a thread, of which there may be none.

        Looks are counted and no clock is read: while the machine sleeps, the process does too.
        """
        for _ in range(round(_STOP_S / _LOOK_S)):
            if self.process.poll() is not None:
                return True
            await asyncio.sleep(_LOOK_S)
        return self.process.poll() is not None


async def forked(
    service: str, environment: Mapping[str, str], report: Callable[[str], None]
) -> Life:
    """A process and the line to it; nothing of it is left open when one cannot be had."""
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    with theirs, ExitStack() as opened:
        opened.callback(ours.close)
        ours.setblocking(False)
        # Before there is a process, which nobody would end if this were cancelled.
        _, line = await loop.create_unix_connection(lambda: Line(report), sock=ours)
        opened.callback(line.close)
        stderr = opened.enter_context(tempfile.TemporaryFile())
        # On the loop's own thread: PR_SET_PDEATHSIG fires when the *thread* that forked ends.
        arguments = [_ROOT, str(theirs.fileno()), service]
        process = subprocess.Popen(  # noqa: ASYNC220  # as above; it takes a millisecond or two
            [sys.executable, "-P", "-c", _CHILD, *arguments],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
            env={**os.environ, **environment},
        )
        opened.pop_all()  # they are the life's now, whose end closes them
    return Life(process, stderr, line)
