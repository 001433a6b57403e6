"""What is written, as it is said: numbers, dates, money, units and symbols in words, by language,
with the way back from each word to what was written. It stands on the Talker's side: captions
and history keep what was written.

``saying`` finds a language's (``languages``, a file each; ``language`` says what is in one), and
``said`` is what comes of it. Its ``rules``, in order: ``codes``, ``dates``, ``amounts`` and
``arithmetic``, on ``numerals`` (``numbers``). ``clauses`` cuts a stream into what can be said,
and ``wording`` does it all for a Talker: its ``in_words`` is one line there.
"""

from __future__ import annotations

from omni_agent.saying.said import Said
from omni_agent.saying.saying import Saying, phrasing, saying
from omni_agent.saying.wording import in_words

__all__ = ["Said", "Saying", "in_words", "phrasing", "saying"]
