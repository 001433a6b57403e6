"""A conversation in the words of the OpenAI chat API."""

from __future__ import annotations

from omni_agent.conversation import (
    ImagePart,
    Message,
    TextPart,
    ToolCall,
    ToolResult,
    assistant,
    user,
)
from omni_agent.engines.remote.messages import messages, tools
from omni_agent.thinker import ThinkRequest, ToolSchema


def test_instructions_come_first_and_empty_ones_not_at_all() -> None:
    assert messages(ThinkRequest(" Be kind. ", (user("hi"),))) == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "hi"},
    ]
    assert messages(ThinkRequest("", (user("hi"),)))[0]["role"] == "user"


def test_calls_in_a_row_are_one_message_and_each_is_followed_by_its_result() -> None:
    items = (
        user("both"),
        ToolCall("1", "a", {"x": "é"}),
        ToolCall("2", "b", {}),
        assistant("One moment."),
        ToolResult("2", "down", ok=False),
        ToolResult("1", "up"),
    )
    rows = messages(ThinkRequest("", items))
    assert [row["role"] for row in rows] == ["user", "assistant", "tool", "tool", "assistant"]
    assert [call["id"] for call in rows[1]["tool_calls"]] == ["1", "2"]
    assert rows[1]["tool_calls"][0]["function"] == {"name": "a", "arguments": '{"x": "é"}'}
    assert [(row["tool_call_id"], row["content"]) for row in rows[2:4]] == [
        ("1", "up"),
        ("2", "failed: down"),
    ]


def test_a_call_that_still_runs_has_a_result_that_says_so() -> None:
    rows = messages(ThinkRequest("", (user("go"), ToolCall("1", "a", {}), user("well?"))))
    assert [row["role"] for row in rows] == ["user", "assistant", "tool", "user"]
    assert rows[2]["content"] == "still running"


def test_pictures_go_as_data_urls_beside_the_words() -> None:
    seen = Message("user", (TextPart("What is it?"), ImagePart(b"\x01\x02", "image/jpeg")))
    assert messages(ThinkRequest("", (seen,)))[0]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AQI="}},
    ]


def test_an_unheard_message_is_left_out_and_a_cut_one_marked() -> None:
    unheard = Message("assistant", (TextPart(""),), interrupted=True)
    cut = Message("assistant", (TextPart("The first"),), interrupted=True)
    rows = messages(ThinkRequest("", (user("hi"), unheard, cut)))
    assert [row["content"] for row in rows] == ["hi", "The first …"]


def test_a_tool_is_a_function() -> None:
    schema = ToolSchema("f", "Does it.", {"type": "object", "properties": {}})
    assert tools((schema,)) == [
        {
            "type": "function",
            "function": {
                "name": "f",
                "description": "Does it.",
                "parameters": {"type": "object", "properties": {}},
            },
        }
    ]
