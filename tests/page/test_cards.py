"""Tool cards, panels and waterfalls."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.page.driving import box, receive

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


def started(call: str, name: str = "set_timer", **arguments: Any) -> dict[str, Any]:
    return {
        "type": "omni.tool.started",
        "call_id": call,
        "response_id": "r1",
        "name": name,
        "arguments": arguments,
    }


def ended(call: str, output: Any, *, ok: bool = True, ms: float = 1234.0) -> dict[str, Any]:
    return {
        "type": "omni.tool.finished",
        "call_id": call,
        "name": "set_timer",
        "output": output,
        "ok": ok,
        "ms": ms,
    }


async def test_a_tool_card_runs_reports_progress_and_shows_result_and_duration(page: Page) -> None:
    card = page.locator("[data-testid=tool-card][data-call=c1]")
    await receive(page, started("c1", minutes=10, label="tea"))
    await expect(card).to_have_attribute("data-state", "running")
    await expect(card.get_by_test_id("tool-name")).to_have_text("set_timer")
    await expect(card.get_by_test_id("tool-arguments")).to_have_text("minutes10labeltea")
    await receive(page, {"type": "omni.tool.progress", "call_id": "c1", "text": "half way"})
    await expect(card.get_by_test_id("tool-progress")).to_have_text("half way")
    await receive(page, ended("c1", "Timer tea is set."))
    await expect(card).to_have_attribute("data-state", "done")
    await expect(card.get_by_test_id("tool-output")).to_have_text("Timer tea is set.")
    await expect(card.get_by_test_id("tool-time")).to_have_text("1.2 s")
    await expect(card.get_by_test_id("tool-status")).to_have_text("Done")
    await expect(card.get_by_test_id("tool-progress")).to_be_hidden()


async def test_a_card_shows_that_the_user_is_to_answer(page: Page) -> None:
    card = page.get_by_test_id("tool-card")
    asked = {"type": "omni.tool.waiting", "call_id": "c1", "question": "Shall I?"}
    await receive(page, started("c1"), asked)
    await expect(card).to_have_attribute("data-state", "waiting")
    await expect(card.get_by_test_id("tool-progress")).to_have_text("Waiting for your answer")
    await receive(page, {"type": "omni.tool.answered", "call_id": "c1", "agreed": True})
    await expect(card).to_have_attribute("data-state", "running")
    await expect(card.get_by_test_id("tool-progress")).to_be_hidden()
    await receive(page, ended("c1", "Done."))
    await expect(card).to_have_attribute("data-state", "done")


async def test_a_failed_tool_says_so_in_words_and_not_only_in_colour(page: Page) -> None:
    await receive(
        page, started("c1"), ended("c1", "minutes: 'ten' is not a number", ok=False, ms=3)
    )
    card = page.get_by_test_id("tool-card")
    await expect(card).to_have_attribute("data-state", "failed")
    await expect(card.get_by_test_id("tool-status")).to_have_text("Failed")
    await expect(card.get_by_test_id("tool-output")).to_have_text("minutes: 'ten' is not a number")


async def test_standard_function_call_events_alone_make_one_card(page: Page) -> None:
    call = {
        "type": "function_call",
        "id": "item_9",
        "call_id": "c1",
        "name": "clock",
        "arguments": "",
    }
    arguments = {"type": "response.function_call_arguments.done", "call_id": "c1", "name": "clock"}
    output = {"type": "function_call_output", "call_id": "c1", "output": "half past six"}
    await receive(
        page,
        {"type": "conversation.item.added", "item": call},
        {**arguments, "arguments": '{"zone": "Europe/Lisbon"}'},
        {"type": "conversation.item.added", "item": output},
        {"type": "conversation.item.done", "item": output},
    )
    card = page.get_by_test_id("tool-card")
    await expect(card).to_have_count(1)
    await expect(card.get_by_test_id("tool-arguments")).to_have_text("zoneEurope/Lisbon")
    await expect(card).to_have_attribute("data-state", "done")
    await expect(card.get_by_test_id("tool-output")).to_have_text("half past six")


async def test_a_long_result_is_folded_and_opens_on_request(page: Page) -> None:
    await receive(page, started("c1"), ended("c1", "word " * 200))
    words = page.get_by_test_id("tool-card").locator(".tool-words")
    folded = (await box(words))["height"]
    more = page.get_by_role("button", name="Show all")
    await more.click()
    await expect(page.get_by_role("button", name="Show less")).to_have_attribute(
        "aria-expanded", "true"
    )
    assert (await box(words))["height"] > 2 * folded


async def test_a_panel_is_replaced_under_its_id_and_says_its_states(page: Page) -> None:
    rows = [
        {"label": "Lamp", "value": "on", "group": "Hall", "state": "on"},
        {"label": "Door", "value": "unlocked", "group": "Hall", "state": "warn"},
        {"label": "Heating", "value": "19 °C", "group": "Bedroom", "state": "none"},
    ]
    await receive(
        page, {"type": "omni.panel", "panel": "home", "data": {"title": "House", "rows": rows}}
    )
    panel = page.get_by_test_id("panel")
    await expect(panel.get_by_role("heading", name="House")).to_be_visible()
    await expect(panel.locator(".panel-group")).to_have_text(["Hall", "Bedroom"])
    await expect(panel.get_by_test_id("panel-row").nth(1)).to_contain_text("(attention)")
    empty = {"title": "House", "rows": [], "empty": "The house is asleep."}
    await receive(page, {"type": "omni.panel", "panel": "home", "data": empty})
    await expect(panel).to_have_count(1)
    await expect(panel).to_contain_text("The house is asleep.")
    await expect(panel.get_by_test_id("panel-row")).to_have_count(0)


async def test_a_panel_that_the_reader_closed_stays_closed_when_it_changes(page: Page) -> None:
    event = {
        "type": "omni.panel",
        "panel": "home",
        "data": {"title": "House", "rows": [{"label": "a", "value": "1"}]},
    }
    await receive(page, event)
    await page.get_by_test_id("panel").locator("summary").click()
    await receive(page, event)
    await expect(page.get_by_test_id("panel").locator("summary")).to_be_focused()
    await expect(page.get_by_test_id("panel-row")).to_be_hidden()


async def test_a_waterfall_stands_under_its_turn_with_bars_in_order_of_time(page: Page) -> None:
    marks = {
        "end_of_turn": 200.0,
        "transcript": 300.0,
        "first_thought": 500.0,
        "on_the_wire": 400.0,
        "answer_on_the_wire": 1000.0,
    }
    await receive(
        page,
        {"type": "omni.utterance.started", "item_id": "a1", "response_id": "r1", "kind": "answer"},
        {
            "type": "response.output_audio_transcript.delta",
            "item_id": "a1",
            "response_id": "r1",
            "delta": "Hi.",
        },
        {"type": "omni.waterfall", "response_id": "r1", "marks": marks},
    )
    waterfall = page.locator("[data-item=a1]").get_by_test_id("waterfall")
    await expect(waterfall.locator("summary")).to_have_text(
        "First sound in 400 ms, answer in 1.0 s"
    )
    rows = waterfall.get_by_test_id("waterfall-row")
    await expect(rows.first).to_be_hidden()
    await waterfall.locator("summary").click()
    await expect(rows.first).to_be_visible()
    order = await rows.evaluate_all("rows => rows.map(row => row.dataset.mark)")
    assert order == [
        "end_of_turn",
        "transcript",
        "on_the_wire",
        "first_thought",
        "answer_on_the_wire",
    ]
    await expect(rows.nth(1)).to_have_text("Words recognised300 ms")
    track = await box(rows.nth(1).locator(".waterfall-track"))
    bar = await box(rows.nth(1).locator(".waterfall-bar"))
    assert bar["x"] - track["x"] == pytest.approx(0.2 * track["width"], abs=1.5)
    assert bar["width"] == pytest.approx(0.1 * track["width"], abs=1.5)


async def test_steps_of_a_waterfall_that_read_the_same_are_in_the_order_of_the_stages(
    page: Page,
) -> None:
    marks = {"on_the_wire": 5201, "first_frame": 5203, "answer_on_the_wire": 5201, "x": 90}
    await receive(page, {"type": "omni.waterfall", "response_id": "unknown", "marks": marks})
    waterfall = page.get_by_test_id("captions").get_by_test_id("waterfall")
    await waterfall.locator("summary").click()
    rows = waterfall.get_by_test_id("waterfall-row")
    order = await rows.evaluate_all("rows => rows.map(row => row.dataset.mark)")
    assert order == ["x", "first_frame", "on_the_wire", "answer_on_the_wire"]


async def test_a_waterfall_of_a_turn_without_words_gets_a_line_of_its_own(page: Page) -> None:
    await receive(
        page, {"type": "omni.waterfall", "response_id": "unknown", "marks": {"end_of_turn": 90}}
    )
    await expect(
        page.get_by_test_id("captions").get_by_test_id("waterfall").locator("summary")
    ).to_have_text("Took 90 ms")
