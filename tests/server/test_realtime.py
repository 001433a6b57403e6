"""The Realtime mapping: what clients are told, what their messages mean."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from omni_agent import events
from omni_agent.audio import AudioFrame
from omni_agent.commands import (
    AddItem,
    ChoosePersona,
    ClearAudio,
    CommitAudio,
    Configure,
    DeleteItem,
    Interrupt,
    ReplyRequest,
    Truncate,
)
from omni_agent.conversation import (
    AudioPart,
    ImagePart,
    Item,
    Message,
    TextPart,
    ToolCall,
    ToolResult,
    assistant,
    user,
)
from omni_agent.errors import PersonaError, ProtocolError
from omni_agent.server.client_messages import SessionConfig
from omni_agent.server.realtime import Realtime
from omni_agent.server.server_events import MAX_HEARING
from omni_agent.server.wire import PCM_FORMAT, Facts, dump
from omni_agent.thinker import ToolSchema
from omni_agent.wishes import Wishes

STANDARD: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
FACTS = Facts("concierge", ("concierge", "tutor"), sees=True, engine={"thinker": "scripted"})


def protocol(*, extensions: bool = False) -> Realtime:
    one = Realtime(FACTS)
    if extensions:
        one.on_message(
            json.dumps({"type": "session.update", "session": {"omni": {"extensions": True}}})
        )
    return one


def check(messages: Any) -> list[dict[str, Any]]:
    """Through JSON, and through OpenAI's own types unless it is an extension."""
    out = []
    for message in messages:
        wire = json.loads(dump(message))
        if not wire["type"].startswith("omni."):
            parsed = STANDARD.validate_python(wire)
            assert parsed.type == wire["type"]
        out.append(wire)
    return out


def tell(one: Realtime, *told: events.Event) -> list[dict[str, Any]]:
    return [message for event in told for message in check(one.on_event(event))]


def kinds(messages: list[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in messages]


TOOL_TURN: tuple[events.Event, ...] = (
    events.SpeechStarted(1, "item_u", 400),
    events.UserTranscript(1.5, "item_u", "set a", final=False),
    events.SpeechStopped(2, "item_u", 1900),
    events.UserTranscript(2.1, "item_u", "set a timer", final=True),
    events.ItemAdded(2.1, Message("user", (TextPart("set a timer"),), "item_u")),
    events.ReplyStarted(2.2, "resp_1"),
    events.ItemAdded(2.3, ToolCall("call_1", "set_timer", {"minutes": 3}, "item_c")),
    events.ToolStarted(2.3, "resp_1", "call_1", "set_timer", {"minutes": 3}),
    events.ToolWaiting(2.3, "call_1", "Shall I?"),
    events.ToolAnswered(2.4, "call_1", agreed=True),
    events.ToolProgress(2.4, "call_1", "half way"),
    events.ToolFinished(2.5, "call_1", "set_timer", "done", True, 200.04),
    events.ItemAdded(2.5, ToolResult("call_1", "done", id="item_o")),
    events.ItemAdded(2.6, Message("assistant", (), "item_a")),
    events.UtteranceStarted(2.6, "resp_1", "item_a", "answer"),
    events.SpokenText(2.6, "item_a", "Your timer "),
    events.PlaybackStarted(2.7, "item_a"),
    events.SpokenText(2.8, "item_a", "is set."),
    events.ItemAdded(4.0, Message("assistant", (TextPart("Your timer is set."),), "item_a")),
    events.UtteranceFinished(
        4.0, "resp_1", "item_a", "Your timer is set.", "Your timer is set.", 1300, False
    ),
    events.Waterfall(4.0, "resp_1", {"end_of_turn": 300.0, "on_the_wire": 700.0}),
    events.ReplyFinished(4.0, "resp_1", interrupted=False),
)


def test_a_turn_with_a_tool_is_told_in_the_order_that_clients_need() -> None:
    messages = tell(protocol(), *TOOL_TURN)
    assert kinds(messages) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "conversation.item.done",
        "conversation.item.added",
        "conversation.item.done",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "output_audio_buffer.started",
        "response.output_audio_transcript.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "output_audio_buffer.stopped",
        "response.done",
    ]
    by_kind = {message["type"]: message for message in messages}
    arguments = by_kind["response.function_call_arguments.done"]
    assert (arguments["name"], json.loads(arguments["arguments"])) == ("set_timer", {"minutes": 3})
    usage = by_kind["conversation.item.input_audio_transcription.completed"]["usage"]
    assert usage == {"type": "duration", "seconds": 1.5}
    response = by_kind["response.done"]["response"]
    assert response["status"] == "completed"
    assert [item["id"] for item in response["output"]] == ["item_c", "item_a"]
    assert len({message["event_id"] for message in messages}) == len(messages)


