"""Which tools the local Thinker calls: text alone, over all plugins, as the concierge.

    python benchmarks/local_calls.py [--half development|held-out] [--crossed] [--json FILE]

Every request of ``typed_requests`` is asked as the first turn, and once more after one of:
small talk, a misheard turn, a tool's result, a timer that still runs (``--crossed``: after each
of them). Right is a reply that makes the wanted calls with the arguments that matter, and no
other. Tune on the development half; the held-out half tells what that was worth. Needs
the local language model. Tools are not run: where a second call may follow the first, the
first gives back "Done."
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import get_args

from typed_requests import DEVELOPMENT, HELD_OUT, Call, Half, Kind, Request

from omni_agent import Agent
from omni_agent.conversation import ToolCall, ToolResult, assistant, user
from omni_agent.engines.local.tool_calls import call_text
from omni_agent.stages import Engines
from omni_agent.streams import closing
from omni_agent.thinker import TextDelta, Thinker, ThinkRequest, ToolCallRequest

HALVES = {"development": DEVELOPMENT, "held-out": HELD_OUT}
ENOUGH = 40
"""Characters of a reply in words."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request in one context. said: the first words of a reply that made no call."""

    half: str
    kind: Kind
    context: str
    text: str
    calls: list[Call]
    said: str
    right: bool


def asked_after(half: Half, context: str, crossed: bool) -> Sequence[Request]:
    """The requests to ask in this context: as the first turn all, else a share of them."""
    place, others = list(half.before).index(context), len(half.before) - 1
    return half.requests if crossed or not place else half.requests[place % others :: others]


async def outcomes(agent: Agent, name: str, half: Half, crossed: bool) -> list[Outcome]:
    """Context by context: what they share is then read once."""
    found = []
    outfit = agent.wardrobe.outfit(None)
    for context, before in half.before.items():
        for request in asked_after(half, context, crossed):
            items = (assistant(outfit.persona.greeting or ""), *before, user(request.text))
            asked = ThinkRequest(outfit.persona.thinker, items, outfit.schemas, outfit.sampling)
            calls, said = await reply(agent.stages.thinker, asked, request)
            outcome = Outcome(
                name, request.kind, context, request.text, calls, said, request.is_met_by(calls)
            )
            print(shown(outcome), file=sys.stderr)
            found.append(outcome)
    return found


async def reply(thinker: Thinker, asked: ThinkRequest, request: Request) -> tuple[list[Call], str]:
    """The calls of a reply and how its words begin: a second call may come after the first's
    result."""
    calls: list[Call] = []
    while True:
        made, said = await first_of(thinker, asked)
        calls += [(call.name, call.arguments) for call in made]
        if not made or len(calls) >= len(request.wanted):
            return calls, said
        results = [ToolResult(call.call_id, "Done.") for call in made]
        done = [ToolCall(call.call_id, call.name, call.arguments) for call in made]
        asked = replace(asked, items=(*asked.items, *done, *results))


async def first_of(thinker: Thinker, asked: ThinkRequest) -> tuple[list[ToolCallRequest], str]:
    """The calls that one thinking comes to, or the first words."""
    calls, said = [], ""
    async with closing(thinker.think(asked)) as thoughts:
        async for thought in thoughts:
            match thought:
                case ToolCallRequest():
                    calls.append(thought)
                case TextDelta(text):
                    said += text
            if len(said) > ENOUGH:
                break
    return calls, said


def shown(outcome: Outcome) -> str:
    mark = "✓" if outcome.right else "✗"
    calls = "; ".join(call_text(*call) for call in outcome.calls)
    return f"{mark} {outcome.context:<14}{outcome.text!r} → {calls or repr(outcome.said)}"


def table(found: Sequence[Outcome]) -> Iterator[str]:
    """Right of all by half and kind (rows) and context (columns)."""
    contexts = list(DEVELOPMENT.before)
    yield f"| | | {' | '.join(contexts)} | all |"
    yield "|---" * (len(contexts) + 3) + "|"
    for half in dict.fromkeys(outcome.half for outcome in found):
        of_half = [outcome for outcome in found if outcome.half == half]
        for kind in (*get_args(Kind), "all"):
            row = [outcome for outcome in of_half if kind in (outcome.kind, "all")]
            cells = [[outcome for outcome in row if outcome.context == one] for one in contexts]
            yield f"| {half} | {kind} | {' | '.join(map(count, [*cells, row]))} |"


def count(outcomes: Sequence[Outcome]) -> str:
    return f"{sum(outcome.right for outcome in outcomes)} of {len(outcomes)}"


async def run(halves: Sequence[str], crossed: bool, light: bool) -> list[Outcome]:
    engines = Engines("local", talker=None, ears=None)
    async with Agent("concierge", engine=engines, light=light) as agent:
        return [
            one for half in halves for one in await outcomes(agent, half, HALVES[half], crossed)
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=HALVES, help="only this half")
    parser.add_argument("--crossed", action="store_true", help="every request in every context")
    parser.add_argument("--light", action="store_true", help="the smaller model")
    parser.add_argument("--json", type=Path, help="write every outcome here")
    options = parser.parse_args()
    halves = [options.half] if options.half else list(HALVES)
    found = asyncio.run(run(halves, options.crossed, options.light))
    if options.json:
        options.json.write_text(json.dumps([asdict(outcome) for outcome in found], indent=1))
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
