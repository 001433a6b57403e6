"""Commands that use one stage by itself: ``say`` speaks, ``listen`` transcribes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from omni_agent.audio import AudioFrame, concatenate, resample
from omni_agent.cli.config import ConfigFile
from omni_agent.cli.engines import Said
from omni_agent.cli.options import EngineName, Light, Model, OfEars, OfTalker
from omni_agent.cli.printing import err, show
from omni_agent.cli.sounds import check_writable, read_sound, write_sound
from omni_agent.ears import EAR_RATE, Ears, PickyEars
from omni_agent.engine import StageName
from omni_agent.errors import ConfigError
from omni_agent.registry.registry import Registry
from omni_agent.streams import closing, one
from omni_agent.talker import PickyTalker, Talker, Voice

stages = typer.Typer()


async def _started(stage: StageName, said: Said) -> Any:
    """One stage, by itself."""
    registry = Registry()
    options = said.lineup(registry, stage).roles[stage].options
    return await registry.engines.start(stage, options)


@stages.command()
def say(
    text: Annotated[str, typer.Argument(help="What to say.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The WAV file to write.")] = Path(
        "said.wav"
    ),
    voice: Annotated[str | None, typer.Option(help="A voice of the engine.")] = None,
    prompt: Annotated[str, typer.Option(help="How to say it, as a persona's Talker prompt.")] = "",
    speed: Annotated[float | None, typer.Option(min=0.5, max=2.0)] = None,
    language: Annotated[str, typer.Option(help="BCP 47 tag: how numbers are said.")] = "en",
    engine: EngineName = "",
    model: Model = None,
    talker: OfTalker = None,
    config: ConfigFile = None,
) -> None:
    """Speak a text into a WAV file."""
    if not text.strip():
        raise ConfigError("there is nothing to say: the text is empty")
    check_writable(output)
    said = Said(config, engine, model, talker=talker)
    how = Voice(prompt=prompt, speaker=voice, language=language, speed=speed)
    frames = asyncio.run(_say(text, how, said))
    spoken = write_sound(output, frames)
    show(f"{output}: {spoken.seconds:.1f} s")


async def _say(text: str, voice: Voice, said: Said) -> list[AudioFrame]:
    talker: Talker = await _started("talker", said)
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


@stages.command()
def listen(
    file: Annotated[Path, typer.Argument(help="A 16-bit PCM WAV file.")],
    language: Annotated[str, typer.Option(help="BCP 47 tag.")] = "en",
    engine: EngineName = "",
    light: Light = False,
    ears: OfEars = None,
    config: ConfigFile = None,
) -> None:
    """Transcribe a WAV file, a line for each turn."""
    audio = resample(read_sound(file), EAR_RATE)
    asyncio.run(_listen(audio, language, Said(config, engine, light=light, ears=ears)))


async def _listen(audio: AudioFrame, language: str, said: Said) -> None:
    from omni_agent.hearing.account import Account
    from omni_agent.hearing.heard import HearingFailed, TurnOver
    from omni_agent.hearing.listener import Listener
    from omni_agent.hearing.manners import manners_in
    from omni_agent.hearing.policy import TurnPolicy

    ears: Ears = await _started("ears", said)
    try:
        if isinstance(ears, PickyEars) and (why := ears.objection(language)):
            raise ConfigError(why)
        async with asyncio.TaskGroup() as tasks:
            policy = TurnPolicy(language=language, manners=manners_in(language))
            account = Account(tasks.create_task)
            listener = Listener(ears, policy, account)
            for frame in _frames(audio):
                await listener.push(frame)
            async with closing(account.heard_so_far()) as everything:
                async for heard in everything:
                    match heard:
                        case TurnOver(turn, transcript) if transcript and transcript.text:
                            began, ended = turn.began_ms / 1000, turn.ended_ms / 1000
                            show((f"{began:6.2f}–{ended:6.2f}  ", "dim"), transcript.text)
                        case HearingFailed(error):
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
