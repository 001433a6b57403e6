"""The hooks a plugin can implement (pluggy).

All run on the event loop's thread, and those that are asked while there are calls hold every
one of them up: they are plain functions, and quick. Where a hook says so it may be a coroutine
instead, which holds nobody up and has the time that is told. A hook takes those of its
arguments that it needs, by name. Order and wrappers are pluggy's: a wrapper
(``@hookimpl(wrapper=True)``) gets the list of what the plugins answered, of coroutines something
to await, and returns such a list; around hooks whose plugins are asked one by one
(``register_…``, ``connect_tools``, ``text_filters``, ``manners``, ``wrap_transport``) it stands
once for each plugin that has the hook, and once where none has.

A plugin is a module, or any object, with functions named like these and marked
``@hookimpl``::

    from omni_agent import hookimpl, tool

    @hookimpl
    def register_tools():
        return [order_status]
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pluggy

from omni_agent._moved import moved_names
from omni_agent.plugin_settings import PluginSettings

if TYPE_CHECKING:
    import typer
    from pydantic import BaseModel

    from omni_agent.conversation import Item, Part
    from omni_agent.engine import Engine
    from omni_agent.events import Event
    from omni_agent.line import Line
    from omni_agent.persona import Persona
    from omni_agent.text import TextFilter
    from omni_agent.thinker import ToolCallRequest
    from omni_agent.tools.approval import Verdict
    from omni_agent.tools.tool import Tool
    from omni_agent.transport import Transport
    from omni_agent.turn_taking import Manners

PROJECT = "omni_agent"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin as the hook of its name."""

_ENGINES = "register_engines returns Engines now (docs/engines.md)"
GONE = {
    "register_thinkers": _ENGINES,
    "register_talkers": _ENGINES,
    "register_ears": _ENGINES,
    "register_examiners": _ENGINES,
}
"""Hooks of before, and what there is instead."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a user said, for whoever has something to say to it.

    caller: whose call it is; empty when nobody knows. persona: the name of the one that
    answers. items: the conversation before this turn. settings: what the persona says of
    plugins.
    """

    text: str
    session_id: str
    caller: str = ""
    persona: str = ""
    items: tuple[Item, ...] = ()
    settings: PluginSettings = field(default_factory=PluginSettings)


@hookspec
def register_tools() -> Sequence[Tool]:  # type: ignore[empty-body]  # a spec has no body
    """Tools this plugin brings; a persona's ``tools`` picks plugins or tools by name.

    Asked once, when the first persona that names tools is loaded.
    """


@hookspec
def connect_tools(
    persona: Persona, settings: PluginSettings
) -> Sequence[Tool] | Awaitable[Sequence[Tool] | None] | None:
    """Tools that are elsewhere, such as an MCP server's, for this persona, which picks them as
    those of ``register_tools``; None for none.

    Asked as the agent starts, once its models run, for each persona that callers can choose then;
    what one says later of the plugin counts from the next start on. May be a coroutine: it has
    five seconds. Whoever fails, or takes longer, has nothing, and personas go without.
    Connections are the plugin's: it closes them in ``agent_stopping``. A tool whose JSON schema is
    there already is ``Tool(ToolSchema(name, description, parameters), run)``.
    """


@hookspec
def register_settings() -> type[BaseModel]:  # type: ignore[empty-body]  # a spec has no body
    """What a persona may say of this plugin in its ``plugins`` section: a pydantic model whose
    fields all have defaults, and which no other plugin has: what is said is found by it.

    Asked once, when the first persona that says something of a plugin is loaded. Tools read
    it as ``call.settings(Model)``, ``context`` as ``turn.settings(Model)``, ``text_filters``
    as ``settings(Model)``. The values are texts, as YAML's scalars are read.
    """


@hookspec
def register_engines() -> Sequence[Engine]:  # type: ignore[empty-body]  # a spec has no body
    """Engines this plugin brings: models that can be stages of an agent.

    Asked once, as the agent is made.
    """


