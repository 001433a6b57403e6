"""The embedded stack under spoken requests, paced in real time, end to end.

    python benchmarks/local.py [--only TEXT] [--parts tools,talk,barge-in] [--light] [--json FILE]

Forty requests are synthesised (several voices and tempos), mixed with noise at 15 dB,
and spoken over an in-process line to an agent with all five plugins. Reported: how
many were handled right, step by step, and how long each step took, from the end of the
user's speech. Then barge-ins, a second start, and memory. Needs the local models;
the weather comes from a recorded reply.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import omni_agent_weather
from spoken_requests import REQUESTS, TALK, Request

from omni_agent import Agent, Persona, events
from omni_agent.audio import AudioFrame, concatenate, resample
from omni_agent.ears import EAR_RATE
from omni_agent.lines.in_process import InProcessTransport
from omni_agent.streams import closing, one
from omni_agent.talker import Voice

SNR_DB = 15.0
VOICES = (("chelsie", 1.0), ("ethan", 1.08), ("aiden", 0.95))
PERSONA = Persona(
    name="Benchmark",
    tools=("clock", "calculator", "weather", "notes", "home"),
    fillers=("One moment.", "Let me see."),
    thinker="You are the night concierge of a small hotel, on the phone with a guest. "
    "Be courteous. Answer in one or two short sentences.",
)
FIXTURES = Path(omni_agent_weather.__file__).parent / "tests"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request. marks: ms from the end of speech, as in ``events.Waterfall``."""

    text: str
    transcript: str
    calls: list[tuple[str, dict[str, Any]]]
    results: list[str]
    heard: str
    marks: dict[str, float]
    tool_right: bool = True
    answer_right: bool = True
    fillers: list[str] = field(default_factory=list)

    @property
    def right(self) -> bool:
        return self.tool_right and self.answer_right


# -- the user's side ---------------------------------------------------------------------


async def spoken(agent: Agent, text: str, index: int) -> AudioFrame:
    """A user's words at 16 kHz with white noise, ``SNR_DB`` below them."""
    speaker, speed = VOICES[index % len(VOICES)]
    voice = Voice(speaker=speaker, speed=speed)
    async with closing(agent.stages.talker.speak(one(text), voice)) as speech:
        frames = [piece.audio async for piece in speech]
    clean = resample(concatenate(frames, agent.stages.talker.sample_rate), EAR_RATE)
    power = float(np.mean(clean.pcm.astype(np.float64) ** 2))
    noise = np.random.default_rng(index).normal(
        0, (power / 10 ** (SNR_DB / 10)) ** 0.5, clean.samples
    )
    return AudioFrame(np.clip(clean.pcm + noise, -32768, 32767).astype(np.int16), EAR_RATE)


class Caller:
    """One call, with a user who waits for each reply."""

    def __init__(self, line: InProcessTransport) -> None:
        self.line = line

    async def says(self, audio: AudioFrame) -> list[events.Event]:
        """Speak, and wait until the reply was heard; the events since."""
        seen, replies = len(self.line.events), self.line.count(events.ReplyFinished)
        await self.line.speak(audio, then_silence_ms=1500)
        async with asyncio.timeout(60):
            while self.line.count(events.ReplyFinished) == replies:
                await self.line.happened()
        return self.line.events[seen:]


async def request(agent: Agent, wanted: Request | None, text: str, index: int) -> Outcome:
    """One call with one request (after what comes before it), and an empty notebook."""
    os.environ["OMNI_AGENT_HOME"] = tempfile.mkdtemp()
    line = InProcessTransport()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(agent.session(line).run())
        caller = Caller(line)
        if wanted is not None and wanted.after:
            await caller.says(await spoken(agent, wanted.after, index))
        audio = await spoken(agent, text, index)
        try:
            happened = await caller.says(audio)
        except TimeoutError:
            happened = []
        line.hang_up()
    return judged(wanted, text, happened)


