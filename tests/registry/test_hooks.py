"""Every hook, and every way to misbehave in it: named once, and the rest goes on."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from pydantic import BaseModel

from omni_agent import Engine, Line, Persona, StageOptions, events, hookimpl, hookspecs, tool
from omni_agent.audio import AudioFrame
from omni_agent.conversation import AudioPart, ImagePart, Message, TextPart, VideoPart, user
from omni_agent.errors import ConfigError
from omni_agent.hearing.manners import WordManners
from omni_agent.hearing.words import Words
from omni_agent.hookspecs import Turn
from omni_agent.lines.in_process import InProcessTransport
from omni_agent.lines.wrapped import WrappedTransport
from omni_agent.registry import containment
from omni_agent.registry.containment import LIMITS_S, STRIKES
from omni_agent.registry.hooks import Hooks
from omni_agent.registry.problems import MOST_PROBLEMS, Problems
from omni_agent.registry.registry import Registry
from omni_agent.registry.wrapping import ContainedTransport
from omni_agent.testing import ScriptedThinker, virtual_time
from omni_agent.thinker import ToolCallRequest
from omni_agent.tools.approval import UNCHECKED, Deny


@tool
def ping() -> str:
    """Ping."""
    return "pong"


@tool
def pong() -> str:
    """Pong."""
    return "ping"


async def nothing(anything: Any = None) -> AsyncIterator[str]:
    yield ""


def plugin(**functions: Callable[..., Any]) -> SimpleNamespace:
    return SimpleNamespace(**{name: hookimpl(function) for name, function in functions.items()})


class Nothing(BaseModel):
    """Settings of a plugin that has none."""


HEARD: list[str] = []
GOOD = plugin(
    register_tools=lambda: [ping],
    connect_tools=lambda: [pong],
    register_engines=lambda: [Engine("good", thinker=nothing)],  # type: ignore[arg-type]  # not started
    register_lines=lambda: [Line("good", nothing)],  # type: ignore[arg-type,list-item]  # not asked
    text_filters=lambda: {"good": nothing},
    manners=lambda: WordManners(Words(hums=("good",))),
    context=lambda: "good",
    before_tool=lambda: Deny("good"),
    register_settings=lambda: Nothing,
    agent_started=lambda: HEARD.append("agent started"),
    agent_stopping=lambda: HEARD.append("agent stopping"),
    wrap_transport=lambda transport: WRAPPED,
    session_started=lambda: HEARD.append("started"),
    session_ended=lambda: HEARD.append("ended"),
    event_emitted=lambda: HEARD.append("event"),
    register_cli=lambda app: app.command("good")(print),
)
WRAPPED = WrappedTransport(InProcessTransport())
CALL = ToolCallRequest("call_1", "ping", {})
SAID = Persona(name="x", filters=(), plugins={"good": {}})
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


async def ended(registry: Registry) -> bool:
    told = observed(registry, ENDED, "ended")
    await registry.stopping(None)
    return told


async def found(registry: Registry) -> str:
    """What is found for a turn, as a Thinker reads it."""
    looking = registry.retrieve(Turn("words", "s", "anna"))
    return Message("system", tuple(await looking)).text if looking is not None else ""


async def finds(registry: Registry) -> bool:
    return await found(registry) == "good"


async def told(telling: Awaitable[None], word: str) -> bool:
    HEARD.clear()
    await telling
    return word in HEARD


async def connects(registry: Registry) -> bool:
    wearer = Persona(name="x", tools=("good",))
    await registry.connect([wearer])
    return registry.outfit(wearer).tools.get("pong") is pong


def mannered(registry: Registry) -> bool:
    return registry.outfit(Persona(name="x")).manners.is_hum("good")


def wraps(registry: Registry) -> bool:
    wrapped = registry.wrapped(WRAPPED.line, "s", "")
    return isinstance(wrapped, ContainedTransport) and wrapped.theirs is WRAPPED


ASK: dict[str, Callable[[Registry], Any]] = {
    "register_tools": lambda registry: registry.tools().get("good"),
    "connect_tools": connects,
    "register_engines": lambda registry: registry.engines.named("thinker", "good"),
    "register_lines": lambda registry: [line.name for line in registry.lines()],
    "text_filters": filters,
    "manners": mannered,
    "context": finds,
    "wrap_transport": wraps,
    "before_tool": lambda registry: registry.judge(CALL, "s", "") == Deny("good"),
    "register_settings": lambda registry: registry.outfit(SAID).settings(Nothing),
    "agent_started": lambda registry: told(registry.started(None), "agent started"),
    "agent_stopping": lambda registry: told(registry.stopping(None), "agent stopping"),
    "session_started": lambda registry: observed(registry, STARTED, "started"),
    "session_ended": ended,
    "event_emitted": lambda registry: observed(registry, ENDED, "event"),
    "register_cli": commands,
}
"""Asks a hook of all plugins; true when the good plugin's answer was used."""
ONLY_CALLED = {
    "agent_started", "agent_stopping", "session_started", "session_ended", "event_emitted",
    "register_cli",
}  # fmt: skip
MAY_TAKE_TIME = set(LIMITS_S)


