"""A Thinker in a process of its own: llama.cpp, with calls in Python's syntax."""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from omni_agent.conversation import Message
from omni_agent.engines.local import guards
from omni_agent.engines.local.completion import Llama
from omni_agent.engines.local.dressing import Dressed, Dressing
from omni_agent.engines.local.grammar import SPEAK, SPEAK_ON, SPEAK_REST
from omni_agent.engines.local.prompt import conversation, opening, tokens_at_most
from omni_agent.engines.local.states import SavedStates, states_folder
from omni_agent.engines.local.tool_calls import CallParser
from omni_agent.engines.process.worker import Job, Worker
from omni_agent.errors import EngineError
from omni_agent.runtime.machine import cores
from omni_agent.thinker import (
    Sampling,
    TextDelta,
    ThinkRequest,
    Thought,
    ToolCallRequest,
    ToolSchema,
    Usage,
)

log = logging.getLogger(__name__)

CONTEXT = 4096
_NICENESS = 5
_THREADS = {"GOMP_SPINCOUNT": "5000", "KMP_BLOCKTIME": "0"}
"""OpenMP's threads spin at each barrier; beside other work on two cores each then waits
for one that is not running. Measured on two cores with 0, 1 and 2 busy processes beside:
this 22, 5 and 5 tokens/s; sleeping at once (passive) 10, 12 and 3; the default 20, 0.3 and 2."""
_CALL_BIAS = 1.2
"""Logits that a call's first token is favoured by. Left alone the 1.5B model now and then works
a sum out itself, or promises to remember and writes nothing down. Nearly all small talk and
requests that lack something stay below this; at 2 fewer do (benchmarks/local_calls.py)."""
_MISTIMED = "I can only count down, not wait for a time of day. How many"
"""How a reply begins when a time of day was about to become a length of time."""
_PREPARE_CHARS = 48
"""Characters prefilled at a time while the user speaks: about 200 ms, after which a
reply that begins meanwhile gets the model."""


