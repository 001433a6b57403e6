"""Who answers: the operator's default, until the user chose somebody."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.page.driving import call, until
from tests.page.scripted import PERSONAS, ScriptedServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def chosen(open_page: Any) -> Page:
    page: Page = await open_page()
    await page.get_by_test_id("persona-tutor").check()
    await page.reload()
    await expect(page.get_by_test_id("persona-name")).to_have_text("Tutor")
    return page


async def test_a_choice_is_remembered_and_asked_for(open_page: Any, server: ScriptedServer) -> None:
    page = await chosen(open_page)
    await call(page)
    await until(page, lambda: ("offer", "persona=tutor") in server.requests)


async def test_a_choice_does_not_outlive_the_operator_s_new_default(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await chosen(open_page)
    server.default = "engineer"
    await page.reload()
    await expect(page.get_by_test_id("persona-name")).to_have_text("Engineer")
    server.default = "concierge"
    await page.reload()
    await expect(page.get_by_test_id("persona-name")).to_have_text("Concierge")


async def test_a_persona_that_is_no_longer_offered_is_forgotten(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await chosen(open_page)
    server.personas = [one for one in PERSONAS if one["name"] != "tutor"]
    await page.reload()
    await expect(page.get_by_test_id("persona-name")).to_have_text("Concierge")
    server.personas = PERSONAS
    await page.reload()
    await expect(page.get_by_test_id("persona-name")).to_have_text("Concierge")


@pytest.mark.parametrize("kept", ["tutor", "{", "null", '{"name": 3}', "[]"])
async def test_what_an_older_page_kept_is_no_choice(open_page: Any, kept: str) -> None:
    page: Page = await open_page()
    await page.evaluate("kept => localStorage.setItem('omni_agent.persona', kept)", kept)
    await page.reload()
    await expect(page.get_by_test_id("persona-name")).to_have_text("Concierge")


async def test_a_change_of_hands_in_a_call_is_no_choice_for_the_next(
    open_page: Any, server: ScriptedServer
) -> None:
    page: Page = await open_page()
    await call(page)
    server.send({"type": "omni.persona.changed", "persona": "tutor"})
    await expect(page.get_by_test_id("persona-name")).to_have_text("Tutor")
    await page.get_by_test_id("hangup").click()
    await call(page)
    await expect(page.get_by_test_id("persona-name")).to_have_text("Concierge")
    assert [query for kind, query in server.requests if kind == "offer"] == ["", ""]


async def test_what_a_persona_can_use_is_listed(open_page: Any, server: ScriptedServer) -> None:
    server.personas = [{**PERSONAS[0], "tools": ["clock", "book_table"]}]
    page: Page = await open_page()
    await expect(page.get_by_test_id("persona-tools")).to_have_text("Can use clock, book table")