def test_items_form_a_chain() -> None:
    messages = tell(protocol(), *TOOL_TURN)
    added = [m for m in messages if m["type"] == "conversation.item.added"]
    assert [m["item"]["id"] for m in added] == ["item_u", "item_c", "item_o", "item_a"]
    assert [m["previous_item_id"] for m in added] == [None, "item_u", "item_c", "item_o"]
    done = [m for m in messages if m["type"] == "conversation.item.done"]
    assert {m["item"]["id"]: m["previous_item_id"] for m in done} == {
        m["item"]["id"]: m["previous_item_id"] for m in added
    }
    assert [m["event_id"] for m in messages] == sorted(m["event_id"] for m in messages)


def test_extensions_are_told_only_to_those_who_asked() -> None:
    assert not [k for k in kinds(tell(protocol(), *TOOL_TURN)) if k.startswith("omni.")]
    extra = [k for k in kinds(tell(protocol(extensions=True), *TOOL_TURN)) if k.startswith("omni.")]
    assert extra == [
        "omni.transcript.partial",
        "omni.tool.started",
        "omni.tool.waiting",
        "omni.tool.answered",
        "omni.tool.progress",
        "omni.tool.finished",
        "omni.utterance.started",
        "omni.utterance.playing",
        "omni.utterance.finished",
        "omni.waterfall",
    ]


def interrupted_turn(one: Realtime) -> list[dict[str, Any]]:
    return tell(
        one,
        events.ReplyStarted(1, "resp_1"),
        events.UtteranceStarted(1, "resp_1", "item_a", "answer"),
        events.SpokenText(1, "item_a", "A long story begins."),
        events.PlaybackStarted(1, "item_a"),
        events.ItemAdded(2, Message("assistant", (TextPart("A long"),), "item_a", True)),
        events.UtteranceFinished(
            2, "resp_1", "item_a", "A long story begins.", "A long", 420, True
        ),
        events.Interrupted(2, "resp_1", 900.0),
        events.ReplyFinished(2, "resp_1", interrupted=True),
    )


def test_what_a_failed_voice_left_unsaid_is_no_transcript() -> None:
    messages = tell(
        protocol(),
        events.ReplyStarted(1, "resp_1"),
        events.UtteranceStarted(1, "resp_1", "item_a", "answer"),
        events.SpokenText(1, "item_a", "Hello voice."),
        events.UtteranceFinished(2, "resp_1", "item_a", "Hello voice.", "", 0, False),
        events.ReplyFinished(2, "resp_1", interrupted=False),
    )
    by_kind = {message["type"]: message for message in messages}
    assert by_kind["response.output_audio_transcript.done"]["transcript"] == ""
    assert by_kind["response.output_item.done"]["item"]["status"] == "incomplete"


def test_an_interrupted_answer_keeps_only_what_was_heard() -> None:
    one = protocol()
    messages = interrupted_turn(one)
    by_kind = {message["type"]: message for message in messages}
    assert by_kind["conversation.item.truncated"]["audio_end_ms"] == 420
    assert "output_audio_buffer.cleared" in by_kind
    assert "output_audio_buffer.stopped" not in by_kind
    done = by_kind["response.done"]["response"]
    assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "turn_detected")
    retrieve = {"type": "conversation.item.retrieve", "item_id": "item_a"}
    (answer,) = check(one.on_message(json.dumps(retrieve)).replies)
    assert answer["item"]["content"] == [{"type": "output_audio", "transcript": "A long"}]
    assert answer["item"]["status"] == "incomplete"


def test_a_reply_that_the_client_stopped_says_so() -> None:
    one = protocol()
    tell(one, events.ReplyStarted(1, "resp_1"))
    assert one.on_message('{"type": "response.cancel"}').commands == (Interrupt(),)
    done = tell(one, events.ReplyFinished(2, "resp_1", interrupted=True))[-1]
    assert done["response"]["status_details"]["reason"] == "client_cancelled"


