"""The embedded engine: ears, mind and voice on any laptop's processor.

Importing this costs nothing; models are loaded in processes of their own.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omni_agent.engine import Engine, StageName, StageOptions
from omni_agent.engines.local.needs import (
    LANGUAGE_MODEL,
    LIGHT_LANGUAGE_MODEL,
    LIGHT_WHISPER,
    NAME,
    PACKAGES,
    SMART_TURN,
    SMART_TURN_MODEL,
    WHISPER,
    MindOptions,
    check,
    named_file,
)
from omni_agent.errors import EngineUnavailable, ModelStoreError
from omni_agent.finding import Finding
from omni_agent.hookspecs import hookimpl
from omni_agent.runtime.distribution import install

if TYPE_CHECKING:
    from omni_agent.ears import Ears
    from omni_agent.talker import Talker, Voice
    from omni_agent.thinker import Thinker
    from omni_agent.turn_taking import TurnEnd


@hookimpl
def register_engines() -> Sequence[Engine]:
    return [
        Engine(
            NAME,
            thinker=start_thinker,
            talker=start_talker,
            ears=start_ears,
            takes={"thinker": ("model", "light", "threads"), "ears": ("model", "light")},
            default=True,
            examine=_examine,
            check=check,
            objections=_objections,
            calls=_calls,
        ),
        Engine(SMART_TURN, turn_end=start_turn_end),
    ]


def _examine(stages: Mapping[StageName, StageOptions]) -> Iterable[Finding]:
    from omni_agent.engines.local.examining import examine

    return examine(stages)


def _objections(stage: StageName, options: StageOptions, voice: Voice) -> Sequence[str]:
    from omni_agent.engines.local.examining import objections

    return objections(stage, options, voice)


def _calls(stages: Collection[StageName], cores: int) -> int:
    """Eight callers who speak at once to these models on two cores wait 2.5 to 40 s for the first
    word: two a core, four where the thinking is done elsewhere."""
    return cores * (2 if "thinker" in stages else 4)


async def start_thinker(options: StageOptions) -> Thinker:
    """``options.model``: a language model of the model store, or a GGUF file. ``threads``: see
    ``MindOptions``.

    Raises EngineUnavailable, ConfigError for a model that cannot think, or ModelStoreError
    for one that cannot be had.
    """
    check("thinker", options)
    _need("thinker")
    from omni_agent.engines.local.thinker import LocalThinker

    default = LIGHT_LANGUAGE_MODEL if options.light else LANGUAGE_MODEL
    path = await _model(options.model or default, options)
    threads = options.own(MindOptions).threads
    return await LocalThinker.start(path, threads=threads, report=options.report)


async def start_talker(options: StageOptions) -> Talker:
    """Raises EngineUnavailable."""
    _need("talker")
    from omni_agent.engines.local.talker import LocalTalker

    return await LocalTalker.start()


async def start_ears(options: StageOptions) -> Ears:
    """``options.model``: a Whisper of the model store, or the folder of one.

    Raises EngineUnavailable, or ModelStoreError for a model that cannot be had.
    """
    check("ears", options)
    _need("ears")
    from omni_agent.engines.local.ears import LocalEars

    path = await _model(options.model or (LIGHT_WHISPER if options.light else WHISPER), options)
    return await LocalEars.start(path)


async def start_turn_end(options: StageOptions) -> TurnEnd:
    """smart-turn. Raises EngineUnavailable, or ModelStoreError for a model that cannot be had."""
    _need("turn_end")
    from omni_agent.engines.local.turn_end import LocalTurnEnd

    return await LocalTurnEnd.start(await _model(SMART_TURN_MODEL, options))


def _need(stage: str) -> None:
    missing = [name for name in PACKAGES[stage] if importlib.util.find_spec(name) is None]
    if missing:
        raise EngineUnavailable(f"the local engine needs {', '.join(missing)}: {install('local')}")


async def _model(name: str, options: StageOptions) -> Path:
    """A model's path: a file of the user's, or from the store, fetched when it is not there."""
    if path := named_file(name):
        if not await asyncio.to_thread(path.exists):
            raise EngineUnavailable(f"there is no model file {path}")
        return path
    from omni_agent.models import ModelStore, Progress, as_lines

    wanted, tell = True, as_lines(options.report)

    def report(progress: Progress) -> None:
        if not wanted:  # a process that ends waits for this thread
            raise ModelStoreError(name, "nobody waits for it any more")
        tell(progress)

    try:
        return await asyncio.to_thread(ModelStore().fetch, name, report)
    finally:
        wanted = False
