"""Qwen3-Omni as an engine: the Thinker on vLLM, the Talker on our own runtime.

Importing it imports no torch: the factories do, when called. Voice activity and the
words for captions come from the embedded engine's ears; the Thinker hears for itself.
"""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from omni_agent.distribution import install
from omni_agent.errors import EngineUnavailable
from omni_agent.hookspecs import EngineOptions, Finding, hookimpl

if TYPE_CHECKING:
    from omni_agent.ears import Ears
    from omni_agent.talker import Talker
    from omni_agent.thinker import Thinker

NAME = "qwen3-omni"
SLOTS, POSITIONS = 32, 4096
"""The Talker's: as many callers as the Thinker has, and as many that only listen."""

_loading: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


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


async def start_thinker(options: EngineOptions) -> Thinker:
    """``options.model``: a checkpoint directory, or a model id to fetch one by.

    Raises EngineUnavailable saying what is missing.
    """
    for package in ("tokenizers", "vllm"):
        if importlib.util.find_spec(package) is None:
            raise _not_installed(ImportError(name=package))
    from omni_agent.engines.qwen3_omni.thinker.thinker import QwenThinker

    async with _one_at_a_time():
        directory = await _checkpoint(options)
        return await QwenThinker.start(directory, report=options.report)


async def start_talker(options: EngineOptions) -> Talker:
    """As ``start_thinker``."""
    try:
        from omni_agent.engines.qwen3_omni.talker.engine import start_talker as start
        from omni_agent.engines.qwen3_omni.talker.runtime import RuntimeOptions
    except ImportError as error:
        raise _not_installed(error) from error
    loop, told = asyncio.get_running_loop(), -1

    def progress(done: int, total: int) -> None:
        nonlocal told
        tenth = 10 * done // total if total else 10
        if tenth > told:
            told = tenth
            loop.call_soon_threadsafe(options.report, f"loading the Talker: {10 * tenth} %")

    runtime = RuntimeOptions(slots=SLOTS, positions=POSITIONS)
    async with _one_at_a_time():
        return await start(await _checkpoint(options), runtime=runtime, progress=progress)


async def start_ears(options: EngineOptions) -> Ears:
    """The embedded engine's. Raises EngineUnavailable, or ModelStoreError."""
    from omni_agent.engines.local import start_ears as start

    return await start(options)


def _examine(options: EngineOptions) -> Iterable[Finding]:
    from omni_agent.engines.qwen3_omni.examining import examine

    return examine(options)


@asynccontextmanager
async def _one_at_a_time() -> AsyncIterator[None]:
    """vLLM measures the GPU's free memory while it starts: nothing else may take any then."""
    async with _loading.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        yield


async def _checkpoint(options: EngineOptions) -> Path:
    """The checkpoint's directory; an id such as ``Qwen/Qwen3-Omni-30B-A3B-Instruct`` is fetched."""
    if options.model is None:
        raise EngineUnavailable(
            f"the {NAME} engine needs a model: --model with the directory of a Qwen3-Omni "
            "checkpoint, or with its id, Qwen/Qwen3-Omni-30B-A3B-Instruct"
        )
    return await asyncio.to_thread(_directory, options.model, options.report)


def _directory(model: str, report: Callable[[str], None]) -> Path:
    looks_like_an_id = model.count("/") == 1 and not model.startswith((".", "/"))
    if not looks_like_an_id or Path(model).is_dir():
        return Path(model)
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise _not_installed(error) from error
    report(f"fetching {model}")
    try:
        return Path(snapshot_download(model))
    except (OSError, ValueError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise EngineUnavailable(
            f"{model} is no directory here and cannot be fetched: {error}"
        ) from error


def _not_installed(error: ImportError) -> EngineUnavailable:
    return EngineUnavailable(
        f"the {NAME} engine is not installed ({error.name} is missing): "
        + install("qwen3-omni", "vllm")
    )
