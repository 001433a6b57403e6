"""Items of a conversation, as prompts take them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.audio import AudioFrame
from omni_agent.conversation import (
    AudioPart,
    Conversation,
    Item,
    Message,
    TextPart,
    ToolCall,
    ToolResult,
    as_read,
    assistant,
    rounds,
    user,
)
from omni_agent.utf8 import whole


def items_of(kinds: str) -> list[Item]:
    """``u``: user, ``a``: assistant, ``c``: a call, ``r``: the result of the call before."""
    made: dict[str, Item] = {"u": user("hi"), "a": assistant("yes")}
    return [
        made.get(kind) or (ToolCall(str(at), "t", {}) if kind == "c" else ToolResult(str(at), "ok"))
        for at, kind in enumerate(kinds)
    ]


def test_calls_made_at_once_are_one_round_and_a_result_ends_it() -> None:
    items = items_of("uccrrcracu")
    sizes = [len(group) for group in rounds(items)]
    assert sizes == [1, 2, 1, 1, 1, 1]


@given(st.text("uacr", max_size=20))
def test_rounds_hold_everything_but_results_in_order(kinds: str) -> None:
    items = items_of(kinds)
    groups = list(rounds(items))
    assert all(groups)
    assert [item for group in groups for item in group] == [
        item for item in items if not isinstance(item, ToolResult)
    ]


def story(text: str) -> list[Item]:
    """``u`` and ``a`` are messages, ``-`` an empty one; ``1`` a call, ``1!`` its result; calls
    of one letter's case ``x1 x2`` are of one run."""
    items: list[Item] = []
    for word in text.split():
        if word in ("u", "a"):
            items.append(user("hi") if word == "u" else assistant("yes"))
        elif word == "-":
            items.append(Message("assistant", (), interrupted=True))
        elif word.endswith("!"):
            items.append(ToolResult(word[:-1], "ok"))
        else:
            items.append(ToolCall(word, "t", {}, run=word[0] if word[0].isalpha() else ""))
    return items


def told(items: list[Item]) -> str:
    words = []
    for item in items:
        match item:
            case Message():
                words.append(item.role[0] if item.text else "-")
            case ToolCall():
                words.append(item.call_id)
            case ToolResult():
                words.append(f"{item.call_id}!")
    return " ".join(words)


@pytest.mark.parametrize(
    ("came", "read"),
    [
        ("u 1 1! a", "u 1 1! a"),
        ("u 1 2 1! 2! a", "u 1 2 1! 2! a"),
        ("u x1 x1! x2 x2! a", "u x1 x2 x1! x2! a"),
        ("u x1 x1! y1 y1! a", "u x1 x1! y1 y1! a"),
        ("u 1 u a 1!", "u u a 1 1!"),
        ("u 1 u a 1! a u", "u u a 1 1! a u"),
        ("u 1 - u", "u 1 - u"),
        ("u 1 - 1!", "u 1 1! -"),
        ("u a 1 a 1!", "u a a 1 1!"),
        ("u x1 x2 x1! u a x2!", "u u a x1 x2 x1! x2!"),
        ("u x1 x2 x1! u", "u x1 x2 x1! u"),
        ("u 1 u 2 2! a 1!", "u u 2 2! a 1 1!"),
    ],
)
def test_a_result_is_read_where_it_came_with_its_call_before_it(came: str, read: str) -> None:
    assert told(as_read(story(came))) == read


@given(st.text("uacr", max_size=20))
def test_nothing_is_lost_or_doubled_by_reading_in_order(kinds: str) -> None:
    items = [item for item in items_of(kinds) if not isinstance(item, ToolResult)]
    calls = [item for item in items if isinstance(item, ToolCall)]
    items += [ToolResult(call.call_id, "ok") for call in calls[::2]]
    ordered = as_read(items)
    assert sorted(map(id, ordered)) == sorted(map(id, items))
    said = [item for item in items if isinstance(item, Message)]
    assert [item for item in ordered if isinstance(item, Message)] == said


HALF, OTHER = "\ud83d", "\ude00"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("plain", "plain"), (f"a{HALF}", "a\ufffd"), (f"{OTHER}b", "\ufffdb"), (HALF + OTHER, "😀")],
)
def test_halves_of_characters_meet_or_are_replaced(text: str, expected: str) -> None:
    assert whole(text) == expected


def test_whatever_joins_the_conversation_can_be_written_down() -> None:
    conversation = Conversation()
    conversation.add(user(f"Hi {HALF}"))
    conversation.add(ToolCall("c", "find", {f"what{OTHER}": [HALF, {"deep": HALF + OTHER}]}))
    conversation.add(ToolResult("c", f"found {HALF}"))
    spoken = AudioPart(AudioFrame(np.zeros(1, np.int16), 16_000), f"heard {HALF}")
    conversation.add(Message("user", (spoken,)))
    message, call, result, heard = conversation.items
    assert isinstance(message, Message)
    assert message.text == "Hi \ufffd"
    assert isinstance(call, ToolCall)
    assert call.arguments == {"what\ufffd": ["\ufffd", {"deep": "😀"}]}
    assert isinstance(result, ToolResult)
    assert result.output == "found \ufffd"
    assert isinstance(heard, Message)
    assert heard.text == "heard \ufffd"


def found(text: str) -> Message:
    """What plugins found for the turn after it."""
    return Message("system", (TextPart(text),), retrieved=True)


def test_an_item_goes_with_all_that_was_found_for_it_and_nothing_else() -> None:
    before, asked = assistant("yes"), user("who?")
    conversation = Conversation(items=[before, found("a fact"), found("another"), asked])
    assert conversation.remove(asked.id)
    assert conversation.items == (before,)


def test_what_was_found_can_be_removed_though_it_comes_first() -> None:
    fact, asked = found("a fact"), user("who?")
    conversation = Conversation(items=[fact, asked])
    assert conversation.remove(fact.id)
    assert conversation.items == (asked,)


CHANGES = st.tuples(
    st.sampled_from(["add", "find", "insert", "revise", "remove"]), st.integers(0, 9)
)


@given(st.lists(CHANGES, max_size=40))
def test_whatever_changes_every_item_is_there_once_and_in_order(
    changes: list[tuple[str, int]],
) -> None:
    """Against a list that does the same the long way."""
    conversation, expected = Conversation(), list[Message]()
    for change, place in changes:
        ids, revision = [item.id for item in expected], conversation.revision
        at = place % len(expected) if expected else 0
        there = expected[at] if expected else assistant("never added")
        new = found("a fact") if change == "find" else user("hi")
        match change:
            case "add" | "find":
                conversation.add(new)
                expected.append(new)
            case "insert":
                conversation.add(new, before=there.id)
                expected.insert(at, new)
            case "revise" if expected:
                expected[at] = replace(there, parts=(TextPart("revised"),))
                conversation.add(expected[at])
            case "remove":
                assert conversation.remove(there.id) is bool(expected)
                first = at
                while first and expected[first - 1].retrieved:
                    first -= 1
                del expected[first : at + 1]
        assert conversation.items == tuple(expected)
        moved = [item.id for item in expected] != ids
        assert conversation.revision == revision + moved
