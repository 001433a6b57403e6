"""Commands that hold a conversation without a browser."""

from __future__ import annotations

import asyncio
import sys
import time
from importlib.resources import files
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from omni_agent import events
from omni_agent.agent import Agent
from omni_agent.audio import AudioFrame, resample
from omni_agent.call.session import Session
from omni_agent.cli.config import ConfigFile
from omni_agent.cli.engines import Said, make_agent
from omni_agent.cli.options import (
    ApiKey,
    BaseUrl,
    EngineName,
    Light,
    Model,
    OfEars,
    OfTalker,
    OfThinker,
    PersonaName,
)
from omni_agent.cli.printing import err, progress, show
from omni_agent.cli.sounds import check_writable, read_sound, write_sound
from omni_agent.commands import AddItem, ReplyRequest
from omni_agent.conversation import user
from omni_agent.ears import EAR_RATE
from omni_agent.lines.in_process import InProcessTransport
from omni_agent.tools.threads import DaemonThreads

calls = typer.Typer()


# -- demo --------------------------------------------------------------------------


@calls.command()
def demo(
    question: Annotated[
        list[Path] | None, typer.Argument(help="WAV files to ask with; two are shipped.")
    ] = None,
    persona: PersonaName = "concierge",
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the answers go.")] = Path(
        "reply.wav"
    ),
    engine: EngineName = "",
    model: Model = None,
    light: Light = False,
    base_url: BaseUrl = None,
    api_key: ApiKey = None,
    thinker: OfThinker = None,
    talker: OfTalker = None,
    ears: OfEars = None,
    config: ConfigFile = None,
) -> None:
    """Hold a call with itself: spoken questions in, spoken answers to reply.wav."""
    check_writable(output)
    shipped = sorted(str(path) for path in (files("omni_agent") / "_demo").iterdir())
    questions = [read_sound(path) for path in (question or shipped)]
    said = Said(config, engine, model, light, base_url, api_key, thinker, talker, ears)
    agent = make_agent(persona, said)
    agent.on_progress(progress)
    asyncio.run(_demo(agent, questions, output))


async def _demo(agent: Agent, questions: list[AudioFrame], output: Path) -> None:
    began = time.monotonic()
    async with agent:
        progress(f"ready after {time.monotonic() - began:.1f} s")
        line = InProcessTransport()
        session = agent.session(line, observers=[_Narrator()])
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(session.run())
            await _ask(line, session, questions)
            line.hang_up()
    answer = write_sound(output, line.recording())
    show((f"\nthe agent's side of the call, {answer.seconds:.1f} s: {output}", "dim"))


async def _ask(line: InProcessTransport, session: Session, questions: list[AudioFrame]) -> None:
    done = 0
    if session.greets:
        done = await _reply_after(line, done)
    for audio in questions:
        if _is_over(line):
            break
        await line.speak(resample(audio, EAR_RATE), then_silence_ms=1200)
        done = await _reply_after(line, done)


async def _reply_after(line: InProcessTransport, done: int) -> int:
    """Wait until one more reply is finished, or the call; silence goes on meanwhile."""
    while (finished := line.count(events.ReplyFinished)) <= done and not _is_over(line):
        await line.happened()
    return finished


def _is_over(line: InProcessTransport) -> bool:
    return line.count(events.SessionEnded) > 0


def _show_end(ended: events.SessionEnded) -> None:
    """Why the call is over, where it was not whoever gave the command that ended it."""
    if ended.reason not in ("hangup", "shutdown"):
        show((f"\nthe call is over ({ended.reason})", "dim"), to=err)


class _Narrator:
    """Prints a call as it happens."""

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}

    def __call__(self, session_id: str, event: events.Event) -> None:
        match event:
            case events.UserTranscript(final=True) if event.text:
                show(("\nyou    ", "bold cyan"), event.text)
            case events.ToolStarted():
                arguments = ", ".join(f"{k}={v!r}" for k, v in event.arguments.items())
                show(("tool   ", "yellow"), f"{event.name}({arguments})")
            case events.ToolFinished():
                mark = "→" if event.ok else ("✗", "red")
                show("       ", mark, f" {event.output} ", (f"{event.ms:.0f} ms", "dim"))
            case events.UtteranceStarted():
                self._kinds[event.utterance] = event.kind
            case events.UtteranceFinished() if event.text:
                filler = self._kinds.get(event.utterance) == "filler"
                who = ("agent  ", "dim" if filler else "bold green")
                show(who, event.text, (" (filler)" if filler else "", "dim"))
            case events.Waterfall() if event.marks:
                _draw(event)
            case events.ErrorOccurred():
                show((f"{event.source}: ", "red"), event.detail or event.message, to=err)
            case events.SessionEnded():
                _show_end(event)
            case _:
                pass


def _draw(waterfall: events.Waterfall, width: int = 40) -> None:
    """Each mark as a bar from the end of the user's speech."""
    longest = max(1.0, *waterfall.marks.values())
    for name, ms in waterfall.marks.items():
        bar = "━" * max(1, round(width * max(ms, 0) / longest))
        show((f"       {name.replace('_', ' '):<20}{ms:7.0f} ms  {bar}", "dim"))


# -- chat --------------------------------------------------------------------------


@calls.command()
def chat(
    persona: PersonaName = "concierge",
    engine: EngineName = "",
    model: Model = None,
    light: Light = False,
    base_url: BaseUrl = None,
    api_key: ApiKey = None,
    thinker: OfThinker = None,
    config: ConfigFile = None,
) -> None:
    """Type instead of speaking. An empty line or Ctrl-D ends it."""
    said = Said(config, engine, model, light, base_url, api_key, thinker)
    agent = make_agent(persona, said, silent=True)
    agent.on_progress(progress)
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    asyncio.run(_chat(agent))


class _Typist:
    """Prints the agent's words as they come."""

    def __call__(self, session_id: str, event: events.Event) -> None:
        match event:
            case events.SpokenText():
                show(event.text, end="")
            case events.UtteranceFinished():
                show()
            case events.ToolFinished():
                show((f"{event.name} ", "yellow"), (event.output, "dim"))
            case events.ErrorOccurred():
                show((f"{event.source}: ", "red"), event.detail or event.message, to=err)
            case events.SessionEnded():
                _show_end(event)
            case _:
                pass


async def _chat(agent: Agent) -> None:
    async with agent:
        line = InProcessTransport()
        session = agent.session(line, observers=[_Typist()])
        async with asyncio.TaskGroup() as tasks:
            call = tasks.create_task(session.run())
            done = await _reply_after(line, 0) if session.greets else 0
            while text := await _typed(line, call):
                line.put(AddItem(user(text)))
                line.put(ReplyRequest())
                done = await _reply_after(line, done)
            line.hang_up()


async def _typed(line: InProcessTransport, call: asyncio.Task[None]) -> str:
    """The next line; empty at the end of the input, and when the call ends first."""
    if _is_over(line):
        return ""
    typing = asyncio.get_running_loop().run_in_executor(DaemonThreads("keyboard"), _prompt)
    await asyncio.wait((typing, call), return_when=asyncio.FIRST_COMPLETED)
    return "" if call.done() else await typing


def _prompt() -> str:
    """Not ``input``: a process that ends while it waits for a pipe is aborted."""
    show("> ", end="")
    return sys.stdin.readline().strip()
