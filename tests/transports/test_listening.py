"""Hearing the user: frames without gaps, whatever the line does."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import av
import numpy as np
import pytest
from omni_agent_webrtc.listening import Listener
from omni_agent_webrtc.opus import FRAME, LINE_RATE, OpusEncoder
from omni_agent_webrtc.reorder import RtpAudio

from omni_agent.audio import AudioFrame, Pcm
from omni_agent.lines.credit import AHEAD_S, FASTEST


def tone(hz: float, seconds: float, rate: int) -> Pcm:
    wave = 8000 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)
    return wave.astype(np.int16)


def packets(audio: Pcm) -> list[RtpAudio]:
    encoder = OpusEncoder()
    return [
        RtpAudio(i, 960 * i, bytes(encoder.encode(audio[FRAME * i : FRAME * (i + 1)], i)))
        for i in range(len(audio) // FRAME)
    ]


def packets_with_fec(audio: Pcm) -> list[RtpAudio]:
    """As a browser sends them once it knows that packets are lost."""
    codec: Any = av.CodecContext.create("libopus", "w")
    codec.bit_rate, codec.format, codec.layout, codec.sample_rate = 24_000, "s16", "mono", LINE_RATE
    codec.options = {"application": "voip", "fec": "1", "packet_loss": "30"}
    payloads = []
    for at in range(0, len(audio) - FRAME + 1, FRAME):
        frame = av.AudioFrame.from_ndarray(audio[None, at : at + FRAME], "s16", "mono")
        frame.sample_rate, frame.pts = LINE_RATE, at
        payloads += [bytes(packet) for packet in codec.encode(frame)]
    return [RtpAudio(i, 960 * i, payload) for i, payload in enumerate(payloads)]


def heard(sent: list[RtpAudio], *, lost: Collection[int] = ()) -> list[AudioFrame]:
    listener = Listener()
    out = []
    for index, packet in enumerate(sent):
        if index not in lost:
            out += listener.push(packet, 0.02 * index)
    return out


def loudness(frames: list[AudioFrame]) -> float:
    return float(np.sqrt(np.mean(np.concatenate([f.pcm for f in frames]).astype(float) ** 2)))


def test_frames_are_20_ms_at_16_khz_and_their_positions_are_gapless() -> None:
    listener = Listener()
    frames = [
        frame
        for index, packet in enumerate(packets(tone(440, 1.0, LINE_RATE)))
        for frame in listener.push(packet, 0.02 * index)
    ]
    assert {(frame.samples, frame.sample_rate) for frame in frames} == {(320, 16_000)}
    assert [frame.position for frame in frames] == [320 * i for i in range(len(frames))]
    assert len(frames) == 50  # each packet gives its frame at once
    heard = np.concatenate([frame.pcm for frame in frames[5:]]).astype(float)
    peak = np.abs(np.fft.rfft(heard)).argmax() * 16_000 / len(heard)
    assert peak == pytest.approx(440, abs=5)


def test_a_lost_packet_is_concealed_and_time_stays_whole() -> None:
    sent = packets(tone(440, 1.0, LINE_RATE))
    whole, holed = heard(sent), heard(sent, lost={20, 21})
    assert [f.position for f in holed] == [f.position for f in whole]
    assert loudness(holed[20:22]) > loudness(whole[20:22]) / 2


def test_a_lost_packet_is_heard_from_the_copy_in_the_next() -> None:
    """The tone begins within the lost packet: nothing that came before could tell of it."""
    audio = np.concatenate([np.zeros(20 * FRAME, np.int16), tone(300, 0.4, LINE_RATE)])
    with_copy, without = packets_with_fec(audio), packets(audio)
    first = next(i for i, f in enumerate(heard(with_copy)) if loudness([f]) > 500)
    sent = loudness(heard(with_copy)[first : first + 1])
    assert loudness(heard(with_copy, lost={first})[first : first + 1]) > sent / 3
    assert loudness(heard(without, lost={first})[first : first + 1]) < sent / 3


def test_a_long_hole_fades_and_is_kept_short() -> None:
    sent = packets(tone(440, 3.0, LINE_RATE))
    frames = heard(sent, lost=range(20, 120))
    assert len(frames) == len(sent) - 100 + 10  # 2 s are lost and 200 ms of them stay
    assert loudness(frames[29:30]) < loudness(frames[10:20]) / 20


def test_without_libopus_lost_time_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omni_agent_webrtc.opus.library", lambda: None)
    frames = heard(packets(tone(440, 1.0, LINE_RATE)), lost={20, 21})
    assert len(frames) == 50
    assert loudness(frames[10:20]) > 3000
    middle = np.concatenate([f.pcm for f in frames])[20 * 320 + 160 : 22 * 320 - 160]
    assert not middle.any()


def test_audio_is_never_faster_than_real_time() -> None:
    """A client that claims 200 ms of lost time with every packet, or floods, gains nothing."""
    payload = packets(tone(440, 0.1, LINE_RATE))[0].payload
    for stride, a_second in ((960 * 11, 50), (960, 1000)):
        listener = Listener()
        samples = 0
        for index in range(20 * a_second):
            packet = RtpAudio(index & 0xFFFF, stride * index & 0xFFFFFFFF, payload)
            samples += sum(f.samples for f in listener.push(packet, index / a_second))
        assert samples <= (AHEAD_S + 20 * FASTEST) * 16_000


def test_packets_that_are_no_opus_are_silence_and_never_an_error() -> None:
    listener = Listener()
    rng = np.random.default_rng(5)
    frames = []
    for index in range(50):
        packet = RtpAudio(index, 960 * index, b"\x48" + rng.bytes(30))
        frames += listener.push(packet, 0.02 * index)
    assert sum(frame.samples for frame in frames) == 50 * 320