def test_who_opts_in_late_is_told_how_things_stand() -> None:
    one = protocol()
    panel = {"title": "Timers", "rows": [], "empty": "None."}
    tell(
        one,
        events.ActivityChanged(1, "speaking"),
        events.PanelShown(1, "clock", panel),
        events.UtteranceStarted(1, "resp_1", "item_g", "greeting"),
    )
    update = {"type": "session.update", "session": {"omni": {"extensions": True}}}
    present = ["session.updated", "omni.activity", "omni.panel", "omni.utterance.started"]
    assert kinds(check(one.on_message(json.dumps(update)).replies)) == present
    # and again by a client that goes on over another connection
    assert kinds(check(one.on_message(json.dumps(update)).replies)) == present
    other = '{"type": "session.update", "session": {"model": "another"}}'
    assert kinds(check(one.on_message(other).replies)) == ["session.updated"]


def test_a_session_is_told_what_is_in_force_and_what_has_no_effect() -> None:
    given = {
        "instructions": "be nice",
        "unheeded": "a name like any other",
        "audio": {
            "input": {
                "transcription": {"model": "whisper-9"},
                "turn_detection": {"type": "semantic_vad", "eagerness": "high"},
            },
            "output": {"voice": "unheard-of", "speed": 1.5},
        },
    }
    received = protocol().on_message(update(**given))
    assert received.commands == (Configure(Wishes(speed=1.5, turns="auto")),)
    (reply,) = check(received.replies)
    audio = reply["session"]["audio"]
    assert audio["output"] == {"format": PCM_FORMAT, "speed": 1.5}
    assert audio["input"]["turn_detection"] == {"type": "semantic_vad"}
    assert audio["input"]["transcription"] == {"model": "omni_agent"}
    assert reply["session"]["omni"]["ignored"] == [
        "audio.input.transcription",
        "audio.input.turn_detection.eagerness",
        "audio.output.voice",
        "instructions",
        "unheeded",
    ]


@pytest.mark.parametrize("speed", [0, 0.1, 40, math.inf])
def test_a_speed_that_no_voice_has_is_refused(speed: float) -> None:
    received = protocol().on_message(update(audio={"output": {"speed": speed}}))
    assert received.commands == ()
    (error,) = kinds(received.replies)
    assert error == "error"


@pytest.mark.parametrize("options", [{"conversation": "none"}, {"input": []}])
def test_what_was_to_be_private_is_not_spoken(options: dict[str, Any]) -> None:
    received = protocol().on_message(json.dumps({"type": "response.create", "response": options}))
    assert received.commands == ()
    (reply,) = check(received.replies)
    assert reply["error"]["param"] == f"response.{next(iter(options))}"


def test_a_client_learns_that_a_replys_options_have_no_effect() -> None:
    one = protocol()
    options = {"instructions": "Greet.", "metadata": {"a": "b"}}
    received = one.on_message(json.dumps({"type": "response.create", "response": options}))
    assert received.commands == (ReplyRequest(),)
    (reply,) = one.on_message(update()).replies
    assert reply["session"]["omni"]["ignored"] == ["response.instructions"]


def update(**session: Any) -> str:
    return json.dumps({"type": "session.update", "session": session})


def detection(value: Any) -> dict[str, Any]:
    return {"audio": {"input": {"turn_detection": value}}}


@pytest.mark.parametrize(
    ("value", "wishes"),
    [
        (None, Wishes(turns="manual")),
        ({"type": "server_vad"}, Wishes(turns="auto")),
        (
            {"type": "semantic_vad", "create_response": False, "interrupt_response": False},
            Wishes(turns="auto", answered=False, interrupts=False),
        ),
    ],
)
def test_turn_detection_says_who_ends_a_turn(value: Any, wishes: Wishes) -> None:
    one = protocol()
    received = one.on_message(update(**detection(value)))
    assert received.commands == (Configure(wishes),)
    (reply,) = check(received.replies)
    assert reply["session"]["audio"]["input"]["turn_detection"] == value
    assert one.on_message(update(model="x")).commands == (), "what is left out stays as it is"


