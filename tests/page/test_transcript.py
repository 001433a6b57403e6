"""The transcript to take away, and the languages it is in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.page.driving import call, finished, receive, says, stop_the_clock, transcribed
from tests.page.scripted import ScriptedServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

TOOL = {"call_id": "c1", "name": "door_state"}
PICTURE = "![x](https://elsewhere.example/x.png) *and* <b>more</b>"
TALK: list[dict[str, Any]] = [
    transcribed("u1", "Is the door locked?"),
    {"type": "omni.tool.started", **TOOL, "arguments": {"door": "front"}},
    {"type": "omni.tool.finished", **TOOL, "output": PICTURE, "ok": True, "ms": 120},
    *says("a1", "It is locked, I think."),
    finished("a1", "It is locked, I think.", "It is locked,", interrupted=True),
    {"type": "input_audio_buffer.speech_started", "item_id": "u2"},
    {"type": "error", "error": {"message": "The lamp did not answer."}},
]
CLOCK = r"\d\d:\d\d:\d\d"


async def test_there_is_nothing_to_take_before_anything_was_said(open_page: Any) -> None:
    page: Page = await open_page()
    await expect(page.get_by_test_id("copy")).to_be_hidden()
    await call(page)
    await expect(page.get_by_test_id("save")).to_be_hidden()


async def test_it_is_copied_as_text_with_times_tools_and_who_even_after_the_call(
    open_page: Any,
) -> None:
    page: Page = await open_page(permissions=["clipboard-read", "clipboard-write"])
    await call(page)
    await receive(page, *TALK)
    await page.get_by_test_id("hangup").click()
    await stop_the_clock(page)  # what it tells is shown for a few seconds
    await page.get_by_test_id("copy").click()
    await expect(page.get_by_test_id("told")).to_have_text("Transcript copied")
    await expect(page.get_by_test_id("announcer")).to_contain_text("Transcript copied")
    title, *lines = (await page.evaluate("navigator.clipboard.readText()")).splitlines()
    assert title.startswith("Call with Concierge, ")
    expected = [
        "You: Is the door locked?",
        f"Tool: door_state (door: front) done in 120 ms → {PICTURE}",
        "Concierge: It is locked, [interrupted; not heard: I think.]",
        "(The lamp did not answer.)",
    ]
    assert [re.sub(f"^{CLOCK} ", "", line) for line in lines] == expected
    assert all(re.match(CLOCK, line) for line in lines)


async def test_it_is_downloaded_as_markdown_in_which_words_stay_words(
    open_page: Any, tmp_path: Path
) -> None:
    page: Page = await open_page()
    await call(page)
    await receive(page, *TALK)
    async with page.expect_download() as waiting:
        await page.get_by_test_id("save").click()
    download = await waiting.value
    assert re.fullmatch(r"call-\d{4}-\d\d-\d\d-\d{4}\.md", download.suggested_filename)
    await download.save_as(tmp_path / "call.md")
    text = (tmp_path / "call.md").read_text()
    assert text.startswith("# Call with Concierge, ")
    assert "**You:** Is the door locked?" in text
    assert "~~I think.~~" in text
    assert r"\!\[x\]\(https://elsewhere.example/x.png\) \*and\* \<b\>more" in text


async def test_a_browser_that_refuses_the_clipboard_says_what_to_do(open_page: Any) -> None:
    page: Page = await open_page()
    await call(page)
    await receive(page, *TALK)
    await page.evaluate(
        """() => Object.defineProperty(navigator, 'clipboard', {value: {
            writeText: async () => { throw new DOMException('no', 'NotAllowedError'); }}})"""
    )
    await page.get_by_test_id("copy").click()
    await expect(page.get_by_test_id("told")).to_contain_text("Download the transcript instead")


async def test_captions_carry_the_language_of_the_one_who_answers(
    open_page: Any, server: ScriptedServer
) -> None:
    page: Page = await open_page()
    await expect(page.locator("html")).to_have_attribute("lang", "en")
    await page.get_by_test_id("persona-tutor").check()
    await call(page)
    server.send({"type": "omni.persona.changed", "persona": "tutor"})
    await expect(page.get_by_test_id("persona-name")).to_have_text("Tutor")
    await receive(page, transcribed("u1", "Bonjour"), *says("a1", "Bonsoir."))
    for item in ("u1", "a1"):
        line = page.locator(f"[data-item={item}]").get_by_test_id("line")
        await expect(line).to_have_attribute("lang", "fr")
        await expect(line).to_have_attribute("dir", "auto")
    said = page.get_by_test_id("announcer").locator("p", has_text="Bonjour")
    await expect(said).to_have_attribute("lang", "fr")


async def test_a_language_that_is_none_is_left_out_and_arabic_runs_from_the_right(
    open_page: Any, server: ScriptedServer
) -> None:
    server.personas = [{"name": "concierge", "title": "Concierge", "language": '"><b>'}]
    page: Page = await open_page()
    await call(page)
    await receive(page, transcribed("u1", "مرحبا بك"))
    line = page.locator("[data-item=u1]").get_by_test_id("line")
    assert await line.get_attribute("lang") is None
    await expect(line).to_have_css("direction", "rtl")


async def test_words_without_spaces_are_voiced_bit_by_bit(page: Page) -> None:
    text = "今日はとても良い天気ですから、庭で朝ごはんを食べましょう。" * 6
    await receive(page, *says("a1", text), {"type": "omni.utterance.playing", "item_id": "a1"})
    spoken, coming = page.locator("[data-item=a1] .spoken"), page.locator("[data-item=a1] .coming")
    await expect(spoken).not_to_have_text("")
    await expect(coming).not_to_have_text("")
