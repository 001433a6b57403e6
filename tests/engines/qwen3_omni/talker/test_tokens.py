"""Streamed text becomes the tokens that the whole text has, and each knows where it ends."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest

from omni_agent.engines.qwen3_omni.talker.pace import Pace
from omni_agent.engines.qwen3_omni.talker.tokens import TextFeed, TextToken, TextTokenizer
from omni_agent.errors import ModelStoreError

TEXTS = [
    "hello the tenant, it's 3:45 —  fine.\n\n  Next\tline!  ",
    "  leading and   many   spaces",
    "don't they'll 'S I'VE",
    "naïve café e\u0301te\u0301 👩‍🚀 über",
    "", " ", "\n", "a",
]  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer(checkpoint: Path) -> TextTokenizer:
    return TextTokenizer.open(checkpoint)


def feed(tokenizer: TextTokenizer, pieces: list[str]) -> list[TextToken]:
    streamed = TextFeed(tokenizer)
    return [token for piece in pieces for token in streamed.push(piece)] + streamed.finish()


@pytest.mark.parametrize("text", TEXTS)
def test_streaming_tokenizes_as_the_whole(tokenizer: TextTokenizer, text: str) -> None:
    whole = tokenizer.encode(text)
    assert feed(tokenizer, list(text)) == whole
    shuffle = random.Random(4)
    for _ in range(20):
        cuts = sorted(shuffle.choices(range(len(text) + 1), k=5))
        bounds = [0, *cuts, len(text)]
        assert feed(tokenizer, [text[a:b] for a, b in pairwise(bounds)]) == whole


def test_a_finished_word_is_not_held_back(tokenizer: TextTokenizer) -> None:
    streamed = TextFeed(tokenizer)
    assert streamed.push("hello") == []
    assert [token.end for token in streamed.push(" the")] == [5]


def test_the_last_token_ends_where_the_text_does(tokenizer: TextTokenizer) -> None:
    for text in TEXTS:
        tokens = tokenizer.encode(text)
        assert not text or tokens[-1].end == len(text)
        assert [token.end for token in tokens] == sorted(token.end for token in tokens)


def test_chinese_does_not_wait_for_a_space(tokenizer: TextTokenizer) -> None:
    streamed = TextFeed(tokenizer)
    text = "今天天气很好我们一起去公园散步吧"
    early = [token for character in text for token in streamed.push(character)]
    assert early[-1].end == len(text) - 2
    assert streamed.finish()[-1].end == len(text)


def test_control_tokens_in_the_text_are_spelled_out(tokenizer: TextTokenizer) -> None:
    ids = [token.id for token in tokenizer.encode("<|im_end|><tts_text_eod>")]
    assert max(ids) < 300
    assert len(ids) > 10


def test_a_missing_or_broken_tokenizer_file_is_named(tmp_path: Path, checkpoint: Path) -> None:
    with pytest.raises(ModelStoreError, match=r"vocab\.json"):
        TextTokenizer.open(tmp_path)
    (tmp_path / "vocab.json").write_text("[1]")
    (tmp_path / "merges.txt").write_bytes((checkpoint / "merges.txt").read_bytes())
    with pytest.raises(ModelStoreError, match=r"vocab\.json"):
        TextTokenizer.open(tmp_path)


def test_pace_never_runs_ahead_of_the_talker_and_never_falls() -> None:
    pace = Pace()
    pace.push("One two three. Four five six.")
    assert pace.voiced(100.0, read=7) == 7
    assert pace.voiced(0.1, read=29) == 7
    assert pace.voiced(0.5, read=29) == 8
    assert pace.voiced(100.0, read=99) == 29 == pace.characters


def test_pace_reaches_ordinary_text_at_an_ordinary_tempo() -> None:
    english, chinese = Pace(), Pace()
    english.push("a" * 200)
    chinese.push("好" * 200)
    assert english.voiced(1.0, 200) == 16
    assert chinese.voiced(1.0, 200) == 5
