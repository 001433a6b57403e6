"""Conversations as ChatML token ids: as the reference tokenizes them, and closed to injection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_agent.audio import AudioFrame
from omni_agent.conversation import (
    Item,
    Message,
    TextPart,
    ToolCall,
    ToolResult,
    VideoPart,
    assistant,
    user,
)
from omni_agent.errors import EngineError
from omni_agent.thinker import ToolSchema

pytest.importorskip("torch")
from omni_agent.engines.qwen3_omni.chat import ChatWriter, Prompt, SpecialIds
from omni_agent.engines.qwen3_omni.media import IMAGE_TOKENS, pieces
from omni_agent.engines.qwen3_omni.talker.tiny_config import tiny_config, tiny_tokenizer
from omni_agent.engines.qwen3_omni.talker.tokens import TextTokenizer, added_tokens

from .prompts import (
    CALL,
    NOISE,
    OPEN,
    PICTURE,
    RATE,
    WEATHER,
    Encode,
    Read,
    call_turns,
    keys,
    request,
    said,
    turn,
)

LIMIT = 32_768


@pytest.fixture(scope="module")
def writer(tokenizer: TextTokenizer, special: SpecialIds) -> ChatWriter:
    return ChatWriter(tokenizer, special, LIMIT)


# -- as the reference tokenizes it ---------------------------------------------------------


def test_a_conversation_is_tokenized_as_the_reference_would(
    writer: ChatWriter, encode: Encode
) -> None:
    prompt = writer.write(
        request(
            user("Hi there, it's 3:45 —  naïve cafe\u0301 👩‍🚀?"),
            assistant("Hello.\n\nHow are you?"),
            Message("system", (TextPart("Be brief."),)),
            user("今天天气很好  \n"),
            instructions="  You are a parrot.\nRepeat.\n",
        )
    )
    assert list(prompt.ids) == encode(
        "<|im_start|>system\nYou are a parrot.\nRepeat.<|im_end|>\n"
        "<|im_start|>user\nHi there, it's 3:45 —  naïve cafe\u0301 👩‍🚀?<|im_end|>\n"
        "<|im_start|>assistant\nHello.\n\nHow are you?<|im_end|>\n"
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\n今天天气很好  \n<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert prompt.media == ()


def test_so_are_tools_calls_and_results(writer: ChatWriter, encode: Encode) -> None:
    prompt = writer.write(
        request(
            user("And in Zürich?"),
            CALL,
            ToolResult("c1", "4 °C, windy\n"),
            instructions="You know the weather.",
            tools=(WEATHER, replace(WEATHER, name="snow")),
        )
    )
    signature = (
        '{"type": "function", "function": {"name": "%s", "description": "The weather at a place, '
        'e.g. Zürich.", "parameters": {"type": "object", "properties": {"place": {"type": '
        '"string"}}, "required": ["place"]}}}\n'
    )
    assert list(prompt.ids) == encode(
        "<|im_start|>system\nYou know the weather.\n\n# Tools\n\n"
        "You may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n"
        + signature % "weather"
        + signature % "snow"
        + "</tools>\n\nFor each function call, return a json object with function name and "
        "arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n"
        '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\nAnd in Zürich?<|im_end|>\n"
        '<|im_start|>assistant\n<tool_call>\n{"name": "weather", "arguments": '
        '{"place": "Zürich", "days": 3}}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\n<tool_response>\n4 °C, windy\n\n</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_so_are_audio_and_pictures_with_a_placeholder_for_each(
    writer: ChatWriter, encode: Encode
) -> None:
    heard = said(4.5, "what is this", PICTURE)
    prompt = writer.write(request(heard, assistant("A cat."), said(1.0)))
    audio, image = "<|audio_start|>%s<|audio_end|>", "<|vision_start|><|image_pad|><|vision_end|>"
    assert list(prompt.ids) == encode(
        f"<|im_start|>user\n{audio % (3 * '<|audio_pad|>')}{image}<|im_end|>\n"
        "<|im_start|>assistant\nA cat.<|im_end|>\n"
        f"<|im_start|>user\n{audio % '<|audio_pad|>'}<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert [item.kind for item in prompt.media] == ["audio"] * 3 + ["image", "audio"]
    assert [item.tokens for item in prompt.media] == [26, 26, 7, IMAGE_TOKENS, 13]


def test_so_are_videos_and_one_with_sound_is_both_by_turns(
    writer: ChatWriter, encode: Encode
) -> None:
    frames = tuple(bytes([number]) for number in range(6))
    sound = AudioFrame(NOISE[: 5 * RATE], RATE)
    seen = (VideoPart(frames, 2.0), TextPart("and"), VideoPart(frames, 2.0, sound))
    prompt = writer.write(request(Message("user", seen)))
    audio = "<|audio_start|><|audio_pad|><|audio_end|>"
    video = "<|vision_start|><|video_pad|><|vision_end|>"
    assert list(prompt.ids) == encode(
        f"<|im_start|>user\n{video}and{video}{audio}{video}{audio}{audio}<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    kinds = [item.kind for item in prompt.media]
    assert kinds == ["video", "video", "audio", "video", "audio", "audio"]
    assert prompt.placeholders.issuperset(encode("<|video_pad|>"))


def test_a_prompt_knows_its_length_with_every_placeholder_expanded(
    writer: ChatWriter, special: SpecialIds
) -> None:
    prompt = writer.write(request(said(4.5, None, PICTURE), user("Well?")))
    expanded = prompt.expanded([item.tokens for item in prompt.media])
    assert len(expanded) == prompt.tokens
    assert expanded.count(special.audio) == 26 + 26 + 7
    assert expanded.count(special.image) == IMAGE_TOKENS
    assert [i for i in expanded if i not in prompt.placeholders] == [
        i for i in prompt.ids if i not in prompt.placeholders
    ]


def test_without_instructions_and_tools_there_is_no_system_turn(
    writer: ChatWriter, encode: Encode
) -> None:
    assert list(writer.write(request(instructions=" \n")).ids) == encode("<|im_start|>assistant\n")


def test_tools_alone_are_a_system_turn(writer: ChatWriter, encode: Encode) -> None:
    ids = list(writer.write(request(user("Hi"), tools=(WEATHER,))).ids)
    head = encode("<|im_start|>system\n# Tools\n\nYou may call")
    assert ids[: len(head)] == head


def test_the_thinking_variant_begins_inside_its_thoughts(
    tokenizer: TextTokenizer, special: SpecialIds, encode: Encode
) -> None:
    prompt = ChatWriter(tokenizer, special, LIMIT, thinking=True).write(request(user("Hi")))
    assert list(prompt.ids) == encode(
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n"
    )


def test_a_vocabulary_without_tags_spells_them(tmp_path: Path) -> None:
    for name, text in tiny_tokenizer().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    tokenizer = TextTokenizer.open(tmp_path)
    special = SpecialIds.of(tiny_config(), added_tokens(tmp_path))
    assert special.tags == {}
    ids = ChatWriter(tokenizer, special, LIMIT, thinking=True).write(request(CALL)).ids

    def spelled(text: str) -> list[int]:
        return [token.id for token in tokenizer.encode(text)]

    call = '<tool_call>\n{"name": "weather", "arguments": {"place": "Zürich", "days": 3}}\n'
    end = [special.im_end, *spelled("\n")]
    opening = [special.im_start, special.assistant, *spelled("\n")]
    assert list(ids) == [
        *opening, *spelled(f"{call}</tool_call>"), *end,
        special.im_start, special.user, *spelled("\n"),
        *spelled("<tool_response>\nstill running\n</tool_response>"), *end,
        *opening, *spelled("<think>\n"),
    ]  # fmt: skip


# -- words are only words --------------------------------------------------------------------

SPELLINGS = (
    "<|im_start|>", "<|im_end|>", "<|audio_start|>", "<|audio_end|>", "<|audio_pad|>",
    "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>", "<|endoftext|>",
    "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>", "<tool_call>", "</tool_call>",
    "<tool_response>", "</tool_response>", "<think>", "</think>", "<tools>",
)  # fmt: skip
texts = st.lists(
    st.sampled_from((*SPELLINGS, "system\n", "user\n", "\n", " ", '"}', "\ud800"))
    | st.text(st.characters(), max_size=8),
    max_size=6,
).map("".join)
words_ = texts.filter(str.strip)
arguments_ = st.dictionaries(texts, texts | st.lists(texts, max_size=2), max_size=3)


@settings(deadline=None)
@given(words_, words_, words_, texts, texts, texts, arguments_)
def test_words_never_become_marks(
    writer: ChatWriter,
    special: SpecialIds,
    instructions: str,
    typed: str,
    answered: str,
    transcript: str,
    result: str,
    name: str,
    arguments: Mapping[str, Any],
) -> None:
    tool = ToolSchema(name, result, {"type": "object", "title": typed})

    def marks(words: Callable[[str], str], given: Mapping[str, Any]) -> list[int]:
        """Ids beyond the vocabulary's text, without their words."""
        prompt = writer.write(
            request(
                user(words(typed)),
                said(0.5, words(transcript)),
                replace(assistant(words(answered)), interrupted=True),
                ToolCall("c1", words(name), given),
                ToolResult("c1", words(result), ok=False),
                Message("system", (TextPart(words(typed)),)),
                instructions=words(instructions),
                tools=(replace(tool, name=words(name), description=words(result)),),
            )
        )
        return [i for i in prompt.ids if i >= 151_643]

    assert marks(lambda text: text, arguments) == marks(lambda text: "x", {})
    assert special.im_start >= 151_643


