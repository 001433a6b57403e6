"""Plugins: found, asked, and skipped by name when they break."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from omni_agent import Line, Persona, Tool, events, hookimpl, tool
from omni_agent.call.reply import APOLOGY
from omni_agent.conversation import TextPart
from omni_agent.errors import ConfigError, PluginError, UnknownPartError
from omni_agent.hookspecs import Turn
from omni_agent.personas.outfit import Outfit
from omni_agent.registry.registry import Registry
from omni_agent.streams import one
from omni_agent.testing import ScriptedThinker, rehearse, virtual_time
from omni_agent.text import compose


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
    with pytest.raises(ConfigError, match=r"no plugin or tool 'pong'; .*there are: Pings"):
        registry.outfit(Persona(name="x", tools=("pong",), filters=()))


def test_a_tool_that_is_nearly_right_is_asked_about() -> None:
    registry = Registry([Pings()], discover=False)
    with pytest.raises(UnknownPartError, match=r"did you mean 'ping'\?") as raised:
        registry.outfit(Persona(name="x", tools=("Pings", "pin"), filters=()))
    assert raised.value.key == ("tools", 1)


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
    monkeypatch.setattr("omni_agent.registry.registry.entry_points", lambda: EntryPoints([entry]))
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
    assert registry.problems == ()
    assert set(registry.tools()) >= {"calculator", "clock", "home", "notes", "weather"}


async def test_every_kind_of_hook_is_asked() -> None:
    heard: list[object] = []

    class Listens:
        @hookimpl
        def session_started(self, session_id: str, caller: str) -> None:
            heard.append((session_id, caller))

        @hookimpl
        def session_ended(self, session_id: str, caller: str, reason: str) -> None:
            heard.append((session_id, caller, reason))

        @hookimpl
        def event_emitted(self, event: events.Event, caller: str) -> None:
            heard.append((type(event), caller))

        @hookimpl
        def context(self, session_id: str, user_text: str) -> str:
            return f"about {user_text}"

        @hookimpl
        def register_cli(self, app: typer.Typer) -> None:
            app.command("extra")(lambda: None)

    registry, app = Registry([Listens()], discover=False), typer.Typer()
    registry.observe("s1", events.SessionStarted(0.0, "s1", "concierge", "anna"))
    registry.observe("s1", events.SessionEnded(1.0, "hangup"))
    registry.extend_cli(app)
    assert heard == [
        ("s1", "anna"),
        (events.SessionStarted, "anna"),
        (events.SessionEnded, "anna"),
        ("s1", "anna", "hangup"),
    ]
    looking = registry.retrieve(Turn("breakfast", "s1"))
    assert looking is not None
    assert await looking == [TextPart("about breakfast")]
    assert [command.name for command in app.registered_commands] == ["extra"]


# -- what comes of tools with one name --------------------------------------------------------


@tool(name="ping")
def other_ping() -> str:
    """Ping, too."""
    return "other"


def plugin(**hooks: Callable[..., Any]) -> SimpleNamespace:
    return SimpleNamespace(**{name: hookimpl(function) for name, function in hooks.items()})


def two_with_ping() -> Registry:
    others = SimpleNamespace(__name__="others", register_tools=hookimpl(lambda: [other_ping]))
    return Registry([Pings(), others], discover=False)


@pytest.mark.parametrize(
    ("named", "winner"),
    [
        (("ping",), ping),
        (("others",), other_ping),
        (("others", "Pings"), other_ping),
        (("Pings", "others"), ping),
    ],
)
def test_of_two_tools_with_one_name_the_first_that_is_named_wins(
    named: tuple[str, ...], winner: Tool
) -> None:
    registry = two_with_ping()
    for _ in range(3):  # an outfit is made anew whenever the persona's file changes
        assert registry.outfit(Persona(name="x", tools=named, filters=())).tools == {"ping": winner}
    assert len(registry.problems) == (named != ("others",))


def test_which_tool_gives_way_is_said_once() -> None:
    registry = two_with_ping()
    for _ in range(3):
        registry.outfit(Persona(name="x", tools=("Pings", "others"), filters=()))
    (problem,) = registry.problems
    assert problem.plugin == "others"
    assert problem.reason == "its tool 'ping' gives way to that of plugin 'Pings'"


def test_a_plugin_with_two_tools_of_one_name_is_named() -> None:
    registry = Registry(discover=False)
    registry.add(plugin(register_tools=lambda: [ping, other_ping, ping]), "twice")
    assert registry.tools() == {"twice": {"ping": ping}}
    assert "two tools 'ping'" in registry.problems[0].reason


def test_the_applications_tools_come_first_and_may_be_named() -> None:
    registry = Registry([Pings()], discover=False)
    persona = Persona(name="x", tools=("ping", "Pings"), filters=())
    assert registry.outfit(persona, [other_ping]).tools == {"ping": other_ping}
    alone = Registry(discover=False)
    assert alone.outfit(Persona(name="x", tools=("ping",), filters=()), [other_ping]).tools
    assert registry.problems == ()


def test_a_function_given_as_a_tool_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match="is not a Tool: is @tool missing"):
        Registry(discover=False).outfit(Persona(name="x", filters=()), [len])  # type: ignore[list-item]


# -- commands ---------------------------------------------------------------------------------


def test_commands_that_cannot_be_built_or_exist_already_are_left_out() -> None:
    def odd(app: typer.Typer) -> None:
        @app.command("odd")
        def command(thing: int | str) -> None: ...

    def shadowing(app: typer.Typer) -> None:
        app.command("serve")(lambda: None)

    def fine(app: typer.Typer) -> None:
        app.command("fine")(lambda: None)

    app = typer.Typer()
    app.command("serve")(lambda: print("serving"))
    app.callback()(lambda: None)
    plugins = [
        SimpleNamespace(__name__=hook.__name__, register_cli=hookimpl(hook))
        for hook in (odd, shadowing, fine)
    ]
    registry = Registry(plugins, discover=False)
    registry.extend_cli(app)
    assert [problem.plugin for problem in registry.problems] == ["odd", "shadowing"]
    assert "serve, which exist already" in registry.problems[1].reason
    assert CliRunner().invoke(app, ["fine"]).exit_code == 0
    assert "serving" in CliRunner().invoke(app, ["serve"]).output


# -- filters ----------------------------------------------------------------------------------


async def yields_numbers(pieces: AsyncIterator[str]) -> AsyncIterator[Any]:
    async for _ in pieces:
        yield 5


async def raises_late(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    async for piece in pieces:
        yield piece
        raise ValueError("late")


async def exits(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    async for piece in pieces:
        if piece:
            sys.exit(1)
        yield piece


async def cancels(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    async for piece in pieces:
        if piece:
            raise asyncio.CancelledError
        yield piece


async def not_a_generator(pieces: AsyncIterator[str]) -> str:
    return ""


def plain_generator(pieces: AsyncIterator[str]) -> Iterator[str]:
    yield ""


async def raises_in_the_end(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    try:
        async for piece in pieces:
            yield piece
    finally:
        sys.exit(1)


FILTERS = [
    yields_numbers, raises_late, exits, cancels, not_a_generator, plain_generator, lambda text: 5,
    lambda text: sys.exit(1),
]  # fmt: skip


def dressed(text_filter: Any) -> tuple[Registry, Outfit]:
    registry = Registry(discover=False)
    registry.add(plugin(text_filters=lambda persona: {"odd": text_filter}), "odd plugin")
    return registry, registry.outfit(Persona(name="x", filters=("odd",), fillers=()))


@pytest.mark.parametrize("text_filter", FILTERS)
async def test_a_filter_that_fails_lets_nothing_past_and_is_named(text_filter: Any) -> None:
    registry, outfit = dressed(text_filter)
    heard: list[str] = []

    async def hear() -> None:
        heard.extend([piece async for piece in compose(one("A secret. "), outfit.filters)])

    for _ in range(3):
        with pytest.raises(PluginError, match="odd plugin"):
            await hear()
    assert [problem.times for problem in registry.problems] == [3]
    assert registry.problems[0].plugin == "odd plugin"
    assert not heard


async def hangs(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    async for piece in pieces:
        await asyncio.sleep(1e6)
        yield piece


async def never_ends(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    async for _ in pieces:
        while True:
            yield "x"


async def hangs_in_the_end(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    try:
        async for _ in pieces:
            yield 5  # type: ignore[misc]
    finally:
        await asyncio.sleep(1e6)


@pytest.mark.parametrize("odd", [hangs, never_ends, hangs_in_the_end])
@virtual_time
async def test_a_filter_that_comes_to_no_end_is_named_and_apologised_for(odd: Any) -> None:
    bad = plugin(text_filters=lambda persona: {"odd": odd})
    persona = Persona(name="x", filters=("odd",), fillers=())
    async with rehearse(ScriptedThinker(["Hi."]), persona=persona, plugins=[bad]) as stage:
        stage.types("Hello.")
        while APOLOGY not in await stage.agent():
            pass
        error = stage.seen(events.ErrorOccurred)[0]
        assert "text filter failed" in str(error)
        assert stage.now < 30


@virtual_time
async def test_a_filter_may_wait_as_long_as_the_thinker_thinks() -> None:
    async def upper(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
        async for piece in pieces:
            yield piece.upper()

    async def slow() -> AsyncIterator[str]:
        for piece in ("one ", "two "):
            await asyncio.sleep(60)
            yield piece

    registry, outfit = dressed(upper)
    assert [piece async for piece in compose(slow(), outfit.filters)] == ["ONE ", "TWO "]
    assert not registry.problems


async def test_a_filter_that_exits_when_it_is_closed_is_named() -> None:
    registry, outfit = dressed(raises_in_the_end)
    async with aclosing(compose(one("words"), outfit.filters)) as stream:
        assert await anext(stream) == "words"
    assert registry.problems[0].plugin == "odd plugin"


async def test_a_cancellation_goes_through_a_filter_and_names_nobody() -> None:
    async def waits(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
        await asyncio.Event().wait()
        yield ""

    registry, outfit = dressed(waits)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await anext(compose(one("words"), outfit.filters))
    assert registry.problems == ()


@virtual_time
async def test_a_call_outlives_a_filter_that_exits() -> None:
    _, outfit = dressed(exits)
    thinker = ScriptedThinker(["One."], ["Two."])
    async with rehearse(thinker, filters=outfit.filters) as stage:
        for _ in range(2):
            await stage.user("Say something, please.")
            assert await stage.agent() == APOLOGY
    assert len(stage.seen(events.ErrorOccurred)) == 2


def test_of_lines_with_one_name_the_first_plugin_s_is_used() -> None:
    def bringing(name: str, *lines: Line) -> SimpleNamespace:
        return SimpleNamespace(__name__=name, register_lines=hookimpl(lambda: list(lines)))

    first, second, other = (Line(name, lambda board: ()) for name in ("phone", "phone", "radio"))
    registry = Registry([bringing("a", first), bringing("b", second, other)], discover=False)
    assert registry.lines() == [first, other]


def test_webrtc_is_found_without_loading_what_it_needs() -> None:
    check = (
        "import sys; from omni_agent.registry.registry import Registry\n"
        "(line,) = Registry().lines(); assert line.name == 'webrtc'\n"
        "sys.exit(bool({'aiortc', 'av'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
