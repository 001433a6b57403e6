"""Qwen3-Omni as an engine. Importing it imports no torch: the factories do, when called."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from omni_agent.errors import EngineUnavailable
from omni_agent.hookspecs import EngineOptions, Finding, hookimpl

if TYPE_CHECKING:
    from omni_agent.talker import Talker


@hookimpl
def register_talkers() -> Mapping[str, Callable[[EngineOptions], Awaitable[Talker]]]:
    return {"qwen3_omni": _start_talker}


async def _start_talker(options: EngineOptions) -> Talker:
    """``options.model`` is a checkpoint directory."""
    if options.model is None:
        raise EngineUnavailable(
            "the qwen3_omni engine needs a model: the directory of a Qwen3-Omni checkpoint"
        )
    try:
        from omni_agent.engines.qwen3_omni.talker.engine import start_talker
    except ImportError as error:
        raise EngineUnavailable(
            f"the qwen3_omni engine is not installed ({error.name} is missing); "
            "install omni_agent[qwen3-omni]"
        ) from error
    loop, told = asyncio.get_running_loop(), -1

    def progress(done: int, total: int) -> None:
        nonlocal told
        tenth = 10 * done // total if total else 10
        if tenth > told:
            told = tenth
            loop.call_soon_threadsafe(options.report, f"loading the Talker: {10 * tenth} %")

    return await start_talker(options.model, progress=progress)


@hookimpl
def register_examiners() -> Mapping[str, Callable[[EngineOptions], Iterable[Finding]]]:
    return {"qwen3-omni": _examine}


def _examine(options: EngineOptions) -> Iterable[Finding]:
    from omni_agent.engines.qwen3_omni.examining import examine

    return examine(options)
