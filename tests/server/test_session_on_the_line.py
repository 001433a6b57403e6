"""The real session, with scripted models, on the real server and a real WebRTC line."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from omni_agent.audio import AudioFrame
from omni_agent.call.request import CallRequest
from omni_agent.call.session import Observer, Session
from omni_agent.ears import Ears, Transcript
from omni_agent.persona import Persona
from omni_agent.personas.outfit import Outfit
from omni_agent.records.database import Records
from omni_agent.records.transcripts import TranscriptStore
from omni_agent.server.limits import Limits
from omni_agent.server.options import ServerOptions
from omni_agent.stages import Stages
from omni_agent.testing import FixedWardrobe, ScriptedEars, ScriptedTalker, ScriptedThinker, call
from omni_agent.tools.tool import tool
from omni_agent.transport import Transport
from omni_agent.wishes import Wishes
from tests.server.calling import Caller, ScriptedHost, Server
from tests.transports.calling import Hum

STANDARD: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


@tool
def order_status(order_id: str) -> str:
    """Where an order is. order_id: the number on the receipt."""
    return f"{order_id} is out for delivery"


class Rehearsal(ScriptedHost):
    """Runs a real session for each call."""

    def __init__(
        self,
        thinker: ScriptedThinker,
        persona: Persona,
        *observers: Observer,
        ears: Ears | None = None,
    ) -> None:
        super().__init__()
        self._observers = observers
        self._outfit = Outfit(persona, {"order_status": order_status}, ())
        self._stages = Stages(thinker, ScriptedTalker(ms_per_character=20), ears)
        self.ids: list[str] = []

    def shown_name(self, persona: str) -> str:
        return persona

    def check_wishes(self, persona: str, wishes: Wishes) -> None:
        self._outfit.wishing(wishes)

    async def serve_call(self, transport: Transport, request: CallRequest) -> None:
        try:
            wardrobe = FixedWardrobe(self._outfit)
            observers = self._observers
            session = Session(self._stages, transport, wardrobe, request, observers=observers)
            self.ids.append(session.id)
            await session.run()
        finally:
            self.ended.set()


EXTENDED = '{"type": "realtime", "omni": {"extensions": true}}'
MANUAL = '{"type": "realtime", "audio": {"input": {"turn_detection": null}}}'


async def connect(server: Server, caller: Caller, session: str = EXTENDED) -> str:
    """A call with the extension events, or another session; its id as ``Location`` says it."""
    form = {
        "sdp": (None, await caller.offer(), "application/sdp"),
        "session": (None, session, "application/json"),
    }
    headers = {"authorization": f"Bearer {await server.token()}"}
    reply = await server.http.post("/v1/realtime/calls", files=form, headers=headers)
    await caller.accept(reply.text)
    await caller.until("session.created")
    return reply.headers["location"].rsplit("/", 1)[1]


async def test_tools_that_the_persona_has_already_open_no_call(caller: Caller) -> None:
    host = Rehearsal(ScriptedThinker(), Persona(name="Concierge"))
    async with Server(host) as server:
        form = {
            "sdp": (None, await caller.offer(), "application/sdp"),
            "session": (None, '{"tools": [{"name": "order_status"}]}', "application/json"),
        }
        headers = {"authorization": f"Bearer {await server.token()}"}
        reply = await server.http.post("/v1/realtime/calls", files=form, headers=headers)
    assert reply.status_code == 400
    assert "'order_status' is the persona's already" in reply.text
    assert host.ids == []


async def ask(caller: Caller, text: str) -> None:
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    await caller.say(type="conversation.item.create", item=item)
    await caller.say(type="response.create")


async def nth(caller: Caller, kind: str, count: int) -> dict[str, Any]:
    """The count-th message of a kind."""
    async with asyncio.timeout(20):
        while True:
            caller.news.clear()
            found = [message for message in caller.messages if message["type"] == kind]
            if len(found) >= count:
                return found[count - 1]
            await caller.news.wait()


async def test_a_typed_question_is_looked_up_answered_and_interrupted(caller: Caller) -> None:
    thinker = ScriptedThinker(
        [call("order_status", order_id="A-1")],
        ["Your order is out for delivery."],
        ["A very long story. " * 40],
    )
    host = Rehearsal(thinker, Persona(name="test", fillers=(), greeting="Hello there."))
    async with Server(host) as server:
        answered = await server.post(await caller.offer())
        await caller.accept(answered.text)
        created = await caller.until("session.created")
        assert answered.headers["location"].endswith(f"/{created['session']['id']}")
        assert host.ids == [created["session"]["id"]]  # one id for a call everywhere
        await caller.say(type="session.update", session={"omni": {"extensions": True}})
        await caller.hear(loud=100)
        greeting = await nth(caller, "response.done", 1)
        assert greeting["response"]["output"][0]["content"][0]["transcript"] == "Hello there."

        await ask(caller, "Where is A-1?")
        answer = (await nth(caller, "response.done", 2))["response"]
        assert answer["status"] == "completed"
        assert [item["type"] for item in answer["output"]] == ["function_call", "message"]
        finished = await caller.until("omni.tool.finished")
        assert (finished["ok"], finished["output"]) == (True, "A-1 is out for delivery")

        await ask(caller, "Tell me a story.")
        await nth(caller, "output_audio_buffer.started", 3)
        await caller.say(type="response.cancel")
        story = (await nth(caller, "response.done", 3))["response"]
        assert story["status"] == "cancelled"
        assert story["status_details"]["reason"] == "client_cancelled"
        cut = await caller.until("conversation.item.truncated")
        last = story["output"][-1]
        assert (last["id"], last["status"]) == (cut["item_id"], "incomplete")
        heard = (last["content"] or [{"transcript": ""}])[0]["transcript"]
        assert len(heard) < len("A very long story. " * 40) / 2
    thinker.assert_complete()
    assert host.ended.is_set()
    for message in caller.messages:
        if not message["type"].startswith("omni."):
            STANDARD.validate_python(message)


@pytest.fixture
def last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """They leave however busy the machine is."""
    monkeypatch.setattr("omni_agent_webrtc.transport.LAST_WORDS_S", 20.0)


async def test_a_server_that_stops_tells_every_caller_so_before_the_line_closes(
    caller: Caller, last_words: None
) -> None:
    host = Rehearsal(ScriptedThinker(), Persona(name="Test", greeting="Hello " * 50))
    callers = [caller, Caller(), Caller()]
    async with Server(host) as server:
        for one in callers:
            await connect(server, one)
            await one.hear()
    for one in callers:
        assert (await one.until("omni.session.ended"))["reason"] == "shutdown"
        await one.peer.close()


async def test_a_session_that_takes_too_long_to_end_has_its_caller_told_for_it(
    caller: Caller, last_words: None
) -> None:
    async def stubborn(transport: Transport, host: ScriptedHost) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            async for _ in transport.commands():  # until its line is closed
                pass

    options = ServerOptions(limits=Limits(hang_up_s=0.2))
    async with Server(ScriptedHost(stubborn), options) as server:
        await connect(server, caller)
        await caller.until("session.created")
    assert (await caller.until("omni.session.ended"))["reason"] == "shutdown"


async def test_the_log_says_when_a_call_begins_and_how_it_ended(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "omni_agent.server")
    host = Rehearsal(ScriptedThinker(["Yes."]), Persona(name="Test"))
    async with Server(host) as server:
        session_id = await connect(server, caller)
        await ask(caller, "Is it?")
        await nth(caller, "response.done", 1)
        await caller.peer.close()
        async with asyncio.timeout(20):
            await host.ended.wait()
    begins, ended = (
        record.getMessage()
        for record in caplog.records
        if record.name == "omni_agent.server.call_log"
    )
    assert begins == f"call {session_id} begins: persona concierge, 1 of 16 lines"
    how = r"hangup \(closed by the page\), 1 turns"
    assert re.fullmatch(rf"call {session_id} ended after \d+ s: {how}", ended)


async def test_a_call_has_one_id_for_the_client_the_session_and_the_records(
    caller: Caller, tmp_path: Path
) -> None:
    store = TranscriptStore(tmp_path / "calls.sqlite3")
    host = Rehearsal(ScriptedThinker(), Persona(name="Test"), store.record)
    async with Server(host) as server:
        session_id = await connect(server, caller)
        created = await caller.until("session.created")
    store.close()
    records = Records(store.path)
    assert [call.id for call in records.calls()] == [session_id]
    records.close()
    assert created["session"]["id"] == session_id
    assert host.ids == [session_id]


class OneWord(ScriptedEars):
    """Hears "Hello." in whatever it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[float] = []

    async def transcribe(self, audio: AudioFrame, *, language: str = "en") -> Transcript:
        self.given.append(audio.seconds)
        return Transcript("Hello.")