def test_what_its_line_wishes_is_the_session_s_and_the_client_s_goes_over_it() -> None:
    schema = ToolSchema("locate", "Where the user is.", {"type": "object"})
    one = Realtime(FACTS, wishes=Wishes(turns="manual", speed=1.5, tools=(schema,)), fits=no_locate)
    (created,) = check(one.opening())
    audio = created["session"]["audio"]
    assert (audio["input"]["turn_detection"], audio["output"]["speed"]) == (None, 1.5)
    assert [tool["name"] for tool in created["session"]["tools"]] == ["locate"]
    commit = json.dumps({"type": "input_audio_buffer.commit"})
    assert one.on_message(commit).commands == (CommitAudio(),)
    choose = json.dumps({"type": "omni.persona.choose", "persona": "tutor"})
    assert "already" in one.on_message(choose).replies[0]["error"]["message"]
    (updated,) = check(one.on_message(update(**detection({"type": "server_vad"}))).replies)
    assert updated["session"]["audio"]["output"]["speed"] == 1.5


def test_push_to_talk_commits_and_clears_only_where_the_client_ends_its_turns() -> None:
    one = protocol()
    commit, clear = (json.dumps({"type": f"input_audio_buffer.{do}"}) for do in ("commit", "clear"))
    assert one.on_message(commit).commands == ()
    one.on_message(update(**detection(None)))
    assert one.on_message(commit).commands == (CommitAudio(),)
    cleared = one.on_message(clear)
    assert cleared.commands == (ClearAudio(),)
    assert kinds(check(cleared.replies)) == ["input_audio_buffer.cleared"]
    told = tell(
        one,
        events.AudioCommitted(1, "item_u", 1500),
        events.UserTranscript(2, "item_u", "hello", final=True),
    )
    assert kinds(told) == [
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]
    assert told[-1]["usage"] == {"type": "duration", "seconds": 1.5}


LOCATE = {"type": "function", "name": "locate", "description": "Where the user is."}


def test_a_tool_that_the_client_declares_is_the_sessions_and_its_result_an_item() -> None:
    one = protocol()
    received = one.on_message(update(tools=[LOCATE]))
    (command,) = received.commands
    assert command == Configure(
        Wishes(tools=(ToolSchema("locate", "Where the user is.", {"type": "object"}),))
    )
    (reply,) = check(received.replies)
    assert reply["session"]["tools"] == [{**LOCATE, "parameters": {"type": "object"}}]
    output = {"type": "function_call_output", "id": "mine", "call_id": "call_1", "output": "Lisbon"}
    create = json.dumps({"type": "conversation.item.create", "item": output})
    assert one.on_message(create).commands == (AddItem(ToolResult("call_1", "Lisbon", id="mine")),)


@pytest.mark.parametrize(
    ("tools", "words"),
    [
        ([{"type": "function", "name": "no spaces"}], "tools"),
        ([{"type": "web_search", "name": "x"}], "tools"),
        ([{**LOCATE, "parameters": {"type": 7}}], "not a JSON schema"),
        ([{**LOCATE, "description": "x" * 4000, "name": f"t{n}"} for n in range(5)], "characters"),
        ([LOCATE] * 33, "tools"),
        ([LOCATE] * 2, "two of one name"),
        ([{**LOCATE, "parameters": {"anyOf": [{}] * 5200}}], "objects"),
    ],
)
def test_tools_that_cannot_be_are_refused_and_change_nothing(tools: Any, words: str) -> None:
    one = protocol()
    received = one.on_message(update(tools=tools))
    assert received.commands == ()
    (error,) = check(received.replies)
    assert error["type"] == "error"
    assert words in error["error"]["message"] + (error["error"]["param"] or "")


def no_locate(persona: str, wishes: Wishes) -> None:
    if persona == "tutor" and any(tool.name == "locate" for tool in wishes.tools or ()):
        raise ProtocolError("tool 'locate' is the persona's already")


def test_of_what_cannot_be_all_of_it_nothing_is_said_to_be_in_force() -> None:
    one = Realtime(dataclasses.replace(FACTS, persona="tutor"), fits=no_locate)
    (error,) = check(one.on_message(update(tools=[LOCATE], **detection(None))).replies)
    assert "already" in error["error"]["message"]
    (updated,) = check(one.on_message(update()).replies)
    assert updated["session"]["tools"] == []
    assert updated["session"]["audio"]["input"]["turn_detection"] is not None


