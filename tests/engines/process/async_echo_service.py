"""A service on an event loop, without models, for tests of the process around it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from omni_agent.engines.process.async_child import AsyncReplies


class AsyncEcho:
    """options: ``diary``, a file that gets a line for whatever is closed."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.info = {"pid": os.getpid(), **options}
        self.last_words: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._diary = Path(options["diary"])
        self._meeting: asyncio.Barrier | None = None
        self._closed = asyncio.Event()

    def handle(self, op: str, body: Mapping[str, Any], blob: bytes) -> AsyncReplies:
        match op:
            case "echo":
                return self._echo(body, blob)
            case "meet":
                return self._meet(int(body["parties"]))
            case "wait":
                return self._wait()
            case "closed":
                return self._after_closing()
            case "flood":
                return self._flood()
            case "raise":
                return self._raise(body)
            case "lose":
                return self._lose()
            case "doom":
                return self._doom()
            case "linger":
                return self._linger()
            case _:
                raise LookupError(f"there is no operation {op!r}")

    async def died(self) -> str:
        return await self.last_words

    async def aclose(self) -> None:
        await asyncio.sleep(0)  # an ending that is awaited, or is not seen
        self._write("service")

    def _write(self, what: str) -> None:
        with self._diary.open("a") as file:
            file.write(f"{what}\n")

    async def _echo(self, body: Mapping[str, Any], blob: bytes) -> AsyncReplies:
        yield {"said": body["say"]}, blob[::-1]

    async def _meet(self, parties: int) -> AsyncReplies:
        """Nobody gets an answer before all are there."""
        self._meeting = self._meeting or asyncio.Barrier(parties)
        yield {"place": await self._meeting.wait()}, b""

    async def _wait(self) -> AsyncReplies:
        try:
            yield {"begun": True}, b""
            await asyncio.Event().wait()
        finally:
            self._write("request")
            self._closed.set()

    async def _after_closing(self) -> AsyncReplies:
        await self._closed.wait()
        yield {}, b""

    async def _flood(self) -> AsyncReplies:
        while True:
            yield {}, bytes(1 << 20)

    async def _raise(self, body: Mapping[str, Any]) -> AsyncReplies:
        for number in range(int(body["after"])):
            yield {"number": number}, b""
        raise ValueError("no such thing")

    async def _lose(self) -> AsyncReplies:
        lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lost.cancel()
        await lost
        yield {}, b""

    async def _doom(self) -> AsyncReplies:
        yield {"doomed": True}, b""
        self.last_words.set_result("famous last words")

    async def _linger(self) -> AsyncReplies:
        os.closerange(3, 256)  # the line is one of them
        time.sleep(600)  # noqa: ASYNC251  # the process hears nothing more
        yield {}, b""


async def start(options: Mapping[str, Any], report: Callable[[str], None]) -> AsyncEcho:
    report("loading")
    await asyncio.sleep(0)
    return AsyncEcho(options)


async def broken(options: Mapping[str, Any], report: Callable[[str], None]) -> AsyncEcho:
    raise FileNotFoundError("the model is not there")


async def unwell(options: Mapping[str, Any], report: Callable[[str], None]) -> AsyncEcho:
    """It starts, and is dead by then."""
    echo = AsyncEcho(options)
    echo.last_words.set_result("stillborn")
    return echo