def standard(caller: Caller) -> None:
    for message in caller.messages:
        STANDARD.validate_python(message)


async def test_push_to_talk_over_the_line() -> None:
    thinker, ears = ScriptedThinker(["I heard you."]), OneWord()
    host = Rehearsal(thinker, Persona(name="test", fillers=()), ears=ears)
    speaking = Caller(microphone=Hum())
    async with Server(host) as server:
        await connect(server, speaking, MANUAL)  # who hums as the call begins begins no turn
        created = await speaking.until("session.created")
        assert created["session"]["audio"]["input"]["turn_detection"] is None
        await speaking.say(type="input_audio_buffer.clear")
        await speaking.until("input_audio_buffer.cleared")
        await speaking.say(type="input_audio_buffer.commit")
        while "input_audio_buffer.committed" not in {m["type"] for m in speaking.messages}:
            speaking.news.clear()
            await asyncio.wait_for(speaking.news.wait(), 20)
            if speaking.messages[-1]["type"] == "error":  # nothing has arrived yet
                await speaking.say(type="input_audio_buffer.commit")
        await speaking.say(type="response.create")
        kind = "conversation.item.input_audio_transcription.completed"
        assert (await speaking.until(kind))["transcript"] == "Hello."
        answer = (await speaking.until("response.done"))["response"]
        assert answer["output"][0]["content"][0]["transcript"] == "I heard you."
        assert "input_audio_buffer.speech_started" not in {m["type"] for m in speaking.messages}
        assert 0.1 <= ears.given[0] < 5
        auto = {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}}
        await speaking.say(type="session.update", session=auto)
        updated = await speaking.until("session.updated")
        assert updated["session"]["audio"]["input"]["turn_detection"] == {"type": "server_vad"}
        await speaking.until("input_audio_buffer.speech_started")  # its hum is a turn from now on
        await speaking.peer.close()
    standard(speaking)


