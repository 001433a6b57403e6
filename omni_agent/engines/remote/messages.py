"""A conversation as OpenAI chat messages (API reference, "Create chat completion")."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

from omni_agent.conversation import ImagePart, Item, Message, ToolCall, ToolResult
from omni_agent.thinker import ThinkRequest, ToolSchema

Json = dict[str, Any]


def messages(request: ThinkRequest) -> list[Json]:
    """System prompt and items; calls that stand together become one message, and every
    call is followed by its result, as servers insist, whatever was said in between.
    """
    results = {item.call_id: item for item in request.items if isinstance(item, ToolResult)}
    rows: list[Json] = []
    if request.instructions.strip():
        rows.append({"role": "system", "content": request.instructions.strip()})
    for group in _groups(request.items):
        if isinstance(group[0], ToolCall):
            calls = [item for item in group if isinstance(item, ToolCall)]
            rows.append(
                {"role": "assistant", "content": None, "tool_calls": list(map(_call, calls))}
            )
            rows.extend(_result(call, results.get(call.call_id)) for call in calls)
        else:
            rows.extend(_message(item) for item in group if isinstance(item, Message))
    return rows


def tools(schemas: Sequence[ToolSchema]) -> list[Json]:
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": dict(tool.parameters),
            },
        }
        for tool in schemas
    ]


def _groups(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Neighbouring calls together; results are left out (their call brings them)."""
    group: list[Item] = []
    for item in items:
        if isinstance(item, ToolResult) or (isinstance(item, Message) and _empty(item)):
            continue
        if group and not (isinstance(item, ToolCall) and isinstance(group[-1], ToolCall)):
            yield group
            group = []
        group.append(item)
    if group:
        yield group


def _empty(message: Message) -> bool:
    return not message.text and not any(isinstance(part, ImagePart) for part in message.parts)


def _message(message: Message) -> Json:
    pictures = [part for part in message.parts if isinstance(part, ImagePart)]
    text = f"{message.text} …" if message.interrupted else message.text
    if not pictures:
        return {"role": message.role, "content": text}
    content: list[Json] = [{"type": "text", "text": text}] if text else []
    for picture in pictures:
        data = base64.b64encode(picture.data).decode()
        content.append(
            {"type": "image_url", "image_url": {"url": f"data:{picture.mime};base64,{data}"}}
        )
    return {"role": message.role, "content": content}


def _call(call: ToolCall) -> Json:
    arguments = json.dumps(dict(call.arguments), ensure_ascii=False)
    return {
        "id": call.call_id,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def _result(call: ToolCall, result: ToolResult | None) -> Json:
    if result is None:
        content = "still running"
    else:
        content = result.output if result.ok else f"failed: {result.output}"
    return {"role": "tool", "tool_call_id": call.call_id, "content": content}