async def is_used(hook: str, registry: Registry) -> bool:
    answer = ASK[hook](registry)
    return bool(await answer if inspect.isawaitable(answer) else answer)


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
        assert await is_used(hook, registry)
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


@pytest.mark.parametrize("hook", sorted(set(ASK) - MAY_TAKE_TIME))
async def test_an_asynchronous_hook_is_named_once(hook: str) -> None:
    (problem,) = (await ask_thrice(hook, coroutine)).problems
    assert "this hook is a plain function" in problem.reason


@pytest.mark.parametrize("hook", sorted(MAY_TAKE_TIME))
@pytest.mark.parametrize("kind", [ValueError, SystemExit, asyncio.CancelledError, Fatal])
async def test_a_coroutine_that_fails_is_named_once(hook: str, kind: type[BaseException]) -> None:
    async def fails() -> None:
        await asyncio.sleep(0)
        raise kind

    (problem,) = (await ask_thrice(hook, fails)).problems
    assert f"{hook} raised {kind.__name__}" in problem.reason


async def test_a_coroutine_that_comes_to_something_else_is_named_once() -> None:
    async def five() -> int:
        return 5

    async def again() -> Any:
        return five()

    for hook in (five, again):
        (problem,) = (await ask_thrice("context", hook)).problems
        assert "context returned 5" in problem.reason or "awaited, too" in problem.reason


# -- order and wrappers -----------------------------------------------------------------------


def marked(name: str, mark: str) -> SimpleNamespace:
    mark_it = hookimpl(**{mark: True}) if mark else hookimpl
    return SimpleNamespace(__name__=name, context=mark_it(lambda: name))


MARKS = {"a": "trylast", "b": "", "c": "tryfirst", "d": "trylast", "e": "", "f": "tryfirst"}


async def test_of_those_given_together_the_first_is_asked_first() -> None:
    plugins = [marked(name, mark) for name, mark in MARKS.items()]
    registry = Registry(plugins, discover=False)
    assert (await found(registry)).split() == ["c", "f", "b", "e", "d", "a"]
    assert registry.names == ("a", "b", "c", "d", "e", "f")


async def test_one_that_is_added_later_is_asked_before_the_others_of_its_kind() -> None:
    registry = Registry(discover=False)
    for name, mark in MARKS.items():
        registry.add(marked(name, mark), name)
    assert (await found(registry)).split() == ["f", "c", "e", "b", "a", "d"]


def wrapping(hook: str, wrapper: Callable[..., Any]) -> Registry:
    registry = Registry(discover=False)
    registry.add(SimpleNamespace(**{hook: hookimpl(wrapper=True)(wrapper)}), "wraps")
    registry.add(GOOD, "good")
    return registry


@pytest.mark.parametrize("hook", list(ASK))
async def test_a_wrapper_stands_around_every_hook(hook: str) -> None:
    seen: list[Any] = []

    def wrap() -> Generator[None, list[Any], list[Any]]:
        seen.append("before")
        answers = yield
        seen.append(answers)
        return answers

    registry = wrapping(hook, wrap)
    assert await is_used(hook, registry)
    assert seen[0] == "before"
    assert isinstance(seen[1], list)
    assert registry.problems == ()