def test_half_a_surrogate_pair_in_a_result_is_no_failure(writer: ChatWriter, read: Read) -> None:
    prompt = writer.write(request(CALL, ToolResult("c1", "a\ud83d")))
    assert "<tool_response>\na?\n</tool_response>" in read(prompt)


# -- turns ---------------------------------------------------------------------------------


def test_a_call_is_followed_by_its_result_whatever_was_said_in_between(
    writer: ChatWriter, read: Read
) -> None:
    prompt = writer.write(
        request(
            user("And there?"),
            CALL,
            assistant("One moment."),
            user("Hurry."),
            ToolResult("c1", "Snow."),
        )
    )
    assert read(prompt) == (
        turn("user", "And there?")
        + call_turns("Snow.")
        + turn("assistant", "One moment.")
        + turn("user", "Hurry.")
        + OPEN
    )


def test_a_call_without_a_result_is_still_running_and_one_that_failed_says_so(
    writer: ChatWriter, read: Read
) -> None:
    prompt = writer.write(
        request(CALL, replace(CALL, call_id="c2"), ToolResult("c2", "No.", False))
    )
    assert read(prompt) == call_turns("still running", "That did not work. No.") + OPEN


def test_calls_of_one_round_share_a_turn_those_of_the_next_do_not(
    writer: ChatWriter, read: Read
) -> None:
    again, next_one = replace(CALL, call_id="c2"), replace(CALL, call_id="c3")
    prompt = writer.write(
        request(
            CALL,
            again,
            ToolResult("c2", "two"),
            ToolResult("c1", "one"),
            next_one,
            ToolResult("c3", "three"),
        )
    )
    assert read(prompt) == call_turns("one", "two") + call_turns("three") + OPEN


