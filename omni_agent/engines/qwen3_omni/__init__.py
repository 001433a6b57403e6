"""Qwen3-Omni as an engine: the Thinker on vLLM, the Talker on our own runtime.

Importing it imports no torch: the factories do, when called. Voice activity and the
words for captions come from the embedded engine's ears; the Thinker hears for itself.
"""

from __future__ import annotations

import asyncio
import importlib.util
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from omni_agent.engine import Engine, StageName, StageOptions
from omni_agent.engines.qwen3_omni.thinker.engine_options import ThinkerOptions
from omni_agent.errors import EngineUnavailable, StageOptionError
from omni_agent.finding import Finding
from omni_agent.hookspecs import hookimpl
from omni_agent.runtime.distribution import install

if TYPE_CHECKING:
    from omni_agent.talker import Talker
    from omni_agent.thinker import Thinker

NAME = "qwen3-omni"
SLOTS = 32
"""The Talker's: as many callers as the Thinker has, and as many that only listen."""
_THINKER = ("context", "callers", "chunk", "memory", "tensor_parallel", "strict_calls", "eager")
"""Of ``ThinkerOptions``; the rest is for machines without a GPU."""
_DEVICE = re.compile(r"cpu|cuda(:\d{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class TalkerOptions:
    """slots: streams at once."""

    slots: int = SLOTS

    def __post_init__(self) -> None:
        if not 1 <= self.slots <= 1024:
            raise ValueError(f"{self.slots} slots: there are 1 to 1024")


_loading: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


@hookimpl
def register_engines() -> Sequence[Engine]:
    from omni_agent.engines.local import start_ears

    return [
        Engine(
            NAME,
            thinker=start_thinker,
            talker=start_talker,
            ears=start_ears,
            takes={
                "thinker": ("model", *_THINKER),
                "talker": ("model", "device", "slots"),
                "ears": ("model", "light"),
            },
            examine=_examine,
            check=_check,
        )
    ]


def _check(stage: StageName, options: StageOptions) -> None:
    if stage == "thinker":
        options.own(ThinkerOptions)
    elif stage == "talker":
        options.own(TalkerOptions)
        if options.device and not _DEVICE.fullmatch(options.device):
            reason = (
                f"device {options.device!r} of the {NAME} Talker is not cpu, cuda or cuda:NUMBER"
            )
            raise StageOptionError(stage, "device", reason)


async def start_thinker(options: StageOptions) -> Thinker:
    """``options.model``: a checkpoint directory, or a model id to fetch one by.

    Raises EngineUnavailable saying what is missing.
    """
    for package in ("tokenizers", "vllm"):
        if importlib.util.find_spec(package) is None:
            raise _not_installed(ImportError(name=package))
    from omni_agent.engines.qwen3_omni.thinker.thinker import QwenThinker

    async with _one_at_a_time():
        directory = await _checkpoint(options)
        return await QwenThinker.start(directory, options.own(ThinkerOptions), options.report)


async def start_talker(options: StageOptions) -> Talker:
    """As ``start_thinker``."""
    try:
        from omni_agent.engines.qwen3_omni.features import POSITIONS
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

    runtime = RuntimeOptions(slots=options.own(TalkerOptions).slots, positions=POSITIONS)
    async with _one_at_a_time():
        directory = await _checkpoint(options)
        return await start(directory, device=options.device, runtime=runtime, progress=progress)


def _examine(stages: Mapping[StageName, StageOptions]) -> Iterator[Finding]:
    from omni_agent.engines.local.examining import examine as examine_ears
    from omni_agent.engines.qwen3_omni.examining import examine

    yield from examine({stage: options for stage, options in stages.items() if stage != "ears"})
    if ears := stages.get("ears"):
        yield from examine_ears({"ears": ears})


@asynccontextmanager
async def _one_at_a_time() -> AsyncIterator[None]:
    """vLLM measures the GPU's free memory while it starts: nothing else may take any then."""
    async with _loading.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        yield


async def _checkpoint(options: StageOptions) -> Path:
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
