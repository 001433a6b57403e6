"""A plugin's manners, contained: where they fail, or say nothing, the language's own decide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from omni_agent.registry.problems import Misfit, shown
from omni_agent.turn_taking import Manners


class ContainedManners:
    """See :class:`omni_agent.turn_taking.Manners`. theirs: a plugin's, or some of them; own: the
    language's. failed: is told what the plugin's raised."""

    def __init__(self, theirs: Any, own: Manners, failed: Callable[[BaseException], None]) -> None:
        self._theirs, self._own, self._failed = theirs, own, failed

    def tells(self, what: str) -> bool:
        """Whether the plugin has a word in it."""
        try:
            return hasattr(self._theirs, what)
        except BaseException as error:
            self._failed(error)
            return False

    def _told(self, what: str, *about: str) -> bool | None:
        own = getattr(self._own, what)
        try:
            told = getattr(self._theirs, what, own)(*about)
            if not isinstance(told, bool) and (told is not None or what != "consents"):
                raise Misfit(f"{what} returned {shown(told)}, not True or False")
        except BaseException as error:
            self._failed(error)
            told = own(*about)
        return told if told is None else bool(told)

    def is_backchannel(self, text: str) -> bool:
        return bool(self._told("is_backchannel", text))

    def is_patience(self, text: str) -> bool:
        return bool(self._told("is_patience", text))

    def is_hum(self, text: str) -> bool:
        return bool(self._told("is_hum", text))

    def is_command(self, text: str) -> bool:
        return bool(self._told("is_command", text))

    def is_unfinished(self, text: str) -> bool:
        return bool(self._told("is_unfinished", text))

    def is_question(self, text: str) -> bool:
        return bool(self._told("is_question", text))

    def is_farewell(self, text: str, after: str = "") -> bool:
        return bool(self._told("is_farewell", text, after))

    def consents(self, text: str) -> bool | None:
        return self._told("consents", text)
