"""What was said, by whom, and how much of it was heard."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Any, Literal, get_args

from omni_agent.audio import AudioFrame, is_audio
from omni_agent.frozen import frozen
from omni_agent.utf8 import whole, whole_json

Role = Literal["user", "assistant", "system"]

DEEPEST = 64
"""So deep may a tool call's arguments lie in each other."""


def new_id(prefix: str) -> str:
    """A fresh id such as ``item_3f2a…``."""
    return f"{prefix}_{uuid.uuid4().hex[:20]}"


@dataclass(frozen=True, slots=True)
class TextPart:
    """Words, as they were typed, thought or heard."""

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
    """A message. ``interrupted`` marks an assistant message cut to what was heard.

    retrieved: nobody said it: what plugins found for the turn after it, for the Thinker alone.
    """

    role: Role
    parts: tuple[Part, ...]
    id: str = field(default_factory=lambda: new_id("item"))
    interrupted: bool = False
    retrieved: bool = False

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


def is_part(value: Any) -> bool:
    """Whether it is a part with all that belongs in it, whoever made it."""
    match value:
        case TextPart(text):
            return isinstance(text, str)
        case AudioPart(audio, transcript):
            return is_audio(audio) and isinstance(transcript, str | None)
        case ImagePart(data, mime):
            return _is_picture(data) and isinstance(mime, str)
        case VideoPart(frames, fps, audio, mime):
            pictures = isinstance(frames, tuple) and bool(frames) and all(map(_is_picture, frames))
            rate = isinstance(fps, int | float) and 0 < fps < math.inf
            heard = audio is None or is_audio(audio)
            return pictures and rate and heard and isinstance(mime, str)
        case _:
            return False


def _is_picture(data: Any) -> bool:
    return isinstance(data, bytes) and bool(data)


def is_item(value: Any) -> bool:
    """Whether it is an item with all that belongs in it: it stays, for every later request."""
    match value:
        case Message(role, parts, item_id):
            right = role in get_args(Role) and isinstance(parts, tuple) and all(map(is_part, parts))
        case ToolCall(call_id, name, arguments):
            item_id = value.id
            flat = isinstance(arguments, Mapping) and not _is_deeper(arguments, DEEPEST)
            right = flat and _are_texts(call_id, name)
        case ToolResult(call_id, output, _, item_id):
            right = _are_texts(call_id, output)
        case _:
            return False
    return right and _are_texts(item_id) and bool(item_id)


def _is_deeper(value: Any, levels: int) -> bool:
    inner: Iterable[Any] = ()
    if isinstance(value, Mapping):
        inner = value.values()
    elif isinstance(value, list | tuple):
        inner = value
    return levels < 0 or any(_is_deeper(one, levels - 1) for one in inner)


def _are_texts(*values: Any) -> bool:
    return all(isinstance(value, str) for value in values)


def user(text: str, item_id: str = "") -> Message:
    """What the user said. item_id: empty makes one."""
    return Message("user", (TextPart(text),), item_id or new_id("item"))


def assistant(text: str) -> Message:
    """What the agent said."""
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


def _kept(item: Item) -> Item:
    """With whole texts, and nothing in it that can be changed: it is shown to plugins."""
    match item:
        case ToolCall():
            return replace(item, arguments=frozen(whole_json(item.arguments)))
        case ToolResult():
            return replace(item, output=whole(item.output))
        case Message():
            return replace(item, parts=tuple(map(_kept_part, item.parts)))


def _kept_part(part: Part) -> Part:
    if isinstance(part, AudioPart | VideoPart) and part.audio is not None:
        part.audio.pcm.flags.writeable = False  # the draft's and ours stay one
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

    def __init__(
        self, on_change: Callable[[Item], None] | None = None, items: Iterable[Item] = ()
    ) -> None:
        """items: what another call left; nobody is told of these."""
        self._items: dict[str, Item] = {item.id: item for item in map(_kept, items)}
        self._on_change = on_change
        self.revision = 0
        """Another one whenever an item joins or leaves."""

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    @property
    def items(self) -> tuple[Item, ...]:
        return tuple(self._items.values())

    @property
    def newest(self) -> Item | None:
        """The last item."""
        return next(reversed(self._items.values()), None)

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
        """The item of this id, where there is one."""
        return self._items.get(item_id)

    def add(self, item: Item, *, before: str = "") -> None:
        """Append, or replace in place when the id is known. Its texts become whole.

        before: the id of an item that a new one is put before; of none, it is appended.
        """
        item = _kept(item)
        self.revision += item.id not in self._items
        if before in self._items and item.id not in self._items:
            self._insert(item, before)
        self._items[item.id] = item
        if self._on_change:
            self._on_change(item)

    def _insert(self, new: Item, before: str) -> None:
        ordered: dict[str, Item] = {}
        for key, item in self._items.items():
            if key == before:
                ordered[new.id] = new
            ordered[key] = item
        self._items = ordered

    def remove(self, item_id: str) -> bool:
        """Forget an item, and what was found for it; False when there is none of this id."""
        if item_id not in self._items:
            return False
        keys = list(self._items)
        for found in takewhile(self._was_found, reversed(keys[: keys.index(item_id)])):
            del self._items[found]
        del self._items[item_id]
        self.revision += 1
        return True

    def _was_found(self, item_id: str) -> bool:
        """Whether plugins found it, for the turn after it."""
        item = self._items[item_id]
        return isinstance(item, Message) and item.retrieved

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
