"""Stream filters: what they change, and that cutting the stream changes nothing."""

from __future__ import annotations

import asyncio
import itertools
import unicodedata
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.markdown import no_markdown, sayable
from omni_agent.registry.registry import BUILT_IN
from omni_agent.text import (
    MAX_HELD,
    MAX_PIECE,
    MAX_WORD,
    TextFilter,
    after_last_word,
    compose,
    language_of,
    profanity,
    regroup,
    rewriting,
    word_end,
    words_heard,
)


async def _pieces(*pieces: str) -> AsyncIterator[str]:
    for piece in pieces:
        yield piece


def run(text_filter: TextFilter, *pieces: str) -> str:
    async def collect() -> str:
        return "".join([piece async for piece in compose(_pieces(*pieces), [text_filter])])

    return asyncio.run(collect())


def test_a_filter_is_given_little_at_once_however_much_comes() -> None:
    given_to_it: list[int] = []

    async def notes(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
        async for piece in pieces:
            given_to_it.append(len(piece))
            yield piece

    assert run(notes, "x" * 100_001, "", "y") == "x" * 100_001 + "y"
    assert max(given_to_it) == MAX_PIECE


def test_swear_words_become_a_beep() -> None:
    assert run(profanity, "that is shit, ", "really fuck", "ing bad") == (
        "that is beep, really beep bad"
    )


def test_a_phrase_is_rewritten_across_pieces() -> None:
    secret = rewriting(r"(?i)open\s+sesame", "something secret", phrase=True)
    assert run(
        secret, "Say op", "en ses", "ame at the door, and then wait for the answer to come."
    ) == ("Say something secret at the door, and then wait for the answer to come.")


_alphabet = st.sampled_from(
    [*list("ab *_`#-[](): \n.!你好สั"), "open ", "sesame", "shit", "http://x.y/z"]
)


@pytest.mark.parametrize("name", ["no-markdown", "profanity", "phrase"])
@given(parts=st.lists(_alphabet, max_size=40), cuts=st.lists(st.integers(0, 200), max_size=8))
def test_cutting_the_stream_differently_changes_nothing(
    name: str, parts: list[str], cuts: list[int]
) -> None:
    phrase = rewriting(r"open\s+sesame", "X", phrase=True)
    text_filter = BUILT_IN.get(name, phrase)
    text = "".join(parts)
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    pieces = [text[a:b] for a, b in itertools.pairwise(places)]
    assert run(text_filter, *pieces) == run(text_filter, text)


@pytest.mark.parametrize(
    "text", ["好的，我来看看。", "はい、今日は晴れです。", "สวัสดีครับ", "你好，Anna！"]
)
@pytest.mark.parametrize("text_filter", [no_markdown, profanity, sayable])
def test_scripts_without_spaces_are_let_through_as_they_come(
    text_filter: TextFilter, text: str
) -> None:
    async def held_back() -> int:
        given, let_through = 0, 0

        async def endless() -> AsyncIterator[str]:
            nonlocal given
            for character in itertools.cycle(text):
                given += 1
                yield character

        stream = compose(endless(), [text_filter])
        async with aclosing(stream):
            async for piece in stream:
                let_through += len(piece)
                if let_through > 60:
                    break
        return given - let_through

    assert asyncio.run(held_back()) <= MAX_WORD + 6


def test_text_that_may_never_be_released_is_not_held_for_ever() -> None:
    async def sizes() -> list[int]:
        endless = _pieces(*["x" * 100] * 100)
        return [len(piece) async for piece in regroup(endless, lambda held: 0)]

    assert max(asyncio.run(sizes())) <= MAX_HELD + 100


def test_a_character_of_several_code_points_is_never_cut() -> None:
    for word in ("ครับผม", "กำลังดี", "ができる", "你\ufe00好吗"):
        for end in range(len(word)):
            at = after_last_word(word[:end])
            assert unicodedata.category(word[at]) not in ("Mn", "Mc", "Me")


def test_composed_filters_close_their_source() -> None:
    closed = []

    async def source() -> AsyncIterator[str]:
        try:
            yield "one "
            yield "two "
        finally:
            closed.append(True)

    async def take_one() -> None:
        stream = compose(source(), [no_markdown, profanity])
        await anext(stream)
        await stream.aclose()

    asyncio.run(take_one())
    assert closed == [True]


@pytest.mark.parametrize(
    ("end", "heard"),
    [(0, ""), (3, ""), (5, "Hello"), (8, "Hello"), (12, "Hello there"), (99, "Hello there you")],
)
def test_what_was_heard_ends_at_a_whole_word(end: int, heard: str) -> None:
    assert words_heard("Hello there you", end) == heard


@pytest.mark.parametrize(
    ("text", "end", "heard"),
    [
        ("你好吗", 2, "你好"),
        ("你好，世界", 3, "你好，"),
        ("你好 my friend", 4, "你好"),
        ("สวัสดีครับ", 6, "สวัสดี"),
        ("สวัสดีครับ", 5, "สวัส"),
    ],
)
def test_where_words_have_no_spaces_each_character_is_heard(
    text: str, end: int, heard: str
) -> None:
    assert words_heard(text, end) == heard


@pytest.mark.parametrize(
    ("text", "at", "end"),
    [
        ("one two", 1, 3), ("one two", 3, 3), ("one two", 4, 7), ("今天很好", 1, 1), ("ab", 2, 2),
        ("か\u3099き", 1, 2), ("abc今天", 1, 4), ("", 0, 0),
    ],
)  # fmt: skip
def test_a_word_ends_at_white_space_or_where_characters_are_words(
    text: str, at: int, end: int
) -> None:
    assert word_end(text, at) == end


@pytest.mark.parametrize("tag", ["pt", "pt-BR", "PT_br", "pt-Latn-BR-x-abc"])
def test_a_tag_s_language_is_what_it_begins_with(tag: str) -> None:
    assert language_of(tag) == "pt"
