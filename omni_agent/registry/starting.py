"""Starting an agent's stages: all at once, and none is left running where one of them fails."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from omni_agent.engine import StageName, StageOptions
from omni_agent.errors import first_of
from omni_agent.registry.engines import EngineTable, Lineup
from omni_agent.runtime.scope import answer_of
from omni_agent.stages import Stages, stop
from omni_agent.talker import MuteTalker
from omni_agent.turn_taking import TurnEnd


async def start_stages(
    engines: EngineTable, lineup: Lineup, turn_ends: Mapping[str, StageOptions]
) -> Stages:
    """Start what a lineup names; a Thinker that is a server's before everything else.

    turn_ends: options of the learned ends of turn that personas ask for, by their engines' names.

    Raises what an engine raises, as soon as it does; then nothing runs.
    """
    started, ends = dict[StageName, Any](), dict[str, TurnEnd]()
    async with AsyncExitStack() as running:  # stopped when another fails, or we are cancelled

        async def start(stage: StageName) -> None:
            options = lineup.roles[stage].options
            started[stage] = model = await answer_of(engines.start(stage, options))
            running.push_async_callback(stop, model)

        async def start_end(name: str) -> None:
            ends[name] = end = await answer_of(engines.start("turn_end", turn_ends[name]))
            running.push_async_callback(stop, end)

        if "thinker" in lineup.roles["thinker"].engine.served:
            await start("thinker")  # while it is not there, nothing else is worth it
        starting = [start(stage) for stage in lineup.roles if stage not in started]
        await _together([*starting, *(start_end(name) for name in turn_ends)])
        running.pop_all()
    talker = started.get("talker", MuteTalker())
    return Stages(started["thinker"], talker, started.get("ears"), ends)


async def _together(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run them all; the first that fails has the others cancelled, and raises its error."""
    failed: BaseExceptionGroup[BaseException] | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            for work in works:
                tasks.create_task(work)
    except BaseExceptionGroup as group:
        failed = group
    if failed is not None:  # out there, where the error has no context but its own
        raise first_of(failed)
