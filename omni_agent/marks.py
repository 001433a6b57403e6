"""The marks that chat templates put into a model's output, and servers may leave there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

REASONING = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",  # Magistral
    "◁think▷": "◁/think▷",  # Kimi
    "<|channel>thought": "<channel|>",  # Gemma
    "<|channel|>analysis<|message|>": "<|end|>",  # gpt-oss
}
CALLS = {
    "<tool_call>": "</tool_call>",  # Hermes, Qwen, GLM
    "<tool_calls>": "</tool_calls>",
    "<function_call>": "</function_call>",
    "<function=": "</function>",  # Llama 3.1
    "<|tool_call|>": "<|/tool_call|>",  # Phi, Granite
    "<|tool_calls_section_begin|>": "<|tool_calls_section_end|>",  # Kimi
    "<｜tool▁calls▁begin｜>": "<｜tool▁calls▁end｜>",  # DeepSeek
    "<|python_tag|>": None,  # Llama 3
    "<|python_start|>": "<|python_end|>",  # Llama 4
    "[TOOL_CALLS]": None,  # Mistral
}
"""What begins calls and what ends them; None: the end of the reply."""
FENCES = {"```json": "```", "```tool_call": "```", "```tool_code": "```", "```": "```"}
"""What may hold a call, and may as well be part of the answer."""
ENDS = (
    "<|im_end|>",
    "<|eot_id|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|end_of_turn|>",
    "<|return|>",
    "<end_of_turn>",
    "<turn|>",
    "<｜end▁of▁sentence｜>",
    "<eos>",
)
"""After one of these a model goes on with somebody else's words."""
DROPPED = (
    "<|im_start|>assistant",
    "<|start_header_id|>assistant<|end_header_id|>",
    "<|start|>assistant",
    "<|channel|>final<|message|>",
    "<|channel|>commentary<|message|>",
    "<start_of_turn>model",
    "<|turn>model",
    "<s>",
    "</s>",  # HTML's as well, which ends nothing
    "<bos>",
    "<pad>",
    "<unk>",
    "[INST]",
    "[/INST]",
    "[/TOOL_CALLS]",
    "<<SYS>>",
    "<</SYS>>",
    "<tool_response>",
    "</tool_response>",
)
_TOKEN = r"<\|[A-Za-z0-9_/.-]{1,40}\|>|<｜[^<>｜\s]{1,40}｜>"
"""Any other special token; ASCII bars in most vocabularies, fullwidth ones in DeepSeek's."""
_LONGEST_TOKEN = 44
_BEGINS = re.compile(r"[<\[`◁]")
"""One of these is the first character of every mark: most pieces have none."""
_TOKEN_BEGUN = re.compile(r"<(?:\|[A-Za-z0-9_/.-]{0,40}\|?|｜[^<>｜\s]{0,40}｜?)?\Z")


@dataclass(frozen=True, slots=True)
class Mark:
    start: int
    text: str

    @property
    def end(self) -> int:
        return self.start + len(self.text)


class Marks:
    """Finds marks in a text that is still growing. Read-only: one for all who use it."""

    def __init__(self, marks: Iterable[str]) -> None:
        ordered = sorted(marks, key=len, reverse=True)
        self._any = re.compile("|".join([*map(re.escape, ordered), _TOKEN]))
        self._begun = frozenset(mark[:end] for mark in ordered for end in range(1, len(mark)))
        self._reach = max(_LONGEST_TOKEN, *map(len, ordered)) - 1
        """Where a mark may have begun that is not complete: so far from the end, no further."""

    def first(self, text: str, at: int = 0, *, final: bool = False) -> Mark | int:
        """The first mark from ``at`` on; or, without one, up to where there is certainly none.

        final: nothing will follow.
        """
        begin = _BEGINS.search(text, at)
        if begin is None:
            return len(text)
        found = self._any.search(text, begin.start())
        until = found.start() if found else len(text)
        if not final and (begun := self._open(text, begin.start(), until)) is not None:
            return begun
        return Mark(until, found[0]) if found else until

    def without(self, text: str) -> str:
        """The text without its marks; fences, which may be part of an answer, stay."""
        return self._any.sub(lambda found: found[0] if found[0] in FENCES else "", text)

    def _open(self, text: str, at: int, until: int) -> int | None:
        """Where the end of the text may be the beginning of a mark, if not after ``until``."""
        for begin in _BEGINS.finditer(text, max(at, len(text) - self._reach), until + 1):
            start = begin.start()
            if text[start:] in self._begun or _TOKEN_BEGUN.match(text, start):
                return start
        return None


def overlap(text: str, mark: str) -> int:
    """How many characters at the text's end are a mark's beginning, short of the whole mark."""
    most = min(len(text), len(mark) - 1)
    return next((n for n in range(most, 0, -1) if text.endswith(mark[:n])), 0)