async def test_a_wrapper_may_change_the_answers_and_add_its_own() -> None:
    async def louder(answer: Any) -> str:
        return f"{answer[0].text}!".upper()

    def wrap(turn: Turn) -> Generator[None, list[Any], list[Any]]:
        answers = yield
        return [*map(louder, answers), f"for {turn.caller}", None]

    assert await found(wrapping("context", wrap)) == "GOOD! for anna"


async def test_a_wrapper_may_take_tools_away_and_the_rest_keep_their_plugin() -> None:
    def wrap() -> Generator[None, list[Any], list[Any]]:
        answers = yield
        return [[tool for tool in tools if tool.name != "pong"] for tools in answers]

    registry = wrapping("register_tools", wrap)
    registry.add(plugin(register_tools=lambda: [pong]), "others")
    assert registry.tools() == {"good": {"ping": ping}, "others": {}}


def alone(hook: str, wrapper: Callable[..., Any]) -> Registry:
    """With a plugin that has this wrapper, and nothing else anywhere."""
    wraps = SimpleNamespace(__name__="wraps", **{hook: hookimpl(wrapper=True)(wrapper)})
    return Registry([wraps], discover=False)


def denies() -> Generator[None, list[Any], list[Any]]:
    answers = yield
    return [*answers, Deny("not today")]


def test_a_plugin_that_judges_tool_calls_with_a_wrapper_alone_is_asked() -> None:
    assert alone("before_tool", denies).judge(CALL, "s", "") == Deny("not today")


@pytest.mark.parametrize("hook", ["wrap_transport", "manners", "text_filters", "register_tools"])
async def test_a_wrapper_that_stands_around_nothing_is_asked_too(hook: str) -> None:
    def adds() -> Generator[None, list[Any], list[Any]]:
        answers = yield
        answer = getattr(GOOD, hook)
        return [*answers, answer(WRAPPED) if hook == "wrap_transport" else answer()]

    registry = alone(hook, adds)
    if hook == "register_tools":
        assert registry.tools() == {"wraps": {"ping": ping}}
    else:
        assert await is_used(hook, registry)


def wraps_nothing() -> Iterator[Any]:
    yield from ()


def wraps_twice() -> Iterator[Any]:
    yield
    yield


def raises_first() -> Iterator[Any]:
    raise SystemExit(3)
    yield


def raises_then() -> Iterator[Any]:
    yield
    raise Fatal


def gives_a_number() -> Generator[None, Any, Any]:
    yield
    return 5


def gives_none() -> Iterator[Any]:
    yield


def gives_wrong_answers() -> Generator[None, Any, Any]:
    yield
    return [Hostile()]


BAD_WRAPPERS = [
    wraps_nothing, wraps_twice, raises_first, raises_then, gives_a_number, gives_none,
    gives_wrong_answers, lambda: 5,
]  # fmt: skip


@pytest.mark.parametrize("hook", list(ASK))
@pytest.mark.parametrize("wrap", BAD_WRAPPERS)
async def test_a_wrapper_that_fails_is_named_once_and_changes_nothing(
    hook: str, wrap: Callable[..., Any]
) -> None:
    registry = wrapping(hook, wrap)
    for _ in range(3):
        assert await is_used(hook, registry)
    if wrap is not gives_wrong_answers or hook not in ONLY_CALLED:
        (problem,) = registry.problems
        assert problem.plugin == "wraps"
        assert hook in problem.reason


@pytest.mark.parametrize("wrap", BAD_WRAPPERS)
def test_a_wrapper_that_fails_to_judge_a_tool_call_denies_it(wrap: Callable[..., Any]) -> None:
    registry = alone("before_tool", wrap)
    assert registry.judge(CALL, "s", "") == UNCHECKED
    assert len(registry.problems) == 1


