"""The hooks a plugin can implement (pluggy). All are plain functions, and quick: those that
are asked during a call hold every call up while they run.

A plugin is a module, or any object, with functions named like these and marked
``@hookimpl``::

    from omni_agent import hookimpl, tool

    @hookimpl
    def register_tools():
        return [order_status]
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pluggy

from omni_agent.errors import ConfigError

if TYPE_CHECKING:
    import typer

    from omni_agent.ears import Ears
    from omni_agent.events import Event
    from omni_agent.persona import Persona
    from omni_agent.talker import Talker
    from omni_agent.text import TextFilter
    from omni_agent.thinker import Thinker
    from omni_agent.tools import Tool

PROJECT = "omni_agent"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What the user said about engines on the command line or to ``Agent``.

    model: a model name of the engine, or a path. light: the smaller models.
    base_url, api_key: an OpenAI-compatible server, or several separated by commas, for
    engines that are remote.
    report: shows progress to the user, one short line at a time.
    Raises ConfigError for a base_url or an api_key that cannot be one.
    """

    model: str | None = None
    light: bool = False
    base_url: str | None = None
    api_key: str | None = None
    report: Callable[[str], None] = lambda line: None

    def __post_init__(self) -> None:
        for address in filter(None, map(str.strip, (self.base_url or "").split(","))):
            if "://" not in address:
                raise ConfigError(
                    f"{address!r} is not an address such as http://localhost:8000/v1 "
                    "(--base-url, option base_url)"
                )
        key = self.api_key or ""
        if not (key.isascii() and key.isprintable()):
            raise ConfigError(
                "the key of the server that thinks has characters that no key has, a line end or "
                "an accent: copy it again (--api-key, OPENAI_API_KEY, option api_key)"
            )


@dataclass(frozen=True, slots=True)
class Finding:
    """what was looked at; how: what was found; mend: what to do, empty when all is well."""

    what: str
    how: str
    mend: str = ""


@hookspec
def register_tools() -> Sequence[Tool]:  # type: ignore[empty-body]  # a spec has no body
    """Tools this plugin brings; a persona's ``tools`` picks plugins or tools by name."""


@hookspec
def register_thinkers() -> Mapping[str, Callable[[EngineOptions], Awaitable[Thinker]]]:  # type: ignore[empty-body]  # a spec has no body
    """Thinkers by engine name. The factory starts it; it raises EngineUnavailable."""


@hookspec
def register_talkers() -> Mapping[str, Callable[[EngineOptions], Awaitable[Talker]]]:  # type: ignore[empty-body]  # a spec has no body
    """Talkers by engine name."""


@hookspec
def register_ears() -> Mapping[str, Callable[[EngineOptions], Awaitable[Ears]]]:  # type: ignore[empty-body]  # a spec has no body
    """Voice activity and transcription by engine name."""


@hookspec
def register_examiners() -> Mapping[str, Callable[[EngineOptions], Iterable[Finding]]]:  # type: ignore[empty-body]  # a spec has no body
    """What an engine needs and whether it is here, by engine name: for ``omni-agent doctor``.

    An examiner starts nothing, fetches nothing and may block. What it cannot find
    out is a finding too: it does not raise.
    """


@hookspec
def text_filters(persona: Persona) -> Mapping[str, TextFilter]:  # type: ignore[empty-body]  # a spec has no body
    """Text filters by name; a persona's ``filters`` picks and orders them."""


@hookspec
def context(session_id: str, user_text: str) -> str | None:
    """Text for the Thinker to read beside this turn (retrieval); None for nothing."""


@hookspec
def session_started(session_id: str, caller: str) -> None:
    """A call began. caller: whose it is; empty when nobody knows."""


@hookspec
def event_emitted(session_id: str, event: Event) -> None:
    """Observe an event. Must be quick; cannot change anything."""


@hookspec
def register_cli(app: typer.Typer) -> None:
    """Add commands to ``omni-agent``."""
