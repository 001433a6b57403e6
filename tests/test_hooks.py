"""Every hook, and every way to misbehave in it: named once, and the rest goes on."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from omni_agent import EngineOptions, Persona, events, hookimpl, hooks, hookspecs, tool
from omni_agent.errors import ConfigError
from omni_agent.hooks import MOST_PROBLEMS, STRIKES, Hooks
from omni_agent.registry import Registry


@pytest.fixture(autouse=True)
def no_hook_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no failure: time stands still where a test does not say otherwise."""
    monkeypatch.setattr(hooks, "perf_counter", lambda: 0.0)


@tool
def ping() -> str:
    """Ping."""
    return "pong"


async def nothing(anything: Any = None) -> AsyncIterator[str]:
    yield ""


def plugin(**functions: Callable[..., Any]) -> SimpleNamespace:
    return SimpleNamespace(**{name: hookimpl(function) for name, function in functions.items()})


HEARD: list[str] = []
GOOD = plugin(
    register_tools=lambda: [ping],
    register_thinkers=lambda: {"good": nothing},
    register_talkers=lambda: {"good": nothing},
    register_ears=lambda: {"good": nothing},
    register_examiners=lambda: {"good": nothing},
    text_filters=lambda: {"good": nothing},
    context=lambda: "good",
    session_started=lambda: HEARD.append("started"),
    event_emitted=lambda: HEARD.append("event"),
    register_cli=lambda app: app.command("good")(print),
)
STARTED = events.SessionStarted(0.0, "s", "x")
ENDED = events.SessionEnded(0.0, "hangup")


def filters(registry: Registry) -> object:
    return registry.outfit(Persona(name="x", filters=("good",))).filters


def commands(registry: Registry) -> object:
    app = typer.Typer()
    registry.extend_cli(app)
    return [command.name for command in app.registered_commands] == ["good"]


def observed(registry: Registry, event: events.Event, word: str) -> bool:
    HEARD.clear()
    registry.observe("s", event)
    return word in HEARD


ASK: dict[str, Callable[[Registry], object]] = {
    "register_tools": lambda registry: registry.tools().get("good"),
    "register_thinkers": lambda registry: registry.thinker("good"),
    "register_talkers": lambda registry: registry.talker("good"),
    "register_ears": lambda registry: registry.ears("good"),
    "register_examiners": lambda registry: registry.examiner("good"),
    "text_filters": filters,
    "context": lambda registry: registry.context("s", "words") == "good",
    "session_started": lambda registry: observed(registry, STARTED, "started"),
    "event_emitted": lambda registry: observed(registry, ENDED, "event"),
    "register_cli": commands,
}
"""Asks a hook of all plugins; true when the good plugin's answer was used."""
ONLY_CALLED = {"session_started", "event_emitted", "register_cli"}


class Fatal(BaseException):
    pass


