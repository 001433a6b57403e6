"""The process around a model: started, asked, cancelled, killed, restarted, stopped."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from omni_agent.engines.process.wire import Packet
from omni_agent.engines.process.worker import Job, Worker
from omni_agent.errors import EngineError, EngineUnavailable
from tests.clocks import put_forward

from .processes import PATHS, Beats, eventually, running


def job(factory: str = "Echo", **options: object) -> Job:
    return Job("echo", f"echo_service:{factory}", options, environment=PATHS, start_timeout_s=60)


@asynccontextmanager
async def started(
    reports: list[str] | None = None, beats: Beats | None = None, factory: str = "Echo"
) -> AsyncIterator[Worker]:
    worker = Worker(job(factory), (reports if reports is not None else []).append, beat=beats)
    try:
        await worker.start()
        yield worker
    finally:
        await worker.aclose()


async def drained(packets: AsyncIterator[Packet]) -> None:
    async for _ in packets:
        pass


async def test_requests_are_answered_with_bodies_and_bytes() -> None:
    reports: list[str] = []
    async with started(reports=reports) as worker:
        replies = await asyncio.gather(
            *(worker.call("echo", {"say": n}, bytes([n, 0])) for n in range(20))
        )
    assert [(r.body["said"], r.blob) for r in replies] == [(n, bytes([0, n])) for n in range(20)]
    assert reports == ["loading"]


async def test_replies_are_streamed_in_order() -> None:
    async with started() as worker:
        numbers = [p.body["number"] async for p in worker.stream("count", {"to": 50})]
    assert numbers == list(range(50))


async def test_a_quick_request_does_not_wait_behind_a_slow_one(tmp_path: Path) -> None:
    async with started() as worker:
        slow = worker.stream("wait", {"note": str(tmp_path / "note")})
        await anext(slow)
        assert (await worker.call("echo", {"say": "hi"})).body["said"] == "hi"
        await slow.aclose()


async def test_cancelling_a_request_reaches_the_process(tmp_path: Path) -> None:
    note = tmp_path / "note"
    async with started() as worker:
        slow = worker.stream("wait", {"note": str(note)})
        assert (await anext(slow)).body == {"begun": True}
        await slow.aclose()
        # Same lane: it is answered only when the cancelled request has ended.
        await worker.call("count", {"to": 1})
    assert note.read_text() == "cancelled"


async def test_closing_a_stream_early_leaves_the_line_usable() -> None:
    async with started() as worker:
        async with aclosing(worker.stream("count", {"to": 100_000})) as replies:
            async for packet in replies:
                if packet.body["number"] == 3:
                    break
        assert (await worker.call("echo", {"say": 1})).body["said"] == 1


async def test_an_exception_in_the_process_is_an_engine_error_and_no_more() -> None:
    async with started() as worker:
        with pytest.raises(EngineError, match="no such thing"):
            await worker.call("raise")
        assert (await worker.call("echo", {"say": 1})).body["said"] == 1


async def test_after_kill_9_the_running_request_fails_and_the_next_one_works(
    tmp_path: Path,
) -> None:
    async with started() as worker:
        pid = worker.pid
        assert pid is not None
        busy = worker.stream("wait", {"note": str(tmp_path / "note")})
        await anext(busy)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(EngineError, match="died"):
            await anext(busy)
        assert (await worker.call("echo", {"say": 2})).body["said"] == 2
        assert worker.pid not in (pid, None)


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
async def test_what_the_whole_process_group_is_told_is_the_parent_s_to_heed(told: int) -> None:
    async with started() as worker:
        assert worker.pid is not None
        os.kill(worker.pid, told)
        pid = worker.pid
        assert (await worker.call("echo", {"say": "hi"})).body["said"] == "hi"
        assert worker.pid == pid


async def test_a_dead_process_is_restarted_before_anybody_asks() -> None:
    async with started() as worker:
        first = worker.pid
        with pytest.raises(EngineError):
            await worker.call("die")
        await eventually(lambda: worker.pid not in (first, None))


async def test_a_stopped_process_is_replaced_and_whoever_waited_is_told() -> None:
    beats = Beats()
    async with started(beats=beats) as worker:
        first = worker.pid
        assert first is not None
        stream = worker.stream("hang")
        await anext(stream)
        os.kill(first, signal.SIGSTOP)
        waiting = asyncio.ensure_future(anext(stream))
        await beats.until(waiting.done)
        with pytest.raises(EngineError, match=r"echo: .*no sign of life for 10 s.*restarted"):
            await waiting
        assert (await worker.call("echo", {"say": 2})).body["said"] == 2
        assert worker.pid not in (first, None)
        await eventually(lambda: not running(first))


async def test_trouble_is_named_while_it_lasts_and_passes_by_itself() -> None:
    beats = Beats()
    async with started(beats=beats) as worker:
        assert worker.trouble == ""
        assert worker.pid
        os.kill(worker.pid, signal.SIGSTOP)
        await beats.until(lambda: worker.trouble == "echo: no sign of life for 3 s")
        await beats.until(lambda: "it is being restarted" in worker.trouble)
        await eventually(lambda: worker.trouble == "")
        assert (await worker.call("echo", {"say": 2})).body["said"] == 2


async def test_a_process_that_goes_on_in_time_is_left_alone() -> None:
    beats = Beats()
    async with started(beats=beats) as worker:
        first = worker.pid
        assert first
        os.kill(first, signal.SIGSTOP)
        await beats.until(lambda: bool(worker.trouble))
        os.kill(first, signal.SIGCONT)
        await eventually(lambda: worker.trouble == "")
        assert worker.pid == first


@pytest.mark.parametrize("op", ["hang", "block"])
async def test_work_that_never_returns_costs_the_process_and_not_those_who_queue(op: str) -> None:
    async with started(factory="hasty") as worker:
        first = worker.pid
        stuck = asyncio.ensure_future(drained(worker.stream(op, deadline_s=2.0)))
        queued = asyncio.ensure_future(worker.call("count", {"to": 1}, deadline_s=2.0))
        for request in (stuck, queued):
            with pytest.raises(EngineError, match=f"'{op}' did not return within 2 s"):
                await request
        assert (await worker.call("echo", {"say": 2})).body["said"] == 2
        assert worker.pid != first


async def test_nobody_need_wait_for_work_that_hangs_to_be_found_out(tmp_path: Path) -> None:
    note = tmp_path / "note"
    async with started(factory="hasty") as worker:
        first = worker.pid
        stream = worker.stream("hang", {"note": str(note)}, deadline_s=60.0)
        await anext(stream)
        await eventually(note.exists)
        await stream.aclose()
        await eventually(lambda: worker.pid not in (first, None))


async def test_our_own_pause_is_nobody_elses_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    async with started() as worker:
        first = worker.pid
        put_forward(monkeypatch, 3600)  # as by a debugger, or a laptop's lid
        for _ in range(3):
            await worker.call("echo", {"say": 1})
        assert (worker.pid, worker.trouble) == (first, "")


async def test_a_process_that_stops_while_it_starts_is_given_up_and_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "note"
    worker = Worker(replace(job("paused"), options={"note": str(note)}))
    try:
        starting = asyncio.ensure_future(worker.start())
        await eventually(note.exists)
        put_forward(monkeypatch, 60)
        with pytest.raises(EngineUnavailable, match="not ready after 60 s"):
            await starting
        put_forward(monkeypatch, 1)  # the first wait between two starts
        await worker.start()
        assert (await worker.call("echo", {"say": 1})).body["said"] == 1
    finally:
        await worker.aclose()


async def test_a_request_waits_for_a_restart_no_longer_than_it_wants() -> None:
    async with started() as worker:
        worker.replace(worker.pid, "a test")
        with pytest.raises(EngineError, match="restarted"):
            await worker.call("echo", {"say": 1}, wait_s=0)
        assert (await worker.call("echo", {"say": 1})).body["said"] == 1


SCARCE = {
    "sockets": (socket, "socketpair", errno.EMFILE),
    "files": (tempfile, "TemporaryFile", errno.ENOSPC),
    "processes": (subprocess, "Popen", errno.EAGAIN),
    "memory": (subprocess, "Popen", errno.ENOMEM),
}


@pytest.mark.parametrize("what", SCARCE)
async def test_a_machine_without_means_for_a_process_gets_one_when_it_has_them_again(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, name, number = SCARCE[what]
    tried: list[str] = []

    def refuses(*_: object, **__: object) -> None:
        tried.append(name)
        raise OSError(number, os.strerror(number))

    async with started() as worker:
        assert worker.pid
        with monkeypatch.context() as scarce:
            scarce.setattr(module, name, refuses)
            os.kill(worker.pid, signal.SIGKILL)
            await eventually(lambda: len(tried) == 1)
            put_forward(monkeypatch, 1)  # to the second attempt
            await eventually(lambda: len(tried) == 2)
            assert "it is being restarted" in worker.trouble
        put_forward(monkeypatch, 60)  # to the next start
        assert (await worker.call("echo", {"say": 2})).body["said"] == 2


async def test_a_start_that_fails_for_want_of_means_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, "no more processes")

    monkeypatch.setattr(subprocess, "Popen", refuses)
    worker = Worker(job())
    gc.collect()  # what tests before this one left open
    before = _open_files()
    with pytest.raises(EngineUnavailable, match="no more processes") as refusal:
        await worker.start()
    assert refusal.value.may_recover
    await worker.aclose()
    await eventually(lambda: _open_files() == before)


def _open_files() -> list[str]:
    return sorted(os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd"))


@pytest.mark.parametrize(
    ("factory", "words"),
    [("broken", "FileNotFoundError: the model is not there"), ("dead", "out of memory")],
)
async def test_a_process_that_cannot_start_says_why(factory: str, words: str) -> None:
    worker = Worker(job(factory))
    with pytest.raises(EngineUnavailable, match=words):
        await worker.start()
    await worker.aclose()


async def test_a_process_that_never_gets_ready_is_given_up() -> None:
    worker = Worker(Job("echo", "echo_service:stuck", {}, environment=PATHS, start_timeout_s=1.0))
    with pytest.raises(EngineUnavailable, match="not ready after 1 s"):
        await worker.start()
    await worker.aclose()


async def test_a_process_that_keeps_dying_is_not_started_on_every_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = Worker(job("dead"))
    before = asyncio.get_running_loop().time()
    with pytest.raises(EngineUnavailable):
        await worker.start()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: before)
    monkeypatch.delattr(subprocess, "Popen")  # nobody starts anything: the reason is remembered
    with pytest.raises(EngineUnavailable, match="out of memory"):
        await worker.start()
    with pytest.raises(EngineUnavailable, match="out of memory"):
        await worker.call("echo", {"say": 1})
    await worker.aclose()


async def test_stopping_ends_the_process_and_refuses_requests() -> None:
    async with started() as worker:
        pid = worker.pid
    assert pid is not None
    assert not running(pid)
    with pytest.raises(EngineUnavailable, match="stopped"):
        await worker.call("echo", {"say": 1})


async def test_stopping_tells_those_who_wait_for_a_restart_at_once() -> None:
    async with started() as worker:
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGSTOP)
        worker.replace(worker.pid, "a test")
        waiting = asyncio.create_task(worker.call("echo", {"say": 1}, wait_s=600))
        await asyncio.sleep(0)
    with pytest.raises(EngineUnavailable, match="stopped"):
        await waiting


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_process_dies_with_its_parent() -> None:
    program = (
        "import asyncio, sys; sys.path[:0] = sys.argv[1].split(':')\n"
        "from omni_agent.engines.process.worker import Job, Worker\n"
        "async def main():\n"
        "    worker = Worker(Job('echo', 'echo_service:Echo', {}))\n"
        "    await worker.start()\n"
        "    print(worker.pid, flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    parent = subprocess.Popen(  # noqa: ASYNC220  # a test of processes
        [sys.executable, "-c", program, PATHS["PYTHONPATH"]],
        stdout=subprocess.PIPE,
        env={**os.environ, **PATHS},
    )
    with parent:
        assert parent.stdout is not None
        pid = int(await asyncio.to_thread(parent.stdout.readline))
        parent.kill()
    await eventually(lambda: not running(pid))
