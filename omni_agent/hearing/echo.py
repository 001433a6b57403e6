"""The agent's own voice, come back: known by its words, and by its sound."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

import numpy as np
import numpy.typing as npt

from omni_agent.audio import AudioFrame, concatenate, resample
from omni_agent.text import is_spaceless, words

Samples = npt.NDArray[np.float32]

_ALIKE = 0.75
"""How much of what was heard must be in what was said: Whisper writes "24" for "twenty-four"."""
_HEARD, _SAID = 240, 500
"""Characters, the latest ones, that are compared: some 15 s of speech with some 30 s of it. This
is done on the event loop, while somebody speaks."""
_OWN = 160
"""Words, the latest ones: where they have no spaces between them, characters, five a second."""
_MARKS = re.compile(r"[.!?。！？]+")
_AT_ONCE = 12
"""Words that are compared at once: the work grows with the square of their letters."""
_PHRASES = 8
"""Different ones, the latest, that are compared: more than anybody says in 15 s."""
_RATE = 8000
_PIECE = _RATE * 6 // 10
"""Samples that are compared at once: enough to tell a voice from another's."""
_RESOUNDS = 0.35
"""Correlation with what was played, from which a piece is an echo. Of 0.6 s pieces of the
embedded voice, echoes in a room (reverberation time 0 – 0.3 s, direct sound no weaker than what
is reflected) have 0.34 – 0.9; other words of the very same voice at most 0.30."""
_QUIET = 0.05
"""Pieces with less than this share of the loudest one's energy say nothing."""


def is_echo(text: str, spoken: str) -> bool:
    """True when what was heard is what the agent itself just said, as ears may spell it.

    spoken: only what can be heard back now; a user may well repeat older words.
    """
    own = _words(spoken[-_SAID:])[-_OWN:]
    phrases = dict.fromkeys(tuple(_words(each)) for each in _MARKS.split(text[-_HEARD:]))
    latest = [phrase for phrase in phrases if phrase][-_PHRASES:]
    return bool(latest) and all(_is_in(piece, own) for said in latest for piece in _ends(said))


def is_short(text: str) -> bool:
    """True for one or two words, which a user may well say, too."""
    spaceless = sum(1 for word in _words(text) if is_spaceless(word))
    return len(text.split()) <= 2 and spaceless <= 4


def _words(text: str) -> list[str]:
    """Its words; where there are no spaces between them, its characters."""
    return [part for word in words(text) for part in (word if is_spaceless(word[0]) else (word,))]


def _ends(said: Sequence[str]) -> Iterator[Sequence[str]]:
    """How it begins and how it ends: a user may speak before an echo, or after it."""
    yield said[:_AT_ONCE]
    if len(said) > _AT_ONCE:
        yield said[-_AT_ONCE:]


def _is_in(heard: Sequence[str], own: list[str]) -> bool:
    matcher = SequenceMatcher(None, autojunk=False)
    matcher.set_seq2("".join(heard))  # what is known of the second is kept
    stretches = dict.fromkeys(_stretches(own, len(heard)))  # who repeats is compared once
    return any(_alike(matcher, stretch) for stretch in stretches)


def _alike(matcher: SequenceMatcher[str], stretch: str) -> bool:
    matcher.set_seq1(stretch)
    ratios = (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio)  # upper bounds first
    return all(ratio() >= _ALIKE for ratio in ratios)


def _stretches(own: list[str], length: int) -> Iterator[str]:
    """Every run of about so many words: ears join and part some."""
    for size in {max(1, length - 1), length, length + 1}:
        for at in range(max(1, len(own) - size + 1)):
            if stretch := "".join(own[at : at + size]):
                yield stretch


def resounds(heard: AudioFrame, played: Sequence[AudioFrame]) -> bool:
    """True when all that is loud in ``heard`` is in what was played, whatever its words.

    The work grows with what was played (4 s are 20 ms), not with what was heard: what is longer
    is no echo. A user who speaks while an echo comes back makes it False.
    """
    if not played or not heard.samples:
        return False
    mine = _flattened(concatenate(list(played), played[0].sample_rate))
    whole = _flattened(heard)
    pieces = np.array_split(whole, max(1, len(whole) // _PIECE))
    energies = [float(np.sum(piece**2)) for piece in pieces]
    quiet = _QUIET * max(energies)
    loud = [piece for piece, energy in zip(pieces, energies, strict=True) if energy > quiet]
    if not loud or sum(map(len, loud[2:])) > len(mine):  # of two, parts may be silent
        return False
    sound = _Played(mine, len(pieces[0]))
    return all(sound.correlation(piece) >= _RESOUNDS for piece in loud)


def _flattened(audio: AudioFrame) -> Samples:
    """At 8 kHz, with the fall of a voice's spectrum taken out: vowels look less alike."""
    pcm = resample(audio, _RATE).pcm.astype(np.float32)
    return (pcm - 0.95 * np.concatenate([pcm[:1], pcm[:-1]])).astype(np.float32)


class _Played:
    """Where pieces are looked for: its spectrum serves them all."""

    def __init__(self, samples: Samples, longest: int) -> None:
        """longest: samples of the longest piece."""
        edge = np.zeros(longest, np.float32)
        padded = np.concatenate([edge, samples, edge])
        self._length = len(padded)
        self._size = 1 << self._length.bit_length()
        self._spectrum = np.fft.rfft(padded, self._size)
        self._sums = np.concatenate([[0.0], np.cumsum(padded.astype(np.float64) ** 2)])

    def correlation(self, piece: Samples) -> float:
        """The highest normalised cross-correlation of the piece with any place, 0 to 1."""
        length = len(piece)
        spectrum = self._spectrum * np.conj(np.fft.rfft(piece, self._size))
        products = np.abs(np.fft.irfft(spectrum, self._size)[: self._length - length + 1])
        energy = self._sums[length:] - self._sums[:-length]
        energy = np.maximum(energy, 0.25 * energy.max())  # a sliver of overlap proves nothing
        norm = np.sqrt(energy * np.sum(piece.astype(np.float64) ** 2)) + 1e-9
        return float(np.max(products / norm))
