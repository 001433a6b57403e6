"""What an engine is: models that can be stages of an agent, how each is started, and what it can
be told. A plugin returns its engines from the hook ``register_engines``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from omni_agent._moved import moved_names
from omni_agent.errors import StageOptionError

if TYPE_CHECKING:
    from omni_agent.ears import Ears
    from omni_agent.finding import Finding
    from omni_agent.talker import Talker, Voice
    from omni_agent.thinker import Thinker
    from omni_agent.turn_taking import TurnEnd

T = TypeVar("T")
StageName = Literal["thinker", "talker", "ears", "turn_end"]
STAGES: tuple[StageName, ...] = get_args(StageName)


@dataclass(frozen=True, slots=True)
class StageOptions:
    """What the user said about one stage, to ``Agent``, on the command line or in a file.

    engine: its engine's name; empty for the one that is taken where none is named. model: a
    model name of the engine, or a path. device: where it runs, as the engine calls it, e.g.
    ``cuda:1``. light: the smaller models. base_url, api_key: a server, or several separated
    by commas, for stages that are a server's. options: what else this engine can be told.
    report: shows progress to the user, one short line at a time.

    Raises StageOptionError for a base_url or an api_key that cannot be one.
    """

    engine: str = ""
    model: str | None = None
    device: str | None = None
    light: bool = False
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)
    report: Callable[[str], None] = lambda line: None

    def __post_init__(self) -> None:
        for address in filter(None, map(str.strip, (self.base_url or "").split(","))):
            if "://" not in address:
                reason = f"base_url {address!r} is not an address such as http://localhost:8000/v1"
                raise StageOptionError("", "base_url", reason)
        key = self.api_key or ""
        if not (key.isascii() and key.isprintable()):
            reason = (
                "the server's api_key has characters that no key has, a line end or an accent: "
                "copy it again"
            )
            raise StageOptionError("", "api_key", reason)

    def given(self) -> frozenset[str]:
        """The names of what was said, those of ``options`` among them."""
        named = ("model", "device", "light", "base_url", "api_key")
        return frozenset({*(name for name in named if getattr(self, name)), *self.options})

    def own(self, kind: type[T]) -> T:
        """``options`` as an engine's own dataclass or pydantic model.

        Raises StageOptionError that names what does not fit.
        """
        from pydantic import TypeAdapter, ValidationError

        try:
            return TypeAdapter(kind).validate_python(dict(self.options))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"])) or next(iter(self.options), "")
            why = f"{first['msg']}, not {first['input']!r}" if first["loc"] else first["msg"]
            reason = f"option {name} of the {self.engine} engine: {why}"
            raise StageOptionError("", name, reason) from None


Start = Callable[[StageOptions], Awaitable[T]]
"""Starts a stage. Raises EngineUnavailable, which says what is missing."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Models that can be stages of an agent. Making one costs nothing: models are loaded by the
    factories.

    name: what users call it. thinker, talker, ears, turn_end: start that stage; None where it
    has none.

    takes: what each stage can be told, of ``model``, ``device``, ``light`` and names of
    ``StageOptions.options``; anything else is refused. served: the stages that are a server
    elsewhere, which take ``base_url`` and ``api_key``; such a Thinker is started before
    everything else, which is not worth it while the server is not there. default: whether a
    stage is this engine's where none is named (where a ``base_url`` is given: whether one that
    is served is).

    examine: what the stages it is asked for need, with these options, and whether it is here,
    for ``omni-agent doctor``. It starts nothing, fetches nothing and may block; what it cannot
    find out is a finding, too. check: raises ConfigError for options of a stage that cannot be,
    before anything is started; it must be quick. objections: what a stage will not do for a
    persona's voice and language, as far as it is known before the start, a line for each; raises
    ConfigError where the persona cannot be used at all. calls: how many calls at once these
    stages bear on so many cores; None where they batch.

    Raises ValueError for a stage that there is none of, TypeError for what cannot be called, or is
    no name, and for ``takes`` and ``served`` of something else.
    """

    name: str
    _: KW_ONLY
    thinker: Start[Thinker] | None = None
    talker: Start[Talker] | None = None
    ears: Start[Ears] | None = None
    turn_end: Start[TurnEnd] | None = None
    takes: Mapping[StageName, Collection[str]] = field(default_factory=dict)
    served: Collection[StageName] = frozenset()
    default: bool = False
    examine: Callable[[Mapping[StageName, StageOptions]], Iterable[Finding]] | None = None
    check: Callable[[StageName, StageOptions], None] | None = None
    objections: Callable[[StageName, StageOptions, Voice], Iterable[str]] | None = None
    calls: Callable[[Collection[StageName], int], int] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise TypeError(f"an engine's name is {self.name!r}, not a text")
        self._check_shapes()
        if strange := {*self.served, *self.takes} - {*STAGES}:
            raise ValueError(f"engine {self.name!r}: there is no stage {strange.pop()!r}")
        for name in (*STAGES, "examine", "check", "objections", "calls"):
            function = getattr(self, name)
            if function is not None and not callable(function):
                raise TypeError(f"engine {self.name!r}: {name} is {function!r}, not a function")

    def _check_shapes(self) -> None:
        """A text is a collection, too: of its letters."""
        if not _are_names(self.served):
            raise TypeError(
                f"engine {self.name!r}: served is {self.served!r}, not a set such as {{'thinker'}}"
            )
        if not isinstance(self.takes, Mapping):
            raise TypeError(f"engine {self.name!r}: takes is {self.takes!r}, not a mapping")
        for stage, names in self.takes.items():
            if not _are_names(names):
                raise TypeError(
                    f"engine {self.name!r}: takes[{stage!r}] is {names!r}, not names such as "
                    "('model',)"
                )

    def starts(self, stage: StageName) -> Start[Any] | None:
        """What starts this stage; None where the engine has none."""
        start: Start[Any] | None = getattr(self, stage)
        return start

    def understands(self, stage: StageName) -> frozenset[str]:
        """All that this stage can be told."""
        server = ("base_url", "api_key") if stage in self.served else ()
        return frozenset((*self.takes.get(stage, ()), *server))


def _are_names(value: Any) -> bool:
    collected = isinstance(value, Collection) and not isinstance(value, str | bytes)
    return collected and all(isinstance(name, str) for name in value)


EngineOptions = StageOptions
"""Its name while all stages shared one."""

if not TYPE_CHECKING:  # who checks types is told of the old names
    __getattr__ = moved_names(__name__)
