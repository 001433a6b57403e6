"""A conversation in the words of the OpenAI chat API."""

from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np
import pytest

from omni_agent.audio import AudioFrame
from omni_agent.conversation import (
    AudioPart,
    ImagePart,
    Message,
    TextPart,
    ToolCall,
    ToolResult,
    VideoPart,
    assistant,
    user,
)
from omni_agent.engines.remote.messages import messages, recorded, tools
from omni_agent.engines.remote.recordings import Recordings, wav
from omni_agent.errors import EngineError
from omni_agent.thinker import ThinkRequest, ToolSchema


def test_instructions_come_first_and_empty_ones_not_at_all() -> None:
    assert messages(ThinkRequest(" Be kind. ", (user("hi"),))) == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "hi"},
    ]
    assert messages(ThinkRequest("", (user("hi"),)))[0]["role"] == "user"


def test_calls_in_a_row_are_one_message_and_each_is_followed_by_its_result() -> None:
    items = (
        user("both"),
        ToolCall("1", "a", {"x": "é"}),
        ToolCall("2", "b", {}),
        assistant("One moment."),
        ToolResult("2", "down", ok=False),
        ToolResult("1", "up"),
    )
    rows = messages(ThinkRequest("", items))
    assert [row["role"] for row in rows] == ["user", "assistant", "tool", "tool", "assistant"]
    assert [call["id"] for call in rows[1]["tool_calls"]] == ["1", "2"]
    assert rows[1]["tool_calls"][0]["function"] == {"name": "a", "arguments": '{"x": "é"}'}
    assert [(row["tool_call_id"], row["content"]) for row in rows[2:4]] == [
        ("1", "up"),
        ("2", "That did not work. down"),
    ]


def test_a_call_made_with_a_result_in_hand_is_a_round_of_its_own() -> None:
    first = (user("go"), ToolCall("1", "a", {}), ToolResult("1", "up"))
    more = (ToolCall("2", "b", {}), ToolResult("2", "down"))
    rows = messages(ThinkRequest("", (*first, *more)))
    assert [row["role"] for row in rows] == ["user", "assistant", "tool", "assistant", "tool"]
    assert rows[:3] == messages(ThinkRequest("", first))  # what a server has cached


def test_a_call_that_still_runs_has_a_result_that_says_so() -> None:
    rows = messages(ThinkRequest("", (user("go"), ToolCall("1", "a", {}), user("well?"))))
    assert [row["role"] for row in rows] == ["user", "assistant", "tool", "user"]
    assert rows[2]["content"] == "still running"


def test_pictures_go_as_data_urls_beside_the_words() -> None:
    seen = Message("user", (TextPart("What is it?"), ImagePart(b"\x01\x02", "image/jpeg")))
    assert messages(ThinkRequest("", (seen,)))[0]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AQI="}},
    ]


def test_a_video_goes_as_a_few_of_its_pictures_from_the_first_to_the_last() -> None:
    clip = VideoPart(tuple(bytes([number]) for number in range(60)), fps=2.0)
    (row,) = messages(ThinkRequest("", (Message("user", (TextPart("What is it?"), clip)),)))
    words, *pictures = row["content"]
    assert words == {"type": "text", "text": "What is it?"}
    urls = [picture["image_url"]["url"] for picture in pictures]
    shown = [base64.b64decode(url.removeprefix("data:image/jpeg;base64,"))[0] for url in urls]
    assert shown == [0, 8, 16, 25, 33, 42, 50, 59]


def test_its_sound_goes_where_audio_is_heard() -> None:
    seen = Message("user", (VideoPart((b"\x01\x02",), 2.0, AUDIO),))
    picture = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AQI="}}
    assert recorded([seen]) == 1
    (row,) = messages(ThinkRequest("", (seen,)), Recordings())
    assert row["content"] == [picture, SENT]
    (row,) = messages(ThinkRequest("", (seen,)))
    assert row["content"] == [picture]
    assert not recorded([replace(seen, parts=(VideoPart((b"\x01\x02",), 2.0),))])


def test_an_unheard_message_is_left_out_and_a_cut_one_marked() -> None:
    unheard = Message("assistant", (TextPart(""),), interrupted=True)
    cut = Message("assistant", (TextPart("The first"),), interrupted=True)
    rows = messages(ThinkRequest("", (user("hi"), unheard, cut)))
    assert [row["content"] for row in rows] == ["hi", "The first …"]


