"""How long each stage of the local engine takes, and how much memory it holds.

    python benchmarks/local_stages.py [--light] [--repeats 5] [--json FILE]

Real models on this machine; medians with the spread (fastest to slowest). Speech
to be heard is made by the engine's own voice. A figure is only worth something on
a machine that does nothing else: the load is printed with it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from omni_agent.audio import AudioFrame, concatenate, resample
from omni_agent.conversation import user
from omni_agent.ears import Ears
from omni_agent.engine import StageOptions
from omni_agent.engines import local
from omni_agent.engines.local.ears import LocalEars
from omni_agent.engines.local.talker import LocalTalker
from omni_agent.engines.local.thinker import LocalThinker
from omni_agent.talker import Talker, Voice
from omni_agent.thinker import (
    Sampling,
    TextDelta,
    Thinker,
    ThinkRequest,
    ToolCallBegun,
    ToolCallRequest,
    ToolSchema,
    Usage,
)

INSTRUCTIONS = "You are the friendly assistant of a small house."
UTTERANCES = {
    "1 s": "Yes, please do.",
    "3 s": "Set a timer for ten minutes, and call it pasta.",
    "6 s": "Turn off the light in the kitchen, and then tell me what the weather is like in Paris.",
}
QUESTIONS = (
    "Who are you, and what can you do?",
    "What should I cook tonight?",
    "Tell me something about the sea.",
)
REQUESTS = ("Set a timer for ten minutes.", "Wake me in two hours.", "Ring me in 30 seconds.")
TIMER = ToolSchema(
    "set_timer",
    "Start a timer that rings.",
    {
        "type": "object",
        "properties": {
            "amount": {"type": "number", "exclusiveMinimum": 0},
            "unit": {"enum": ["seconds", "minutes", "hours"]},
        },
        "required": ["amount", "unit"],
    },
    (("Set a timer for five minutes.", {"amount": 5, "unit": "minutes"}),),
)


@dataclass
class Figures:
    """Measurements by name, in the order they were first taken."""

    taken: dict[str, list[float]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, value: float, unit: str = "ms") -> None:
        self.taken.setdefault(name, []).append(value)
        self.units[name] = unit

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.add(name, 1000 * (time.perf_counter() - began))

    def table(self) -> str:
        rows = ["| stage | median | spread | n |", "|---|---|---|---|"]
        for name, values in self.taken.items():
            unit = self.units[name]
            spread = f"{min(values):.0f} to {max(values):.0f} {unit}" if len(values) > 1 else ""
            rows.append(
                f"| {name} | {statistics.median(values):.0f} {unit} | {spread} | {len(values)} |"
            )
        return "\n".join(rows)


def pss_mb(pid: int | str) -> float:
    """Proportional set size: shared pages are divided among their users. Linux only."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


async def one(text: str) -> AsyncIterator[str]:
    yield text


async def spoken(talker: Talker, text: str) -> AudioFrame:
    frames = [speech.audio async for speech in talker.speak(one(text), Voice())]
    return resample(concatenate(frames, talker.sample_rate), 16_000)


async def measure_ears(figures: Figures, ears: Ears, talker: Talker, repeats: int) -> None:
    for name, text in UTTERANCES.items():
        audio = await spoken(talker, text)
        for _ in range(repeats):
            with figures.timed(f"transcribe {name} ({audio.seconds:.1f} s of speech)"):
                await ears.transcribe(audio)
    detector = ears.voice_activity()
    for _ in range(repeats):
        with figures.timed("voice activity, 32 windows of 32 ms, one by one"):
            for _ in range(32):
                await detector.push(AudioFrame.silence(0.032, 16_000))
    await detector.aclose()


async def measure_voice(figures: Figures, talker: Talker, repeats: int) -> None:
    for _ in range(repeats):
        began, seconds, first = time.perf_counter(), 0.0, True
        text = "Sure, the timer is set. It will ring in ten minutes, just in time for your pasta."
        async for speech in talker.speak(one(text), Voice()):
            if first:
                figures.add("first audio of a clause", 1000 * (time.perf_counter() - began))
                first = False
            seconds += speech.audio.seconds
        took = time.perf_counter() - began
        figures.add("speech made per second", seconds / took, "s")


def request(said: str, max_tokens: int = 40) -> ThinkRequest:
    return ThinkRequest(INSTRUCTIONS, (user(said),), (TIMER,), Sampling(0.0, 1.0, max_tokens, 1))


