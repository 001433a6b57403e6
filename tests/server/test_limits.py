"""What one call, one address and one message may be; docs/operating.md is the table of it."""

from __future__ import annotations

import ast
import asyncio
import functools
import importlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from omni_agent import events
from omni_agent.commands import AddItem, ChoosePersona, Command, ReplyRequest
from omni_agent.conversation import Message, TextPart
from omni_agent.errors import ProtocolError
from omni_agent.server import reading
from omni_agent.server.client_commands import MAX_EVENT_ID
from omni_agent.server.client_messages import (
    MAX_CALLER,
    MAX_CONTENT_PARTS,
    MAX_MS,
    MAX_PERSONAS,
    MAX_SPEED,
    MAX_TEXT,
    MAX_TOOLS,
    MAX_TOOLS_TEXT,
    MAX_UNKNOWN,
    ClientTool,
    NewItem,
    SessionConfig,
)
from omni_agent.server.limits import (
    ConnectionLimits,
    Limits,
    MessageLimits,
    OfferLimits,
    RequestLimits,
)
from omni_agent.server.options import ServerOptions
from omni_agent.server.rates import Bucket
from omni_agent.server.realtime import Realtime
from omni_agent.server.realtime_transport import RealtimeTransport
from omni_agent.server.view import MAX_ITEMS, ClientView
from omni_agent.server.wire import MAX_IGNORED, Facts, SessionState
from tests.server.calling import Caller, ScriptedHost, Server, location

ROOT = Path(__file__).parent.parent.parent
CALLS = "/v1/realtime/calls"
SECRETS = "/v1/realtime/client_secrets"
PAGE = {"origin": "http://localhost"}


# -- the table --------------------------------------------------------------------------


def limits(of: Any = Limits, prefix: str = "") -> list[str]:
    """Every limit there is, as operators write it: ``requests.per_minute``."""
    found = []
    for one in fields(of):
        inner = getattr(of(), one.name)
        if is_dataclass(inner):
            found += limits(type(inner), f"{one.name}.")
        else:
            found.append(prefix + one.name)
    return found


ROW = re.compile(r"^\| `([\w.]+)` \| ([\d.,]+)[^|]* \|[^|]*\| `([^`]+)` \|$", re.MULTILINE)
TABLE = {name: rest for name, *rest in ROW.findall((ROOT / "docs" / "operating.md").read_text())}


def test_every_limit_is_in_the_table() -> None:
    assert set(limits()) - {"calls"} <= set(TABLE)  # None, which is at most MOST_CALLS


BOUND = re.compile(r"(MAX|MOST)_\w+|\w+_PER_MINUTE")
NO_ROWS = {
    "omni_agent_webrtc.sdp.MAX_MEDIA",  # where nobody says: the rows are offers.media,
    "omni_agent_webrtc.sdp.MAX_CANDIDATES",  # and offers.candidates
    "omni_agent.lines.inbox.MAX_NEWS",  # two an utterance of ours
    "omni_agent.lines.clock.MAX_LATE_S",  # of our own lateness, which nobody sends,
    "omni_agent_webrtc.silence.MAX_STEP_S",  # and here, too
}


def constants(source: str) -> list[str]:
    """The names that a module assigns to."""
    body = ast.parse(source).body
    assigned = [one for one in body if isinstance(one, ast.Assign | ast.AnnAssign)]
    names = (name for one in assigned for name in ast.walk(one) if isinstance(name, ast.Name))
    return [name.id for name in names if isinstance(name.ctx, ast.Store)]


@pytest.mark.parametrize("package", ["omni_agent.lines", "omni_agent.server", "omni_agent_webrtc"])
def test_every_constant_that_is_named_as_a_bound_is_in_the_table(package: str) -> None:
    (folder,) = importlib.import_module(package).__path__
    named = {
        f"{package}.{file.stem}.{name}"
        for file in Path(folder).glob("*.py")
        for name in constants(file.read_text())
        if BOUND.fullmatch(name)
    }
    assert named
    assert named - NO_ROWS <= set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_the_table_is_true_and_names_a_test_that_there_is(name: str) -> None:
    *path, last = name.split(".")
    if last.isupper():
        where: Any = importlib.import_module(".".join(path))
    else:
        where = functools.reduce(getattr, path, Limits())
    shown, test = TABLE[name]
    assert float(shown.replace(",", "")) == getattr(where, last)
    file, _, function = test.partition("::")
    assert re.search(rf"def {function}\b", (ROOT / "tests" / file).read_text())


