"""Progress as lines and as bars."""

from __future__ import annotations

import io

from rich.console import Console

from omni_agent.models import Progress, as_lines, as_rich


def test_lines_come_once_for_each_step() -> None:
    lines: list[str] = []
    report = as_lines(lines.append, every_percent=25)
    for done in range(101):
        report(Progress("m", done * 1_000_000, 100_000_000, "from somewhere"))
    assert lines == [f"m: {done} of 100 MB, from somewhere" for done in (0, 25, 50, 75, 100)]


def test_lines_of_two_models_do_not_hide_each_other() -> None:
    lines: list[str] = []
    report = as_lines(lines.append)
    report(Progress("a", 0, 0, "x"))
    report(Progress("b", 0, 0, "x"))
    assert len(lines) == 2


def test_bars_show_model_and_note() -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with as_rich(console) as report:
        report(Progress("whisper", 1, 2, "from somewhere"))
        report(Progress("whisper", 2, 2, "verifying"))
    shown = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO, see above
    assert "whisper" in shown
    assert "verifying" in shown
