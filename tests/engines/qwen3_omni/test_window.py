"""Conversations that no longer fit: what leaves, what stays, and what it costs to find out."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import pytest

from omni_agent.audio import AudioFrame
from omni_agent.conversation import AudioPart, Item, Message, ToolResult, assistant, user
from omni_agent.errors import EngineError
from omni_agent.thinker import Sampling

pytest.importorskip("torch")
from omni_agent.engines.qwen3_omni.chat import ChatWriter, SpecialIds
from omni_agent.engines.qwen3_omni.talker.tokens import TextToken, TextTokenizer

from .prompts import CALL, NOISE, OPEN, RATE, Read, call_turns, request, said, turn


def talk(count: int) -> list[Item]:
    """Messages of about 16 tokens each, numbered."""
    items: list[Item] = []
    for number in range(count):
        words = f"Message {number}: one two three four five."
        items.append(assistant(words) if number % 2 else user(words))
    return items


def kept(text: str) -> list[int]:
    return [int(part.split(":")[0]) for part in text.split("Message ")[1:]]


@pytest.fixture(scope="module")
def small(tokenizer: TextTokenizer, special: SpecialIds) -> ChatWriter:
    return ChatWriter(tokenizer, special, 464)


def test_old_items_leave_eight_at_a_time_and_no_more_than_must(
    small: ChatWriter, read: Read
) -> None:
    first = [0]
    for count in range(1, 90, 2):
        numbers = kept(read(small.write(request(*talk(count), instructions="Be kind."))))
        assert numbers == list(range(numbers[0], count))
        assert numbers[0] % 8 == 0
        assert numbers[0] - first[-1] in (0, 8)
        first.append(numbers[0])
    assert first[-1] == 72
    assert first.count(32) == 4  # four turns in a row share the prompt's beginning


def test_the_instructions_never_leave(small: ChatWriter, read: Read) -> None:
    text = read(small.write(request(*talk(60), instructions="Be kind.")))
    assert text.startswith(turn("system", "Be kind."))


@pytest.mark.parametrize("before", range(1, 18))
def test_the_latest_turn_never_leaves(small: ChatWriter, read: Read, before: int) -> None:
    old: list[Item] = [assistant("old " * 350)] * before
    latest: list[Item] = [user("new " * 300), CALL, ToolResult("c1", "Snow.")]
    text = read(small.write(request(*old, *latest)))
    assert text == turn("user", "new " * 300) + call_turns("Snow.") + OPEN


@pytest.mark.parametrize("before", [1, 7, 8, 9])
def test_a_growing_utterance_may_leave_no_room_for_what_was_before(
    small: ChatWriter, before: int
) -> None:
    old: list[Item] = [assistant("old " * 350)] * before
    opened = small.write_open(request(*old, said(30.0)))
    assert len(opened.media) == 15
    assert len(opened.ids) == 3 + 1 + 15


def test_the_reply_has_its_room(small: ChatWriter) -> None:
    for reply in (16, 64, 256):
        prompt = small.write(request(*talk(60), max_tokens=reply))
        assert 464 - reply - 8 * 18 < prompt.tokens <= 464 - reply


def test_of_a_few_long_items_no_more_leave_than_must(small: ChatWriter, read: Read) -> None:
    long = [assistant(f"Message {number}: " + "word " * 100) for number in range(6)]
    assert kept(read(small.write(request(*long, user("Message 6: Well?"))))) == [3, 4, 5, 6]


def test_audio_takes_the_room_that_it_will_take(small: ChatWriter) -> None:
    prompt = small.write(request(*(said(6.0) for _ in range(20))))
    assert prompt.tokens <= 400
    assert len(prompt.media) == 3 * 4  # 83 tokens each; the oldest sixteen have left


def test_a_result_keeps_its_call_when_the_call_would_leave(small: ChatWriter, read: Read) -> None:
    text = read(small.write(request(CALL, *talk(60), ToolResult("c1", "Snow."))))
    assert text.startswith(call_turns("Snow."))
    assert kept(text)[-1] == 59


@pytest.mark.parametrize("words", ["new " * 420, "x" * 16 * 464 + "y"], ids=["tokens", "unread"])
def test_a_turn_that_is_too_long_is_refused_and_the_next_one_is_not(
    small: ChatWriter, read: Read, words: str
) -> None:
    with pytest.raises(EngineError, match="shorten"):
        small.write(request(*talk(3), user(words)))
    text = read(small.write(request(*talk(3), user(words), assistant("Sorry."), user("Again."))))
    assert text == turn("assistant", "Sorry.") + turn("user", "Again.") + OPEN


def test_instructions_that_are_too_long_are_refused_with_the_figures(small: ChatWriter) -> None:
    with pytest.raises(EngineError, match=r"need 4\d\d tokens, .* leaves 400: shorten"):
        small.write(request(user("Hi"), instructions="word " * 400))


class Watched(TextTokenizer):
    """Remembers what it tokenized."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        super().__init__(tokenizer._tokenizer)
        self.texts: list[str] = []

    def encode(self, text: str, start: int = 0) -> list[TextToken]:
        self.texts.append(text)
        return super().encode(text, start)


@pytest.fixture
def watched(tokenizer: TextTokenizer) -> Watched:
    return Watched(tokenizer)


def test_text_that_is_far_too_long_is_not_even_tokenized(
    watched: Watched, special: SpecialIds
) -> None:
    writer = ChatWriter(watched, special, 100)
    long = "x" * 1601
    for wanted in (
        request(user(long)),
        request(user("Hi"), CALL, ToolResult("c1", long)),
        request(user("Hi"), instructions=long),
    ):
        with pytest.raises(EngineError, match="characters is longer than the Thinker's context"):
            writer.write(replace(wanted, sampling=Sampling(max_tokens=10)))
    assert max(map(len, watched.texts), default=0) <= 1600


def test_a_conversation_is_tokenized_and_cut_once(watched: Watched, special: SpecialIds) -> None:
    writer = ChatWriter(watched, special, 464)
    items = [*talk(99), said(3.0)]
    first = writer.write(request(*items))
    watched.texts.clear()
    second = writer.write(request(*items, assistant("New."), user("Newer.")))
    assert watched.texts == ["New.", "Newer."]
    assert second.media[0] is first.media[0]


def test_a_conversation_that_is_over_leaves_no_audio_behind(
    tokenizer: TextTokenizer, special: SpecialIds
) -> None:
    writer = ChatWriter(tokenizer, special, 464)
    pcm = NOISE[:RATE].copy()
    gone = weakref.ref(pcm)
    writer.write(request(Message("user", (AudioPart(AudioFrame(pcm, RATE)),))))
    del pcm
    gc.collect()
    assert gone() is None
