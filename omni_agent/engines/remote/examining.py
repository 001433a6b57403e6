"""Whether a server that thinks is there, for ``omni-agent doctor``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from omni_agent.engine import StageOptions
from omni_agent.engines.remote.thinker import OpenAIThinker
from omni_agent.errors import ConfigError, EngineUnavailable
from omni_agent.finding import Finding


def examine(options: StageOptions) -> Iterator[Finding]:
    """One finding: what the servers offer, or why nobody thinks."""
    try:
        model = asyncio.run(_met(options))
    except (ConfigError, EngineUnavailable) as error:
        yield Finding("server", str(error), "mend the address, the model or the key, or start it")
    else:
        yield Finding("server", f"{options.base_url} thinks with {model}")


async def _met(options: StageOptions) -> str:
    thinker = await OpenAIThinker.start(options.base_url, options.model, options.api_key)
    try:
        return thinker.servers.model
    finally:
        await thinker.aclose()