# -- the data channel -------------------------------------------------------------------


class Client:
    """One side of the protocol, at a time of the test's choosing."""

    def __init__(self, **bounds: int) -> None:
        self.now = 0.0
        facts = Facts("concierge", ("concierge", "tutor"))
        bounded = MessageLimits(**bounds)
        self.realtime = Realtime(facts, limits=bounded, now=lambda: self.now)
        self.over = False

    def send(self, kind: str, **fields: Any) -> tuple[tuple[Command, ...], str | None]:
        """What a message is for the session, and the code of the error that answers it."""
        return self.raw(json.dumps({"type": kind, **fields}))

    def raw(self, text: str) -> tuple[tuple[Command, ...], str | None]:
        received = self.realtime.on_message(text)
        self.over = received.over
        errors = [reply["error"]["code"] for reply in received.replies if reply["type"] == "error"]
        return received.commands, errors[0] if errors else None

    def type(self, text: str, **more: Any) -> tuple[tuple[Command, ...], str | None]:
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content, **more}
        return self.send("conversation.item.create", item=item)


REFUSED = ((), "rate_limit_exceeded")


@pytest.mark.parametrize(
    ("limit", "message", "command"),
    [
        ("per_minute", {"kind": "input_audio_buffer.commit"}, None),
        ("replies_per_minute", {"kind": "response.create"}, ReplyRequest()),
        ("updates_per_minute", {"kind": "session.update", "session": {}}, None),
        (
            "updates_per_minute",
            {"kind": "omni.persona.choose", "persona": "tutor"},
            ChoosePersona("tutor"),
        ),
    ],
)
def test_messages_have_a_rate_and_what_is_beyond_it_is_left_undone(
    limit: str, message: dict[str, Any], command: Command | None
) -> None:
    client = Client(**{limit: 3})
    done = ((command,) if command else (), None)
    assert [client.send(**message) for _ in range(5)] == [done] * 3 + [REFUSED] * 2
    client.now += 20
    assert client.send(**message) == done
    assert client.send(**message) == REFUSED


def test_typed_messages_have_a_rate() -> None:
    client = Client(texts_per_minute=2)
    assert [len(client.type("a")[0]) for _ in range(3)] == [1, 1, 0]
    client.now += 30
    (added,), error = client.type("b")
    assert isinstance(added, AddItem)
    assert isinstance(added.item, Message)
    assert (added.item.text, error) == ("b", None)


def test_a_call_takes_so_much_typed_text_and_no_more_however_long_it_lasts() -> None:
    client = Client(text_characters=10)
    assert client.type("12345")[1] is None
    client.now += 3600
    assert client.type("123456") == REFUSED
    assert client.type("12345")[1] is None
    assert client.type("1") == REFUSED


def test_all_messages_together_have_a_size() -> None:
    client = Client(characters_per_minute=1000)
    long = json.dumps({"type": "input_audio_buffer.commit", "filling": "x" * 400})
    assert [client.raw(long)[1] for _ in range(3)] == [None, None, "rate_limit_exceeded"]
    client.now += 60
    assert client.raw(long)[1] is None


def test_one_message_has_a_size() -> None:
    client = Client(characters=100)
    assert client.raw(json.dumps({"type": "response.create", "x": "x" * 100})) == REFUSED


def test_one_message_has_a_depth() -> None:
    client = Client(depth=4)
    assert client.raw('{"type": "response.create", "x": [[[]]]}')[0] == (ReplyRequest(),)
    assert client.raw('{"type": "response.create", "x": [[[[]]]]}')[1] == "invalid_message"
    assert client.raw('{"a":' * 5000 + "1" + "}" * 5000)[1] == "invalid_message"


