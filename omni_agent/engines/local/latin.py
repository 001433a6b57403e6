"""Letters of other scripts in Latin ones, so that a voice that knows no others says them, too."""

from __future__ import annotations

import re

from anyascii import anyascii

from omni_agent.saying import Said

_OTHER = re.compile("[^\\x00-\u024f“”‘’…–—]")
_LOOSE = re.compile(r" +(?=[ ,.;:!?])")


def latin(said: Said) -> Said:
    return said.sub(_OTHER, _spelled).sub(_LOOSE, lambda _: "")


def _spelled(match: re.Match[str]) -> str:
    """A Chinese character is a syllable, so a space follows it."""
    spelled = str(anyascii(match[0]))
    return f"{spelled} " if "\u3400" <= match[0] <= "\u9fff" else spelled
