"""Checks on a small model's tool calls; a call that fails is replaced by speech."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from omni_agent.conversation import Item, Message, ToolCall, ToolResult
from omni_agent.thinker import ToolCallRequest, ToolSchema

_WORD = re.compile(r"[^\W\d_]+|\d+")
_NUMERIC = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety
hundred thousand million billion half quarter third first second fourth fifth dozen twice double
triple squared cubed noon midnight today tomorrow tonight yesterday morning monday tuesday
wednesday thursday friday saturday sunday couple few single another once full max maximum"""
_NUMBERS = frozenset(_NUMERIC.split())
"""Words of which a model may rightly make digits: "seventeen" is 17, "an hour" is 1."""
_FILLERS = """the and for with from that this what are was of in on at to is it an a my me i you
please by"""
_SMALL = frozenset(_FILLERS.split())
_ALIKE = 0.75


def repeats(call: ToolCallRequest, items: Sequence[Item]) -> bool:
    """True when this very call was made already since the user last spoke."""
    for item in reversed(items):
        if isinstance(item, Message) and item.role == "user":
            return False
        if isinstance(item, ToolCall) and _same(item, call):
            return True
    return False


def _same(made: ToolCall, call: ToolCallRequest) -> bool:
    return made.name == call.name and dict(made.arguments) == dict(call.arguments)


def invented(call: ToolCallRequest, tool: ToolSchema, items: Sequence[Item]) -> str | None:
    """The name of an argument that the model made up.

    That is a free text of which nothing occurs in the conversation, or a required
    number when neither of the user's last two turns has any. Choices from a list,
    defaults and formatted values (dates) are the schema's business. Lenient on
    purpose: one word that sounds alike, or any number for any number, is enough.
    """
    properties: Mapping[str, Any] = tool.parameters.get("properties") or {}
    for name, value in call.arguments.items():
        schema = properties.get(name)
        if not isinstance(schema, Mapping) or value == schema.get("default"):
            continue
        if isinstance(value, str) and _is_free_text(schema):
            words = [word for word in _words(value) if word not in _SMALL]
            heard = set(_conversation_words(items))
            if words and not any(_occurs(word, heard) for word in words):
                return name
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if not _has_number(schema, value, items):
            return name
    return None


def trimmed(call: ToolCallRequest, tool: ToolSchema, items: Sequence[Item]) -> ToolCallRequest:
    """The call without what the model made up and need not say.

    "Cancel the timer." is no reason to ask for the label that it took from a demonstration.
    """
    required = tool.parameters.get("required") or ()
    while (name := invented(call, tool, items)) and name not in required:
        kept = {key: value for key, value in call.arguments.items() if key != name}
        call = replace(call, arguments=kept)
    return call


def _has_number(schema: Mapping[str, Any], value: float, items: Sequence[Item]) -> bool:
    """True when the user gave a number, or the value is one that words can mean (off, full)."""
    if value in (0, 1, schema.get("minimum"), schema.get("maximum")) or schema.get("enum"):
        return True
    spoken = [
        at for at, item in enumerate(items) if isinstance(item, Message) and item.role == "user"
    ]
    recent = items[spoken[-2:][0] :] if spoken else items
    return any(word.isdigit() or word in _NUMBERS for word in _conversation_words(recent))


def _is_free_text(schema: Mapping[str, Any]) -> bool:
    if any(key in schema for key in ("enum", "const", "format", "pattern", "$ref")):
        return False
    options = schema.get("anyOf") or schema.get("oneOf") or ()
    return all(isinstance(option, Mapping) and _is_free_text(option) for option in options)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _conversation_words(items: Iterable[Item]) -> Iterable[str]:
    for item in items:
        match item:
            case Message():
                yield from _words(item.text)
            case ToolResult():
                yield from _words(item.output)
            case ToolCall():
                for value in item.arguments.values():
                    yield from _words(str(value))


def _occurs(word: str, heard: set[str]) -> bool:
    if word in heard:
        return True
    if word.isdigit() or word in _NUMBERS:
        return any(other.isdigit() or other in _NUMBERS for other in heard)
    stem = word[: max(4, len(word) - 3)]
    if len(word) > 3 and any(other.startswith(stem) for other in heard):
        return True
    # Spelling is the transcript's, not the user's: "Reykyavik" is Reykjavik.
    return bool(difflib.get_close_matches(word, heard, 1, _ALIKE))
