"""A model process's signs of life, and its end when a piece of work never returns."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from omni_agent.engines.process.wire import Packet

T = TypeVar("T")

BEAT_S = 1.0
"""Between two signs of life. They come from a thread of their own, so a model step delays
none, unless it keeps the interpreter lock."""
_LAST_WORDS_S = 2.0


@dataclass(slots=True)
class _Work:
    op: str
    deadline_s: float
    age_s: float = 0.0


class Pulse:
    """Beats, and gives up the process when work has passed its deadline.

    A thread that never returns cannot be stopped, only its process can. Ages are
    counted in beats and not read from a clock: work has none of the time for which the
    machine slept or this process was stopped, and less of it on a busy machine.
    """

    def __init__(self, send: Callable[[Packet], None]) -> None:
        self._send = send
        self._works: dict[int, _Work] = {}
        self._lock = threading.Lock()

    def start(self) -> None:
        threading.Thread(target=self._run, name="pulse", daemon=True).start()

    def timed(self, op: str, deadline_s: float | None, replies: Iterator[T]) -> Iterator[T]:
        """``replies``, the work for each of which may take ``deadline_s``; None: for ever.

        The time it takes to send a reply on is the parent's and does not count.
        """
        if deadline_s is None:
            yield from replies
            return
        done = object()
        while True:
            with self._watched(_Work(op, deadline_s)):
                reply = next(replies, done)
            if reply is done:
                return
            yield reply  # type: ignore[misc]  # the sentinel is gone

    @contextmanager
    def _watched(self, work: _Work) -> Iterator[None]:
        with self._lock:
            self._works[id(work)] = work
        try:
            yield
        finally:
            with self._lock:
                del self._works[id(work)]

    def _run(self) -> None:
        while True:
            time.sleep(BEAT_S)
            self.beat()

    def beat(self) -> None:
        """One sign of life. Ends the process when some work is late, or the parent is gone."""
        try:
            self._send(Packet(0, "beat"))
        except OSError:
            os._exit(0)
        if late := self._late():
            self._give_up(late)

    def _late(self) -> _Work | None:
        with self._lock:
            for work in self._works.values():
                work.age_s += BEAT_S
            late = (work for work in self._works.values() if work.age_s > work.deadline_s)
            return next(late, None)

    def _give_up(self, work: _Work) -> None:
        faulthandler.dump_traceback(sys.stderr)  # where it hangs, for the parent's log
        message = f"{work.op!r} did not return within {work.deadline_s:.0f} s"
        # Aside: a line that is held by what hangs must not keep the process.
        words = (Packet(0, "hung", {"message": message}),)
        telling = threading.Thread(target=self._send, args=words, daemon=True)
        telling.start()
        telling.join(_LAST_WORDS_S)
        os._exit(1)
