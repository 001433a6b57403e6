"""Text as models write it, made fit for a voice: markup, code and special tokens go.

``sayable`` runs before every voice; ``no_markdown`` is a filter that personas choose.
Cutting the input differently changes nothing, as with every filter (see ``text``).
"""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator

from omni_agent.marks import CALLS, DROPPED, ENDS, REASONING, Mark, Marks, overlap
from omni_agent.streams import Halves
from omni_agent.text import after_last_word, regroup

# -- what no voice may say -----------------------------------------------------------------

_BLOCKS = REASONING | CALLS
_MARKS = Marks({*_BLOCKS, *filter(None, _BLOCKS.values()), *ENDS, *DROPPED})
_UNSAID = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffd-\uffff]")
"""Control characters, and what stands for half a character (``conversation.whole``)."""
_BREAKS = {0x2028: "\n", 0x2029: "\n"}


async def sayable(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """No special token, no thought, no tool call and no half character is voiced."""
    voice = _Sayable()
    async for piece in pieces:
        if said := voice.push(piece):
            yield said
    if said := voice.finish():
        yield said


class _Sayable:
    def __init__(self) -> None:
        self._halves, self._held = Halves(), ""
        self._end = ""
        """What closes the block that the text is in."""
        self._said = self._over = False

    def push(self, piece: str) -> str:
        self._held += self._halves.push(piece)
        return self._read(final=False)

    def finish(self) -> str:
        self._held += self._halves.finish()
        return self._read(final=True)

    def _read(self, *, final: bool) -> str:
        text, at, said = self._held, 0, ""
        while at < len(text) and not self._over:
            if self._end:
                closed = text.find(self._end, at)
                if closed < 0:
                    at = max(at, len(text) - overlap(text, self._end))
                    break
                at, self._end = closed + len(self._end), ""
                continue
            mark = _MARKS.first(text, at, final=final)
            until = mark.start if isinstance(mark, Mark) else mark
            said += text[at:until]
            self._said = self._said or bool(text[at:until].strip())
            at = until
            if not isinstance(mark, Mark):
                break
            at = mark.end
            self._passed(mark.text)
        self._held = "" if self._over else text[at:]
        return _UNSAID.sub("", said).translate(_BREAKS)

    def _passed(self, mark: str) -> None:
        if mark in _BLOCKS:
            end = _BLOCKS[mark]
            self._over, self._end = end is None, end or ""
        elif mark in ENDS:
            self._over = self._said


# -- markup --------------------------------------------------------------------------------

_MAX_LINK = 400
"""A ``[`` that is not closed within this many characters is not a link."""
_MAX_TAG = 64
_MAX_ROW = 2000
"""A line of a table that is longer is no table."""
_LINK = re.compile(
    r"!?\[([^\[\]\n]{0,400})\]\([^)\n]{0,400}\)|!?\[([^\[\]\n]{1,400})\]\[[^\]\n]{0,400}\]"
)
_OPEN_LINK = re.compile(r"!?\[[^\[\]\n]*(?:\](?:[\[(][^)\]\n]*)?)?\Z")
_FOOTNOTE = re.compile(r"\[\^[^\]\s]{1,40}\]")
_URL = re.compile(r"https?://(?:www\.)?([^\s/?#]+)([/?#]\S*)?")
_AFTER_URL = ".,;:!?)]}'\"”’*_>"
_TAG = re.compile(
    r"</?(?:(br|p|div|pre|ul|ol|li|tr|td|th|h[1-6])|b|i|u|s|em|strong|sub|sup|span|code|kbd|mark|a)"
    r"(?:\s+[a-zA-Z-]+=[^<>]*|\s*/?)>",
    re.IGNORECASE,
)
_OPEN_TAG = re.compile(r"<(?:/?[a-zA-Z][^<>\n]*)?\Z|</\Z|&#?\w{0,10}\Z|\\\Z")
_EMOJI = re.compile(
    "[\u2600-\u27bf\u2b00-\u2bff\ufe0f\u20e3\u200d\U0001f000-\U0001faff\U000e0020-\U000e007f]"
)
_EMPHASIS = re.compile(r"\*+|`+|~~|(?<!\w)(?:__++|_(?=\w))|(?<=[^\W_])_++(?!\w)")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+.!|>~-])")
_LINE_MARK = re.compile(r"[ \t]*(?:(?:#{1,6}|[-*+•])[ \t]+(?:\[[ xX]\][ \t]+)?|(?:>[ \t]?)+)")
_LINE_START = re.compile(r"[ \t]*+(?:#{1,6}|[-*+•](?:[ \t]++\[[ xX]?\]?)?|>[> \t]*+)?[ \t]*+\Z")
_FENCE = re.compile(r"[ \t]*(```+|~~~+)")
_RULED = frozenset(" \t`~-*_=|:+")


