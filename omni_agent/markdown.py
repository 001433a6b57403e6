"""Text as models write it, made fit for a voice: markup, code and special tokens go.

``sayable`` runs before every voice; ``no_markdown`` is a filter that personas choose.
Cutting the input differently changes nothing, as with every filter (see ``text``).
"""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator

from omni_agent.text import after_last_word, regroup

# -- what no voice may say -----------------------------------------------------------------

_MAX_TOKEN = 64
"""A ``<`` or ``[`` that is not closed within this many characters opens no special token."""
_MAX_BLOCK = 100_000
"""Characters of a block that are waited through before its text is given up as lost."""
_BLOCKS = ("think", "thinking", "tool_call", "tool_response", "function_call")
_BLOCK = re.compile(rf"<({'|'.join(_BLOCKS)})>.*?(?:</\1>|\Z)", re.DOTALL)
_TOKEN = re.compile(
    r"<\|[^|<>\s]{1,40}\|>|<｜[^｜<>\s]{1,40}｜>"
    rf"|</?(?:{'|'.join(_BLOCKS)}|s|bos|eos|pad|unk|start_of_turn|end_of_turn)>"
    r"|\[/?(?:INST|TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS)\]|<</?SYS>>"
)
"""Special tokens of the chat templates that models are trained on."""
_OPEN_TOKEN = re.compile(r"(?:<[^<>\s]*|\[/?[A-Z_]*)\Z")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")


def well_formed(text: str) -> str:
    """Surrogate pairs joined, half ones dropped, control characters gone."""
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return _CONTROL.sub("", joined)


async def sayable(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """No special token, no thought, no tool call and no half character is voiced."""
    async for text in regroup(pieces, _sayable_cut):
        yield _TOKEN.sub("", _BLOCK.sub("", well_formed(text)))


def _sayable_cut(held: str) -> int:
    end = len(held)
    if "\ud800" <= held[-1:] <= "\udbff":  # the other half is still to come
        end -= 1
    for block in _BLOCK.finditer(held):
        if not held[: block.end()].endswith(f"</{block[1]}>") and end - block.start() < _MAX_BLOCK:
            return block.start()
    token = _OPEN_TOKEN.search(held, max(0, end - _MAX_TOKEN), end)
    return token.start() if token else end


# -- markup --------------------------------------------------------------------------------

_MAX_LINK = 400
"""A ``[`` that is not closed within this many characters is not a link."""
_MAX_ROW = 2000
"""A line of a table that is longer is no table."""
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)|!?\[([^\]\n]+)\]\[[^\]\n]*\]")
_OPEN_LINK = re.compile(r"!?\[[^\]\n]*(?:\](?:[\[(][^)\]\n]*)?)?\Z")
_FOOTNOTE = re.compile(r"\[\^[^\]\s]+\]")
_URL = re.compile(r"https?://(?:www\.)?([^\s/?#]+)([/?#]\S*)?")
_AFTER_URL = re.compile(r"[.,;:!?)\]}'\"”’*_>]*\Z")
_TAG = re.compile(
    r"</?(?:(br|p|div|pre|ul|ol|li|tr|td|th|h[1-6])|b|i|u|s|em|strong|sub|sup|span|code|kbd|mark|a)"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_OPEN_TAG = re.compile(r"<(?:/?[a-zA-Z][^<>\n]*)?\Z|</\Z|&#?\w{0,10}\Z|\\\Z")
_EMOJI = re.compile(
    "[\u2600-\u27bf\u2b00-\u2bff\ufe0f\u20e3\u200d\U0001f000-\U0001faff\U000e0020-\U000e007f]"
)
_EMPHASIS = re.compile(r"\*+|`+|~~|(?<!\w)_+(?=\w)|(?<=\w)_+(?!\w)")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+.!|>~-])")
_LINE_MARK = re.compile(r"[ \t]*(?:(?:#{1,6}|[-*+•])[ \t]+(?:\[[ xX]\][ \t]+)?|(?:>[ \t]?)+)")
_LINE_START = re.compile(r"[ \t]*(?:#{0,6}|[-*+•]?[ \t]*(?:\[[ xX]?\]?)?|>[> \t]*)[ \t]*\Z")
_FENCE = re.compile(r"[ \t]*(```+|~~~+)")
_RULE = re.compile(r"[ \t]*[-*_=|:+][-*_=|:+ \t]*[-*_=|:+][-*_=|:+ \t]*\Z")
_MARKS = frozenset(" \t`~-*_=|:+")


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
    for unclosed, longest in ((_OPEN_LINK, _MAX_LINK), (_OPEN_TAG, _MAX_TOKEN)):
        found = unclosed.search(held)
        if found and len(held) - found.start() < longest:
            at = min(at, _word_start(held, found.start()))
    for address in _URL.finditer(held):
        if address.start() < at <= address.end():
            at = _word_start(held, address.start())
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
    after = _AFTER_URL.search(match[0])
    assert after is not None
    return _AFTER_URL.sub("", match[1]) + after[0]


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
    if _RULE.match(line.rstrip("\n")):
        return "", ""
    if line.lstrip().startswith("|") and len(line) < _MAX_ROW:
        cells = (cell.strip() for cell in line.strip().strip("|").split("|"))
        return "", ", ".join(cell for cell in cells if cell) + "\n"
    return "", line


def _may_be_block(line: str) -> bool:
    if len(line) >= _MAX_ROW:
        return False
    return line.lstrip().startswith("|") or bool(_FENCE.match(line)) or _MARKS.issuperset(line)
