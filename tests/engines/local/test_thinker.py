"""The mind: a real llama.cpp with the smallest model for plumbing, the real one for sense."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import pytest_asyncio

from omni_agent import Persona, events, hookimpl
from omni_agent.conversation import Item, ToolCall, ToolResult, assistant, user
from omni_agent.engines.local.completion import Llama
from omni_agent.engines.local.grammar import grammar
from omni_agent.engines.local.thinker import LocalThinker
from omni_agent.errors import EngineError, EngineUnavailable
from omni_agent.persona import SamplingOptions
from omni_agent.testing import ScriptedTalker, rehearse
from omni_agent.thinker import (
    MalformedCall,
    Sampling,
    TextDelta,
    ThinkRequest,
    Thought,
    ToolCallBegun,
    ToolCallRequest,
    ToolSchema,
    Usage,
)
from tests.clocks import until

pytestmark = [pytest.mark.models, pytest.mark.asyncio(loop_scope="module")]
Find = Callable[[str], Path]

STRING, NUMBER = {"type": "string"}, {"type": "number", "exclusiveMinimum": 0}


def tool(
    name: str, description: str, example: tuple[str, dict[str, Any]], **properties: Any
) -> ToolSchema:
    required = [key for key, value in properties.items() if "default" not in value]
    schema = {"type": "object", "properties": properties, "required": required}
    return ToolSchema(name, description, schema, (example,))


TOOLS = (
    tool(
        "set_timer",
        "Start a timer that rings.",
        ("Set a timer for five minutes.", {"amount": 5, "unit": "minutes"}),
        amount=NUMBER,
        unit={"enum": ["seconds", "minutes", "hours"]},
        label={**STRING, "default": ""},
    ),
    tool(
        "calculate",
        "Work out an arithmetic expression.",
        ("What is twelve times three and a half?", {"expression": "12 * 3.5"}),
        expression=STRING,
    ),
    tool(
        "weather",
        "The weather forecast for a place.",
        ("Will it rain in Oslo tomorrow?", {"place": "Oslo", "day": "tomorrow"}),
        place=STRING,
        day={"enum": ["today", "tomorrow"], "default": "today"},
    ),
    tool(
        "set_light",
        "Switch or dim a light.",
        ("Turn on the light in the hall.", {"room": "hall", "brightness": 100}),
        room={"enum": ["kitchen", "bedroom", "hall"]},
        brightness={"type": "integer", "minimum": 0, "maximum": 100},
    ),
)


def request(
    *items: Item, tools: tuple[ToolSchema, ...] = (), max_tokens: int = 12, temperature: float = 0.0
) -> ThinkRequest:
    return ThinkRequest("Be kind.", items, tools, Sampling(temperature, 0.95, max_tokens, seed=1))


async def all_of(thinker: LocalThinker, asked: ThinkRequest) -> list[Thought]:
    return [thought async for thought in thinker.think(asked)]


MOST = 800
STORY = request(user("Tell me a long story."), max_tokens=MOST)
"""Which goes on for so many tokens: half a minute."""


def damage(states: Path) -> None:
    """Cut the one saved state short."""
    (state,) = states.glob("*.kv")
    state.write_bytes(state.read_bytes()[:1000])


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def usage(thoughts: list[Thought]) -> Usage:
    last = thoughts[-1]
    assert isinstance(last, Usage)
    return last


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("states")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def small(model_path: Find, states: Path) -> AsyncIterator[LocalThinker]:
    path = model_path("smollm2-135m")
    thinker = await LocalThinker.start(path, threads=1, context=1024, states=states)
    yield thinker
    await thinker.aclose()


async def test_llama_cpp_takes_the_grammars(small: LocalThinker) -> None:
    llama = Llama(str((await small.worker.info())["address"]), small._key)
    odd = ToolSchema(
        "git-hub.find",
        "",
        {
            "type": "object",
            "properties": {
                "max-n": {"type": ["integer", "null"]},
                'q"\\': {"enum": ['a "b"\\', "é\n", 3, None]},
                "list": {"type": "array", "items": {"anyOf": [STRING, {"type": "boolean"}]}},
                "any": {},
                "deep": {"type": "object", "properties": {"x": {"const": 1}}},
            },
        },
    )
    try:
        for tools in ((), TOOLS, (odd,), (*TOOLS, odd)):
            pieces = [p async for p in llama.complete("hi", grammar(tools), Sampling(0, 1, 2))]
            assert pieces[-1].usage
        with pytest.raises(EngineError):  # so the above does not pass for want of checking
            [p async for p in llama.complete("hi", "root ::= missing", Sampling(0, 1, 2))]
    finally:
        await llama.aclose()


async def test_every_output_is_speech_or_a_call_never_a_piece_of_syntax(
    small: LocalThinker,
) -> None:
    for seed in range(3):
        hot = Sampling(1.5, 1.0, 40, seed)
        thoughts = await all_of(small, ThinkRequest("Be kind.", (user("light!"),), TOOLS, hot))
        spoken = "".join(t.text for t in thoughts if isinstance(t, TextDelta))
        assert "(" not in spoken
        for thought in thoughts:
            if isinstance(thought, MalformedCall):
                assert thought.reason == "the call was cut off"


async def test_a_required_call_is_made_whatever_was_said(small: LocalThinker) -> None:
    (light,) = TOOLS[3:]
    required = ThinkRequest(
        "Be kind.", (user("Hello!"),), (light,), Sampling(0, 1, 40), tool_choice="required"
    )
    thoughts = await all_of(small, required)
    assert [t.name for t in thoughts if isinstance(t, ToolCallRequest)][:1] == ["set_light"]
    assert not any(isinstance(t, TextDelta) for t in thoughts)


async def test_what_was_prepared_is_not_computed_again(small: LocalThinker) -> None:
    said = "Tell me a long story about the old sea and the lighthouse on the"
    await small.prepare(request(user(said)))
    done = usage(await all_of(small, request(user(said + " cliff"))))
    assert done.prompt_tokens - done.cached_tokens <= 8


async def test_an_older_preparation_does_not_undo_a_newer_one(small: LocalThinker) -> None:
    said = "Once upon a time there was a fox who lived in the green hills behind the mill"
    words = said.split()
    async with asyncio.TaskGroup() as tasks:
        for end in range(2, len(words) + 1, 2):
            tasks.create_task(small.prepare(request(user(" ".join(words[:end])))))
    done = usage(await all_of(small, request(user(said))))
    assert done.prompt_tokens - done.cached_tokens <= 8


async def test_a_reply_without_tools_keeps_the_prefix_with_tools(small: LocalThinker) -> None:
    await all_of(small, request(user("hi"), tools=TOOLS))
    done = usage(await all_of(small, request(user("hi"), user("bye"))))
    assert done.cached_tokens > 200
    assert done.prompt_tokens - done.cached_tokens < 20


async def test_a_long_conversation_loses_its_oldest_turns_and_never_the_prefix(
    small: LocalThinker,
) -> None:
    turns = [turn for n in range(200) for turn in (user(f"Number {n}, please."), assistant("Yes."))]
    await all_of(small, request(user("hi"), tools=TOOLS))
    done = usage(await all_of(small, request(*turns, user("And now?"), tools=TOOLS)))
    assert done.prompt_tokens < 1024
    assert done.cached_tokens > 200


async def test_closing_a_reply_stops_the_model(small: LocalThinker) -> None:
    stream = small.think(STORY)
    assert isinstance(await anext(aiter(stream)), TextDelta)
    await stream.aclose()  # type: ignore[attr-defined]  # an async generator
    info = await small.worker.info()
    headers = {"Authorization": f"Bearer {small._key}"}
    async with httpx.AsyncClient(base_url=str(info["address"]), headers=headers) as http:
        async with asyncio.timeout(60):
            while (slot := (await http.get("/slots")).json()[0])["is_processing"]:
                pass
    assert slot["next_token"][0]["n_decoded"] < MOST


async def test_replies_at_the_same_time_both_come(small: LocalThinker) -> None:
    first, second = await asyncio.gather(
        all_of(small, request(user("One."))), all_of(small, request(user("Two.")))
    )
    assert usage(first).completion_tokens
    assert usage(second).completion_tokens


async def test_after_kill_9_the_reply_fails_and_the_next_one_works(small: LocalThinker) -> None:
    stream = aiter(small.think(STORY))
    await anext(stream)
    first = small.worker.pid
    assert first
    os.kill(first, signal.SIGKILL)
    with pytest.raises(EngineError, match="model process"):
        [thought async for thought in stream]
    await until(lambda: small.worker.pid not in (first, None))
    assert usage(await all_of(small, request(user("Hello."))))


async def test_a_mind_that_hangs_is_told_and_replaced(small: LocalThinker) -> None:
    stream = aiter(small.think(STORY))
    await anext(stream)
    assert small.worker.pid
    os.kill(small.worker.pid, signal.SIGSTOP)
    with pytest.raises(EngineError, match="model process"):
        [thought async for thought in stream]
    assert small.trouble.endswith("it is being restarted")
    await until(lambda: not small.trouble)
    assert usage(await all_of(small, request(user("Hello."))))


async def test_a_model_that_makes_no_progress_is_replaced(
    small: LocalThinker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await all_of(small, request(user("Hello.")))
    first, llama = small.worker.pid, small._llama
    assert llama is not None
    monkeypatch.setattr(llama._http, "timeout", httpx.Timeout(5.0, read=1e-4))
    with pytest.raises(EngineError, match="model process"):
        await all_of(small, request(user("Tell me everything."), max_tokens=100))
    assert small.trouble.endswith("it is being restarted")
    await until(lambda: not small.trouble)
    assert usage(await all_of(small, request(user("Hello again."))))
    assert small.worker.pid != first


async def test_a_prefix_is_read_from_disk_the_second_time_and_computed_when_damaged(
    model_path: Find, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = model_path("smollm2-135m")
    caplog.set_level(logging.INFO, "omni_agent.engines.local")

    async def prepared() -> Usage:
        thinker = await LocalThinker.start(path, threads=1, context=1024, states=tmp_path)
        try:
            await thinker.prepare(request(tools=TOOLS))
            return usage(await all_of(thinker, request(user("hi"), tools=TOOLS)))
        finally:
            await thinker.aclose()

    def computed() -> int:
        return caplog.text.count("reading a persona")

    first = await prepared()
    assert computed() == 1
    assert await prepared() == first
    assert computed() == 1  # restored
    damage(tmp_path)
    assert await prepared() == first
    assert computed() == 2


class Counted:
    """A Thinker whose token counts are kept."""

    hears = sees = False

    def __init__(self, thinker: LocalThinker) -> None:
        self._thinker = thinker
        self.prepare = thinker.prepare
        self.counts: list[Usage] = []

    async def think(self, asked: ThinkRequest) -> AsyncIterator[Thought]:
        async with aclosing(self._thinker.think(asked)) as thoughts:
            async for thought in thoughts:
                if isinstance(thought, Usage):
                    self.counts.append(thought)
                yield thought

    async def aclose(self) -> None:
        pass


async def test_in_a_call_what_is_found_for_a_turn_is_computed_once_and_nothing_before_it_again(
    small: LocalThinker,
) -> None:
    rooms = iter(("The pool is on the roof.", "The bar is in the cellar.", "The gym is closed."))
    library = SimpleNamespace(context=hookimpl(lambda: next(rooms)))
    persona = Persona(
        name="x", thinker="Be kind. " * 20, sampling=SamplingOptions(max_tokens=12), fillers=()
    )
    thinker, talker = Counted(small), ScriptedTalker(ms_per_character=1)
    async with rehearse(thinker, talker=talker, persona=persona, plugins=[library]) as stage:
        for place in ("pool", "bar", "gym"):
            stage.types(f"Where is the {place}, please?")
            await stage.until(events.ReplyFinished)
    assert [item.text for item in stage.session.conversation if item.retrieved] == [  # type: ignore[union-attr]  # messages all
        "The pool is on the roof.", "The bar is in the cellar.", "The gym is closed.",
    ]  # fmt: skip
    assert len(thinker.counts) == 3
    for before, now in itertools.pairwise(thinker.counts):
        new = now.prompt_tokens - before.prompt_tokens
        assert now.prompt_tokens - now.cached_tokens <= new + 8  # and what the answer began with


async def test_text_beside_a_turn_costs_neither_the_persona_nor_a_file(
    small: LocalThinker, states: Path
) -> None:
    await small.prepare(request(tools=TOOLS))
    before = files(states)
    for found in ("The key is under the mat.", "The door is green."):
        instructions = f"Be kind.\n\n{found}"
        asked = replace(request(user("Where?"), tools=TOOLS), instructions=instructions)
        done = usage(await all_of(small, asked))
        assert done.prompt_tokens - done.cached_tokens < 40
    assert files(states) == before


async def test_three_personas_at_once_are_all_answered_from_an_empty_folder(
    model_path: Find, tmp_path: Path
) -> None:
    path = model_path("smollm2-135m")
    thinker = await LocalThinker.start(path, threads=1, context=1024, states=tmp_path / "none")
    try:
        asked = [
            replace(request(user("Hello.")), instructions=f"You are {name}.")
            for name in ("Ann", "Bob", "Cid")
        ]
        replies = await asyncio.gather(*(all_of(thinker, one) for one in asked))
        assert all(usage(reply).completion_tokens for reply in replies)
        assert thinker.trouble == ""
    finally:
        await thinker.aclose()


async def test_a_folder_that_cannot_be_written_to_is_no_failure(
    model_path: Find, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "states"
    thinker = await LocalThinker.start(
        model_path("smollm2-135m"), threads=1, context=1024, states=folder
    )
    try:
        await thinker.prepare(request())
        assert usage(await all_of(thinker, request(user("Hello."))))
    finally:
        await thinker.aclose()


async def test_a_file_that_is_no_model_is_unavailable(tmp_path: Path) -> None:
    fake = tmp_path / "fake.gguf"
    fake.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(EngineUnavailable, match="mind"):
        await LocalThinker.start(fake, states=tmp_path)


# -- the model people talk to -----------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clever(model_path: Find, states: Path) -> AsyncIterator[LocalThinker]:
    thinker = await LocalThinker.start(model_path("qwen2.5-coder-1.5b"), states=states)
    yield thinker
    await thinker.aclose()


@pytest.mark.parametrize(
    ("said", "name", "arguments"),
    [
        ("Set a timer for ten minutes.", "set_timer", {"amount": 10, "unit": "minutes"}),
        ("Please wake me in 2 hours.", "set_timer", {"amount": 2, "unit": "hours"}),
        ("What is 17 times 23?", "calculate", {"expression": "17 * 23"}),
        ("What's the weather like in Paris?", "weather", {"place": "Paris"}),
        ("Is it sunny in Madrid tomorrow?", "weather", {"place": "Madrid", "day": "tomorrow"}),
        ("Turn off the kitchen light.", "set_light", {"room": "kitchen", "brightness": 0}),
        ("Dim the bedroom to thirty percent.", "set_light", {"room": "bedroom", "brightness": 30}),
    ],
)
async def test_requests_become_calls_with_exact_arguments(
    clever: LocalThinker, said: str, name: str, arguments: dict[str, Any]
) -> None:
    thoughts = await all_of(clever, request(user(said), tools=TOOLS, max_tokens=60))
    assert thoughts[0] == ToolCallBegun(name)
    call = thoughts[1]
    assert isinstance(call, ToolCallRequest)
    assert (call.name, dict(call.arguments)) == (name, arguments)


@pytest.mark.parametrize(
    ("said", "calls"),
    [
        (
            "Set a timer for ten minutes and tell me how the weather is in Rome.",
            [("set_timer", {"amount": 10, "unit": "minutes"}), ("weather", {"place": "Rome"})],
        ),
        (
            "What is 15 plus 27, and what is 9 times 8?",
            [("calculate", {"expression": "15 + 27"}), ("calculate", {"expression": "9 * 8"})],
        ),
    ],
)
async def test_two_requests_in_a_breath_are_both_made(
    clever: LocalThinker, said: str, calls: list[tuple[str, dict[str, Any]]]
) -> None:
    thoughts = await all_of(clever, request(user(said), tools=TOOLS, max_tokens=60))
    made = [thought for thought in thoughts if isinstance(thought, ToolCallRequest)]
    assert [(call.name, dict(call.arguments)) for call in made] == calls


@pytest.mark.parametrize(
    "said", ["Tell me a joke.", "What is the capital of France?", "Set a timer."]
)
async def test_talk_is_answered_in_words(clever: LocalThinker, said: str) -> None:
    thoughts = await all_of(clever, request(user(said), tools=TOOLS, max_tokens=60))
    spoken = "".join(t.text for t in thoughts if isinstance(t, TextDelta))
    assert len(spoken.split()) >= 2
    assert not any(isinstance(t, ToolCallRequest) for t in thoughts)


async def test_whether_to_call_is_not_left_to_chance(clever: LocalThinker) -> None:
    said = user("Set a timer for ten minutes.")
    for seed in range(3):
        hot = ThinkRequest("Be kind.", (said,), TOOLS, Sampling(2.0, 1.0, 60, seed))
        (call,) = [t for t in await all_of(clever, hot) if isinstance(t, ToolCallRequest)]
        assert dict(call.arguments) == {"amount": 10, "unit": "minutes"}


async def test_a_missing_argument_is_asked_for_not_made_up(clever: LocalThinker) -> None:
    thoughts = await all_of(clever, request(user("Set a timer."), tools=TOOLS, max_tokens=60))
    spoken = "".join(t.text for t in thoughts if isinstance(t, TextDelta))
    assert spoken.endswith("?")
    assert "=" not in spoken


async def test_a_tools_result_is_told(clever: LocalThinker) -> None:
    call = ToolCall("c", "calculate", {"expression": "17 * 23"})
    items = (user("What is 17 times 23?"), call, ToolResult("c", "391"))
    thoughts = await all_of(clever, request(*items, tools=TOOLS, max_tokens=60))
    assert "391" in "".join(t.text for t in thoughts if isinstance(t, TextDelta))


async def test_a_time_of_day_is_not_made_a_length_of_time(clever: LocalThinker) -> None:
    said = user("Can you wake me at seven tomorrow?")
    thoughts = await all_of(clever, request(said, tools=TOOLS, max_tokens=60))
    assert not any(isinstance(thought, ToolCallRequest) for thought in thoughts)
    spoken = "".join(t.text for t in thoughts if isinstance(t, TextDelta))
    assert len(spoken.split()) >= 2


async def test_the_results_of_two_tools_are_both_told(clever: LocalThinker) -> None:
    items = (
        user("Set a timer for ten minutes and tell me how the weather is in Rome."),
        ToolCall("a", "set_timer", {"amount": 10, "unit": "minutes"}),
        ToolCall("b", "weather", {"place": "Rome"}),
        ToolResult("a", "Timer set for 10 minutes."),
        ToolResult("b", "Rome: sunny, 21 degrees."),
    )
    thoughts = await all_of(clever, request(*items, tools=TOOLS, max_tokens=60))
    told = "".join(t.text for t in thoughts if isinstance(t, TextDelta)).lower()
    assert "timer" in told
    assert "rome" in told or "sunny" in told
