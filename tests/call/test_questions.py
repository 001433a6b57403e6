"""What tools ask the user: asked until it is answered, and never lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from queue import SimpleQueue

import pytest

from omni_agent import Persona, ToolContext, events, hookimpl, tool
from omni_agent.call.questions import ANSWER_S, LOOK_S, MOST_ASKED, Questions
from omni_agent.call.speaker import MOST_INTERJECTED
from omni_agent.call.tool_runs import UNANSWERED
from omni_agent.call.utterance import Utterance
from omni_agent.commands import Interrupt
from omni_agent.testing import Rehearsal, ScriptedThinker, call, rehearse, virtual_time
from omni_agent.tools.ledger import CallState

PERSONA = Persona(name="test", fillers=())


def outputs(stage: Rehearsal) -> list[str]:
    return [finished.output for finished in stage.seen(events.ToolFinished)]


class Mouth:
    """Says what it is told to, where it may."""

    def __init__(self) -> None:
        self.open = True
        self.saying: list[asyncio.Future[None]] = []
        self.said: list[Utterance] = []

    def __call__(self, text: str, utterance: Utterance) -> asyncio.Future[None] | None:
        if not self.open:
            return None
        self.said.append(utterance)
        self.saying.append(asyncio.get_running_loop().create_future())
        return self.saying[-1]


def questions_for(mouth: Mouth) -> Questions:
    def last() -> Utterance | None:
        heard = [each for each in mouth.said if each.reached_the_user]
        return heard[-1] if heard else None

    questions = Questions(
        last=last,
        heard_ms=lambda item: 0.0,
        attending=lambda: False,
        ask=lambda: questions.put(mouth),
    )
    return questions


@virtual_time
async def test_a_question_that_could_not_be_said_was_not_asked_and_is_said_when_it_can_be() -> None:
    mouth = Mouth()
    mouth.open = False
    questions = questions_for(mouth)
    asking = asyncio.create_task(questions.ask("Shall I?"))
    await asyncio.sleep(20 * LOOK_S)
    assert questions.due
    mouth.open = True
    await asyncio.sleep(LOOK_S)
    assert len(mouth.said) == 1
    questions.settle(agreed=True)
    assert await asking


@virtual_time
async def test_a_question_whose_voice_ended_before_it_began_is_said_again() -> None:
    mouth = Mouth()
    asking = asyncio.create_task(questions_for(mouth).ask("Shall I?"))
    for asked in range(1, MOST_ASKED + 1):
        await asyncio.sleep(2 * LOOK_S)
        assert len(mouth.said) == asked
        mouth.saying[-1].cancel()
    assert await asking is None, "it was asked often enough"


@virtual_time
async def test_a_question_is_asked_after_all_that_its_tool_says_now() -> None:
    @tool
    async def chatty(call: ToolContext) -> str:
        """Chatty."""
        for number in range(MOST_INTERJECTED):
            call.say(f"Number {number}.", when="now")
        return "agreed" if await call.ask("Shall I?") else "declined"

    thinker = ScriptedThinker([call("chatty")], ["Done."])
    async with rehearse(thinker, tools=[chatty]) as stage:
        stage.types("Go")
        for number in range(MOST_INTERJECTED):
            assert await stage.agent() == f"Number {number}."
        assert await stage.agent() == "Shall I?"
        await stage.user("Yes.")
        assert await stage.agent() == "Done."
        assert outputs(stage) == ["agreed"]


class Library:
    """Takes a while to look up nothing."""

    @hookimpl
    async def context(self) -> str:
        await asyncio.sleep(0.9)
        return "Nothing."


@virtual_time
async def test_what_is_asked_while_a_turn_is_looked_up_is_asked_once_after_the_answer() -> None:
    answers: list[bool] = []
    go = asyncio.Event()

    @tool
    async def later(call: ToolContext) -> str:
        """Later."""

        async def asks() -> None:
            await go.wait()
            answers.append(await call.ask("Shall I?"))

        call.background(asks())
        return "started"

    thinker = ScriptedThinker([call("later")], ["Started."], ["Fine, thanks."])
    async with rehearse(thinker, tools=[later], plugins=[Library()], persona=PERSONA) as stage:
        stage.types("Go")
        assert await stage.agent() == "Started."
        await asyncio.sleep(3)
        stage.types("How are you?")
        await asyncio.sleep(0.3)
        go.set()
        assert await stage.agent() == "Fine, thanks."
        assert await stage.agent() == "Shall I?"
        await stage.user("Yes.")
        assert answers == [True]


@virtual_time
async def test_what_is_said_now_while_a_turn_is_looked_up_does_not_wait_for_the_answer() -> None:
    kept: list[ToolContext] = []

    @tool
    async def keep(call: ToolContext) -> str:
        """Keep."""
        kept.append(call)
        return "kept"

    thinker = ScriptedThinker([call("keep")], ["Kept."], ["Fine, thanks."])
    async with rehearse(thinker, tools=[keep], plugins=[Library()], persona=PERSONA) as stage:
        stage.types("Go")
        assert await stage.agent() == "Kept."
        stage.types("How are you?")
        await asyncio.sleep(0.3)
        kept[0].say("It is here.", when="now")
        assert await stage.agent() == "It is here."
        assert await stage.agent() == "Fine, thanks."


def door(timeout_s: float = 20.0) -> object:
    @tool(approval="Shall I open the {room} door?", timeout_s=timeout_s)
    def open_door(room: str) -> str:
        """Open a door. room: which."""
        return f"{room} open"

    return open_door


@virtual_time
async def test_a_question_that_its_own_reply_talks_over_is_asked_again_in_that_reply() -> None:
    @tool
    async def beep(call: ToolContext) -> str:
        """Beep."""
        await asyncio.sleep(5)
        call.say("Beep.", when="now")
        return "beeped"

    thinker = ScriptedThinker([call("open_door", room="cellar"), call("beep")], ["It is open."])
    async with rehearse(thinker, tools=[door(), beep]) as stage:  # type: ignore[list-item]  # a Tool
        stage.types("Open the cellar.")
        assert await stage.agent() == "Shall I open the cellar door?"
        assert await stage.agent() == "Beep."
        assert await stage.agent() == "Shall I open the cellar door?"
        await stage.user("Yes.")
        assert await stage.agent() == "It is open."
        assert len(stage.seen(events.ReplyStarted)) == 1


@pytest.mark.parametrize("said", [[], ["Gladly."]])
@virtual_time
async def test_a_question_of_a_reply_that_is_over_is_asked_where_another_waits_behind_it(
    said: list[str],
) -> None:
    thinker = ScriptedThinker(
        [call("open_door", room="cellar")],
        [*said, call("open_door", room="attic")],
        ["All open."],
    )
    async with rehearse(thinker, tools=[door()]) as stage:  # type: ignore[list-item]  # a Tool
        await stage.user("Open the cellar.")
        assert await stage.agent() == "Shall I open the cellar door?"
        stage.line.put(Interrupt())
        await stage.user("And open the attic as well, would you?")
        for words in said:
            assert await stage.agent() == words
        for room in ("cellar", "attic"):
            assert await stage.agent() == f"Shall I open the {room} door?"
            await stage.user("Yes.")
        assert await stage.agent() == "All open."
        assert outputs(stage) == ["cellar open", "attic open"]


@virtual_time
async def test_a_question_of_which_the_filters_leave_nothing_has_no_answer() -> None:
    async def discreet(text: AsyncIterator[str]) -> AsyncIterator[str]:
        whole = "".join([piece async for piece in text])
        yield "" if "cellar" in whole else whole

    thinker = ScriptedThinker([call("open_door", room="cellar")], ["Left closed."])
    async with rehearse(thinker, tools=[door()], filters=[discreet]) as stage:  # type: ignore[list-item]  # a Tool
        stage.types("Open it.")
        assert await stage.agent() == "Left closed."
        assert outputs(stage) == [UNANSWERED]


@virtual_time
async def test_while_the_user_is_to_answer_the_agent_listens_and_then_goes_on() -> None:
    made = call("open_door", room="cellar")
    thinker = ScriptedThinker([made], ["It is open."])
    async with rehearse(thinker, tools=[door()]) as stage:  # type: ignore[list-item]  # a Tool
        stage.types("Open it.")
        await stage.agent()
        await asyncio.sleep(1)
        assert stage.seen(events.ActivityChanged)[-1].activity == "listening"
        stage.types("yes")
        answered = await stage.until(events.ToolAnswered)
        assert (answered.call_id, answered.agreed) == (made.call_id, True)
        assert await stage.agent() == "It is open."
        told = [change.activity for change in stage.seen(events.ActivityChanged)]
    asked = told.index("listening", told.index("speaking"))
    assert told[asked : asked + 3] == ["listening", "thinking", "speaking"]


@virtual_time
async def test_nobody_is_asked_for_a_yes_that_would_not_be_understood() -> None:
    persona = Persona(name="a", language="sv", fillers=())

    @tool
    async def wonders(call: ToolContext) -> str:
        """Wonders."""
        return f"agreed: {await call.ask('Ska jag?')}"

    calls = [call("open_door", room="cellar"), call("wonders")]
    thinker = ScriptedThinker(calls, ["Nej."])
    async with rehearse(thinker, tools=[door(), wonders], persona=persona) as stage:  # type: ignore[list-item]  # a Tool
        stage.types("Go")
        assert await stage.agent() == "Nej."
        assert outputs(stage) == [UNANSWERED, "agreed: False"]
        assert stage.now < 5


# -- the time of a tool that asks ----------------------------------------------------------------


@virtual_time
async def test_a_yes_counts_though_it_takes_longer_than_the_tool_may() -> None:
    @tool(timeout_s=5)
    async def pay(call: ToolContext) -> str:
        """Pay."""
        agreed = await call.ask("Shall I pay?")
        await asyncio.sleep(4)
        return "paid" if agreed else "not paid"

    made = call("pay")
    thinker = ScriptedThinker([made], ["Well."])
    async with rehearse(thinker, tools=[pay]) as stage:
        ledger = stage.session._call.ledger
        stage.types("Pay")
        assert (await stage.until(events.ToolWaiting)).question == "Shall I pay?"
        assert await stage.agent() == "Shall I pay?"
        await asyncio.sleep(ANSWER_S - 9)
        assert ledger.state(made.call_id) is CallState.WAITING
        await stage.user("Yes.")
        await asyncio.sleep(1)
        assert ledger.state(made.call_id) is CallState.RUNNING
        assert await stage.agent() == "Well."
        (finished,) = stage.seen(events.ToolFinished)
        assert (finished.output, finished.ok) == ("paid", True)
        assert finished.ms == pytest.approx(4000, abs=100)


@virtual_time
async def test_a_tool_that_asked_may_take_no_longer_than_any_other() -> None:
    @tool(timeout_s=5)
    async def pay(call: ToolContext) -> str:
        """Pay."""
        await asyncio.sleep(3)
        await call.ask("Shall I pay?")
        await asyncio.sleep(3)
        return "paid"

    thinker = ScriptedThinker([call("pay")], ["Well."])
    async with rehearse(thinker, tools=[pay]) as stage:
        stage.types("Pay")
        assert await stage.agent() == "Shall I pay?"
        await stage.user("Yes.")
        answered = stage.now
        assert await stage.agent() == "Well."
        assert outputs(stage) == ["It did not answer within 5 seconds."]
        assert stage.now - answered < 4


@virtual_time
async def test_a_tool_that_ends_before_its_question_is_answered_has_ended() -> None:
    asked: list[asyncio.Future[bool]] = []

    @tool
    async def pay(call: ToolContext) -> str:
        """Pay."""
        asked.append(asyncio.ensure_future(call.ask("Shall I pay?")))
        await asyncio.sleep(1)
        return "paid"

    made = call("pay")
    thinker = ScriptedThinker([made], ["Well."])
    async with rehearse(thinker, tools=[pay]) as stage:
        stage.types("Pay")
        await stage.until(events.ToolFinished)
        ledger = stage.session._call.ledger
        assert ledger.state(made.call_id) is CallState.DONE
        await stage.agent()
        await asyncio.sleep(2 * ANSWER_S)
        assert asked[0].done()
        assert ledger.state(made.call_id) is CallState.DONE


# -- a tool that is ended while it asks ----------------------------------------------------------


@pytest.mark.parametrize("beside", [False, True])
@virtual_time
async def test_a_tool_that_is_interrupted_while_it_asks_does_not_go_on(beside: bool) -> None:
    went_on: list[object] = []

    @tool(interruptible=True)
    async def pay(call: ToolContext) -> str:
        """Pay."""
        if beside:
            went_on.extend(await asyncio.gather(call.ask("Shall I?"), call.ask("Really?")))
        else:
            went_on.append(await call.ask("Shall I?"))
        return "paid"

    async with rehearse(ScriptedThinker([call("pay")]), tools=[pay]) as stage:
        stage.types("Pay")
        assert await stage.agent() == "Shall I?"
        stage.line.put(Interrupt())
        await stage.until(events.ToolFinished)
        assert outputs(stage) == ["Cancelled."]
        await asyncio.sleep(2 * ANSWER_S)
        assert went_on == []


@virtual_time
async def test_a_plain_tool_that_is_interrupted_while_it_asks_acts_on_no_late_yes() -> None:
    told = SimpleQueue[bool]()

    @tool(interruptible=True)
    def wipe(call: ToolContext) -> str:
        """Wipe."""
        told.put(bool(call.ask("Shall I wipe it all?")))
        return "wiped"

    thinker = ScriptedThinker([call("wipe")], ["I left it."])
    async with rehearse(thinker, tools=[wipe]) as stage:
        stage.types("Wipe it")
        assert await stage.agent() == "Shall I wipe it all?"
        stage.line.put(Interrupt())
        await stage.until(events.ToolFinished)
        await stage.user("Yes.")
        assert await stage.agent() == "I left it."
        assert not told.get(timeout=60), "its thread is told when it next runs"
        assert stage.seen(events.ToolAnswered) == [], "it had ended"


@virtual_time
async def test_who_waits_a_while_for_an_answer_asks_no_more_and_has_a_no() -> None:
    @tool
    async def pay(call: ToolContext) -> str:
        """Pay."""
        answer = call.ask("Shall I pay?")
        try:
            async with asyncio.timeout(5):
                await answer
        except TimeoutError:
            return f"paid: {await answer}"
        return "in time"

    thinker = ScriptedThinker([call("pay")], ["Not paid."])
    async with rehearse(thinker, tools=[pay]) as stage:
        stage.types("Pay")
        assert await stage.agent() == "Shall I pay?"
        assert await stage.agent() == "Not paid."
        assert outputs(stage) == ["paid: False"]


@pytest.mark.parametrize("threaded", [False, True])
@virtual_time
async def test_an_answer_that_is_looked_at_twice_is_asked_for_once(threaded: bool) -> None:
    def plain(call: ToolContext) -> str:
        """Pay."""
        answer = call.ask("Shall I pay?")
        return f"{bool(answer)} {bool(answer)}"

    async def coroutine(call: ToolContext) -> str:
        """Pay."""
        answer = call.ask("Shall I pay?")
        return f"{await answer} {await answer}"

    pay = tool(name="pay")(plain if threaded else coroutine)
    thinker = ScriptedThinker([call("pay")], ["Well."])
    async with rehearse(thinker, tools=[pay]) as stage:
        stage.types("Pay")
        assert await stage.agent() == "Shall I pay?"
        await stage.user("Yes.")
        assert await stage.agent() == "Well."
        assert outputs(stage) == ["True True"]
