"""Engines as the command line and the file have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from omni_agent.agent import Agent
from omni_agent.cli.config import Config
from omni_agent.cli.options import Many
from omni_agent.cli.printing import progress
from omni_agent.engine import StageName, StageOptions
from omni_agent.errors import ConfigError, PersonaError, StageOptionError
from omni_agent.registry.engines import Lineup
from omni_agent.registry.registry import Registry
from omni_agent.stages import Engines

_NAMED = ("engine", "model", "device", "light", "base_url", "api_key")
"""What every stage has a name for; everything else is the engine's own."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the command line and the file say about engines; see ``Agent``."""

    config: Config | None = None
    engine: str = ""
    model: str | None = None
    light: bool = False
    base_url: str | None = None
    api_key: str | None = None
    thinker: Many = None
    talker: Many = None
    ears: Many = None

    @property
    def _given(self) -> dict[StageName, Many]:
        """What the command line says of single stages."""
        return {"thinker": self.thinker, "talker": self.talker, "ears": self.ears}

    def _of(self, stage: StageName) -> tuple[dict[str, str], Mapping[str, Any]]:
        """What the command line and the file's table say of a stage, where they count."""
        try:
            said = dict(map(_pair, self._given.get(stage) or ()))
        except ConfigError as error:
            raise ConfigError(f"--{stage}: {error}") from None
        table = (self.config or Config()).tables().get(stage, {})
        if said.get("engine", table.get("engine")) != table.get("engine"):
            table = {}  # what it says is for another engine
        return said, table

    def origin(self, stage: str, name: str) -> str:
        """Where an option of a stage was said, or else of all; empty where nobody did."""
        config = self.config or Config()
        said, table = next((self._of(one) for one in self._given if one == stage), ({}, {}))
        if name in said:
            return f"--{stage}" if name == "engine" else f"--{stage} {name}"
        return config.place(stage, name) if name in table else config.origin(name)

    def own(self) -> dict[StageName, StageOptions]:
        """What is said of single stages. Raises StageOptionError."""
        own: dict[StageName, StageOptions] = {}
        for stage in self._given:
            if (options := _own(stage, *self._of(stage))) is not None:
                own[stage] = options
        return own

    def check(self, registry: Registry, *used: StageName) -> None:
        """Hold what is said of stages that a command does not use to what their engines take:
        what is wrong in a file is told by the first command that reads it. Raises ConfigError."""
        own, config = self.own(), self.config or Config()
        asked: dict[StageName, str | StageOptions] = dict.fromkeys(used, self.engine)
        shared = StageOptions(
            model=self.model or config.says("model"),
            light=bool(self.light or config.says("light")),
            base_url=self.base_url or config.says("base_url"),
            api_key=config.says("api_key"),
        )
        if own.keys() - asked.keys():
            registry.engines.lineup(asked | own, shared)

    def key(self, own: Mapping[StageName, StageOptions]) -> str | None:
        """The key for servers, where there may be one: an environment often has it."""
        return self.api_key if self.base_url or own else None

    def lineup(self, registry: Registry, *stages: StageName) -> Lineup:
        """Who provides these stages. Raises ConfigError."""
        with placed(self):
            own = self.own()
            shared = StageOptions(
                model=self.model,
                light=self.light,
                base_url=self.base_url,
                api_key=self.key(own),
                report=progress,
            )
            self.check(registry, *stages)
            return registry.engines.lineup({s: own.get(s, self.engine) for s in stages}, shared)


def of_file(config: Config | None) -> Said:
    """What the file says, for a command without options of engines."""
    says = (config or Config()).says
    names = ("engine", "model", "light", "base_url")
    return Said(config, **{name: said for name in names if (said := says(name)) is not None})


def _own(
    stage: StageName, said: Mapping[str, str], table: Mapping[str, Any]
) -> StageOptions | None:
    """A stage's own options: the command line's over those of its table."""
    values = {**table, **said}
    if not values:
        return None
    named = {name: values.pop(name) for name in _NAMED if name in values}
    try:
        return TypeAdapter(StageOptions).validate_python({**named, "options": values})
    except StageOptionError as error:
        raise StageOptionError(stage, error.name, error.reason) from None
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise StageOptionError(stage, name, f"{name}: {first['msg']}") from None


def _pair(given: str) -> tuple[str, str]:
    """``KEY=VALUE``; a word alone is the engine. Raises ConfigError for the name of an option."""
    key, equals, value = given.partition("=")
    name = key.strip().replace("-", "_")
    if not equals and name in _NAMED:
        raise ConfigError(f"{given!r} needs a value: write {name}=…")
    return (name, value) if equals else ("engine", given)


@contextmanager
def placed(said: Said) -> Iterator[None]:
    """An error in a stage's option, or in that of all, says where it was said."""
    if said.config is not None:
        said.config.tell_of_tables()
    try:
        yield
    except StageOptionError as error:
        if not (place := said.origin(error.stage, error.name)):
            raise
        raise ConfigError(f"{place}: {error.reason}") from error


@contextmanager
def _found(said: Said, persona: str, offered: Sequence[str] | None) -> Iterator[None]:
    """A persona that is not there says where in the file it was named."""
    try:
        yield
    except PersonaError as error:
        options = {**dict.fromkeys(offered or (), "personas"), persona: "persona"}
        named = next((option for one, option in options.items() if error.path == Path(one)), "")
        place = (said.config or Config()).origin(named)
        if error.line or not place or place.startswith("--"):
            raise
        raise ConfigError(f"{place}: {error}") from error


def make_agent(
    persona: str, said: Said, *, personas: str | None = None, silent: bool = False
) -> Agent:
    """An agent from the command line's options; ``silent`` has neither ears nor voice."""
    offered = None if personas is None else [one for one in personas.split(",") if one]
    with placed(said), _found(said, persona, offered):
        own = said.own()
        agent = Agent(
            persona,
            personas=offered,
            engine=Engines(said.engine, None, None) if silent else said.engine,
            thinker=own.get("thinker"),
            talker=None if silent else own.get("talker"),
            ears=None if silent else own.get("ears"),
            model=said.model,
            light=said.light,
            base_url=said.base_url,
            api_key=said.key(own),
        )
        used: tuple[StageName, ...] = ("thinker",) if silent else ("thinker", "talker", "ears")
        said.check(agent.registry, *used)
    return agent
