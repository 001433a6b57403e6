"""Commands that hold a conversation, or a part of one, without a browser."""

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
from omni_agent.audio import AudioFrame, concatenate, read_wav, resample, write_wav
from omni_agent.cli.options import (
    ApiKey,
    BaseUrl,
    EngineName,
    Light,
    Model,
    PersonaName,
    make_agent,
)
from omni_agent.cli.printing import err, progress, show
from omni_agent.ears import EAR_RATE, PickyEars
from omni_agent.errors import ConfigError, EngineError
from omni_agent.hookspecs import EngineOptions
from omni_agent.in_process import InProcessTransport
from omni_agent.registry import Registry
from omni_agent.session import Session
from omni_agent.streams import closing, one
from omni_agent.talker import PickyTalker, Voice
from omni_agent.threads import DaemonThreads
from omni_agent.transport import ReplyRequest, UserText

calls = typer.Typer()


def _wav(path: Path | str) -> AudioFrame:
    try:
        return read_wav(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder, not a WAV file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _check_output(path: Path) -> None:
    """Raises ConfigError for a file that cannot be written, before anything is spent on it."""
    if path.is_dir():
        raise ConfigError(f"{path} is a folder: name a file (--output)")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent} (--output)")


def _write(path: Path, frames: list[AudioFrame]) -> AudioFrame:
    """Raises EngineError where there is nothing to write, ConfigError where it cannot be."""
    if not any(frame.samples for frame in frames):
        raise EngineError(f"nothing was voiced: there is no {path}")
    sound = concatenate(frames, frames[0].sample_rate)
    try:
        write_wav(path, sound)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror} (--output)") from error
    return sound


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
    engine: EngineName = "local",
    model: Model = None,
    light: Light = False,
    base_url: BaseUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Hold a call with itself: spoken questions in, spoken answers to reply.wav."""
    _check_output(output)
    shipped = sorted(str(path) for path in (files("omni_agent") / "_demo").iterdir())
    questions = [_wav(path) for path in (question or shipped)]
    agent = make_agent(persona, engine, model, light, base_url, api_key)
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
    answer = _write(output, line.recording())
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
    engine: EngineName = "local",
    model: Model = None,
    light: Light = False,
    base_url: BaseUrl = None,
    api_key: ApiKey = None,
) -> None:
    """Type instead of speaking. An empty line or Ctrl-D ends it."""
    agent = make_agent(persona, engine, model, light, base_url, api_key, silent=True)
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
                line.put(UserText(text))
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


# -- say and listen ------------------------------------------------------------------


@calls.command()
def say(
    text: Annotated[str, typer.Argument(help="What to say.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The WAV file to write.")] = Path(
        "said.wav"
    ),
    voice: Annotated[str | None, typer.Option(help="A voice of the engine.")] = None,
    prompt: Annotated[str, typer.Option(help="How to say it, as a persona's Talker prompt.")] = "",
    speed: Annotated[float | None, typer.Option(min=0.5, max=2.0)] = None,
    engine: EngineName = "local",
) -> None:
    """Speak a text into a WAV file."""
    if not text.strip():
        raise ConfigError("there is nothing to say: the text is empty")
    _check_output(output)
    frames = asyncio.run(_say(text, Voice(prompt=prompt, speaker=voice, speed=speed), engine))
    spoken = _write(output, frames)
    show(f"{output}: {spoken.seconds:.1f} s")


async def _say(text: str, voice: Voice, engine: str) -> list[AudioFrame]:
    talker = await Registry().talker(engine)(EngineOptions(report=progress))
    try:
        if isinstance(talker, PickyTalker):
            _check_voice(talker, voice)
        async with closing(talker.speak(one(text), voice)) as speech:
            return [piece.audio async for piece in speech]
    finally:
        await talker.aclose()


def _check_voice(talker: PickyTalker, voice: Voice) -> None:
    """Say what becomes of a voice that is not installed. Raises ConfigError for an unknown one."""
    if voice.speaker is not None and voice.speaker.strip().lower() not in talker.voices:
        known = ", ".join(sorted(talker.voices))
        raise ConfigError(f"there is no voice {voice.speaker!r}; known are {known}")
    for objection in talker.objections(voice):
        show((objection, "yellow"), to=err)


@calls.command()
def listen(
    file: Annotated[Path, typer.Argument(help="A 16-bit PCM WAV file.")],
    language: Annotated[str, typer.Option(help="BCP 47 tag.")] = "en",
    engine: EngineName = "local",
    light: Light = False,
) -> None:
    """Transcribe a WAV file, a line for each turn."""
    audio = resample(_wav(file), EAR_RATE)
    asyncio.run(_listen(audio, language, engine, light))


async def _listen(audio: AudioFrame, language: str, engine: str, light: bool) -> None:
    from omni_agent.listening import HearingFailed, Listener, TurnOver
    from omni_agent.turns import TurnTiming

    ears = await Registry().ears(engine)(EngineOptions(light=light, report=progress))
    try:
        if isinstance(ears, PickyEars) and (why := ears.objection(language)):
            raise ConfigError(why)
        async with asyncio.TaskGroup() as tasks:
            listener = Listener(ears, TurnTiming(), language, tasks.create_task)
            for frame in _frames(audio):
                await listener.push(frame)
            async for heard in listener.heard_so_far():
                match heard:
                    case TurnOver(turn, transcript) if transcript.text:
                        began, ended = turn.began_ms / 1000, turn.ended_ms / 1000
                        show((f"{began:6.2f}–{ended:6.2f}  ", "dim"), transcript.text)
                    case HearingFailed(_, error):
                        raise error
                    case _:
                        pass
            await listener.aclose()
    finally:
        await ears.aclose()


def _frames(audio: AudioFrame, ms: int = 20) -> list[AudioFrame]:
    """The audio in pieces, with enough silence after it to end a turn."""
    whole = concatenate([audio, AudioFrame.silence(2.0, audio.sample_rate)], audio.sample_rate)
    size = audio.sample_rate * ms // 1000
    return [
        AudioFrame(whole.pcm[at : at + size], audio.sample_rate, at)
        for at in range(0, whole.samples, size)
    ]