def test_a_second_round_goes_on_from_the_prompt_of_the_first(writer: ChatWriter) -> None:
    round_one = (user("Well?"), CALL, ToolResult("c1", "one"))
    round_two = (*round_one, replace(CALL, call_id="c2"), ToolResult("c2", "two"))
    first, second = writer.write(request(*round_one)), writer.write(request(*round_two))
    assert second.ids[: len(first.ids)] == first.ids


def test_a_result_without_a_call_is_left_out(writer: ChatWriter, read: Read) -> None:
    assert (
        read(writer.write(request(ToolResult("c9", "?"), user("Hi")))) == turn("user", "Hi") + OPEN
    )


def test_an_interrupted_message_is_marked(writer: ChatWriter, read: Read) -> None:
    cut = replace(assistant("Once upon"), interrupted=True)
    unheard = Message("assistant", (), interrupted=True)
    assert read(writer.write(request(cut, unheard))) == (
        turn("assistant", "Once upon …") + turn("assistant", "…") + OPEN
    )


def test_a_message_of_nothing_is_no_turn(writer: ChatWriter, read: Read) -> None:
    assert read(writer.write(request(Message("assistant", ()), user("")))) == OPEN


def test_an_utterance_is_heard_and_its_transcript_not_read(writer: ChatWriter, read: Read) -> None:
    assert "hello" not in read(writer.write(request(said(0.5, "hello"))))


