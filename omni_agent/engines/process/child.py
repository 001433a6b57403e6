"""What runs in a model process: requests in, replies out, one thread per lane.

Started by :class:`omni_agent.engines.process.worker.Worker`; the first packet on
the line carries the service's options.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import itertools
import os
import queue
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, cast

from omni_agent.engines.process.async_child import AsyncFactory, serve
from omni_agent.engines.process.parent import die_with_parent
from omni_agent.engines.process.pulse import Pulse
from omni_agent.engines.process.wire import Packet, Unpacker, pack

Replies = Iterator[tuple[Mapping[str, Any], bytes]]


class Service(Protocol):
    """Models behind a line.

    lanes: the thread each operation runs in; an operation that is not listed
    runs at once in the reading thread, so it must take well under a millisecond.
    info: what the parent is told when the service is ready.
    """

    lanes: Mapping[str, str]
    info: Mapping[str, Any]

    def handle(
        self, op: str, body: Mapping[str, Any], blob: bytes, gone: Callable[[], bool]
    ) -> Replies:
        """Replies to one request; stop early once ``gone()`` (nobody waits any more)."""
        ...


Report = Callable[[str], None]
Factory = Callable[[Mapping[str, Any], Report], Service]


class _Line:
    """The socket to the parent; packets of several threads never interleave."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()
        self.unpacker = Unpacker()

    def send(self, packet: Packet) -> None:
        data = pack(packet)
        with self._lock:
            self._sock.sendall(data)

    def first(self) -> list[Packet]:
        """The packets of the first reading that completes one; ends with a line that closes."""
        while data := self._sock.recv(1 << 16):
            if packets := self.unpacker.feed(data):
                return packets
        os._exit(0)

    def packets(self) -> Iterator[Packet]:
        while data := self._sock.recv(1 << 16):
            yield from self.unpacker.feed(data)

    def report(self, text: str) -> None:
        self.send(Packet(0, "report", {"text": text}))


class _Desk:
    """Hands requests to lanes and remembers which of them were cancelled."""

    def __init__(self, line: _Line, service: Service, pulse: Pulse) -> None:
        self._line, self._service, self._pulse = line, service, pulse
        self._cancelled: dict[int, threading.Event] = {}
        self._lanes: dict[str, queue.SimpleQueue[Packet]] = {}
        for lane in set(service.lanes.values()):
            self._lanes[lane] = queue.SimpleQueue()
            threading.Thread(target=self._work, args=(lane,), name=lane, daemon=True).start()

    def take(self, packet: Packet) -> None:
        if packet.kind == "cancel":
            if event := self._cancelled.get(packet.id):
                event.set()
            return
        if packet.kind != "call":
            return
        self._cancelled[packet.id] = threading.Event()
        lane = self._service.lanes.get(str(packet.body.get("op")))
        if lane is None:
            self._serve(packet)
        else:
            self._lanes[lane].put(packet)

    def _work(self, lane: str) -> None:
        while True:
            self._serve(self._lanes[lane].get())

    def _serve(self, packet: Packet) -> None:
        gone = self._cancelled[packet.id].is_set
        try:
            if not gone():
                op, deadline_s = str(packet.body["op"]), packet.body.get("deadline_s")
                replies = self._service.handle(op, packet.body, packet.blob, gone)
                for body, blob in self._pulse.timed(op, deadline_s, replies):
                    self._line.send(Packet(packet.id, "item", body, blob))
                    if gone():
                        break
            self._line.send(Packet(packet.id, "end"))
        except BrokenPipeError:
            os._exit(0)  # the parent is gone; the models have nothing to save
        except Exception as error:
            # The boundary of the process: the parent raises it as EngineError.
            traceback.print_exc()
            self._line.send(
                Packet(packet.id, "error", {"message": f"{type(error).__name__}: {error}"})
            )
        finally:
            self._cancelled.pop(packet.id, None)


def _load(name: str) -> Factory | AsyncFactory:
    module, _, attribute = name.partition(":")
    factory: Factory | AsyncFactory = getattr(importlib.import_module(module), attribute)
    return factory


def main(fd: int, service_name: str) -> None:
    """Serve until the line closes."""
    for told in (signal.SIGINT, signal.SIGTERM):  # which the whole group gets, from a supervisor
        signal.signal(told, signal.SIG_IGN)  # too: the parent handles it, and ends us by the line
    die_with_parent()
    sock = socket.socket(fileno=fd)
    line = _Line(sock)
    options, *rest = line.first()
    pulse = Pulse(line.send)
    try:
        factory = _load(service_name)
        if inspect.iscoroutinefunction(factory):
            asyncio.run(serve(sock, options, rest, line.unpacker, factory))
        service = cast(Factory, factory)(options.body, line.report)
    except Exception as error:
        # The boundary of the process: the parent raises it as EngineUnavailable.
        traceback.print_exc()
        line.send(Packet(0, "error", {"message": f"{type(error).__name__}: {error}"}))
        os._exit(1)
    desk = _Desk(line, service, pulse)
    line.send(Packet(0, "ready", service.info))
    pulse.start()
    for packet in itertools.chain(rest, line.packets()):
        desk.take(packet)
    os._exit(0)  # at once: lanes may be deep inside a model