def test_a_typed_message_has_a_size_in_one_part_or_many() -> None:
    client = Client()
    assert client.type("x" * MAX_TEXT)[1] is None
    assert client.type("x" * (MAX_TEXT + 1))[1] == "invalid_message"
    halves = [{"type": "input_text", "text": "x" * (MAX_TEXT // 2)}] * 3
    assert client.type("", content=halves)[1] == "invalid_message"
    part = {"type": "input_text", "text": "x"}
    assert client.type("", content=[part] * MAX_CONTENT_PARTS)[1] is None
    assert client.type("", content=[part] * (MAX_CONTENT_PARTS + 1))[1] == "invalid_message"


@pytest.mark.parametrize(
    "place",
    [{"audio_end_ms": -1}, {"audio_end_ms": MAX_MS + 1}, {"content_index": MAX_CONTENT_PARTS}],
)
def test_where_a_message_is_cut_is_a_place_in_it(place: dict[str, int]) -> None:
    fits: dict[str, Any] = {
        "item_id": "item_1",
        "audio_end_ms": MAX_MS,
        "content_index": MAX_CONTENT_PARTS - 1,
    }
    client = Client()
    client.realtime.on_event(
        events.ItemAdded(0, Message("assistant", (TextPart("Hello."),), "item_1"))
    )
    assert client.send("conversation.item.truncate", **fits)[1] is None
    assert client.send("conversation.item.truncate", **(fits | place))[1] == "invalid_message"


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "a\nb", "é", "<b>", "a/b", "a\x00"])
def test_ids_are_short_and_plain(name: str) -> None:
    client = Client()
    assert client.type("hello", id=name)[1] == "invalid_message"
    assert client.send("conversation.item.retrieve", item_id=name)[1] == "invalid_message"
    truncate = "conversation.item.truncate"
    assert client.send(truncate, item_id=name, audio_end_ms=0)[1] == "invalid_message"
    assert client.type("hello", id="item_Az-09.:")[1] is None


@pytest.mark.parametrize(
    "metadata",
    [{str(one): "" for one in range(17)}, {"k" * 65: ""}, {"k": "v" * 513}, {"k": {}}],
)
def test_metadata_has_a_size(metadata: dict[str, Any]) -> None:
    client = Client()
    response = {"metadata": metadata}
    assert client.send("response.create", response=response) == ((), "invalid_message")
    fits = {str(one): "v" * 512 for one in range(16)}
    assert client.send("response.create", response={"metadata": fits})[1] is None


@pytest.mark.parametrize(
    "session",
    [
        {"model": "x" * 129},
        {"omni": {"persona": "x" * 129}},
        {"audio": {"output": {"speed": MAX_SPEED + 0.1}}},
        {"audio": {"output": {"speed": 1 / MAX_SPEED - 0.01}}},
        {f"unknown_{one}": 1 for one in range(MAX_UNKNOWN + 1)},
        {"x" * 65: 1},
        {"audio": {"output": {"x" * 65: 1}}},
        {"tools": [{"name": "a", "parameters": {"pattern": "(a+)+"}}]},
        {"audio": {"input": {"turn_detection": {"x" * 65: 1}}}},
    ],
)
async def test_a_session_has_a_size(session: dict[str, Any]) -> None:
    assert Client().send("session.update", session=session)[1] == "invalid_message"
    async with Server(ScriptedHost()) as server:
        reply = await server.http.post(SECRETS, json={"session": session}, headers=PAGE)
        assert reply.status_code == 400


@pytest.mark.parametrize(
    ("model", "value", "says"),
    [
        (ClientTool, {"name": "bad name!"}, "name: String should be up to 64 letters, digits, _"),
        (NewItem, {"type": "message", "id": "a b"}, "id: String should be up to 64 letters, "),
    ],
)
def test_a_name_with_other_characters_is_told_which_it_may_have(
    model: type[BaseModel], value: dict[str, Any], says: str
) -> None:
    with pytest.raises(ProtocolError, match=says) as refused:
        reading.validate(model, value, "session.update")
    assert "pattern" not in str(refused.value)


@pytest.mark.parametrize(
    ("fits", "too_much"),
    [
        ({"caller": "c" * MAX_CALLER}, {"caller": "c" * (MAX_CALLER + 1)}),
        ({"personas": ["concierge"] * MAX_PERSONAS}, {"personas": ["x"] * (MAX_PERSONAS + 1)}),
    ],
    ids=["caller", "personas"],
)
async def test_what_a_token_says_has_a_size(fits: Any, too_much: Any) -> None:
    key = {"authorization": "Bearer key"}
    async with Server(ScriptedHost(), ServerOptions(api_key="key")) as server:
        for body, status in ((fits, 200), (too_much, 400)):
            reply = await server.http.post(SECRETS, json=body, headers=key)
            assert reply.status_code == status, reply.text


def test_an_event_id_is_told_back_in_part() -> None:
    received = Client().realtime.on_message(json.dumps({"event_id": "e" * 10_000}))
    assert received.replies[0]["error"]["event_id"] == "e" * MAX_EVENT_ID


def test_items_kept_for_a_client_are_bounded() -> None:
    view = ClientView(SessionState("sess", Facts("concierge")))
    for index in range(MAX_ITEMS + 5):
        view.show({"id": str(index)})
    assert len(view.items) == MAX_ITEMS
    assert "4" not in view.items


def test_what_a_session_is_told_has_no_effect_does_not_pile_up() -> None:
    client = Client()
    updates = [{f"unknown_{index}_{one}": 1 for one in range(MAX_UNKNOWN)} for index in range(10)]
    told = [
        client.realtime.on_message(json.dumps({"type": "session.update", "session": session}))
        for session in updates
    ]
    assert len(told[-1].replies[0]["session"]["omni"]["ignored"]) == MAX_IGNORED


def test_a_flood_is_not_answered_with_one() -> None:
    client = Client(per_minute=1)
    answered = [client.send("input_audio_buffer.append")[1] for _ in range(1000)]
    assert 1 < len([code for code in answered if code]) < 60


def test_a_burst_is_forgiven_and_a_client_that_goes_on_loses_its_call() -> None:
    client = Client(per_minute=10, overrun=100)
    for _ in range(110):
        client.send("input_audio_buffer.commit")
        assert not client.over
    client.now += 60
    for _ in range(110):
        client.send("input_audio_buffer.commit")
        assert not client.over
    commands, code = client.send("input_audio_buffer.commit")
    assert (commands, code, client.over) == ((), "too_many_messages", True)


class Flooded:
    """A line whose client sends without end."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.read = 0

    async def messages(self) -> AsyncIterator[Any]:
        while True:
            self.read += 1
            yield '{"type": "response.cancel"}'

    def send(self, text: str) -> None:
        self.sent.append(json.loads(text))

    async def aclose(self, reason: str) -> None:
        self.reason = reason


async def test_the_transport_of_a_client_that_goes_on_hangs_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    line: Any = Flooded()  # as much of a line as is used
    messages = MessageLimits(per_minute=10, overrun=100)
    protocol = Realtime(Facts("concierge"), session_id="rtc_1", limits=messages)
    commands = [one async for one in RealtimeTransport(line, protocol).commands()]
    assert line.sent[-1]["error"]["code"] == "too_many_messages"
    assert line.reason == "too many messages"
    assert len(commands) < 20
    assert line.read < 200
    assert [record.getMessage() for record in caplog.records] == [
        "call rtc_1: its client sent far too many messages; it ends"
    ]


def test_a_bucket_holds_a_minute_and_fills_again() -> None:
    now = 0.0
    bucket = Bucket(60, now=lambda: now)
    assert bucket.take(60)
    assert not bucket.take()
    assert bucket.wait_s() == pytest.approx(1.0)
    now = 3600.0
    assert bucket.left() == 60


# -- lines ----------------------------------------------------------------------------------


async def offers(server: Server, count: int) -> tuple[list[int], list[Caller]]:
    """The statuses of that many offers that never connect."""
    callers = [Caller() for _ in range(count)]
    statuses = [(await server.post(await one.offer())).status_code for one in callers]
    return statuses, callers


async def hang_up(callers: list[Caller]) -> None:
    for one in callers:
        await one.peer.close()


async def test_half_open_offers_of_one_address_leave_the_lines_to_others() -> None:
    options = ServerOptions(limits=Limits(connecting_per_address=2))
    async with Server(ScriptedHost(), options) as server:
        statuses, callers = await offers(server, 4)
        assert statuses == [201, 201, 429, 429]
        assert server.app.state.calls.active == 2
        await hang_up(callers)


async def test_one_address_has_its_share_of_the_lines() -> None:
    options = ServerOptions(limits=Limits(calls_per_address=2, connecting_per_address=9))
    async with Server(ScriptedHost(), options) as server:
        statuses, callers = await offers(server, 3)
        assert statuses == [201, 201, 429]
        await hang_up(callers)


@pytest.mark.parametrize(("lines", "statuses"), [(4, [201, 201, 429]), (1, [201, 503])])
async def test_of_few_lines_an_address_has_never_all(lines: int, statuses: list[int]) -> None:
    async with Server(ScriptedHost(), ServerOptions(limits=Limits(calls=lines))) as server:
        answered, callers = await offers(server, len(statuses))
        assert answered == statuses
        await hang_up(callers)


async def test_who_has_the_key_may_have_all_lines() -> None:
    options = ServerOptions(
        api_key="secret", limits=Limits(calls=3, calls_per_address=1, connecting_per_address=1)
    )
    async with Server(ScriptedHost(), options) as server:
        callers = [Caller() for _ in range(3)]
        headers = {"authorization": "Bearer secret", "content-type": "application/sdp"}
        for one in callers:
            reply = await server.http.post(CALLS, content=await one.offer(), headers=headers)
            assert reply.status_code == 201
        await hang_up(callers)


async def test_an_offer_that_is_refused_takes_no_line() -> None:
    options = ServerOptions(limits=Limits(calls=1, connecting_per_address=1))
    async with Server(ScriptedHost(), options) as server:
        for _ in range(3):
            assert (await server.post("v=0")).status_code == 400
        assert server.app.state.calls.active == 0


async def test_a_call_has_a_longest_time(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its session pays no heed: this one waits for its line to end."""
    monkeypatch.setattr("omni_agent.server.calls.OVERTIME_S", 0.0)
    host = ScriptedHost()
    async with Server(host, ServerOptions(limits=Limits(call_s=0.3))) as server:
        await caller.accept((await server.post(await caller.offer())).text)
        async with asyncio.timeout(20):
            await host.ended.wait()


async def test_a_session_that_does_not_end_with_its_line_is_ended(caller: Caller) -> None:
    cancelled = asyncio.Event()

    async def linger(*_: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with Server(ScriptedHost(linger), ServerOptions(limits=Limits(hang_up_s=0.05))) as server:
        reply = await server.post(await caller.offer())
        await server.hang_up(location(reply))
        async with asyncio.timeout(20):
            await cancelled.wait()


async def test_an_offer_has_a_number_of_lines(caller: Caller) -> None:
    async with Server(ScriptedHost()) as server:
        reply = await server.post(await caller.offer())
        offer = await caller.offer() + "a=ssrc:1 cname:x\r\n" * 600
        for path in (CALLS, location(reply)):
            refused = await server.post(offer, path=path)
            assert refused.status_code == 400
            assert "600 lines" in refused.json()["error"]["message"]


async def test_an_offer_has_a_number_of_media(caller: Caller) -> None:
    options = ServerOptions(limits=Limits(offers=OfferLimits(media=1)))
    async with Server(ScriptedHost(), options) as server:
        assert (await server.post(await caller.offer())).status_code == 400


# -- requests -----------------------------------------------------------------------------


async def test_every_request_has_a_rate_the_pages_files_too() -> None:
    bound = Limits(requests=RequestLimits(reads_per_minute=3))
    async with Server(ScriptedHost(), ServerOptions(limits=bound)) as server:
        paths = ("/", "/icon.svg", "/v1/personas", "/healthz", "/metrics", "/nothing")
        statuses = [(await server.http.get(path)).status_code for path in paths]
    assert statuses == [200, 200, 200, 429, 429, 429]


async def test_who_has_the_key_is_not_counted() -> None:
    bound = Limits(requests=RequestLimits(per_minute=1, reads_per_minute=1))
    async with Server(ScriptedHost(), ServerOptions(api_key="secret", limits=bound)) as server:
        key = {"authorization": "Bearer secret"}
        for _ in range(30):
            assert (await server.http.post(SECRETS, headers=key)).status_code == 200
            assert (await server.http.get("/metrics", headers=key)).status_code == 200
        assert (await server.http.get("/")).status_code == 200


async def test_a_rate_that_is_used_up_tells_nobody_whether_a_key_is_right() -> None:
    """Wrong keys are counted as such there, too: who guesses is not let through any more."""
    bound = Limits(requests=RequestLimits(reads_per_minute=1, guesses_per_minute=3))
    async with Server(ScriptedHost(), ServerOptions(api_key="secret", limits=bound)) as server:
        keys = ["a", "b", "c", "secret"]
        said = [
            await server.http.get("/healthz", headers={"authorization": f"Bearer {key}"})
            for key in keys
        ]
        assert [reply.status_code for reply in said] == [200, 429, 429, 429]
        assert "wrong keys" in said[-1].json()["error"]["message"]


async def test_a_body_that_does_not_come_in_time_is_given_up() -> None:
    bound = Limits(connections=ConnectionLimits(request_s=0.05))
    async with Server(ScriptedHost(), ServerOptions(limits=bound)) as server:

        async def half() -> AsyncIterator[bytes]:
            yield b'{"session":'
            await asyncio.Event().wait()

        reply = await server.http.post(SECRETS, content=half(), headers=PAGE)
        assert reply.status_code == 408


async def test_a_form_has_a_number_of_parts(caller: Caller) -> None:
    async with Server(ScriptedHost()) as server:
        form = {str(one): (None, "x") for one in range(reading.MAX_FORM_PARTS)} | {
            "sdp": (None, "v=0")
        }
        headers = {"authorization": f"Bearer {await server.token()}"}
        reply = await server.http.post(CALLS, files=form, headers=headers)
        assert reply.status_code == 400
        assert "form" in reply.json()["error"]["message"]


@pytest.mark.parametrize("charset", ["punycode", "idna", "utf-16", '"utf_7"'])
async def test_a_form_is_utf_8_or_not_read(caller: Caller, charset: str) -> None:
    async with Server(ScriptedHost()) as server:
        headers = {
            "authorization": f"Bearer {await server.token()}",
            "content-type": f"multipart/form-data; charset={charset}; boundary=b",
        }
        form = '--b\r\nContent-Disposition: form-data; name="sdp"\r\n\r\nv=0\r\n--b--\r\n'
        reply = await server.http.post(CALLS, content=form, headers=headers)
        assert reply.status_code == 400
        assert "UTF-8" in reply.json()["error"]["message"]


async def test_who_may_not_go_on_with_a_call_has_no_offer_read(caller: Caller) -> None:
    async with Server(ScriptedHost()) as server:
        headers = {"content-type": "multipart/form-data; boundary=b"}
        reply = await server.http.post(f"{CALLS}/rtc_x", content="no form", headers=headers)
        assert reply.status_code == 404


async def test_a_request_body_has_a_depth() -> None:
    async with Server(ScriptedHost()) as server:
        for depth in (20, 900, 30_000):
            body = '{"session": ' + "[" * depth + "]" * depth + "}"
            reply = await server.http.post(SECRETS, content=body, headers=PAGE)
            assert reply.status_code == 400


def test_what_waits_with_a_token_is_small() -> None:
    """Unknown fields are named, and their values, however large, are not kept."""
    kept = SessionConfig.model_validate({"instructions": "x" * 60_000, "prompt": [{"a": {}}]})
    assert kept.model_extra == {"instructions": None, "prompt": None}


def test_the_tools_of_a_client_have_a_size() -> None:
    def declared(count: int, characters: int) -> SessionConfig:
        one = {"type": "function", "description": "x" * characters}
        return SessionConfig.model_validate(
            {"tools": [{**one, "name": f"t{number}"} for number in range(count)]}
        )

    assert len(declared(MAX_TOOLS, 10).tools or ()) == MAX_TOOLS
    with pytest.raises(ValidationError, match="at most 32"):
        declared(MAX_TOOLS + 1, 10)
    with pytest.raises(ValidationError, match="16000 characters"):
        declared(4, MAX_TOOLS_TEXT // 4)
