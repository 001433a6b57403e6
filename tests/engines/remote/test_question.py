"""Servers that refuse a field of the request get the rest without it."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.responses import JSONResponse

from omni_agent.conversation import ToolCall, ToolResult, user
from omni_agent.engines.remote.asking import Refusal
from omni_agent.engines.remote.question import ChatQuestion
from omni_agent.engines.remote.server import Server as RemoteServer
from omni_agent.engines.remote.thinker import OpenAIThinker
from omni_agent.errors import EngineError
from omni_agent.thinker import Sampling, ThinkRequest, ToolCallRequest
from tests.engines.remote.serving import GREETED, HELLO, Answer, Waits, said, serving, sse, status
from tests.engines.remote.streams import CALLED, PARIS, TOOLS, piece

REQUEST = ThinkRequest("", (user("hi"),), sampling=Sampling(max_tokens=40, seed=3))


def mistral() -> JSONResponse:
    detail = [{"type": "extra_forbidden", "loc": ["body", "stream_options", "include_usage"]}]
    return JSONResponse({"object": "error", "message": {"detail": detail}}, 422)


async def twice(refusal: Answer) -> list[dict[str, Any]]:
    """What a server that refuses once is sent for two requests."""
    async with serving(refusal, HELLO) as server:
        thinker = OpenAIThinker(server.url, "m", sleep=Waits())
        for _ in range(2):
            assert await said(thinker, REQUEST) == GREETED
        await thinker.aclose()
    return server.bodies


@pytest.mark.parametrize(
    ("refusal", "without", "instead"),
    [
        (mistral, "stream_options", {}),
        (
            status(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'."),
            "max_tokens",
            {"max_completion_tokens": 40},
        ),
        (status(400, "Unsupported value: 'temperature' does not support 0.7"), "temperature", {}),
        (status(400, "seed is not permitted"), "seed", {}),
    ],
    ids=["Mistral", "OpenAI's reasoning models", "their temperature", "others"],
)
async def test_a_field_that_is_refused_is_left_out_from_then_on(
    refusal: Answer, without: str, instead: dict[str, Any]
) -> None:
    first, second, third = await twice(refusal)
    left = {key: value for key, value in first.items() if key != without}
    assert second == third == left | instead
    assert without in first


async def test_a_field_that_is_refused_again_ends_it() -> None:
    async with serving(status(400, "seed: no")) as server:
        thinker = OpenAIThinker(server.url, "m", sleep=Waits())
        with pytest.raises(EngineError, match="seed: no"):
            await said(thinker, REQUEST)
        await thinker.aclose()
    assert len(server.requests) == 2


CONTEXT = status(
    400,
    "This model's maximum context length is 4096 tokens. However, you requested 4200 tokens (4000 "
    "in the messages, 200 in the completion). 'max_tokens' is too large: reduce it.",
)


@pytest.mark.parametrize(
    ("refusal", "without"),
    [
        (CONTEXT, "max_tokens"),
        (status(422, "temperature: must be between 0 and 1"), "temperature"),
        (status(400, "seed: no"), "seed"),
    ],
    ids=["a full context", "a range", "no reason"],
)
async def test_what_is_wrong_with_one_request_says_nothing_about_others(
    refusal: Answer, without: str
) -> None:
    first, again, another = await twice(refusal)
    assert again == {key: value for key, value in first.items() if key != without}
    assert another == first


def test_callers_who_are_refused_at_once_are_all_asked_again() -> None:
    server, said = RemoteServer("http://a/v1"), Refusal(400, "Unsupported parameter: 'seed'", "no")
    callers = [ChatQuestion("m", REQUEST, None) for _ in range(2)]
    assert all("seed" in caller.body(server) for caller in callers)
    assert all(caller.concede(server, said) for caller in callers)
    assert not any("seed" in caller.body(server) for caller in callers)
    assert not any(caller.concede(server, said) for caller in callers)


async def test_what_came_with_a_call_goes_back_with_it() -> None:
    signature = {"google": {"thought_signature": "abc"}}
    called = piece(index=0, name="get_weather", arguments=PARIS, extra_content=signature)
    async with serving(sse(called, CALLED), HELLO) as server:
        thinker = OpenAIThinker(server.url, "m")
        (call,) = [
            thought
            for thought in await said(thinker, ThinkRequest("", (user("hi"),), TOOLS))
            if isinstance(thought, ToolCallRequest)
        ]
        made = ToolCall(call.call_id, call.name, call.arguments)
        items = (user("hi"), made, ToolCall("other", "now", {}), ToolResult(call.call_id, "Rain."))
        await said(thinker, ThinkRequest("", items, TOOLS))
        await thinker.aclose()
    with_it, without = server.bodies[1]["messages"][1]["tool_calls"]
    assert with_it["extra_content"] == signature
    assert "extra_content" not in without


async def test_halves_of_characters_anywhere_do_not_fail_the_request() -> None:
    items = (
        user("a\ud83d"),
        ToolCall("c", "find", {"what": "\ud83d", "\ude00": ["\ud83d\ude00"]}),
        ToolResult("c", "found \ude00"),
    )
    async with serving(HELLO) as server:
        thinker = OpenAIThinker(server.url, "m")
        assert await said(thinker, ThinkRequest("Be brief\ud83d.", items)) == GREETED
        await thinker.aclose()
    system, asking, called, result = server.bodies[0]["messages"]
    assert (system["content"], asking["content"]) == ("Be brief\ufffd.", "a\ufffd")
    assert "😀" in called["tool_calls"][0]["function"]["arguments"]
    assert result["content"] == "found \ufffd"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1}, object()])
async def test_arguments_that_are_no_json_do_not_fail_the_request(value: Any) -> None:
    items = (user("hi"), ToolCall("c", "find", {"what": value}), ToolResult("c", "no"))
    async with serving(HELLO) as server:
        thinker = OpenAIThinker(server.url, "m")
        assert await said(thinker, ThinkRequest("", items)) == GREETED
        await thinker.aclose()
    assert server.bodies[0]["messages"][1]["tool_calls"][0]["function"]["arguments"] == "{}"
