"""The engines there are, and which of them provide an agent's stages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from inspect import isawaitable
from typing import Any

from omni_agent.ears import Ears
from omni_agent.engine import Engine, StageName, StageOptions
from omni_agent.errors import ConfigError, EngineError, StageOptionError, words_of
from omni_agent.finding import Finding
from omni_agent.registry.hooks import Hooks
from omni_agent.registry.problems import Misfit, meant, shown
from omni_agent.runtime.machine import cores
from omni_agent.stages import Engines
from omni_agent.talker import Talker, Voice
from omni_agent.thinker import Thinker
from omni_agent.turn_taking import TurnEnd

_SPOKEN = {"thinker": "Thinker", "talker": "Talker", "ears": "ears", "turn_end": "end of turn"}
_CONTRACTS: Mapping[StageName, type] = {
    "thinker": Thinker,
    "talker": Talker,
    "ears": Ears,
    "turn_end": TurnEnd,
}
Choice = str | StageOptions
"""Of a stage: the engine that is named for all of them, or options of its own."""


def choices(
    engines: str | Engines,
    *,
    thinker: Choice | None = None,
    talker: Choice | None = None,
    ears: Choice | None = None,
) -> dict[StageName, Choice]:
    """What is asked of each stage that is wanted: what is said of it alone, else ``engines``."""
    if isinstance(engines, str):
        engines = Engines(engines, engines, engines)
    asked: dict[StageName, Choice | None] = {
        "thinker": engines.thinker if thinker is None else _own(thinker),
        "talker": engines.talker if talker is None else _own(talker),
        "ears": engines.ears if ears is None else _own(ears),
    }
    return {stage: choice for stage, choice in asked.items() if choice is not None}


def _own(choice: Choice) -> StageOptions:
    return StageOptions(choice) if isinstance(choice, str) else choice


@dataclass(frozen=True, slots=True)
class Role:
    """A stage, as it is going to be started."""

    engine: Engine
    options: StageOptions


@dataclass(frozen=True, slots=True)
class Lineup:
    """Which engine provides which stage, with which options. Empty where models are ready-made.

    calls: how many at once the engines bear on this machine; None where nobody says.
    """

    roles: Mapping[StageName, Role] = field(default_factory=dict)
    calls: int | None = None

    @property
    def names(self) -> dict[str, str]:
        """The engine's name by stage."""
        return {stage: role.engine.name for stage, role in self.roles.items()}

    def by_engine(self) -> Iterator[tuple[Engine, dict[StageName, StageOptions]]]:
        """Each engine with the stages that are its own."""
        for engine in {role.engine.name: role.engine for role in self.roles.values()}.values():
            own: dict[StageName, StageOptions] = {}
            for stage, role in self.roles.items():
                if role.engine.name == engine.name:
                    own[stage] = role.options
            yield engine, own


