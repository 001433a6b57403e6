"""One value says what is going on: each thing that happens, and what the page says then."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.page.driving import call, receive
from tests.page.scripted import ScriptedServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SAY = """async happenings => {
    const {START, next, says, sending} = await import('/state.js');
    const state = happenings.reduce(next, START);
    return {...says(state, 'Mira'), sending: sending(state)};
}"""

DIAL: list[dict[str, Any]] = [{"kind": "dial"}]
TYPED: list[dict[str, Any]] = [{"kind": "dial", "typing": True}]
OPENED = [*DIAL, {"kind": "microphone", "on": True}, {"kind": "call", "to": "connecting"}]
LIVE = [*OPENED, {"kind": "call", "to": "live"}]
TYPING = [*TYPED, {"kind": "call", "to": "connecting"}, {"kind": "call", "to": "live"}]
HOLD = [{"kind": "mode", "hold": True}, *LIVE]
MUTED = [*LIVE, {"kind": "mute", "on": True}]
DROPPED = [*LIVE, {"kind": "call", "to": "reconnecting"}]
ENDED = [*LIVE, {"kind": "call", "to": "ended"}]
NEVER = [*OPENED, {"kind": "call", "to": "ended"}]
UNPLUGGED = [*LIVE, {"kind": "microphone", "on": False}]


AWAY = "Reconnecting, 12 s"


def does(activity: str) -> dict[str, Any]:
    return {"kind": "activity", "activity": activity}


def held(on: bool) -> dict[str, Any]:
    return {"kind": "hold", "on": on}


TABLE: list[tuple[str, list[dict[str, Any]], str, str, bool]] = [
    # after this                  the orb is    the page says                   the voice is sent
    ("nothing yet", [], "idle", "Ready when you are", False),
    ("Call", DIAL, "connecting", "Allow the microphone to begin", False),
    ("Call by typing", TYPED, "connecting", "Calling Mira", False),
    ("the microphone is allowed", OPENED, "connecting", "Calling Mira", True),
    ("the line is up", LIVE, "listening", "Listening", True),
    ("the user speaks", [*LIVE, does("hearing")], "hearing", "Hearing you", True),
    ("a pause", [*LIVE, does("thinking")], "thinking", "Thinking", True),
    ("the agent speaks", [*LIVE, does("speaking")], "speaking", "Speaking", True),
    ("an unknown activity", [*LIVE, does("levitating")], "listening", "Listening", True),
    ("mute", MUTED, "listening", "Listening, but you are muted", False),
    ("muted while it speaks", [*MUTED, does("speaking")], "speaking", "Speaking", False),
    ("up, without microphone", TYPING, "listening", "Waiting for what you type", False),
    ("a noise without one", [*TYPING, does("hearing")], "listening", "Waiting for what", False),
    ("it is unplugged", UNPLUGGED, "listening", "Waiting for what you type", False),
    ("push-to-talk", HOLD, "listening", "Hold to talk", False),
    ("held", [*HOLD, held(True)], "listening", "Listening", True),
    ("let go", [*HOLD, held(True), held(False)], "listening", "Hold to talk", False),
    ("held with an open one", [*LIVE, held(True)], "listening", "Listening", True),
    ("unplugged while held", [*HOLD, held(True), UNPLUGGED[-1]], "listening", "Waiting", False),
    ("the line drops", DROPPED, "connecting", "Reconnecting", True),
    ("it stays away", [*DROPPED, {"kind": "countdown", "left": 12}], "connecting", AWAY, True),
    ("a late countdown", [*LIVE, {"kind": "countdown", "left": 12}], "listening", "List", True),
    ("it drops while held", [*HOLD, held(True), DROPPED[-1]], "connecting", "Reconnecting", False),
    ("it is back", [*DROPPED, LIVE[-1]], "listening", "Listening", True),
    ("hang up", ENDED, "ended", "Call ended", True),
    ("an event after the end", [*ENDED, does("speaking")], "ended", "Call ended", True),
    ("no call came about", NEVER, "ended", "Not connected", True),
    ("the next call begins", [*ENDED, *DIAL], "connecting", "Allow the microphone", False),
]


@pytest.mark.parametrize(
    ("happenings", "orb", "sentence", "sent"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
async def test_what_happens_is_what_the_page_says(
    page: Page, happenings: list[dict[str, Any]], orb: str, sentence: str, sent: bool
) -> None:
    said = await page.evaluate(SAY, happenings)
    assert said["activity"] == orb
    assert said["sentence"].startswith(sentence)
    assert said["sending"] == sent


BUTTONS: list[tuple[str, list[dict[str, Any]], str, str, set[str]]] = [
    # after this          Call is called   Mute is called   what there is to press
    ("nothing yet", [], "Call", "Use mic", {"call"}),
    ("Call", DIAL, "Call", "Use mic", {"hangup"}),
    ("the line is up", LIVE, "Call", "Mute", {"hangup", "mute", "camera", "stop"}),
    ("mute", MUTED, "Call", "Unmute", {"hangup", "mute", "camera", "stop"}),
    ("without one", TYPING, "Call", "Use mic", {"hangup", "mute", "camera", "stop"}),
    ("push-to-talk", HOLD, "Call", "Mute", {"hangup", "talk", "camera", "stop"}),
    ("the line drops", DROPPED, "Call", "Mute", {"hangup", "mute", "camera", "stop"}),
    ("hang up", ENDED, "Call again", "Mute", {"call"}),
    ("no call came about", NEVER, "Call", "Mute", {"call"}),
    ("no call, the second time", [*ENDED, *NEVER], "Call", "Mute", {"call"}),
]


@pytest.mark.parametrize(
    ("happenings", "call_label", "mute_label", "there"),
    [row[1:] for row in BUTTONS],
    ids=[row[0] for row in BUTTONS],
)
async def test_what_happens_decides_which_buttons_there_are(
    page: Page,
    happenings: list[dict[str, Any]],
    call_label: str,
    mute_label: str,
    there: set[str],
) -> None:
    said = await page.evaluate(SAY, happenings)
    assert (said["call"]["label"], said["mute"]["label"]) == (call_label, mute_label)
    names = ("call", "hangup", "mute", "talk", "camera", "stop")
    assert {name for name in names if not said[name]["hidden"]} == there


KEYED = {"kind": "login", "on": True}


@pytest.mark.parametrize(
    ("happenings", "hidden"),
    [
        ([], True),
        ([KEYED], False),
        ([KEYED, *LIVE], True),
        ([KEYED, *ENDED], False),
        ([KEYED, {"kind": "login", "on": False}], True),
    ],
    ids=["no key is asked for", "logged in", "in a call", "after it", "with a token instead"],
)
async def test_who_brought_a_key_can_log_out_but_not_during_a_call(
    page: Page, happenings: list[dict[str, Any]], hidden: bool
) -> None:
    assert (await page.evaluate(SAY, happenings))["logOut"]["hidden"] is hidden


async def test_a_call_by_typing_is_not_listening_and_can_take_a_microphone_later(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page()
    await page.evaluate(
        """() => { const open = navigator.mediaDevices.getUserMedia;
        navigator.mediaDevices.getUserMedia = async () => {
            navigator.mediaDevices.getUserMedia = open;
            throw new DOMException('no', 'NotFoundError'); }; }"""
    )
    await page.get_by_test_id("call").click()
    await page.get_by_role("button", name="Take the call by typing").click()
    await expect(page.locator("body")).to_have_attribute("data-call", "live")
    await expect(page.get_by_test_id("activity")).to_have_text("Waiting for what you type")
    mute = page.get_by_test_id("mute")
    await expect(mute).to_have_text("Use mic")
    await mute.click()
    await expect(mute).to_have_text("Mute")
    await expect(page.get_by_test_id("activity")).to_have_text("Listening")
    await page.wait_for_function(
        "() => Number(document.getElementById('meter-in').style.getPropertyValue('--level')) > 0.3"
    )


async def test_a_greeting_is_no_answer_and_has_no_waterfall(page: Page) -> None:
    place = {"item_id": "a1", "response_id": "r1"}
    waterfall = {"type": "omni.waterfall", "response_id": "r1", "marks": {"on_the_wire": 54}}
    await receive(
        page,
        {"type": "omni.utterance.started", **place, "kind": "greeting"},
        {"type": "response.output_audio_transcript.delta", **place, "delta": "Good evening."},
        waterfall,
    )
    await expect(page.get_by_test_id("waterfall")).to_have_count(0)
    answer = {"item_id": "a2", "response_id": "r1"}
    await receive(page, {"type": "omni.utterance.started", **answer, "kind": "answer"}, waterfall)
    await expect(page.get_by_test_id("waterfall")).to_have_count(1)


async def test_the_clock_says_what_is_left_when_the_longest_time_nears(
    open_page: Any, server: ScriptedServer
) -> None:
    server.omni = {"limit_s": 100}
    page = await open_page()
    await call(page)
    clock = page.get_by_test_id("clock")
    await expect(clock).to_have_text(re.compile(r"^1:[0-4]\d left$"))
    server.omni = {"limit_s": None}
    await page.get_by_test_id("hangup").click()
    await call(page)
    await expect(clock).to_have_text(re.compile(r"^0:\d\d$"))
