"""Signs of life, and the end of a process whose work never returns; beats are the test's."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from omni_agent.engines.process.pulse import Pulse
from omni_agent.engines.process.wire import Packet


class Ended(Exception):
    pass


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Packet]:
    def end(status: int) -> None:
        raise Ended(status)

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr("faulthandler.dump_traceback", lambda file: None)
    monkeypatch.setattr("omni_agent.engines.process.pulse._LAST_WORDS_S", 60.0)
    return []


def test_work_has_its_deadline_from_when_it_begins(sent: list[Packet]) -> None:
    pulse = Pulse(sent.append)

    def work() -> Iterator[str]:
        pulse.beat()  # its first second
        yield "one"
        pulse.beat()
        pulse.beat()
        yield "two"

    replies = pulse.timed("count", 1.0, work())
    for _ in range(5):
        pulse.beat()  # it waits in its lane
    assert next(replies) == "one"
    for _ in range(5):
        pulse.beat()  # the reply waits for the parent
    with pytest.raises(Ended):
        next(replies)
    assert [packet.kind for packet in sent][-2:] == ["beat", "hung"]
    assert sent[-1].body["message"] == "'count' did not return within 1 s"


def test_work_without_a_deadline_may_take_for_ever(sent: list[Packet]) -> None:
    pulse = Pulse(sent.append)
    replies = pulse.timed("wait", None, (pulse.beat() for _ in range(100)))
    assert len(list(replies)) == len(sent) == 100


def test_without_a_parent_the_process_ends(sent: list[Packet]) -> None:
    def gone(packet: Packet) -> None:
        raise BrokenPipeError

    with pytest.raises(Ended):
        Pulse(gone).beat()
    assert sent == []
