"""A Qwen3 model's text, as it comes, split into speech, thinking and tool calls.

The format is the one of Qwen3's chat template: ``<think>…</think>`` and, any
number of times, ``<tool_call>{"name": …, "arguments": {…}}</tool_call>``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from omni_agent.conversation import new_id
from omni_agent.thinker import (
    MalformedCall,
    ReasoningDelta,
    TextDelta,
    Thought,
    ToolCallBegun,
    ToolCallRequest,
)

LONGEST_CALL = 100_000
"""Characters; a longer call is a runaway generation, and is not kept."""
MOST_CALLS = 16
"""Of one reply; the first call beyond is refused, those after it are dropped."""

_THINK, _THOUGHT = "<think>", "</think>"
_CALL, _CALLED = "<tool_call>", "</tool_call>"
_FENCE = "```"


class HermesParser:
    """Reads one reply: ``feed`` it text cut anywhere, then ``finish``.

    Cutting the text differently changes no thought (neighbouring deltas joined).

    - Nothing between an opening tag and the closing tag that matches it is ever
      speech, nor is any tag. An opening tag that is repeated at once counts once,
      elsewhere it nests. In a string of a call's JSON there are no tags. What is
      never closed lasts to the end: all doubt falls on the side of silence.
    - A call inside thinking is thinking: to think about a call is not to make it.
    - Text goes out at once, but for what may still become a tag, and for newlines:
      they wait for the next word, because next to a tag they are layout.
    - A call that cannot be read exactly is a MalformedCall. Whether a tool of its
      name exists is for the ledger to say.

    thinking: the reply starts inside ``<think>``; the Thinking variant's prompt
    ends with that tag.
    """

    def __init__(self, *, thinking: bool = False) -> None:
        self._thinking = int(thinking)  # how many <think> are open
        self._fresh = thinking  # no word yet since the outermost of them
        self._call: _Call | None = None
        self._calls = 0
        self._spoken, self._reasoned = _Words(), _Words()
        self._tag = ""  # what may become a tag
        self._released: list[str] = []
        self._thoughts: list[Thought] = []
        if thinking:
            self._reasoned.tag()

    def feed(self, text: str) -> list[Thought]:
        """The thoughts that ``text`` completes."""
        for character in text:
            self._push(character)
        return self._take()

    def finish(self, cut: bool) -> list[Thought]:
        """What the end of the reply decides. cut: the token limit ended it, not the model."""
        if self._call is not None:
            self._content(self._tag)
            self._call.refuse(f"the reply {'was cut off' if cut else 'ended'} inside a call")
            self._conclude(self._call)
        elif not (self._tag and cut):  # half a tag, then cut: it was going to be one
            self._content(self._tag)
            self._released.append(self._words.end())
        self._tag = ""
        return self._take()

    def _take(self) -> list[Thought]:
        self._flush()
        thoughts, self._thoughts = self._thoughts, []
        return thoughts

    def _flush(self) -> None:
        text = "".join(self._released)
        self._released.clear()
        if text:
            self._thoughts.append(ReasoningDelta(text) if self._thinking else TextDelta(text))

    # -- characters --------------------------------------------------------------------

    def _push(self, character: str) -> None:
        if self._tag:
            begun = self._tag + character
            tags = self._tags()
            if begun in tags:
                self._tag = ""
                self._flush()
                self._turn(begun)
                return
            if any(tag.startswith(begun) for tag in tags):
                self._tag = begun
                return
            released, self._tag = self._tag, ""
            self._content(released)  # "<" only begins a tag: none begins within this
        if character == "<" and not (self._call and self._call.quoted):
            self._tag = character
        else:
            self._content(character)

    def _tags(self) -> tuple[str, ...]:
        if self._call is not None:
            return (_CALL, _CALLED)
        return (_THINK, _THOUGHT) if self._thinking else (_THINK, _THOUGHT, _CALL, _CALLED)

    @property
    def _words(self) -> _Words:
        return self._reasoned if self._thinking else self._spoken

    def _content(self, text: str) -> None:
        for character in text:
            if self._call is None:
                released = self._words.push(character)
                self._fresh = self._fresh and not released
                self._released.append(released)
            elif name := self._call.push(character):
                self._thoughts.append(ToolCallBegun(name))

    # -- tags --------------------------------------------------------------------------

    def _turn(self, tag: str) -> None:
        """A tag is complete: begin or end thinking or a call."""
        self._spoken.tag()
        self._reasoned.tag()
        if self._call is not None:
            if self._call.tag(tag):
                self._conclude(self._call)
        elif tag == _CALL:
            self._calls += 1
            self._call = _Call()
            if self._calls > MOST_CALLS:
                self._call.refuse(f"more than {MOST_CALLS} calls in one reply")
        elif tag == _THINK:
            self._thinking += 0 if self._thinking and self._fresh else 1
            self._fresh = self._thinking == 1
        elif tag == _THOUGHT:
            self._thinking = max(0, self._thinking - 1)

    def _conclude(self, call: _Call) -> None:
        self._call = None
        if self._calls <= MOST_CALLS + 1:  # the flood behind it is not worth a word each
            self._thoughts.append(call.thought())


class _Words:
    """Speech, or thinking: decides about the white space in it.

    Next to a tag it is layout; one space stands for it where words go on behind.
    """

    def __init__(self) -> None:
        self._begun = False
        self._after_tag = False  # only white space since a tag
        self._gap = False  # white space was dropped since the last word
        self._held = ""

    def push(self, character: str) -> str:
        """What can go out now."""
        waits = self._after_tag or self._held or not self._begun or character in "\r\n"
        if waits and character.isspace():
            self._held += character
            return ""
        held = self._held
        if self._after_tag:
            held = " " if self._begun and (held or self._gap) else ""
        self._begun, self._after_tag, self._gap, self._held = True, False, False, ""
        return held + character

    def tag(self) -> None:
        self._gap = self._gap or bool(self._held)
        self._after_tag, self._held = True, ""

    def end(self) -> str:
        """What is left when the reply ends here."""
        held, self._held = self._held, ""
        return "" if self._after_tag else held


class _Call:
    """One call as it comes: its text up to a bound, whether it is in a string, its name."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._depth = 1  # how many <tool_call> are open
        self._blank = True
        self._fault = ""
        self._scan = _Scan()

    @property
    def quoted(self) -> bool:
        return self._scan.quoted

    def refuse(self, reason: str) -> None:
        self._fault = self._fault or reason

    def push(self, character: str) -> str:
        """The call's name, when this character completes it."""
        self._blank = self._blank and character.isspace()
        if len(self._text) < LONGEST_CALL:
            self._text.append(character)
        else:
            self.refuse(f"a call longer than {LONGEST_CALL:,} characters")
        name = self._scan.push(character)
        return "" if self._fault else name

    def tag(self, tag: str) -> bool:
        """True when this tag ends the call."""
        if tag == _CALLED:
            self._depth -= 1
        elif not self._blank:
            self._depth += 1
            self.refuse("a call inside a call")
        if self._depth and not self._blank:
            for character in tag:
                self.push(character)
        return self._depth == 0

    def thought(self) -> ToolCallRequest | MalformedCall:
        raw = "".join(self._text).strip()
        if self._fault:
            return MalformedCall(raw, self._fault)
        try:
            name, arguments = read_call(raw)
        except ValueError as error:
            return MalformedCall(raw, str(error))
        return ToolCallRequest(new_id("call"), name, arguments)


