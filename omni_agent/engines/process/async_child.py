"""A model process whose service lives on an event loop: many requests at once, each a task.

For libraries that are asynchronous themselves. A service that works in threads
uses the lanes of ``child``; which of the two it is shows in its factory, which is a
coroutine function here.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing, suppress
from typing import Any, Protocol, cast

from omni_agent.engines.process.pulse import BEAT_S
from omni_agent.engines.process.wire import Packet, Unpacker, pack

AsyncReplies = AsyncIterator[tuple[Mapping[str, Any], bytes]]


class AsyncService(Protocol):
    """Models behind a line.

    info: what the parent is told when the service is ready.
    """

    info: Mapping[str, Any]

    def handle(self, op: str, body: Mapping[str, Any], blob: bytes) -> AsyncReplies:
        """Replies to one request; it is closed early when nobody waits any more."""
        ...

    async def died(self) -> str:
        """Waits until the service cannot go on, and says why: the process then ends."""
        ...

    async def aclose(self) -> None: ...


AsyncFactory = Callable[[Mapping[str, Any], Callable[[str], None]], Awaitable[AsyncService]]


async def serve(
    sock: socket.socket, first: Packet, rest: Iterable[Packet], unpacker: Unpacker,
    factory: AsyncFactory,
) -> None:  # fmt: skip
    """Start the service with the first packet's options, then serve until the line closes."""
    sock.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=sock)

    def send(packet: Packet) -> None:
        writer.write(pack(packet))

    try:
        service = await factory(first.body, lambda text: send(Packet(0, "report", {"text": text})))
    except Exception as error:
        # The boundary of the process: the parent raises it as EngineUnavailable.
        traceback.print_exc()
        send(Packet(0, "error", {"message": f"{type(error).__name__}: {error}"}))
        await writer.drain()
        os._exit(1)
    send(Packet(0, "ready", service.info))
    desk = _Desk(service, send, writer)
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(_end_with(service))
        beating = tasks.create_task(_beat(send))
        for packet in rest:
            desk.take(packet, tasks)
        with suppress(ConnectionError):  # a line that closes with replies unread is reset
            while data := await reader.read(1 << 18):
                for packet in unpacker.feed(data):
                    desk.take(packet, tasks)
        watching.cancel()
        beating.cancel()
        desk.close()
    await service.aclose()
    os._exit(0)


async def _end_with(service: AsyncService) -> None:
    print(await service.died(), file=sys.stderr, flush=True)
    os._exit(1)


async def _beat(send: Callable[[Packet], None]) -> None:
    """From the loop itself: a loop that is blocked serves nobody."""
    while True:
        await asyncio.sleep(BEAT_S)
        send(Packet(0, "beat"))


class _Desk:
    """Requests under way, by number."""

    def __init__(
        self, service: AsyncService, send: Callable[[Packet], None], writer: asyncio.StreamWriter
    ) -> None:
        self._service, self._send, self._writer = service, send, writer
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def take(self, packet: Packet, tasks: asyncio.TaskGroup) -> None:
        if packet.kind == "cancel" and (task := self._tasks.get(packet.id)):
            task.cancel()
        elif packet.kind == "call":
            self._tasks[packet.id] = task = tasks.create_task(self._serve(packet))
            task.add_done_callback(lambda _: self._tasks.pop(packet.id, None))

    def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    async def _serve(self, packet: Packet) -> None:
        op = str(packet.body.get("op"))
        try:
            replies = self._service.handle(op, packet.body, packet.blob)
            async with aclosing(cast(Any, replies)):
                async for body, blob in replies:
                    self._send(Packet(packet.id, "item", body, blob))
                    await self._writer.drain()
            self._send(Packet(packet.id, "end"))
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # nobody waits any more
            self._fail(packet, error)  # something within the service was cancelled
        except Exception as error:
            self._fail(packet, error)

    def _fail(self, packet: Packet, error: BaseException) -> None:
        """The boundary of the process: the parent raises it as EngineError."""
        traceback.print_exception(error)
        message = f"{type(error).__name__}: {error}"
        self._send(Packet(packet.id, "error", {"message": message}))
