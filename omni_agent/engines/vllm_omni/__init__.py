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

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from omni_agent.engine import Engine, StageName, StageOptions
from omni_agent.finding import Finding
from omni_agent.hookspecs import hookimpl

if TYPE_CHECKING:
    from omni_agent.talker import Talker
    from omni_agent.thinker import Thinker

NAME = "vllm-omni"


@hookimpl
def register_engines() -> Sequence[Engine]:
    from omni_agent.engines.local import start_ears
    from omni_agent.engines.remote import check_address

    return [
        Engine(
            NAME,
            thinker=start_thinker,
            talker=start_talker,
            ears=start_ears,
            takes={"thinker": ("model",), "talker": ("model",), "ears": ("model", "light")},
            served={"thinker", "talker"},
            examine=_examine,
            check=check_address,
        )
    ]


def _examine(stages: Mapping[StageName, StageOptions]) -> Iterator[Finding]:
    from omni_agent.engines.local.examining import examine as examine_ears
    from omni_agent.engines.remote.examining import examine as examine_server

    if server := stages.get("thinker") or stages.get("talker"):
        yield from examine_server(server)
    if ears := stages.get("ears"):
        yield from examine_ears({"ears": ears})


async def start_thinker(options: StageOptions) -> Thinker:
    """Needs ``options.base_url``: one or several vllm-omni servers, separated by commas.

    Raises ConfigError for a wrong address, EngineUnavailable when nobody answers.
    """
    from omni_agent.engines.vllm_omni.thinker import VllmOmniThinker

    return await VllmOmniThinker.start(options.base_url, options.model, options.api_key)


async def start_talker(options: StageOptions) -> Talker:
    """Needs ``options.base_url``, as the Thinker does, and raises the same."""
    from omni_agent.engines.vllm_omni.talker import VllmOmniTalker

    return await VllmOmniTalker.start(options.base_url, options.model, options.api_key)