class LocalThinker:
    """See :class:`omni_agent.thinker.Thinker`. Start with :meth:`start`.

    There is one KV slot, so replies are made one after the other. It always holds
    a persona's prefix, computed once, kept on disk, and what follows it in the
    conversation that was last thought about.
    """

    hears = False
    sees = False

    def __init__(
        self,
        worker: Worker,
        key: str,
        states: SavedStates,
        context: int,
    ) -> None:
        self.worker = worker
        self._key, self._states, self._context = key, states, context
        self._llama: Llama | None = None
        self._slot = asyncio.Lock()
        self._thinking = 0  # replies that hold or wait for the slot
        self._loaded = ""  # the prefix in the slot
        self._computed = ""  # the prompt in the slot, as far as is known
        self._prepared = 0  # counts prepares: an older one must not undo a newer one
        self._dressing = Dressing()

    @staticmethod
    async def start(
        model: Path,
        *,
        threads: int | None = None,
        context: int = CONTEXT,
        states: Path | None = None,
        report: Callable[[str], None] = lambda line: None,
    ) -> LocalThinker:
        """model: a GGUF file. states: where prefix states are kept.

        Raises EngineUnavailable when llama.cpp cannot load the model.
        """
        version = importlib.metadata.version("xllamacpp")
        saved = SavedStates(states or states_folder(), model, f"{version}/{context}")
        key = secrets.token_hex(16)
        job = Job(
            "mind",
            "omni_agent.engines.local.minding:Minding",
            {
                "model": str(model),
                "context": context,
                "threads": threads or min(2, cores()),
                "key": key,
                "states": str(saved.folder),
            },
            niceness=_NICENESS,
            environment=_THREADS,
        )
        worker = Worker(job, report)
        await worker.start()
        return LocalThinker(worker, key, saved, context)

    @property
    def trouble(self) -> str:
        return self.worker.trouble

    async def think(self, request: ThinkRequest) -> AsyncIterator[Thought]:
        persona, beside = self._dressing.of(request)
        async with self._slot_for_reply():
            llama = await self._ready(persona)
            turns = self._turns(request, persona, beside)
            prompt = persona.prefix + turns + opening("assistant")
            self._computed = prompt
            begun = await _begin(llama, prompt, persona, request)
            async with aclosing(_attempt(llama, prompt, begun, request)) as thoughts:
                async for thought in thoughts:
                    if isinstance(thought, _Refused):
                        refused = thought
                        break
                    if isinstance(thought, TextDelta):
                        self._computed += thought.text
                    yield thought
                else:
                    return
            log.info("a tool call was refused (%s); speaking instead", refused.reason)
            rules = SPEAK_ON if refused.start else SPEAK
            instead = _Beginning(refused.start, rules, request.sampling)
            async with aclosing(_attempt(llama, prompt, instead, request)) as thoughts:
                async for thought in thoughts:
                    if not isinstance(thought, _Refused):
                        yield thought

    async def prepare(self, request: ThinkRequest) -> None:
        persona, beside = self._dressing.of(request)
        self._prepared += 1
        mine = self._prepared
        if self._thinking and self._loaded == persona.prefix:
            return  # somebody is using the model: a prefill would only be in their way
        async with self._slot:
            llama = await self._ready(persona)
        if request.items and isinstance(request.items[-1], Message):
            await self._prefill(llama, persona, self._turns(request, persona, beside), mine)

    async def _prefill(self, llama: Llama, persona: Dressed, turns: str, mine: int) -> None:
        """In small steps, giving way to any reply and to a later prepare."""
        words = persona.prefix + turns.removesuffix("<|im_end|>\n")
        known = len(_common(words, self._computed))
        steps = [*range(known + _PREPARE_CHARS, len(words), _PREPARE_CHARS), len(words)]
        texts = [words[:step] for step in steps if step > known]
        for text in [*texts, persona.prefix + turns + opening("assistant")]:
            async with self._slot:
                stale = self._loaded != persona.prefix or llama is not self._llama
                if stale or self._thinking or mine != self._prepared:
                    return
                # Should this be cancelled, at least the common part is still there.
                self._computed = _common(text, self._computed)
                await llama.prefill(text)
                self._computed = text

    async def aclose(self) -> None:
        if self._llama is not None:
            await self._llama.aclose()
        await self.worker.aclose()

    @asynccontextmanager
    async def _slot_for_reply(self) -> AsyncIterator[None]:
        self._thinking += 1
        try:
            async with self._slot:
                yield
        finally:
            self._thinking -= 1

    def _turns(self, request: ThinkRequest, persona: Dressed, beside: str) -> str:
        room = self._context - request.sampling.max_tokens - tokens_at_most(persona.prefix) - 16
        return conversation(request.items, max(256, room), beside)

    async def _ready(self, persona: Dressed) -> Llama:
        """The server of now, with the persona's prefix in its slot. Holds the slot."""
        info = await self.worker.info()
        address = str(info["address"])
        if self._llama is None or self._llama.address != address:
            if self._llama is not None:
                await self._llama.aclose()
            hung = partial(self.worker.replace, self.worker.pid)
            self._llama, self._loaded = Llama(address, self._key, hung), ""
        if self._loaded != persona.prefix:
            self._loaded = self._computed = ""
            await self._load(self._llama, persona)
            self._loaded = self._computed = persona.prefix
        return self._llama

    async def _load(self, llama: Llama, persona: Dressed) -> None:
        name = self._states.name(persona.prefix)
        if self._states.has(name):
            try:
                await llama.restore(name)
            except EngineError as error:
                log.warning("a saved state cannot be used, computing it again: %s", error)
                self._states.forget(name)
            else:
                self._states.touch(name)
                return
        log.info("reading a persona and its tools")
        await llama.prefill(persona.prefix)
        if persona.lasting:
            await self._keep(llama, name)

    async def _keep(self, llama: Llama, name: str) -> None:
        """A full disk must not cost more than the next start's seconds."""
        temporary = f"{secrets.token_hex(8)}.tmp"
        try:
            await llama.save(temporary)
            self._states.keep(temporary, name)
        except (EngineError, OSError) as error:
            log.warning("a persona's state is not kept: %s", error)
            self._states.forget(temporary)


