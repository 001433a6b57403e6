"""The voice: streamed by clause, positions that map to words, and what its prompt asks for."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from omni_agent.audio import AudioFrame, concatenate, resample
from omni_agent.call.utterance import Utterance
from omni_agent.engines.local.ears import LocalEars
from omni_agent.engines.local.manner import Manner, manner
from omni_agent.engines.local.talker import LocalTalker
from omni_agent.errors import EngineError
from omni_agent.talker import Speech, Voice
from tests.clocks import until

in_module = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def talker() -> AsyncIterator[LocalTalker]:
    started = await LocalTalker.start()
    yield started
    await started.aclose()


async def pieces_of(text: str, size: int = 5) -> AsyncIterator[str]:
    for at in range(0, len(text), size):
        yield text[at : at + size]


async def speak(talker: LocalTalker, text: str, voice: Voice | None = None) -> list[Speech]:
    return [speech async for speech in talker.speak(pieces_of(text), voice or Voice())]


def whole(speech: list[Speech]) -> AudioFrame:
    return concatenate([piece.audio for piece in speech], 24_000)


@pytest.fixture
def absent(talker: LocalTalker) -> None:
    """Nothing to be told apart where somebody fetched the other voices."""
    if any(there for name, there in talker._installed.items() if name != "heart"):
        pytest.skip("voices beyond the one in hibari's package are installed")


def pitch(audio: AudioFrame) -> float:
    """Median pitch of the voiced parts, Hz, by autocorrelation."""
    samples, rate = audio.pcm.astype(np.float64), audio.sample_rate
    found = []
    for at in range(0, len(samples) - 1200, 600):
        part = samples[at : at + 1200] - samples[at : at + 1200].mean()
        correlation = np.correlate(part, part, "full")[1199:]
        lag = rate // 400 + int(correlation[rate // 400 : rate // 70].argmax())
        if np.sqrt((part**2).mean()) > 600 and correlation[lag] > 0.5 * correlation[0]:
            found.append(rate / lag)
    return float(np.median(found))


TEXT = "Sure, it is set. The timer rings in ten minutes, and then you can take out the bread! Fine"


@in_module
async def test_positions_never_go_back_and_reach_the_end(talker: LocalTalker) -> None:
    speech = await speak(talker, TEXT)
    ends = [piece.text_end for piece in speech]
    assert ends == sorted(ends)
    assert ends[-1] == len(TEXT)
    assert max(b - a for a, b in itertools.pairwise(ends)) <= 6
    assert all(0 < piece.audio.seconds <= 0.1 for piece in speech)
    starts = [piece.audio.position for piece in speech]
    assert starts == list(np.cumsum([0, *(piece.audio.samples for piece in speech)])[:-1])


@in_module
async def test_an_amount_is_heard_when_its_last_word_is_out(talker: LocalTalker) -> None:
    text = "So it costs $1,250.50 today, sir."
    voiced = Utterance("1", "answer", text)
    for speech in await speak(talker, text):
        voiced.extend(speech)
    heard = [voiced.heard_text(ms) for ms in range(0, round(voiced.ms) + 41, 40)]
    kept = [text for text, _ in itertools.groupby(heard)]
    assert kept == ["", "So", "So it", "So it costs", "So it costs $1,250.50",
                    "So it costs $1,250.50 today,", text]  # fmt: skip
    spent = [heard.count(text) for text in kept]
    assert spent[3] > 2 * max(spent[1:3] + spent[4:-1])


@in_module
async def test_speech_begins_at_once_and_is_loud_enough(talker: LocalTalker) -> None:
    audio = whole(await speak(talker, "Yes, of course."))
    assert np.abs(audio.pcm[: 24_000 // 10]).max() > 1000
    assert np.abs(audio.pcm).max() > 5000


@in_module
async def test_the_first_clause_is_voiced_while_the_text_is_still_coming(
    talker: LocalTalker,
) -> None:
    more = asyncio.Event()

    async def text() -> AsyncIterator[str]:
        yield "Sure, "
        await more.wait()
        yield "here it is."

    stream = aiter(talker.speak(text(), Voice()))
    assert (await anext(stream)).text_end <= len("Sure, ")
    more.set()
    assert [speech async for speech in stream][-1].text_end == len("Sure, here it is.")


@in_module
async def test_a_stream_stalls_with_its_text_and_others_go_on(talker: LocalTalker) -> None:
    async def stalled() -> AsyncIterator[str]:
        yield "One "
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(anext(aiter(talker.speak(stalled(), Voice()))))  # type: ignore[arg-type]  # anext gives a coroutine here
        assert await speak(talker, "I can speak.")
        assert not waiting.done()
        waiting.cancel()


@in_module
async def test_streams_at_the_same_time_take_turns(talker: LocalTalker) -> None:
    order: list[str] = []

    async def run(name: str) -> None:
        async for _ in talker.speak(pieces_of("One thing is this. " * 6, 40), Voice()):
            if not order or order[-1] != name:
                order.append(name)

    await asyncio.gather(run("a"), run("b"))
    assert len(order) >= 6


@in_module
@pytest.mark.parametrize("text", ["", "   ", "…", "!?"])
async def test_text_with_nothing_to_say_makes_no_sound(talker: LocalTalker, text: str) -> None:
    speech = await speak(talker, text)
    assert not whole(speech).pcm.any()
    assert [piece.text_end for piece in speech] == ([len(text)] if text else [])


@in_module
async def test_speed_and_pauses_are_obeyed(talker: LocalTalker) -> None:
    text = "This is a sentence. And this is another one."
    plain = whole(await speak(talker, text)).seconds
    fast = whole(await speak(talker, text, Voice(speed=1.5))).seconds
    paused = whole(await speak(talker, text, Voice(pause_ms=1000))).seconds
    assert fast < 0.8 * plain
    assert paused == pytest.approx(plain + 1.0, abs=0.15)


@in_module
async def test_a_voice_that_hangs_is_told_and_replaced(talker: LocalTalker) -> None:
    assert talker.worker.pid
    os.kill(talker.worker.pid, signal.SIGSTOP)
    with pytest.raises(EngineError, match=r"voice: .*no sign of life"):
        await speak(talker, "Hello.")
    await until(lambda: not talker.trouble)
    assert whole(await speak(talker, "Hello.")).seconds > 0.2


@in_module
async def test_a_voice_that_is_not_there_is_told_from_the_default_one(
    talker: LocalTalker, absent: None
) -> None:
    said = "Good evening, front desk. How can I help you tonight?"
    heights = {}
    for name in ("Ethan", "aiden", "chelsie", "emma", "nobody"):
        audio = whole(await speak(talker, said, Voice(speaker=name)))
        heights[name] = pitch(audio)
    assert heights["Ethan"] < heights["aiden"] - 8 < heights["chelsie"] - 16
    assert heights["emma"] > heights["chelsie"] + 3
    assert heights["nobody"] == pytest.approx(heights["chelsie"], abs=4)


@in_module
async def test_a_persona_asks_for_a_low_voice_and_keeps_its_tempo(talker: LocalTalker) -> None:
    text = "This is a sentence. And this is another one."
    plain = whole(await speak(talker, text))
    low = whole(await speak(talker, text, Voice(prompt="A low, even voice.")))
    assert pitch(low) < pitch(plain) - 6
    assert low.seconds == pytest.approx(plain.seconds, rel=0.06)


@in_module
@pytest.mark.parametrize(
    ("voice", "words"),
    [
        (Voice(speaker="heart"), []),
        (Voice(speaker="Chelsie", language="en-GB"), []),
        (
            Voice(speaker="Ethan"),
            ["'Ethan' (here 'fenrir') is not installed", "lower", "hibari --voice fenrir"],
        ),
        (Voice(speaker="emma"), ["'emma' is not installed", "higher"]),
        (Voice(speaker="nobody"), ["no voice 'nobody'", "choose one of aiden, british, "]),
        (Voice(language="pt-BR"), ["speaks English only", "'pt-BR'", "engine"]),
    ],
)
async def test_what_it_cannot_do_is_known_beforehand_with_the_remedy(
    talker: LocalTalker, absent: None, voice: Voice, words: list[str]
) -> None:
    said = talker.objections(voice)
    assert len(said) == bool(words)
    for word in words:
        assert word in said[0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ears(model_path: Callable[[str], Path]) -> AsyncIterator[LocalEars]:
    started = await LocalEars.start(model_path("whisper-base"))
    yield started
    await started.aclose()


@pytest.mark.models
@in_module
@pytest.mark.parametrize(
    ("text", "heard_as"),
    [
        ("It costs $3.50 today.", ["3 50"]),
        ("It is 10:30 now.", ["10 30", "1030"]),
        ("The battery is at 72%.", ["72 percent"]),
        ("That is 3x faster than before.", ["three times", "3 times"]),
        ("The number is 391.", ["391"]),
        ("The room has 5*4 square meters.", ["5 times 4", "five times four"]),
        ("Call 555-0199 now.", ["555 0199", "5550199"]),
        ("The code is 0042, please.", ["0042", "0 0 4 2", "004 2", "zero zero four two"]),
        ("It is −5 degrees outside.", ["minus 5", "minus five"]),
        ("It costs 12,50 € today.", ["12 euros and 50", "12 50", "12 euro 50"]),
        ("It costs 20€ today.", ["20 euro", "euro 20"]),
        ("So 10 - 3 = 7 is right.", ["10 minus 3", "ten minus three"]),
        ("So 6/2 = 3 is right.", ["6 divided by 2", "six divided by two"]),
        ("He plays C# and F# well.", ["c sharp and f sharp"]),
    ],
)
async def test_numbers_come_over(
    talker: LocalTalker, ears: LocalEars, text: str, heard_as: list[str]
) -> None:
    heard = await ears.transcribe(resample(whole(await speak(talker, text)), 16_000))
    assert any(option in bare(heard.text) for option in heard_as), heard.text


def bare(heard: str) -> str:
    """What was heard, however it is spelt: "C-sharp, €20" is "c sharp euro 20"."""
    for sign, word in {r"%": " percent ", r"€": " euro ", r"(?<!\w)-(?=\d)": "minus "}.items():
        heard = re.sub(sign, word, heard)
    return " ".join(re.findall(r"\w+", heard.lower()))


@in_module
async def test_the_same_words_sound_the_same_to_the_last_bit(talker: LocalTalker) -> None:
    one, other = whole(await speak(talker, TEXT)), whole(await speak(talker, TEXT))
    assert np.array_equal(one.pcm, other.pcm)


@pytest.mark.parametrize(
    ("voice", "expected"),
    [
        (Voice(), Manner("heart", 1.0, 0)),
        (Voice(prompt="Speak slowly."), Manner("heart", 0.85, 150)),
        (Voice(prompt="Brisk and bright."), Manner("heart", 1.12, 0)),
        (Voice(prompt="Warm, but not slow."), Manner("heart", 0.98, 40)),
        (Voice(prompt="Slowly.", speed=1.3, pause_ms=5), Manner("heart", 1.3, 5)),
        (Voice(prompt="A low evening voice."), Manner("heart", 1.0, 0, 0.94)),
        (Voice(prompt="Low, but not a deep voice."), Manner("heart", 1.0, 0)),
        (Voice(speaker="Ethan"), Manner("fenrir", 1.0, 0)),
        (Voice(speaker="emma", speed=9.0), Manner("emma", 2.0, 0)),
    ],
)
def test_the_prompt_sets_what_the_numbers_leave_open(voice: Voice, expected: Manner) -> None:
    assert manner(voice) == expected