def test_a_persona_that_the_client_s_tools_do_not_go_with_is_refused_at_once() -> None:
    one = Realtime(FACTS, fits=no_locate)
    assert one.on_message(update(tools=[LOCATE])).commands
    choose = json.dumps({"type": "omni.persona.choose", "persona": "tutor"})
    for message in (choose, update(omni={"persona": "tutor"})):
        received = one.on_message(message)
        assert received.commands == ()
        assert "already" in received.replies[0]["error"]["message"]
    both = one.on_message(update(omni={"persona": "tutor"}, tools=[]))
    assert both.commands == (ChoosePersona("tutor", Wishes(tools=())),)
    assert one.on_message(choose).commands == (ChoosePersona("tutor"),)


def test_a_persona_that_broke_is_told_in_words_for_callers() -> None:
    def broken(persona: str, wishes: Wishes) -> None:
        raise PersonaError("secret/path.md", 1, "x", public="It has a mistake.")

    received = Realtime(FACTS, fits=broken).on_message(update(tools=[LOCATE]))
    assert received.commands == ()
    assert received.replies[0]["error"]["message"] == "It has a mistake."


@pytest.mark.parametrize("missing", ["call_id", "output"])
def test_a_result_that_lacks_something_is_refused(missing: str) -> None:
    item = {"type": "function_call_output", "call_id": "call_1", "output": "x"}
    del item[missing]
    received = protocol().on_message(json.dumps({"type": "conversation.item.create", "item": item}))
    assert received.commands == ()
    assert received.replies[0]["error"]["param"] == f"item.{missing}"


def test_an_item_that_is_there_can_be_deleted() -> None:
    one = protocol()
    delete = json.dumps({"type": "conversation.item.delete", "item_id": "mine"})
    assert one.on_message(delete).replies[0]["error"]["param"] == "item_id"
    tell(one, events.ItemAdded(1, user("hi", "mine")))
    assert one.on_message(delete).commands == (DeleteItem("mine"),)
    (deleted,) = tell(one, events.ItemRemoved(2, "mine"))
    assert (deleted["type"], deleted["item_id"]) == ("conversation.item.deleted", "mine")


def test_the_session_that_comes_with_an_offer_is_wished_for() -> None:
    one = protocol()
    config = SessionConfig.model_validate({**detection(None), "tools": [LOCATE]})
    wishes = one.configure(config)
    assert wishes.turns == "manual"
    assert [tool.name for tool in wishes.tools or ()] == ["locate"]
    (created,) = check(one.opening())
    assert created["session"]["tools"][0]["name"] == "locate"


@pytest.mark.parametrize(("limit_s", "told"), [(7200.0, 7200.0), (math.inf, None)])
def test_a_client_is_told_how_long_the_call_may_last(limit_s: float, told: float | None) -> None:
    (created,) = check(Realtime(Facts("Mira", limit_s=limit_s)).opening())
    assert created["session"]["omni"]["limit_s"] == told


def test_a_typed_message_and_the_request_for_its_reply_are_passed_on() -> None:
    one = protocol()
    item = {"type": "message", "role": "user", "id": "mine"}
    item["content"] = [{"type": "input_text", "text": "hi"}]  # type: ignore[assignment]  # JSON
    create = json.dumps({"type": "conversation.item.create", "item": item})
    assert one.on_message(create).commands == (AddItem(Message("user", (TextPart("hi"),), "mine")),)
    told = tell(one, events.ItemAdded(1, Message("user", (TextPart("hi"),), "mine")))
    assert kinds(told) == ["conversation.item.added", "conversation.item.done"]
    again = check(one.on_message(create).replies)
    assert again[0]["error"]["param"] == "item.id"
    request = {"type": "response.create", "response": {"metadata": {"client_event_id": "e7"}}}
    assert one.on_message(json.dumps(request)).commands == (ReplyRequest(),)
    (created,) = tell(one, events.ReplyStarted(1, "resp_1"))
    assert created["response"]["metadata"] == {"client_event_id": "e7"}
    done = tell(one, events.ReplyFinished(1, "resp_1", interrupted=False))[-1]
    assert done["response"]["metadata"] == {"client_event_id": "e7"}
    (created,) = tell(one, events.ReplyStarted(2, "resp_2"))
    assert created["response"]["metadata"] is None


