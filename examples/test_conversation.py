"""A conversation as a test: no models, no microphone, no waiting.

Run it: pip install pytest pytest-asyncio && pytest examples/test_conversation.py
(this repository's pytest settings need the second; outside of it pytest alone is enough)
"""

from hello import order_status

from omni_agent import events
from omni_agent.testing import ScriptedThinker, call, rehearse, virtual_time


@virtual_time
async def test_the_order_is_looked_up_and_told() -> None:
    thinker = ScriptedThinker([call("order_status", order_id="A-1042")], ["It is on its way."])
    async with rehearse(thinker, tools=[order_status]) as stage:
        await stage.user("Where is my order A-1042?")
        assert await stage.agent() == "It is on its way."
        (finished,) = stage.seen(events.ToolFinished)
        assert finished.output == "out for delivery"
    thinker.assert_complete()


@virtual_time
async def test_the_customer_can_cut_in_and_history_keeps_what_was_heard() -> None:
    story = "Once upon a time there was a parcel that went a very long way round."
    async with rehearse(ScriptedThinker([story], ["Of course."])) as stage:
        await stage.user("Why is it late?")
        await stage.until(events.PlaybackStarted)
        await stage.user("Never mind, please just cancel it.")
        assert (await stage.until(events.UtteranceFinished)).interrupted
        assert await stage.agent() == "Of course."
        assert story.startswith(stage.transcript[1][1])
