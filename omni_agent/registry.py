"""What the plugins of one agent bring: tools, filters, engines, context, commands."""

from __future__ import annotations

import asyncio
import difflib
import inspect
import logging
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import entry_points
from itertools import islice
from typing import Any, TypeVar

from omni_agent.call import Outfit
from omni_agent.ears import Ears
from omni_agent.errors import (
    ConfigError,
    EngineError,
    OmniAgentError,
    PluginError,
    UnknownPartError,
)
from omni_agent.events import SessionStarted
from omni_agent.hooks import Complain, Hooks, Misfit, name_of, shown
from omni_agent.hookspecs import EngineOptions, Finding
from omni_agent.markdown import no_markdown
from omni_agent.persona import Persona
from omni_agent.results import clean, words_of
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
MOST_PARTS = 500
"""Tools, filters or engines of one plugin; an endless generator ends here."""


FILTER_S = 5.0
"""A filter comes to its next piece, or asks for more to read, within this; the caller waits."""
MOST_GROWTH = 20
"""A filter's text is at most this many times as long as what it read: numbers put into words
grow by ten …"""
MOST_ADDED = 500
"""… and so many characters more."""


class Registry:
    """One agent's plugins: ``plugins`` are the application's; ``discover`` adds installed ones."""

    def __init__(self, plugins: Iterable[Any] = (), *, discover: bool = True) -> None:
        self._hooks = Hooks()
        self._tools: dict[str, dict[str, Tool]] | None = None
        for plugin in plugins:
            self.add(plugin, name_of(plugin))
        if discover:
            for group in (TOOLS_GROUP, ENGINES_GROUP):
                for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
                    self._hooks.load(entry)

    def add(self, plugin: Any, name: str) -> None:
        """Register a plugin; one that does not fit the hooks is named and left out."""
        self._hooks.add(plugin, name)

    @property
    def problems(self) -> tuple[PluginError, ...]:
        """What plugins did wrong so far, each thing once."""
        return self._hooks.problems

    @property
    def names(self) -> tuple[str, ...]:
        return self._hooks.names

    # -- tools and filters ---------------------------------------------------------

    def tools(self) -> Mapping[str, Mapping[str, Tool]]:
        """Tools by plugin name, then by tool name."""
        if self._tools is None:
            self._tools = dict(self._hooks.ask("register_tools", _tools))
        return self._tools

    def outfit(self, persona: Persona, tools: Sequence[Tool] = ()) -> Outfit:
        """The persona with its tools and filters. ``tools`` are there in any case.

        Of tools with one name, ``tools`` come first, then what the persona names first.
        Raises ConfigError naming what a persona asks for and nobody provides.
        """
        given = _given(tools)
        chosen = dict(given)
        owners: dict[str, str] = {}
        for name in persona.tools:
            for owner, tool in self._named(name, persona, given):
                winner = owners.setdefault(tool.name, owner)
                if chosen.setdefault(tool.name, tool) is not tool and tool.name not in given:
                    self._gives_way(owner, tool.name, winner)
        return Outfit(persona, chosen, self._filters(persona))

    def _named(
        self, name: str, persona: Persona, given: Mapping[str, Tool]
    ) -> Iterable[tuple[str, Tool]]:
        """(plugin, tool) of what a persona calls by the name of a plugin or of a tool."""
        plugins = self.tools()
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
        names = {*given, *plugins, *(tool for tools in plugins.values() for tool in tools)}
        known = ", ".join(sorted({*plugins, *given})) or "none"
        reason = f"no plugin or tool {name!r}; {_meant(name, names)}there are: {known}"
        raise UnknownPartError(persona.name, ("tools", persona.tools.index(name)), reason)

    def _gives_way(self, plugin: str, tool: str, winner: str) -> None:
        reason = f"its tool {tool!r} gives way to that of plugin {winner!r}"
        self._hooks.report(plugin, f"tool {tool}", reason)

    def _filters(self, persona: Persona) -> tuple[TextFilter, ...]:
        known = dict(BUILT_IN)
        asked = self._hooks.ask("text_filters", _by_name, persona=persona)
        for plugin, filters in reversed(asked):  # of one name, the first plugin's is used
            for name, text_filter in filters.items():
                failed = partial(self._hooks.failed, plugin, f"filter {name!r}")
                known[name] = _contained(text_filter, plugin, failed)
        for place, name in enumerate(persona.filters):
            if name not in known:
                there = ", ".join(sorted(known))
                reason = f"no text filter {name!r}; {_meant(name, known)}filters: {there}"
                raise UnknownPartError(persona.name, ("filters", place), reason)
        return tuple(known[name] for name in persona.filters)

    # -- engines -----------------------------------------------------------------------

    def thinker(self, engine: str) -> Factory[Thinker]:
        return self._factory("register_thinkers", "Thinker", engine)

    def talker(self, engine: str) -> Factory[Talker]:
        return self._factory("register_talkers", "Talker", engine)

    def ears(self, engine: str) -> Factory[Ears]:
        return self._factory("register_ears", "ears", engine)

    def examiner(self, engine: str) -> Callable[[EngineOptions], Iterable[Finding]]:
        _, examiner = self._engine("register_examiners", "engine to examine", engine)
        return examiner

    def _factory(self, hook: str, what: str, engine: str) -> Factory[Any]:
        plugin, factory = self._engine(hook, what, engine)

        async def start(options: EngineOptions) -> Any:
            try:
                return await factory(options)
            except (Exception, asyncio.CancelledError):
                raise
            except BaseException as error:  # SystemExit would end the server
                self._hooks.failed(plugin, f"{what} {engine!r}", error)
                raise EngineError(f"{what} {engine!r} exited: {words_of(error)}") from None

        return start

    def _engine(self, hook: str, what: str, engine: str) -> tuple[str, Callable[..., Any]]:
        known = {
            name: (plugin, factory)
            for plugin, engines in reversed(self._hooks.ask(hook, _by_name))  # the first's is used
            for name, factory in engines.items()
        }
        if engine not in known:
            there = ", ".join(sorted(known)) or "none"
            raise ConfigError(f"there is no {what} {engine!r}; engines that have one: {there}")
        return known[engine]

    # -- the rest ------------------------------------------------------------------------

    def context(self, session_id: str, user_text: str) -> str:
        """What plugins want the Thinker to read beside this turn."""
        found = self._hooks.ask("context", _text, session_id=session_id, user_text=user_text)
        return "\n".join(text for _, text in found if text)

    def observe(self, session_id: str, event: Any) -> None:
        """Tell observing plugins of an event, and of the call when it is its first."""
        if isinstance(event, SessionStarted):
            self._hooks.ask("session_started", _nothing, session_id=session_id, caller=event.caller)
        self._hooks.ask("event_emitted", _nothing, session_id=session_id, event=event)

    def extend_cli(self, app: Any) -> None:
        """Let plugins add commands; those that cannot be built, or exist already, are left out."""
        import typer

        for implementation in self._hooks.implementations("register_cli"):
            extra = typer.Typer()
            read = partial(_commands, app, extra)
            if self._hooks.ask_one("register_cli", implementation, read, {"app": extra}):
                app.registered_commands += extra.registered_commands
                app.registered_groups += extra.registered_groups


