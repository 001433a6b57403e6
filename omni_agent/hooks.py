"""Plugins and their hooks: loaded with care, asked one by one, each contained.

Whatever a plugin does, it is named in ``problems`` once for each kind of thing, and the
rest goes on: it may raise, exit, block, or return something else than it should.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint
from time import perf_counter
from typing import Any, TypeVar

import pluggy

from omni_agent import hookspecs
from omni_agent.errors import PluginError
from omni_agent.hookspecs import PROJECT
from omni_agent.results import words_of

log = logging.getLogger(__name__)

T = TypeVar("T")
Complain = Callable[[str], None]
"""Names the plugin with what is wrong with a part of its answer; the rest of it is used."""
Read = Callable[[Any, Complain], T]
"""Makes an answer of what a hook returned, which may be anything, and None for nothing. Raises
Misfit, and whatever looking at it raises."""

BLOCKS_S = 0.1
"""A hook that takes longer on the event loop is named: no call's audio moves meanwhile."""
STRIKES = 10
"""An observer that fails this often in a row is asked no more."""
MOST_PROBLEMS = 100
"""Kinds of things that one plugin is named for; all others together are one more."""
_MAX_REASON_CHARS = 300
_MAX_SHOWN_CHARS = 60


class Misfit(ValueError):
    """A hook returned what it should not; the message goes on from "the hook …"."""


def shown(value: Any) -> str:
    """A value for a message, however it likes to be shown."""
    try:
        text = str.__str__(repr(value))
    except BaseException:
        return f"a {type(value).__name__}"
    return text if len(text) <= _MAX_SHOWN_CHARS else text[:_MAX_SHOWN_CHARS] + "…"


def name_of(plugin: Any) -> str:
    """What to call a plugin that an application gives."""
    try:
        name = plugin.__name__
    except BaseException:  # an object without a name, or one that fights back
        name = None
    return name if isinstance(name, str) else type(plugin).__name__


class Hooks:
    """The plugins of one agent; nothing here is global. For one thread."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._known: dict[tuple[str, str], PluginError] = {}
        self._strikes: Counter[tuple[str, str]] = Counter()

    @property
    def problems(self) -> tuple[PluginError, ...]:
        """What went wrong so far, each plugin, hook and kind once."""
        return tuple(self._known.values())

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self._manager.list_name_plugin())

    # -- plugins -----------------------------------------------------------------------

    def load(self, entry: EntryPoint) -> None:
        """Import and register an installed plugin, or name it."""
        try:
            plugin = entry.load()
        except BaseException as error:
            self.failed(entry.name, "import", error)
        else:
            self.add(plugin, entry.name)

    def add(self, plugin: Any, name: str) -> None:
        """Register a plugin; one that does not fit the hooks is named."""
        if self._manager.has_plugin(name):
            self.report(name, "name", "there are two plugins of this name; the first is used")
            return
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()
        except BaseException as error:
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)
            self.failed(name, "registration", error)

    # -- problems ------------------------------------------------------------------------

    def failed(self, plugin: str, where: str, error: BaseException) -> None:
        """Name a plugin that raised. A Ctrl-C before there is a loop is the user's: it goes on."""
        if isinstance(error, KeyboardInterrupt) and not _on_a_loop():
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

    # -- asking ----------------------------------------------------------------------------

    def ask(self, hook: str, read: Read[T], **arguments: Any) -> list[tuple[str, T]]:
        """(plugin, answer) of each that has the hook and does not fail."""
        return [
            (implementation.plugin_name, answer)
            for implementation in self.implementations(hook)
            for answer in self.ask_one(hook, implementation, read, arguments)
        ]

    def implementations(self, hook: str) -> list[pluggy.HookImpl]:
        """Those marked ``tryfirst``, the others, those marked ``trylast``; each in the order of
        registration, without those that have failed too often."""
        found: list[pluggy.HookImpl] = getattr(self._manager.hook, hook).get_hookimpls()
        registered = {name: place for place, name in enumerate(self.names)}
        found.sort(key=lambda each: (each.trylast - each.tryfirst, registered[each.plugin_name]))
        return [each for each in found if self._strikes[each.plugin_name, hook] < STRIKES]

    def ask_one(
        self,
        hook: str,
        implementation: pluggy.HookImpl,
        read: Read[T],
        arguments: Mapping[str, Any],
    ) -> list[T]:
        """The answer of one plugin, in a list; an empty one when it fails."""
        plugin, began = implementation.plugin_name, perf_counter()
        try:
            answer = read(_call(implementation, arguments), self._complain(plugin, hook))
        except BaseException as error:
            self.failed(plugin, hook, error)
            self._strike(plugin, hook)
            return []
        finally:
            self._time(plugin, hook, perf_counter() - began)
        self._strikes.pop((plugin, hook), None)
        return [answer]

    def _complain(self, plugin: str, hook: str) -> Complain:
        return lambda reason: self.report(plugin, f"{hook} part", f"{hook} {reason}")

    def _strike(self, plugin: str, hook: str) -> None:
        if hook != "event_emitted":  # the others come rarely, and what they need may come back
            return
        self._strikes[plugin, hook] += 1
        if self._strikes[plugin, hook] == STRIKES:
            reason = f"{hook} failed {STRIKES} times in a row and is asked no more"
            self.report(plugin, f"{hook} dropped", reason)

    def _time(self, plugin: str, hook: str, seconds: float) -> None:
        if seconds > BLOCKS_S and _on_a_loop():
            reason = f"{hook} held every call up for {1000 * seconds:.0f} ms; a hook must be quick"
            self.report(plugin, f"{hook} slow", reason)


def _on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _call(implementation: pluggy.HookImpl, arguments: Mapping[str, Any]) -> Any:
    if implementation.wrapper or implementation.hookwrapper:
        raise Misfit("is a hook wrapper; hooks here stand for themselves")
    answer = implementation.function(**{key: arguments[key] for key in implementation.argnames})
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise Misfit("is asynchronous; hooks are plain functions")
    return answer
