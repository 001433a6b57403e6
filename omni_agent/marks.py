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
_BEGINS = re.compile(r"[<\[`◁]")
"""One of these is the first character of every mark: most pieces have none."""
_TOKEN_BEGUN = re.compile(r"<(?:\|[A-Za-z0-9_/.-]{0,40}\|?|｜[^<>｜\s]{0,40}｜?)?\Z")


@dataclass(frozen=True, slots=True)
class Mark:
    start: int
    text: str


class Marks:
    """Finds marks in a text that is still growing."""

    def __init__(self, marks: Iterable[str]) -> None:
        self._marks = sorted(marks, key=len, reverse=True)
        self._any = re.compile("|".join([*map(re.escape, self._marks), _TOKEN]))

    def first(self, text: str, *, final: bool = False) -> Mark | int:
        """The first mark; or, without one, how much of the text is certain to hold none.

        final: nothing will follow.
        """
        if not _BEGINS.search(text):
            return len(text)
        found = self._any.search(text)
        until = found.start() if found else len(text)
        if not final:
            until = min(until, self._open(text))
        if found and found.start() == until and (final or not self._longer(text[until:])):
            return Mark(until, found[0])
        return until

    def without(self, text: str) -> str:
        """The text without its marks; fences, which may be part of an answer, stay."""
        return self._any.sub(lambda found: found[0] if found[0] in FENCES else "", text)

    def _open(self, text: str) -> int:
        """Where the end of the text may be the beginning of a mark."""
        begun = _TOKEN_BEGUN.search(text)
        at = begun.start() if begun else len(text)
        for mark in self._marks:
            at = min(at, len(text) - overlap(text, mark))
        return at

    def _longer(self, text: str) -> bool:
        return any(mark.startswith(text) and mark != text for mark in self._marks)


def overlap(text: str, mark: str) -> int:
    """How many characters at the text's end are a mark's beginning, short of the whole mark."""
    most = min(len(text), len(mark) - 1)
    return next((n for n in range(most, 0, -1) if text.endswith(mark[:n])), 0)
