"""Transcripts that survive a crash: every item as it happens.

One thread writes, in order, so the event loop never waits for a disk. A write costs no
fsync of its own: the process may die at any time and lose nothing already written; a
power cut may lose the last moments. While nothing can be written (locked, full, read-only,
damaged, deleted) calls go on: what fits waits and is written later, what does not is counted.
"""

from __future__ import annotations

import atexit
import json
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omni_agent import events
from omni_agent.conversation import Item, Message, ToolCall
from omni_agent.errors import detail
from omni_agent.records.database import (
    Records,
    StoredCall,
    default_path,
    is_database,
    reason,
    set_aside,
)

log = logging.getLogger(__name__)

MAX_WAITING = 2000
"""Events that wait to be written; more are lost."""
MAX_ITEM = 64 * 1024
"""Characters of one item's JSON; a longer one is cut, and says so (``cut``)."""
MAX_CALL = 4 * 1024 * 1024
"""Characters that one call may write, an hour of the fastest talk many times over."""
LOOK_S = 3600.0
"""How often it is looked whether a day is over, when there is nothing to write."""
CLOSE_S = 3.0
"""Closing waits no longer for what is to be written still."""
DAY_S = 86_400


@dataclass(slots=True)
class _Ongoing:
    """A call that is being recorded. written: characters so far. told: of a loss, in the log."""

    row: StoredCall
    written: int = 0
    told: bool = False


@dataclass(frozen=True, slots=True)
class _Write:
    call: _Ongoing
    at: float
    event: events.SessionStarted | events.SessionEnded | events.ItemAdded | events.ItemRemoved