def judged(wanted: Request | None, text: str, happened: Sequence[events.Event]) -> Outcome:
    calls = [(e.name, dict(e.arguments)) for e in happened if isinstance(e, events.ToolStarted)]
    kinds = {e.utterance: e.kind for e in happened if isinstance(e, events.UtteranceStarted)}
    said = [e for e in happened if isinstance(e, events.UtteranceFinished)]
    heard = " ".join(e.heard for e in said if kinds[e.utterance] != "filler")
    waterfalls = [e for e in happened if isinstance(e, events.Waterfall)]
    words = [e.text for e in happened if isinstance(e, events.UserTranscript) and e.final]
    done = [e for e in happened if isinstance(e, events.ToolFinished)]
    right = not calls
    if wanted is not None:
        right = any(wanted.called_right(*call) for call in calls) and all(e.ok for e in done)
    return Outcome(
        text=text,
        transcript=" ".join(words),
        calls=calls,
        results=[e.output for e in done],
        heard=heard,
        marks=dict(waterfalls[-1].marks) if waterfalls else {},
        tool_right=right,
        answer_right=bool(heard) and (wanted is None or wanted.answered_right(heard)),
        fillers=[e.heard for e in said if kinds[e.utterance] == "filler"],
    )


# -- barge-in ------------------------------------------------------------------------------


async def barge_in(agent: Agent, index: int) -> float | None:
    """Milliseconds from the user's first sound to the line's silence; None if never silent.

    One 20 ms packet is added: the silence goes out with the next one.
    """
    line = InProcessTransport()
    question = await spoken(agent, "Please tell me a long story about the sea.", index)
    stop = trimmed(await spoken(agent, "Stop, please, that is enough.", index))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(agent.session(line).run())
        await line.speak(question, then_silence_ms=800)
        while not line.count(events.PlaybackStarted):
            await line.happened()
        await line.speak(AudioFrame.silence(1.0, EAR_RATE))
        began = asyncio.get_running_loop().time()
        await line.speak(stop, then_silence_ms=600)
        line.hang_up()
    if line.silenced_at is None or line.silenced_at < began:
        return None
    first = next(e.at for e in line.events if isinstance(e, events.SpeechStarted) and e.at > began)
    return 1000 * (first - began) + 20


def trimmed(audio: AudioFrame) -> AudioFrame:
    """Without what comes before the first sound (noise counts as none)."""
    loud = np.abs(audio.pcm.astype(np.int32)) > 2500
    first = int(np.argmax(loud)) if loud.any() else 0
    return AudioFrame(audio.pcm[first:], audio.sample_rate)


# -- memory and start -------------------------------------------------------------------------


def memory_mb(pid: int) -> float:
    """Proportional set size of a process and its descendants, MB (Linux)."""
    total = 0.0
    for process in [pid, *descendants(pid)]:
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:
            continue
        total += float(
            next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1]
        )
    return total / 1000


def descendants(pid: int) -> Iterable[int]:
    listing = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True)
    pairs = [tuple(map(int, line.split())) for line in listing.stdout.splitlines()[1:]]
    found = [child for child, parent in pairs if parent == pid]
    return [*found, *(below for child in found for below in descendants(child))]


async def start_seconds(light: bool) -> tuple[Agent, float]:
    began = time.monotonic()
    agent = Agent(PERSONA, light=light)
    await agent.start()
    return agent, time.monotonic() - began


# -- the run ------------------------------------------------------------------------------------


def spread(values: Sequence[float]) -> dict[str, float]:
    """p50, p90, least and most of some milliseconds or seconds."""
    ordered = sorted(values)
    p90 = ordered[min(len(ordered) - 1, round(0.9 * (len(ordered) - 1)))]
    return {
        "p50": round(statistics.median(ordered), 2),
        "p90": round(p90, 2),
        "min": round(ordered[0], 2),
        "max": round(ordered[-1], 2),
        "n": len(ordered),
    }


def marks(outcomes: Sequence[Outcome], name: str) -> list[float]:
    return [outcome.marks[name] for outcome in outcomes if name in outcome.marks]