def test_an_utterance_of_the_agent_is_read(writer: ChatWriter, read: Read) -> None:
    spoken = replace(said(0.5, "hello"), role="assistant")
    assert read(writer.write(request(spoken))) == turn("assistant", "hello") + OPEN


def test_a_part_of_another_kind_is_named(writer: ChatWriter) -> None:
    parts: Any = (TextPart("hi"), memoryview(b"video"))
    with pytest.raises(EngineError, match="cannot read a memoryview"):
        writer.write(request(Message("user", parts)))


def test_audio_that_cannot_be_heard_is_an_engine_error(writer: ChatWriter) -> None:
    with pytest.raises(EngineError, match="no samples"):
        writer.write(request(said(0)))


# -- while it grows ------------------------------------------------------------------------

seconds_ = st.integers(1, 40 * RATE).map(lambda samples: samples / RATE) | st.integers(1, 20).map(
    lambda pairs: 2.0 * pairs
)
histories = st.lists(
    st.sampled_from([user("Hi"), assistant("Yes."), said(2.5, "words"), said(1.0, "see", PICTURE)]),
    max_size=3,
)


def begins(whole: Prompt, part: Prompt) -> bool:
    return whole.ids[: len(part.ids)] == part.ids and keys(whole)[: len(part.media)] == keys(part)


@settings(deadline=None)
@given(histories, seconds_, seconds_, st.booleans())
def test_what_is_read_while_an_utterance_grows_begins_every_later_prompt(
    writer: ChatWriter, history: list[Item], one: float, other: float, pictured: bool
) -> None:
    short, long = sorted((one, other))
    turned = said(long, "so it was", *[PICTURE] * pictured)
    opened = writer.write_open(request(*history, said(short)))
    assert begins(writer.write_open(request(*history, said(long))), opened)
    assert begins(writer.write(request(*history, turned)), opened)
    assert begins(writer.write(request(*history, turned, assistant("I see."), user("?"))), opened)


@settings(deadline=None)
@given(histories, seconds_)
def test_a_reply_and_what_follows_go_on_from_the_prompt_of_the_turn(
    writer: ChatWriter, history: list[Item], seconds: float
) -> None:
    items = [*history, said(seconds)]
    prompt = writer.write(request(*items))
    answered = [*items, assistant("Fine, and you?")]
    rested = writer.write_open(request(*answered))
    assert begins(rested, prompt)
    assert begins(writer.write(request(*answered, said(1.0))), rested)
    assert begins(writer.write_open(request(*answered, said(1.0))), rested)


def test_of_a_growing_utterance_whole_pieces_are_read_and_none_of_its_words(
    writer: ChatWriter, special: SpecialIds
) -> None:
    opened = writer.write_open(request(said(5.0, "and then")))
    assert opened.ids[3:] == (special.audio_start, special.audio, special.audio)
    whole = [
        piece.media.key for piece in pieces(AudioFrame(NOISE[: 5 * RATE], RATE)) if piece.whole
    ]
    assert keys(opened) == whole


@pytest.mark.parametrize("growing", [said(1.9), user("And th")], ids=["audio", "text"])
def test_before_anything_is_certain_only_the_turn_is_open(
    writer: ChatWriter, encode: Encode, growing: Message
) -> None:
    opened = writer.write_open(request(growing))
    assert list(opened.ids) == encode("<|im_start|>user\n")
    assert opened.media == ()
