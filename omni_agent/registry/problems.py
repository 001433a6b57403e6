"""What plugins do wrong, each thing named once."""

from __future__ import annotations

import asyncio
import difflib
import logging
from collections.abc import Callable, Iterable
from typing import Any

from omni_agent.errors import PluginError, words_of

log = logging.getLogger(__name__)

Complain = Callable[[str], None]
"""Names the plugin with what is wrong with a part of its answer; the rest of it is used."""

MOST_PROBLEMS = 100
"""Kinds of things that one plugin is named for; all others together are one more."""
_MAX_REASON_CHARS = 300
_MAX_SHOWN_CHARS = 60


class Misfit(ValueError):
    """A hook returned what it should not; the message goes on from "the hook …"."""


class Problems:
    """Of one agent's plugins. For one thread."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], PluginError] = {}

    @property
    def known(self) -> tuple[PluginError, ...]:
        """What went wrong so far, each plugin, hook and kind once."""
        return tuple(self._known.values())

    def failed(self, plugin: str, where: str, error: BaseException) -> None:
        """Name a plugin that raised. A Ctrl-C before there is a loop is the user's: it goes on."""
        if isinstance(error, KeyboardInterrupt) and not on_a_loop():
            raise error
        if isinstance(error, Misfit):
            self.report(plugin, f"{where} misfit", f"{where} {error}")
            return
        reason = f"{where} raised {type(error).__name__}: {words_of(error)}"
        self.report(plugin, f"{where} {type(error).__name__}", reason, error)

    def report(
        self, plugin: str, kind: str, reason: str, error: BaseException | None = None
    ) -> None:
        """Name a plugin, in the log too when this kind of thing is new; else count it."""
        kinds = [each for name, each in self._known if name == plugin]
        if kind not in kinds and len(kinds) >= MOST_PROBLEMS:
            kind, reason = "more", f"does ever more; the first that is only counted: {reason}"
        if known := self._known.get((plugin, kind)):
            known.times += 1
        else:
            problem = PluginError(plugin, reason[:_MAX_REASON_CHARS].replace("\n", " "))
            self._known[plugin, kind] = problem
            log.warning("%s", problem, exc_info=error)


def shown(value: Any) -> str:
    """A value for a message, however it likes to be shown."""
    try:
        text = str.__str__(repr(value))
    except BaseException:
        return f"a {type(value).__name__}"
    return text if len(text) <= _MAX_SHOWN_CHARS else text[:_MAX_SHOWN_CHARS] + "…"


def meant(name: str, known: Iterable[str]) -> str:
    """A question about what somebody who writes a name may have meant; empty where nothing is
    like it."""
    close = difflib.get_close_matches(name, list(known), 1)
    return f"did you mean {close[0]!r}? " if close else ""


def on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