async def test_a_tool_of_the_client_is_called_and_answered_over_the_line(caller: Caller) -> None:
    thinker = ScriptedThinker([call("locate")], ["You are in Lisbon."])
    host = Rehearsal(thinker, Persona(name="test", fillers=()))
    async with Server(host) as server:
        form = {
            "sdp": (None, await caller.offer(), "application/sdp"),
            "session": (None, json.dumps({"tools": [LOCATE]}), "application/json"),
        }
        headers = {"authorization": f"Bearer {await server.token()}"}
        reply = await server.http.post("/v1/realtime/calls", files=form, headers=headers)
        await caller.accept(reply.text)
        created = await caller.until("session.created")
        assert [tool["name"] for tool in created["session"]["tools"]] == ["locate"]
        await ask(caller, "Where am I?")
        called = (await nth(caller, "response.done", 1))["response"]
        assert called["status"] == "completed"
        (function_call,) = called["output"]
        item = {
            "type": "function_call_output",
            "call_id": function_call["call_id"],
            "output": "Lisbon",
        }
        await caller.say(type="conversation.item.create", item=item)
        await caller.say(type="response.create")
        answer = (await nth(caller, "response.done", 2))["response"]
        assert answer["output"][0]["content"][0]["transcript"] == "You are in Lisbon."
    thinker.assert_complete()
    standard(caller)


LOCATE = {"type": "function", "name": "locate", "description": "Where the user is."}