class EngineTable:
    """The engines of plugins. Of those with one name, the first that has a stage is used."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks

    def _having(self, stage: StageName) -> list[tuple[str, Engine]]:
        """(plugin, engine) of those with the stage, in the order in which plugins are asked."""
        asked = self._hooks.once("register_engines")
        every = ((plugin, engine) for plugin, engines in asked for engine in engines)
        return [(plugin, engine) for plugin, engine in every if engine.starts(stage) is not None]

    def named(self, stage: StageName, name: str) -> Engine:
        """Raises ConfigError where no engine of this name has the stage."""
        return self._owned(stage, name)[1]

    def _owned(self, stage: StageName, name: str) -> tuple[str, Engine]:
        having = self._having(stage)
        for plugin, engine in having:
            if engine.name == name:
                return plugin, engine
        there = ", ".join(self.names(stage)) or "none"
        raise ConfigError(
            f"there is no {_SPOKEN[stage]} {name!r}; {meant(name, self.names(stage))}"
            f"engines that have one: {there}"
        )

    def names(self, stage: StageName) -> list[str]:
        """The engines that have the stage."""
        return sorted({engine.name for _, engine in self._having(stage)})

    def default(self, stage: StageName, *, served: bool = False) -> Engine:
        """The engine of a stage where none is named. Raises ConfigError where there is none."""
        for _, engine in self._having(stage):
            if engine.default and (stage in engine.served) == served:
                return engine
        kind = "on a server " if served else ""
        raise ConfigError(
            f"no {_SPOKEN[stage]} {kind}is there unless it is named: give its engine "
            f"(--engine, --{stage} NAME; `omni-agent plugins` lists them)"
        )

    # -- choosing ------------------------------------------------------------------------

    def lineup(self, asked: Mapping[StageName, Choice], shared: StageOptions) -> Lineup:
        """Who provides the stages that are asked for; ``shared`` is said for all of them.

        A ``base_url`` in it is a server that thinks, whatever engine was named for all. Raises
        ConfigError for an engine that is not there, and for what a stage cannot be told.
        """
        engines: dict[StageName, Engine] = {
            stage: self._engine_for(stage, one, shared) for stage, one in asked.items()
        }
        takers = _model_takers(asked, engines)
        roles: dict[StageName, Role] = {}
        for stage, engine in engines.items():
            told = _told(stage, engine, _own(asked[stage]), shared, model=stage in takers)
            roles[stage] = Role(engine, told)
            self._check(stage, roles[stage])
        if "thinker" in roles:  # else it may have been said for it
            _check_use(shared, roles)
        lineup = Lineup(roles)
        return replace(lineup, calls=self._bearable(lineup))

    def _engine_for(self, stage: StageName, choice: Choice, shared: StageOptions) -> Engine:
        thinks_there = stage == "thinker" and bool(shared.base_url)
        if isinstance(choice, StageOptions):
            if choice.engine:
                return self._asked_for(stage, choice.engine, stage)
            return self.default(stage, served=thinks_there or bool(choice.base_url))
        engine = self._asked_for(stage, choice, "") if choice else None
        if engine is None or (thinks_there and stage not in engine.served):
            return self.default(stage, served=thinks_there)
        return engine

    def _asked_for(self, stage: StageName, name: str, of: str) -> Engine:
        """of: the stage whose option names it; empty where it is named for all."""
        try:
            return self.named(stage, name)
        except ConfigError as error:
            raise StageOptionError(of, "engine", str(error)) from None

    def _check(self, stage: StageName, role: Role) -> None:
        if role.engine.check is None:
            return
        try:
            role.engine.check(stage, role.options)
        except StageOptionError as error:
            raise StageOptionError(stage, error.name, error.reason) from None
        except ConfigError:
            raise
        except BaseException as error:
            self._failed(stage, role.engine, "check", error)

    def _bearable(self, lineup: Lineup) -> int | None:
        bearable = []
        for engine, stages in lineup.by_engine():
            if engine.calls is not None:
                try:
                    bearable.append(int(engine.calls(frozenset(stages), cores())))
                except BaseException as error:
                    self._failed(next(iter(stages)), engine, "calls", error)
        return max(1, min(bearable)) if bearable else None

    def _failed(self, stage: StageName, engine: Engine, where: str, error: BaseException) -> None:
        """Name the plugin whose engine raised; it is used all the same."""
        self._hooks.problems.failed(self._owned(stage, engine.name)[0], where, error)

    # -- asking them ---------------------------------------------------------------------

    async def start(self, stage: StageName, options: StageOptions) -> Any:
        """The stage of ``options.engine``. Raises what its engine raises, as it does; EngineError
        where that is none."""
        plugin, engine = self._owned(stage, options.engine)
        factory = engine.starts(stage)
        assert factory is not None  # _owned looked
        what = f"{_SPOKEN[stage]} {engine.name!r}"
        try:
            return await _made(stage, factory(options))
        except Misfit as error:
            self._hooks.problems.failed(plugin, what, error)
            raise EngineError(f"{what} {error}") from None
        except (Exception, asyncio.CancelledError):
            raise
        except BaseException as error:  # SystemExit would end the server
            self._hooks.problems.failed(plugin, what, error)
            raise EngineError(f"{what} exited: {words_of(error)}") from None

    def examine(self, lineup: Lineup) -> Iterator[Finding]:
        """What the engines of a lineup say that they need, and whether it is here."""
        for engine, stages in lineup.by_engine():
            if engine.examine is None:
                yield Finding(f"engine {engine.name}", "does not say what it needs")
                continue
            try:
                for found in engine.examine(stages):
                    if not isinstance(found, Finding):
                        raise TypeError(f"{shown(found)} is no Finding")
                    yield found
            except (Exception, SystemExit) as error:  # a plugin's
                how = f"its examination raised {type(error).__name__}: {words_of(error)}"
                yield Finding(f"engine {engine.name}", how, "mend or uninstall its plugin")

    def objections(self, lineup: Lineup, voice: Voice) -> list[str]:
        """What the stages will not do for a persona's voice and language, before they are started.

        Raises ConfigError as an engine does where the persona cannot be used.
        """
        said: list[str] = []
        for stage, role in lineup.roles.items():
            if role.engine.objections is not None:
                try:
                    told = role.engine.objections(stage, role.options, voice)
                    said += [told] if isinstance(told, str) else told
                except ConfigError:
                    raise
                except BaseException as error:
                    self._failed(stage, role.engine, "objections", error)
        return said


async def _made(stage: StageName, starting: Awaitable[Any]) -> Any:
    """The stage that comes of a factory. Raises Misfit where it is none."""
    if not isawaitable(starting):
        raise Misfit(f"is started by a function that returned {shown(starting)}: make it async")
    model = await starting
    members = (name for name in vars(_CONTRACTS[stage]) if not name.startswith("_"))
    if missing := [name for name in members if not hasattr(model, name)]:
        raise Misfit(f"came to {shown(model)}, which has no {', '.join(missing)}")
    return model


def _model_takers(
    asked: Mapping[StageName, Choice], engines: Mapping[StageName, Engine]
) -> set[StageName]:
    """Whose a model is that is said for all: the Thinker's, and the Talker's where it has one;
    the Talker's alone where a server thinks in place of the engine that was named for both."""
    spoken: tuple[StageName, ...] = ("thinker", "talker")
    takers: set[StageName] = {
        stage
        for stage in spoken
        if stage in engines and "model" in engines[stage].understands(stage)
    }
    named = asked.get("thinker")
    moved = isinstance(named, str) and named not in ("", engines["thinker"].name)
    return takers - {"thinker"} if moved and "talker" in takers else takers


def _told(
    stage: StageName, engine: Engine, own: StageOptions, shared: StageOptions, *, model: bool
) -> StageOptions:
    """A stage's own options, filled up. Raises ConfigError for what it cannot be told."""
    understood = engine.understands(stage)
    if strange := sorted(own.given() - understood):
        can = ", ".join(sorted(understood)) or "nothing"
        raise StageOptionError(
            stage,
            strange[0],
            f"the {engine.name} engine's {_SPOKEN[stage]} cannot be told "
            f"{', '.join(strange)}; {meant(strange[0], understood)}what it can be told: {can}",
        )
    common = ("light", "base_url", "api_key", *(("model",) if model else ()))
    told = {
        name: getattr(shared, name)
        for name in common
        if name in understood and not getattr(own, name)
    }
    return replace(own, engine=engine.name, report=shared.report, **told)


def _check_use(shared: StageOptions, roles: Mapping[StageName, Role]) -> None:
    """Raises ConfigError for a model or an address that no stage takes."""
    for name in ("model", "base_url"):
        value = getattr(shared, name)
        if value and all(getattr(role.options, name) != value for role in roles.values()):
            reason = f"{name} {value!r}: no engine that is used takes one"
            raise StageOptionError("", name, reason)
