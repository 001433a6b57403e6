"""A leading <think> block is never spoken, however the content is cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from omni_agent.engines.remote.reasoning import ReasoningSplitter
from omni_agent.thinker import ReasoningDelta

PARTS = ["<think>", "</think>", "<", "</", "th", "ink>", " ", "\n", "hello", "1 < 2", "<b>", "ñ"]


def split(*pieces: str) -> tuple[str, str]:
    """(reasoning, text)"""
    splitter = ReasoningSplitter()
    got = [delta for piece in pieces for delta in splitter.push(piece)]
    got += splitter.finish()
    reasoning = "".join(delta.text for delta in got if isinstance(delta, ReasoningDelta))
    return reasoning, "".join(delta.text for delta in got if not isinstance(delta, ReasoningDelta))


@given(st.lists(st.sampled_from(PARTS), max_size=8).map("".join), st.lists(st.integers(0, 60)))
@example("<think>a</think>b", [3, 12])
@example(" \n<think></think> \n b", [0, 1, 2, 9, 10, 17, 18])
def test_any_cut_gives_the_same_as_the_whole(content: str, cuts: list[int]) -> None:
    edges = sorted({0, len(content), *(min(cut, len(content)) for cut in cuts)})
    pieces = [content[start:end] for start, end in itertools.pairwise(edges)]
    assert split(*pieces) == split(content)


@given(st.text(max_size=20), st.text(max_size=20))
@example("", "<")
def test_a_block_and_an_answer_are_told_apart_character_by_character(
    thought: str, answer: str
) -> None:
    thought = thought.replace("</think>", "")
    if answer.lstrip().startswith("<think>"):
        return
    assert split(*f"\n<think>{thought}</think>\n{answer}") == (thought, answer.lstrip())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Hello <think>x</think>.", ("", "Hello <think>x</think>.")),
        (" Hello", ("", " Hello")),
        ("<thin", ("", "<thin")),
        ("<b>bold</b>", ("", "<b>bold</b>")),
        ("<think>and on and on</thin", ("and on and on</thin", "")),
        ("<think>a</think> <think>b</think> Yes.", ("ab", "Yes.")),
        ("<think>a</think>\n", ("a", "")),
        ("", ("", "")),
    ],
)
def test_what_counts_as_reasoning(content: str, expected: tuple[str, str]) -> None:
    assert split(content) == expected


def test_an_answer_without_a_block_is_not_held_back() -> None:
    splitter = ReasoningSplitter()
    assert [delta.text for delta in splitter.push("Hi")] == ["Hi"]
    assert [delta.text for delta in splitter.push("<think>")] == ["<think>"]
