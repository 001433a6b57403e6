"""The real session, with scripted models, on the real server and a real WebRTC line."""

from __future__ import annotations

import asyncio
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from omni_agent.call import Outfit, Stages
from omni_agent.persona import Persona
from omni_agent.records import Records
from omni_agent.server.host import CallRequest
from omni_agent.server.limits import Limits
from omni_agent.server.options import ServerOptions
from omni_agent.session import Observer, Session
from omni_agent.store import TranscriptStore
from omni_agent.testing import FixedWardrobe, ScriptedTalker, ScriptedThinker, call
from omni_agent.tools import tool
from omni_agent.transport import Transport
from tests.server.calling import Caller, ScriptedHost, Server

STANDARD: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


@tool
def order_status(order_id: str) -> str:
    """Where an order is. order_id: the number on the receipt."""
    return f"{order_id} is out for delivery"


class Rehearsal(ScriptedHost):
    """Runs a real session for each call."""

    def __init__(self, thinker: ScriptedThinker, persona: Persona, *observers: Observer) -> None:
        super().__init__()
        self._observers = observers
        self._outfit = Outfit(persona, {"order_status": order_status}, ())
        self._stages = Stages(thinker, ScriptedTalker(ms_per_character=20), None)
        self.ids: list[str] = []

    async def serve_call(self, transport: Transport, request: CallRequest) -> None:
        try:
            wardrobe = FixedWardrobe(self._outfit)
            session = Session(
                self._stages, transport, wardrobe, call_id=request.id, caller=request.caller,
                observers=self._observers,
            )  # fmt: skip
            self.ids.append(session.id)
            await session.run()
        finally:
            self.ended.set()


EXTENDED = '{"type": "realtime", "omni": {"extensions": true}}'


async def connect(server: Server, caller: Caller) -> str:
    """A call with the extension events; its id as ``Location`` says it."""
    form = {
        "sdp": (None, await caller.offer(), "application/sdp"),
        "session": (None, EXTENDED, "application/json"),
    }
    headers = {"authorization": f"Bearer {await server.token()}"}
    reply = await server.http.post("/v1/realtime/calls", files=form, headers=headers)
    await caller.accept(reply.text)
    await caller.until("session.created")
    return reply.headers["location"].rsplit("/", 1)[1]


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


async def test_a_server_that_stops_tells_every_caller_so_before_the_line_closes(
    caller: Caller,
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
    caller: Caller,
) -> None:
    async def stubborn(transport: Transport, host: ScriptedHost) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            async for _ in transport.frames():  # until its line is closed
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
        call_id = await connect(server, caller)
        await ask(caller, "Is it?")
        await nth(caller, "response.done", 1)
        await caller.peer.close()
        async with asyncio.timeout(10):
            await host.ended.wait()
    begins, ended = (
        record.getMessage()
        for record in caplog.records
        if record.name == "omni_agent.server.call_log"
    )
    assert begins == f"call {call_id} begins: persona concierge, 1 of 16 lines"
    how = r"hangup \(closed by the page\), 1 turns"
    assert re.fullmatch(rf"call {call_id} ended after \d+ s: {how}", ended)


async def test_a_call_has_one_id_for_the_client_the_session_and_the_records(
    caller: Caller, tmp_path: Path
) -> None:
    store = TranscriptStore(tmp_path / "calls.sqlite3")
    host = Rehearsal(ScriptedThinker(), Persona(name="Test"), store.record)
    async with Server(host) as server:
        call_id = await connect(server, caller)
        created = await caller.until("session.created")
    store.close()
    records = Records(store.path)
    assert [call.id for call in records.calls()] == [call_id]
    records.close()
    assert created["session"]["id"] == call_id
    assert host.ids == [call_id]
