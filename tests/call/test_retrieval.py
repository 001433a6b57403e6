"""What plugins find for a turn: asked for once, in time, and read before the turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest

from omni_agent import Panel, Persona, ToolContext, events, hookimpl, tool
from omni_agent.commands import DeleteItem, ReplyRequest
from omni_agent.conversation import AudioPart, Item, Message, Part, TextPart, ToolCall
from omni_agent.hookspecs import Turn
from omni_agent.testing import ScriptedThinker, call, rehearse, virtual_time
from omni_agent.thinker import ThinkRequest

PERSONA = Persona(name="test", thinker="Be kind.", fillers=())
FOUND = "The pool closes at ten."


class Library:
    """Knows something of every turn about the pool, after a while."""

    def __init__(self, *, takes_s: float = 0.0) -> None:
        self.takes_s = takes_s
        self.turns: list[Turn] = []

    @property
    def asked(self) -> list[str]:
        return [turn.text for turn in self.turns]

    @hookimpl
    async def context(self, turn: Turn) -> str | None:
        self.turns.append(turn)
        await asyncio.sleep(self.takes_s)
        return FOUND if "pool" in turn.text else None


def read(request: ThinkRequest) -> list[str]:
    """What a Thinker reads: "role: words" of each message."""
    return [f"{i.role}: {i.text}" for i in request.items if isinstance(i, Message)]


def before_the_turn(request: ThinkRequest) -> list[Item]:
    """The items of a request up to the words that are being said, or just were."""
    *before, last = request.items
    return before if isinstance(last, Message) and last.role == "user" else [*before, last]


@virtual_time
async def test_what_is_found_is_read_before_the_turn_and_stays_there() -> None:
    thinker = ScriptedThinker(["At ten."], ["Good."])
    async with rehearse(thinker, persona=PERSONA, plugins=[library := Library()]) as stage:
        await stage.user("When does the pool close?")
        assert await stage.agent() == "At ten."
        await stage.user("How very good to know.")
        assert await stage.agent() == "Good."
    turn = ["system: The pool closes at ten.", "user: When does the pool close?"]
    assert [read(request) for request in thinker.requests] == [
        turn,
        [*turn, "assistant: At ten.", "user: How very good to know."],
    ]
    assert library.asked == ["When does the pool close?", "How very good to know."]


@virtual_time
async def test_three_turns_and_their_rounds_share_their_beginning_item_by_item() -> None:
    @tool
    def look() -> str:
        """Look at the sign."""
        return "It says ten."

    answer = [call("look")], ["At ten."]
    thinker = ScriptedThinker(*answer, *answer, ["Bye."])
    async with rehearse(
        thinker, tools=[look], plugins=[library := Library()], persona=PERSONA
    ) as stage:
        for question in ("When does the pool close?", "And the other pool, when?", "Thanks a lot."):
            await stage.user(question)
            await stage.agent()
    last = thinker.requests[-1]
    assert len(library.asked) == 3
    assert [item.text for item in last.items if isinstance(item, Message) and item.retrieved] == [
        FOUND, FOUND,
    ]  # fmt: skip
    for request in thinker.requests:
        assert request.items == last.items[: len(request.items)]
    assert len(thinker.prepared) > 3
    for request in thinker.prepared[1:]:  # at first there is nothing but the persona
        beginning = before_the_turn(request)
        assert beginning == list(last.items[: len(beginning)])
    assert {r.instructions for r in (*thinker.requests, *thinker.prepared)} == {"Be kind."}


@virtual_time
async def test_a_draft_that_heard_is_made_again_when_its_words_have_something_to_read() -> None:
    thinker = ScriptedThinker(["I do not know."], ["At ten."], ["Good."], hears=True)
    async with rehearse(thinker, persona=PERSONA, plugins=[library := Library()]) as stage:
        await stage.user("When does the pool close?")
        assert await stage.agent() == "At ten."
        plain, informed = thinker.requests
        assert read(plain) == ["user: "]
        assert read(informed) == [f"system: {FOUND}", "user: When does the pool close?"]
        assert isinstance(informed.items[-1], Message)
        assert isinstance(informed.items[-1].parts[0], AudioPart)
        await stage.user("How very good to know.")
        assert await stage.agent() == "Good."
        assert len(thinker.requests) == 3  # nothing was found: the draft was good
    assert library.asked == ["When does the pool close?", "How very good to know."]


@virtual_time
async def test_what_is_found_only_after_the_turn_is_waited_for() -> None:
    thinker = ScriptedThinker(["I do not know."], ["At ten."], hears=True)
    async with rehearse(
        thinker, persona=PERSONA, plugins=[library := Library(takes_s=0.9)]
    ) as stage:
        await stage.user("When does the pool close?")
        assert await stage.agent() == "At ten."
        assert read(thinker.requests[-1])[0] == f"system: {FOUND}"
    assert library.asked == ["When does the pool close?"]


@pytest.mark.parametrize("hears", [False, True])
@virtual_time
async def test_a_user_who_goes_on_is_asked_about_with_all_the_words(hears: bool) -> None:
    drafts = [["Which one?"]] * (1 + hears)
    thinker = ScriptedThinker(*drafts, ["At ten."], hears=hears)
    async with rehearse(
        thinker, persona=PERSONA, plugins=[library := Library(takes_s=0.05)]
    ) as stage:
        await stage.user("Tell me about the gym", then_silence_ms=300)
        await stage.user("and when the pool closes.")
        assert await stage.agent() == "At ten."
    assert library.asked == [
        "Tell me about the gym",
        "Tell me about the gym and when the pool closes.",
    ]
    assert read(thinker.requests[-1]) == [f"system: {FOUND}", f"user: {library.asked[-1]}"]


@virtual_time
async def test_a_typed_turn_is_looked_up_too_and_its_later_rounds_are_not() -> None:
    @tool
    async def look() -> str:
        """Look at the sign."""
        await asyncio.sleep(1)
        return "It says ten."

    thinker = ScriptedThinker(["Hello."], [call("look")], ["At ten."])
    async with rehearse(
        thinker, tools=[look], plugins=[library := Library()], persona=PERSONA
    ) as stage:
        stage.types("Hi there.")
        assert await stage.agent() == "Hello."
        stage.types("When does the pool close?")
        assert await stage.agent() == "At ten."
    assert library.asked == ["Hi there.", "When does the pool close?"]
    assert library.turns[1].items[0] == thinker.requests[1].items[0]
    assert [item.id for item in library.turns[1].items] == [
        item.id for item in thinker.requests[1].items[:2]
    ]
    assert read(thinker.requests[2])[2:] == [f"system: {FOUND}", "user: When does the pool close?"]


@virtual_time
async def test_nobody_but_the_thinker_is_told_and_observers_can_tell_it_apart() -> None:
    async with rehearse(
        ScriptedThinker(["At ten."]), persona=PERSONA, plugins=[Library()]
    ) as stage:
        await stage.user("When does the pool close?")
        await stage.agent()
        marks = list((await stage.until(events.Waterfall)).marks)
        assert marks.index("transcript") < marks.index("context") < marks.index("first_thought")
        (added,) = stage.seen(events.ContextAdded)
        assert (added.item.text, added.item.retrieved) == (FOUND, True)
        assert added.item not in [event.item for event in stage.seen(events.ItemAdded)]


@virtual_time
async def test_what_is_found_joins_once_however_often_the_turn_is_answered() -> None:
    thinker = ScriptedThinker(["At ten."], ["At ten, as I said."], ["At ten!"])
    async with rehearse(thinker, persona=PERSONA, plugins=[Library()]) as stage:
        stage.types("When does the pool close?")
        await stage.agent()
        for _ in range(2):
            stage.line.put(ReplyRequest())
            await stage.agent()
        assert len(stage.seen(events.ContextAdded)) == 1
    found = [FOUND in "".join(read(request)) for request in thinker.requests]
    assert found == [True, True, True]


@virtual_time
async def test_what_is_found_for_a_turn_that_is_deleted_meanwhile_joins_nothing() -> None:
    thinker = ScriptedThinker(["Well."])
    async with rehearse(thinker, persona=PERSONA, plugins=[Library(takes_s=0.9)]) as stage:
        stage.types("When does the pool close?")
        await asyncio.sleep(0.3)
        (asked,) = [item for item in stage.session.conversation if is_user(item)]
        stage.line.put(DeleteItem(asked.id))
        await stage.agent()
        assert stage.seen(events.ContextAdded) == []
        assert stage.transcript == [("assistant", "Well.")]


@virtual_time
async def test_a_turn_that_the_client_deletes_takes_along_what_was_found_for_it() -> None:
    thinker = ScriptedThinker(["At ten."], ["Good."])
    async with rehearse(thinker, persona=PERSONA, plugins=[Library()]) as stage:
        stage.types("When does the pool close?")
        await stage.agent()
        (asked,) = [item for item in stage.session.conversation if is_user(item)]
        stage.line.put(DeleteItem(asked.id))
        stage.types("How very good.")
        assert await stage.agent() == "Good."
    assert read(thinker.requests[-1]) == ["assistant: At ten.", "user: How very good."]


def is_user(item: Item) -> bool:
    return isinstance(item, Message) and item.role == "user"


# -- plugins, in a call ---------------------------------------------------------------------


def found_by(context: Callable[..., Any]) -> SimpleNamespace:
    return SimpleNamespace(__name__=context.__name__, context=hookimpl(context))


async def answered(*plugins: Any, hears: bool = False) -> tuple[list[str], float]:
    """What the Thinker reads of a turn, and how long after its end the answer was heard."""
    thinker = ScriptedThinker(*[["Yes."]] * 2, hears=hears)
    async with rehearse(thinker, persona=PERSONA, plugins=plugins, caller="anna") as stage:
        await stage.user("When does the pool close?")
        assert await stage.agent() == "Yes."
        waterfall = await stage.until(events.Waterfall)
    return read(thinker.requests[-1])[:-1], waterfall.marks["answer_on_the_wire"]


@virtual_time
async def test_a_plugin_knows_whose_turn_it_is_and_what_came_before() -> None:
    turns: list[Turn] = []

    async def context(turn: Turn) -> str:
        turns.append(turn)
        return "Ten."

    assert (await answered(found_by(context)))[0] == ["system: Ten."]
    (turn,) = turns
    assert (turn.text, turn.caller, turn.persona, turn.items) == (
        "When does the pool close?", "anna", "test", (),
    )  # fmt: skip
    assert turn.session_id


@virtual_time
async def test_plugins_look_at_the_same_time_and_their_findings_keep_their_order() -> None:
    async def slowly(turn: Turn) -> str:
        await asyncio.sleep(0.8)
        return "First."

    async def parts(turn: Turn) -> Sequence[Part]:
        await asyncio.sleep(0.7)
        return [TextPart("Second."), TextPart("Third.")]

    found, ms = await answered(found_by(slowly), found_by(parts), found_by(lambda user_text: None))
    assert found == ["system: First. Second. Third."]
    assert ms < 1600


@pytest.mark.parametrize("stubborn", [False, True])
@virtual_time
async def test_a_plugin_that_takes_too_long_is_not_waited_for(stubborn: bool) -> None:
    told = False

    async def context(turn: Turn) -> str:
        while not told:
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                if not stubborn:
                    raise
        return "Too late."

    found, ms = await answered(found_by(context), found_by(lambda: "Ten."))
    assert found == ["system: Ten."]
    assert ms < 2000
    told = True
    await asyncio.sleep(100)  # it ends with its test


@virtual_time
async def test_audio_goes_on_while_a_plugin_looks() -> None:
    thinker = ScriptedThinker(["At ten."])

    async def context(turn: Turn) -> str:
        await asyncio.sleep(0.9)
        return FOUND

    async with rehearse(thinker, persona=PERSONA, plugins=[found_by(context)]) as stage:
        await stage.user("When does the pool close?", then_silence_ms=700)
        assert not thinker.requests
        await stage.user("And the gym as well?", then_silence_ms=100)
        assert len(stage.seen(events.SpeechStarted)) == 2  # heard at once


def writes_arguments(item: Any) -> None:
    item.arguments["paid"] = True


def writes_further_in(item: Any) -> None:
    item.arguments["to"].append("me")


def writes_sound(item: Any) -> None:
    item.parts[0].audio.pcm[:] = 0


@pytest.mark.parametrize(
    ("kind", "write"),
    [(ToolCall, writes_arguments), (ToolCall, writes_further_in), (Message, writes_sound)],
)
@virtual_time
async def test_what_it_is_shown_nobody_can_change(
    kind: type[Item], write: Callable[[Item], None]
) -> None:
    """Not as it is asked, nor as it is told of events and of the end."""
    refused: list[str] = []

    def try_to(items: Sequence[Any]) -> None:
        for item in items:
            if isinstance(item, kind) and not (isinstance(item, Message) and item.role != "user"):
                with pytest.raises((TypeError, ValueError)):
                    write(item)
                refused.append(kind.__name__)

    class Writing:
        @hookimpl
        def context(self, turn: Turn) -> None:
            try_to(turn.items)

        @hookimpl
        def event_emitted(self, event: Any) -> None:
            try_to([getattr(event, "item", None)])

        @hookimpl
        def session_ended(self, items: tuple[Item, ...]) -> None:
            try_to(items)

    @tool
    def pay(to: list[str]) -> str:
        """Pay them."""
        return "paid"

    thinker = ScriptedThinker([call("pay", to=["ann"])], ["Done."], ["Good."], hears=True)
    async with rehearse(thinker, persona=PERSONA, tools=[pay], plugins=[Writing()]) as stage:
        await stage.user("Please pay Ann.")
        assert await stage.agent() == "Done."
        await stage.user("How very good to know.")
        assert await stage.agent() == "Good."
    told = stage.seen(events.ToolStarted)[0].arguments
    made = next(item for item in stage.session.conversation if isinstance(item, ToolCall))
    assert told == made.arguments == {"to": ["ann"]}
    assert len(refused) >= 3


@virtual_time
async def test_an_event_is_the_same_for_all_who_are_told_of_it() -> None:
    @tool
    def pay(call: ToolContext, to: list[str]) -> str:
        """Pay them."""
        call.show("bill", Panel(title="Bill"))
        return "paid"

    thinker = ScriptedThinker([call("pay", to=["ann"])], ["Done."])
    async with rehearse(thinker, tools=[pay]) as stage:
        stage.types("Please pay Ann.")
        assert await stage.agent() == "Done."
        await stage.until(events.ReplyFinished)
    shown = [
        value
        for event in stage.line.events
        for field in fields(event)
        if isinstance(value := getattr(event, field.name), dict)
    ]
    assert len(shown) == 3  # arguments, a panel's data, a waterfall's marks
    for value in shown:
        with pytest.raises(TypeError, match="change a copy"):
            value.clear()
