"""Calls: from the button to a real peer connection and back."""

from __future__ import annotations

from typing import Any

import pytest
from av import VideoFrame
from playwright.async_api import Page, Route, expect

from tests.page.driving import (
    AWAY,
    CONVERSATION,
    call,
    call_at_once,
    receive,
    stop_the_clock,
    until,
)
from tests.page.scripted import PERSONAS, ScriptedServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def dial(page: Page, server: ScriptedServer) -> None:
    await call(page)
    await until(page, lambda: "session.update" in server.sent_types())


async def test_a_call_connects_opts_in_hears_and_hangs_up(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page()
    await dial(page, server)
    update = {"type": "realtime", "omni": {"extensions": True}}
    assert server.received[0] == {"type": "session.update", "session": update}
    assert ("offer", "") in server.requests  # nobody chose: the server says who answers
    await expect(page.get_by_test_id("hangup")).to_be_visible()
    await expect(page.get_by_test_id("call")).to_be_hidden()
    await expect(page.get_by_test_id("mute")).to_be_focused()
    # The fake microphone and the server's hum both move their meters.
    for meter in ("meter-in", "meter-out"):
        await page.wait_for_function(
            "id => Number(document.getElementById(id).style.getPropertyValue('--level')) > 0.3",
            arg=meter,
        )
    server.send({"type": "omni.activity", "activity": "speaking"})
    await expect(page.get_by_test_id("orb")).to_have_attribute("data-activity", "speaking")
    await expect(page.get_by_test_id("quality")).to_contain_text("ms")
    await page.get_by_test_id("hangup").click()
    await expect(page.locator("body")).to_have_attribute("data-call", "ended")
    await expect(page.get_by_test_id("call")).to_be_focused()
    await expect(page.get_by_test_id("call")).to_have_text("Call again")
    await until(page, lambda: ("hang up", next(iter(server.peers))) in server.requests)
    await dial(page, server)


async def test_mute_stops_the_microphone_by_button_and_by_key(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page()
    await dial(page, server)
    server.send({"type": "omni.activity", "activity": "listening"})
    mute = page.get_by_test_id("mute")
    await mute.click()
    await expect(mute).to_have_attribute("aria-pressed", "true")
    await expect(page.get_by_test_id("activity")).to_have_text("Listening, but you are muted")
    await page.wait_for_function(
        "() => Number(document.getElementById('meter-in').style.getPropertyValue('--level')) < 0.05"
    )
    await page.keyboard.press("Space")  # the button has the focus: it is pressed once, not twice
    await expect(mute).to_have_attribute("aria-pressed", "false")
    await mute.blur()
    await page.keyboard.press("Space")
    await expect(mute).to_have_attribute("aria-pressed", "true")
    await page.keyboard.press("m")
    await expect(mute).to_have_attribute("aria-pressed", "false")


async def test_typing_reaches_the_server_and_is_no_shortcut(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page()
    await dial(page, server)
    await page.get_by_test_id("mute").blur()
    await page.keyboard.press("/")
    await expect(page.get_by_test_id("message")).to_be_focused()
    await page.keyboard.type("my mm v?")
    await page.keyboard.press("Enter")
    await until(page, lambda: "response.create" in server.sent_types())
    item = server.received[1]["item"]
    assert server.received[1]["type"] == "conversation.item.create"
    assert item["content"] == [{"type": "input_text", "text": "my mm v?"}]
    entry = page.locator(f"[data-item={item['id']}]")
    await expect(entry).to_have_attribute("data-role", "user")
    server.send({"type": "conversation.item.added", "item": item})
    await expect(page.get_by_test_id("entry")).to_have_count(1)
    await expect(page.get_by_test_id("message")).to_have_value("")
    await expect(page.get_by_test_id("mute")).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize(("how", "activity"), [("button", "speaking"), ("Escape", "thinking")])
async def test_stop_cancels_the_reply_and_its_sound(
    open_page: Any, server: ScriptedServer, how: str, activity: str
) -> None:
    page = await open_page()
    await dial(page, server)
    stop = page.get_by_test_id("stop")
    await expect(stop).to_be_disabled()
    server.send({"type": "omni.activity", "activity": activity})
    await expect(stop).to_be_enabled()
    if how == "button":
        await stop.click()
    else:
        await page.keyboard.press("Escape")
    await until(
        page, lambda: server.sent_types()[1:] == ["response.cancel", "output_audio_buffer.clear"]
    )


async def test_a_persona_is_chosen_before_the_call_and_during_it(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page()
    await page.get_by_test_id("persona-tutor").check()
    await expect(page.get_by_test_id("persona-name")).to_have_text("Tutor")
    await expect(page.get_by_test_id("persona-description")).to_have_text(
        "Patient with your French."
    )
    await dial(page, server)
    assert ("offer", "persona=tutor") in server.requests
    await page.get_by_test_id("persona-engineer").check()
    await until(
        page, lambda: {"type": "omni.persona.choose", "persona": "engineer"} in server.received
    )
    server.send({"type": "omni.persona.changed", "persona": "engineer"})
    await expect(page.get_by_test_id("persona-name")).to_have_text("Engineer")
    await expect(page.get_by_test_id("note")).to_have_text("Engineer is on the line")


@pytest.mark.parametrize("told", ["before the call", "by the call"])
async def test_a_camera_is_not_asked_for_when_the_model_has_no_eyes(
    open_page: Any, server: ScriptedServer, told: str
) -> None:
    if told == "before the call":
        server.sees = False
    server.omni = {"sees": False}
    page = await open_page()
    await dial(page, server)
    server.send({"type": "omni.activity", "activity": "thinking"})
    await expect(page.get_by_test_id("orb")).to_have_attribute("data-activity", "thinking")
    await page.evaluate("() => { navigator.mediaDevices.getUserMedia = () => { throw 1; }; }")
    for press in (page.get_by_test_id("camera").click, lambda: page.keyboard.press("v")):
        await press()
        problem = page.get_by_test_id("problem")
        await expect(problem).to_contain_text("This model has no eyes")
        await expect(page.get_by_test_id("camera")).to_have_attribute("aria-pressed", "false")
        await problem.get_by_role("button", name="All right").click()
        await expect(problem).to_be_hidden()


async def test_a_camera_that_is_on_when_the_model_turns_out_to_have_no_eyes_goes_off(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page()
    await dial(page, server)
    await page.get_by_test_id("camera").click()
    await expect(page.get_by_test_id("preview")).to_be_visible()
    server.send({"type": "session.updated", "session": {"omni": {"sees": False}}})
    await expect(page.get_by_test_id("problem")).to_contain_text("This model has no eyes")
    await expect(page.get_by_test_id("preview")).to_be_hidden()


async def test_the_camera_shows_a_preview_and_says_when_it_is_looked_at(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page()
    await dial(page, server)
    camera = page.get_by_test_id("camera")
    await camera.click()
    await expect(camera).to_have_attribute("aria-pressed", "true")
    await expect(page.get_by_test_id("preview")).to_be_visible()
    await expect(page.get_by_test_id("preview-note")).to_contain_text("when it answers")
    settings = await page.evaluate(
        "document.getElementById('preview-video').srcObject.getVideoTracks()[0].getSettings()"
    )
    assert (settings["width"], settings["height"]) == (640, 480)
    assert settings["frameRate"] <= 5
    (peer,) = server.peers.values()
    video = next(t for t in peer.getTransceivers() if t.kind == "video").receiver.track
    seen: list[int] = []

    async def look() -> None:
        picture = await video.recv()
        assert isinstance(picture, VideoFrame)
        seen.append(picture.width)

    server.run(look())
    assert seen[0] > 0
    await camera.click()
    await expect(page.get_by_test_id("preview")).to_be_hidden()


async def test_devices_are_listed_by_name_once_the_microphone_is_allowed(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page()
    await dial(page, server)
    await page.get_by_test_id("open-settings").click()
    names = page.get_by_test_id("microphone").locator("option")
    await expect(names.first).to_have_text("Default microphone")
    await expect(names.nth(1)).to_contain_text("Fake")
    await page.get_by_test_id("microphone").select_option(index=1)
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("settings")).to_be_hidden()
    await page.wait_for_function(
        "() => Number(document.getElementById('meter-in').style.getPropertyValue('--level')) > 0.3"
    )


async def test_a_refused_microphone_says_what_to_do_and_costs_the_server_nothing(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page(allowed=False)
    await page.get_by_test_id("call").click()
    problem = page.get_by_test_id("problem")
    await expect(problem).to_have_attribute("data-kind", "microphone-denied")
    await expect(problem).to_contain_text("Allow the microphone in the address bar")
    assert {what for what, _ in server.requests} == {"personas"}
    await problem.get_by_role("button", name="Take the call by typing").click()
    await expect(page.locator("body")).to_have_attribute("data-call", "live")
    await expect(page.get_by_test_id("message")).to_be_enabled()
    await expect(problem).to_be_hidden()


MEDIA_ERRORS = {
    "NotFoundError": "No microphone was found.",
    "NotReadableError": "The microphone is in use by another program.",
    "AbortError": "The microphone could not be opened.",
}


@pytest.mark.parametrize("name", MEDIA_ERRORS)
async def test_each_microphone_failure_has_its_own_sentence(open_page: Any, name: str) -> None:
    page = await open_page()
    await page.evaluate(
        """name => {
            const refuse = async () => { throw new DOMException('why', name); };
            navigator.mediaDevices.getUserMedia = refuse;
        }""",
        name,
    )
    await page.get_by_test_id("call").click()
    await expect(page.get_by_test_id("problem")).to_contain_text(MEDIA_ERRORS[name])


async def test_an_insecure_page_says_so(open_page: Any) -> None:
    page = await open_page()
    await page.evaluate("Object.defineProperty(window, 'isSecureContext', {value: false})")
    await page.get_by_test_id("call").click()
    await expect(page.get_by_test_id("problem")).to_contain_text("secure page")


REFUSALS = [
    (503, {"Retry-After": "20"}, "All lines are busy", "Try again in 20 seconds."),
    (429, {}, "Too many calls from here", "Wait a little"),
    (401, {}, "who calls", "Log in"),
    (403, {}, "did not accept a call from this page", "has to be allowed"),
    (400, {}, "could not set up the call", "because"),
]


@pytest.mark.parametrize(
    ("status", "headers", "title", "advice"), REFUSALS, ids=lambda value: str(value)[:12]
)
async def test_a_refused_call_says_why_and_what_to_do(
    open_page: Any,
    server: ScriptedServer,
    status: int,
    headers: dict[str, str],
    title: str,
    advice: str,
) -> None:
    page = await open_page(may_complain=("Failed to load resource",))
    server.refuse(status, {"error": {"message": "because"}}, headers)
    await page.get_by_test_id("call").click()
    problem = page.get_by_test_id("problem")
    await expect(problem).to_contain_text(title)
    await expect(problem).to_contain_text(advice)
    await expect(page.get_by_test_id("activity")).to_have_text("Not connected")
    await expect(page.get_by_test_id("call")).to_have_text("Call")  # there is nothing to do again


@pytest.mark.parametrize(
    ("broken", "title"),
    [
        ("RTCPeerConnection.prototype.setLocalDescription", "could not set up the call"),
        ("RTCPeerConnection.prototype.setRemoteDescription", "could not use the server's answer"),
    ],
    ids=["offer", "answer"],
)
async def test_what_a_browser_fails_at_is_a_sentence_and_its_words_are_in_the_console(
    open_page: Any, server: ScriptedServer, broken: str, title: str
) -> None:
    page = await open_page(may_complain=("omni_agent:",))
    why = "Failed to parse m-line 7"
    await page.evaluate(f"() => {{ {broken} = () => Promise.reject(new Error('{why}')); }}")
    async with page.expect_console_message(lambda message: why in message.text):
        await page.get_by_test_id("call").click()
    problem = page.get_by_test_id("problem")
    await expect(problem).to_contain_text(title)
    await expect(problem).to_contain_text("Reload the page and call again")
    await expect(problem).not_to_contain_text("m-line")


async def test_a_refused_call_leaves_the_words_of_the_one_before_until_another_is_up(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page(may_complain=("Failed to load resource",))
    await dial(page, server)
    await receive(page, *CONVERSATION)
    await page.get_by_test_id("hangup").click()
    said = await page.get_by_test_id("captions").inner_text()
    server.refuse(401, {}, {})
    await page.get_by_test_id("call").click()
    await expect(page.get_by_test_id("problem")).to_have_attribute("data-kind", "login")
    assert await page.get_by_test_id("captions").inner_text() == said
    for kept in ("copy", "save"):
        await expect(page.get_by_test_id(kept)).to_be_visible()
    await expect(page.get_by_text("As it was when the call ended.")).to_have_count(2)  # panels
    server.refusal = None
    await dial(page, server)
    await expect(page.get_by_test_id("entry")).to_have_count(0)
    await expect(page.get_by_test_id("copy")).to_be_hidden()


async def test_busy_lines_are_counted_down_to(open_page: Any, server: ScriptedServer) -> None:
    page = await open_page(may_complain=("Failed to load resource",))
    await stop_the_clock(page)
    server.refuse(503, {}, {"Retry-After": "70"})
    await page.get_by_test_id("call").click()
    retry = page.get_by_test_id("retry")
    await expect(retry).to_have_text("Try again in 1:10")
    await page.clock.run_for(50_000)
    await expect(retry).to_have_text("Try again in 0:20")
    await page.clock.run_for(20_000)
    await expect(retry).to_have_text("You can try again now")  # nobody knows of a free line


async def test_callers_elsewhere_are_shown_no_internals(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page(
        at=server.elsewhere, may_complain=("Failed to load resource", "Cross-Origin-Opener-Policy")
    )
    server.refuse(400, {"error": {"message": "/srv/personas/x.yaml, line 3"}}, {})
    await page.get_by_test_id("call").click()
    problem = page.get_by_test_id("problem")
    await expect(problem).to_have_attribute("data-kind", "insecure")  # http, and not this machine
    await problem.get_by_role("button", name="Take the call by typing").click()
    await expect(problem).to_contain_text("could not set up the call")
    await expect(problem).not_to_contain_text("srv")
    server.health = {"status": "failed", "progress": "http://10.0.0.7:8000 refused"}
    await page.reload()
    await expect(page.get_by_test_id("readiness")).to_contain_text("could not start")
    await expect(page.get_by_test_id("readiness")).not_to_contain_text("10.0.0.7")


async def test_a_call_refused_while_the_server_starts_is_told_so_until_it_is_up(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page(may_complain=("Failed to load resource",))
    await expect(page.get_by_test_id("call")).to_have_attribute("aria-disabled", "false")
    server.health = {"status": "starting", "progress": "Loading the voice"}
    server.refuse(503, {}, {"Retry-After": "2"})
    await page.get_by_test_id("call").click()
    await expect(page.get_by_test_id("problem")).to_contain_text("not ready yet")
    await expect(page.get_by_test_id("readiness")).to_contain_text("Loading the voice")
    server.health, server.refusal = {"status": "ready"}, None
    await expect(page.get_by_test_id("problem")).to_be_hidden()
    await dial(page, server)


async def test_a_token_in_the_address_is_used_for_one_call_and_is_not_left_there(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page(fragment="#token=ek_test")
    assert page.url == f"{server.url}/"
    assert "token" not in await page.evaluate("location.href")
    await dial(page, server)
    assert [who for what, who in server.requests if what == "secret"] == ["Bearer ek_test"]
    await page.get_by_test_id("hangup").click()
    await dial(page, server)
    assert ("secret", "") in server.requests


def tokens(server: ScriptedServer) -> list[str]:
    """What calls brought, in order."""
    return [who for what, who in server.requests if what == "secret"]


@pytest.mark.parametrize(
    ("status", "title", "then"),
    [(503, "busy", "Bearer ek_test"), (429, "Too many", "Bearer ek_test"), (401, "who calls", "")],
)
async def test_a_token_is_used_again_by_who_was_only_put_off(
    open_page: Any, server: ScriptedServer, status: int, title: str, then: str
) -> None:
    page = await open_page(fragment="#token=ek_test", may_complain=("Failed to load resource",))
    server.refuse(status, {}, {})
    await page.get_by_test_id("call").click()
    await expect(page.get_by_test_id("problem")).to_contain_text(title)
    server.refusal = None
    await dial(page, server)
    assert tokens(server) == ["Bearer ek_test", then]


async def test_another_link_in_the_same_tab_is_another_token_with_its_own_personas(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page(fragment="#token=ek_old")
    await expect(page.get_by_test_id("personas")).to_be_visible()
    server.personas = PERSONAS[1:2]
    await page.goto(f"{server.url}/#token=ek_test")
    await expect(page.get_by_test_id("persona-name")).to_have_text("Tutor")
    await expect(page).to_have_url(f"{server.url}/")
    assert server.requests[-1] == ("personas", "Bearer ek_test")
    await dial(page, server)
    assert tokens(server) == ["Bearer ek_test"]


async def test_another_link_during_a_call_is_for_the_next_one(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page()
    await dial(page, server)
    server.personas = PERSONAS[1:2]
    await page.goto(f"{server.url}/#token=ek_test")
    await expect(page).to_have_url(f"{server.url}/")
    await expect(page.get_by_test_id("persona-name")).to_have_text("Concierge")
    await page.get_by_test_id("hangup").click()
    await expect(page.get_by_test_id("persona-name")).to_have_text("Tutor")
    await dial(page, server)
    assert tokens(server) == ["", "Bearer ek_test"]


async def test_who_is_asked_to_log_in_is_taken_to_where_the_server_asks_for_its_key(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page(at=f"{server.url}/index.html", may_complain=("Failed to load resource",))
    server.refuse(401, {}, {})
    await page.get_by_test_id("call").click()
    await page.get_by_test_id("problem").get_by_role("button", name="Log in").click()
    await page.wait_for_url(f"{server.url}/")


async def test_a_server_that_is_starting_shows_its_progress_until_it_is_ready(
    open_page: Any, server: ScriptedServer
) -> None:
    server.health = {"status": "starting", "progress": "Fetching the voice, 42 %"}
    page = await open_page()  # and that is no error in the console
    await expect(page.get_by_test_id("readiness")).to_contain_text("Fetching the voice, 42 %")
    await expect(page.get_by_test_id("call")).to_have_attribute("aria-disabled", "true")
    await page.get_by_test_id("call").click(force=True)
    await expect(page.locator("body")).to_have_attribute("data-call", "idle")
    await expect(page.get_by_test_id("announcer")).to_contain_text("Fetching the voice, 42 %")
    server.health = {"status": "ready"}
    await expect(page.get_by_test_id("readiness")).to_be_hidden()
    await dial(page, server)


async def test_a_ready_server_is_asked_once(open_page: Any, server: ScriptedServer) -> None:
    page = await open_page()
    await expect(page.get_by_test_id("personas")).to_be_visible()
    await page.wait_for_load_state("networkidle")
    assert [what for what, _ in server.requests] == ["personas"]


async def test_a_server_that_starts_is_asked_at_least_every_two_seconds_however_long_it_takes(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page()
    await page.add_init_script(
        """{ const later = window.setTimeout;
            window.waits = [];
            window.setTimeout = (work, ms) => {
                window.waits.push(ms);
                return later(work, ms / 100);
            };
        }"""
    )
    server.health = {"status": "starting", "progress": "Loading the voice"}
    await page.reload()
    await page.wait_for_function("() => window.waits.length > 12")
    assert max(await page.evaluate("window.waits")) == 2_000


@pytest.mark.parametrize("status", [401, 404, 500])
async def test_readiness_that_is_kept_from_callers_is_no_reason_not_to_call(
    open_page: Any, server: ScriptedServer, status: int
) -> None:
    server.health_status = status
    page = await open_page(may_complain=("Failed to load resource",))
    await call_at_once(page)


async def test_a_server_that_is_away_is_asked_ever_less_often_and_found_again(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page(may_complain=("Failed to load resource",))
    await page.add_init_script(
        """window.waits = [];
        window.setTimeout = (work, ms) => {
            window.ask = work; // when the test says so
            return window.waits.push(ms);
        };"""
    )
    await page.route("**/v1/personas", lambda route: route.abort())
    await page.reload()
    await expect(page.get_by_test_id("readiness")).to_contain_text("does not answer")
    for asked in range(1, 9):
        await page.wait_for_function("asked => window.waits.length === asked", arg=asked)
        await page.evaluate("window.ask()")
    waits = await page.evaluate("window.waits")
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (1_000, 10_000)
    await page.unroute("**/v1/personas")
    await page.evaluate("window.dispatchEvent(new Event('online'))")
    await expect(page.get_by_test_id("readiness")).to_be_hidden()
    await expect(page.get_by_test_id("call")).to_have_attribute("aria-disabled", "false")


async def test_a_click_counts_before_the_server_has_said_that_it_is_ready(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page()
    asked: list[Route] = []

    async def wait(route: Route) -> None:
        asked.append(route)

    await page.route("**/v1/personas", wait)
    await page.reload()
    await page.get_by_test_id("call").click()
    await expect(page.locator("body")).to_have_attribute("data-call", "live")
    await asked[0].continue_()
    await expect(page.get_by_test_id("readiness")).to_be_hidden()


async def test_a_line_that_the_server_closes_ends_the_call_and_keeps_the_words(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page()
    await dial(page, server)
    server.send(
        {"type": "omni.tool.started", "call_id": "c1", "name": "slow", "arguments": {}},
        {"type": "omni.utterance.started", "item_id": "a1", "response_id": "r1", "kind": "answer"},
        {
            "type": "response.output_audio_transcript.delta",
            "item_id": "a1",
            "response_id": "r1",
            "delta": "Goodbye then.",
        },
        {"type": "omni.session.ended", "reason": "idle"},
    )
    await expect(page.locator("[data-item=a1]")).to_be_visible()
    server.drop()
    await expect(page.locator("body")).to_have_attribute("data-call", "ended")
    await expect(page.get_by_test_id("problem")).to_contain_text("nobody spoke for a while")
    await expect(page.locator("[data-item=a1]")).to_contain_text("Goodbye then.")
    await expect(page.get_by_test_id("tool-card")).to_have_attribute("data-state", "gone")


async def test_a_server_that_vanishes_is_a_lost_connection(
    open_page: Any, server: ScriptedServer
) -> None:
    page = await open_page(may_complain=("404",))
    await dial(page, server)
    await page.evaluate(AWAY)
    await expect(page.get_by_test_id("problem")).to_have_attribute("data-kind", "lost")
    await expect(page.get_by_test_id("call")).to_have_text("Call again")


async def test_leaving_the_page_hangs_up(open_page: Any, server: ScriptedServer) -> None:
    page = await open_page()
    await dial(page, server)
    await page.goto("about:blank")
    await until(page, lambda: ("hang up", next(iter(server.peers))) in server.requests)