async def measure_mind(figures: Figures, thinker: Thinker, repeats: int) -> None:
    for repeat in range(repeats):
        said = QUESTIONS[repeat % len(QUESTIONS)]
        await _reply(figures, thinker, said, "unprepared")
        await thinker.prepare(request(said))
        await _reply(figures, thinker, said, "prepared")
        began = time.perf_counter()
        async for thought in thinker.think(request(REQUESTS[repeat % len(REQUESTS)])):
            took = 1000 * (time.perf_counter() - began)
            if isinstance(thought, ToolCallBegun):
                figures.add("tool decided", took)
            elif isinstance(thought, ToolCallRequest):
                figures.add("tool call complete", took)
        long = f"{repeat} " + "And then there was another thing that I wanted to tell you. " * 8
        with figures.timed("prefill of about 110 new tokens"):
            await thinker.prepare(request(long))


async def _reply(figures: Figures, thinker: Thinker, said: str, how: str) -> None:
    began = time.perf_counter()
    first: float | None = None
    async for thought in thinker.think(request(said)):
        if isinstance(thought, TextDelta) and first is None:
            first = time.perf_counter()
            figures.add(f"first words, {how}", 1000 * (first - began))
        if isinstance(thought, Usage) and first is not None and thought.completion_tokens > 3:
            took = time.perf_counter() - first
            figures.add("decode", (thought.completion_tokens - 2) / took, "tokens/s")


async def measure_first_audio(
    figures: Figures, ears: Ears, thinker: Thinker, talker: Talker, repeats: int
) -> None:
    """The chain as the session runs it: 160 ms of silence, transcript, words, voice."""
    for repeat in range(repeats):
        audio = await spoken(talker, QUESTIONS[repeat % len(QUESTIONS)])
        heard = concatenate([audio, AudioFrame.silence(0.16, 16_000)], 16_000)
        await thinker.prepare(request("Hello."))  # drop the question from the cache
        began = time.perf_counter()
        transcript = await ears.transcribe(heard)

        async def words(said: str) -> AsyncIterator[str]:
            async for thought in thinker.think(request(said)):
                if isinstance(thought, TextDelta):
                    yield thought.text

        async for _ in talker.speak(words(transcript.text), Voice()):
            took = 160 + 1000 * (time.perf_counter() - began)
            figures.add("end of speech to first audio, no partials", took)
            break


async def measure_start(figures: Figures, options: StageOptions) -> None:
    """A second start: everything is on disk, the prefix's state too."""
    began = time.perf_counter()
    started = await asyncio.gather(
        local.start_ears(options), local.start_thinker(options), local.start_talker(options)
    )
    await started[1].prepare(ThinkRequest(INSTRUCTIONS, (), (TIMER,)))
    figures.add("ready after start, second time", 1000 * (time.perf_counter() - began))
    for part in started:
        await part.aclose()


async def main(light: bool, repeats: int) -> Figures:
    figures = Figures()
    options = StageOptions(light=light, report=print)
    ears, thinker, talker = await asyncio.gather(
        local.start_ears(options), local.start_thinker(options), local.start_talker(options)
    )
    assert isinstance(ears, LocalEars)
    assert isinstance(thinker, LocalThinker)
    assert isinstance(talker, LocalTalker)
    with figures.timed("persona and tools read, first time"):
        await thinker.prepare(ThinkRequest(INSTRUCTIONS, (), (TIMER,)))
    await measure_ears(figures, ears, talker, repeats)
    await measure_voice(figures, talker, repeats)
    await measure_mind(figures, thinker, repeats)
    await measure_first_audio(figures, ears, thinker, talker, repeats)
    total = pss_mb("self")
    for stage in (ears.worker, thinker.worker, talker.worker):
        if stage.pid is not None:
            figures.add(f"memory of the {stage.job.name} (PSS)", pss_mb(stage.pid), "MB")
            total += pss_mb(stage.pid)
    figures.add("memory of all four processes (PSS)", total, "MB")
    for part in (ears, thinker, talker):
        await part.aclose()
    for _ in range(min(repeats, 3)):
        await measure_start(figures, options)
    return figures


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--light", action="store_true", help="the smaller models")
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--json", type=Path, help="also write all measurements here")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"], kept = cache, os.environ.get("XDG_CACHE_HOME")
        if "OMNI_AGENT_MODELS" not in os.environ:
            from omni_agent.models.store import default_root

            os.environ["XDG_CACHE_HOME"] = kept or str(Path.home() / ".cache")
            os.environ["OMNI_AGENT_MODELS"] = str(default_root())
            os.environ["XDG_CACHE_HOME"] = cache
        measured = asyncio.run(main(chosen.light, chosen.repeats))
    print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n\n{measured.table()}")
    if chosen.json:
        chosen.json.write_text(json.dumps(measured.taken, indent=1))