async def run(only: str, light: bool, parts: Sequence[str]) -> dict[str, Any]:
    print("starting (the first start computes the persona's prefix) …", file=sys.stderr)
    agent, first = await start_seconds(light)
    await agent.aclose()
    agent, second = await start_seconds(light)
    print(f"ready: {first:.1f} s, then {second:.1f} s", file=sys.stderr)
    asked = [r for r in REQUESTS if "tools" in parts and only.lower() in r.text.lower()]
    small_talk = [t for t in TALK if "talk" in parts and only.lower() in t.lower()]
    with_tools, talk = [], []
    try:
        for index, wanted in enumerate(asked):
            with_tools.append(shown(await request(agent, wanted, wanted.text, index)))
        for index, text in enumerate(small_talk):
            talk.append(shown(await request(agent, None, text, index)))
        stops = [await barge_in(agent, index) for index in range(10 if "barge-in" in parts else 0)]
        memory = memory_mb(os.getpid())
    finally:
        await agent.aclose()
    return report(with_tools, talk, stops, second, memory)


def shown(outcome: Outcome) -> Outcome:
    mark = "✓" if outcome.right else "✗"
    first = outcome.marks.get("on_the_wire", float("nan"))
    print(f"{mark} {first:6.0f} ms  {outcome.text!r} → {outcome.transcript!r}", file=sys.stderr)
    for call, result in zip(outcome.calls, outcome.results, strict=False):
        print(f"      {call[0]}{call[1]} → {result}", file=sys.stderr)
    print(f"      {outcome.heard}", file=sys.stderr)
    return outcome


def report(
    with_tools: Sequence[Outcome],
    talk: Sequence[Outcome],
    stops: Sequence[float | None],
    second_start_s: float,
    memory: float,
) -> dict[str, Any]:
    stopped = [ms for ms in stops if ms is not None]
    called = [outcome for outcome in with_tools if outcome.calls]
    figures: dict[str, Any] = {
        "requests": len(with_tools),
        "handled right": sum(outcome.right for outcome in with_tools),
        "tool and arguments right": sum(outcome.tool_right for outcome in with_tools),
        "answer right": sum(outcome.answer_right for outcome in with_tools),
        "talk without a tool call": f"{sum(o.right for o in talk)} of {len(talk)}",
        "ready after start, second time (s)": round(second_start_s, 2),
        "memory, whole stack (MB PSS)": round(memory),
        "barge-ins that stopped": f"{len(stopped)} of {len(stops)}",
    }
    latencies = {
        "talk: end of speech → first audio (ms)": marks(talk, "on_the_wire"),
        "tool: end of speech → first audio (ms)": marks(with_tools, "on_the_wire"),
        "tool: end of speech → answer begins (ms)": marks(called, "answer_on_the_wire"),
        "barge-in → silence sent (ms)": stopped,
    }
    for step in ("transcript", "end_of_turn", "first_thought", "first_text", "first_frame"):
        latencies[f"talk: {step} (ms)"] = marks(talk, step)
    for step in ("first_thought", "tool_decided", "tool_done"):
        latencies[f"tool: {step} (ms)"] = marks(with_tools, step)
    figures["latencies"] = {name: spread(v) for name, v in latencies.items() if v}
    figures["outcomes"] = [asdict(outcome) for outcome in (*with_tools, *talk)]
    return figures


def recorded_weather() -> None:
    """Answer the weather plugin's requests from its recorded replies."""

    def reply(request: httpx.Request) -> httpx.Response:
        name = "geocoding" if "geocoding" in request.url.host else "forecast"
        return httpx.Response(200, content=(FIXTURES / f"{name}_paris.json").read_bytes())

    omni_agent_weather.new_client = lambda: httpx.AsyncClient(  # type: ignore[assignment]  # stands in for the network only
        transport=httpx.MockTransport(reply)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="requests that contain this text")
    parser.add_argument("--parts", default="tools,talk,barge-in", help="which parts to run")
    parser.add_argument("--light", action="store_true", help="the smaller models")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    recorded_weather()
    figures = asyncio.run(run(options.only, options.light, options.parts.split(",")))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    for name, value in figures.items():
        if name not in ("latencies", "outcomes"):
            print(f"{name:<48}{value}")
    for name, value in figures["latencies"].items():
        row = "  ".join(f"{k} {v:g}" for k, v in value.items())
        print(f"{name:<48}{row}")


if __name__ == "__main__":
    main()