@virtual_time
async def test_who_starts_and_stops_with_an_agent_is_waited_for_and_not_for_long() -> None:
    heard: list[str] = []

    async def slowly(agent: Any) -> None:
        await asyncio.sleep(4)
        heard.append(agent)

    async def hangs() -> None:
        await asyncio.Event().wait()

    plugins = [
        SimpleNamespace(
            __name__=hook.__name__, agent_started=hookimpl(hook), agent_stopping=hookimpl(hook)
        )
        for hook in (slowly, hangs)
    ]
    registry = Registry(plugins, discover=False)
    clock = asyncio.get_running_loop().time
    for telling in (registry.started, registry.stopping):
        began = clock()
        await telling("the agent")
        assert clock() - began == pytest.approx(LIMITS_S["agent_started"])
    assert heard == ["the agent"] * 2
    assert [problem.plugin for problem in registry.problems] == ["hangs", "hangs"]
    assert "took more than 5 s" in registry.problems[0].reason


@virtual_time
async def test_who_writes_down_a_call_that_ended_holds_up_a_stop_alone_and_not_for_long() -> None:
    kept: list[tuple[str, str]] = []

    class Remembers:
        __name__ = "remembers"

        @hookimpl
        async def session_ended(self, caller: str, items: tuple[Message, ...]) -> None:
            await asyncio.sleep(4)
            kept.append((caller, items[0].text))

    class Hangs:
        __name__ = "hangs"

        @hookimpl
        async def session_ended(self) -> None:
            await asyncio.Event().wait()

    registry = Registry([Remembers(), Hangs()], discover=False)
    registry.observe("s", events.SessionStarted(0.0, "s", "x", "anna"))
    registry.observe("s", events.SessionEnded(1.0, "hangup", (user("It is my birthday."),)))
    assert kept == []
    await registry.stopping("the agent")
    assert kept == [("anna", "It is my birthday.")]
    assert asyncio.get_running_loop().time() == pytest.approx(LIMITS_S["session_ended"])
    (problem,) = registry.problems
    assert "session_ended took more than 10 s" in str(problem)


def test_an_old_hook_wrapper_is_named_with_the_remedy() -> None:
    wraps = SimpleNamespace(__name__="wraps", context=hookimpl(hookwrapper=True)(gives_none))
    (problem,) = Registry([wraps, GOOD], discover=False).problems
    assert "wrapper=True" in problem.reason


async def test_of_two_engines_and_filters_with_one_name_those_asked_for_first_are_used() -> None:
    plugins = []
    thinkers = {name: ScriptedThinker() for name in ("first", "second")}
    for name in thinkers:

        async def start(options: Any, name: str = name) -> Any:
            return thinkers[name]

        async def swap(pieces: AsyncIterator[str], name: str = name) -> AsyncIterator[str]:
            async for _ in pieces:
                yield name

        both = {
            "register_engines": lambda start=start: [Engine("x", thinker=start)],
            "text_filters": lambda swap=swap: {"x": swap},
        }
        plugins.append(SimpleNamespace(__name__=name, **vars(plugin(**both))))
    registry = Registry(plugins, discover=False)
    (filter_,) = registry.outfit(Persona(name="x", filters=("x",))).filters
    assert [piece async for piece in filter_(nothing())] == ["first"]
    assert await registry.engines.start("thinker", StageOptions("x")) is thinkers["first"]


@pytest.mark.parametrize(
    "part",
    [
        ImagePart(None, None),  # type: ignore[arg-type]
        ImagePart(b"", "image/png"),
        AudioPart(None),  # type: ignore[arg-type]
        AudioPart(AudioFrame.silence(1, 16_000), 5),  # type: ignore[arg-type]
        AudioPart(AudioFrame(None, 16_000)),  # type: ignore[arg-type]
        VideoPart((), 1.0),
        VideoPart((b"x",), 0.0),
        VideoPart((b"x",), 1.0, None, None),  # type: ignore[arg-type]
        TextPart(None),  # type: ignore[arg-type]
    ],
)
async def test_a_part_that_lacks_something_does_not_join_the_conversation(part: Any) -> None:
    registry = Registry(discover=False)
    registry.add(plugin(context=lambda: [part, TextPart("good"), ImagePart(b"x", "a/b")]), "parts")
    looking = registry.retrieve(Turn("words", "s", "anna"))
    assert looking is not None
    assert list(await looking) == [TextPart("good"), ImagePart(b"x", "a/b")]
    assert "not a part of a message" in registry.problems[0].reason


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
        await found(registry)
    assert len(registry.problems) == MOST_PROBLEMS + 1
    assert "only counted" in registry.problems[-1].reason
    assert registry.problems[-1].times == MOST_PROBLEMS


