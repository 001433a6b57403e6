"""A conversation as the Thinker's prompt: ChatML token ids, and what its encoders read.

Format: the published chat template of Qwen3-Omni (ChatML; tools in Hermes form). Words
are tokenized without special tokens, so nothing that anybody says, types or returns
from a tool can open a turn or an audio item.

An utterance is one ``<|audio_start|> … <|audio_end|>`` with one placeholder for each
piece of its audio (see ``media``); a video with sound is both by turns (see ``clips``).
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from omni_agent.audio import AudioFrame
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
from omni_agent.engines.qwen3_omni.clips import Window, windows
from omni_agent.engines.qwen3_omni.media import Media, Piece, image, pieces
from omni_agent.engines.qwen3_omni.talker.prompt import NEWLINE
from omni_agent.engines.qwen3_omni.talker.tokens import TextTokenizer
from omni_agent.engines.qwen3_omni.window import beginnings, is_user, kept, latest_turn
from omni_agent.errors import EngineError
from omni_agent.thinker import ThinkRequest, ToolSchema

_CHARS_PER_TOKEN = 16
"""Text with fewer tokens than this suggests is never refused unread; it bounds the work."""
_TEXTS = 16_384
"""Tokenized texts to remember: those of all callers' contexts, which every prompt repeats."""


