"""For everyone: keyboard, screen reader, contrast, small screens; and a strict policy."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.page.driving import CONVERSATION, call, receive

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def tab_stops(page: Page) -> list[str]:
    """What Tab reaches from the top of the page, by test id, id or name, until it wraps."""
    await page.locator(".skip").focus()
    stops: list[str] = []
    for _ in range(60):
        stop = await page.evaluate(
            """() => { const at = document.activeElement;
            if (at === document.body || 'reached' in at.dataset) return '';
            at.dataset.reached = '';
            return at.dataset.testid || at.id || at.className || at.tagName; }"""
        )
        if not stop:
            break
        stops.append(stop)
        await page.keyboard.press("Tab")
    return stops


async def test_before_the_call_everything_is_reached_by_tab_and_called_by_enter(
    open_page: Any,
) -> None:
    page = await open_page()
    await expect(page.get_by_test_id("personas")).to_be_visible()
    assert await tab_stops(page) == [
        "skip",
        "theme",
        "open-settings",
        "open-help",
        "call",
        "persona-concierge",
    ]
    await page.get_by_test_id("call").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("body")).to_have_attribute("data-call", "live")


async def test_during_the_call_every_control_is_reached_by_tab_and_shows_its_focus(
    open_page: Any,
) -> None:
    page = await open_page()
    await call(page)
    await receive(page, *CONVERSATION, {"type": "omni.activity", "activity": "speaking"})
    stops = set(await tab_stops(page))
    assert {
        "mute",
        "camera",
        "stop",
        "hangup",
        "persona-concierge",
        "message",
        "send",
        "scroll",
        "link",
    } <= stops
    outline = "() => getComputedStyle(document.activeElement).outlineStyle"
    await page.get_by_test_id("mute").focus()
    await page.keyboard.press("Tab")
    assert await page.evaluate(outline) == "solid"


async def test_arrow_keys_choose_a_persona(open_page: Any) -> None:
    page = await open_page()
    await page.get_by_test_id("persona-concierge").focus()
    await page.keyboard.press("ArrowRight")
    await expect(page.get_by_test_id("persona-tutor")).to_be_checked()
    await expect(page.get_by_test_id("persona-name")).to_have_text("Tutor")


async def test_help_opens_by_key_names_every_shortcut_and_gives_the_focus_back(
    open_page: Any,
) -> None:
    page = await open_page()
    opener = page.get_by_test_id("open-help")
    await opener.focus()
    await page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="On this call")
    await expect(dialog).to_be_visible()
    await expect(dialog.locator("kbd")).to_have_text(["Space", "M", "Esc", "/", "V", "?"])
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(opener).to_be_focused()


async def test_help_says_which_version_this_is_and_what_it_runs_on(open_page: Any) -> None:
    page = await open_page()
    await page.get_by_test_id("open-help").click()
    said = "omni_agent 9.8.7. Runs on a-thinker (thinker), a-talker (talker)."
    await expect(page.get_by_test_id("engine")).to_have_text(said)


async def test_single_keys_can_be_switched_off(open_page: Any) -> None:
    page = await open_page()
    await call(page)
    await page.get_by_test_id("open-settings").click()
    await page.get_by_test_id("shortcuts").uncheck()
    await page.keyboard.press("Escape")
    await page.keyboard.press("m")
    await page.keyboard.press("?")
    await expect(page.get_by_test_id("help")).to_be_hidden()
    await expect(page.get_by_test_id("mute")).to_have_attribute("aria-pressed", "false")


async def test_a_screen_reader_finds_landmarks_names_and_headings(open_page: Any) -> None:
    page = await open_page()
    await call(page)
    await receive(page, *CONVERSATION)
    for role, name in [
        ("main", None),
        ("region", "Conversation"),
        ("region", "Call"),
        ("group", "Call controls"),
    ]:
        await expect(page.get_by_role(role, name=name, exact=True)).to_be_visible()
    await expect(page.get_by_role("heading", level=1, name="Concierge")).to_be_visible()
    await expect(page.get_by_role("alert")).to_be_hidden()
    nameless = await page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, summary')]
            .filter(one => one.checkVisibility())
            .filter(one => !(one.textContent.trim() || one.ariaLabel || one.labels?.length))
            .map(one => one.outerHTML)"""
    )
    assert nameless == []
    assert (
        await page.evaluate("() => document.querySelectorAll('svg:not([aria-hidden])').length") == 0
    )


async def test_a_reader_can_have_captions_kept_from_the_screen_reader(open_page: Any) -> None:
    page = await open_page()
    await page.get_by_test_id("open-settings").click()
    await page.get_by_test_id("announce").uncheck()
    await receive(page, CONVERSATION[0])
    await expect(page.locator("[data-item=u1]")).to_have_count(1)
    await expect(page.get_by_test_id("announcer")).to_be_empty()


