"""Pure stream filters: text in as it is thought, text out as it should be voiced.

A filter takes an async iterator of pieces and yields pieces; cutting the input
differently never changes the joined output. Whoever composes filters closes
them: see :func:`compose`.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack

from omni_agent.streams import closing

TextFilter = Callable[[AsyncIterator[str]], AsyncIterator[str]]
"""Text in, text out, piece by piece as it is thought."""
Cut = Callable[[str], int]
"""How many leading characters of a text can be released: what follows cannot change them."""

MAX_PHRASE = 64
"""Longest phrase that a multi-word pattern may match, characters."""
MAX_HELD = 2000
"""What is longer, and still may not be released, is no language."""
MAX_PIECE = 2000
"""Characters that a filter is given at once; patterns may take time that grows with its square."""
MAX_WORD = 12
"""Longest word of a script without spaces that a one-word pattern may match, characters."""
_WORD = re.compile(r"[^\W\d_]+|\d+")
_MAX_CLUSTER = 64
"""Where words have no spaces between them, one character is not more code points."""
_SPACELESS = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff00-\uffef\U00020000-\U000323af]"
)
"""Thai, Lao, Tibetan, Burmese, Khmer, kana, Chinese characters, and their punctuation: scripts
whose words have no spaces between them (UAX #14, classes SA and ID)."""


async def compose(
    text: AsyncIterator[str], filters: Iterable[TextFilter]
) -> AsyncGenerator[str, None]:
    """``text`` through ``filters`` in order; empty pieces are dropped.

    Closing it closes every stage, last first.
    """
    async with AsyncExitStack() as stack:
        stream = await stack.enter_async_context(closing(text))
        for text_filter in (_in_short_pieces, *filters):
            stream = await stack.enter_async_context(closing(text_filter(stream)))
        async for piece in stream:
            if piece:
                yield piece


async def _in_short_pieces(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """A lot at once costs filters no more than its length explains, and others not their turn."""
    async for piece in pieces:
        for at in range(0, len(piece), MAX_PIECE):
            yield piece[at : at + MAX_PIECE]
            if at + MAX_PIECE < len(piece):
                await asyncio.sleep(0)


async def regroup(pieces: AsyncIterator[str], cut: Cut) -> AsyncIterator[str]:
    """Hold text back until ``cut`` says that it can be released, or there is too much of it."""
    held = ""
    async for piece in pieces:
        held += piece
        at = cut(held) or (len(held) if len(held) > MAX_HELD else 0)
        if at:
            yield held[:at]
            held = held[at:]
    if held:
        yield held


def after_last_space(text: str) -> int:
    """The place after the last white space; 0 when there is none."""
    return max(text.rfind(" "), text.rfind("\n"), text.rfind("\t")) + 1


def after_last_word(text: str) -> int:
    """The last place that certainly ends a word, whatever follows: 0 when there is none.

    That is after white space or, where words have no spaces between them, between two
    characters: never inside one that is made of several code points.
    """
    for at in range(len(text) - 1, max(0, len(text) - _MAX_CLUSTER), -1):
        if text[at].isspace():
            return at + 1
        if _parted(text[at - 1], text[at]):
            return at
    return after_last_space(text)


def language_of(tag: str) -> str:
    """A BCP 47 tag's language without script, region or variants: ``pt`` of ``pt-BR``."""
    return tag.replace("_", "-").partition("-")[0].lower()


def word_end(text: str, at: int) -> int:
    """The first place from ``at`` on that ends a word, or the text."""
    for place in range(at, len(text)):
        if text[place].isspace() or (place > 0 and _parted(text[place - 1], text[place])):
            return place
    return len(text)


def words(text: str) -> list[str]:
    """Its words and its numbers, in lower case: "24th" is two."""
    return _WORD.findall(text.lower())


def is_spaceless(character: str) -> bool:
    """Of a script whose words have no spaces between them."""
    return _SPACELESS.match(character) is not None


def _parted(before: str, after: str) -> bool:
    return is_spaceless(before) and is_spaceless(after) and not _joins(after)


def _joins(character: str) -> bool:
    """Part of the character before it: a vowel sign, an accent, a joiner (UAX #29)."""
    return unicodedata.category(character) in ("Mn", "Mc", "Me") or character == "\u200d"


def rewriting(
    pattern: str, replacement: str | Callable[[re.Match[str]], str], *, phrase: bool = False
) -> TextFilter:
    """A filter that replaces what ``pattern`` matches.

    A match is one word, or part of one (12 characters where words have no spaces between
    them); with ``phrase`` it may contain white space and be up to 64 characters long, which
    holds that much text back.
    """
    compiled = re.compile(pattern)

    def cut(held: str) -> int:
        if phrase:
            at = after_last_word(held[:-MAX_PHRASE])
        else:
            at = max(after_last_space(held), after_last_word(held[:-MAX_WORD]))
        for match in compiled.finditer(held):
            if match.start() < at < match.end():
                return match.start()
        return at

    async def rewrite(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
        async for words in regroup(pieces, cut):
            yield compiled.sub(replacement, words)

    return rewrite


_PROFANITY = (
    r"(?i)\b(?:fuck|shit|bullshit|asshole|bitch|bastard|cunt|dick(?:head)?)(?:s|ed|ing|er)?\b"
)
profanity = rewriting(_PROFANITY, "beep")
"""Swear words become a spoken beep."""


def words_heard(text: str, end: int) -> str:
    """``text`` up to character ``end``, cut back to whole words.

    A word counts as heard when playback reached its last character; where words have no
    spaces between them, each character is one.
    """
    if end >= len(text):
        return text
    at = max(end, 0)
    if not text[at].isspace():
        at = after_last_word(text[: at + 1])
    return text[:at].rstrip()