def _meant(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), 1)
    return f"did you mean {close[0]!r}? " if close else ""


# -- reading what hooks return ----------------------------------------------------------------


def _tools(answer: Any, complain: Complain) -> dict[str, Tool]:
    if answer is None:
        return {}
    if isinstance(answer, str | Mapping | Tool) or not isinstance(answer, Iterable):
        raise Misfit(f"returned {shown(answer)}, not a list of tools")
    tools: dict[str, Tool] = {}
    for tool in islice(answer, MOST_PARTS):
        if not isinstance(tool, Tool):
            complain(f"returned {shown(tool)}, which is not a Tool: is @tool missing?")
        elif tools.setdefault(tool.name, tool) is not tool:
            complain(f"returned two tools {tool.name!r}; the first is used")
    return tools


def _by_name(answer: Any, complain: Complain) -> dict[str, Callable[..., Any]]:
    if answer is None:
        return {}
    if not isinstance(answer, Mapping):
        raise Misfit(f"returned {shown(answer)}, not a mapping from names to functions")
    functions: dict[str, Callable[..., Any]] = {}
    for name, function in islice(answer.items(), MOST_PARTS):
        if isinstance(name, str) and callable(function):
            functions[name] = function
        else:
            complain(f"returned {shown(name)}: {shown(function)}, not a name and a function")
    return functions


