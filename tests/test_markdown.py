"""What a model writes and no voice may say, however the stream is cut."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.markdown import no_markdown, sayable
from omni_agent.text import TextFilter, compose


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
        ("- [ ] milk\n- [x] eggs", "milk\neggs"),
        ("> quoted\n>> twice", "quoted\ntwice"),
        ("1. one\n2. two", "1. one\n2. two"),
        ("See [the docs](https://x.org/a?b=c) please", "See the docs please"),
        ('See [the docs](https://x.org "Title here") please', "See the docs please"),
        ("See [the docs][1] please", "See the docs please"),
        ("![a cat](cat.png) sits", "a cat sits"),
        ("So it is[^1].", "So it is."),
        ("Go to https://www.example.org/path?q=1 now", "Go to example.org now"),
        ("It is at https://example.org/a/b.", "It is at example.org."),
        ("It is there (https://example.org/a).", "It is there (example.org)."),
        ("5 * 3 is 15", "5 times 3 is 15"),
        ("5*3 is 15", "5×3 is 15"),
        ("keep snake_case and 3-4", "keep snake_case and 3-4"),
        ("_emphasis_ here", "emphasis here"),
        ("Great! 🎉 Done", "Great!  Done"),
        ("Press 1️⃣ now", "Press 1 now"),
        ("a [bracket] stays", "a [bracket] stays"),
        ("Run this:\n```python\nprint('hi')\n```\nThat is all.", "Run this:\nThat is all."),
        ("~~~\ncode\n~~~\nDone.", "Done."),
        ("````md\n```\ninner\n```\n````\nDone.", "Done."),
        ("```sh\nls", ""),
        ("| a | b |\n|---|:-:|\n| 1 | 2 |\n", "a, b\n1, 2\n"),
        ("One\n---\nTwo\n***\nThree", "One\nTwo\nThree"),
        ("Title\n=====\nText", "Title\nText"),
        ("one<br>two <b>bold</b>", "one two bold"),
        ('a <a href="x y">link</a> here', "a link here"),
        ("Tom &amp; Jerry &lt;3", "Tom & Jerry <3"),
        (r"not \*emphasised\*", "not emphasised"),
        ("5 < 6 and a<b", "5 < 6 and a<b"),
        ("if a <b and c> d", "if a <b and c> d"),
        ("**你好**，世界", "你好，世界"),
        ("-5 degrees\n+3 more", "-5 degrees\n+3 more"),
    ],
)
def test_markdown_is_spoken_as_plain_words(written: str, spoken: str) -> None:
    assert run(no_markdown, written) == spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Hello.<|im_end|>", "Hello."),
        ("<|start_header_id|>assistant<|end_header_id|>Hi", "Hi"),
        ("Hi<|eot_id|><|end_of_text|>", "Hi"),
        ("<｜end▁of▁sentence｜>Hi", "Hi"),
        ("Hi</s>", "Hi"),
        ("<end_of_turn>Hi", "Hi"),
        ("[INST] Hi [/INST]", " Hi "),
        ("Hi[TOOL_CALLS][{}]", "Hi"),
        ("[THINK]secret[/THINK]Hi", "Hi"),
        ("<|channel|>analysis<|message|>hm<|end|><|channel|>final<|message|>Hi", "Hi"),
        ("Hi<|tool_call|>x<|/tool_call|>", "Hi"),
        ("Hi<|im_end|>\n<|im_start|>user\nAnd you?", "Hi"),
        ("<think>no one\nmay hear</think>Hi", "Hi"),
        ("</think>Hi", "Hi"),
        ('Sure.<tool_call>{"name": "x"}</tool_call> Done', "Sure. Done"),
        ("Sure. <tool_call>{", "Sure. "),
        ("a < b, x<y and [ok]", "a < b, x<y and [ok]"),
        ("half \ud83d and \ude00 pair \ud83d\ude00", "half  and  pair 😀"),
        ("bell\x07 null\x00 escape\x1b[31m", "bell null escape[31m"),
        ("line\nbreak\ttab\u2028line", "line\nbreak\ttab\nline"),
    ],
)
def test_what_is_no_speech_reaches_no_voice(written: str, spoken: str) -> None:
    assert run(sayable, written) == spoken


def test_where_nothing_is_said_the_filters_behind_hear_of_nothing() -> None:
    async def heard() -> list[str]:
        return [piece async for piece in sayable(_pieces("<think>", "hm", "</think>", ""))]

    assert asyncio.run(heard()) == []


def test_an_emoji_that_comes_in_two_halves_is_whole_again() -> None:
    assert run(sayable, "Good \ud83d", "\ude00 day") == "Good 😀 day"


_PIECES = st.sampled_from([
    *"ab *_`#-[](): \n.!|<>&\\=+5~你好สั",
    "```", "python\n", "|---|\n", "| a | b |\n", "<b>", "</b>", "&amp;", "http://x.y/z", "[a](b)",
    "[a b](c d)", '<a href="x y">', "<think>", "</think>", "<|im_end|>", "<tool_call>",
    "</tool_call>", "😀", "\ud83d", "\ude00",
    "- ", "> ", "[ ] ", "[^1]", "\\*", "[INST]",
])  # fmt: skip


@pytest.mark.parametrize("text_filter", [no_markdown, sayable])
@given(parts=st.lists(_PIECES, max_size=25), cuts=st.lists(st.integers(0, 200), max_size=8))
def test_cutting_the_stream_differently_changes_nothing(
    text_filter: TextFilter, parts: list[str], cuts: list[int]
) -> None:
    text = "".join(parts)
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    pieces = [text[a:b] for a, b in itertools.pairwise(places)]
    whole = run(text_filter, text)
    assert run(text_filter, *pieces) == whole
    assert run(text_filter, *text) == whole


@given(parts=st.lists(_PIECES, max_size=25))
def test_no_special_token_survives(parts: list[str]) -> None:
    said = run(sayable, "".join(parts))
    assert not any(token in said for token in ("<|im_end|>", "<think>", "</think>", "[INST]"))
