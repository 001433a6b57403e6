"""Calls over the real server and a real WebRTC client, with a scripted agent."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest

from omni_agent import events
from omni_agent.audio import AudioFrame
from omni_agent.commands import AddItem, ChoosePersona, Interrupt, ReplyRequest
from omni_agent.conversation import user
from omni_agent.server.host import Readiness
from omni_agent.server.limits import Limits
from omni_agent.server.options import ServerOptions
from omni_agent.transport import PlayoutFinished, PlayoutStarted, Transport
from tests.server.calling import Caller, ScriptedHost, Server, location, tone


async def greet(transport: Transport, host: ScriptedHost) -> None:
    await transport.play("greeting", tone())
    transport.finish("greeting")


async def test_a_caller_hears_the_agent_and_is_heard(caller: Caller) -> None:
    host = ScriptedHost(greet)
    async with Server(host) as server:
        reply = await server.post(await caller.offer())
        assert reply.status_code == 201, reply.text
        assert reply.headers["content-type"].startswith("application/sdp")
        assert location(reply).startswith("/v1/realtime/calls/rtc_")
        await caller.accept(reply.text)
        await caller.hear()
        await host.until(lambda arrival: isinstance(arrival, PlayoutFinished))
        frame = await host.until(lambda arrival: isinstance(arrival, AudioFrame))
        assert isinstance(frame, AudioFrame)
        assert (frame.sample_rate, frame.samples) == (16_000, 320)
        positions = [one.position for one in host.arrived if isinstance(one, AudioFrame)]
        assert positions == [320 * index for index in range(len(positions))]
        assert any(isinstance(arrival, PlayoutStarted) for arrival in host.arrived)


async def test_a_closed_peer_ends_the_session_and_frees_the_line(caller: Caller) -> None:
    host = ScriptedHost()
    async with Server(host) as server:
        await caller.accept((await server.post(await caller.offer())).text)
        await host.until(lambda arrival: isinstance(arrival, AudioFrame))
        await caller.peer.close()
        async with asyncio.timeout(20):
            await host.ended.wait()


async def test_leaving_the_lifespan_ends_every_session(caller: Caller) -> None:
    host = ScriptedHost()
    async with Server(host) as server:
        await caller.accept((await server.post(await caller.offer())).text)
        await host.until(lambda arrival: isinstance(arrival, AudioFrame))
        assert server.app.state.calls.active == 1
    assert host.ended.is_set()
    assert server.app.state.calls.active == 0


async def test_the_data_channel_speaks_realtime(caller: Caller) -> None:
    host = ScriptedHost()

    async def script(transport: Transport, _: ScriptedHost) -> None:
        transport.notify(events.ItemAdded(0.0, user("hello")))

    host.script = script
    async with Server(host) as server:
        reply = await server.post(await caller.offer(), path="/v1/realtime/calls?persona=tutor")
        await caller.accept(reply.text)
        created = await caller.until("session.created")
        assert created["session"]["omni"]["persona"] == "tutor"
        assert caller.messages[0] is created
        assert (await caller.until("conversation.item.done"))["item"]["role"] == "user"
        item = {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "Good evening"}],
        }
        await caller.say(type="conversation.item.create", item=item)
        await caller.say(type="response.cancel")
        await caller.say(type="omni.persona.choose", persona="concierge")
        await host.until(
            lambda arrival: isinstance(arrival, AddItem) and arrival.item.text == "Good evening"
        )
        await host.until(lambda arrival: isinstance(arrival, Interrupt))
        await host.until(lambda arrival: arrival == ChoosePersona("concierge"))
        await caller.say(type="no.such.thing", event_id="mine")
        error = (await caller.until("error"))["error"]
        assert error["event_id"] == "mine"
        assert host.chosen == ["tutor"]


async def test_a_session_part_configures_the_call(caller: Caller) -> None:
    host = ScriptedHost()
    async with Server(host) as server:
        form = {
            "sdp": (None, await caller.offer(), "application/sdp"),
            "session": (
                None,
                '{"type": "realtime", "omni": {"persona": "tutor", "extensions": true}}',
                "application/json",
            ),
        }
        reply = await server.http.post(
            "/v1/realtime/calls",
            files=form,
            headers={"authorization": f"Bearer {await server.token()}"},
        )
        assert reply.status_code == 201, reply.text
        await caller.accept(reply.text)
        omni = (await caller.until("session.created"))["session"]["omni"]
        assert (omni["persona"], omni["extensions"]) == ("tutor", True)
        assert host.chosen == ["tutor"]


async def test_delete_hangs_up(caller: Caller) -> None:
    host = ScriptedHost()
    async with Server(host) as server:
        reply = await server.post(await caller.offer())
        await caller.accept(reply.text)
        assert (await server.hang_up(location(reply))).status_code == 200
        async with asyncio.timeout(20):
            await host.ended.wait()
        assert (await server.hang_up("/v1/realtime/calls/rtc_nobody")).status_code == 404


async def test_a_call_that_never_connects_is_given_up(caller: Caller) -> None:
    host = ScriptedHost()
    async with Server(host, ServerOptions(limits=Limits(connect_s=0.2))) as server:
        assert (await server.post(await caller.offer())).status_code == 201
        async with asyncio.timeout(20):
            await host.ended.wait()


async def test_a_session_that_fails_ends_its_call_only(caller: Caller) -> None:
    async def fail(transport: Transport, host: ScriptedHost) -> None:
        raise RuntimeError("a broken engine")

    host = ScriptedHost(fail)
    async with Server(host) as server:
        assert (await server.post(await caller.offer())).status_code == 201
        async with asyncio.timeout(20):
            await host.ended.wait()
        assert (await server.http.get("/healthz")).status_code == 200
    assert server.app.state.calls.metrics.failed == 1


async def test_while_the_agent_starts_callers_are_told_so_and_when_to_come_back() -> None:
    host = ScriptedHost()
    host.readiness = Readiness(False, "loading the Talker")
    async with Server(host) as server:
        reply = await server.post("v=0")
        assert reply.status_code == 503
        assert "loading the Talker" in reply.json()["error"]["message"]
        assert int(reply.headers["retry-after"]) >= 1
        health = await server.http.get("/healthz")
        assert health.status_code == 503
        assert health.json()["status"] == "starting"


async def test_with_all_lines_busy_the_next_caller_is_asked_to_wait(caller: Caller) -> None:
    host = ScriptedHost()
    async with Server(host, ServerOptions(limits=Limits(calls=1))) as server:
        await caller.accept((await server.post(await caller.offer())).text)
        reply = await server.post("v=0")
        assert reply.status_code == 503
        assert "busy" in reply.json()["error"]["message"]


async def test_metrics_count_calls_and_lateness(caller: Caller) -> None:
    host = ScriptedHost(greet)
    async with Server(host) as server:
        await caller.accept((await server.post(await caller.offer())).text)
        await host.until(lambda arrival: isinstance(arrival, PlayoutFinished))
        text = (await server.http.get("/metrics")).text
    assert "omni_agent_calls 1\n" in text
    assert "omni_agent_send_lateness_p99_seconds" in text
    count = next(
        line
        for line in text.splitlines()
        if line.startswith("omni_agent_send_lateness_seconds_count")
    )
    assert int(count.split()[1]) > 20


async def test_openais_own_client_calls_and_hangs_up_unmodified(caller: Caller) -> None:
    host = ScriptedHost(greet)
    async with Server(host, ServerOptions(api_key="secret")) as server:
        client = openai.AsyncOpenAI(
            base_url="http://localhost/v1", api_key="secret", http_client=server.http
        )
        secret = await client.realtime.client_secrets.create(session={"type": "realtime"})
        assert secret.value.startswith("ek_")
        session: Any = {"type": "realtime", "model": "gpt-realtime"}
        reply = await client.realtime.calls.create(sdp=await caller.offer(), session=session)
        await caller.accept(reply.text)
        await caller.hear()
        assert (await caller.until("session.created"))["session"]["model"] == "gpt-realtime"
        session_id = reply.response.headers["location"].rsplit("/", 1)[1]
        await client.realtime.calls.hangup(session_id)
        async with asyncio.timeout(20):
            await host.ended.wait()


async def test_a_client_that_vanishes_without_a_word_is_waited_for_and_then_given_up(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed browser says no goodbye. Its call may go on elsewhere within 30 s, here 1 s."""
    monkeypatch.setattr("omni_agent_webrtc.transport.LOST_S", 1.0)
    host = ScriptedHost()
    async with Server(host) as server:
        await caller.accept((await server.post(await caller.offer())).text)
        await host.until(lambda arrival: isinstance(arrival, AudioFrame))
        caller.vanish()
        async with asyncio.timeout(20):
            await host.ended.wait()


