"""State that a tool keeps visible on the call page."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class PanelRow(BaseModel, extra="forbid"):
    """One line of a panel. ``state`` picks the colour; ``group`` puts rows under a heading.

    until: a moment in seconds since 1970 that the page counts down to; it does so by itself.
    """

    label: str
    value: str
    group: str = ""
    state: Literal["on", "off", "warn", "none"] = "none"
    until: float | None = None


class Panel(BaseModel, extra="forbid"):
    """State that a tool keeps visible on the call page (a house, a list of timers)."""

    title: str
    rows: list[PanelRow] = []
    empty: str = "Nothing here yet."
