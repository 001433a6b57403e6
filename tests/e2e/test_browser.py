"""A call in real Chromium against `omni-agent serve`, in a network with nothing but loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from omni_agent import Agent
from omni_agent.audio import AudioFrame, resample, write_wav
from tests.e2e.test_audio import Say

pytestmark = [
    pytest.mark.models,
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(
        not Path("/usr/bin/chromium").exists() or shutil.which("unshare") is None,
        reason="needs Debian's Chromium and Linux network namespaces (scripts/test installs them)",
    ),
]

HERE = Path(__file__).parent
LOOPBACK_ONLY = 'ip link set lo up && exec "$@"'


SAID = {
    "question": "What is twelve times seven?",
    "story": "Please tell me a long story about the sea.",
    "stop": "Stop, please. That is quite enough for today, thank you.",
}


async def microphone(say: Say, folder: Path) -> Path:
    """What the user says, and the room that is heard all the time."""
    folder.mkdir()
    for name, words in SAID.items():
        write_wav(folder / f"{name}.wav", resample(await say(words), 48_000))
    noise = np.random.default_rng(0).normal(0, 15, 48_000)
    write_wav(folder / "room.wav", AudioFrame(noise.astype(np.int16), 48_000))
    return folder


async def test_a_call_in_a_real_browser(
    agent: Agent, concierge: Path, say: Say, tmp_path: Path
) -> None:
    folder = await microphone(say, tmp_path / "microphone")
    screenshot = tmp_path / "call.png"
    command = ["unshare", "--map-root-user", "--net", "sh", "-c", LOOPBACK_ONLY, "sh"]
    command += [sys.executable, str(HERE / "browser_call.py"), str(folder), str(screenshot)]
    home = os.environ | {"OMNI_AGENT_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        command, cwd=concierge.parents[1],  # whose personas come first
        capture_output=True, text=True, env=home, timeout=570, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout.splitlines()[-1])

    assert report["problems"] == []
    assert report["tool"] == "calculate"
    assert "84" in report["output"]
    assert report["unheard"], "the interrupted text is struck through beyond what was heard"
    assert report["audible_after_interruption"] < 40
    assert (report["sessions_during"], report["sessions_after"]) == (1, 0)
    assert screenshot.stat().st_size > 20_000
