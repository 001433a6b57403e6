"""The engine in a call: an agent, a session and a real HTTP server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from omni_agent import Agent, Persona, events, tool
from omni_agent.audio import Pcm
from omni_agent.engines import vllm_omni
from omni_agent.errors import EngineError
from omni_agent.lines.in_process import InProcessTransport
from omni_agent.stages import Engines
from omni_agent.testing import Rehearsal, ScriptedEars
from tests.engines.remote.serving import Answer, Server, nobody, serving, sse, status
from tests.engines.vllm_omni.wire import called, heard, reply, tone, word

PERSONA = Persona(
    name="Test", greeting="Hello.", fillers=(), filters=("profanity",), voice="chelsie"
)
GREETING = sse(*reply(["Hello."], [tone(2400)]))


@tool
def double(number: int) -> int:
    """Doubles it."""
    return 2 * number


@asynccontextmanager
async def call(*answers: Answer) -> AsyncIterator[tuple[Rehearsal, Server]]:
    """A call with an agent whose server gives these answers; it is typed to."""
    async with serving(*answers) as server:
        engine = Engines("vllm-omni", "vllm-omni", None)
        agent = Agent(
            PERSONA, engine=engine, plugins=[vllm_omni], tools=[double], base_url=server.url
        )
        async with agent, asyncio.TaskGroup() as tasks:
            line = InProcessTransport()
            session = agent.session(line)
            tasks.create_task(session.run())
            yield Rehearsal(session, line, ScriptedEars()), server
            line.hang_up()


def heard_by_user(stage: Rehearsal, number: int) -> Pcm:
    """The sound of the agent's ``number``-th utterance."""
    started = stage.seen(events.UtteranceStarted)[number]
    return np.concatenate([frame.pcm for frame in stage.line.audio_of(started.utterance)])


async def test_the_server_greets_and_answers_with_its_own_sound_in_the_personas_voice() -> None:
    sound = [tone(7680), tone(4000, 9000)]
    async with call(GREETING, sse(*reply(["Nice ", "to meet you."], sound))) as (stage, server):
        assert await stage.agent() == "Hello."
        stage.types("Hi")
        assert await stage.agent() == "Nice to meet you."
        assert np.array_equal(heard_by_user(stage, 0), tone(2400))
        assert np.array_equal(heard_by_user(stage, 1), np.concatenate(sound))
        assert [body["speaker"] for body in server.bodies] == ["chelsie", "chelsie"]


async def test_a_filter_changes_what_is_read_and_kept_but_not_what_is_heard() -> None:
    async with call(GREETING, sse(*reply(["Oh shit, ", "sorry."], [tone(7680)]))) as (stage, _):
        await stage.agent()
        stage.types("Hi")
        assert await stage.agent() == "Oh beep, sorry."
        assert stage.transcript[-1] == ("assistant", "Oh beep, sorry.")
        assert np.array_equal(heard_by_user(stage, 1), tone(7680))


async def test_a_tool_is_called_and_its_spelling_out_is_not_heard() -> None:
    words = [word(""), word("One moment. "), heard(tone(4800))]
    spelled_out = [heard(tone(24_000, 500 * at)) for at in range(20)]
    asking = sse(*words, *called("double", '{"number"', ": 21}"), *spelled_out)
    answering = sse(*reply(["It is 42."], [tone(7680)]))
    async with call(GREETING, asking, answering) as (stage, server):
        await stage.agent()
        stage.types("Double 21")
        assert (await stage.agent()).strip() == "One moment."
        assert await stage.agent() == "It is 42."
        assert len(heard_by_user(stage, 1)) < 1.5 * 24_000  # of the 20 s that were sent
        assert np.array_equal(heard_by_user(stage, 2), tone(7680))
    result = next(row for row in server.bodies[-1]["messages"] if row["role"] == "tool")
    assert result["content"] == "42"


async def test_what_the_server_cannot_speak_is_an_error_the_call_survives() -> None:
    wrong = sse(*reply(["Hello to you, too!"], [tone(2400)]))
    async with call(wrong, sse(*reply(["Yes."], [tone(2400)]))) as (stage, _):
        failed = await stage.until(events.ErrorOccurred)
        assert failed.source == "talker"
        assert "said something else" in failed.detail
        stage.types("Hi")
        assert (await stage.agent(), await stage.agent()) == ("", "Yes.")


async def test_why_the_server_does_not_think_is_told_in_its_own_words() -> None:
    async with call(GREETING, status(400, "no tool parser")) as (stage, _):
        await stage.agent()
        stage.types("Hi")
        failed = await stage.until(events.ErrorOccurred)
        assert failed.source == "thinker"
        assert "no tool parser" in failed.detail


def test_a_base_url_leaves_a_thinker_that_is_a_server_in_its_place() -> None:
    agent = Agent(PERSONA, plugins=[vllm_omni], engine="vllm-omni", base_url=nobody())
    assert set(agent.lineup.names.values()) == {"vllm-omni"}


async def test_nobody_there_is_an_error_at_the_start() -> None:
    engine = Engines("vllm-omni", "vllm-omni", None)
    agent = Agent(PERSONA, plugins=[vllm_omni], engine=engine, base_url=nobody())
    with pytest.raises(EngineError, match="is it running"):
        await agent.start()


def test_its_ears_are_the_local_engines() -> None:
    from omni_agent.engines.local import start_ears

    assert vllm_omni.register_engines()[0].ears is start_ears
