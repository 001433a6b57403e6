"""Tool calls decoded under their schemas, as an xgrammar structural tag.

Words are free; from ``<tool_call>`` on only a call that can be read is possible. See
https://xgrammar.mlc.ai/docs/tutorials/structural_tag.html
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from xgrammar import Grammar

from omni_agent.thinker import ToolSchema

log = logging.getLogger(__name__)

_BEGIN, _END = "<tool_call>\n", "\n</tool_call>"
_THOUGHT = "</think>\n\n"


def structural_tag(tools: Sequence[ToolSchema], *, required: bool, thinking: bool = False) -> str:
    """JSON for vLLM's ``structural_tag``. required: one call and no words.

    thinking: the reply begins inside ``<think>``; thoughts are free.
    """
    tags = [_tag(tool) for tool in tools]
    words: dict[str, Any] = {"type": "triggered_tags", "triggers": ["<tool_call>"], "tags": tags}
    calls: dict[str, Any] = {
        "type": "tags_with_separator",
        "separator": "\n",
        "tags": tags,
        "at_least_one": True,
        "stop_after_first": True,
    }
    reply = calls if required else words
    if thinking:
        thought = {"type": "tag", "begin": "", "content": {"type": "any_text"}, "end": _THOUGHT}
        reply = {"type": "sequence", "elements": [thought, reply]}
    return _written(reply)


def _tag(tool: ToolSchema) -> dict[str, Any]:
    tag = _call(tool.name, tool.parameters)
    return tag if _compiles(tool.name, _written(tag)) else _call(tool.name, {"type": "object"})


def _call(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "tag",
        "begin": f'{_BEGIN}{{"name": {json.dumps(name)}, "arguments": ',
        "content": {
            "type": "json_schema",
            "json_schema": dict(parameters),
            "max_whitespace_cnt": 1,
        },
        "end": f"}}{_END}",
    }


def _written(format_: Mapping[str, Any]) -> str:
    return json.dumps({"type": "structural_tag", "format": format_})


@lru_cache(maxsize=256)
def _compiles(name: str, tag: str) -> bool:
    """False for a schema beyond xgrammar, with which vLLM would refuse every prompt."""
    try:
        Grammar.from_structural_tag(tag)
    except (RuntimeError, ValueError) as error:
        log.warning(
            "the schema of %s cannot guide decoding (%s): its arguments may be any object, and "
            "are checked when it is called", name, str(error).strip(),
        )  # fmt: skip
        return False
    return True