def _common(one: str, other: str) -> str:
    """What both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return one[: next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))]


@dataclass(frozen=True, slots=True)
class _Refused:
    """A guard stopped this attempt. start: how the reply in words begins instead."""

    reason: str
    start: str = ""


@dataclass(frozen=True, slots=True)
class _Beginning:
    """How a reply starts, and the grammar and sampling for the rest of it."""

    start: str
    rules: str
    sampling: Sampling


async def _begin(llama: Llama, prompt: str, persona: Dressed, request: ThinkRequest) -> _Beginning:
    """Decide between a call and speech by the likeliest first token, whatever the temperature.

    Drawn by chance a small model says "I will remember that" and calls nothing. The
    token is not lost: speech goes on from it, and it was to be computed anyway.
    """
    sampling = request.sampling
    if not request.tools:
        return _Beginning("", SPEAK, sampling)
    greedy = replace(sampling, temperature=0.0)
    if request.tool_choice == "required":
        return _Beginning("", persona.calls, greedy)
    if sampling.max_tokens < 2:
        return _Beginning("", persona.grammar, greedy)
    first = ""
    one_token = replace(greedy, max_tokens=1)
    verbs = {tool.name.split("_")[0]: _CALL_BIAS for tool in request.tools}
    async with aclosing(llama.complete(prompt, persona.grammar, one_token, verbs)) as pieces:
        async for piece in pieces:
            first += piece.text
    if not first:  # part of a character
        return _Beginning("", SPEAK, sampling)
    if any(t.name.startswith(first) or first.startswith(t.name) for t in request.tools):
        return _Beginning("", persona.calls, greedy)
    return _Beginning(first, SPEAK_REST, replace(sampling, max_tokens=sampling.max_tokens - 1))


async def _attempt(
    llama: Llama, prompt: str, begun: _Beginning, request: ThinkRequest
) -> AsyncGenerator[Thought | _Refused, None]:
    """One generation; ends with _Refused when its first call fails a guard."""
    parser = CallParser(request.tools)
    said = begun.start
    for thought in parser.feed(begun.start):
        yield thought
    accepted: list[ToolCallRequest] = []
    usage: Usage | None = None
    async with aclosing(
        llama.complete(prompt + begun.start, begun.rules, begun.sampling)
    ) as pieces:
        async for piece in pieces:
            usage = piece.usage or usage
            last = parser.finish() if piece.usage else []
            for thought in [*parser.feed(piece.text), *last]:
                if isinstance(thought, ToolCallRequest):
                    tool = next(tool for tool in request.tools if tool.name == thought.name)
                    thought = guards.trimmed(thought, tool, request.items)
                    if refused := _objection(thought, tool, request, accepted):
                        if not accepted:
                            yield refused
                        return
                    accepted.append(thought)
                elif isinstance(thought, TextDelta):
                    said += thought.text
                yield thought
    if said and not accepted and (forgotten := guards.untold(said, request.items)):
        yield TextDelta(f" {' '.join(forgotten)}")
    if usage:
        yield usage


def _objection(
    call: ToolCallRequest,
    tool: ToolSchema,
    request: ThinkRequest,
    accepted: Sequence[ToolCallRequest],
) -> _Refused | None:
    """Why a call must not be made; None when it may."""
    made = any(call.name == one.name and call.arguments == one.arguments for one in accepted)
    if request.tool_choice == "required" and not made:
        return None
    if made or guards.repeats(call, request.items):
        return _Refused(f"{call.name}: made already")
    if guards.mistimed(call, tool, request.items):
        return _Refused(f"{call.name}: a time of day for a length of time", _MISTIMED)
    if argument := guards.invented(call, tool, request.items):
        # Left alone the model would claim to have done it: the demonstration of asking
        # back begins with these words, and it goes on as it does there.
        start = f"Sure. Which {argument.replace('_', ' ')}"
        return _Refused(f"nobody said {argument} {call.arguments[argument]!r}", start)
    return None
