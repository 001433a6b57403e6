"""The embedded engine: ears, mind and voice on any laptop's processor.

Importing this costs nothing; models are loaded in processes of their own.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from omni_agent.distribution import install
from omni_agent.errors import ConfigError, EngineUnavailable, ModelStoreError
from omni_agent.hookspecs import EngineOptions, Finding, hookimpl

if TYPE_CHECKING:
    from omni_agent.ears import Ears
    from omni_agent.talker import Talker
    from omni_agent.thinker import Thinker

NAME = "local"
WHISPER, LIGHT_WHISPER = "whisper-base", "whisper-tiny.en"
PACKAGES = {
    "thinker": ("xllamacpp",),
    "talker": ("hibari", "anyascii", "num2words"),
    "ears": ("ctranslate2", "tokenizers", "onnxruntime", "faster_whisper"),
}
"""What each stage imports, of the extra ``local``."""
LANGUAGE_MODEL, LIGHT_LANGUAGE_MODEL = "qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b"


@hookimpl
def register_thinkers() -> Mapping[str, Callable[[EngineOptions], Awaitable[Thinker]]]:
    return {NAME: start_thinker}


@hookimpl
def register_talkers() -> Mapping[str, Callable[[EngineOptions], Awaitable[Talker]]]:
    return {NAME: start_talker}


@hookimpl
def register_ears() -> Mapping[str, Callable[[EngineOptions], Awaitable[Ears]]]:
    return {NAME: start_ears}


@hookimpl
def register_examiners() -> Mapping[str, Callable[[EngineOptions], Iterable[Finding]]]:
    return {NAME: _examine}


def _examine(options: EngineOptions) -> Iterable[Finding]:
    from omni_agent.engines.local.examining import examine

    return examine(options)


async def start_thinker(options: EngineOptions) -> Thinker:
    """``options.model``: a language model of the model store, or a GGUF file.

    Raises EngineUnavailable, ConfigError for a model that cannot think, or ModelStoreError
    for one that cannot be had.
    """
    if options.model is not None:
        check_mind(options.model)
    _need("thinker")
    from omni_agent.engines.local.thinker import LocalThinker

    default = LIGHT_LANGUAGE_MODEL if options.light else LANGUAGE_MODEL
    path = await _model(options.model or default, options)
    return await LocalThinker.start(path, report=options.report)


async def start_talker(options: EngineOptions) -> Talker:
    """Raises EngineUnavailable."""
    _need("talker")
    from omni_agent.engines.local.talker import LocalTalker

    return await LocalTalker.start()


async def start_ears(options: EngineOptions) -> Ears:
    """Raises EngineUnavailable, or ModelStoreError for a model that cannot be had."""
    _need("ears")
    from omni_agent.engines.local.ears import LocalEars

    path = await _model(LIGHT_WHISPER if options.light else WHISPER, options)
    return await LocalEars.start(path)


def _need(stage: str) -> None:
    missing = [name for name in PACKAGES[stage] if importlib.util.find_spec(name) is None]
    if missing:
        raise EngineUnavailable(f"the local engine needs {', '.join(missing)}: {install('local')}")


async def _model(name: str, options: EngineOptions) -> Path:
    """A model's path: a file of the user's, or from the store, fetched when it is not there."""
    if path := named_file(name):
        if not await asyncio.to_thread(path.is_file):
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


def check_mind(model: str) -> None:
    """Raises ConfigError for a name that is no language model's in the store."""
    from omni_agent.models import MODELS

    minds = [name for name, one in MODELS.items() if one.files[0].path.endswith(".gguf")]
    if named_file(model) is None and model not in minds:
        does = f"{MODELS[model].purpose}; it cannot think" if model in MODELS else "unknown"
        raise ConfigError(
            f"model {model!r} (--model): {does}. The {NAME} engine thinks with "
            f"{', '.join(minds)}, or a path to a GGUF file"
        )


def named_file(model: str) -> Path | None:
    """The path, when a model is named by its file and not by its name in the store."""
    return Path(model) if model.endswith(".gguf") or "/" in model else None