def test_truncation_is_passed_on_and_answered() -> None:
    one = protocol()
    tell(one, events.ItemAdded(1, Message("assistant", (TextPart("Hello there"),), "item_a")))
    truncate = {"type": "conversation.item.truncate", "item_id": "item_a", "audio_end_ms": 0}
    received = one.on_message(json.dumps(truncate | {"content_index": 0}))
    assert received.commands == (Truncate("item_a", 0),)
    assert kinds(check(received.replies)) == ["conversation.item.truncated"]


def test_personas_are_chosen_by_name() -> None:
    one = protocol()
    choose = {"type": "omni.persona.choose", "persona": "tutor"}
    assert one.on_message(json.dumps(choose)).commands == (ChoosePersona("tutor"),)
    (error,) = check(one.on_message(json.dumps(choose | {"persona": "nobody"})).replies)
    assert error["error"]["param"] == "persona"
    assert "concierge" in error["error"]["message"]


@pytest.mark.parametrize(
    ("text", "param"),
    [
        ("", None),
        ("[" * 100_000, None),
        ("[]", None),
        ('"text"', None),
        ("{}", "type"),
        ('{"type": 3}', "type"),
        ('{"type": "response.destroy"}', "type"),
        ('{"type": "session.update"}', "session"),
        ('{"type": "session.update", "session": {"type": "transcription"}}', "session.type"),
        ('{"type": "session.update", "session": {"audio": 5}}', "session.audio"),
        ('{"type": "conversation.item.create", "item": {"type": "message"}}', "item.type"),
        ('{"type": "conversation.item.truncate", "item_id": "x"}', "audio_end_ms"),
        (
            '{"type": "conversation.item.truncate", "item_id": "x", "audio_end_ms": 1e999}',
            None,
        ),
        (
            '{"type": "conversation.item.truncate", "item_id": "x", "audio_end_ms": 1}',
            "item_id",
        ),
        ('{"type": "conversation.item.retrieve", "item_id": "x"}', "item_id"),
        ('{"type": "input_audio_buffer.append", "audio": ""}', "type"),
    ],
)
def test_a_bad_message_is_answered_with_an_error_that_names_the_field(
    text: str, param: str | None
) -> None:
    received = protocol().on_message(text)
    assert received.commands == ()
    (error,) = check(received.replies)
    assert error["type"] == "error"
    assert error["error"]["param"] == param
    assert error["error"]["message"]


def test_text_that_is_no_valid_unicode_cannot_break_the_channel() -> None:
    one = protocol()
    item = {"type": "message", "role": "user"}
    item["content"] = [{"type": "input_text", "text": "\ud800"}]  # type: ignore[assignment]  # JSON
    create = json.dumps({"type": "conversation.item.create", "item": item})
    received = one.on_message(create)
    assert received.commands == ()
    assert kinds(check(received.replies)) == ["error"]
    for message in one.on_event(events.ItemAdded(1, user("\ud800"))):
        dump(message).encode("ascii")


words = st.text(max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)
KINDS = [
    "session.update",
    "conversation.item.create",
    "conversation.item.truncate",
    "conversation.item.retrieve",
    "response.create",
    "response.cancel",
    "output_audio_buffer.clear",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "omni.persona.choose",
]
fields = st.sampled_from(
    ["item", "item_id", "audio_end_ms", "session", "response", "persona", "event_id", "x"]
)
inner_fields = st.sampled_from(
    ["type", "role", "content", "id", "text", "omni", "extensions", "audio", "input", "output",
     "metadata", "voice", "speed", "model", "turn_detection", "transcription"]
)  # fmt: skip
bodies = st.recursive(
    json_values | st.sampled_from(["message", "user", "input_text", "realtime", "item_a", "tutor"]),
    lambda inner: st.dictionaries(inner_fields, inner, max_size=5) | st.lists(inner, max_size=3),
    max_leaves=10,
)
messages = st.builds(
    lambda kind, body: {**body, "type": kind},
    st.sampled_from(KINDS),
    st.dictionaries(fields, bodies, max_size=4),
)


sent = st.one_of(messages.map(json.dumps), json_values.map(json.dumps), st.text())


