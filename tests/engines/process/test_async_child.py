"""A service on an event loop: many requests at once, cancelled, failed, dead, closed."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from omni_agent.engines.process.worker import Job, Worker
from omni_agent.errors import EngineError, EngineUnavailable
from tests.clocks import put_forward

from .processes import PATHS, eventually


def worker_of(diary: Path, factory: str = "start", reports: list[str] | None = None) -> Worker:
    service, options = f"async_echo_service:{factory}", {"diary": str(diary)}
    job = Job("async echo", service, options, environment=PATHS, start_timeout_s=60)
    return Worker(job, (reports if reports is not None else []).append)


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    return tmp_path / "diary"


def entries(diary: Path) -> list[str]:
    """What the service has closed, in order."""
    return diary.read_text().splitlines()


@asynccontextmanager
async def started(diary: Path, reports: list[str] | None = None) -> AsyncIterator[Worker]:
    worker = worker_of(diary, reports=reports)
    try:
        await worker.start()
        yield worker
    finally:
        await worker.aclose()


async def test_it_reports_while_it_starts_and_says_what_it_is(diary: Path) -> None:
    reports: list[str] = []
    async with started(diary, reports) as worker:
        assert await worker.info() == {"pid": worker.pid, "diary": str(diary)}
    assert reports == ["loading"]


async def test_many_requests_are_under_way_at_once(diary: Path) -> None:
    async with started(diary) as worker:
        met = await asyncio.gather(*(worker.call("meet", {"parties": 200}) for _ in range(200)))
    assert sorted(packet.body["place"] for packet in met) == list(range(200))


async def test_their_replies_never_mix_however_large(diary: Path) -> None:
    blobs = [bytes([number]) * (1 << 20) + b"end" for number in range(24)]
    async with started(diary) as worker:
        replies = await asyncio.gather(
            *(worker.call("echo", {"say": n}, blob) for n, blob in enumerate(blobs))
        )
    assert [reply.body["said"] for reply in replies] == list(range(24))
    assert all(reply.blob == blob[::-1] for reply, blob in zip(replies, blobs, strict=True))


async def test_cancelling_a_request_closes_its_generator_and_no_other(diary: Path) -> None:
    async with started(diary) as worker:
        one, other = worker.stream("wait"), worker.stream("wait")
        assert (await anext(one)).body == (await anext(other)).body == {"begun": True}
        await one.aclose()
        await worker.call("closed")
        assert entries(diary) == ["request"]
        await other.aclose()


@pytest.mark.parametrize("after", [0, 2])
async def test_a_service_that_raises_is_an_engine_error_and_no_more(
    diary: Path, after: int
) -> None:
    async with started(diary) as worker:
        replies = worker.stream("raise", {"after": after})
        got = [(await anext(replies)).body["number"] for _ in range(after)]
        assert got == list(range(after))
        with pytest.raises(EngineError, match="async echo: ValueError: no such thing"):
            await anext(replies)
        assert (await worker.call("echo", {"say": 1})).body["said"] == 1


async def test_so_is_an_operation_that_it_does_not_know(diary: Path) -> None:
    async with started(diary) as worker:
        with pytest.raises(EngineError, match="there is no operation 'sing'"):
            await worker.call("sing")
        assert (await worker.call("echo", {"say": 1})).body["said"] == 1


async def test_a_request_that_the_service_itself_cancels_is_answered(diary: Path) -> None:
    async with started(diary) as worker:
        with pytest.raises(EngineError, match="CancelledError"):
            async with asyncio.timeout(30):
                await worker.call("lose")


async def test_a_dead_service_ends_its_process_with_its_last_words_and_is_restarted(
    diary: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with started(diary) as worker:
        first = worker.pid
        waiting, doomed = worker.stream("wait"), worker.stream("doom")
        await anext(waiting)
        assert (await anext(doomed)).body == {"doomed": True}
        with pytest.raises(EngineError, match="died"):
            await anext(waiting)
        await eventually(lambda: worker.pid not in (first, None))
        assert (await worker.call("echo", {"say": 2})).body["said"] == 2
        await doomed.aclose()
    assert "famous last words" in caplog.text


async def test_one_that_is_dead_as_soon_as_it_is_there_ends_too(
    diary: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    worker = worker_of(diary, "unwell")
    await worker.start()
    await eventually(lambda: "stillborn" in caplog.text)
    await worker.aclose()


async def test_one_that_is_being_replaced_when_the_worker_stops_is_gone_too(
    diary: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omni_agent.engines.process.life._STOP_S", 1.0)
    async with started(diary) as worker:
        pid = worker.pid
        with pytest.raises(EngineError, match="died"):
            await worker.call("linger")
        await eventually(lambda: "it is being restarted" in caplog.text)
        for _ in range(10):  # a few turns later its end is waited for
            await asyncio.sleep(0)
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_when_the_line_closes_requests_end_first_and_the_service_is_closed(
    diary: Path,
) -> None:
    async with started(diary) as worker:
        waiting = worker.stream("wait")
        await anext(waiting)
    assert entries(diary) == ["request", "service"]
    with pytest.raises(EngineError, match="died"):
        await anext(waiting)


async def test_a_machine_that_sleeps_meanwhile_leaves_the_service_its_time_to_close(
    diary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = worker_of(diary)
    await worker.start()
    closing = asyncio.ensure_future(worker.aclose())
    while worker._life is not None:  # noqa: ASYNC110  # by looking
        await asyncio.sleep(0)
    put_forward(monkeypatch, 3600)  # its line is closed, and it has not noticed yet
    await closing
    assert entries(diary) == ["service"]


async def test_the_service_is_closed_even_when_its_replies_were_not_all_read(diary: Path) -> None:
    async with started(diary) as worker:
        flood = worker.stream("flood")
        await anext(flood)
    assert entries(diary) == ["service"]
    await flood.aclose()


async def test_a_factory_that_raises_says_why(diary: Path) -> None:
    worker = worker_of(diary, "broken")
    with pytest.raises(EngineUnavailable, match="FileNotFoundError: the model is not there"):
        await worker.start()
    await worker.aclose()