_TAGS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>")
_TAG = re.compile("|".join(_TAGS))


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """Token ids that a prompt is built of. tags: those of the template's tags by name;
    a vocabulary that has none spells them.
    """

    im_start: int
    im_end: int
    system: int
    user: int
    assistant: int
    audio_start: int
    audio_end: int
    audio: int
    vision_start: int
    vision_end: int
    image: int
    video: int
    tags: Mapping[str, int]

    @property
    def placeholders(self) -> frozenset[int]:
        return frozenset({self.audio, self.image, self.video})

    @staticmethod
    def of(config: Mapping[str, Any], added: Mapping[str, int]) -> SpecialIds:
        """From a parsed ``config.json`` and the tokenizer's added tokens.

        Raises KeyError or TypeError for another model's config.
        """
        thinker = config["thinker_config"]
        return SpecialIds(
            im_start=config["im_start_token_id"],
            im_end=config["im_end_token_id"],
            system=config["system_token_id"],
            user=config["user_token_id"],
            assistant=config["assistant_token_id"],
            audio_start=thinker["audio_start_token_id"],
            audio_end=thinker["audio_end_token_id"],
            audio=thinker["audio_token_id"],
            vision_start=thinker["vision_start_token_id"],
            vision_end=thinker["vision_end_token_id"],
            image=thinker["image_token_id"],
            video=thinker["video_token_id"],
            tags={name: added[name] for name in _TAGS if name in added},
        )


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids with one placeholder for each of ``media``, in order."""

    ids: tuple[int, ...]
    media: tuple[Media, ...]
    placeholders: frozenset[int]

    @property
    def tokens(self) -> int:
        """How long it is with every placeholder as long as what it stands for."""
        return len(self.ids) + sum(item.tokens - 1 for item in self.media)

    def expanded(self, lengths: Sequence[int]) -> tuple[int, ...]:
        """The ids with every placeholder as often as its item takes positions."""
        left = iter(lengths)
        return tuple(
            token
            for placed in self.ids
            for token in [placed] * (next(left) if placed in self.placeholders else 1)
        )


class ChatWriter:
    """Writes prompts of at most ``limit`` tokens. thinking: the variant that thinks first."""

    def __init__(
        self, tokenizer: TextTokenizer, special: SpecialIds, limit: int, *, thinking: bool = False
    ) -> None:
        self._tokenizer, self._special, self._limit = tokenizer, special, limit
        self._thinking = thinking
        self._encode = lru_cache(maxsize=_TEXTS)(self._encoded)
        self._heard: WeakKeyDictionary[AudioFrame, tuple[Piece, ...]] = WeakKeyDictionary()
        self._seen: WeakKeyDictionary[VideoPart, tuple[Window, ...]] = WeakKeyDictionary()

    def write(self, request: ThinkRequest) -> Prompt:
        """The whole prompt, ready for the reply's first token.

        A conversation that has grown too long loses its oldest items, several at once,
        so that the prompts after that share what is left. Raises EngineError for what
        no model could read, and when the latest turn alone is too long.
        """
        end = [self._special.im_start, self._special.assistant, NEWLINE]
        if self._thinking:
            end += self._template("<think>\n")
        items = request.items
        return self._fitting(request, items, beginnings(latest_turn(items)), end, [])

    def write_open(self, request: ThinkRequest) -> Prompt:
        """As far as it is certain while the last item, what is heard so far, still grows.

        Of its audio whole pieces only, of its words none. Without a growing item the
        conversation as it stands.
        """
        items = request.items
        if not items or not is_user(last := items[-1]):
            return self._fitting(request, items, beginnings(latest_turn(items)), [], [])
        end = [self._special.im_start, self._special.user, NEWLINE]
        media: list[Media] = []
        if last.parts and isinstance(growing := last.parts[0], AudioPart):
            media = [piece.media for piece in self._pieces(growing.audio) if piece.whole]
            if media:
                end += [self._special.audio_start, *[self._special.audio] * len(media)]
        return self._fitting(request, items[:-1], beginnings(len(items) - 1), end, media)

    def _fitting(
        self, request: ThinkRequest, items: Sequence[Item], begins: Sequence[int],
        end: list[int], last: list[Media],
    ) -> Prompt:  # fmt: skip
        """The prompt from the first of ``begins`` that leaves room for the reply."""

        def prompt(begin: int) -> Prompt | None:
            with suppress(_TooLong):
                return self._prompt(request, kept(items, begin), end, last)
            return None

        if whole := prompt(begins[0]):
            return whole
        final = len(begins) - 1
        at = bisect_left(
            begins, True, min(1, final), final, key=lambda begin: prompt(begin) is not None
        )
        return self._prompt(request, kept(items, begins[at]), end, last)

    def _prompt(
        self, request: ThinkRequest, items: Sequence[Item], end: list[int], last: list[Media]
    ) -> Prompt:
        """Raises _TooLong for one without room for the reply."""
        room = self._limit - request.sampling.max_tokens
        ids, media = self._conversation(request.instructions, request.tools, items)
        prompt = Prompt((*ids, *end), (*media, *last), self._special.placeholders)
        if prompt.tokens > room:
            raise _TooLong(
                f"the prompt, the tools and the latest turn need {prompt.tokens:,} tokens, and the "
                f"Thinker's context leaves {room:,}: shorten them, or raise the context"
            )
        return prompt

    # -- turns -----------------------------------------------------------------------

    def _conversation(
        self, instructions: str, tools: Sequence[ToolSchema], items: Sequence[Item]
    ) -> tuple[list[int], list[Media]]:
        ids: list[int] = []
        media: list[Media] = []
        system = self._template(*_system(instructions.strip(), tools))
        if system:
            ids += self._turn(self._special.system, system)
        for role, content, held in self._turns(items):
            ids += self._turn(role, content)
            media += held
        return ids, media

    def _turn(self, role: int, content: Sequence[int]) -> list[int]:
        special = self._special
        return [special.im_start, role, NEWLINE, *content, special.im_end, NEWLINE]

    def _turns(self, items: Sequence[Item]) -> Iterator[tuple[int, list[int], list[Media]]]:
        """(role id, content ids, media) of each turn; calls are followed by their results."""
        results = {item.call_id: item for item in items if isinstance(item, ToolResult)}
        special = self._special
        roles = {"user": special.user, "assistant": special.assistant, "system": special.system}
        for group in rounds(items):
            first = group[0]
            if isinstance(first, ToolCall):
                calls = [item for item in group if isinstance(item, ToolCall)]
                made = [part for call in calls for part in _call(call)]
                answers = [part for call in calls for part in _result(results.get(call.call_id))]
                yield special.assistant, self._template(*made[1:]), []
                yield special.user, self._template(*answers[1:]), []
            elif isinstance(first, Message):
                content, media = self._content(first)
                if content:
                    yield roles[first.role], content, media

    def _content(self, message: Message) -> tuple[list[int], list[Media]]:
        if message.role != "user":
            text = f"{message.text} …".lstrip() if message.interrupted else message.text
            return self._text(text), []
        ids: list[int] = []
        media: list[Media] = []
        for part in message.parts:
            own, held = self._part(part)
            ids += own
            media += held
        return ids, media

    def _part(self, part: Part) -> tuple[list[int], list[Media]]:
        special = self._special
        match part:
            case TextPart():
                return self._text(part.text), []
            case AudioPart():
                heard = self._pieces(part.audio)
                ids = [special.audio_start, *[special.audio] * len(heard), special.audio_end]
                return ids, [piece.media for piece in heard]
            case ImagePart():
                return (
                    [special.vision_start, special.image, special.vision_end],
                    [image(part)],
                )
            case VideoPart():
                return self._clip(part)
            case _:
                raise EngineError(
                    f"the Thinker cannot read a {type(part).__name__}: "
                    "a message holds text, audio, image and video parts"
                )

    def _clip(self, part: VideoPart) -> tuple[list[int], list[Media]]:
        special = self._special
        if (seen := self._seen.get(part)) is None:
            seen = self._seen[part] = windows(part)
        ids: list[int] = []
        media: list[Media] = []
        for window in seen:
            if window.video is not None:
                ids += [special.vision_start, special.video, special.vision_end]
                media.append(window.video)
            if window.sound is not None:
                ids += [special.audio_start, special.audio, special.audio_end]
                media.append(window.sound)
        return ids, media

    # -- parts -----------------------------------------------------------------------

    def _text(self, text: str) -> list[int]:
        if len(text) > _CHARS_PER_TOKEN * self._limit:
            raise _TooLong(
                f"a text of {len(text):,} characters is longer than the Thinker's context "
                f"of {self._limit:,} tokens: shorten the prompt, the message or the tool's result"
            )
        return list(self._encode(text))

    def _template(self, *parts: str | _Words) -> list[int]:
        """Ids of the template's own text, whose tags are tokens, and words, whose are not."""
        ids: list[int] = []
        run = ""  # what stands between two tags is tokenized as a whole
        for part in parts:
            if isinstance(part, _Words):
                run += part.text
                continue
            begin = 0
            for tag in _TAG.finditer(part):
                if tag[0] in self._special.tags:
                    ids += self._text(run + part[begin : tag.start()])
                    ids.append(self._special.tags[tag[0]])
                    run, begin = "", tag.end()
            run += part[begin:]
        return ids + self._text(run)

    def _encoded(self, text: str) -> tuple[int, ...]:
        whole = text.encode(errors="replace").decode()  # without half a surrogate pair
        return tuple(token.id for token in self._tokenizer.encode(whole)) if whole else ()

    def _pieces(self, audio: AudioFrame) -> tuple[Piece, ...]:
        if (heard := self._heard.get(audio)) is None:
            heard = self._heard[audio] = pieces(audio)
        return heard


