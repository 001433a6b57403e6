"""A Talker that is given words: the same however text is cut; its marks count what is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.audio import AudioFrame
from omni_agent.call.utterance import Utterance
from omni_agent.saying import Said, in_words, phrasing, saying
from omni_agent.saying.clauses import ClauseSplitter
from omni_agent.saying.wording import Wording
from omni_agent.talker import Speech, Voice


class Reader:
    """Voices a character in 10 ms, and knows what it was given."""

    def __init__(self) -> None:
        self.given = ""
        self.closed = False

    async def speak(self, text: AsyncIterator[str], voice: Voice) -> AsyncIterator[Speech]:
        try:
            async for piece in text:
                for character in piece:
                    at = 240 * len(self.given)
                    self.given += character
                    audio = AudioFrame(np.zeros(240, np.int16), 24_000, at)
                    yield Speech(audio, len(self.given))
        finally:
            self.closed = True


async def stream(pieces: list[str]) -> AsyncIterator[str]:
    for piece in pieces:
        yield piece


async def utterance(text: str, language: str) -> tuple[Utterance, str]:
    """What was spoken, and the words that the Talker was given for it."""
    reader, voiced = Reader(), Utterance("1", "answer", text)
    async for speech in in_words(reader.speak, stream([text]), Voice(language=language)):
        voiced.extend(speech)
    return voiced, reader.given


async def worded(pieces: list[str], language: str) -> tuple[str, list[int]]:
    """The words, and the place of each of their characters in what is written."""
    known = saying(language)
    say = known.say if known else Said.as_written
    words = Wording(say, ClauseSplitter(phrasing(language)))
    said = "".join([piece async for piece in words.of(stream(pieces))])
    return said, [words.written(end) for end in range(len(said) + 1)]


chunks = st.lists(
    st.text(st.sampled_from("ab Tz.,!?;:—'\" \n0319$%€é-/你，。ก"), max_size=8), max_size=20
)


@given(language=st.sampled_from(["en", "de", "fr", "sv"]), pieces=chunks)
def test_any_cut_of_the_text_gives_the_same_words_and_the_same_way_back(
    language: str, pieces: list[str]
) -> None:
    text = "".join(pieces)
    whole = asyncio.run(worded([text], language))
    assert asyncio.run(worded(pieces, language)) == whole
    assert asyncio.run(worded(list(text), language)) == whole
    assert whole[1] == sorted(whole[1])
    assert whole[1][-1] == (len(text) if whole[0] else 0)


@pytest.mark.parametrize(
    ("language", "written", "given_words", "parts"),
    [
        (
            "en",
            "It costs $1,250.50 today. Fine?",
            "It costs one thousand two hundred and fifty dollars and fifty cents today. Fine?",
            ["It", "It costs", "It costs $1,250.50", "It costs $1,250.50 today."],
        ),
        (
            "de",
            "Das kostet 1.250,50 € am 3. Mai. Gut?",
            "Das kostet eintausendzweihundertfünfzig Euro und fünfzig Cent am dritten Mai. Gut?",
            ["Das", "Das kostet", "Das kostet 1.250,50 €", "Das kostet 1.250,50 € am",
             "Das kostet 1.250,50 € am 3.", "Das kostet 1.250,50 € am 3. Mai."],
        ),
        ("sv", "Det kostar 20 kr.", "Det kostar 20 kr.", ["Det", "Det kostar", "Det kostar 20"]),
    ],
)  # fmt: skip
async def test_what_is_heard_is_what_is_written(
    language: str, written: str, given_words: str, parts: list[str]
) -> None:
    voiced, words = await utterance(written, language)
    assert words == given_words
    heard = [voiced.heard_text(10.0 * n) for n in range(len(words) + 1)]
    assert list(dict.fromkeys(heard)) == ["", *parts, written]


async def test_text_with_nothing_to_say_is_given_as_it_is() -> None:
    voiced, words = await utterance(" … ", "en")
    assert (words, voiced.heard_text(voiced.ms)) == (" … ", " … ")


async def test_a_clause_is_given_as_soon_as_it_is_whole() -> None:
    more = asyncio.Event()

    async def text() -> AsyncIterator[str]:
        yield "At 10:30, "
        yield "sure, "
        await more.wait()
        yield "all 3."

    reader = Reader()
    spoken = in_words(reader.speak, text(), Voice())
    async with aclosing(spoken):
        while reader.given != "At ten thirty, sure, ":
            await anext(spoken)
    assert reader.closed
