"""What a server that speaks is asked: a reply in words and sound, or to read a text aloud."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from omni_agent.audio import AudioFrame
from omni_agent.engines.remote.asking import Refusal
from omni_agent.engines.remote.deltas import ChunkReader
from omni_agent.engines.remote.question import ChatQuestion, is_own
from omni_agent.engines.remote.recordings import Recordings
from omni_agent.engines.remote.server import Server
from omni_agent.engines.vllm_omni.reader import SpokenReader
from omni_agent.engines.vllm_omni.sound import ReplySound
from omni_agent.thinker import TextDelta, ThinkRequest

log = logging.getLogger(__name__)

_SPOKEN: Mapping[str, Any] = {"modalities": ["text", "audio"], "audio": {"format": "wav"}}
"""WAV, because it says its sample rate; models other than Qwen3-Omni have others."""
_NAMES_VOICE = re.compile(r"speaker|\bvoices?\b", re.IGNORECASE)
_RECITE = (
    "You are a voice that reads aloud. Repeat the user's text word for word, in its own "
    "language. Do not answer it, add nothing, leave nothing out."
)


class NamedVoice:
    """A voice that is asked for by its name, until a server says that it has none of that name."""

    def __init__(self, speaker: str | None) -> None:
        self._speaker, self._asked = speaker, False

    def asked(self, field: str, server: Server) -> dict[str, str]:
        """The request's field for it; none where the server's own voice has to do."""
        self._asked = bool(self._speaker) and self._lack not in server.lacks
        return {field: self._speaker} if self._speaker and self._asked else {}

    def concede(self, server: Server, refusal: Refusal) -> bool:
        """True when the server refused the voice: it is asked for its own from now on."""
        if not self._asked or is_own(refusal) or not _NAMES_VOICE.search(refusal.said):
            return False
        server.spare(self._lack)
        log.warning("%s; it speaks with its own voice from now on", refusal.reason)
        return True

    @property
    def _lack(self) -> str:
        """In ``Server.lacks``: its model has no voice of this name."""
        return f"speaker {self._speaker}"


class SpokenQuestion:
    """A reply in words and sound; ``sound`` is the latest attempt's."""

    def __init__(self, model: str, request: ThinkRequest, recordings: Recordings | None) -> None:
        self._chat = ChatQuestion(model, request, recordings)
        self._voice = NamedVoice(request.speaker)
        self.sound = ReplySound()

    @property
    def key(self) -> str:
        return self._chat.key

    @property
    def needs(self) -> Collection[str]:
        return self._chat.needs

    def body(self, server: Server) -> dict[str, Any]:
        voice = self._voice.asked("speaker", server)
        return {**self._chat.body(server), **_SPOKEN, **voice}

    def reader(self, server: Server) -> SpokenReader:
        self.sound = ReplySound()
        return SpokenReader(self.sound, self._chat.reader(server))

    def concede(self, server: Server, refusal: Refusal) -> bool:
        return self._voice.concede(server, refusal) or self._chat.concede(server, refusal)


class Recital:
    """A text to be read aloud by a model that was made to answer."""

    def __init__(self, model: str, words: str, speaker: str | None) -> None:
        self._model, self._words, self._voice = model, words, NamedVoice(speaker)
        self.key = words
        self.needs: Collection[str] = ()

    def body(self, server: Server) -> dict[str, Any]:
        return {
            "model": self._model,
            "messages": [
                {"role": "system", "content": _RECITE},
                {"role": "user", "content": self._words},
            ],
            "stream": True,
            "temperature": 0.0,
            "max_tokens": len(self._words) + 64,  # tokens: no language needs one a character
            **_SPOKEN,
            **self._voice.asked("speaker", server),
        }

    def reader(self, server: Server) -> RecitalReader:
        return RecitalReader(self._words)

    def concede(self, server: Server, refusal: Refusal) -> bool:
        return self._voice.concede(server, refusal)


class RecitalReader:
    """Gives the sound of a recital once its words are known to be the right ones.

    The server writes much faster than it speaks, and voices what it writes: nothing
    is released before the text is complete, and nothing at all of another text.
    """

    def __init__(self, words: str) -> None:
        self._wanted, self._said = letters(words), ""
        self._sound = ReplySound()
        self._spoken = SpokenReader(self._sound, ChunkReader())

    @property
    def begun(self) -> bool:
        return self._spoken.begun

    @property
    def stopped(self) -> bool:
        return self._spoken.stopped

    @property
    def done(self) -> bool:
        return self._spoken.done

    def read(self, chunk: Any) -> Iterator[AudioFrame]:
        """Raises Refusal when the model says something else."""
        for thought in self._spoken.read(chunk):
            if isinstance(thought, TextDelta):
                self._said += thought.text
        if not self._wanted.startswith(letters(self._said)):
            raise self._refusal()
        if letters(self._said) == self._wanted:
            yield from self._sound.taken()

    def finish(self, *, ended: bool) -> Iterator[AudioFrame]:
        for thought in self._spoken.finish(ended=ended):
            if isinstance(thought, TextDelta):
                self._said += thought.text
        if letters(self._said) != self._wanted:
            raise self._refusal()
        yield from self._sound.taken()

    def _refusal(self) -> Refusal:
        reason = f"asked to read a text aloud, the model said something else: {self._said[:80]!r}"
        return Refusal(200, self._said, reason)


def letters(text: str) -> str:
    """What of a text is voiced: its letters and digits, whatever their case."""
    return "".join(character for character in text.casefold() if character.isalnum())
