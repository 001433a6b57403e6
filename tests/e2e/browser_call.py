"""Holds one call in a real Chromium and reports on it as JSON (run by test_browser.py).

Everything runs in the network this process is in; the test gives it one with
nothing but a loopback interface. Steps: the greeting is heard; a spoken question
needs a tool; a long answer is interrupted by voice; the tab is closed.

    browser_call.py MICROPHONE.wav SCREENSHOT.png
"""

from __future__ import annotations

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
    window.__heard.push([performance.now(), Math.sqrt(power)]);
  }, 10);
}
"""
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


def loud_ms(page: Page, since: float) -> list[float]:
    """Times (ms after ``since``) at which the agent was audible in the browser."""
    heard: list[list[float]] = page.evaluate("window.__heard")
    return [at - since for at, level in heard if at >= since and level > 0.003]


STATE = """
() => ({
  body: {...document.body.dataset},
  words: document.body.innerText,
  peers: window.__peers.map((one) => [one.connectionState, one.iceConnectionState,
    one.iceGatheringState, one.signalingState, one.sctp?.state]),
})
"""


@contextlib.contextmanager
def told(page: Page, report: dict[str, Any]) -> Iterator[None]:
    """Whatever did not happen in time: with it, what the page showed instead."""
    try:
        yield
    except Error:
        print(json.dumps({**report, "page": page.evaluate(STATE)}), file=sys.stderr)
        raise


def hold_call(page: Page, url: str, screenshot: Path, report: dict[str, Any]) -> None:
    page.on("console", lambda m: m.type == "error" and report["problems"].append(m.text))
    page.on("pageerror", lambda error: report["problems"].append(str(error)))
    page.add_init_script(PEERS)
    page.goto(url)
    page.get_by_test_id("call").click()
    page.locator("body[data-call=live]").wait_for(timeout=15_000)
    page.evaluate(LEVEL)
    agent = page.locator("[data-testid=entry][data-role=agent]")
    agent.locator("nth=0").wait_for(timeout=15_000)
    page.locator("body[data-activity=listening]").wait_for(timeout=20_000)
    report["greeting"] = agent.first.inner_text()
    report["greeting_was_audible"] = len(loud_ms(page, 0)) > 20

    card = page.locator("[data-testid=tool-card][data-state=done]").first
    card.wait_for(timeout=60_000)
    report["tool"] = card.get_by_test_id("tool-name").inner_text()
    report["output"] = card.get_by_test_id("tool-output").inner_text()
    page.locator("body[data-activity=speaking]").wait_for(timeout=30_000)
    page.locator("body[data-activity=listening]").wait_for(timeout=60_000)
    report["answer"] = page.locator("[data-kind=answer]").last.inner_text()

    interrupted = page.locator("[data-testid=entry][data-state=interrupted]").first
    interrupted.wait_for(timeout=90_000)
    report["interrupted"] = interrupted.inner_text()
    report["unheard"] = interrupted.get_by_test_id("unheard").inner_text()
    now = page.evaluate("performance.now()")
    page.wait_for_timeout(700)  # what is audible meanwhile is the measurement
    page.screenshot(path=screenshot)
    report["audible_after_interruption_ms"] = max(
        (ms for ms in loud_ms(page, now) if ms < 700), default=0
    )


def main(microphone: str, screenshot: str) -> None:
    with server() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=[*FLAGS, f"--use-file-for-fake-audio-capture={microphone}%noloop"],
            ignore_default_args=["--mute-audio"],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 860})
        report: dict[str, Any] = {"problems": []}
        with told(page, report):
            hold_call(page, url, Path(screenshot), report)
        report["sessions_during"] = sessions(url)
        closed = time.monotonic()
        page.close(run_before_unload=False)
        while sessions(url) and time.monotonic() - closed < 15:
            time.sleep(0.1)
        report["freed_after_s"] = round(time.monotonic() - closed, 2)
        browser.close()
    print(json.dumps(report))


main(*sys.argv[1:])
