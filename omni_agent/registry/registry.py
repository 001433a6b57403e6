"""What the plugins of one agent bring: tools, filters, engines, context, commands."""

from __future__ import annotations

import logging
from collections.abc import (
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from functools import partial
from importlib.metadata import entry_points
from typing import Any

from omni_agent.conversation import Part
from omni_agent.engine import Engine
from omni_agent.errors import ConfigError, PluginError, UnknownPartError
from omni_agent.events import SessionEnded, SessionStarted
from omni_agent.hearing.manners import manners_in
from omni_agent.hookspecs import Turn
from omni_agent.line import Line
from omni_agent.markdown import no_markdown
from omni_agent.persona import BY_WORDS, Persona
from omni_agent.personas.outfit import Outfit
from omni_agent.plugin_settings import PluginSettings
from omni_agent.registry.connecting import ConnectedTools
from omni_agent.registry.engines import EngineTable
from omni_agent.registry.filters import contained
from omni_agent.registry.hooks import Hooks, name_of
from omni_agent.registry.manners import ContainedManners
from omni_agent.registry.problems import Misfit, meant, shown
from omni_agent.registry.settings import SettingsModels
from omni_agent.registry.wrapping import ContainedTransport, Lent
from omni_agent.text import TextFilter, profanity
from omni_agent.thinker import ToolCallRequest
from omni_agent.tools.approval import Verdict, strictest
from omni_agent.tools.tool import Tool
from omni_agent.transport import Transport
from omni_agent.turn_taking import Manners

log = logging.getLogger(__name__)

TOOLS_GROUP = "omni_agent"
ENGINES_GROUP = "omni_agent.engines"
LINES_GROUP = "omni_agent.transports"
BUILT_IN: Mapping[str, TextFilter] = {"no-markdown": no_markdown, "profanity": profanity}
_TOLD_BY_NAME = frozenset(
    ("register_tools", "register_engines", "register_lines", "register_settings", "text_filters")
)


class Registry:
    """One agent's plugins: ``plugins`` are the application's; ``discover`` adds installed ones."""

    def __init__(self, plugins: Iterable[Any] = (), *, discover: bool = True) -> None:
        self._hooks = Hooks()
        self.engines = EngineTable(self._hooks)
        self._settings = SettingsModels(self._hooks)
        self._connected = ConnectedTools(self._hooks, self._settings)
        self._callers: dict[str, str] = {}
        installed = _installed() if discover else ()
        self._hooks.load(
            [*((name_of(plugin), _as_it_is(plugin)) for plugin in plugins), *installed]
        )

    def add(self, plugin: Any, name: str) -> None:
        """Register a plugin, to be asked before the others; one that does not fit the hooks is
        named and left out."""
        self._hooks.add(plugin, name)

    @property
    def problems(self) -> tuple[PluginError, ...]:
        """What plugins did wrong so far, each thing once."""
        return self._hooks.problems.known

    @property
    def names(self) -> tuple[str, ...]:
        return self._hooks.names

    def brought(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        """What there is of each plugin beside its tools, by kind: engines, lines, settings and
        filters by their names, and what else it is asked or told by its hooks."""
        anybody = {"persona": Persona(name="anybody"), "settings": PluginSettings()}
        filters = self._hooks.ask("text_filters", **anybody)
        engines, lines = self._hooks.once("register_engines"), self._hooks.once("register_lines")
        settings = self._hooks.once("register_settings")
        found: dict[str, dict[str, Sequence[str]]] = {name: {} for name in self.names}
        for kind, of_each in (
            ("engines", [(who, _names(them)) for who, them in engines]),
            ("lines", [(who, _names(them)) for who, them in lines]),
            ("settings", [(who, [*model.model_fields]) for who, model in settings]),
            ("filters", [(who, [*them]) for who, them in filters]),
            ("hooks", [(who, self._more(who)) for who in self.names]),
        ):
            for who, names in of_each:
                if names:
                    found.setdefault(who, {})[kind] = names
        return found

    def _more(self, plugin: str) -> Sequence[str]:
        return [hook for hook in self._hooks.of(plugin) if hook not in _TOLD_BY_NAME]

    # -- tools and filters ---------------------------------------------------------

    def tools(self) -> Mapping[str, Mapping[str, Tool]]:
        """Tools by plugin name, then by tool name."""
        brought: dict[str, dict[str, Tool]] = {}
        for plugin, tools in self._hooks.once("register_tools"):
            brought.setdefault(plugin, {}).update({tool.name: tool for tool in tools})
        return brought

    @property
    def connects(self) -> bool:
        """Whether some tools are elsewhere, and known once the agent has started."""
        return bool(self._connected.plugins)

    async def connect(self, personas: Sequence[Persona]) -> None:
        """Have plugins find tools that are elsewhere, for these personas, and wait a while."""
        await self._connected.connect(personas)

    def _tools_for(self, persona: Persona) -> Mapping[str, Mapping[str, Tool]]:
        """What a persona may name: by plugin, then by tool name."""
        there, connected = self.tools(), self._connected.of(persona)
        names = dict.fromkeys((*there, *connected))
        return {name: {**there.get(name, {}), **connected.get(name, {})} for name in names}

    def outfit(self, persona: Persona, tools: Sequence[Tool] = ()) -> Outfit:
        """The persona with its tools, filters and settings. ``tools`` are there in any case.

        Of tools with one name, ``tools`` come first, then what the persona names first.
        Raises ConfigError naming what a persona asks for and nobody provides, or says of a
        plugin that does not fit.
        """
        settings = self._settings.read(persona)
        given = _given(tools)
        chosen = dict(given)
        owners: dict[str, str] = {}
        for name in persona.tools:
            for owner, tool in self._named(name, persona, given):
                winner = owners.setdefault(tool.name, owner)
                if chosen.setdefault(tool.name, tool) is not tool and tool.name not in given:
                    self._gives_way(owner, tool.name, winner)
        self._check_turn_end(persona)
        filters, manners = self._filters(persona, settings), self._manners(persona, settings)
        return Outfit(persona, chosen, filters, settings=settings, own_manners=manners)

    def _named(
        self, name: str, persona: Persona, given: Mapping[str, Tool]
    ) -> Iterable[tuple[str, Tool]]:
        """(plugin, tool) of what a persona calls by the name of a plugin or of a tool."""
        plugins = self._tools_for(persona)
        if name in plugins:
            return [(name, tool) for tool in plugins[name].values()]
        if name in given:
            return []
        if having := [plugin for plugin, tools in plugins.items() if name in tools]:
            first, *others = having
            for other in others:
                self._gives_way(other, name, first)
            return [(first, plugins[first][name])]
        if broken := next((p for p in self.problems if p.plugin == name), None):
            log.warning("persona %s goes without %s", persona.name, broken)
            return []
        if self._connected.wanting(persona):
            log.info("persona %s goes without tool %r, until it is connected", persona.name, name)
            return []
        names = {*given, *plugins, *(tool for tools in plugins.values() for tool in tools)}
        known = ", ".join(sorted({*plugins, *given})) or "none"
        reason = (
            f"no plugin or tool {name!r}; {meant(name, names)}there are: {known}; a tool of your "
            "own comes with Agent(tools=[…]), or in a plugin"
        )
        raise UnknownPartError(persona.name, ("tools", persona.tools.index(name)), reason)

    def _gives_way(self, plugin: str, tool: str, winner: str) -> None:
        reason = f"its tool {tool!r} gives way to that of plugin {winner!r}"
        self._hooks.problems.report(plugin, f"tool {tool}", reason)

    def _filters(self, persona: Persona, settings: PluginSettings) -> tuple[TextFilter, ...]:
        known = dict(BUILT_IN)
        asked = self._hooks.ask("text_filters", persona=persona, settings=settings)
        for plugin, filters in reversed(asked):  # of one name, the first plugin's is used
            for name, text_filter in filters.items():
                failed = partial(self._hooks.problems.failed, plugin, f"filter {name!r}")
                known[name] = contained(text_filter, plugin, failed)
        for place, name in enumerate(persona.filters):
            if name not in known:
                there = ", ".join(sorted(known))
                reason = f"no text filter {name!r}; {meant(name, known)}filters: {there}"
                raise UnknownPartError(persona.name, ("filters", place), reason)
        return tuple(known[name] for name in persona.filters)

    def _manners(self, persona: Persona, settings: PluginSettings) -> Manners | None:
        own = manners_in(persona.language)
        asked = self._hooks.ask("manners", persona=persona, settings=settings, own=own)
        for plugin, theirs in asked:
            failed = partial(self._hooks.problems.failed, plugin, "manners")
            return ContainedManners(theirs, own, failed)
        return None

    def _check_turn_end(self, persona: Persona) -> None:
        name, known = persona.turn.end, (BY_WORDS, *self.engines.names("turn_end"))
        if name not in known:
            reason = f"no end of turn {name!r}; {meant(name, known)}there are: {', '.join(known)}"
            raise UnknownPartError(persona.name, ("turn", "end"), reason)

    def lines(self) -> list[Line]:
        """Of those with one name, the first."""
        by_name: dict[str, Line] = {}
        for _, lines in self._hooks.once("register_lines"):
            for line in lines:
                by_name.setdefault(line.name, line)
        return list(by_name.values())

    # -- the rest ------------------------------------------------------------------------

    def retrieve(self, turn: Turn) -> Awaitable[Sequence[Part]] | None:
        """Looks up what plugins want the Thinker to read beside a turn; None without such."""
        return self._retrieved(turn) if self._hooks.has("context") else None

    async def _retrieved(self, turn: Turn) -> Sequence[Part]:
        asked = {"turn": turn, "session_id": turn.session_id, "user_text": turn.text}
        return [part for parts in await self._hooks.settle("context", **asked) for part in parts]

    def observe(self, session_id: str, event: Any) -> None:
        """Tell observing plugins of an event, and of the call when it is its first or last."""
        if isinstance(event, SessionStarted):
            self._callers[session_id] = event.caller
        call = {"session_id": session_id, "caller": self._callers.get(session_id, "")}
        if isinstance(event, SessionStarted):
            self._hooks.call("session_started", **call)
        self._hooks.call("event_emitted", event=event, **call)
        if isinstance(event, SessionEnded):
            self._callers.pop(session_id, None)
            self._hooks.call("session_ended", reason=event.reason, items=event.items, **call)

    async def started(self, agent: Any) -> None:
        """Tell plugins that an agent takes calls from now on, and wait for them, a while."""
        await self._hooks.settle("agent_started", agent=agent)

    async def stopping(self, agent: Any) -> None:
        """Tell plugins that an agent's models are about to be stopped, once they are done with the
        calls that ended, and wait for them, a while."""
        await self._hooks.rest()
        await self._hooks.settle("agent_stopping", agent=agent)

    async def aclose(self) -> None:
        """End what plugins are still at."""
        await self._hooks.aclose()

    def wrapped(self, transport: Transport, session_id: str, caller: str) -> Transport:
        """A call's line with what plugins put between."""
        for plugin, ask in self._hooks.each("wrap_transport"):
            failed = partial(self._hooks.problems.failed, plugin, "the transport")
            lent = Lent(transport)
            for theirs in ask(transport=lent, session_id=session_id, caller=caller):
                if theirs is not lent:
                    transport = ContainedTransport(theirs, lent, failed)
        return transport

    def judge(self, tool_call: ToolCallRequest, session_id: str, caller: str) -> Verdict:
        """Whether a tool call may run; who fails to say so says no."""
        asked = {"tool_call": tool_call, "session_id": session_id, "caller": caller}
        return strictest(self._hooks.call("before_tool", **asked))

    def extend_cli(self, app: Any) -> None:
        """Let plugins add commands; those that cannot be built, or exist already, are left out."""
        import typer

        for plugin, ask in self._hooks.each("register_cli"):
            extra = typer.Typer()
            added = bool(ask(app=extra))
            check = partial(_check_commands, app, extra)
            if added and self._hooks.attempt(plugin, "register_cli", check):
                app.registered_commands += extra.registered_commands
                app.registered_groups += extra.registered_groups


def _names(them: Iterable[Engine | Line]) -> list[str]:
    return [one.name for one in them]


def _installed() -> Iterable[tuple[str, Callable[[], Any]]]:
    found = entry_points()  # looks at every distribution, whatever is asked for
    for group in (TOOLS_GROUP, ENGINES_GROUP, LINES_GROUP):
        for entry in sorted(found.select(group=group), key=lambda entry: entry.name):
            yield entry.name, entry.load


def _as_it_is(plugin: Any) -> Callable[[], Any]:
    return lambda: plugin


def _check_commands(app: Any, extra: Any) -> bool:
    """Whether a plugin's commands can be built, and take nobody's name. Raises Misfit."""
    from typer.main import get_group

    if taken := set(get_group(extra).commands) & set(get_group(app).commands):
        raise Misfit(f"adds {', '.join(sorted(taken))}, which exist already")
    return True


def _given(tools: Sequence[Tool]) -> dict[str, Tool]:
    """An application's own tools by name. Raises ConfigError for what is none."""
    for tool in tools:
        if not isinstance(tool, Tool):
            raise ConfigError(f"{shown(tool)} is not a Tool: is @tool missing?")
    return {tool.name: tool for tool in tools}
