"""A call in real Chromium against `omni-agent serve`, in a network with nothing but loopback."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from omni_agent import Agent
from omni_agent.audio import AudioFrame, concatenate, resample, write_wav
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


async def microphone(say: Say, path: Path) -> Path:
    """What the user says, with the silences in between, as Chromium's fake microphone takes it."""
    script = [
        (7.0, "What is twelve times seven?"),
        (25.0, "Please tell me a long story about the sea."),
        (12.0, "Stop, please. That is quite enough for today, thank you."),
        (30.0, ""),
    ]
    parts = []
    for silence_s, words in script:
        parts.append(AudioFrame.silence(silence_s, 48_000))
        if words:
            parts.append(resample(await say(words), 48_000))
    whole = concatenate(parts, 48_000)
    noise = np.random.default_rng(0).normal(0, 15, whole.samples)
    write_wav(path, AudioFrame((whole.pcm + noise).astype(np.int16), 48_000))
    return path


async def test_a_call_in_a_real_browser(agent: Agent, say: Say, tmp_path: Path) -> None:
    wav = await microphone(say, tmp_path / "microphone.wav")
    screenshot = tmp_path / "call.png"
    command = ["unshare", "--map-root-user", "--net", "sh", "-c", LOOPBACK_ONLY, "sh"]
    command += [sys.executable, str(HERE / "browser_call.py"), str(wav), str(screenshot)]
    home = os.environ | {"OMNI_AGENT_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        command, capture_output=True, text=True, env=home, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout.splitlines()[-1])

    assert report["problems"] == []
    assert report["greeting_was_audible"]
    assert report["tool"] == "calculate"
    assert "84" in report["output"]
    assert re.search(r"84|eighty[ -]four", report["answer"].lower())
    assert report["unheard"], "the interrupted text is struck through beyond what was heard"
    assert report["audible_after_interruption_ms"] < 400
    assert report["sessions_during"] == 1
    assert report["freed_after_s"] < 5
    assert screenshot.stat().st_size > 20_000