def _text(answer: Any, complain: Complain) -> str:
    if answer is not None and not isinstance(answer, str):
        raise Misfit(f"returned {shown(answer)}, not a text")
    return clean(answer or "")


def _nothing(answer: Any, complain: Complain) -> None:
    """What an observer returns is of no interest."""


def _commands(app: Any, extra: Any, answer: Any, complain: Complain) -> None:
    """Whether a plugin's commands can be built, and take nobody's name."""
    from typer.main import get_group

    if taken := set(get_group(extra).commands) & set(get_group(app).commands):
        raise Misfit(f"adds {', '.join(sorted(taken))}, which exist already")


def _given(tools: Sequence[Tool]) -> dict[str, Tool]:
    """An application's own tools by name. Raises ConfigError for what is none."""
    for tool in tools:
        if not isinstance(tool, Tool):
            raise ConfigError(f"{shown(tool)} is not a Tool: is @tool missing?")
    return {tool.name: tool for tool in tools}


def _contained(
    text_filter: TextFilter, plugin: str, failed: Callable[[BaseException], None]
) -> TextFilter:
    """A plugin's filter that fails by its plugin's name, and never lets text past it then."""

    async def contained(text: AsyncIterator[str]) -> AsyncGenerator[str, None]:
        stream: AsyncIterator[str] | None = None
        source = _Bounded(text)
        try:
            while True:
                try:
                    async with source.in_time():
                        stream = stream or _stream(text_filter(source))
                        piece = await anext(stream)
                    source.check(piece)
                except StopAsyncIteration:
                    return
                except BaseException as error:
                    if isinstance(error, OmniAgentError) or _is_cancelled(error):
                        raise  # not the filter's: it comes from what the filter reads
                    failed(error)
                    raise PluginError(plugin, "its text filter failed") from error
                yield piece
        finally:
            if isinstance(stream, AsyncGenerator):
                await _closed(stream, failed)

    return contained


class _Bounded(AsyncIterator[str]):
    """What a filter reads; bounds how long it takes for a piece, but for its waits for text, and
    how much it writes for what it read. Raises Misfit beyond that."""

    def __init__(self, text: AsyncIterator[str]) -> None:
        self._text = text
        self._read = self._written = 0
        self._limit: asyncio.Timeout | None = None

    @asynccontextmanager
    async def in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(FILTER_S) as self._limit:
                yield
        except TimeoutError:
            if self._limit is not None and self._limit.expired():
                raise Misfit(f"came to no text within {FILTER_S:g} s") from None
            raise
        finally:
            self._limit = None

    async def __anext__(self) -> str:
        self._allow(None)
        try:
            piece = await anext(self._text)
        finally:
            self._allow(FILTER_S)
        self._read += len(piece) or 1
        return piece

    def check(self, piece: Any) -> None:
        if not isinstance(piece, str):
            raise Misfit(f"yielded {shown(piece)}, not text")
        self._written += len(piece) or 1
        if self._written > MOST_GROWTH * self._read + MOST_ADDED:
            raise Misfit(f"wrote {self._written} characters for the {self._read} it read")

    def _allow(self, seconds: float | None) -> None:
        if self._limit is not None and not self._limit.expired():
            now = asyncio.get_running_loop().time()
            self._limit.reschedule(None if seconds is None else now + seconds)


def _stream(answer: Any) -> AsyncIterator[str]:
    if not isinstance(answer, AsyncIterator):
        if inspect.iscoroutine(answer):
            answer.close()
        raise Misfit(f"returned {shown(answer)}, not an async iterator: it should yield")
    return answer


def _is_cancelled(error: BaseException) -> bool:
    """Whether this is a cancellation by somebody, not one that a plugin raised."""
    task = asyncio.current_task()
    cancelled = isinstance(error, asyncio.CancelledError)
    return cancelled and task is not None and task.cancelling() > 0


async def _closed(
    stream: AsyncGenerator[str, None], failed: Callable[[BaseException], None]
) -> None:
    try:
        async with asyncio.timeout(FILTER_S):
            await stream.aclose()
    except BaseException as error:
        if _is_cancelled(error):
            raise
        failed(error)
