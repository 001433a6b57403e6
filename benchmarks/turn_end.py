"""When turns end: by the words alone, and with a learned end of turn beside them.

    python benchmarks/turn_end.py [--end words,smart-turn]

Whole sentences, and sentences that hang before a pause of 900 ms and then go on, are synthesised
in three voices, with quiet noise, and spoken in real time over an in-process line to the embedded
ears; thinking and speaking are scripted. Reported: how long after the end of speech whole turns
ended, and how many of those that went on were cut in two. Needs the local models and smart-turn's.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from collections.abc import Sequence

import numpy as np

from omni_agent import Agent, Engine, Persona, StageOptions, events, hookimpl
from omni_agent.audio import AudioFrame, concatenate, resample
from omni_agent.ears import EAR_RATE
from omni_agent.engines.local import start_talker
from omni_agent.lines.in_process import InProcessTransport
from omni_agent.persona import TurnTaking
from omni_agent.streams import closing, one
from omni_agent.talker import Talker, Voice
from omni_agent.testing import ScriptedTalker, ScriptedThinker

VOICES = (("chelsie", 1.0), ("ethan", 1.08), ("aiden", 0.95))
PAUSE_MS, AFTER_MS = 900, 2500
NOISE = 8
"""Standard deviation of the line's noise, of 16 bits."""
WHOLE = (
    "Set a timer for ten minutes.", "What time is it?", "Turn the kitchen light on.",
    "I'd like to book a table for two tomorrow at eight.", "What's the weather in Paris tomorrow?",
    "Yes, please.", "Add milk and bread to my shopping list.", "Can you call me a taxi?",
    "My name is Peter Miller.", "I don't think so.", "That sounds good.", "Good morning.",
    "Remind me to call my mother at five.", "We arrive on Friday evening.",
)  # fmt: skip
HANGING = (
    "Set a timer for", "I'd like to book a table for", "What's the weather in", "Add milk and",
    "My name is", "Remind me to call my", "I'm looking for a", "Can you", "Tell me a story about",
    "I would like a room with a", "It is seven three five, two", "Turn the", "We arrive on",
    "Could you please", "Well, I was thinking that maybe", "If it rains tomorrow, then",
    "The thing is, um", "I want to go to the museum, but", "Let me see, the first of",
    "Play some music in the",
)  # fmt: skip


class Scripted:
    """Thinks and speaks at once, so that nothing but turns takes time."""

    @hookimpl
    def register_engines(self) -> list[Engine]:
        async def think(options: StageOptions) -> ScriptedThinker:
            return ScriptedThinker()

        async def talk(options: StageOptions) -> ScriptedTalker:
            return ScriptedTalker(10)

        return [Engine("scripted", thinker=think, talker=talk)]


async def spoken(talker: Talker, text: str, index: int) -> AudioFrame:
    """At 16 kHz, ending with its last sound."""
    speaker, speed = VOICES[index % len(VOICES)]
    async with closing(talker.speak(one(text), Voice(speaker=speaker, speed=speed))) as speech:
        frames = [piece.audio async for piece in speech]
    pcm = resample(concatenate(frames, talker.sample_rate), EAR_RATE).pcm
    return AudioFrame(pcm[: np.flatnonzero(np.abs(pcm.astype(int)) > 200)[-1] + 1], EAR_RATE)


async def call(end: str, whole: Sequence[AudioFrame], hanging: Sequence[AudioFrame]) -> None:
    rng = np.random.default_rng(0)
    persona = Persona(name="Benchmark", fillers=(), turn=TurnTaking(end=end))
    agent = Agent(persona, plugins=[Scripted()], thinker="scripted", talker="scripted")
    line = InProcessTransport()

    async def speak(audio: AudioFrame, then_ms: int) -> None:
        pcm = np.concatenate([audio.pcm, np.zeros(EAR_RATE * then_ms // 1000, np.int16)])
        noisy = (pcm + rng.normal(0, NOISE, len(pcm))).clip(-32768, 32767).astype(np.int16)
        await line.speak(AudioFrame(noisy, EAR_RATE), then_silence_ms=0)

    def ended() -> int:
        return sum(isinstance(event, events.SpeechStopped) for event in line.events)

    async with agent, asyncio.TaskGroup() as tasks:
        tasks.create_task(agent.session(line).run())
        for audio in whole:
            await speak(audio, AFTER_MS)
        marks = [event.marks for event in line.events if isinstance(event, events.Waterfall)]
        cut = 0
        for audio in hanging:
            before = ended()
            await speak(audio, PAUSE_MS)
            cut += ended() > before
            await speak(whole[0], AFTER_MS)
        line.hang_up()
    times = sorted(round(mark["end_of_turn"]) for mark in marks if "end_of_turn" in mark)
    print(
        f"{end}: {len(times)} of {len(whole)} whole turns, over after {times[0]} to {times[-1]} ms,"
    )
    print(f"  median {statistics.median(times):.0f}; cut in two: {cut} of {len(hanging)}")


async def main(ends: Sequence[str]) -> None:
    talker = await start_talker(StageOptions())
    whole = [await spoken(talker, text, index) for index, text in enumerate(WHOLE)]
    hanging = [await spoken(talker, text, index) for index, text in enumerate(HANGING)]
    await talker.aclose()
    for end in ends:
        await call(end, whole, hanging)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--end", default="words,smart-turn")
    asyncio.run(main(parser.parse_args().end.split(",")))
