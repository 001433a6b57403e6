"""Thirty spoken requests over the five bundled plugins, and ten that need none.

Each says which tool must be called, with which arguments, and what the answer must contain.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """arguments: a pattern for each argument that matters, matched against its text.

    answer: a pattern for what the user hears. after: said and answered before, in
    the same call, so that there is something to cancel or to find.
    """

    text: str
    tool: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    answer: str = r"\w"
    after: str | None = None

    def called_right(self, name: str, arguments: Mapping[str, Any]) -> bool:
        return name == self.tool and all(
            re.search(pattern, str(arguments.get(key, "")), re.IGNORECASE)
            for key, pattern in self.arguments.items()
        )

    def answered_right(self, heard: str) -> bool:
        return bool(re.search(self.answer, heard, re.IGNORECASE))


TALK = (
    "Hello, how are you tonight?",
    "What is your name?",
    "Can you recommend a good breakfast?",
    "I cannot sleep. What should I do?",
    "Tell me something nice about this hotel.",
    "Why is the sky blue?",
    "Do you speak French?",
    "What do you think of jazz music?",
    "I had a very long day today.",
    "Who wrote Romeo and Juliet?",
)
