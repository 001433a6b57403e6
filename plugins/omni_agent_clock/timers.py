"""The timers of one call."""

from __future__ import annotations

import asyncio
import difflib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from omni_agent import Panel, PanelRow, ToolContext

MOST = 20
_KEY = "omni_agent_clock"


@dataclass(eq=False, slots=True)
class Timer:
    """label: the user's word for it, or empty. ends: loop time. task: rings it."""

    seconds: float
    label: str
    ends: float
    rings_at: datetime
    task: asyncio.Task[None] | None = None

    @classmethod
    def begun(cls, seconds: float, label: str) -> Timer:
        """One that runs from now."""
        ends = asyncio.get_running_loop().time() + seconds
        rings_at = datetime.now().astimezone() + timedelta(seconds=seconds)
        return cls(seconds, _label(label), ends, rings_at)

    @property
    def name(self) -> str:
        """What to call it: "pasta", or "10 minute"."""
        return self.label or duration_words(self.seconds, as_adjective=True)


class Timers:
    """The running timers of a call, the next to ring first. For the event loop's thread."""

    def __init__(self) -> None:
        self._timers: list[Timer] = []

    @classmethod
    def of(cls, call: ToolContext) -> Timers:
        timers: Timers = call.state.setdefault(_KEY, cls())
        return timers

    @property
    def running(self) -> list[Timer]:
        return sorted(self._timers, key=lambda timer: timer.ends)

    @property
    def is_full(self) -> bool:
        return len(self._timers) >= MOST

    def add(self, timer: Timer) -> None:
        self._timers.append(timer)

    def left(self, timer: Timer) -> float:
        """Seconds until it rings."""
        return max(0.0, timer.ends - asyncio.get_running_loop().time())

    def forget(self, timer: Timer) -> None:
        if timer in self._timers:
            self._timers.remove(timer)

    def stop(self, timer: Timer) -> None:
        self.forget(timer)
        if timer.task is not None:
            timer.task.cancel()

    def named(self, label: str) -> list[Timer]:
        """The timers a user means: all, the one with a name like this, or the only one.

        Nothing when there are several and the label says not which.
        """
        wanted = _label(label)
        if re.search(r"\b(all|every|everything|both)\b", wanted):
            return self.running
        if wanted:
            names = [timer.name.lower() for timer in self.running]
            close = difflib.get_close_matches(wanted.lower(), names, 1, 0.6)
            whole = [name for name in names if set(wanted.lower().split()) & set(name.split())]
            for name in [*close, *whole]:
                return [self.running[names.index(name)]]
            return []
        return self.running if len(self._timers) == 1 else []

    def show(self, call: ToolContext) -> None:
        """Put the timers on the call page."""
        rows = [
            PanelRow(
                label=timer.label or "timer",
                value=duration_words(timer.seconds),
                until=timer.rings_at.timestamp(),
                state="on",
            )
            for timer in self.running
        ]
        call.show("timers", Panel(title="Timers", rows=rows, empty="No timer is running."))


def _label(text: str) -> str:
    """A label without the words around it: "the pasta timer" is "pasta"."""
    words = re.sub(r"\b(the|my|a|an|for|timers?)\b", " ", text, flags=re.IGNORECASE)
    return " ".join(words.split())[:60]


def duration_words(seconds: float, *, as_adjective: bool = False) -> str:
    """90 is "1 minute and 30 seconds"; as an adjective "1 minute 30 second"."""
    rest = max(1, round(seconds))
    parts = []
    for unit, size in (("hour", 3600), ("minute", 60), ("second", 1)):
        count, rest = divmod(rest, size)
        if count:
            plural = "" if count == 1 or as_adjective else "s"
            parts.append(f"{count} {unit}{plural}")
    if as_adjective or len(parts) == 1:
        return " ".join(parts)
    return ", ".join(parts[:-1]) + f" and {parts[-1]}"