async def no_markdown(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """Markdown to speech: code blocks, emphasis, bullets, headings, tables' lines, link
    targets, HTML tags and emoji go; a table's row is read as a list."""
    line_start = True
    async for words in regroup(_without_blocks(pieces), _markup_cut):
        lines = words.split("\n")
        for index, line in enumerate(lines):
            if index or line_start:
                lines[index] = _LINE_MARK.sub("", line, count=1) if _LINE_MARK.match(line) else line
        line_start = words.endswith("\n")
        yield _plain("\n".join(lines))


def _markup_cut(held: str) -> int:
    at = after_last_word(held)
    spans = [found.span() for whole in (_LINK, _TAG) for found in whole.finditer(held)]
    spans += [(found.start(), found.end() + 1) for found in _URL.finditer(held)]
    for unclosed, longest in ((_OPEN_LINK, _MAX_LINK), (_OPEN_TAG, _MAX_TAG)):
        if found := unclosed.search(held, max(0, len(held) - longest)):
            spans.append((found.start(), len(held) + 1))
    while inside := [start for start, end in spans if start < at < end]:
        at = _word_start(held, min(inside))
    line = held.rfind("\n", 0, at) + 1  # a list mark must come with the word after it
    return line if _LINE_START.match(held[line:at]) else at


def _word_start(text: str, at: int) -> int:
    return after_last_word(text[: at + 1])


def _plain(text: str) -> str:
    text = _URL.sub(_host, _LINK.sub(lambda m: m[1] or m[2] or "", _FOOTNOTE.sub("", text)))
    text = _ESCAPED.sub(r"\1", html.unescape(_TAG.sub(_white_space, text)))
    text = re.sub(r"(?<=\s)\*(?=\s)|^\*(?=\s)", "times", text)
    text = re.sub(r"(?<=\d)\*(?=\d)", "×", text)
    return _EMPHASIS.sub("", _EMOJI.sub("", text))


def _white_space(tag: re.Match[str]) -> str:
    """Tags that part words leave a space behind."""
    return " " if tag[1] else ""


def _host(match: re.Match[str]) -> str:
    """The name of the site, and the punctuation of the sentence it stands in."""
    address = match[0].rstrip(_AFTER_URL)
    return match[1].rstrip(_AFTER_URL) + match[0][len(address) :]


async def _without_blocks(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """Fenced code and ruled lines are left out; a table's row becomes its cells.

    A line is held while it may be one of these; prose passes as it comes.
    """
    held, fence, prose = "", "", False
    async for piece in pieces:
        for part in re.split(r"(?<=\n)", piece):
            if prose:
                yield part
                prose = not part.endswith("\n")
                continue
            held += part
            if held.endswith("\n"):
                fence, said = _line(held, fence)
                yield said
                held = ""
            elif held and not fence and not _may_be_block(held):
                yield held
                held, prose = "", True
    yield _line(held, fence)[1]


def _line(line: str, fence: str) -> tuple[str, str]:
    """The fence that is open after a whole line, and what of the line is said."""
    mark = _FENCE.match(line)
    if fence:
        closes = mark is not None and mark[1].startswith(fence) and not line[mark.end() :].strip()
        return "" if closes else fence, ""
    if mark is not None:
        return mark[1], ""
    if len(line.strip()) > 1 and _RULED.issuperset(line.strip()):
        return "", ""
    if line.lstrip().startswith("|") and len(line) < _MAX_ROW:
        cells = (cell.strip() for cell in line.strip().strip("|").split("|"))
        return "", ", ".join(cell for cell in cells if cell) + "\n"
    return "", line


def _may_be_block(line: str) -> bool:
    if len(line) >= _MAX_ROW:
        return False
    return line.lstrip().startswith("|") or bool(_FENCE.match(line)) or _RULED.issuperset(line)