async def test_a_client_that_closes_its_data_channel_has_hung_up(caller: Caller) -> None:
    """What a browser sends of a tab that is closed: the audio may go on a little."""
    host = ScriptedHost()
    async with Server(host) as server:
        await caller.accept((await server.post(await caller.offer())).text)
        await caller.until("session.created")
        caller.channel.close()
        async with asyncio.timeout(20):
            await host.ended.wait()


async def test_a_call_goes_on_over_another_connection_that_its_client_offers(
    caller: Caller,
) -> None:
    """The first one is lost without a word; the session, its messages and its speech stay."""
    host = ScriptedHost()
    again = Caller()
    async with Server(host) as server:
        reply = await server.post(await caller.offer())
        await caller.accept(reply.text)
        await caller.until("session.created")
        caller.vanish()
        renewed = await server.post(await again.offer(), path=location(reply))
        assert renewed.status_code == 200, renewed.text
        await again.accept(renewed.text)
        await again.say(type="response.create")
        await host.until(lambda arrival: isinstance(arrival, ReplyRequest))
        assert (await again.until("session.created"))["session"]["id"]  # sent again: it is recent
        assert not host.ended.is_set()
        await again.peer.close()
        async with asyncio.timeout(20):
            await host.ended.wait()
        assert len(host.chosen) == 1


async def test_only_a_call_that_is_there_can_go_on(caller: Caller) -> None:
    async with Server(ScriptedHost()) as server:
        reply = await server.post(await caller.offer(), path="/v1/realtime/calls/rtc_other")
        assert reply.status_code == 404
