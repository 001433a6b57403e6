"""Plugins of one agent: found by entry point, loaded with care, asked through hooks.

A plugin that cannot be imported or registered is named in ``problems`` and
skipped: it never takes the agent down.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

import pluggy

from omni_agent import hookspecs
from omni_agent.call import Outfit
from omni_agent.ears import Ears
from omni_agent.errors import ConfigError, PluginError
from omni_agent.events import SessionStarted
from omni_agent.hookspecs import PROJECT, EngineOptions, Finding
from omni_agent.markdown import no_markdown
from omni_agent.persona import Persona
from omni_agent.talker import Talker
from omni_agent.text import TextFilter, profanity
from omni_agent.thinker import Thinker
from omni_agent.tools import Tool

log = logging.getLogger(__name__)

T = TypeVar("T")
Factory = Callable[[EngineOptions], Awaitable[T]]

TOOLS_GROUP = "omni_agent"
ENGINES_GROUP = "omni_agent.engines"
BUILT_IN: Mapping[str, TextFilter] = {"no-markdown": no_markdown, "profanity": profanity}


class Registry:
    """One agent's plugin manager; nothing here is global.

    ``plugins`` are given by the application; ``discover`` adds installed ones.
    """

    def __init__(self, plugins: Iterable[Any] = (), *, discover: bool = True) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self.problems: list[PluginError] = []
        self._tools: dict[str, dict[str, Tool]] | None = None
        for plugin in plugins:
            self.add(plugin, getattr(plugin, "__name__", type(plugin).__name__))
        if discover:
            for group in (TOOLS_GROUP, ENGINES_GROUP):
                for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
                    self._load(entry)

    def _load(self, entry: EntryPoint) -> None:
        try:
            plugin = entry.load()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            self._skip(entry.name, f"could not be imported: {type(error).__name__}: {error}")
            return
        self.add(plugin, entry.name)

    def add(self, plugin: Any, name: str) -> None:
        """Register a plugin; one that does not fit the hooks is skipped and named."""
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()
        except (ValueError, pluggy.PluginValidationError) as error:
            if self._manager.has_plugin(name) and self._manager.get_plugin(name) is plugin:
                self._manager.unregister(plugin)
            self._skip(name, str(error).replace("\n", " "))

    def _skip(self, name: str, reason: str) -> None:
        problem = PluginError(name, reason)
        self.problems.append(problem)
        log.warning("%s (skipped)", problem)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self._manager.list_name_plugin())

    def _collect(self, hook: str, **arguments: Any) -> list[tuple[str, Any]]:
        """What each plugin's hook returned; a hook that raises is skipped and named."""
        answers = []
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            name = implementation.plugin_name
            wanted = {key: arguments[key] for key in implementation.argnames}
            try:
                answers.append((name, implementation.function(**wanted)))
            except Exception as error:
                log.exception("plugin %s: %s failed", name, hook)
                self._skip(name, f"{hook} raised {type(error).__name__}: {error}")
        return answers

    # -- tools and filters ---------------------------------------------------------

    def tools(self) -> Mapping[str, Mapping[str, Tool]]:
        """Tools by plugin name, then by tool name."""
        if self._tools is None:
            self._tools = {}
            for name, tools in self._collect("register_tools"):
                self._tools[name] = self._valid_tools(name, tools)
        return self._tools

    def _valid_tools(self, plugin: str, tools: Sequence[Any]) -> dict[str, Tool]:
        valid = {}
        for tool in tools:
            if isinstance(tool, Tool):
                valid[tool.name] = tool
            else:
                self._skip(plugin, f"register_tools returned {tool!r}, which is not a Tool")
        return valid

    def outfit(self, persona: Persona, tools: Sequence[Tool] = ()) -> Outfit:
        """The persona with its tools and filters. ``tools`` are there in any case.

        Raises ConfigError naming what a persona asks for and nobody provides.
        """
        chosen = {tool.name: tool for tool in tools}
        for name in persona.tools:
            chosen.update(self._tools_named(name, persona))
        return Outfit(persona, chosen, self._filters(persona))

    def _tools_named(self, name: str, persona: Persona) -> Mapping[str, Tool]:
        plugins = self.tools()
        if name in plugins:
            return plugins[name]
        for tools in plugins.values():
            if name in tools:
                return {name: tools[name]}
        broken = next((p for p in self.problems if p.plugin == name), None)
        if broken is not None:
            log.warning("persona %s goes without %s", persona.name, broken)
            return {}
        known = ", ".join(sorted(plugins)) or "none"
        raise ConfigError(f"persona {persona.name!r}: no plugin or tool {name!r}; plugins: {known}")

    def _filters(self, persona: Persona) -> tuple[TextFilter, ...]:
        known = dict(BUILT_IN)
        for _, filters in self._collect("text_filters", persona=persona):
            known.update(filters)
        missing = [name for name in persona.filters if name not in known]
        if missing:
            raise ConfigError(
                f"persona {persona.name!r}: no text filter {missing[0]!r}; "
                f"filters: {', '.join(sorted(known))}"
            )
        return tuple(known[name] for name in persona.filters)

    # -- engines -----------------------------------------------------------------------

    def thinker(self, engine: str) -> Factory[Thinker]:
        factory: Factory[Thinker] = self._engine("register_thinkers", "Thinker", engine)
        return factory

    def talker(self, engine: str) -> Factory[Talker]:
        factory: Factory[Talker] = self._engine("register_talkers", "Talker", engine)
        return factory

    def ears(self, engine: str) -> Factory[Ears]:
        factory: Factory[Ears] = self._engine("register_ears", "ears", engine)
        return factory

    def examiner(self, engine: str) -> Callable[[EngineOptions], Iterable[Finding]]:
        examiner: Callable[[EngineOptions], Iterable[Finding]] = self._engine(
            "register_examiners", "examiner", engine
        )
        return examiner

    def _engine(self, hook: str, what: str, engine: str) -> Any:
        known: dict[str, Any] = {}
        for _, engines in self._collect(hook):
            known.update(engines)
        if engine not in known:
            there = ", ".join(sorted(known)) or "none"
            raise ConfigError(f"there is no {what} {engine!r}; engines that have one: {there}")
        return known[engine]

    # -- the rest ------------------------------------------------------------------------

    def context(self, session_id: str, user_text: str) -> str:
        """What plugins want the Thinker to read beside this turn."""
        found = self._collect("context", session_id=session_id, user_text=user_text)
        return "\n".join(text for _, text in found if text)

    def observe(self, session_id: str, event: Any) -> None:
        """Tell observing plugins of an event, and of the call when it is its first."""
        if isinstance(event, SessionStarted):
            self._collect("session_started", session_id=session_id)
        if self._manager.hook.event_emitted.get_hookimpls():
            self._collect("event_emitted", session_id=session_id, event=event)

    def extend_cli(self, app: Any) -> None:
        self._collect("register_cli", app=app)