class _Scan:
    """Follows JSON character by character, without judging it; bounded memory."""

    def __init__(self) -> None:
        self.quoted = False
        self._escaped = False
        self._string: list[str] = []
        self._depth = 0
        self._key = ""  # the latest string of the outermost object
        self._valued = False  # it was a key: its colon has come
        self._named = False

    def push(self, character: str) -> str:
        """The outermost ``"name"`` when its string ends here, else an empty string."""
        if self.quoted:
            return self._in_string(character)
        match character:
            case '"':
                self.quoted, self._string = True, [character]
            case "{" | "[":
                self._depth += 1
            case "}" | "]":
                self._depth -= 1
            case ":" | "," if self._depth == 1:
                self._valued = character == ":"
            case _:
                pass
        return ""

    def _in_string(self, character: str) -> str:
        if len(self._string) < LONGEST_CALL:
            self._string.append(character)
        if self._escaped or character == "\\":
            self._escaped = not self._escaped
        elif character == '"':
            self.quoted = False
            return self._string_ended() if self._depth == 1 and not self._named else ""
        return ""

    def _string_ended(self) -> str:
        try:
            string = _parsed("".join(self._string))
        except ValueError:
            return ""
        if self._valued and self._key == "name":
            self._named = True
            return str(string)
        self._key = str(string)
        return ""


def read_call(text: str) -> tuple[str, dict[str, Any]]:
    """Name and arguments of ``{"name": …, "arguments": {…}}``, perhaps in a Markdown fence.

    Arguments may be missing (there are none) or a string that holds the object.
    Raises ValueError with a reason for anything else.
    """
    if text.startswith(_FENCE) and text.endswith(_FENCE):
        text = text.removeprefix(_FENCE).removesuffix(_FENCE).removeprefix("json")
    call = _parsed(text)
    if not isinstance(call, dict):
        raise ValueError("a call must be a JSON object")
    if "name" not in call:
        raise ValueError("a call without a name")
    name, arguments = call.pop("name"), call.pop("arguments", {})
    if not isinstance(name, str) or not name:
        raise ValueError("a name must be a string, and not empty")
    if call:
        raise ValueError(f"a call has a name and arguments, not {next(iter(call))[:40]!r}")
    if isinstance(arguments, str):
        arguments = _parsed(arguments)
    if not isinstance(arguments, dict):
        raise ValueError("arguments must be a JSON object")
    return name, arguments


def _parsed(text: str) -> Any:
    """JSON by RFC 8259. Raises ValueError.

    Also for what Python alone would read: NaN, infinities, keys that are given
    twice, and lone surrogates, which nothing downstream could write out.
    """
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_float=_finite, parse_constant=_finite
        )
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("not JSON: nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    return value


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key[:40]!r} is given twice")
        found[key] = value
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is not a number of JSON")
    return value
