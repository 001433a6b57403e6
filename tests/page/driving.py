"""What tests of the page do again and again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from playwright.async_api import FloatRect, Locator, Page, expect

from tests.page.scripted import PATIENCE_S

RECEIVE = """async (events) => {
    const {conversation} = await import('/main.js');
    for (const event of events) conversation.receive(event);
}"""

AWAY = """async () => {
    const peer = (await import('/main.js')).currentCall().peer;
    window.away = peer;
    const last = await peer.getStats();
    let looks = 0;
    await new Promise((seen) => (peer.getStats = async () => {
        if (++looks === 2) seen(); // that nothing came since
        return last;
    }));
    Object.defineProperty(peer, 'connectionState', {value: 'failed'});
    peer.dispatchEvent(new Event('connectionstatechange'));
}"""
"""As far as the page can see nothing comes any more."""


async def receive(page: Page, *events: dict[str, Any] | list[Any] | None) -> None:
    """Draw server events as if they had come over the data channel."""
    await page.evaluate(RECEIVE, list(events))


async def box(place: Locator) -> FloatRect:
    """Where something is drawn, in CSS pixels."""
    found = await place.bounding_box()
    assert found is not None, "it is not drawn"
    return found


async def call(page: Page) -> None:
    """Press Call, on a page that knows who is called, and wait until the line is up."""
    await expect(page.get_by_test_id("persona-name")).not_to_have_text("omni_agent")
    await call_at_once(page)


async def call_at_once(page: Page) -> None:
    """Press Call, whatever the page knows by now, and wait until the line is up."""
    await expect(page.get_by_test_id("call")).to_have_attribute("aria-disabled", "false")
    await page.get_by_test_id("call").click()
    await expect(page.locator("body")).to_have_attribute("data-call", "live")


async def stop_the_clock(page: Page) -> None:
    """Its timers wait for ``page.clock.run_for``; what the network brings comes all the same."""
    await page.clock.install(time=0)
    await page.clock.pause_at(3600)


async def until(page: Page, condition: Callable[[], bool]) -> None:
    """Wait for something on the server's side; each round trip to the page lets time pass."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "the server never saw it"
        await page.evaluate("() => new Promise(requestAnimationFrame)")


def says(item: str, text: str, response: str = "r1") -> list[dict[str, Any]]:
    """The agent starts to say this."""
    place = {"item_id": item, "response_id": response}
    return [
        {"type": "omni.utterance.started", **place, "kind": "answer"},
        {"type": "response.output_audio_transcript.delta", **place, "delta": text},
    ]


def finished(item: str, text: str, heard: str, *, interrupted: bool) -> dict[str, Any]:
    """An utterance is over."""
    place = {"type": "omni.utterance.finished", "item_id": item, "response_id": "r1"}
    return {**place, "text": text, "heard": heard, "heard_ms": 900, "interrupted": interrupted}


def transcribed(item: str, text: str) -> dict[str, Any]:
    """All that the user said in this turn."""
    kind = "conversation.item.input_audio_transcription.completed"
    return {"type": kind, "item_id": item, "transcript": text}


ROWS = [
    {"label": "Door", "value": "unlocked" * 8, "group": "Hall", "state": "warn"},
    {"label": "Lamp", "value": "on", "group": "Hall", "state": "on"},
]
TOOL = {"call_id": "c1", "name": "a_tool_with_quite_a_long_name_indeed"}
CONVERSATION: list[dict[str, Any]] = [
    transcribed("u1", "Is the door locked? " * 6),
    {"type": "omni.tool.started", **TOOL, "arguments": {"q": "x" * 90}},
    {"type": "omni.tool.finished", **TOOL, "output": "y" * 400, "ok": False, "ms": 12},
    *says("a1", "It is " + "z" * 80),
    finished("a1", "It is locked, I think.", "It is", interrupted=True),
    {
        "type": "omni.waterfall",
        "response_id": "r1",
        "marks": {"transcript": 300, "on_the_wire": 900},
    },
    {"type": "omni.panel", "panel": "home", "data": {"title": "A rather long title", "rows": ROWS}},
    {"type": "omni.panel", "panel": "timers", "data": {"title": "Timers", "rows": []}},
    {"type": "error", "error": {"message": "The tool did not answer."}},
]
"""Something of everything, and all of it too long."""
