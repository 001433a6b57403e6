"""A spoken turn through everything that is real: WebRTC in, Thinker, tool, Talker, WebRTC out.

Only the weights are random: so the call is guided and the words mean nothing.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
import pytest_asyncio
from aiortc.mediastreams import AudioStreamTrack, MediaStreamTrack

from omni_agent.audio import AudioFrame, read_wav, resample
from omni_agent.call.request import CallRequest
from omni_agent.call.session import Session
from omni_agent.ears import Ears
from omni_agent.engine import StageOptions
from omni_agent.engines.local import start_ears
from omni_agent.engines.qwen3_omni.features import PromptFeatures
from omni_agent.engines.qwen3_omni.talker.engine import QwenTalker
from omni_agent.engines.qwen3_omni.thinker.thinker import QwenThinker
from omni_agent.engines.remote.thinker import OpenAIThinker
from omni_agent.errors import ModelStoreError
from omni_agent.persona import Persona, SamplingOptions
from omni_agent.personas.outfit import Outfit
from omni_agent.stages import Stages
from omni_agent.talker import Speech, Voice
from omni_agent.testing import FixedWardrobe
from omni_agent.thinker import Features, Thinker, ThinkRequest, Thought
from omni_agent.tools.tool import tool
from omni_agent.transport import Transport
from tests.server.calling import Caller, ScriptedHost, Server

from .asking import nobody_speaks

pytestmark = [pytest.mark.models, pytest.mark.asyncio(loop_scope="session")]

INJECTED = "Well then. "


@tool
def switch_light(on: bool) -> str:
    """Switch the light."""
    return f"the light is {'on' if on else 'off'}"


async def with_a_prelude(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
    """A filter that says something of its own before the Thinker's words."""
    prelude = INJECTED
    async for piece in pieces:
        yield prelude + piece
        prelude = ""