@settings(max_examples=300, deadline=None)
@given(st.lists(sent, max_size=5))
def test_no_message_raises_and_every_answer_is_valid(texts: list[str]) -> None:
    one = protocol()
    interrupted_turn(one)
    for text in texts:
        check(one.on_message(text).replies)
    check(one.opening())
    tell(one, *TOOL_TURN)


ids = st.sampled_from(["a", "b", "c"])
parts = st.one_of(
    st.builds(TextPart, words),
    st.builds(AudioPart, st.just(AudioFrame.silence(0.02, 16_000)), st.none() | words),
    st.just(ImagePart(b"jpeg", "image/jpeg")),
)
roles = st.sampled_from(["user", "assistant", "system"])
items: st.SearchStrategy[Item] = st.one_of(
    st.builds(Message, roles, st.tuples(parts), ids, st.booleans()),
    st.just(assistant("")),
    st.builds(ToolCall, ids, words, st.dictionaries(words, words, max_size=2)),
    st.builds(ToolResult, ids, words, st.booleans()),
)
at, ms, flag = st.just(0.0), st.integers(0, 9999), st.booleans()
any_event: st.SearchStrategy[events.Event] = st.one_of(
    st.builds(events.SpeechStarted, at, ids, ms),
    st.builds(events.SpeechStopped, at, ids, ms),
    st.builds(events.UserTranscript, at, ids, words, flag),
    st.builds(events.BackchannelIgnored, at, ids, words),
    st.builds(events.ItemAdded, at, items),
    st.builds(events.ReplyStarted, at, ids),
    st.builds(events.UtteranceStarted, at, ids, ids, st.just("answer")),
    st.builds(events.SpokenText, at, ids, words),
    st.builds(events.PlaybackStarted, at, ids),
    st.builds(events.UtteranceFinished, at, ids, ids, words, words, ms, flag),
    st.builds(events.ToolStarted, at, ids, ids, words, st.just({})),
    st.builds(events.ToolFinished, at, ids, words, words, flag, st.just(1.0)),
    st.builds(events.Interrupted, at, ids, st.just(1.0)),
    st.builds(events.ReplyFinished, at, ids, flag),
    st.builds(events.ErrorOccurred, at, words, words),
    st.builds(events.ActivityChanged, at, st.just("thinking")),
    st.builds(events.SessionEnded, at, words),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(any_event, max_size=25), flag)
def test_any_order_of_events_gives_valid_messages(told: list[events.Event], extended: bool) -> None:
    tell(protocol(extensions=extended), *told)


def test_of_what_is_finished_nothing_is_kept() -> None:
    one = protocol(extensions=True)

    def kept() -> int:
        return sum(len(part) for part in vars(one._events).values() if isinstance(part, dict | set))

    before = kept()
    for turn in range(100):
        for event in TOOL_TURN:
            own = {
                key: f"{value}_{turn}"
                for key in ("item_id", "call_id", "reply_id", "utterance")
                if (value := getattr(event, key, None))
            }
            if isinstance(event, events.ItemAdded):
                item: Any = replace(event.item, id=f"{event.item.id}_{turn}")
                if isinstance(item, ToolCall | ToolResult):
                    item = replace(item, call_id=f"{item.call_id}_{turn}")
                own = {"item": item}
            one.on_event(replace(event, **own))
    assert kept() == before
    for turn in range(1000):  # of these no words ever come
        one.on_event(events.SpeechStarted(1, f"item_{turn}", 400))
        one.on_event(events.SpeechStopped(1, f"item_{turn}", 500))
    assert kept() == before + MAX_HEARING


def test_what_plugins_found_for_a_turn_is_told_to_no_client() -> None:
    one = protocol()
    before = dict(one._view.items)
    found = Message("system", (TextPart("The code is 4711."),), retrieved=True)
    assert one.on_event(events.ContextAdded(1.0, found)) == []
    assert one._view.items == before


def test_every_event_has_its_place_in_the_mapping() -> None:
    """An event that is added to the union must be told, or be left out on purpose."""
    untold = {
        events.SessionStarted, events.KeyPressed, events.ContextAdded, events.TokensUsed,
    }  # fmt: skip
    known = set(protocol()._events._on_event)
    assert known | untold == set(events.Event.__args__)
