"""A vllm-omni server that thinks and speaks: ``--engine vllm-omni --base-url …``.

The server answers with text and audio at once, so nothing stands between its Thinker
and its Talker: a text filter changes captions and the conversation, not what is heard;
no word can be replaced, approved or held back before it is voiced; the persona's Talker
prompt, tempo and pauses do not reach the voice. Tools are called as far as the server
is set up for them. For all of that, take the qwen3-omni engine, or ``remote`` with a
Talker here.

The server hears the user, but does not tell when a turn is over: ears are the local
engine's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from omni_agent.hookspecs import EngineOptions, hookimpl

if TYPE_CHECKING:
    from omni_agent.ears import Ears
    from omni_agent.talker import Talker
    from omni_agent.thinker import Thinker

NAME = "vllm-omni"


@hookimpl
def register_thinkers() -> Mapping[str, Callable[[EngineOptions], Awaitable[Thinker]]]:
    return {NAME: start_thinker}


@hookimpl
def register_talkers() -> Mapping[str, Callable[[EngineOptions], Awaitable[Talker]]]:
    return {NAME: start_talker}


@hookimpl
def register_ears() -> Mapping[str, Callable[[EngineOptions], Awaitable[Ears]]]:
    from omni_agent.engines.local import start_ears

    return {NAME: start_ears}


async def start_thinker(options: EngineOptions) -> Thinker:
    """Needs ``options.base_url``: one or several vllm-omni servers, separated by commas.

    Raises ConfigError for a wrong address, EngineUnavailable when nobody answers.
    """
    from omni_agent.engines.vllm_omni.thinker import VllmOmniThinker

    return await VllmOmniThinker.start(options.base_url, options.model, options.api_key)


async def start_talker(options: EngineOptions) -> Talker:
    """Needs ``options.base_url``, as the Thinker does, and raises the same."""
    from omni_agent.engines.vllm_omni.talker import VllmOmniTalker

    return await VllmOmniTalker.start(options.base_url, options.model, options.api_key)
