"""A conversation as OpenAI chat messages (API reference, "Create chat completion")."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from omni_agent.conversation import (
    AudioPart,
    ImagePart,
    Item,
    Message,
    Part,
    TextPart,
    ToolCall,
    ToolResult,
    VideoPart,
    rounds,
)
from omni_agent.engines.remote.keepsakes import Keepsakes
from omni_agent.engines.remote.recordings import Recordings
from omni_agent.errors import EngineError
from omni_agent.thinker import ThinkRequest, ToolSchema

Json = dict[str, Any]

_HEARD, _BLOCK = 16, 8
"""Fewer than this many utterances go as audio, older ones as their words, a block at a
time: one by one, every turn would change the prompt's beginning and no prefix stay cached."""
_FRAMES = 8
"""Pictures of a video that are sent, evenly spread: servers bound how many a message has."""
_FOUND = "[Found for what is said next; the user has not said it.]"
_UNKNOWN = "[words that nobody wrote down]"


def messages(
    request: ThinkRequest,
    recordings: Recordings | None = None,
    keepsakes: Keepsakes | None = None,
    *,
    older: bool = True,
) -> list[Json]:
    """System prompt and items; calls of one round become one message, and every call is
    followed by its result, as servers insist, whatever was said in between.

    recordings: for a server that hears, which gets the users' recent utterances as
    audio; without them it gets their words. older: False for one that takes the latest only.
    keepsakes: what a server wants back with its calls. Raises EngineError when the last
    utterance has no words.
    """
    results = {item.call_id: item for item in request.items if isinstance(item, ToolResult)}
    heard = _heard(request.items, older=older) if recordings is not None else frozenset()
    if recordings is None:
        _insist_on_words(request.items)
    rows: list[Json] = []
    if request.instructions.strip():
        rows.append({"role": "system", "content": request.instructions.strip()})
    for group in rounds(_with_findings(item for item in request.items if not _empty(item))):
        if isinstance(group[0], ToolCall):
            calls = [item for item in group if isinstance(item, ToolCall)]
            made = [_call(call, keepsakes) for call in calls]
            rows.append({"role": "assistant", "content": None, "tool_calls": made})
            rows.extend(_result(call, results.get(call.call_id)) for call in calls)
            continue
        rows.extend(
            _message(item, recordings if item.id in heard else None)
            for item in group
            if isinstance(item, Message)
        )
    return rows


def _with_findings(items: Iterable[Item]) -> Iterator[Item]:
    """The items; what was found for a user's turn begins its message. Chat templates that take a
    system message at the beginning alone are common, and what was found is no instruction."""
    found: list[Part] = []
    for item in items:
        if isinstance(item, Message) and item.retrieved:
            found += [TextPart(f"{_FOUND}\n{item.text}\n"), *filter(_is_seen, item.parts)]
        elif isinstance(item, Message) and item.role == "user" and found:
            yield replace(item, parts=(*found, *item.parts))
            found = []
        else:
            yield item


def _is_seen(part: Part) -> bool:
    return isinstance(part, ImagePart | VideoPart)


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


def recorded(items: Sequence[Item]) -> int:
    """How many of the users' messages have audio in them."""
    return len(_utterances(items))


def _utterances(items: Sequence[Item]) -> list[Message]:
    """The users' messages that have audio in them, in order."""
    return [item for item in _said(items) if any(map(_sounds, item.parts))]


def _sounds(part: Part) -> bool:
    return isinstance(part, AudioPart) or (isinstance(part, VideoPart) and part.audio is not None)


def _said(items: Sequence[Item]) -> list[Message]:
    return [item for item in items if isinstance(item, Message) and item.role == "user"]


def _heard(items: Sequence[Item], *, older: bool) -> Collection[str]:
    """Ids of the messages to send as audio: the recent ones, and those without words."""
    utterances = _utterances(items)
    if not older:
        return {message.id for message in utterances[-1:]}
    first = max(0, len(utterances) - _HEARD + _BLOCK) // _BLOCK * _BLOCK
    return {
        message.id for place, message in enumerate(utterances) if place >= first or not message.text
    }


def _insist_on_words(items: Sequence[Item]) -> None:
    last = _said(items)[-1:]
    if last and _has(last[0], AudioPart) and not last[0].text:
        raise EngineError(
            "the user's utterance was not transcribed and the server does not hear: use ears "
            "that transcribe, or a server whose model takes audio"
        )


def _has(message: Message, kind: type[Part]) -> bool:
    return any(isinstance(part, kind) for part in message.parts)


def _empty(item: Item) -> bool:
    """A message of no words."""
    if not isinstance(item, Message) or item.text:
        return False
    return all(isinstance(part, TextPart) for part in item.parts)


def _message(message: Message, recordings: Recordings | None) -> Json:
    """recordings: where the audio goes as audio."""
    seen = _has(message, ImagePart) or _has(message, VideoPart)
    if recordings is None and not seen:
        text = message.text or _UNKNOWN
        return {"role": message.role, "content": f"{text} …" if message.interrupted else text}
    content: list[Json] = []
    for place, part in enumerate(message.parts):
        if isinstance(part, ImagePart):
            content.append(_picture(part))
        elif isinstance(part, VideoPart):
            content.extend(map(_picture, _stills(part)))
        if isinstance(part, AudioPart | VideoPart) and part.audio and recordings is not None:
            data = recordings.encoded(message.id, place, part.audio)
            content.append({"type": "input_audio", "input_audio": {"data": data, "format": "wav"}})
        elif words := _words(part):
            content.append({"type": "text", "text": words})
    return {"role": message.role, "content": content}


def _picture(part: ImagePart) -> Json:
    url = f"data:{part.mime};base64,{base64.b64encode(part.data).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def _stills(part: VideoPart) -> list[ImagePart]:
    """A few of a video's pictures, from the first to the last."""
    count = min(_FRAMES, len(part.frames))
    chosen = (at * (len(part.frames) - 1) // max(1, count - 1) for at in range(count))
    return [ImagePart(part.frames[at], part.mime) for at in chosen]


def _words(part: Part) -> str:
    """Of a text or a transcribed utterance; what is seen needs none."""
    match part:
        case TextPart():
            return part.text
        case AudioPart():
            return part.transcript or ""
        case ImagePart() | VideoPart():
            return ""


def _call(call: ToolCall, keepsakes: Keepsakes | None) -> Json:
    row: Json = {
        "id": call.call_id,
        "type": "function",
        "function": {"name": call.name, "arguments": _arguments(call)},
    }
    if keepsakes and (extra := keepsakes.of(call.call_id)):
        row["extra_content"] = extra
    return row


def _arguments(call: ToolCall) -> str:
    """As JSON that every server reads: what is none would fail each later turn."""
    try:
        return json.dumps(dict(call.arguments), ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        return "{}"


def _result(call: ToolCall, result: ToolResult | None) -> Json:
    content = "still running" if result is None else result.told
    return {"role": "tool", "tool_call_id": call.call_id, "content": content}
