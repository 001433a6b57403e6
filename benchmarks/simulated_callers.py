"""Callers for benchmarks: they speak, hear the answer, and speak again, all in real time.

A caller has the product's own call, persona, reading ahead, filters and reply order
around the engine's Thinker and Talker. What is left out is what no engine of ours
does: voice activity, the end of the turn and the line. A turn ends with the last
sample of its audio. What random weights say has hardly a space to cut it at; so that
filters and Talker wait no longer than they do for language, each piece of the
Thinker's text is spoken as the next token of a script.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from random_omni import Engines

from omni_agent.audio import AudioFrame
from omni_agent.call.preparation import Preparation
from omni_agent.call.state import Call
from omni_agent.conversation import AudioPart, Conversation, Message, assistant
from omni_agent.errors import OmniAgentError
from omni_agent.lines.in_process import InProcessTransport
from omni_agent.personas.outfit import Outfit
from omni_agent.stages import Stages
from omni_agent.streams import Channel, chain, closing, first_words
from omni_agent.talker import Speech
from omni_agent.text import compose
from omni_agent.thinker import Features, TextDelta, ThinkRequest, Usage
from omni_agent.tools.ledger import Ledger

RATE = 16_000
MARKS = ("features", "first token", "first text", "first PCM")
"""Of a turn, in order. first token: of the Thinker's, thinking tokens included. first text:
the first the Talker is given, after thinking tokens and filters."""
SCRIPT = (
    "Good evening, and thank you for waiting. The kitchen is open until eleven, and I can have "
    "something sent up to your room within half an hour. Breakfast is from seven to ten on the "
    "ground floor, beside the garden. If you would like a taxi in the morning, tell me when, and "
    "I will see that it is there. "
)
_PATIENCE_S = 60.0
"""A reply that takes longer counts as failed, so that one that hangs does not end the run."""

Mode = Literal["ahead", "deaf"]


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds or tokens, uniform from least to most."""

    least: float
    most: float

    @staticmethod
    def parse(text: str) -> Span:
        """``2-6`` or ``4``. Raises ValueError for anything else."""
        least, _, most = text.partition("-")
        span = Span(float(least), float(most or least))
        if not 0 <= span.least <= span.most:
            raise ValueError(f"not a span such as 2-6: {text!r}")
        return span

    def draw(self, random: np.random.Generator) -> float:
        return float(random.uniform(self.least, self.most))

    @property
    def mean(self) -> float:
        return (self.least + self.most) / 2


@dataclass(frozen=True, slots=True)
class Workload:
    """What callers do. turns: of one call. utterance, pause, speech: seconds.

    reply_tokens: spoken ones, after thinking_tokens that are not. speech: how much of a
    reply is listened to (random weights never end it). line: seconds of speech that the
    line queues before it takes no more; the Talker makes 2 s beyond it. together:
    turns of all callers end at the same moment; else they come as they come.
    """

    turns: int
    utterance: Span
    pause: Span
    reply_tokens: Span
    thinking_tokens: int
    speech: float
    hear_every: float
    line: float
    together: bool
    seed: int


@dataclass(slots=True)
class Turn:
    """One turn, measured. Times in loop seconds; ``marks`` in ms after the user's last sample."""

    caller: int
    number: int
    heard_s: float
    ended: float = 0.0
    marks: dict[str, float] = field(default_factory=dict)
    prompt: int = 0
    cached: int = 0
    completion: int = 0
    thought: float = 0.0  # when the last token came
    speech_s: float = 0.0
    made: tuple[float, float] = (0.0, 0.0)
    """Seconds it took, and seconds of speech, after the first PCM and before the line was full."""
    gaps_ms: float = 0.0  # silence where the next piece came too late
    error: str = ""

    def mark(self, name: str) -> None:
        self.marks.setdefault(name, 1000 * (_now() - self.ended))


