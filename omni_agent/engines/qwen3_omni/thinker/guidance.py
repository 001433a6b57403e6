"""Tool calls decoded under their schemas, as an xgrammar structural tag.

Words are free; from ``<tool_call>`` on only a call that can be read is possible. See
https://xgrammar.mlc.ai/docs/tutorials/structural_tag.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from omni_agent.thinker import ToolSchema

_BEGIN, _END = "<tool_call>\n", "\n</tool_call>"


def structural_tag(tools: Sequence[ToolSchema], *, required: bool) -> str:
    """JSON for vLLM's ``structural_tag``. required: one call and no words."""
    tags = [_tag(tool.name, tool.parameters) for tool in tools]
    words: dict[str, Any] = {"type": "triggered_tags", "triggers": ["<tool_call>"], "tags": tags}
    calls: dict[str, Any] = {
        "type": "tags_with_separator",
        "separator": "\n",
        "tags": tags,
        "at_least_one": True,
        "stop_after_first": True,
    }
    return json.dumps({"type": "structural_tag", "format": calls if required else words})


def _tag(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
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
