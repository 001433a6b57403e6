"""How far a fetch is, and two ways to show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, slots=True)
class Progress:
    """done, total: bytes of the whole model that are here, and that there will be.

    note: what happens now, e.g. ``part 3 of 22``; never empty.
    """

    model: str
    done: int
    total: int
    note: str

    def __str__(self) -> str:
        return f"{self.model}: {self.done / 1e6:.0f} of {self.total / 1e6:.0f} MB, {self.note}"


Report = Callable[[Progress], None]
"""Told of progress, a few times a second at most. It may raise: the fetch then
stops, and what has come stays for the next one."""


def as_lines(say: Callable[[str], None], every_percent: int = 10) -> Report:
    """Progress as short lines, one for every step of the way."""
    last: dict[str, int] = {}

    def report(progress: Progress) -> None:
        step = progress.done * 100 // max(progress.total, 1) // every_percent
        if last.get(progress.model) != step:
            last[progress.model] = step
            say(str(progress))

    return report


@contextmanager
def as_rich(console: Console | None = None) -> Iterator[Report]:
    """Progress as one bar for each model, on a terminal (stderr unless told)."""
    from rich.console import Console as RichConsole
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    )
    with Bars(*columns, console=console or RichConsole(stderr=True)) as bars:
        tasks = {}

        def report(progress: Progress) -> None:
            if progress.model not in tasks:
                tasks[progress.model] = bars.add_task(
                    progress.model, total=progress.total, note=progress.note
                )
            bars.update(tasks[progress.model], completed=progress.done, note=progress.note)

        yield report
