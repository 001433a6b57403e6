"""Utterances as chat servers take them: WAV in base64, each encoded once."""

from __future__ import annotations

import base64
import io
import wave
from collections import OrderedDict

from omni_agent.audio import AudioFrame

_REMEMBERED = 32 << 20
"""Characters kept: twelve minutes of 16 kHz speech, so that many calls share it."""


class Recordings:
    """Remembers the encodings used last, up to a bound; what is forgotten is encoded anew."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        """remembered: characters, over all recordings."""
        self._remembered, self._size = remembered, 0
        self._encoded: OrderedDict[tuple[str, int, int], str] = OrderedDict()

    def encoded(self, message_id: str, part: int, audio: AudioFrame) -> str:
        """The ``part``-th part of a message as base64 of a 16-bit mono WAV file.

        A turn keeps its id while it grows, so its length is part of the key.
        """
        key = (message_id, part, audio.samples)
        if key in self._encoded:
            self._encoded.move_to_end(key)
            return self._encoded[key]
        data = self._encoded[key] = base64.b64encode(wav(audio)).decode()
        self._size += len(data)
        while self._size > self._remembered and len(self._encoded) > 1:
            self._size -= len(self._encoded.popitem(last=False)[1])
        return data


def wav(audio: AudioFrame) -> bytes:
    """A 16-bit mono WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(audio.sample_rate)
        writer.writeframes(audio.pcm.astype("<i2").tobytes())
    return file.getvalue()
