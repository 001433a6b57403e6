"""For a Talker that reads no numbers: it is given words, and its marks become those of the text."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import replace

from omni_agent.saying.clauses import ClauseSplitter
from omni_agent.saying.said import Said
from omni_agent.saying.saying import phrasing, saying
from omni_agent.streams import closing
from omni_agent.talker import Speech, Voice

Speak = Callable[[AsyncIterator[str], Voice], AsyncIterator[Speech]]
Say = Callable[[str], Said]


async def in_words(
    speak: Speak, text: AsyncIterator[str], voice: Voice
) -> AsyncGenerator[Speech, None]:
    """``speak``, as a Talker has it, of what is said for ``text``, clause by clause.

    A Talker's own method is then ``def speak(self, text, voice): return
    in_words(self._speak, text, voice)``. A language without a file is spoken as it is written.
    Raises EngineUnavailable where num2words is not installed.
    """
    known = saying(voice.language)
    say = known.say if known else Said.as_written
    words = Wording(say, ClauseSplitter(phrasing(voice.language)))
    async with closing(words.of(text)) as said, closing(speak(said, voice)) as stream:
        async for speech in stream:
            yield replace(speech, text_end=words.written(speech.text_end))


class Wording:
    """A stream of text in words, and the way back from these."""

    def __init__(self, say: Say, clauses: ClauseSplitter) -> None:
        self._say, self._clauses = say, clauses
        self._reach: list[int] = []
        self._passed = 0
        """Written characters that have been put in words."""

    async def of(self, text: AsyncIterator[str]) -> AsyncGenerator[str, None]:
        """However ``text`` is cut, the words are the same."""
        async for piece in text:
            for clause in self._clauses.push(piece):
                yield self._worded(self._say(clause.text))
        if rest := self._clauses.flush():
            yield self._worded(self._say(rest.text))
        elif silent := self._clauses.held:
            yield self._worded(Said.as_written(silent))

    def written(self, said: int) -> int:
        """How many written characters have been said with the first ``said`` of the words."""
        if said >= len(self._reach):
            return self._passed
        return self._reach[said - 1] if said > 0 else 0

    def _worded(self, said: Said) -> str:
        ends = range(1, len(said.text) + 1)
        self._reach += [self._passed + said.written(end) for end in ends]
        self._passed += said.length
        return said.text