class TranscriptStore:
    """Give ``record`` to sessions as an observer.

    path: None is ``transcripts.sqlite3`` in the data folder. keep_days: calls that ended
    longer ago are deleted, at the start and daily; None keeps all. retry_s: how long the
    disk is left alone after a failure. now: seconds since 1970.

    Raises ConfigError if the file cannot be opened.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        keep_days: float | None = None,
        retry_s: float = 1.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.path = path or default_path()
        self._keep_s = None if keep_days is None else keep_days * DAY_S
        self._retry_s, self._now = retry_s, now
        self._waiting: queue.Queue[_Write | None] = queue.Queue(MAX_WAITING)
        self._ongoing: dict[str, _Ongoing] = {}
        self._closing = threading.Event()
        self._counting = threading.Lock()
        self._lost, self._why, self._failing = 0, "", False
        self._records: Records | None = Records.opened(self.path, timeout_s=retry_s)
        self._sweep()
        self._thread = threading.Thread(target=self._run, name="transcripts", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    # -- any thread --------------------------------------------------------------------

    def record(self, session_id: str, event: events.Event) -> None:
        """An observer: keeps items and the life of calls. Never waits, never raises."""
        now = self._now()
        match event:
            case events.SessionStarted():
                row = StoredCall(session_id, event.persona, event.caller, now)
                call = self._ongoing[session_id] = _Ongoing(row)
            case events.SessionEnded():
                call = self._ongoing.pop(session_id, _unknown(session_id, now))
            case events.ItemAdded() | events.ItemRemoved():
                call = self._ongoing.setdefault(session_id, _unknown(session_id, now))
            case _:
                return
        if self._closing.is_set():
            self._lose(call, "transcripts are closed")
            return
        try:
            self._waiting.put_nowait(_Write(call, now, event))
        except queue.Full:
            self._fails(self._why or f"{MAX_WAITING} events wait already")
            self._count_lost()

    @property
    def health(self) -> Mapping[str, Any]:
        """For monitors: whether writing fails now, what was lost since the start, and why."""
        return {"failing": self._failing, "lost": self._lost, "why": self._why}

    def settle(self) -> None:
        """Return when everything recorded so far is written or lost."""
        self._waiting.join()

    def close(self) -> None:
        """Write what waits, for ``CLOSE_S`` at most, and close; what is left is lost."""
        atexit.unregister(self.close)
        self._closing.set()
        with suppress(queue.Full):
            self._waiting.put_nowait(None)  # wake up
        self._thread.join(CLOSE_S)
        given_up = self._give_up()
        unfinished = self._thread.is_alive()
        if unfinished or (self._lost and (self._failing or given_up)):
            lost = f"{self._lost}, and one is still being written" if unfinished else self._lost
            why = self._why or "no time"
            log.error("transcripts are closed; lost since the start: %s: %s", lost, why)

    def _give_up(self) -> bool:
        """Lose all that waits still; whether there was something."""
        before = self._lost
        with suppress(queue.Empty):
            while True:
                if self._waiting.get_nowait() is not None:
                    self._count_lost()
                self._waiting.task_done()
        return self._lost > before

    # -- the writing thread --------------------------------------------------------------

    def _run(self) -> None:
        while not (self._closing.is_set() and self._waiting.empty()):
            try:
                write = self._waiting.get(timeout=LOOK_S)
            except queue.Empty:
                self._sweep_daily()
                continue
            if write is not None:
                self._write(write)
            self._sweep_daily()
            self._waiting.task_done()
        if self._records is not None:
            self._records.close()

    def _write(self, write: _Write) -> None:
        """Write it however long it takes; what can never be written is lost."""
        while True:
            try:
                self._put(self._open(), write)
                return self._works()
            except Exception as error:
                if not _is_outage(error):  # this one is the fault; the next may be fine
                    return self._lose(write.call, reason(error), detail(error))
                self._drop(error)
            if self._closing.wait(self._retry_s):
                return self._count_lost()

    def _put(self, records: Records, write: _Write) -> None:
        call, event = write.call, write.event
        records.begin(call.row)  # each time: the file may be a new one
        if isinstance(event, events.SessionEnded):
            records.end(call.row.id, write.at, event.reason)
        elif isinstance(event, events.ItemRemoved):
            records.remove(call.row.id, event.item_id)
        elif isinstance(event, events.ItemAdded):
            kind, body = _row(event.item)
            text = _fitting(body)
            if call.written + len(text) > MAX_CALL:
                return self._lose(call, f"it says more than {MAX_CALL // 2**20} MiB")
            call.written += len(text)
            records.put(call.row.id, event.item.id, write.at, kind, text)
        return None

    def _open(self) -> Records:
        """The file, opened anew where somebody deleted or overwrote it."""
        if self._records is not None and not self._records.intact:
            self._drop(sqlite3.DatabaseError("the file was deleted or overwritten"))
        if self._records is None:
            self._records = Records(self.path, timeout_s=self._retry_s)
        return self._records

    def _drop(self, error: Exception) -> None:
        """Close the file; it is opened anew with the next attempt. What is no database is kept
        aside, since somebody may know how to mend it."""
        self._fails(reason(error))
        if _is_damage(error) or not is_database(self.path, new=self._records is None):
            set_aside(self.path)
        if self._records is not None:
            with suppress(sqlite3.Error):
                self._records.close()
            self._records = None

    def _sweep_daily(self) -> None:
        if self._now() >= self._swept + DAY_S:
            self._sweep()

    def _sweep(self) -> None:
        """Delete what is older than calls are kept; what cannot be deleted now waits a day."""
        self._swept = self._now()
        if self._keep_s is None:
            return
        try:
            self._open().delete_before(self._swept - self._keep_s)
        except Exception as error:
            log.error("old transcripts could not be deleted: %s", error)

    # -- how it goes ----------------------------------------------------------------------

    def _fails(self, why: str) -> None:
        self._why = why
        if not self._failing:
            self._failing = True
            log.error("calls go on, but transcripts are not written: %s: %s", self.path, why)

    def _works(self) -> None:
        if self._failing and self._waiting.empty():
            self._failing = False
            log.warning("transcripts are written again; lost since the start: %d", self._lost)

    def _lose(self, call: _Ongoing, why: str, told: str = "") -> None:
        """why: for anybody. told: for the log, where it says more."""
        self._count_lost()
        self._why = why
        if not call.told:
            call.told = True
            log.error("call %s: a part is not in its transcript: %s", call.row.id, told or why)

    def _count_lost(self) -> None:
        with self._counting:
            self._lost += 1


def _unknown(session_id: str, now: float) -> _Ongoing:
    return _Ongoing(StoredCall(session_id, "", "", now))


def _is_outage(error: Exception) -> bool:
    """Whether the file is at fault, not what was to be written."""
    faults = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)
    return isinstance(error, OSError | sqlite3.Error) and not isinstance(error, faults)


def _is_damage(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _row(item: Item) -> tuple[str, dict[str, Any]]:
    if isinstance(item, Message):
        return item.role, {"text": item.text, "interrupted": item.interrupted}
    body = asdict(item)
    del body["id"]
    return ("call" if isinstance(item, ToolCall) else "result"), body


def _fitting(body: dict[str, Any]) -> str:
    """The body's JSON; in one that is too long, every field is cut alike."""
    text, size = json.dumps(body, default=str), MAX_ITEM
    while len(text) > MAX_ITEM:
        size //= 2
        cut = {name: _clipped(value, size) for name, value in body.items()}
        text = json.dumps(cut | {"cut": True})
    return text


def _clipped(value: Any, size: int) -> Any:
    if isinstance(value, str):
        return value[:size]
    text = json.dumps(value, default=str)
    return value if len(text) <= size else text[:size]
