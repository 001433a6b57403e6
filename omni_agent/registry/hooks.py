"""Plugins and their hooks: loaded with care, called by pluggy, each contained.

Whatever a plugin does, it is named in ``problems`` once for each kind of thing, and the
rest goes on: it may raise, exit, block, or return something else than it should.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any, TypeVar

import pluggy

from omni_agent import hookspecs
from omni_agent.hookspecs import GONE, PROJECT
from omni_agent.registry.containment import Containment
from omni_agent.registry.problems import Misfit, Problems

T = TypeVar("T")


def name_of(plugin: Any) -> str:
    """What to call a plugin that an application gives."""
    try:
        name = plugin.__name__
    except BaseException:  # an object without a name, or one that fights back
        name = None
    return name if isinstance(name, str) else type(plugin).__name__


class Hooks:
    """The plugins of one agent; nothing here is global. For one thread.

    The order is pluggy's: those marked ``tryfirst``, the others, those marked ``trylast``, and
    of each kind what was added last comes first.
    """

    def __init__(self) -> None:
        self.problems = Problems()
        self._contained = Containment(self.problems)
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._added: dict[str, Any] = {}
        self._answered: dict[str, dict[str, list[Any]]] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """In pluggy's order."""
        return tuple(reversed(self._added))

    def of(self, plugin: str) -> tuple[str, ...]:
        """The hooks that a plugin has."""
        callers = self._manager.get_hookcallers(self._manager.get_plugin(plugin))
        return tuple(sorted(caller.name for caller in callers or ()))

    # -- plugins -----------------------------------------------------------------------

    def load(self, sources: Iterable[tuple[str, Callable[[], Any]]]) -> None:
        """Register plugins, given by name and how to get them, so that the first of them is
        asked first; what cannot be got is named."""
        wanted: dict[str, Callable[[], Any]] = {}
        for name, get in sources:
            if wanted.setdefault(name, get) is not get:
                self._name_twin(name)
        for name, get in reversed(wanted.items()):
            try:
                plugin = get()
            except BaseException as error:
                self.problems.failed(name, "import", error)
            else:
                self.add(plugin, name)

    def add(self, plugin: Any, name: str) -> None:
        """Register a plugin, to be asked before the others; one that does not fit is named."""
        if name in self._added:
            self._name_twin(name)
            return
        try:
            _refuse_gone(plugin)
            if known := [other for other, one in self._added.items() if one is plugin]:
                raise Misfit(f"is the second one: it is plugin {known[0]!r} already")
            self._manager.register(self._stand_in(plugin, name), name)
            self._manager.check_pending()
        except BaseException as error:
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)
            self.problems.failed(name, "registration", error)
        else:
            self._added[name] = plugin

    def _name_twin(self, name: str) -> None:
        self.problems.report(name, "name", "there are two plugins of this name; the first is used")

    def _stand_in(self, plugin: Any, name: str) -> ModuleType:
        """What pluggy gets for a plugin: its hooks, each contained."""
        stand_in = ModuleType(name)
        for attribute in dir(plugin):
            if options := self._manager.parse_hookimpl_opts(plugin, attribute):
                if options.get("hookwrapper"):
                    raise Misfit(f"of {attribute}: wrapper=True, please, not hookwrapper=True")
                hook = options.get("specname") or attribute
                wraps = options.get("wrapper")
                contain = self._contained.wrapper if wraps else self._contained.hook
                setattr(stand_in, attribute, contain(name, hook, getattr(plugin, attribute)))
        return stand_in

    async def rest(self) -> None:
        """Wait for coroutines of plugins that nobody waited for; they have their limit."""
        await self._contained.rest()

    async def aclose(self) -> None:
        """End what coroutines of plugins are still at."""
        await self._contained.aclose()

    # -- asking ----------------------------------------------------------------------------

    def call(self, hook: str, **arguments: Any) -> list[Any]:
        """The answers of all, through the wrappers of all."""
        answers: list[Any] = getattr(self._manager.hook, hook)(**arguments)
        return answers

    def each(self, hook: str) -> Iterator[tuple[str, Callable[..., list[Any]]]]:
        """(plugin, how to ask it): each by itself, through the wrappers of all; the outermost
        wrapper's where there are only wrappers."""
        found = list(reversed(getattr(self._manager.hook, hook).get_hookimpls()))
        having = {one.plugin_name: one.plugin for one in found if not one.wrapper}
        if found and not having:
            yield found[0].plugin_name, getattr(self._manager.hook, hook)
        for name, plugin in having.items():
            others = [other for other in having.values() if other is not plugin]
            yield name, self._manager.subset_hook_caller(hook, others)

    def ask(self, hook: str, **arguments: Any) -> list[tuple[str, Any]]:
        """(plugin, answer) of each, asked by itself."""
        return [(name, answer) for name, one in self.each(hook) for answer in one(**arguments)]

    def once(self, hook: str) -> list[tuple[str, Any]]:
        """(plugin, answer) of each, which holds from then on; who is added later is asked then."""
        known = self._answered.setdefault(hook, {})
        answers: list[tuple[str, Any]] = []
        for name, one in self.each(hook):
            if name not in known:
                known[name] = one()
            answers += ((name, answer) for answer in known[name])
        return answers

    async def settle(self, hook: str, **arguments: Any) -> list[Any]:
        """The answers of all, once they are there; see ``LIMITS_S``."""
        return await self.settled(hook, self.call(hook, **arguments))

    async def settled(self, hook: str, answers: Iterable[Any]) -> list[Any]:
        """Answers, once they are there; see ``LIMITS_S``."""
        return await self._contained.settled(hook, answers)

    def has(self, hook: str) -> bool:
        """Whether any plugin has this hook."""
        return bool(getattr(self._manager.hook, hook).get_hookimpls())

    def attempt(self, plugin: str, where: str, work: Callable[[], T]) -> T | None:
        """Something that runs a plugin's code; None when it fails, and the plugin is named."""
        return self._contained.attempt(plugin, where, work)


def _refuse_gone(plugin: Any) -> None:
    """Raises Misfit for a plugin with a hook that there was once."""
    for hook, instead in GONE.items():
        if hasattr(getattr(plugin, hook, None), f"{PROJECT}_impl"):
            raise Misfit(f"found {hook}, which is gone: {instead}")