class Mute(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class Hostile:
    def __repr__(self) -> str:
        raise SystemExit(3)


class HostileMapping(dict[str, int]):
    def items(self) -> Any:
        raise SystemExit(3)


def raising(kind: type[BaseException]) -> Callable[[], Any]:
    def hook() -> Any:
        raise kind

    return hook


def raising_generator() -> Iterator[Any]:
    raise RuntimeError("on the way")
    yield


async def coroutine() -> None:
    raise AssertionError("nobody runs this")


async def async_generator() -> AsyncIterator[str]:
    yield ""


RAISES = {
    kind.__name__: raising(kind)
    for kind in (
        ValueError, StopIteration, Mute, SystemExit, KeyboardInterrupt, GeneratorExit,
        asyncio.CancelledError, Fatal, RecursionError, ConfigError,
    )
}  # fmt: skip
RETURNS: dict[str, Callable[[], Any]] = {
    "a number": lambda: 5,
    "bytes": lambda: b"x",
    "wrong parts": lambda: [1, 2],
    "a wrong mapping": lambda: {1: 2},
    "a hostile object": lambda: Hostile(),
    "a hostile part": lambda: [Hostile()],
    "a hostile mapping": lambda: HostileMapping(a=1),
    "a raising generator": raising_generator,
    "an async generator": async_generator,
    "an endless generator": lambda: itertools.repeat(5),
}


def test_every_hook_there_is_has_a_row_here() -> None:
    specs = {name for name, value in vars(hookspecs).items() if hasattr(value, "omni_agent_spec")}
    assert set(ASK) == specs


async def ask_thrice(hook: str, misbehave: Callable[..., Any]) -> Registry:
    registry = Registry(discover=False)
    registry.add(plugin(**{hook: misbehave}), "bad")
    registry.add(GOOD, "good")
    for _ in range(3):
        assert ASK[hook](registry)
    return registry


@pytest.mark.parametrize("hook", list(ASK))
@pytest.mark.parametrize("misbehave", list(RAISES.values()), ids=list(RAISES))
async def test_a_hook_that_raises_is_named_once(
    hook: str, misbehave: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    registry = await ask_thrice(hook, misbehave)
    (problem,) = registry.problems
    assert problem.plugin == "bad"
    assert f"{hook} raised" in str(problem)
    assert len(caplog.records) == 1


@pytest.mark.parametrize("hook", list(ASK))
@pytest.mark.parametrize("misbehave", list(RETURNS.values()), ids=list(RETURNS))
async def test_a_hook_that_returns_something_else_is_named_once(
    hook: str, misbehave: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    registry = await ask_thrice(hook, misbehave)
    if hook in ONLY_CALLED:
        assert registry.problems == ()
        return
    assert [problem.plugin for problem in registry.problems] == ["bad"]
    assert hook in registry.problems[0].reason
    assert len(caplog.records) == 1


@pytest.mark.parametrize("hook", list(ASK))
async def test_a_hook_that_returns_none_gives_nothing(hook: str) -> None:
    assert (await ask_thrice(hook, lambda: None)).problems == ()


@pytest.mark.parametrize("hook", list(ASK))
async def test_an_asynchronous_hook_is_named_once(hook: str) -> None:
    (problem,) = (await ask_thrice(hook, coroutine)).problems
    assert "hooks are plain functions" in problem.reason


@pytest.mark.parametrize("hook", list(ASK))
async def test_a_hook_wrapper_is_named_once(hook: str) -> None:
    def wrap() -> Iterator[None]:
        yield

    registry = Registry(discover=False)
    registry.add(SimpleNamespace(**{hook: hookimpl(wrapper=True)(wrap)}), "bad")
    registry.add(GOOD, "good")
    assert ASK[hook](registry)
    assert "is a hook wrapper" in registry.problems[0].reason


def test_hooks_are_asked_first_and_last_as_they_are_marked_else_as_registered() -> None:
    registry = Registry(discover=False)
    marks = {"a": "trylast", "b": "", "c": "tryfirst", "d": "trylast", "e": "", "f": "tryfirst"}
    for name, mark in marks.items():
        marked = hookimpl(**{mark: True}) if mark else hookimpl
        registry.add(SimpleNamespace(context=marked(lambda name=name: name)), name)
    assert registry.context("s", "words").split() == ["c", "f", "b", "e", "a", "d"]


async def test_of_two_engines_and_filters_with_one_name_those_asked_for_first_are_used() -> None:
    registry = Registry(discover=False)
    for name in ("first", "second"):

        async def start(options: Any, name: str = name) -> Any:
            return name

        async def swap(pieces: AsyncIterator[str], name: str = name) -> AsyncIterator[str]:
            async for _ in pieces:
                yield name

        both = {
            "register_thinkers": lambda start=start: {"x": start},
            "text_filters": lambda swap=swap: {"x": swap},
        }
        registry.add(plugin(**both), name)
    (filter_,) = registry.outfit(Persona(name="x", filters=("x",))).filters
    assert [piece async for piece in filter_(nothing())] == ["first"]
    assert await registry.thinker("x")(EngineOptions()) == "first"


async def test_how_often_is_counted() -> None:
    registry = await ask_thrice("context", raising(ValueError))
    assert str(registry.problems[0]).endswith("(3 times)")


async def test_problems_are_bounded_whatever_a_plugin_thinks_of() -> None:
    registry = Registry(discover=False)
    kinds = (type(f"Error{number}", (Exception,), {}) for number in itertools.count())

    def context() -> str:
        raise next(kinds)

    registry.add(plugin(context=context), "bad")
    for _ in range(2 * MOST_PROBLEMS):
        registry.context("s", "words")
    assert len(registry.problems) == MOST_PROBLEMS + 1
    assert "only counted" in registry.problems[-1].reason
    assert registry.problems[-1].times == MOST_PROBLEMS


async def test_another_plugins_problem_is_seen_however_many_one_has(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = Hooks()
    for number in range(2 * MOST_PROBLEMS):
        found.report("bad", f"kind {number}", "reason")
    found.report("worse", "kind", "of another")
    assert found.problems[-1].plugin == "worse"
    assert "of another" in caplog.records[-1].message


async def test_an_observer_that_always_fails_is_asked_no_more() -> None:
    asked: list[int] = []

    def event_emitted() -> None:
        asked.append(1)
        raise ValueError

    registry = Registry(discover=False)
    registry.add(plugin(event_emitted=event_emitted), "bad")
    for _ in range(3 * STRIKES):
        registry.observe("s", ENDED)
    assert len(asked) == STRIKES
    assert "asked no more" in registry.problems[1].reason


async def test_an_observer_that_fails_now_and_then_goes_on_observing() -> None:
    asked = itertools.count()

    def event_emitted() -> None:
        if next(asked) % 2:
            raise ValueError

    registry = Registry(discover=False)
    registry.add(plugin(event_emitted=event_emitted), "bad")
    for _ in range(3 * STRIKES):
        registry.observe("s", ENDED)
    assert next(asked) == 3 * STRIKES
    assert len(registry.problems) == 1


@pytest.mark.parametrize("seconds", [0.05, 0.5])
async def test_a_hook_that_blocks_the_loop_is_named_once(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "perf_counter", map(seconds.__mul__, itertools.count()).__next__)
    registry = Registry(discover=False)
    registry.add(plugin(context=lambda: "words"), "slow")
    for _ in range(3):
        assert registry.context("s", "words") == "words"
    assert [problem.reason for problem in registry.problems] == (
        ["context held every call up for 500 ms; a hook must be quick"] if seconds > 0.1 else []
    )


def test_a_hook_that_is_slow_before_there_is_a_loop_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hooks, "perf_counter", itertools.count().__next__)
    registry = Registry(discover=False)
    registry.add(plugin(register_tools=lambda: [ping]), "slow")
    assert registry.tools()
    assert registry.problems == ()


def test_a_ctrl_c_before_there_is_a_loop_is_the_users() -> None:
    registry = Registry(discover=False)
    registry.add(plugin(register_tools=raising(KeyboardInterrupt)), "slow")
    with pytest.raises(KeyboardInterrupt):
        registry.tools()


# -- import and registration --------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    ["raise ValueError('bang')", "import sys; sys.exit(2)", "raise GeneratorExit", "1 +"],
)
def test_a_plugin_that_cannot_be_imported_is_named(
    body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "exploding_plugin.py").write_text(body + "\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = Hooks()
    found.load(EntryPoint("exploding", "exploding_plugin", "omni_agent"))
    assert [problem.plugin for problem in found.problems] == ["exploding"]
    assert "import raised" in found.problems[0].reason
    sys.modules.pop("exploding_plugin", None)


class HostileAttributes:
    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":
            return object.__getattribute__(self, name)
        raise SystemExit(3)


def test_a_plugin_that_fights_its_registration_is_named() -> None:
    registry = Registry([HostileAttributes(), GOOD], discover=False)
    assert [problem.plugin for problem in registry.problems] == ["HostileAttributes"]
    assert registry.context("s", "words") == "good"


def test_of_two_plugins_with_one_name_the_first_is_used() -> None:
    registry = Registry(discover=False)
    registry.add(plugin(context=lambda: "first"), "twin")
    registry.add(plugin(context=lambda: "second"), "twin")
    assert registry.context("s", "words") == "first"
    assert "two plugins of this name" in registry.problems[0].reason
