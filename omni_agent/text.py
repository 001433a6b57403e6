"""Pure stream filters: text in as it is thought, text out as it should be voiced.

A filter takes an async iterator of pieces and yields pieces; cutting the input
differently never changes the joined output. Whoever composes filters closes
them: see :func:`compose`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack

from omni_agent.streams import closing

TextFilter = Callable[[AsyncIterator[str]], AsyncIterator[str]]
Cut = Callable[[str], int]
"""How many leading characters of a text can be released: what follows cannot change them."""

MAX_PHRASE = 64
"""Longest phrase that a multi-word pattern may match, characters."""
_MAX_LINK = 400
"""A ``[`` that is not closed within this many characters is not a link."""


async def compose(
    text: AsyncIterator[str], filters: Iterable[TextFilter]
) -> AsyncGenerator[str, None]:
    """``text`` through ``filters`` in order; empty pieces are dropped.

    Closing it closes every stage, last first.
    """
    async with AsyncExitStack() as stack:
        stream = await stack.enter_async_context(closing(text))
        for text_filter in filters:
            stream = await stack.enter_async_context(closing(text_filter(stream)))
        async for piece in stream:
            if piece:
                yield piece


async def regroup(pieces: AsyncIterator[str], cut: Cut) -> AsyncIterator[str]:
    """Hold text back until ``cut`` says that it can be released."""
    held = ""
    async for piece in pieces:
        held += piece
        at = cut(held)
        if at:
            yield held[:at]
            held = held[at:]
    if held:
        yield held


def after_last_space(text: str) -> int:
    """The place after the last white space; 0 when there is none."""
    return max(text.rfind(" "), text.rfind("\n"), text.rfind("\t")) + 1


def rewriting(
    pattern: str, replacement: str | Callable[[re.Match[str]], str], *, phrase: bool = False
) -> TextFilter:
    """A filter that replaces what ``pattern`` matches.

    A match is one word, or part of one; with ``phrase`` it may contain white
    space and be up to 64 characters long, which holds that much text back.
    """
    compiled = re.compile(pattern)

    def cut(held: str) -> int:
        at = after_last_space(held[:-MAX_PHRASE] if phrase else held)
        for match in compiled.finditer(held):
            if match.start() < at < match.end():
                return match.start()
        return at

    async def rewrite(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
        async for words in regroup(pieces, cut):
            yield compiled.sub(replacement, words)

    return rewrite


_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\s]*\)")
_OPEN_LINK = re.compile(r"!?\[[^\]\n]*(\](\([^)\s]*)?)?$")
_URL = re.compile(r"https?://(?:www\.)?([^\s/?#]+)\S*")
_EMOJI = re.compile("[\u2190-\u21ff\u2600-\u27bf\u2b00-\u2bff\ufe0f\u200d\U0001f000-\U0001faff]")
_EMPHASIS = re.compile(r"\*+|`+|~~|(?<!\w)_+(?=\w)|(?<=\w)_+(?!\w)")
_LINE_MARK = re.compile(r"[ \t]*(?:#{1,6}|[-*+•>])[ \t]+")


def _markdown_cut(held: str) -> int:
    at = after_last_space(held)
    unclosed = _OPEN_LINK.search(held)
    if unclosed and len(held) - unclosed.start() < _MAX_LINK:
        at = min(at, unclosed.start())
    line = held.rfind("\n", 0, at) + 1  # a list mark must come with the word after it
    return line if _LINE_MARK.fullmatch(held[line:at]) else at


async def no_markdown(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """Markdown to speech: emphasis, code marks, bullets, headings, link targets, emoji go."""
    line_start = True
    async for words in regroup(pieces, _markdown_cut):
        lines = words.split("\n")
        for index, line in enumerate(lines):
            if index or line_start:
                lines[index] = _LINE_MARK.sub("", line, count=1) if _LINE_MARK.match(line) else line
        line_start = words.endswith("\n")
        plain = _URL.sub(r"\1", _LINK.sub(r"\1", "\n".join(lines)))
        plain = re.sub(r"(?<=\s)\*(?=\s)|^\*(?=\s)", "times", plain)
        yield _EMPHASIS.sub("", _EMOJI.sub("", plain))


_PROFANITY = (
    r"(?i)\b(?:fuck|shit|bullshit|asshole|bitch|bastard|cunt|dick(?:head)?)(?:s|ed|ing|er)?\b"
)
profanity = rewriting(_PROFANITY, "beep")
"""Swear words become a spoken beep."""

BUILT_IN: dict[str, TextFilter] = {"no-markdown": no_markdown, "profanity": profanity}


def words_heard(text: str, end: int) -> str:
    """``text`` up to character ``end``, cut back to whole words.

    A word counts as heard when playback reached its last character.
    """
    if end >= len(text):
        return text
    at = max(end, 0)
    if at < len(text) and not text[at].isspace():
        at = after_last_space(text[:at])
    return text[:at].rstrip()
