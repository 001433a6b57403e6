"""The example of a client, on the real server: what a stranger's program has to send is enough."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aioice.ice
import httpx
import numpy as np
import pytest
from aiortc import RTCSctpTransport
from aiortc.contrib.media import MediaPlayer

from omni_agent import ServerOptions
from omni_agent.audio import AudioFrame, read_wav, write_wav
from omni_agent.conversation import ToolResult
from omni_agent.ears import Transcript
from omni_agent.testing import call
from tests.lines.serving import Served

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(autouse=True)
def on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])


@pytest.fixture(params=["at once", "after the question"])
def opening(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the channel is: on a busy machine it is long in coming."""
    if request.param == "at once":
        return
    ended, start = asyncio.Event(), RTCSctpTransport.start

    class Watched(MediaPlayer):
        def __init__(self, file: str) -> None:
            super().__init__(file)
            self.audio.on("ended", ended.set)

    async def late(sctp: RTCSctpTransport, *remote: Any) -> None:
        await ended.wait()
        await start(sctp, *remote)

    monkeypatch.setattr("realtime_client.MediaPlayer", Watched)
    monkeypatch.setattr(RTCSctpTransport, "start", late)


@pytest.mark.usefixtures("opening")
async def test_it_asks_has_its_tool_run_and_hears_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import realtime_client

    async def transcribe(audio: AudioFrame, *, language: str = "en") -> Transcript:
        return Transcript("What does the lamp cost?" if audio.seconds > 0.4 else "")

    hum = 4000 * np.sin(2 * np.pi * 220 * np.arange(16_000) / 16_000)
    write_wav(tmp_path / "question.wav", AudioFrame(hum.astype(np.int16), 16_000))
    lamp = call("price_of", thing="lamp")
    served = Served(
        object(), [lamp], ["Nineteen euros."], options=ServerOptions(allow_private=True)
    )
    monkeypatch.setattr(served.ears, "transcribe", transcribe)
    async with served.running():
        said = await realtime_client.ask(
            f"http://127.0.0.1:{served.port}",
            str(tmp_path / "question.wav"),
            str(tmp_path / "answer.wav"),
        )
    assert said == "Nineteen euros."
    served.thinker.assert_complete()
    results = [one for one in served.thinker.requests[-1].items if isinstance(one, ToolResult)]
    assert [result.output for result in results] == ["The lamp is nineteen euros."]
    assert np.abs(read_wav(tmp_path / "answer.wav").pcm).max() > 200


async def test_it_calls_again_while_the_agent_starts(capsys: pytest.CaptureFixture[str]) -> None:
    import realtime_client

    replies = [
        httpx.Response(
            503, headers={"retry-after": "0"}, json={"error": {"message": "the agent is starting"}}
        ),
        httpx.Response(201, text="v=0"),
    ]
    offers: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        offers.append(request.content)
        return replies[len(offers) - 1]

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(base_url="http://localhost", transport=transport) as http:
        assert await realtime_client.begun(http, "v=0 of an offer") == "v=0"
    assert len(offers) == 2
    assert all(json.dumps(realtime_client.SESSION).encode() in offer for offer in offers)
    assert "the agent is starting" in capsys.readouterr().err
