"""Utterances as WAV in base64."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np

from omni_agent.audio import AudioFrame, read_wav
from omni_agent.engines.remote.recordings import Recordings


def noise(samples: int, seed: int = 0) -> AudioFrame:
    pcm = np.random.default_rng(seed).integers(-32768, 32768, samples)
    return AudioFrame(pcm.astype(np.int16), 16_000)


def test_what_is_sent_is_the_utterance_to_the_sample(tmp_path: Path) -> None:
    audio = noise(1234)
    path = tmp_path / "sent.wav"
    path.write_bytes(base64.b64decode(Recordings().encoded("item", 0, audio)))
    sent = read_wav(path)
    assert sent.sample_rate == 16_000
    assert np.array_equal(sent.pcm, audio.pcm)


def test_an_utterance_is_encoded_once_as_long_as_it_stays_the_same() -> None:
    recordings = Recordings()
    first = recordings.encoded("item", 0, noise(100))
    assert recordings.encoded("item", 0, noise(100)) is first
    assert recordings.encoded("item", 1, noise(100)) is not first
    grown = recordings.encoded("item", 0, noise(200))
    assert len(grown) > len(first)


def test_only_so_much_is_remembered_and_what_was_used_last_is() -> None:
    size = len(Recordings().encoded("x", 0, noise(1000)))
    recordings = Recordings(remembered=2 * size)
    kept, dropped = (recordings.encoded(name, 0, noise(1000)) for name in ("kept", "dropped"))
    assert recordings.encoded("kept", 0, noise(1000)) is kept
    recordings.encoded("new", 0, noise(1000))
    assert recordings.encoded("kept", 0, noise(1000)) is kept
    assert recordings.encoded("dropped", 0, noise(1000)) is not dropped


def test_a_recording_too_long_to_remember_is_sent_all_the_same() -> None:
    assert len(Recordings(remembered=10).encoded("item", 0, noise(1000))) > 2000
