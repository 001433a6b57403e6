"""A Thinker on any OpenAI-compatible chat server, or on several: ``--base-url URL[,URL…]``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from omni_agent.hookspecs import EngineOptions, hookimpl

if TYPE_CHECKING:
    from omni_agent.thinker import Thinker

NAME = "remote"


@hookimpl
def register_thinkers() -> Mapping[str, Callable[[EngineOptions], Awaitable[Thinker]]]:
    return {NAME: start_thinker}


async def start_thinker(options: EngineOptions) -> Thinker:
    """Needs ``options.base_url``, e.g. ``http://127.0.0.1:8000/v1``, or several with commas.

    ``options.model`` None asks the servers which model they have. Raises ConfigError
    for a wrong address, EngineUnavailable when nobody answers.
    """
    from omni_agent.engines.remote.thinker import OpenAIThinker

    return await OpenAIThinker.start(options.base_url, options.model, options.api_key)
