"""A second line, held to what lines promise: a real server and a real client on loopback, models
from a script, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from omni_agent import ServerOptions, events
from omni_agent.audio import Pcm
from omni_agent.conversation import Message
from omni_agent.server.limits import Limits, RequestLimits
from omni_agent.testing import virtual_time
from tests.clocks import until
from tests.lines import pcm_socket
from tests.lines.pcm_socket import RATE
from tests.lines.serving import Served as ServedOver

STORY = "Once upon a time there was a very long story. " * 20


class Served(ServedOver):
    """An agent that can be called by the line."""

    def __init__(self, *scripts: list[Any], options: ServerOptions | None = None) -> None:
        super().__init__(pcm_socket, *scripts, options=options)


class Phone:
    """A client that always sends and always listens."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._to_say = connection, np.zeros(0, np.int16)
        self._loop = asyncio.get_running_loop()
        self.heard: list[tuple[float, Pcm]] = []
        self.silent = asyncio.Event()

    @property
    def seconds(self) -> float:
        """Of speech that came."""
        return sum(len(pcm) for _, pcm in self.heard) / RATE

    def say(self, pcm: Pcm) -> None:
        self._to_say = np.concatenate([self._to_say, pcm])

    async def speak(self) -> None:
        while True:
            now, self._to_say = self._to_say[:320], self._to_say[320:]
            await self._connection.send(np.pad(now, (0, 320 - len(now))).tobytes())
            await asyncio.sleep(0.02)

    async def listen(self) -> None:
        async for message in self._connection:
            assert isinstance(message, bytes)
            self.heard.append((self._loop.time(), np.frombuffer(message, np.int16)))


@asynccontextmanager
async def calling(served: Served) -> AsyncIterator[Phone]:
    async with connect(served.url) as connection, asyncio.TaskGroup() as tasks:
        phone = Phone(connection)
        both = [tasks.create_task(phone.speak()), tasks.create_task(phone.listen())]
        yield phone
        for one in both:
            one.cancel()


@virtual_time
async def test_a_turn_is_heard_and_answered_as_fast_as_it_is_spoken() -> None:
    served = Served(["The first answer, which takes a while."])
    async with served.running(), calling(served) as phone:
        phone.say(served.ears.say("Tell me something please.").pcm)
        said = await served.seen.until(
            events.ItemAdded, lambda e: isinstance(e.item, Message) and e.item.role == "user"
        )
        assert said.item.text == "Tell me something please."
        over = await served.seen.until(events.UtteranceFinished)
        assert over.text == over.heard == "The first answer, which takes a while."
        assert phone.seconds == pytest.approx(0.02 * len(over.text), abs=0.021)
        came = [at for at, _ in phone.heard]
        steps = np.diff(came)
        assert np.abs(np.concatenate([pcm for _, pcm in phone.heard])).max() > 400
        assert came[-1] - came[0] == pytest.approx(0.02 * (len(came) - 1), abs=0.03)
        assert steps.max() < 0.06


@virtual_time
async def test_a_barge_in_cuts_what_is_unsent_and_the_history_has_what_was_heard() -> None:
    served = Served([STORY], ["Very well."])
    async with served.running(), calling(served) as phone:
        phone.say(served.ears.say("Tell me a story please.").pcm)
        await served.seen.until(events.PlaybackStarted)
        await until(lambda: phone.seconds > 3)
        phone.say(served.ears.say("Stop that and listen to me now.").pcm)
        over = await served.seen.until(events.UtteranceFinished)
        told = phone.seconds
        assert over.interrupted
        assert 3 < told < 6 < 0.02 * len(STORY)
        assert STORY.startswith(over.heard)
        assert over.heard_ms == pytest.approx(1000 * told, abs=250)
        assert len(over.heard) == pytest.approx(told / 0.02, abs=15)
        await served.seen.until(events.UtteranceFinished, lambda event: event.text == "Very well.")
        assert phone.seconds - told == pytest.approx(0.02 * len("Very well."), abs=0.05)


@virtual_time
async def test_a_client_that_hangs_up_ends_its_call_and_one_that_is_hung_up_on_is_told() -> None:
    served = Served([STORY])
    async with served.running():
        async with calling(served) as phone:
            phone.say(served.ears.say("Tell me a story please.").pcm)
            await served.seen.until(events.PlaybackStarted)
        assert (await served.seen.until(events.SessionEnded)).reason == "hangup"
        served.seen.events.clear()
        async with connect(served.url) as connection:
            await served.seen.until(events.SessionStarted)
            (session_id,) = served.app.state.calls._places
            await served.app.state.calls.hang_up(session_id, None)
            assert [message async for message in connection] == []
            assert connection.close_code == 1000
        await until(lambda: served.app.state.calls.active == 0)
        await until(lambda: served.door.open == 0)


REFUSALS: dict[str, tuple[str, dict[str, str], int]] = {
    "another site's page": ("localhost/v1/pcm", {"origin": "https://evil.example"}, 403),
    "a name of another site": ("evil.example/v1/pcm", {}, 421),
    "who brings nothing": ("localhost/v1/pcm", {}, 401),
    "who asks for a line that is not there": ("localhost/v1/nothing", {}, 403),
}


@pytest.mark.parametrize("what", REFUSALS)
async def test_a_websocket_is_refused_as_every_request_is(what: str) -> None:
    place, headers, status = REFUSALS[what]
    served = Served(options=ServerOptions(api_key="secret"))
    async with served.running():
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://{place}", additional_headers=headers, sock=served.dial())
        assert refused.value.response.status_code == status
        assert served.app.state.calls.active == 0
        async with connect(served.url, additional_headers={"authorization": "Bearer secret"}):
            assert served.app.state.calls.active == 1


async def test_a_websocket_counts_as_a_request_and_as_a_call() -> None:
    limits = Limits(calls=1, requests=RequestLimits(per_minute=3))
    served = Served(options=ServerOptions(limits=limits))
    async with served.running(), connect(served.url):
        statuses = []
        for _ in range(3):
            with pytest.raises(InvalidStatus) as refused:
                await connect(served.url)
            statuses.append(refused.value.response.status_code)
        assert statuses == [503, 503, 429]
        assert refused.value.response.headers["retry-after"]
        assert served.app.state.calls.metrics.refused == {503: 2, 429: 1}


@virtual_time
async def test_a_server_that_stops_ends_the_calls_over_it_and_tells_its_clients() -> None:
    served = Served([STORY])
    async with served.running():
        connection = await connect(served.url)
        await served.seen.until(events.SessionStarted)
    with pytest.raises(ConnectionClosedError):
        await connection.recv()
    assert connection.close_code == 1012
    assert any(isinstance(event, events.SessionEnded) for event in served.seen.events)
    assert served.door.open == 0
