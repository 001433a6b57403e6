"""The agent's own voice, come back."""

from __future__ import annotations

from difflib import SequenceMatcher

import numpy as np
import pytest
from numpy.typing import NDArray

from omni_agent.audio import AudioFrame, resample
from omni_agent.hearing.echo import is_echo, is_short, resounds

WEATHER = "The weather in Oslo is sunny with a light wind from the west."


@pytest.mark.parametrize(
    ("heard", "spoken"),
    [
        ("Oslo is sunny with a light wind", WEATHER),
        ("Oslo.", WEATHER),
        ("light wind", WEATHER),
        ("Light wind. Light wind.", WEATHER),
        ("the weather in Oslo is sunny with a light", WEATHER),
        ("The whether in Oslo is sunny.", WEATHER),
        ("It's 24 degrees outside now.", "It is twenty-four degrees outside now."),
        ("Okay, room 12.", "OK, room twelve."),
        ("Straße", "Die Strasse ist frei."),
        ("今日は晴れ", "今日は晴れです。"),
        ("晴れです", "今日は晴れです。気温は二十度です。"),
        ("明天天气很好", "好的，明天天气很好，适合出门。"),
        ("明天天汽很好。", "好的，明天天气很好，适合出门。"),
    ],
)
def test_the_agent_s_own_words_are_an_echo_however_they_are_spelled(
    heard: str, spoken: str
) -> None:
    assert is_echo(heard, spoken)


@pytest.mark.parametrize(
    ("heard", "spoken"),
    [
        ("what about Bergen tomorrow", WEATHER),
        ("No, not in Oslo, I said Bergen.", WEATHER),
        ("Is it cold?", WEATHER),
        ("后天会下雨吗", "好的，明天天气很好，适合出门。"),
        ("じゃあ傘はいりますか", "今日は晴れです。気温は二十度です。"),
        ("Oslo", ""),
        ("", WEATHER),
    ],
)
def test_what_a_user_says_against_it_is_not(heard: str, spoken: str) -> None:
    assert not is_echo(heard, spoken)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("Twelve?", True), ("light wind", True), ("is it cold", False), ("", True),
        ("好的。", True), ("明天天气", True), ("明天天气很好", False), ("うん、はい", True),
    ],
)  # fmt: skip
def test_one_or_two_words_are_short_with_spaces_between_them_or_without(
    text: str, short: bool
) -> None:
    assert is_short(text) is short