# What is read, and where it stands. The faint words ahead of the voice are decoration: they
# turn to full ink as they are spoken.
TEXTS = (
    """
.who h1|.activity|.clock|.personas legend|.persona input:checked + span
.persona input:not(:checked) + span|.round .label|.wordmark|.wordmark-thin|#message
[data-role=user] .line|[data-role=user] .speaker|[data-role=agent] .speaker
[data-role=agent] .spoken|.unheard|.note|.waterfall summary|.waterfall b
.tool-name|.tool-arguments dt|.tool-arguments dd|.tool-words|.tool-time|.link
.panel-title|.panel-group|.panel-label|.panel-empty
[data-state=on] .panel-value|[data-state=warn] .panel-value
""".strip()
    .replace("\n", "|")
    .split("|")
)

COLOURS = """selectors => selectors.map(selector => {
    const node = document.querySelector(selector);
    if (!node) return [selector, null, null];
    let behind = node, ground = 'rgba(0, 0, 0, 0)';
    for (; behind && /, 0\\)$/.test(ground); behind = behind.parentElement)
        ground = getComputedStyle(behind).backgroundColor;
    return [selector, getComputedStyle(node).color, ground];
})"""


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    red, green, blue = (int(part) / 255 for part in re.findall(r"\d+", colour)[:3])
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(ink: str, ground: str) -> float:
    light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


async def test_contrast_is_computed_as_wcag_says() -> None:
    assert contrast("rgb(0, 0, 0)", "rgb(255, 255, 255)") == pytest.approx(21)
    assert contrast("rgb(118, 118, 118)", "rgb(255, 255, 255)") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_reaches_wcag_aa_contrast(open_page: Any, scheme: str) -> None:
    page = await open_page(color_scheme=scheme)
    await call(page)
    await receive(page, *CONVERSATION)
    found = await page.evaluate(COLOURS, TEXTS)
    assert [selector for selector, ink, _ in found if ink is None] == []
    poor = [
        (selector, ink, ground) for selector, ink, ground in found if contrast(ink, ground) < 4.5
    ]
    assert poor == []


async def test_the_theme_follows_the_system_until_it_is_chosen_and_the_choice_is_kept(
    open_page: Any,
) -> None:
    page = await open_page(color_scheme="dark")
    ground = "() => getComputedStyle(document.body).backgroundColor"
    dark = await page.evaluate(ground)
    theme = page.get_by_test_id("theme")
    await expect(theme).to_have_text("Theme: automatic")
    await theme.click()
    await expect(theme).to_have_text("Theme: light")
    light = await page.evaluate(ground)
    assert luminance(light) > 0.8 > 0.05 > luminance(dark)
    await page.reload()
    await expect(theme).to_have_text("Theme: light")
    assert await page.evaluate(ground) == light
    await theme.click()
    await expect(theme).to_have_text("Theme: dark")
    assert await page.evaluate(ground) == dark


@pytest.mark.parametrize("width", [360, 1280])
async def test_targets_are_large_enough_for_a_finger(open_page: Any, width: int) -> None:
    page = await open_page(viewport={"width": width, "height": 740})
    await call(page)
    small = await page.evaluate(
        """() => [...document.querySelectorAll('button, .persona, #message')]
            .filter(one => one.checkVisibility())
            .map(one => [one.id || one.className, one.getBoundingClientRect()])
            .filter(([, box]) => box.width < 38 || box.height < 38).map(([name]) => name)"""
    )
    assert small == []


async def test_reduced_motion_stops_the_animations(open_page: Any) -> None:
    page = await open_page(reduced_motion="reduce")
    await page.evaluate("() => { document.body.dataset.call = 'live'; }")
    await receive(
        page, {"type": "omni.tool.started", "call_id": "c1", "name": "t", "arguments": {}}
    )
    mark = page.locator(".tool-mark")
    await expect(mark).to_have_css("animation-name", "none")


async def test_the_page_loads_nothing_from_elsewhere_and_nothing_inline(
    open_page: Any, server: Any
) -> None:
    page = await open_page()
    await expect(page.get_by_test_id("call")).to_be_visible()
    hosts = await page.evaluate(
        "() => performance.getEntriesByType('resource').map(one => new URL(one.name).origin)"
    )
    assert set(hosts) == {server.url}
    inline = """async () => {
        const html = await (await fetch('./')).text();
        const page = new DOMParser().parseFromString(html, 'text/html');
        return page.querySelectorAll('[style], style, script:not([src]), [onclick]').length;
    }"""
    assert await page.evaluate(inline) == 0


async def test_the_policy_stops_an_inline_script_that_got_in(open_page: Any) -> None:
    page = await open_page(may_complain=("Content Security Policy", "script-src"))
    await page.evaluate(
        """() => {
            const script = document.createElement('script');
            script.textContent = "document.title = 'broken into'";
            document.body.append(script);
        }"""
    )
    assert await page.title() != "broken into"
