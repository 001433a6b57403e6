"""What was said, by whom, and how much of it was heard."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from omni_agent.audio import AudioFrame

Role = Literal["user", "assistant", "system"]


def whole(text: str) -> str:
    """``text`` without halves of characters: two that meet become one, a lone one U+FFFD.

    JSON can spell a half of a UTF-16 pair, and servers, tools and clients do; UTF-8 cannot, so
    that one in a conversation would fail every later turn.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def whole_json(value: Any) -> Any:
    """A JSON value whose every text is whole."""
    match value:
        case str():
            return whole(value)
        case Mapping():
            return {whole_json(key): whole_json(item) for key, item in value.items()}
        case list() | tuple():
            return [whole_json(item) for item in value]
        case _:
            return value


def new_id(prefix: str) -> str:
    """A fresh id such as ``item_3f2a…``."""
    return f"{prefix}_{uuid.uuid4().hex[:20]}"


@dataclass(frozen=True, slots=True)
class TextPart:
    text: str


@dataclass(frozen=True, slots=True)
class AudioPart:
    """An utterance. ``transcript`` is None when nobody has transcribed it (yet)."""

    audio: AudioFrame
    transcript: str | None = None


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An encoded picture, e.g. a camera frame. mime: ``image/jpeg`` and the like."""

    data: bytes
    mime: str


@dataclass(frozen=True, slots=True, weakref_slot=True)
class VideoPart:
    """A clip: encoded pictures in order, ``fps`` of them a second, all of the type ``mime``.

    audio: its sound, which begins with the first picture. Words spoken in it belong in
    a TextPart beside it, for engines that do not hear.
    """

    frames: tuple[bytes, ...]
    fps: float
    audio: AudioFrame | None = None
    mime: str = "image/jpeg"


Part = TextPart | AudioPart | ImagePart | VideoPart


@dataclass(frozen=True, slots=True)
class Message:
    """A message. ``interrupted`` marks an assistant message cut to what was heard."""

    role: Role
    parts: tuple[Part, ...]
    id: str = field(default_factory=lambda: new_id("item"))
    interrupted: bool = False

    @property
    def text(self) -> str:
        """The words: text parts and transcripts of audio parts."""
        words = (
            part.text if isinstance(part, TextPart) else (part.transcript or "")
            for part in self.parts
            if isinstance(part, TextPart | AudioPart)
        )
        return " ".join(word for word in words if word)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """``run``: the Thinker's run that it came from; empty when nobody knows."""

    call_id: str
    name: str
    arguments: Mapping[str, Any]
    id: str = field(default_factory=lambda: new_id("item"))
    run: str = ""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """``output`` is what the Thinker reads; ``ok`` is False for any failure."""

    call_id: str
    output: str
    ok: bool = True
    id: str = field(default_factory=lambda: new_id("item"))

    @property
    def told(self) -> str:
        """The output as a Thinker reads it; a failure in words that it may say as they are."""
        return self.output if self.ok else f"That did not work. {self.output}"


Item = Message | ToolCall | ToolResult


def user(text: str) -> Message:
    return Message("user", (TextPart(text),))


def assistant(text: str) -> Message:
    return Message("assistant", (TextPart(text),))


def rounds(items: Iterable[Item]) -> Iterator[list[Item]]:
    """The calls that a Thinker made at once together, every message alone.

    A result ends its round and is left out: prompts that want it beside its call find it
    by ``call_id``.
    """
    group: list[Item] = []
    for item in items:
        if group and not (isinstance(item, ToolCall) and isinstance(group[-1], ToolCall)):
            yield group
            group = []
        if not isinstance(item, ToolResult):
            group.append(item)
    if group:
        yield group


def as_read(items: Iterable[Item]) -> list[Item]:
    """The items as a Thinker is to read them: calls made at once together, their results next.

    Calls stay where they were made unless something was said before their last result came.
    Then all of them move there: models tell a result that stands at the end, and none that
    they seem to have passed over, but servers insist on results right after their calls.
    """
    items = list(items)
    results = {item.call_id: at for at, item in enumerate(items) if isinstance(item, ToolResult)}
    placed: dict[int, list[Item]] = {}
    for made in _made_at_once(items):
        calls = [item for at in made if isinstance(item := items[at], ToolCall)]
        came = [results[call.call_id] for call in calls if call.call_id in results]
        first, last = made[0], max(came, default=made[0])
        late = any(map(_says_something, items[first:last]))
        placed[last if late else first] = [*calls, *(items[at] for at in sorted(came))]
    ordered: list[Item] = []
    for at, item in enumerate(items):
        ordered += placed.get(at, [item] if isinstance(item, Message) else [])
    return ordered


def _made_at_once(items: Sequence[Item]) -> Iterable[list[int]]:
    """Where the calls of each run of the Thinker are; without a run, calls side by side."""
    runs: dict[str, list[int]] = {}
    beside = ""
    for at, item in enumerate(items):
        if isinstance(item, ToolCall):
            beside = item.run or beside or item.id
            runs.setdefault(beside, []).append(at)
        else:
            beside = ""
    return runs.values()


def _says_something(item: Item) -> bool:
    """A message of which anything is left."""
    if not isinstance(item, Message):
        return False
    return bool(item.text) or not all(isinstance(part, TextPart) for part in item.parts)


def _whole_item(item: Item) -> Item:
    match item:
        case ToolCall():
            return replace(item, arguments=whole_json(item.arguments))
        case ToolResult():
            return replace(item, output=whole(item.output))
        case Message():
            return replace(item, parts=tuple(map(_whole_part, item.parts)))


def _whole_part(part: Part) -> Part:
    match part:
        case TextPart():
            return TextPart(whole(part.text))
        case AudioPart(transcript=str(words)) if whole(words) != words:
            return replace(part, transcript=whole(words))
        case _:
            return part


class Conversation:
    """The ordered items of one call.

    ``on_change(item)`` is told of every item added or replaced, so that a store
    can keep it (ids are stable: writing an item again replaces it).
    """

    def __init__(self, on_change: Callable[[Item], None] | None = None) -> None:
        self._items: dict[str, Item] = {}
        self._on_change = on_change

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    @property
    def items(self) -> tuple[Item, ...]:
        return tuple(self._items.values())

    @property
    def asked(self) -> Message | None:
        """What the user said last."""
        said = (item for item in reversed(self._items.values()) if isinstance(item, Message))
        return next((message for message in said if message.role == "user"), None)

    @property
    def told(self) -> str:
        """What of the agent's words was heard last."""
        said = (item for item in reversed(self._items.values()) if isinstance(item, Message))
        return next((item.text for item in said if item.role == "assistant" and item.text), "")

    def get(self, item_id: str) -> Item | None:
        return self._items.get(item_id)

    def add(self, item: Item) -> None:
        """Append, or replace in place when the id is known. Its texts become whole."""
        item = _whole_item(item)
        self._items[item.id] = item
        if self._on_change:
            self._on_change(item)

    def truncate(self, item_id: str, heard: str) -> Message | None:
        """Cut an assistant message to what was heard.

        Returns the message as it now stands, or None when there is no such
        assistant message or nothing to cut. A message of which nothing was
        heard stays, empty and marked, so that the turn order is kept.
        """
        item = self._items.get(item_id)
        if not isinstance(item, Message) or item.role != "assistant" or item.text == heard:
            return None
        cut = replace(item, parts=(TextPart(heard),), interrupted=True)
        self.add(cut)
        return cut