NUMBERS = [f"{tens}{ones}" for tens in ("twenty", "thirty", "forty") for ones in "abcdefghij"]
STORY = " ".join(f"{a} {b} was here." for a in NUMBERS for b in NUMBERS)
QUESTIONS = [
    ("what I want to know is when the museum opens " * 4, False),
    ("what I want to know, " * 400, False),
    (STORY[-200:-100] + " what I want to know is when the museum opens", False),
    (STORY[-200:], True),
    ("what I want to know is when it opens " + STORY[-200:].replace(".", ""), False),
    ("twentya " * 1000, False),
    (" ".join(f"{one}." for one in "abcdefghijklmnopqrstuvwxyz" * 3), False),
]


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Letters of each stretch that was compared."""
    letters: list[int] = []
    set_first = SequenceMatcher.set_seq1

    def counted(matcher: SequenceMatcher[str], stretch: str) -> None:
        letters.append(len(stretch))
        set_first(matcher, stretch)

    monkeypatch.setattr(SequenceMatcher, "set_seq1", counted)
    return letters


@pytest.mark.parametrize(("heard", "echo"), QUESTIONS)
def test_long_words_over_a_long_answer_take_few_comparisons(
    heard: str, echo: bool, compared: list[int]
) -> None:
    assert is_echo(heard, STORY) is echo
    assert sum(compared) < 40_000


def test_many_short_sentences_take_no_more(compared: list[int]) -> None:
    assert is_echo("a. " * 80, " ".join(map(str, range(100))) + " a b b a" * 25)
    assert len(compared) < 3000


def voice(seed: int, seconds: float, rate: int = 24_000) -> AudioFrame:
    """Something like speech: pulses of a pitch that glides, through changing resonances."""
    rng = np.random.default_rng(seed)
    samples = int(seconds * rate)
    steps = samples // (rate // 8) + 2
    places = np.linspace(0, steps - 1, samples)

    def glide(low: float, high: float) -> NDArray[np.float64]:
        return np.interp(places, np.arange(steps), rng.uniform(low, high, steps))

    phases = [2 * np.pi * np.cumsum(glide(low, high)) / rate for low, high in FORMANTS]
    pulses = np.clip(np.sin(2 * np.pi * np.cumsum(glide(90, 160)) / rate), 0, 1) ** 8
    loudness = np.clip(glide(-0.3, 1), 0, 1)
    wave = pulses * sum(np.sin(phase) for phase in phases) * loudness * 4000
    return AudioFrame(wave.astype(np.int16), rate)


FORMANTS = ((300, 800), (900, 2200), (2300, 3200))


def come_back(played: AudioFrame, begin_s: float, seconds: float, *, seed: int = 0) -> AudioFrame:
    """A stretch of it from a small room's microphone, at 16 kHz."""
    rng = np.random.default_rng(seed)
    pcm = resample(played, 16_000).pcm[int(begin_s * 16_000) : int((begin_s + seconds) * 16_000)]
    room = rng.normal(0, 1, 3200) * np.exp(-6.9 * np.arange(3200) / 3200)
    room[0] = 2 * np.sqrt(np.sum(room**2))
    wet = np.convolve(pcm.astype(float), room / np.abs(room).max())[: len(pcm)] * 0.3
    silence = np.zeros(4000)
    return AudioFrame(
        (np.concatenate([silence, wet]) + rng.normal(0, 10, len(wet) + 4000)).astype(np.int16),
        16_000,
    )


@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.5])
@pytest.mark.parametrize("begin_s", [0.0, 0.8, 1.3])
def test_what_was_played_is_known_when_it_comes_back(begin_s: float, seconds: float) -> None:
    played = voice(1, 4)
    assert resounds(come_back(played, begin_s, seconds), [played])


@pytest.mark.parametrize("seed", range(2, 12))
def test_another_voice_is_not_the_agent_s(seed: int) -> None:
    assert not resounds(come_back(voice(seed, 4), 0.5, 1), [voice(1, 4)])


def test_who_speaks_after_the_echo_is_not_the_agent() -> None:
    played, user = voice(1, 4), voice(2, 4)
    echo, words = come_back(played, 1, 1), come_back(user, 1, 1)
    both = AudioFrame(np.concatenate([echo.pcm, words.pcm]), 16_000)
    assert not resounds(both, [played])


def test_what_is_longer_than_what_was_played_is_not_compared_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    transformed: list[int] = []
    rfft = np.fft.rfft

    def counted(samples: NDArray[np.float32], size: int) -> NDArray[np.complex128]:
        transformed.append(len(samples))
        return rfft(samples, size)

    monkeypatch.setattr(np.fft, "rfft", counted)
    played = voice(1, 4)
    again = AudioFrame(np.tile(resample(played, 16_000).pcm, 7), 16_000)
    assert not resounds(again, [played])
    assert transformed == []
    assert resounds(come_back(played, 0, 4), [played])
    assert sum(length >= 4 * 8000 for length in transformed) == 1  # what was played, once
    assert len(transformed) <= 9


def test_nothing_is_an_echo_of_silence() -> None:
    assert not resounds(AudioFrame.silence(1, 16_000), [])
    assert not resounds(come_back(voice(1, 4), 0, 1), [AudioFrame.silence(4, 24_000)])
    assert not resounds(AudioFrame.silence(1, 16_000), [voice(1, 4)])
