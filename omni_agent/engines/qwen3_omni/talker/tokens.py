"""Streamed text to the Thinker's tokens, each with how far into the text it reaches."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.normalizers import NFC
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

from omni_agent.errors import ModelStoreError

# How Qwen2 and Qwen3 cut text before byte-pair merging (their tokenizer_config).
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_FILE_LIMIT = 64 << 20  # the published tokenizer.json is 11 MB
_HELD = 8  # characters of an unbroken CJK run that may wait for more


@dataclass(frozen=True, slots=True)
class TextToken:
    """id in the Thinker's vocabulary; end: characters of the whole text up to and with it."""

    id: int
    end: int


class TextTokenizer:
    """The Thinker's byte-level BPE, without special tokens.

    Text to be spoken never becomes a control token: ``<|im_end|>`` in it is spoken
    as the characters it is made of.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._words = tokenizer.pre_tokenizer

    @classmethod
    def open(cls, directory: Path | str) -> TextTokenizer:
        """From ``vocab.json`` and ``merges.txt``. Raises ModelStoreError naming the file."""
        root = Path(directory)
        for name in ("vocab.json", "merges.txt"):
            path = root / name
            if not path.is_file():
                raise ModelStoreError(str(path), "missing")
            if path.stat().st_size > _FILE_LIMIT:
                raise ModelStoreError(str(path), "too large for a tokenizer file")
        try:
            model = BPE.from_file(str(root / "vocab.json"), str(root / "merges.txt"))
        except Exception as error:  # the library raises bare Exception for every malformed file
            raise ModelStoreError(
                str(root), f"unusable vocab.json or merges.txt: {error}"
            ) from error
        tokenizer = Tokenizer(model)
        tokenizer.normalizer = NFC()
        tokenizer.pre_tokenizer = Sequence(
            [Split(Regex(_WORDS), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
        )
        return cls(tokenizer)

    def encode(self, text: str, start: int = 0) -> list[TextToken]:
        """Tokens of a complete text whose first character is number ``start``."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return [
            TextToken(token, start + end)
            for token, (_, end) in zip(encoding.ids, encoding.offsets, strict=True)
        ]

    def settled(self, text: str) -> int:
        """How many characters of a growing text no later character can re-tokenize."""
        # A combining mark joins what is before it (NFC), so no cut before one.
        words = [
            (begin, end)
            for _, (begin, end) in self._words.pre_tokenize_str(text)
            if not unicodedata.combining(text[begin])
        ]
        if not words:
            return 0
        begin, end = words[-1]
        # Chinese and Japanese run on without spaces: let all but the newest characters go,
        # at the price of a merge across the cut now and then.
        if end - begin > _HELD and _is_cjk(text[end - 3]) and _is_cjk(text[end - 2]):
            return int(end - 2)
        return int(begin)


def added_tokens(directory: Path | str) -> dict[str, int]:
    """Ids of the tokens beside the vocabulary by name, from ``tokenizer_config.json``.

    Raises ModelStoreError for a file that cannot be read; none is no tokens.
    """
    path = Path(directory) / "tokenizer_config.json"
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > _FILE_LIMIT:
            raise ModelStoreError(str(path), "too large for a tokenizer file")
        rows = json.loads(path.read_text(encoding="utf-8")).get("added_tokens_decoder", {})
        return {str(row["content"]): int(token) for token, row in rows.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelStoreError(str(path), f"not a tokenizer's ({error!r})") from error


class TextFeed:
    """Pieces of text in, tokens out as soon as they are certain."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer, self._waiting, self._done = tokenizer, "", 0

    def push(self, text: str) -> list[TextToken]:
        self._waiting += text
        return list(self._take(self._tokenizer.settled(self._waiting)))

    def finish(self) -> list[TextToken]:
        return list(self._take(len(self._waiting)))

    def _take(self, count: int) -> Iterator[TextToken]:
        ready, self._waiting = self._waiting[:count], self._waiting[count:]
        yield from self._tokenizer.encode(ready, self._done) if ready else ()
        self._done += count


def _is_cjk(character: str) -> bool:
    return "\u3040" <= character <= "\u30ff" or "\u3400" <= character <= "\u9fff"
