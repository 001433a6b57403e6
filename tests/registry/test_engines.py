"""The table of engines: found, chosen for each stage, told what they can be told."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Collection
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from omni_agent import Engine, Engines, StageOptions, hookimpl
from omni_agent.engine import StageName
from omni_agent.errors import ConfigError, EngineError
from omni_agent.finding import Finding
from omni_agent.registry import engines as table
from omni_agent.registry.engines import Choice, Lineup, choices
from omni_agent.registry.registry import Registry
from omni_agent.stages import Stages
from omni_agent.testing import ScriptedEars, ScriptedTalker, ScriptedThinker

URL = "http://localhost:1/v1"


async def start(options: StageOptions) -> Any:
    return options


def all_of(name: str, **more: Any) -> Engine:
    return Engine(name, thinker=start, talker=start, ears=start, **more)


HERE = all_of("here", takes={"thinker": ("model", "light"), "ears": ("light",)}, default=True)
THERE = Engine(
    "there", thinker=start, takes={"thinker": ("model",)}, served={"thinker"}, default=True
)
GPU = all_of(
    "gpu", takes={"thinker": ("model",), "talker": ("model", "device", "slots"), "ears": ("light",)}
)  # fmt: skip


def plugin(*engines: Engine) -> SimpleNamespace:
    return SimpleNamespace(register_engines=hookimpl(lambda: list(engines)))


def registry(*engines: Engine) -> Registry:
    made = Registry(discover=False)
    made.add(plugin(*(engines or (HERE, THERE, GPU))), "engines")
    return made


def lineup(
    engines: str | Engines = "", *, shared: StageOptions | None = None, **own: Choice | None
) -> Lineup:
    return registry().engines.lineup(choices(engines, **own), shared or StageOptions())


def models(found: Lineup) -> dict[str, str | None]:
    return {stage: role.options.model for stage, role in found.roles.items()}


def test_the_bundled_engines_are_found_and_one_is_taken_where_none_is_named() -> None:
    bundled = Registry()
    assert bundled.problems == ()
    names = bundled.engines.lineup(choices(""), StageOptions()).names
    assert names == {"thinker": "local", "talker": "local", "ears": "local"}
    names = bundled.engines.lineup(choices(""), StageOptions(base_url=URL)).names
    assert names == {"thinker": "remote", "talker": "local", "ears": "local"}


def test_an_applications_own_default_comes_before_what_is_installed() -> None:
    own = Registry([plugin(Engine("mine", talker=start, default=True))])
    names = own.engines.lineup(choices(""), StageOptions()).names
    assert names == {"thinker": "local", "talker": "mine", "ears": "local"}


def test_each_stage_has_its_own_engine_model_device_and_options() -> None:
    found = lineup(
        thinker=StageOptions(base_url=URL, model="llama"),
        talker=StageOptions("gpu", model="/voice", device="cuda:1", options={"slots": 4}),
    )
    assert found.names == {"thinker": "there", "talker": "gpu", "ears": "here"}
    assert models(found) == {"thinker": "llama", "talker": "/voice", "ears": None}
    talker = found.roles["talker"].options
    assert (talker.engine, talker.device, talker.options) == ("gpu", "cuda:1", {"slots": 4})


def test_a_stage_s_own_options_come_before_what_is_said_for_all() -> None:
    shared = StageOptions(model="all", light=True)
    found = lineup(shared=shared, thinker=StageOptions(model="own"), talker="gpu")
    assert models(found) == {"thinker": "own", "talker": "all", "ears": None}
    assert [role.options.light for role in found.roles.values()] == [True, False, True]


def test_a_server_thinks_whatever_engine_was_named_for_all_and_the_checkpoint_speaks() -> None:
    found = lineup("gpu", shared=StageOptions(model="/omni", base_url=URL))
    assert found.names == {"thinker": "there", "talker": "gpu", "ears": "gpu"}
    assert models(found) == {"thinker": None, "talker": "/omni", "ears": None}
    assert [bool(role.options.base_url) for role in found.roles.values()] == [True, False, False]


def test_stages_can_be_gone_without() -> None:
    assert lineup(Engines("", None, None)).names == {"thinker": "here"}
    assert lineup(Engines("", None, None), ears="here").names == {
        "thinker": "here",
        "ears": "here",
    }


@pytest.mark.parametrize("name", [5, [], None, ""])
def test_an_engine_whose_name_is_none_is_its_plugins_problem(name: Any) -> None:
    nameless = SimpleNamespace(
        __name__="nameless", register_engines=hookimpl(lambda: [Engine(name, turn_end=start)])
    )
    made = Registry([nameless], discover=False)
    made.add(plugin(Engine("mine", turn_end=start)), "other")
    assert made.engines.names("turn_end") == ["mine"]
    (problem,) = made.problems
    assert problem.plugin == "nameless"
    assert "not a text" in problem.reason


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"talker": "piano"}, r"there is no Talker 'piano'; engines that have one: gpu, here$"),
        ({"talker": "there"}, r"there is no Talker 'there'"),
        (
            {"talker": StageOptions(model="x")},
            r"talker: the here engine's Talker cannot be told model; .* told: nothing$",
        ),
        (
            {"talker": StageOptions("gpu", options={"slot": 4}, light=True)},
            r"cannot be told light, slot; what it can be told: device, model, slots$",
        ),
        ({"talker": StageOptions(base_url=URL)}, r"no Talker on a server is there.*--talker NAME"),
    ],
)
def test_what_a_stage_cannot_be_told_is_named_with_what_it_can(
    asked: dict[str, Choice], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        lineup(**asked)


@pytest.mark.parametrize("name", ["model", "base_url"])
def test_what_is_said_for_all_and_taken_by_none_is_an_error(name: str) -> None:
    engines = registry(Engine("plain", thinker=start)).engines
    with pytest.raises(ConfigError, match=f"^{name} "):
        engines.lineup({"thinker": StageOptions("plain")}, StageOptions(**{name: URL}))  # type: ignore[arg-type]  # a text


def test_of_two_engines_with_one_name_the_first_that_has_the_stage_is_used() -> None:
    made = registry(all_of("x", served={"thinker"}))
    made.add(plugin(Engine("x", thinker=start)), "asked before")
    assert "thinker" not in made.engines.named("thinker", "x").served
    assert "thinker" in made.engines.named("talker", "x").served


def test_an_engine_checks_options_before_anything_is_started() -> None:
    def check(stage: StageName, options: StageOptions) -> None:
        if options.model == "wrong":
            raise ConfigError(f"{stage}: no model 'wrong'")

    checking = registry(Engine("x", thinker=start, takes={"thinker": ("model",)}, check=check))
    with pytest.raises(ConfigError, match="thinker: no model 'wrong'"):
        checking.engines.lineup({"thinker": "x"}, StageOptions(model="wrong"))


@pytest.mark.parametrize(
    ("engines", "cores", "calls"),
    [
        (Engines("local", "local", "local"), 2, 4),
        (Engines("local", "local", "local"), 64, 128),
        (Engines("remote", "local", "local"), 2, 8),
        (Engines("qwen3-omni", "qwen3-omni", "qwen3-omni"), 2, None),
    ],
)
def test_as_many_calls_are_borne_as_the_engine_that_bears_the_fewest(
    engines: Engines, cores: int, calls: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "cores", lambda: cores)
    assert Registry().engines.lineup(choices(engines), StageOptions()).calls == calls


def raises(*arguments: Any) -> Any:
    raise ZeroDivisionError


def nonsense(stages: Collection[StageName], cores: int) -> Any:
    return "many"


@pytest.mark.parametrize(
    ("broken", "where"), [({"check": raises}, "check"), ({"calls": raises}, "calls"),
                          ({"calls": nonsense}, "calls")],
)  # fmt: skip
def test_an_engine_that_answers_with_a_bug_is_named_and_used(
    broken: dict[str, Callable[..., Any]], where: str
) -> None:
    made = registry(Engine("x", thinker=start, **broken))  # type: ignore[arg-type]  # given by name
    assert made.engines.lineup({"thinker": "x"}, StageOptions()).names == {"thinker": "x"}
    assert where in made.problems[0].reason


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, TypeError])
def test_an_examination_that_breaks_is_a_finding(error: type[BaseException]) -> None:
    def examine(stages: Any) -> Any:
        yield Finding("arm", "there")
        if error is TypeError:
            yield "a leg"
        raise error

    made = registry(Engine("x", thinker=start, examine=examine), Engine("y", talker=start))
    found = made.engines.lineup({"thinker": "x", "talker": "y"}, StageOptions())
    arm, broken, silent = made.engines.examine(found)
    assert arm == Finding("arm", "there")
    assert error.__name__ in broken.how
    assert (silent.what, silent.mend) == ("engine y", "")


async def test_an_engine_that_exits_is_an_engine_that_failed() -> None:
    async def leave(options: StageOptions) -> Any:
        sys.exit("usage: …")

    made = registry(Engine("exits", thinker=leave))
    with pytest.raises(EngineError, match="Thinker 'exits' exited"):
        await made.engines.start("thinker", StageOptions("exits"))
    assert made.problems[0].plugin == "engines"


async def none(options: StageOptions) -> Any:
    return None


async def no_thinker(options: StageOptions) -> Any:
    return ScriptedTalker()


def at_once(options: StageOptions) -> Any:
    return ScriptedThinker()


class Leaving(ScriptedThinker):
    hears = property(lambda self: sys.exit(3), lambda self, hears: None)  # type: ignore[assignment]


async def leaving(options: StageOptions) -> Any:
    return Leaving()


@pytest.mark.parametrize(
    ("factory", "why"),
    [
        (none, "came to None, which has no hears, sees, think, prepare, aclose"),
        (no_thinker, "which has no hears, sees, think"),
        (at_once, "make it async"),
        (leaving, "exited: 3"),
    ],
)
async def test_what_is_no_stage_is_an_error_at_the_start(factory: Any, why: str) -> None:
    made = registry(Engine("odd", thinker=factory))
    with pytest.raises(EngineError, match=f"Thinker 'odd' .*{why}"):
        await made.engines.start("thinker", StageOptions("odd"))
    assert made.problems[0].plugin == "engines"


@pytest.mark.parametrize("error", [SystemExit, asyncio.CancelledError, AttributeError])
async def test_models_are_stopped_whatever_one_of_them_raises(error: type[BaseException]) -> None:
    stopped: list[str] = []

    async def stop(model: str) -> None:
        stopped.append(model)
        raise error

    stages = Stages(ScriptedThinker(), ScriptedTalker(), ScriptedEars())
    for name in ("thinker", "talker", "ears"):
        getattr(stages, name).aclose = partial(stop, name)
    await stages.aclose()
    assert stopped == ["thinker", "talker", "ears"]


@pytest.mark.parametrize("hook", ["register_thinkers", "register_ears", "register_examiners"])
def test_a_plugin_with_a_hook_of_old_is_told_what_there_is_instead(hook: str) -> None:
    old = Registry(discover=False)
    old.add(SimpleNamespace(**{hook: hookimpl(lambda: {"old": start})}), "old engines")
    (problem,) = old.problems
    assert problem.plugin == "old engines"
    assert f"found {hook}, which is gone: register_engines" in problem.reason


@pytest.mark.parametrize(
    ("strange", "error"),
    [
        ({"served": {"mouth"}}, ValueError),
        ({"thinker": 5}, TypeError),
        ({"calls": 5}, TypeError),
        ({"served": "thinker"}, TypeError),
        ({"takes": {"thinker": "model"}}, TypeError),
        ({"takes": {"thinker": 5}}, TypeError),
        ({"takes": {"thinker": (5,)}}, TypeError),
        ({"takes": [("thinker", "model")]}, TypeError),
    ],
)
def test_an_engine_that_cannot_be_is_refused(
    strange: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match="engine 'x'"):
        Engine("x", **strange)