class _TooLong(EngineError):
    """More than the context holds; without the oldest items it may fit."""


@dataclass(frozen=True, slots=True)
class _Words:
    """Text of somebody's within the template."""

    text: str


# The wording below is the model's chat template: it was trained on exactly this.
_TOOLS_BEFORE = """# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
"""
_TOOLS_AFTER = """
</tools>

For each function call, return a json object with function name and arguments within \
<tool_call></tool_call> XML tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call>"""


def _system(instructions: str, tools: Sequence[ToolSchema]) -> list[str | _Words]:
    if not tools:
        return [_Words(instructions)]
    signatures = "\n".join(
        _json(
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.parameters),
                },
            }
        )
        for tool in tools
    )
    head: list[str | _Words] = [_Words(instructions), "\n\n"] if instructions else []
    return [*head, _TOOLS_BEFORE, _Words(signatures), _TOOLS_AFTER]


def _call(call: ToolCall) -> list[str | _Words]:
    body = _json({"name": call.name, "arguments": dict(call.arguments)})
    return ["\n", "<tool_call>\n", _Words(body), "\n</tool_call>"]


def _result(result: ToolResult | None) -> list[str | _Words]:
    content = "still running" if result is None else result.told
    return ["\n", "<tool_response>\n", _Words(content), "\n</tool_response>"]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
