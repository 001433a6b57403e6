"""What both sides say, as the page shows it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.page.driving import finished, receive, says, transcribed

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

ATTACK = '<img src="x" onerror="document.title=\'broken into\'"> & <b>bold</b>'


async def test_a_partial_transcript_is_replaced_and_then_settles(page: Page) -> None:
    entry = page.locator("[data-item=u1]")
    await receive(page, {"type": "input_audio_buffer.speech_started", "item_id": "u1"})
    await expect(entry).to_have_attribute("data-state", "empty")
    await receive(page, {"type": "omni.transcript.partial", "item_id": "u1", "text": "Set a time"})
    await receive(
        page, {"type": "omni.transcript.partial", "item_id": "u1", "text": "Set a timer for"}
    )
    await expect(entry).to_have_attribute("data-state", "partial")
    await expect(entry.get_by_test_id("line")).to_have_text("Set a timer for")
    whole = "Set a timer for ten minutes."
    delta = {
        "type": "conversation.item.input_audio_transcription.delta",
        "item_id": "u1",
        "delta": whole,
    }
    await receive(page, delta)
    await expect(entry.get_by_test_id("line")).to_have_text("Set a timer for")  # not said twice
    await receive(page, transcribed("u1", whole))
    await expect(entry).to_have_attribute("data-state", "settled")
    await expect(entry.get_by_test_id("line")).to_have_text(whole)


async def test_standard_transcript_deltas_add_up_without_our_extensions(page: Page) -> None:
    kind = "conversation.item.input_audio_transcription.delta"
    await receive(
        page, *({"type": kind, "item_id": "u1", "delta": part} for part in ("Set a ", "timer"))
    )
    await expect(page.locator("[data-item=u1]").get_by_test_id("line")).to_have_text("Set a timer")


@pytest.mark.parametrize(
    "end",
    [transcribed("u1", "  "), {"type": "omni.backchannel", "item_id": "u1", "text": "mm-hm"}],
    ids=["cough", "backchannel"],
)
async def test_a_sound_that_was_no_turn_leaves_no_entry(page: Page, end: dict[str, Any]) -> None:
    await receive(page, {"type": "input_audio_buffer.speech_started", "item_id": "u1"})
    await expect(page.get_by_test_id("entry")).to_have_count(1)
    await receive(page, end)
    await expect(page.get_by_test_id("entry")).to_have_count(0)


async def test_the_agent_s_own_words_come_back_are_no_line_of_the_user(page: Page) -> None:
    echo = "Your timer is set."
    delta = "conversation.item.input_audio_transcription.delta"
    for id in ("u1", "u2"):
        await receive(
            page,
            {"type": "input_audio_buffer.speech_started", "item_id": id},
            {"type": "omni.transcript.partial", "item_id": id, "text": echo},
        )
        await expect(page.get_by_test_id("entry")).to_have_count(1)
        await receive(
            page,
            {"type": "omni.backchannel", "item_id": id, "text": echo},
            {"type": delta, "item_id": id, "delta": echo},
            transcribed(id, echo),
        )
        await expect(page.get_by_test_id("entry")).to_have_count(0)
    await receive(page, transcribed("u3", "How long?"))
    await expect(page.get_by_test_id("entry")).to_have_count(1)


async def test_words_stand_faint_until_they_are_voiced(page: Page) -> None:
    text = "The timer is set for ten minutes. " * 12
    await receive(page, *says("a1", text))
    spoken, coming = page.locator("[data-item=a1] .spoken"), page.locator("[data-item=a1] .coming")
    await expect(coming).to_have_text(text)
    await expect(spoken).to_have_text("")
    await receive(page, {"type": "omni.utterance.playing", "item_id": "a1"})
    await expect(spoken).not_to_have_text("")
    await expect(coming).not_to_have_text("")
    assert await page.locator("[data-item=a1] [data-testid=line]").text_content() == text
    await receive(page, finished("a1", text, text, interrupted=False))
    await expect(spoken).to_have_text(text)
    await expect(coming).to_have_text("")
    await expect(page.locator("[data-item=a1]")).to_have_attribute("data-state", "settled")


async def test_sound_without_our_extensions_voices_the_first_open_utterance(page: Page) -> None:
    delta = "response.output_audio_transcript.delta"
    await receive(
        page,
        {"type": delta, "item_id": "a1", "response_id": "r1", "delta": "Hello there, how are you?"},
        {"type": delta, "item_id": "a2", "response_id": "r1", "delta": "And later."},
        {"type": "output_audio_buffer.started", "response_id": "r1"},
    )
    await expect(page.locator("[data-item=a1] .spoken")).not_to_have_text("")
    await expect(page.locator("[data-item=a2] .spoken")).to_have_text("")


async def test_what_was_not_heard_is_struck_through(page: Page) -> None:
    text, heard = "Breakfast is from seven to ten in the garden.", "Breakfast is from seven"
    await receive(page, *says("a1", text), {"type": "omni.utterance.playing", "item_id": "a1"})
    await receive(page, finished("a1", text, heard, interrupted=True))
    entry = page.locator("[data-item=a1]")
    await expect(entry).to_have_attribute("data-state", "interrupted")
    await expect(entry.locator(".spoken")).to_have_text(heard)
    unheard = entry.get_by_test_id("unheard")
    await expect(unheard).to_have_text("to ten in the garden.")
    await expect(unheard).to_have_css("text-decoration-line", "line-through")
    assert await unheard.evaluate("node => node.tagName") == "S"


async def test_an_utterance_of_which_nothing_was_heard_is_struck_whole(page: Page) -> None:
    await receive(
        page, *says("a1", "Never mind."), finished("a1", "Never mind.", "", interrupted=True)
    )
    await expect(page.locator("[data-item=a1]").get_by_test_id("unheard")).to_have_text(
        "Never mind."
    )


async def test_heard_words_with_other_spacing_still_mark_the_right_place(page: Page) -> None:
    await receive(page, *says("a1", "One, two,  three, four."))
    await receive(
        page, finished("a1", "One, two,  three, four.", "one, two, three,", interrupted=True)
    )
    await expect(page.locator("[data-item=a1]").get_by_test_id("unheard")).to_have_text("four.")


async def test_captions_keep_the_order_in_which_people_began(page: Page) -> None:
    await receive(page, {"type": "input_audio_buffer.speech_started", "item_id": "u1"})
    await receive(page, *says("a1", "Yes?"))
    await receive(page, transcribed("u1", "Hello"))
    items = await page.get_by_test_id("entry").evaluate_all(
        "nodes => nodes.map(node => node.dataset.item)"
    )
    assert items == ["u1", "a1"]


async def test_finished_captions_are_announced_once_and_deltas_never(page: Page) -> None:
    announcer = page.get_by_test_id("announcer")
    await expect(announcer).to_have_attribute("aria-live", "polite")
    await receive(
        page,
        *says("a1", "It rains."),
        {"type": "omni.transcript.partial", "item_id": "u2", "text": "Th"},
    )
    await expect(announcer.locator("p")).to_have_count(0)
    await receive(
        page,
        finished("a1", "It rains.", "It rains.", interrupted=False),
        transcribed("u2", "Thanks"),
    )
    await expect(announcer.locator("p")).to_have_text(["Concierge: It rains.", "You: Thanks"])


async def test_a_reader_who_scrolled_up_is_left_there_and_offered_the_way_back(page: Page) -> None:
    await receive(page, *(transcribed(f"u{n}", f"Sentence {n}. " * 20) for n in range(30)))
    last = page.locator("[data-item=u29]")
    await expect(last).to_be_in_viewport()
    await page.locator("#scroll").hover()
    await page.mouse.wheel(0, -1500)
    await expect(last).not_to_be_in_viewport()
    await receive(page, transcribed("u30", "One more."))
    await expect(page.get_by_test_id("latest")).to_be_visible()
    await expect(page.locator("[data-item=u30]")).not_to_be_in_viewport()
    await page.get_by_test_id("latest").click()
    await expect(page.locator("[data-item=u30]")).to_be_in_viewport()
    await expect(page.get_by_test_id("latest")).to_be_hidden()


async def test_nothing_from_outside_is_ever_html(page: Page) -> None:
    title = await page.title()
    panel = {
        "title": ATTACK,
        "rows": [{"label": ATTACK, "value": ATTACK, "group": ATTACK, "state": ATTACK}],
    }
    await receive(
        page,
        transcribed("u1", ATTACK),
        *says("a1", ATTACK),
        finished("a1", ATTACK, ATTACK[:9], interrupted=True),
        *says("a2", ATTACK),
        {
            "type": "omni.tool.started",
            "call_id": "c1",
            "name": ATTACK,
            "arguments": {ATTACK: ATTACK},
        },
        {"type": "omni.tool.progress", "call_id": "c1", "text": ATTACK},
        {
            "type": "omni.tool.finished",
            "call_id": "c1",
            "name": ATTACK,
            "output": ATTACK * 9,
            "ok": True,
            "ms": 1,
        },
        {"type": "omni.tool.started", "call_id": "c2", "name": "t", "arguments": ATTACK},
        {
            "type": "omni.tool.finished",
            "call_id": "c2",
            "name": "t",
            "output": {"x": ATTACK},
            "ok": False,
            "ms": 1,
        },
        {"type": "omni.panel", "panel": ATTACK, "data": panel},
        {
            "type": "omni.panel",
            "panel": "empty",
            "data": {"title": "t", "rows": [], "empty": ATTACK},
        },
        {"type": "omni.waterfall", "response_id": "r1", "marks": {ATTACK: 100}},
        {"type": "omni.persona.changed", "persona": ATTACK},
        {"type": "error", "error": {"message": ATTACK}},
    )
    await expect(page.locator("[data-item=u1]").get_by_test_id("line")).to_have_text(ATTACK)
    await expect(page.get_by_test_id("tool-name").first).to_have_text(ATTACK)
    await expect(page.get_by_test_id("panel-row")).to_contain_text(ATTACK)
    assert await page.locator("img, main b:not(#meter-in, #meter-out, .waterfall b)").count() == 0
    assert await page.title() == title


BROKEN: list[Any] = [
    None,
    [],
    {"type": "omni.tool.finished"},
    {"type": "omni.panel", "panel": None, "data": None},
    {"type": "omni.panel", "panel": "p", "data": {"rows": [None, 3, {"label": {"a": 1}}]}},
    {"type": "omni.waterfall", "response_id": None, "marks": {"on_the_wire": "soon"}},
    {"type": "omni.utterance.finished", "item_id": "never-started"},
    {"type": "omni.activity", "activity": "levitating"},
    {"type": "conversation.item.added", "item": None},
    {"type": "error"},
    {"type": "__proto__"},
    {"type": "constructor"},
    {"type": "omni.from.the.future"},
]


async def test_broken_and_unknown_events_leave_the_page_standing(page: Page) -> None:
    await receive(page, *BROKEN, transcribed("u1", "Still here?"))
    await expect(page.locator("[data-item=u1]")).to_contain_text("Still here?")
    await expect(page.get_by_test_id("orb")).to_have_attribute("data-activity", "idle")
