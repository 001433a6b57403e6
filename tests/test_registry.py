"""Plugins: found, asked, and skipped by name when they break."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from omni_agent import Persona, Tool, events, hookimpl, tool
from omni_agent.errors import ConfigError
from omni_agent.registry import Registry


@tool
def ping() -> str:
    """Ping."""
    return "pong"


class Pings:
    @hookimpl
    def register_tools(self) -> Sequence[Tool]:
        return [ping]


class Raises:
    @hookimpl
    def register_tools(self) -> Sequence[Tool]:
        raise RuntimeError("no tools today")


class Misspelt:
    @hookimpl
    def register_tolls(self) -> None: ...


def test_a_persona_gets_the_tools_it_names_by_plugin_or_by_tool() -> None:
    registry = Registry([Pings()], discover=False)
    for name in ("Pings", "ping"):
        assert list(registry.outfit(Persona(name="x", tools=(name,), filters=())).tools) == ["ping"]


def test_a_tool_that_nobody_provides_is_named_with_what_there_is() -> None:
    registry = Registry([Pings()], discover=False)
    with pytest.raises(ConfigError, match=r"no plugin or tool 'pong'; plugins: Pings"):
        registry.outfit(Persona(name="x", tools=("pong",), filters=()))


def test_a_filter_that_nobody_provides_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no text filter 'shout'.*no-markdown"):
        Registry(discover=False).outfit(Persona(name="x", filters=("shout",)))


def test_a_plugin_whose_hook_raises_is_named_and_the_others_go_on() -> None:
    registry = Registry([Raises(), Pings()], discover=False)
    assert "ping" in registry.tools()["Pings"]
    assert [(p.plugin, "no tools today" in p.reason) for p in registry.problems] == [
        ("Raises", True)
    ]


def test_a_hook_that_does_not_exist_is_refused_by_name() -> None:
    registry = Registry([Misspelt(), Pings()], discover=False)
    assert [p.plugin for p in registry.problems] == ["Misspelt"]
    assert "ping" in registry.tools()["Pings"]


def test_a_plugin_that_raises_on_import_is_named_and_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "exploding_plugin.py").write_text("raise ValueError('bang')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = EntryPoint("exploding", "exploding_plugin", "omni_agent")
    monkeypatch.setattr(
        "omni_agent.registry.entry_points",
        lambda group: [entry] if group == "omni_agent" else [],
    )
    registry = Registry([Pings()])
    assert [(p.plugin, "bang" in p.reason) for p in registry.problems] == [("exploding", True)]
    assert registry.names == ("Pings",)
    # A persona that wants its tools goes without them rather than failing.
    assert registry.outfit(Persona(name="x", tools=("exploding",), filters=())).tools == {}
    sys.modules.pop("exploding_plugin", None)


def test_something_that_is_not_a_tool_is_refused() -> None:
    plugin = SimpleNamespace(register_tools=hookimpl(lambda: ["not a tool", ping]))
    registry = Registry(discover=False)
    registry.add(plugin, "odd")
    assert list(registry.tools()["odd"]) == ["ping"]
    assert "not a Tool" in registry.problems[0].reason


def test_the_bundled_plugins_and_engines_are_found_without_problems() -> None:
    registry = Registry()
    assert registry.problems == []
    assert set(registry.tools()) >= {"calculator", "clock", "home", "notes", "weather"}
    assert registry.thinker("local")
    assert registry.talker("local")
    assert registry.ears("local")
    with pytest.raises(ConfigError, match="there is no Thinker 'gpt'"):
        registry.thinker("gpt")


def test_every_kind_of_hook_is_asked() -> None:
    heard: list[object] = []

    class Listens:
        @hookimpl
        def session_started(self, session_id: str) -> None:
            heard.append(session_id)

        @hookimpl
        def event_emitted(self, session_id: str, event: events.Event) -> None:
            heard.append(type(event))

        @hookimpl
        def context(self, session_id: str, user_text: str) -> str:
            return f"about {user_text}"

        @hookimpl
        def register_cli(self, app: typer.Typer) -> None:
            app.command("extra")(lambda: None)

    registry, app = Registry([Listens()], discover=False), typer.Typer()
    registry.observe("s1", events.SessionStarted(0.0, "s1", "concierge"))
    registry.observe("s1", events.SessionEnded(1.0, "hangup"))
    registry.extend_cli(app)
    assert heard == ["s1", events.SessionStarted, events.SessionEnded]
    assert registry.context("s1", "breakfast") == "about breakfast"
    assert [command.name for command in app.registered_commands] == ["extra"]
