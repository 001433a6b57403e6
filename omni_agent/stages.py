"""The models of a call, which engines provide them, and what keeps them from working."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from omni_agent.ears import Ears
from omni_agent.errors import EngineError
from omni_agent.runtime.scope import answer_within
from omni_agent.talker import Talker
from omni_agent.thinker import Thinker
from omni_agent.turn_taking import TurnEnd

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Engines:
    """Which engine provides which stage, by name; None does without voice or ears.

    Empty is the engine that is taken where none is named.
    """

    thinker: str = ""
    talker: str | None = ""
    ears: str | None = ""


@runtime_checkable
class Supervised(Protocol):
    """A stage whose models may have to be started again while it lives."""

    @property
    def trouble(self) -> str:
        """Why it does not work just now, on one line; empty when it does. It passes by itself."""
        ...


@dataclass(frozen=True, slots=True)
class Stages:
    """The models of a call. Without ears the agent can only be typed to.

    turn_ends: learned ends of turn, by the names that personas have for them. Calls go on while
    one is in trouble.
    """

    thinker: Thinker
    talker: Talker
    ears: Ears | None = None
    turn_ends: Mapping[str, TurnEnd] = field(default_factory=dict)

    @property
    def trouble(self) -> str:
        """What keeps some stage from working just now; empty when all of them do."""
        stages: tuple[object, ...] = (self.ears, self.thinker, self.talker)
        troubles = (stage.trouble for stage in stages if isinstance(stage, Supervised))
        return "; ".join(filter(None, troubles))

    async def aclose(self) -> None:
        """Stop the models, whatever some of them raise on the way."""
        ears = () if self.ears is None else (self.ears,)
        models = (self.thinker, self.talker, *ears, *self.turn_ends.values())
        await asyncio.gather(*map(stop, models))


async def stop(model: Thinker | Talker | Ears | TurnEnd) -> None:
    """Give a model up, whatever it raises: an engine is somebody else's, and there are others."""
    name = type(model).__name__
    try:
        await answer_within(model.aclose, None, f"stopping {name}")
    except EngineError:
        log.exception("%s did not stop", name)