class Caller:
    """One caller, who holds ``calls`` calls. seeds: make the same lengths in every mode, but
    no audio that another mode's callers have said, which the Thinker would remember."""

    def __init__(
        self, engines: Engines, outfit: Outfit, workload: Workload, number: int, seeds: list[int],
        starts: asyncio.Barrier | None,
    ) -> None:  # fmt: skip
        self.turns: list[Turn] = []
        self._engines, self._outfit, self._workload = engines, outfit, workload
        ends = [0, *(token.end for token in engines.tokenizer.encode(SCRIPT))]
        self._words = [SCRIPT[begin:end] for begin, end in itertools.pairwise(ends)]
        self._number, self._starts = number, starts
        # Together, all draw the same lengths.
        own = [] if workload.together else [number]
        self._random = np.random.default_rng([workload.seed, seeds[0], *own])
        self._sound = np.random.default_rng([workload.seed, *seeds, number])

    async def hold_calls(self, calls: int, mode: Mode) -> None:
        load = self._workload
        if not load.together:  # anywhere within a turn and its answer
            cycle = load.utterance.mean + load.speech + load.pause.mean
            await asyncio.sleep(float(self._random.uniform(0, cycle)))
        for _ in range(calls):
            async with asyncio.TaskGroup() as tasks:
                call = self._call(tasks)
                preparation = Preparation(call)
                for number in range(load.turns):
                    last = number == load.turns - 1
                    await self._turn(call, preparation if mode == "ahead" else None, number, last)
                preparation.drop()

    def _call(self, tasks: asyncio.TaskGroup) -> Call:
        return Call(
            session_id=f"caller {self._number}",
            stages=Stages(self._engines.thinker, self._engines.talker),
            transport=InProcessTransport(),
            conversation=Conversation(),
            ledger=Ledger(),
            outfit=self._outfit,
            emit=lambda event: None,
            spawn=tasks.create_task,
        )

    async def _turn(
        self, call: Call, preparation: Preparation | None, number: int, last: bool
    ) -> None:
        load = self._workload
        await asyncio.sleep(load.pause.draw(self._random))
        audio = babble(load.utterance.draw(self._random), self._sound)
        tokens = round(load.reply_tokens.draw(self._random))
        if self._starts is not None:
            await self._starts.wait()
        heard = Message("user", (AudioPart(audio),))
        turn = Turn(self._number, number, audio.seconds)
        turn.ended = _now() + audio.seconds
        await self._speak(turn, heard, audio, preparation)
        self.turns.append(turn)
        call.conversation.add(heard)
        request = call.request()
        sampling = replace(request.sampling, max_tokens=load.thinking_tokens + tokens)
        reply = _Reply(call, load, turn, itertools.cycle(self._words))
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await reply.run(replace(request, sampling=sampling))
        except* (OmniAgentError, TimeoutError) as errors:
            turn.error = repr(errors.exceptions[0])
        call.conversation.add(assistant(reply.said))
        if preparation is not None and not last:
            preparation.read()

    async def _speak(
        self, turn: Turn, heard: Message, audio: AudioFrame, preparation: Preparation | None
    ) -> None:
        """Until the last sample; what was spoken so far is read ahead now and then."""
        began = turn.ended - audio.seconds
        spoken = self._workload.hear_every
        while preparation is not None and spoken < audio.seconds:
            await _until(began + spoken)
            so_far = AudioFrame(audio.pcm[: int(spoken * RATE)], RATE)
            preparation.read(replace(heard, parts=(AudioPart(so_far),)))
            spoken += self._workload.hear_every
        await _until(turn.ended)
        if preparation is not None:
            preparation.drop()


class _Reply:
    """Thinks, and speaks what is thought; ``said`` is the text given to the Talker."""

    def __init__(self, call: Call, load: Workload, turn: Turn, words: Iterator[str]) -> None:
        self.said = ""
        self._call, self._load, self._turn, self._words = call, load, turn, words
        self._features: Any = None

    async def run(self, request: ThinkRequest) -> None:
        text = Channel()
        async with asyncio.TaskGroup() as pair:
            pair.create_task(self._think(request, text))
            pair.create_task(self._voice(aiter(text)))

    async def _think(self, request: ThinkRequest, text: Channel) -> None:
        turn = self._turn
        thinking = self._load.thinking_tokens
        try:
            async with closing(self._call.stages.thinker.think(request)) as thoughts:
                async for thought in thoughts:
                    match thought:
                        case Features(handle):
                            turn.mark("features")
                            self._features = handle
                        case TextDelta():
                            turn.mark("first token")
                            if thinking:
                                thinking -= 1
                            else:
                                text.put(next(self._words))
                        case Usage():
                            turn.prompt, turn.cached = thought.prompt_tokens, thought.cached_tokens
                            turn.completion, turn.thought = thought.completion_tokens, _now()
                        case _:
                            pass
        finally:
            text.close()

    async def _voice(self, text: AsyncIterator[str]) -> None:
        async with aclosing(compose(text, self._call.outfit.filters)) as stream:
            first = await first_words(stream)
            if not first:
                return
            self._turn.mark("first text")
            voice = replace(self._call.outfit.voice, features=self._features)
            speech = self._call.stages.talker.speak(self._note(chain(first, stream)), voice)
            async with closing(speech) as pieces:
                await self._listen(pieces)

    async def _note(self, text: AsyncIterator[str]) -> AsyncIterator[str]:
        async for piece in text:
            self.said += piece
            yield piece

    async def _listen(self, pieces: AsyncIterator[Speech]) -> None:
        """Take speech as a line does: at once until it is full, then as it is played."""
        turn, load = self._turn, self._load
        first = due = 0.0  # when the next piece has to be there
        full = False
        async for piece in pieces:
            seconds = piece.audio.seconds
            if not seconds:
                continue
            now = _now()
            if not first:
                turn.mark("first PCM")
                first = due = now
            elif not full:
                turn.made = (now - first, turn.made[1] + seconds)
            turn.gaps_ms += 1000 * max(0.0, now - due)
            due = max(due, now) + seconds
            turn.speech_s += seconds
            if turn.speech_s >= load.speech:
                return
            if due - now > load.line:
                full = True
                await _until(due - load.line)


async def hold_calls(
    engines: Engines, outfit: Outfit, workload: Workload, callers: int, calls: int, mode: Mode
) -> list[Turn]:
    """All turns of ``callers`` callers at once."""
    starts = asyncio.Barrier(callers) if workload.together else None
    seeds = [callers, 1 if mode == "ahead" else 2]
    crowd = [Caller(engines, outfit, workload, number, seeds, starts) for number in range(callers)]
    async with asyncio.TaskGroup() as tasks:
        for caller in crowd:
            tasks.create_task(caller.hold_calls(calls, mode))
    return [turn for caller in crowd for turn in caller.turns]


def babble(seconds: float, random: np.random.Generator) -> AudioFrame:
    """Noise that swells four times a second, as syllables do."""
    time = np.arange(round(seconds * RATE)) / RATE
    loudness = 0.2 * np.sin(2 * np.pi * 4 * time + random.uniform(0, 6)) ** 2
    return AudioFrame.from_float(loudness * random.standard_normal(len(time)), RATE)


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - _now()))
