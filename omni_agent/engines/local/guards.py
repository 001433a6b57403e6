"""Checks on a small model's tool calls; a call that fails is replaced by speech."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from omni_agent.conversation import Item, Message, ToolCall, ToolResult
from omni_agent.text import words
from omni_agent.thinker import ToolCallRequest, ToolSchema

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
_SPELLED = 8
"""Words of a value that may be heard in another spelling: each is compared with all that was
said, on the event loop."""
_TELLABLE = 160
"""Characters of a result that may be told as it is."""
_UNITS = "second seconds minute minutes hour hours day days week weeks"
_LENGTHS = frozenset(_UNITS.split())
_NUMBER = rf"(?:\d+|{'|'.join(sorted(_NUMBERS))})"
_LENGTH = re.compile(rf"\b(?:{_NUMBER}|an?|few|of an)[ -](?:{'|'.join(_LENGTHS)})\b")
_TIME_OF_DAY = re.compile(
    rf"\b(?:at|by|until|till|before) (?:about |around |half past |quarter (?:past|to) )?{_NUMBER}\b"
    rf"|\b{_NUMBER} ?(?:o'? ?clock|[ap]\.? ?m\b)|\b\d{{1,2}}:\d\d\b"
)


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
            content = [word for word in dict.fromkeys(words(value)) if word not in _SMALL]
            heard = set(_conversation_words(items))
            if content and not _any_occurs(content, heard):
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


def mistimed(call: ToolCallRequest, tool: ToolSchema, items: Sequence[Item]) -> bool:
    """True when a time of day was made a length of time: "wake me at seven" is no seven hours.

    English. The tool must want a unit of time, and the user's latest words have a time of day
    and no length of time.
    """
    properties: Mapping[str, Any] = tool.parameters.get("properties") or {}
    units = {
        str(unit)
        for name in call.arguments
        if isinstance(schema := properties.get(name), Mapping)
        for unit in schema.get("enum") or ()
    }
    if not units & _LENGTHS:
        return False
    said = next(
        (i.text.lower() for i in reversed(items) if isinstance(i, Message) and i.role == "user"), ""
    )
    return bool(_TIME_OF_DAY.search(said)) and not _LENGTH.search(said)


def untold(reply: str, items: Sequence[Item]) -> Sequence[str]:
    """Results of several tools at once of which a reply says nothing at all.

    The small models tell the last one and forget the others. Lenient: one word of a result, or
    its very number, is enough; what reads like data or is long is left to the model.
    """
    results: list[ToolResult] = []
    for item in reversed(items):
        if not isinstance(item, ToolResult):
            break
        results.insert(0, item)
    heard = set(words(reply))
    spelled = bool(heard & _NUMBERS)
    forgotten = []
    for result in results if len(results) > 1 else ():
        if not result.ok:
            continue
        text = " ".join(result.output.split())
        every = set(words(text))
        content = {word for word in every if len(word) > 3 and not word.isdigit()} - _NUMBERS
        told = content & heard if content else spelled or every & heard
        if not told and text and len(text) <= _TELLABLE and not set(text) & set("{}[]<>|"):
            forgotten.append(text if text[-1] in ".!?" else f"{text}.")
    return forgotten


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


def _conversation_words(items: Iterable[Item]) -> Iterable[str]:
    for item in items:
        match item:
            case Message():
                yield from words(item.text)
            case ToolResult():
                yield from words(item.output)
            case ToolCall():
                for value in item.arguments.values():
                    yield from words(str(value))


def _any_occurs(content: Sequence[str], heard: set[str]) -> bool:
    if any(_occurs(word, heard) for word in content):
        return True
    # Spelling is the transcript's, not the user's: "Reykyavik" is Reykjavik.
    alike = (difflib.get_close_matches(word, heard, 1, _ALIKE) for word in content[:_SPELLED])
    return any(alike)


def _occurs(word: str, heard: set[str]) -> bool:
    if word in heard:
        return True
    if word.isdigit() or word in _NUMBERS:
        return any(other.isdigit() or other in _NUMBERS for other in heard)
    stem = word[: max(4, len(word) - 3)]
    return len(word) > 3 and any(other.startswith(stem) for other in heard)