class Microphone(MediaStreamTrack):
    """Silence, and once ``say`` is called what it was given, 20 ms at a time."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._stock = AudioStreamTrack()  # keeps the pace
        self._pcm = np.zeros(0, np.int16)
        self._at = 0

    def say(self, audio: AudioFrame) -> None:
        self._pcm = resample(audio, 48_000).pcm

    async def recv(self) -> av.AudioFrame:
        await self._stock.recv()
        pcm, self._pcm = self._pcm[:960], self._pcm[960:]
        pcm = np.pad(pcm, (0, 960 - len(pcm)))
        frame = av.AudioFrame.from_ndarray(pcm[None, :], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self._at, Fraction(1, 48_000)
        self._at += 960
        return frame


class CallsFirst:
    """A Thinker made to call a tool before it answers: its weights would never think of it."""

    def __init__(self, thinker: Thinker, call_tokens: int) -> None:
        self._thinker, self._call_tokens = thinker, call_tokens
        self.hears, self.sees = thinker.hears, thinker.sees
        self.requests: list[ThinkRequest] = []

    def think(self, request: ThinkRequest) -> AsyncIterator[Thought]:
        self.requests.append(request)
        answering = type(request.items[-1]).__name__ == "ToolResult"
        sampling = replace(request.sampling, max_tokens=12 if answering else self._call_tokens)
        choice = "auto" if answering else "required"
        return self._thinker.think(replace(request, tool_choice=choice, sampling=sampling))

    async def prepare(self, request: ThinkRequest) -> Features | None:
        return await self._thinker.prepare(request)

    async def aclose(self) -> None:
        pass


@dataclass
class Watched:
    """A Talker, and what it was asked to say and how."""

    talker: QwenTalker
    sample_rate: int = 24_000
    voices: list[Voice] = field(default_factory=list)

    def speak(self, text: AsyncIterator[str], voice: Voice) -> AsyncIterator[Speech]:
        self.voices.append(voice)
        return self.talker.speak(text, voice)

    async def prepare(self, voice: Voice) -> None:
        await self.talker.prepare(voice)

    async def aclose(self) -> None:
        pass


class Host(ScriptedHost):
    """Runs the session of each call."""

    def __init__(self, stages: Stages) -> None:
        super().__init__()
        persona = Persona(
            name="test", fillers=(), talker="Warmly.", sampling=SamplingOptions(temperature=0.0)
        )
        self._outfit = Outfit(persona, {"switch_light": switch_light}, (with_a_prelude,))
        self._stages = stages

    async def serve_call(self, transport: Transport, persona: str | None) -> None:
        try:
            request = CallRequest(idle_s=90)
            await Session(self._stages, transport, FixedWardrobe(self._outfit), request).run()
        finally:
            self.ended.set()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ears() -> AsyncIterator[Ears]:
    try:
        started = await start_ears(StageOptions(light=True))
    except ModelStoreError as error:
        pytest.skip(str(error))
    yield started
    await started.aclose()


@asynccontextmanager
async def on_the_line(host: Host) -> AsyncIterator[tuple[Caller, Microphone]]:
    microphone = Microphone()
    caller = Caller(microphone)
    async with Server(host) as server:
        await caller.accept((await server.post(await caller.offer())).text)
        await caller.say(type="session.update", session={"omni": {"extensions": True}})
        try:
            yield caller, microphone
        finally:
            await caller.peer.close()


async def a_spoken_turn(
    thinker: Thinker, talker: Watched, ears: Ears, call_tokens: int
) -> list[str]:
    """Asked aloud, called, answered aloud; returns the kinds of items that came of it."""
    first = CallsFirst(thinker, call_tokens)
    host = Host(Stages(first, talker, ears))
    question = read_wav(str(files("omni_agent") / "_demo" / "1-calculate.wav"))
    async with on_the_line(host) as (caller, microphone), asyncio.timeout(120):
        await caller.opened.wait()
        microphone.say(question)
        finished = await patiently(caller, "omni.tool.finished")
        assert finished["ok"]
        assert finished["output"].startswith("the light is o")
        await caller.hear(loud=50)
        done = (await patiently(caller, "response.done"))["response"]
        assert done["status"] == "completed"
        said = done["output"][-1]["content"][0]["transcript"]
        assert said.startswith(INJECTED.strip())
        assert len(said) > len(INJECTED)
        heard = await patiently(caller, "conversation.item.input_audio_transcription.completed")
        assert heard["transcript"]
    read = [[type(item).__name__ for item in request.items] for request in first.requests]
    assert read[0] == ["Message"]
    assert read[-1][0] == "Message"
    assert "ToolCall" in read[-1]
    assert read[-1][-1] == "ToolResult"
    return [item["type"] for item in done["output"]]


async def patiently(caller: Caller, kind: str) -> dict[str, object]:
    while True:
        try:
            return await caller.until(kind)
        except TimeoutError:
            continue  # the test's own timeout ends it


async def test_a_spoken_turn_with_the_thinker_on_vllm(
    thinker: QwenThinker, talker: QwenTalker, ears: Ears
) -> None:
    watched = Watched(talker)
    made = await a_spoken_turn(thinker, watched, ears, call_tokens=400)
    assert made == ["function_call", "message"]
    (voice,) = watched.voices
    assert voice.prompt == "Warmly."
    assert isinstance(voice.features, PromptFeatures)
    assert voice.features.rows is not None
    assert not any((await thinker.counters()).values())
    assert nobody_speaks(talker)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def remote(omni_checkpoint: Path) -> AsyncIterator[OpenAIThinker]:
    """vLLM's own OpenAI server with the same checkpoint, and a Thinker that uses it."""
    taken = socket.socket()  # nobody else gets it before the server, which is long in coming
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    arguments = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server",
        "--model", str(omni_checkpoint), "--served-model-name", "tiny-omni",
        "--host", "127.0.0.1", "--port", str(port), "--max-model-len", "2048",
        "--max-num-seqs", "4", "--dtype", "float32", "--block-size", "32", "--enforce-eager",
        "--limit-mm-per-prompt", '{"audio": 8, "image": 1}',
        "--enable-auto-tool-choice", "--tool-call-parser", "hermes",
        "--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}',
    ]  # fmt: skip
    environment = os.environ | {
        # With strict calling vLLM allows white space without end, which this model loves.
        "VLLM_ENFORCE_STRICT_TOOL_CALLING": "0",
        "VLLM_LOGGING_LEVEL": "WARNING", "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
    }  # fmt: skip
    log = omni_checkpoint / "server.log"
    with log.open("wb") as out:
        server = subprocess.Popen(  # noqa: ASYNC220  # it takes a millisecond or two
            arguments, env=environment, stdout=out, stderr=out, start_new_session=True
        )
    try:
        async with httpx.AsyncClient() as client, asyncio.timeout(300):
            while True:
                assert server.poll() is None, log.read_text()[-4000:]
                try:
                    if (await client.get(f"http://127.0.0.1:{port}/health")).is_success:
                        break
                except httpx.TransportError:
                    await asyncio.sleep(0.5)
        started = await OpenAIThinker.start(f"http://127.0.0.1:{port}/v1", None, None)
        yield started
        await started.aclose()
    finally:
        taken.close()
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, 9)
            server.wait()


async def test_a_spoken_turn_with_the_thinker_behind_vllms_own_server(
    remote: OpenAIThinker, talker: QwenTalker, ears: Ears
) -> None:
    assert remote.hears
    watched = Watched(talker)
    # The server lets a call follow a call, so this model never stops: the last one is cut.
    made = await a_spoken_turn(remote, watched, ears, call_tokens=60)
    assert made.count("function_call") >= 1
    assert all(voice.features is None for voice in watched.voices)
    assert nobody_speaks(talker)
