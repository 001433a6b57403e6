"""Stream filters: what they change, and that cutting the stream changes nothing."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.text import (
    BUILT_IN,
    TextFilter,
    compose,
    no_markdown,
    profanity,
    rewriting,
    words_heard,
)


async def _pieces(*pieces: str) -> AsyncIterator[str]:
    for piece in pieces:
        yield piece


def run(text_filter: TextFilter, *pieces: str) -> str:
    async def collect() -> str:
        return "".join([piece async for piece in compose(_pieces(*pieces), [text_filter])])

    return asyncio.run(collect())


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("This is **very** important.", "This is very important."),
        ("Use `ls -la` now", "Use ls -la now"),
        ("# Heading\nText", "Heading\nText"),
        ("- one\n- two", "one\ntwo"),
        ("* one\n* two", "one\ntwo"),
        ("See [the docs](https://x.org/a?b=c) please", "See the docs please"),
        ("Go to https://www.example.org/path?q=1 now", "Go to example.org now"),
        ("5 * 3 is 15", "5 times 3 is 15"),
        ("keep snake_case and 3-4", "keep snake_case and 3-4"),
        ("_emphasis_ here", "emphasis here"),
        ("Great! 🎉 Done", "Great!  Done"),
        ("a [bracket] stays", "a [bracket] stays"),
    ],
)
def test_markdown_is_spoken_as_plain_words(written: str, spoken: str) -> None:
    assert run(no_markdown, written) == spoken


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
    [*list("ab *_`#-[](): \n.!"), "open ", "sesame", "shit", "http://x.y/z"]
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
