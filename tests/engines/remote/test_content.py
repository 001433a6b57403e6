"""What is said, thought and called in a reply's content, however it is cut."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from omni_agent.engines.remote.content import Content, Reading
from omni_agent.engines.remote.markup import Written
from omni_agent.errors import EngineError
from omni_agent.streams import Halves
from omni_agent.thinker import MalformedCall, ReasoningDelta, TextDelta, ToolSchema

TOOLS = {"now": ToolSchema("now", "", {"type": "object", "properties": {}})}
PARTS = [
    "<think>", "</think>", "<tool_call>", "</tool_call>", '{"name": "now"}', "[TOOL_CALLS]",
    "<|im_end|>", "<|channel|>", "analysis", "<|message|>", "<|end|>", "```", "json", "[now(", ")]",
    "<", "</", "<|", "th", "ink>", " ", "\n", "hello", "1 < 2", "<b>", "ñ", "\ud83d", "\ude00",
]  # fmt: skip


def read(pieces: Iterable[str], habits: set[str] | None = None) -> list[Reading]:
    """Neighbours as one."""
    content = Content(TOOLS, set() if habits is None else habits)
    said: list[Reading] = []
    for new in [*(s for piece in pieces for s in content.push(piece)), *content.finish()]:
        match new, said[-1] if said else None:
            case (TextDelta(more), TextDelta(text)) | (ReasoningDelta(more), ReasoningDelta(text)):
                said[-1] = type(new)(text + more)
            case _:
                said.append(new)
    return said


def spoken(said: Iterable[Reading]) -> str:
    return "".join(each.text for each in said if isinstance(each, TextDelta))


@given(
    st.lists(st.sampled_from(PARTS), max_size=8).map("".join),
    st.lists(st.integers(0, 60)),
    st.booleans(),
)
@example("<think>a</think>b", [3, 12], False)
@example(" \n<think></think> \n b", [0, 1, 2, 9, 10, 17, 18], False)
@example("hm</think>b", [3], True)
def test_any_cut_gives_the_same_as_the_whole(text: str, cuts: list[int], unopened: bool) -> None:
    edges = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    pieces = [text[start:end] for start, end in itertools.pairwise(edges)]
    before = {"unopened"} if unopened else set()
    cut, uncut = set(before), set(before)
    assert read(pieces, cut) == read([text], uncut)
    assert cut == uncut


@given(st.lists(st.sampled_from(PARTS), max_size=8).map("".join))
def test_no_half_of_a_character_and_no_special_token_is_said(text: str) -> None:
    words = spoken(read(text))
    words.encode()
    assert not any(mark in words for mark in ("<think>", "</think>", "<|im_end|>", "<tool_call>"))


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<[`◁{"), min_size=1))
def test_words_without_any_mark_are_said_as_they_are_and_at_once(text: str) -> None:
    content = Content(TOOLS, set())
    assert spoken(content.push(text)) == text.lstrip()
    assert list(content.finish()) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello <think>x</think>.", [TextDelta("Hello "), ReasoningDelta("x"), TextDelta(".")]),
        ("<thin", [TextDelta("<thin")]),
        ("<s>old</s> new", [TextDelta("old new")]),
        ("<b>bold</b>", [TextDelta("<b>bold</b>")]),
        ("<think>and on and on</thin", [ReasoningDelta("and on and on</thin")]),
        ("<think>a</think> <think>b</think> Yes.", [ReasoningDelta("ab"), TextDelta("Yes.")]),
        ("<think>a</think>\n", [ReasoningDelta("a")]),
        ("", []),
        ("Yes. [now()]", [TextDelta("Yes. [now()]")]),
        ("[no", [TextDelta("[no")]),
        ("[now()]", [Written("now", "{}")]),
        ("<tool_call>now</tool_call>", [Written("now", "{}")]),
    ],
)
def test_what_counts_as_what(text: str, expected: list[Reading]) -> None:
    assert read(text) == expected == read([text])


def test_reasoning_that_nothing_opened_is_known_from_the_second_reply_on() -> None:
    habits: set[str] = set()
    assert spoken(read("Hm.</think>Yes.", habits)) == "Hm.Yes."
    assert read("Hm.</think>Yes.", habits) == [ReasoningDelta("Hm."), TextDelta("Yes.")]
    assert spoken(read("No reasoning at all.", habits)) == "No reasoning at all."
    assert list(Content({}, habits).push("At once.")) == [TextDelta("At once.")]


def test_without_tools_braces_and_fences_are_not_held_back() -> None:
    content = Content({}, set())
    assert list(content.push('{"name": ```json')) == [TextDelta('{"name": ```json')]


def test_without_tools_a_call_is_not_made() -> None:
    content = Content({}, set())
    text = '<tool_call>{"name": "now"}</tool_call>'
    assert list(content.push(text)) == [MalformedCall(text, "no tool was offered")]


def test_a_call_without_end_is_refused() -> None:
    content = Content(TOOLS, set())
    list(content.push("<tool_call>" + "x" * 19_000))
    with pytest.raises(EngineError, match="without end"):
        list(content.push("x" * 2000))


@given(st.text(st.characters(), max_size=12), st.integers(0, 12))
def test_halves_of_a_character_meet(text: str, place: int) -> None:
    halves = Halves()
    pushed = halves.push(text[:place]) + halves.push(text[place:]) + halves.finish()
    assert pushed == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
