"""Reading ahead, while the user speaks and while nobody does."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from omni_agent import Persona, events
from omni_agent.call.preparation import Preparation
from omni_agent.call.state import Call
from omni_agent.commands import Configure
from omni_agent.conversation import AudioPart, Conversation, Message, TextPart, user
from omni_agent.errors import EngineError
from omni_agent.lines.in_process import InProcessTransport
from omni_agent.personas.outfit import Outfit
from omni_agent.stages import Stages
from omni_agent.talker import Voice
from omni_agent.testing import Pause, ScriptedTalker, ScriptedThinker, rehearse, virtual_time
from omni_agent.thinker import Features, ThinkRequest, ToolSchema
from omni_agent.tools.ledger import Ledger
from omni_agent.wishes import Wishes

LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
HALF_S = 0.5


def audio_s(request: ThinkRequest) -> float:
    """Seconds of the audio that a request ends with."""
    message = request.items[-1]
    assert isinstance(message, Message)
    (part,) = message.parts
    assert isinstance(part, AudioPart)
    assert part.transcript is None
    return part.audio.seconds


def spoken(thinker: ScriptedThinker) -> list[ThinkRequest]:
    """What was read of turns: before the first, there is the persona alone."""
    assert thinker.prepared[0].items == ()
    return thinker.prepared[1:]


@virtual_time
async def test_persona_and_tools_are_read_before_anybody_speaks_and_again_with_more_tools() -> None:
    thinker = ScriptedThinker()
    schema = ToolSchema("locate", "Where the user is.", {"type": "object"})
    async with rehearse(thinker) as stage:
        await asyncio.sleep(1)
        stage.line.put(Configure(Wishes(tools=(schema,))))
        await asyncio.sleep(1)
        read = [[tool.name for tool in request.tools] for request in thinker.prepared]
    assert read == [[], ["locate"]]


@virtual_time
async def test_a_thinker_that_hears_reads_the_audio_as_it_comes() -> None:
    thinker = ScriptedThinker(["Noted."], hears=True)
    async with rehearse(thinker) as stage:
        await stage.user(LONG, then_silence_ms=160)
        lengths = [audio_s(request) for request in spoken(thinker)]
        assert len(lengths) == int(0.06 * len(LONG) / 0.48)
        steps = [b - a for a, b in itertools.pairwise(lengths)]
        assert all(0.44 <= step <= 0.52 for step in steps)


@virtual_time
async def test_a_thinker_that_reads_gets_words_and_never_audio() -> None:
    thinker = ScriptedThinker(["Noted."])
    async with rehearse(thinker) as stage:
        await stage.user(LONG)
        assert spoken(thinker)
        for request in spoken(thinker):
            assert isinstance(request.items[-1], Message)
            assert isinstance(request.items[-1].parts[0], TextPart)


@virtual_time
async def test_only_the_newest_waits_for_a_slow_reading() -> None:
    thinker = ScriptedThinker(["Noted."], hears=True, prepares=[[], *[[Pause(1.2)]] * 5])
    async with rehearse(thinker) as stage:
        await stage.user(LONG)
        assert thinker.most_preparing == 1
        first, second, third = (audio_s(request) for request in spoken(thinker)[:3])
        assert 0.4 <= first <= HALF_S
        assert 1.4 <= second <= 1.5  # told at 0.96 s and 1.44 s while the first ran
        assert 2.3 <= third <= 2.5


@virtual_time
async def test_a_reply_that_begins_to_think_ends_the_reading() -> None:
    thinker = ScriptedThinker(["Noted."], hears=True, prepares=[[Pause(1000)]])
    async with rehearse(thinker) as stage:
        await stage.user(LONG, then_silence_ms=160)
        assert len(thinker.requests) == 1
        assert thinker.preparing == 0


class Reluctant(ScriptedThinker):
    """Takes half a second to stop reading."""

    async def prepare(self, request: ThinkRequest) -> Features | None:
        self.prepared.append(request)
        self.preparing += 1
        self.most_preparing = max(self.most_preparing, self.preparing)
        try:
            await asyncio.sleep(1000)
            return None
        finally:
            await asyncio.sleep(HALF_S)
            self.preparing -= 1


@virtual_time
async def test_readings_do_not_overlap_even_when_one_is_slow_to_stop() -> None:
    thinker = Reluctant(["Early."], ["Noted."], hears=True)
    async with rehearse(thinker) as stage:
        await stage.user("one two three four five six", then_silence_ms=160)
        await stage.user("seven eight nine ten eleven twelve", then_silence_ms=160)
        assert len(thinker.prepared) >= 2
        assert thinker.most_preparing == 1


@virtual_time
async def test_what_is_asked_for_while_a_dropped_reading_ends_is_read_after_it() -> None:
    thinker, one, two = Reluctant(), user("one"), user("two")
    async with asyncio.TaskGroup() as tasks:
        outfit = Outfit(Persona(name="test", fillers=()), {}, ())
        call = Call(
            session_id="s",
            stages=Stages(thinker, ScriptedTalker()),
            transport=InProcessTransport(),
            conversation=Conversation(),
            ledger=Ledger(),
            outfit=outfit,
            emit=lambda event: None,
            spawn=tasks.create_task,
        )
        preparation = Preparation(call)
        preparation.read(one)
        await asyncio.sleep(1)
        preparation.drop()
        await asyncio.sleep(0)
        preparation.read(two)
        await asyncio.sleep(1)
        assert [request.items[-1] for request in thinker.prepared] == [one, two]
        assert thinker.most_preparing == 1
        preparation.drop()


@virtual_time
async def test_a_talker_that_reads_states_gets_what_was_read_so_far() -> None:
    talker = ScriptedTalker()
    prepares = [[Features("a")], [], [Features("b")]]
    thinker = ScriptedThinker(["Noted."], hears=True, prepares=prepares)
    persona = Persona(name="test", voice="ethan", talker="Warmly.", fillers=())
    async with rehearse(thinker, talker=talker, persona=persona) as stage:
        await stage.user(LONG)
        expected = [
            Voice("Warmly.", "ethan", features="a"),
            Voice("Warmly.", "ethan", features="b"),
        ]
        assert talker.prepared == expected


@virtual_time
async def test_a_talker_is_not_asked_to_read_without_features() -> None:
    talker = ScriptedTalker()
    async with rehearse(ScriptedThinker(["Noted."], hears=True), talker=talker) as stage:
        await stage.user(LONG)
        await stage.agent()
        assert talker.prepared == []


@pytest.mark.parametrize("error", [EngineError("out of memory"), RuntimeError("a bug")])
def test_a_reading_that_fails_costs_nothing(error: Exception) -> None:
    @virtual_time
    async def scenario() -> None:
        thinker = ScriptedThinker(["Noted."], hears=True, prepares=[[error], [error]])
        async with rehearse(thinker) as stage:
            await stage.user(LONG)
            assert len(thinker.prepared) > 2
            assert await stage.agent() == "Noted."
            assert not stage.seen(events.ErrorOccurred)

    scenario()


class Unprepared(ScriptedTalker):
    async def prepare(self, voice: Voice) -> None:
        self.prepared.append(voice)
        raise EngineError("no slot is free")


@virtual_time
async def test_a_talker_that_cannot_read_ahead_still_speaks() -> None:
    talker = Unprepared()
    thinker = ScriptedThinker(["Noted."], hears=True, prepares=[[Features("a")]])
    async with rehearse(thinker, talker=talker) as stage:
        await stage.user(LONG)
        assert await stage.agent() == "Noted."
        assert talker.prepared


@virtual_time
async def test_nothing_is_read_of_a_turn_that_may_be_a_listening_noise() -> None:
    thinker = ScriptedThinker(["word " * 100], hears=True)
    async with rehearse(thinker) as stage:
        await stage.user("Tell me a story.")
        await stage.until(events.PlaybackStarted)
        before = len(thinker.prepared)
        await stage.user("Mm-hm, yes.", then_silence_ms=0)  # 660 ms: a barge-in only at 600
        assert len(thinker.prepared) == before