def test_a_tool_is_a_function() -> None:
    schema = ToolSchema("f", "Does it.", {"type": "object", "properties": {}})
    assert tools((schema,)) == [
        {
            "type": "function",
            "function": {
                "name": "f",
                "description": "Does it.",
                "parameters": {"type": "object", "properties": {}},
            },
        }
    ]


AUDIO = AudioFrame(np.arange(400, dtype=np.int16), 16_000)
SENT = {
    "type": "input_audio",
    "input_audio": {"data": base64.b64encode(wav(AUDIO)).decode(), "format": "wav"},
}


def utterance(words: str | None, *more: ImagePart) -> Message:
    return Message("user", (AudioPart(AUDIO, words), *more))


def test_to_a_server_that_hears_an_utterance_goes_as_audio_whatever_its_transcript() -> None:
    seen = ImagePart(b"\x01\x02", "image/jpeg")
    items = (utterance("hello"), assistant("Hi."), utterance(None, seen), utterance(""))
    rows = messages(ThinkRequest("", items), Recordings())
    assert [row["role"] for row in rows] == ["user", "assistant", "user", "user"]
    assert rows[0]["content"] == [SENT]
    assert rows[2]["content"][0] == SENT
    assert rows[2]["content"][1]["type"] == "image_url"
    assert rows[3]["content"] == [SENT]


def test_to_a_server_that_does_not_it_goes_as_its_words() -> None:
    assert messages(ThinkRequest("", (utterance("hello"),))) == [
        {"role": "user", "content": "hello"}
    ]


def test_what_was_found_for_a_turn_goes_in_its_message_as_found() -> None:
    seen = ImagePart(b"\x01\x02", "image/jpeg")
    found = Message("system", (TextPart("It is in the cellar."), seen), retrieved=True)
    items = (user("hi"), assistant("Hi."), found, utterance("where is it?"))
    for recordings in (None, Recordings()):
        rows = messages(ThinkRequest("Be kind.", items), recordings)
        assert [row["role"] for row in rows] == ["system", "user", "assistant", "user"]
        first, picture, said = rows[-1]["content"]
        assert first["text"].endswith("has not said it.]\nIt is in the cellar.\n")
        assert picture["type"] == "image_url"
        assert said == (SENT if recordings else {"type": "text", "text": "where is it?"})
        later = messages(ThinkRequest("Be kind.", (*items, assistant("There."))), recordings)
        assert later[: len(rows)] == rows


@pytest.mark.parametrize("words", [None, ""])
def test_an_utterance_without_words_cannot_be_answered_without_ears(words: str | None) -> None:
    with pytest.raises(EngineError, match="not transcribed"):
        messages(ThinkRequest("", (user("hi"), utterance(words))))


def test_an_old_utterance_without_words_does_not_stand_in_the_way() -> None:
    rows = messages(ThinkRequest("", (utterance(None), assistant("Hm?"), user("I said hi"))))
    assert [row["content"] for row in rows] == [
        "[words that nobody wrote down]",
        "Hm?",
        "I said hi",
    ]


def sent_as_audio(count: int) -> list[bool]:
    items = tuple(utterance(f"words {n}") for n in range(count))
    rows = messages(ThinkRequest("", items), Recordings())
    return [row["content"] == [SENT] for row in rows]


def test_a_long_call_sends_its_recent_utterances_and_the_words_of_the_older_ones() -> None:
    assert all(sent_as_audio(15))
    for count in range(16, 60):
        audible = sent_as_audio(count)
        assert audible == sorted(audible)  # first words, then audio
        assert 8 <= sum(audible) <= 15


def test_what_was_sent_as_words_changes_only_every_eighth_turn() -> None:
    boundaries = [sent_as_audio(count).index(True) for count in range(16, 56)]
    assert boundaries == [8 * (n // 8 + 1) for n in range(40)]


def test_an_old_utterance_without_words_stays_audio() -> None:
    items = (utterance(None), *(utterance("words") for _ in range(20)))
    rows = messages(ThinkRequest("", items), Recordings())
    assert [row["content"] == [SENT] for row in rows[:3]] == [True, False, False]
