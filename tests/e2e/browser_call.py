"""Holds one call in a real Chromium and reports on it as JSON (run by test_browser.py).

Everything runs in the network this process is in; the test gives it one with
nothing but a loopback interface. Steps: the greeting is heard; a spoken question
needs a tool; a long answer is interrupted by voice; the tab is closed. Each waits for what the
one before leads to, however long that takes.

    browser_call.py MICROPHONE SCREENSHOT.png

MICROPHONE is a folder: room.wav is heard all the time, and question.wav, story.wav and stop.wav are
what the user says.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Error, Page, sync_playwright

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required", "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
]  # fmt: skip

LEVEL = """
() => {
  const peer = window.__peers.at(-1);
  const track = peer.getReceivers().find((r) => r.track.kind === "audio").track;
  const context = new AudioContext();
  const meter = context.createAnalyser();
  meter.fftSize = 1024;
  context.createMediaStreamSource(new MediaStream([track])).connect(meter);
  const samples = new Float32Array(meter.fftSize);
  window.__heard = [];
  setInterval(() => {
    meter.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
    const count = (which) => document.querySelectorAll(`[data-testid=entry]${which}`).length;
    window.__heard.push([
      Math.sqrt(power), count("[data-state=interrupted]"), count("[data-role=agent]"),
    ]);
  }, 10);
}
"""
"""Every 10 ms, or later: the agent's loudness, and how often it was interrupted and spoke."""
PATIENCE_MS = 120_000
"""For each thing that is waited for: a loaded machine is slow, not wrong."""
FREED_S = 25
"""Sooner than the server gives up a line of which it hears nothing: the tab has said so."""
EIGHTY_FOUR = re.compile("84|eighty[ -]four", re.IGNORECASE)
LOUD = 0.003
AUDIBLE = f"() => window.__heard.filter(([level]) => level > {LOUD}).length > 20"
CUT_A_WHILE = "() => window.__heard.filter(([, cut]) => cut).length > 70"
MICROPHONE = """
(room) => {
  const context = new AudioContext({ sampleRate: 48000 });
  const line = context.createMediaStreamDestination();
  const play = async (wav, loop) => {
    const bytes = Uint8Array.from(atob(wav), (one) => one.charCodeAt(0));
    const source = new AudioBufferSourceNode(context, {
      buffer: await context.decodeAudioData(bytes.buffer), loop,
    });
    source.connect(line);
    source.start();
  };
  window.__say = (wav) => play(wav, false);
  navigator.mediaDevices.getUserMedia = async () => line.stream;
  return play(room, true);
}
"""
"""One that speaks when it is told to: Chromium's own plays a file from the call's first moment."""
PEERS = """
window.__peers = [];
const Original = window.RTCPeerConnection;
window.RTCPeerConnection = class extends Original {
  constructor(...given) { super(...given); window.__peers.push(this); }
};
"""


@contextlib.contextmanager
def server() -> Iterator[str]:
    """`omni-agent serve` as a user starts it; yields its URL when it can take calls.

    What it says later goes where this process's errors go.
    """
    command = [sys.executable, "-m", "omni_agent", "serve", "--port", "0", "--verbose"]
    environment = os.environ | {"OMNI_AGENT_OFFLINE": "1", "NO_COLOR": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    copying = threading.Thread(target=sys.stderr.writelines, args=(process.stderr,))
    try:
        url = ""
        for line in process.stderr:
            url = url or "".join(re.findall(r"http://\S+/", line))
            if "ready" in line:
                break
        copying.start()
        yield url
    finally:
        process.terminate()
        process.wait(20)
        copying.join()


def sessions(url: str) -> int:
    with urllib.request.urlopen(url + "healthz") as reply:
        return int(json.load(reply)["calls"])


def audible_after_interruption(page: Page) -> int:
    """How often it was before the agent said something else: each look stands for 10 ms."""
    heard: list[tuple[float, int, int]] = page.evaluate("window.__heard")
    after = [(level, said) for level, cut, said in heard if cut][:70]
    return sum(level > LOUD and said == after[0][1] for level, said in after)


STATE = """
() => ({
  body: {...document.body.dataset},
  words: document.body.innerText,
  peers: window.__peers.map((one) => [one.connectionState, one.iceConnectionState,
    one.iceGatheringState, one.signalingState, one.sctp?.state]),
})
"""


@contextlib.contextmanager
def seen(page: Page, report: dict[str, Any]) -> Iterator[None]:
    """Whatever did not happen in time: with it, what the page showed instead."""
    try:
        yield
    except Error:
        print(json.dumps({**report, "page": page.evaluate(STATE)}), file=sys.stderr)
        raise


def hold_call(
    page: Page, url: str, microphone: Path, screenshot: Path, report: dict[str, Any]
) -> None:
    def wav(name: str) -> str:
        return base64.b64encode((microphone / f"{name}.wav").read_bytes()).decode()

    def say(name: str) -> None:
        page.evaluate("wav => window.__say(wav)", wav(name))

    page.on("console", lambda m: m.type == "error" and report["problems"].append(m.text))
    page.on("pageerror", lambda error: report["problems"].append(str(error)))
    page.add_init_script(PEERS)
    page.goto(url)
    page.evaluate(MICROPHONE, wav("room"))
    page.get_by_test_id("call").click()
    page.locator("body[data-call=live]").wait_for()
    page.evaluate(LEVEL)
    page.wait_for_function(AUDIBLE)
    greeting = page.locator("[data-testid=entry][data-kind=greeting][data-state=settled]")
    report["greeting"] = greeting.inner_text()

    say("question")
    card = page.locator("[data-testid=tool-card][data-state=done]").first
    report["tool"] = card.get_by_test_id("tool-name").inner_text()
    report["output"] = card.get_by_test_id("tool-output").inner_text()
    answers = page.locator("[data-testid=entry][data-kind=answer]")
    told = answers.filter(has_text=EIGHTY_FOUR).and_(page.locator("[data-state=settled]"))
    report["answer"] = told.first.inner_text()

    story = answers.nth(answers.count())
    say("story")
    story.locator(".spoken:not(:empty)").wait_for()
    page.evaluate("window.__heard = []")
    page.wait_for_function(AUDIBLE)
    say("stop")
    page.wait_for_function(CUT_A_WHILE)
    report["unheard"] = story.get_by_test_id("unheard").inner_text()
    report["audible_after_interruption"] = audible_after_interruption(page)
    page.screenshot(path=screenshot)


def main(microphone: str, screenshot: str) -> None:
    with server() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=FLAGS,
            ignore_default_args=["--mute-audio"],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        page.set_default_timeout(PATIENCE_MS)
        report: dict[str, Any] = {"problems": []}
        with seen(page, report):
            hold_call(page, url, Path(microphone), Path(screenshot), report)
        report["sessions_during"] = sessions(url)
        closed = time.monotonic()
        page.close(run_before_unload=False)
        while sessions(url) and time.monotonic() - closed < FREED_S:
            time.sleep(0.1)
        report["sessions_after"] = sessions(url)
        browser.close()
    print(json.dumps(report))


main(*sys.argv[1:])