@hookspec
def register_lines() -> Sequence[Line]:  # type: ignore[empty-body]  # a spec has no body
    """Lines this plugin brings: ways for users to reach the agent.

    Asked once, as a server is made for the agent.
    """


@hookspec
def text_filters(persona: Persona, settings: PluginSettings) -> Mapping[str, TextFilter]:  # type: ignore[empty-body]  # a spec has no body
    """Text filters by name; a persona's ``filters`` picks and orders them.

    Asked whenever a persona is loaded, which may be between the turns of a call.
    """


@hookspec
def manners(persona: Persona, settings: PluginSettings, own: Manners) -> Any:
    """What words mean for who speaks, to this persona: a ``Manners``, or an object with some of
    its methods. None leaves all to ``own``, which are those of the persona's language.

    Asked whenever a persona is loaded, which may be between the turns of a call; of several
    answers the first plugin's is used. What it returns is asked on the event loop, several times a
    turn; what it does not have, ``own`` decides, and where it fails.
    """


@hookspec
def context(
    turn: Turn, session_id: str, user_text: str
) -> str | Sequence[Part] | Awaitable[str | Sequence[Part] | None] | None:
    """What the Thinker should read beside a user's turn (retrieval); None for nothing.

    Asked once for a turn's words, as soon as they are likely to be all; the reply waits for it.
    May be a coroutine: it has a second, and what comes later is dropped. What is found joins
    the conversation before the turn, as an item that only Thinkers read, and stays there.
    session_id, user_text: the turn's.
    """


@hookspec
def agent_started(agent: Any) -> Awaitable[None] | None:
    """The models run, and calls are taken from now on. agent: the :class:`omni_agent.Agent`.

    May be a coroutine: whoever starts the agent waits for it, five seconds at most; calls do
    not. What goes on beyond that belongs into a task of the plugin's own.
    """


@hookspec
def agent_stopping(agent: Any) -> Awaitable[None] | None:
    """The models are about to be stopped, after the last call: close what was opened.

    May be a coroutine: it is waited for, five seconds at most. Comes once for each
    ``agent_started``, and where a start failed before that, though the models ran.
    """


@hookspec
def before_tool(tool_call: ToolCallRequest, session_id: str, caller: str) -> Verdict | None:
    """Whether a tool call may run: None or ``Allow()``, ``Deny(reason)`` or ``Ask(question)``.

    Asked on the event loop, once a call, after its arguments were found to fit; a call of a tool
    that the client runs, too. Of several verdicts the strictest counts; a plugin that fails here
    denies, its wrapper too.
    """


@hookspec
def wrap_transport(transport: Transport, session_id: str, caller: str) -> Transport | None:
    """Something between a call and its line, which hears and says what it lets pass: a recording.

    Asked once, before the call begins; subclass ``omni_agent.WrappedTransport``. Of
    several plugins the one that is asked last is nearest to the call. Where something of it
    fails the line is asked instead, and where a stream of it breaks off the line's own goes on.
    """


@hookspec
def session_started(session_id: str, caller: str) -> None:
    """A call began. caller: whose it is; empty when nobody knows."""


@hookspec
def session_ended(
    session_id: str, caller: str, reason: str, items: tuple[Item, ...]
) -> Awaitable[None] | None:
    """A call ended, and all its events are known. reason: as in
    :class:`omni_agent.events.SessionEnded`. items: its conversation, audio and pictures too.

    May be a coroutine: it has ten seconds. Nobody waits for it but an agent that stops.
    """


@hookspec
def event_emitted(session_id: str, event: Event, caller: str) -> None:
    """Observe an event of a call; cannot change anything. Asked no more once it has failed ten
    times in a row."""


@hookspec
def register_cli(app: typer.Typer) -> None:
    """Add commands to ``omni-agent``: asked whenever it runs, before there is an event loop."""


if not TYPE_CHECKING:  # who checks types is told of the old names
    __getattr__ = moved_names(__name__)
