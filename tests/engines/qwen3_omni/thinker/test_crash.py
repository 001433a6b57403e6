"""The engine is killed in the middle of a reply: the call goes on, the engine comes back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress

import psutil
import pytest

from omni_agent import events
from omni_agent.call.reply import APOLOGY
from omni_agent.call.session import Session
from omni_agent.commands import AddItem, ReplyRequest
from omni_agent.conversation import user
from omni_agent.engines.qwen3_omni.thinker.thinker import QwenThinker
from omni_agent.lines.in_process import InProcessTransport
from omni_agent.persona import Persona, SamplingOptions
from omni_agent.personas.outfit import Outfit
from omni_agent.stages import Stages
from omni_agent.talker import MuteTalker
from omni_agent.testing import FixedWardrobe

pytestmark = pytest.mark.asyncio(loop_scope="session")


def host(thinker: QwenThinker) -> int:
    """The process that we started."""
    assert thinker.worker.pid is not None
    return thinker.worker.pid


def engine(thinker: QwenThinker) -> int:
    """vLLM's own process below it."""
    children = psutil.Process(host(thinker)).children()
    return int(next(child.pid for child in children if "EngineCore" in child.name()))


async def replies(line: InProcessTransport, count: int) -> None:
    async with asyncio.timeout(300):
        while line.count(events.ReplyFinished) < count:
            await line.happened()


def last_words(line: InProcessTransport) -> str:
    said = [event for event in line.events if isinstance(event, events.UtteranceFinished)]
    return said[-1].text


async def back(thinker: QwenThinker) -> None:
    async with asyncio.timeout(300):
        while thinker.worker.pid is None:
            with suppress(Exception):
                await thinker.worker.info()


@pytest.mark.parametrize("victim", [engine, host])
async def test_a_killed_engine_costs_one_reply(
    thinker: QwenThinker, victim: Callable[[QwenThinker], int]
) -> None:
    await back(thinker)
    persona = Persona(name="test", sampling=SamplingOptions(temperature=0.0, max_tokens=1500))
    line = InProcessTransport()
    wardrobe = FixedWardrobe(Outfit(persona, {}, ()))
    session = Session(Stages(thinker, MuteTalker()), line, wardrobe)
    family = [psutil.Process(host(thinker)), *psutil.Process(host(thinker)).children(True)]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(session.run())
        line.put(AddItem(user("Tell me a story.")))
        line.put(ReplyRequest())
        while not line.count(events.SpokenText):
            await line.happened()
        os.kill(victim(thinker), signal.SIGKILL)
        await replies(line, 1)
        assert last_words(line).endswith(APOLOGY)
        assert [e.source for e in line.events if isinstance(e, events.ErrorOccurred)] == ["thinker"]

        line.put(
            AddItem(user("What happened?"))
        )  # nobody waits on the line for the engine to start
        line.put(ReplyRequest())
        await replies(line, 2)
        assert last_words(line) == APOLOGY

        await back(thinker)
        wardrobe.outfits["test"] = Outfit(
            persona.model_copy(update={"sampling": SamplingOptions(max_tokens=6)}), {}, ()
        )
        line.put(AddItem(user("Are you there?")))
        line.put(ReplyRequest())
        await replies(line, 3)
        assert last_words(line)
        assert APOLOGY not in last_words(line)
        said = [item.text for item in session.conversation if getattr(item, "role", "") == "user"]
        assert said == ["Tell me a story.", "What happened?", "Are you there?"]
        line.hang_up()
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not alive
    assert not any((await thinker.counters()).values())
