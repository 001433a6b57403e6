"""The page on the real server: signalling, protocol and WebRTC transport are the shipped ones.

Only the agent is scripted: what it does in a call is below, as session events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from playwright.async_api import Browser, Page, expect

from omni_agent import events
from omni_agent.audio import AudioFrame
from omni_agent.call.request import CallRequest
from omni_agent.commands import AddItem, ChoosePersona, Interrupt
from omni_agent.conversation import ToolCall, ToolResult, assistant
from omni_agent.server.app import create_app
from omni_agent.server.host import PersonaCard, Readiness
from omni_agent.transport import Transport, VideoFrame
from omni_agent.wishes import Wishes
from tests.arrivals import arrivals
from tests.page.driving import call, until
from tests.page.scripted import loopback_only, serving
from tests.server.calling import WEBRTC

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

QUESTION, ANSWER = "Is it late?", "It is half past six, and the garden is closed."


def tone(seconds: float) -> AudioFrame:
    wave = 8000 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * 24_000)) / 24_000)
    return AudioFrame(wave.astype(np.int16), 24_000)


class Rehearsed:
    """A Host whose agent always does the same."""

    readiness = Readiness(True)
    personas: Sequence[PersonaCard] = (
        PersonaCard("Concierge", "The night desk."),
        PersonaCard("Tutor", "Patient."),
    )
    default_persona = "Tutor"
    sees = False
    engine: Mapping[str, str] = {"thinker": "rehearsed"}

    def __init__(self) -> None:
        self.arrived: list[Any] = []
        self.callers: list[str] = []
        self.over = 0

    def shown_name(self, persona: str) -> str:
        return persona

    def check_wishes(self, persona: str, wishes: Wishes) -> None:
        """Anything goes."""

    async def serve_call(self, transport: Transport, request: CallRequest) -> None:
        self.callers.append(request.caller)
        try:
            async for arrival in arrivals(transport):
                if not isinstance(arrival, AudioFrame):
                    self.arrived.append(arrival)
                if isinstance(arrival, AddItem):
                    await self.answer(transport, arrival)
                elif isinstance(arrival, Interrupt):
                    self.interrupted(transport)
                elif isinstance(arrival, ChoosePersona):
                    transport.notify(events.PersonaChanged(0.0, arrival.name))
        finally:
            self.over += 1

    async def answer(self, transport: Transport, said: AddItem) -> None:
        at = asyncio.get_running_loop().time()
        asked, reply = said.item, assistant("")
        clock = ToolCall("call_1", "clock", {"zone": "Europe/Lisbon"})
        known = "18:30"
        for event in (
            events.ItemAdded(at, asked),
            events.ReplyStarted(at, "reply_1"),
            events.ActivityChanged(at, "thinking"),
            events.ItemAdded(at, clock),
            events.ToolStarted(at, "reply_1", clock.call_id, clock.name, clock.arguments),
            events.ItemAdded(at, ToolResult(clock.call_id, known)),
            events.ToolFinished(at, clock.call_id, clock.name, known, True, 12.0),
            events.PanelShown(at, "home", {"title": "House", "rows": [], "empty": "Asleep."}),
            events.UtteranceStarted(at, "reply_1", reply.id, "answer"),
            events.SpokenText(at, reply.id, ANSWER),
        ):
            transport.notify(event)
        self.speaking = reply.id
        await transport.play(reply.id, tone(60))  # longer than any look at it takes
        transport.notify(events.ActivityChanged(at, "speaking"))
        transport.notify(events.PlaybackStarted(at, reply.id))
        transport.notify(
            events.Waterfall(at, "reply_1", {"end_of_turn": 80.0, "on_the_wire": 420.0})
        )

    def interrupted(self, transport: Transport) -> None:
        at = asyncio.get_running_loop().time()
        dropped = transport.flush()
        heard = "It is half past six,"
        over = events.UtteranceFinished(at, "reply_1", self.speaking, ANSWER, heard, 900, True)
        transport.notify(over)
        transport.notify(events.Interrupted(at, "reply_1", dropped))
        transport.notify(events.ReplyFinished(at, "reply_1", True))
        transport.notify(events.ActivityChanged(at, "listening"))


@pytest.fixture(scope="module")
def agent() -> Rehearsed:
    return Rehearsed()


@pytest.fixture(scope="module")
def url(agent: Rehearsed) -> Iterator[str]:
    with loopback_only(), serving(create_app(agent, lines=WEBRTC)) as (address, _):
        yield address


async def test_a_whole_call_on_the_real_server(
    chromium: Callable[..., Coroutine[Any, Any, Browser]], url: str, agent: Rehearsed
) -> None:
    browser = await chromium()
    context = await browser.new_context(reduced_motion="reduce")
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type != "log" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(url)
    await expect(page.get_by_test_id("persona-name")).to_have_text("Tutor")
    await call(page)
    await asks_and_is_answered(page)
    await page.get_by_test_id("stop").click()
    await expect(page.get_by_test_id("unheard")).to_have_text("and the garden is closed.")
    await expect(page.get_by_test_id("orb")).to_have_attribute("data-activity", "listening")
    await page.get_by_test_id("camera").click()
    await expect(page.get_by_test_id("problem")).to_contain_text("no eyes")
    await expect(page.get_by_test_id("preview")).to_be_hidden()
    assert not any(isinstance(one, VideoFrame) for one in agent.arrived)
    await page.get_by_test_id("persona-Concierge").check()
    await expect(page.get_by_test_id("note")).to_have_text("Concierge is on the line")
    await page.get_by_test_id("hangup").click()
    await until(page, lambda: agent.over == 1)
    await call(page)
    await page.goto("about:blank")
    fresh = await context.new_page()
    await until(fresh, lambda: agent.over == 2)
    await context.close()
    assert complaints == []


async def asks_and_is_answered(page: Page) -> None:
    await page.get_by_test_id("message").fill(QUESTION)
    await page.keyboard.press("Enter")
    entries = page.get_by_test_id("entry")
    await expect(entries).to_have_count(2)
    await expect(entries.first).to_contain_text(QUESTION)
    await expect(entries.last.get_by_test_id("line")).to_have_text(ANSWER)
    card = page.get_by_test_id("tool-card")
    await expect(card).to_have_count(1)
    await expect(card).to_have_attribute("data-state", "done")
    await expect(card.get_by_test_id("tool-output")).to_have_text("18:30")
    await expect(card.get_by_test_id("tool-time")).to_have_text("12 ms")
    await expect(page.get_by_test_id("panel")).to_contain_text("Asleep.")
    await expect(page.get_by_test_id("waterfall").locator("summary")).to_have_text(
        "Answered in 420 ms"
    )
    await expect(page.get_by_test_id("orb")).to_have_attribute("data-activity", "speaking")
    await page.wait_for_function(
        "() => Number(document.getElementById('meter-out').style.getPropertyValue('--level')) > 0.3"
    )
