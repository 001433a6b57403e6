"""A Thinker on any OpenAI-compatible chat server, or on several: ``--base-url URL[,URL…]``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from omni_agent.engine import Engine, StageName, StageOptions
from omni_agent.finding import Finding
from omni_agent.hookspecs import hookimpl

if TYPE_CHECKING:
    from omni_agent.thinker import Thinker

NAME = "remote"


@hookimpl
def register_engines() -> Sequence[Engine]:
    return [
        Engine(
            NAME,
            thinker=start_thinker,
            takes={"thinker": ("model",)},
            served={"thinker"},
            default=True,
            examine=_examine,
            check=check_address,
        )
    ]


def _examine(stages: Mapping[StageName, StageOptions]) -> Iterable[Finding]:
    from omni_agent.engines.remote.examining import examine

    return examine(stages["thinker"])


def check_address(stage: StageName, options: StageOptions) -> None:
    """Raises StageOptionError for a base_url that cannot be one; whether there is one, who starts
    finds."""
    if options.base_url:
        from omni_agent.engines.remote.servers import addresses

        addresses(options.base_url)


async def start_thinker(options: StageOptions) -> Thinker:
    """Needs ``options.base_url``, e.g. ``http://127.0.0.1:8000/v1``, or several with commas.

    ``options.model`` None asks the servers which model they have. Raises ConfigError
    for a wrong address, EngineUnavailable when nobody answers.
    """
    from omni_agent.engines.remote.thinker import OpenAIThinker

    return await OpenAIThinker.start(options.base_url, options.model, options.api_key)