async def test_another_plugins_problem_is_seen_however_many_one_has(
    caplog: pytest.LogCaptureFixture,
) -> None:
    problems = Problems()
    for number in range(2 * MOST_PROBLEMS):
        problems.report("bad", f"kind {number}", "reason")
    problems.report("worse", "kind", "of another")
    assert problems.known[-1].plugin == "worse"
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
    monkeypatch.setattr(
        containment, "perf_counter", map(seconds.__mul__, itertools.count()).__next__
    )
    registry = Registry(discover=False)
    registry.add(plugin(context=lambda: "words"), "slow")
    for _ in range(3):
        assert await found(registry) == "words"
    assert [problem.reason for problem in registry.problems] == (
        ["context held every call up for 500 ms; a hook must be quick"] if seconds > 0.1 else []
    )


def test_a_hook_that_is_slow_before_there_is_a_loop_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(containment, "perf_counter", itertools.count().__next__)
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
    loaded = Hooks()
    entry = EntryPoint("exploding", "exploding_plugin", "omni_agent")
    loaded.load([(entry.name, entry.load)])
    assert [problem.plugin for problem in loaded.problems.known] == ["exploding"]
    assert "import raised" in loaded.problems.known[0].reason
    sys.modules.pop("exploding_plugin", None)


class HostileAttributes:
    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":
            return object.__getattribute__(self, name)
        raise SystemExit(3)


async def test_a_plugin_that_fights_its_registration_is_named() -> None:
    registry = Registry([HostileAttributes(), GOOD], discover=False)
    assert [problem.plugin for problem in registry.problems] == ["HostileAttributes"]
    assert await finds(registry)


@pytest.mark.parametrize("later", [False, True])
async def test_of_two_plugins_with_one_name_the_first_is_used(later: bool) -> None:
    twins = [plugin(context=lambda word=word: word) for word in ("first", "second")]
    registry = Registry(twins[: 2 - later], discover=False)
    if later:
        registry.add(twins[1], "SimpleNamespace")
    assert await found(registry) == "first"
    assert "two plugins of this name" in registry.problems[0].reason


async def test_a_plugin_given_under_two_names_is_asked_once() -> None:
    registry = Registry([GOOD], discover=False)
    registry.add(GOOD, "again")
    assert await finds(registry)
    assert "it is plugin 'SimpleNamespace' already" in registry.problems[0].reason


# -- what is asked once -------------------------------------------------------------------------

REGISTERING = ("register_tools", "register_engines", "register_lines", "register_settings")


def asked_of(registry: Registry) -> None:
    """Everything that needs what plugins register, as calls and edited personas do."""
    for number in range(3):
        registry.outfit(Persona(name=f"x{number}", tools=("good",), plugins={"good": {}}))
        registry.lines()
        registry.brought()


@pytest.mark.parametrize("hook", REGISTERING)
def test_what_a_plugin_registers_is_asked_for_once(hook: str) -> None:
    asked: list[str] = []

    def asks(name: str) -> SimpleNamespace:
        return plugin(**{hook: lambda: asked.append(name)})

    registry = Registry(discover=False)
    registry.add(GOOD, "good")
    registry.add(asks("first"), "first")
    asked_of(registry)
    assert asked == ["first"]
    registry.add(asks("later"), "later")
    asked_of(registry)
    assert asked == ["first", "later"]


def test_a_plugin_that_is_added_later_brings_what_it_has() -> None:
    registry = Registry(discover=False)
    registry.outfit(Persona(name="x"))
    assert not registry.tools()
    registry.add(GOOD, "good")
    wearer = Persona(name="y", tools=("good",), plugins={"good": {}})
    assert registry.outfit(wearer).tools["ping"] is ping
    assert registry.engines.named("thinker", "good").name == "good"
