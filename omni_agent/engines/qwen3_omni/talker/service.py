"""The model thread: one ordered command queue in, frames out, the event loop never blocked.

Everything that touches the runtime happens on one thread, between steps:
commands first, in the order they came, then one step of every stream that is
ready and not too far ahead of its listener. A long prompt is read in pieces, at
most one piece between two steps, so that it does not hold up those who speak.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from omni_agent.engines.qwen3_omni.talker.prompt import Segment, split
from omni_agent.engines.qwen3_omni.talker.runtime import (
    FRAME_LIMIT,
    SAMPLE_RATE,
    Failure,
    Frame,
    Runtime,
    Stream,
)
from omni_agent.engines.qwen3_omni.talker.sampling import TalkerSampling
from omni_agent.errors import EngineError, EngineUnavailable, OmniAgentError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """ahead_ms: speech generated beyond what its listener has taken. piece: prompt
    positions read between two steps."""

    ahead_ms: int = 2000
    piece: int = 256

    def __post_init__(self) -> None:
        if self.ahead_ms < 80 or self.piece < 1:
            raise ValueError(f"ahead_ms {self.ahead_ms} or piece {self.piece} is too small")


class _Line:
    """A stream seen from the event loop: its queue of frames, and how many wait unplayed."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.queue: asyncio.Queue[Frame | Exception] = asyncio.Queue()
        self.stream: Stream | None = None
        self.cancelled = False
        self.unplayed = 0  # samples; the service's lock guards it

    def give(self, item: Frame | Exception) -> bool:
        """Hand an item to the listener from the model thread; False when its loop is closed."""
        return _on_loop(self.loop, lambda: self.queue.put_nowait(item))


@dataclass(frozen=True, slots=True, eq=False)
class _Command:
    """Work for the model thread, in the order it was queued.

    heavy: at most one such between two steps. closing: runs although its line is
    cancelled. refuse: told when the service ends before the work could run.
    """

    line: _Line
    work: Callable[[Runtime], None]
    heavy: bool = False
    closing: bool = False
    refuse: Callable[[Exception], None] | None = None


class TalkerService:
    """Owns the model thread. ``start`` it, ``open`` utterances, ``aclose`` it."""

    def __init__(self, build: Callable[[], Runtime], options: ServiceOptions | None = None) -> None:
        self._build, self.options = build, options or ServiceOptions()
        self._wake = threading.Condition()  # guards commands, stopping and every line's unplayed
        self._commands: deque[_Command] = deque()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._runtime: Runtime | None = None
        self._lines: set[_Line] = set()  # the model thread's own

    @property
    def runtime(self) -> Runtime:
        """Its config and options may be read from anywhere; everything else is the thread's."""
        if self._runtime is None:
            raise EngineUnavailable("the Talker is not running")
        return self._runtime

    async def start(self) -> None:
        """Build the runtime on the model thread. What the build raises is raised here."""
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        self._thread = threading.Thread(
            target=self._run, args=(loop, ready), name="qwen3-omni-talker", daemon=True
        )
        self._thread.start()
        await ready

    async def aclose(self) -> None:
        """Stop after the current step; open utterances end with EngineUnavailable."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    async def open(
        self,
        speaker: str | None = None,
        sampling: TalkerSampling | None = None,
        *,
        frame_limit: int = FRAME_LIMIT,
    ) -> Utterance:
        """Take a slot. Raises NoFreeSlot, or EngineError when the stream is refused."""
        line = _Line()
        answer: asyncio.Future[None] = line.loop.create_future()

        def refuse(error: Exception) -> None:
            _on_loop(line.loop, lambda: _settle(answer, error))

        def work(runtime: Runtime) -> None:
            try:
                line.stream = runtime.open(speaker, sampling, frame_limit=frame_limit)
            except Exception as error:  # handed to the caller, who awaits the answer
                refuse(_refusal(error))
                _if_lost(error)
                return
            self._lines.add(line)
            _on_loop(line.loop, lambda: _settle(answer))

        self.send(line, work, refuse=refuse)
        try:
            await answer
        except BaseException:
            self.cancel(line)
            raise
        return Utterance(self, line)

    def send(
        self,
        line: _Line,
        work: Callable[[Runtime], None],
        *,
        heavy: bool = False,
        refuse: Callable[[Exception], None] | None = None,
    ) -> None:
        """Queue work for a line; if it raises, the line ends with that error."""
        with self._wake:
            if not self._running():
                raise EngineUnavailable("the Talker is not running")
            self._commands.append(_Command(line, work, heavy, refuse=refuse))
            self._wake.notify()

    def cancel(self, line: _Line) -> asyncio.Future[None]:
        """End a line before anything else happens; the future is done when its slot is free.

        It overtakes the queue: only its own line's commands could care, and they are void.
        """
        done: asyncio.Future[None] = line.loop.create_future()

        def work(runtime: Runtime) -> None:
            if line.stream is not None:
                runtime.close(line.stream)
            self._lines.discard(line)
            _on_loop(line.loop, lambda: _settle(done))

        with self._wake:
            line.cancelled = True
            running = self._running()
            if running:
                self._commands.appendleft(_Command(line, work, closing=True))
                self._wake.notify()
        if not running:
            done.set_result(None)
        return done

    def played(self, line: _Line, samples: int) -> None:
        """The listener took this much: there is room for more."""
        with self._wake:
            line.unplayed -= samples
            self._wake.notify()

    def _running(self) -> bool:
        return self._thread is not None and self._thread.is_alive() and not self._stopping

    def _run(self, loop: asyncio.AbstractEventLoop, ready: asyncio.Future[None]) -> None:
        """The model thread's whole life."""
        try:
            runtime = self._runtime = self._build()
        except Exception as error:  # raised again by start(), on the loop
            reason = _refusal(error)
            if isinstance(error, torch.OutOfMemoryError):
                reason = EngineUnavailable(
                    "out of GPU memory at the start; fewer slots or positions would fit"
                )
            with self._wake:
                self._stopping = True
            _on_loop(loop, lambda: _settle(ready, reason))
            return
        _on_loop(loop, lambda: _settle(ready))
        ending: Exception = EngineUnavailable("the Talker was closed")
        try:
            while self._turn(runtime):
                pass
        except Exception as error:  # the thread's boundary: every line must hear of it
            _log.exception("the Talker's model thread failed")
            ending = _refusal(error)
        self._end(runtime, ending)

    def _end(self, runtime: Runtime, ending: Exception) -> None:
        """Tell everyone who waits that nothing more will come."""
        with self._wake:
            self._stopping = True
            commands = list(self._commands)
            self._commands.clear()
        for line in self._lines:
            line.give(ending)
        for command in commands:
            if command.closing:
                command.work(runtime)
            elif command.refuse is not None:
                command.refuse(ending)

    def _turn(self, runtime: Runtime) -> bool:
        """The commands that wait now, then one step. False when it is time to stop.

        What is queued meanwhile waits for the next turn: whoever pushes text faster than it
        is taken holds up nobody's speech.
        """
        with self._wake:
            while not (self._stopping or self._commands or self._runnable()):
                self._wake.wait()
            if self._stopping:
                return False
            waiting = len(self._commands)
        for _ in range(waiting):
            with self._wake:
                command = self._commands.popleft()
            if self._execute(command, runtime):
                break
        with self._wake:
            lines = self._runnable()
        if lines:
            owners = {line.stream: line for line in lines if line.stream is not None}
            self._deliver(owners, runtime.step(list(owners)))
        return True

    def _runnable(self) -> list[_Line]:
        """Lines whose next frame can be made now."""
        limit = self.options.ahead_ms * SAMPLE_RATE // 1000
        return [
            line
            for line in self._lines
            if line.stream is not None
            and line.stream.ready
            and not line.cancelled
            and line.unplayed < limit
        ]

    def _execute(self, command: _Command, runtime: Runtime) -> bool:
        """Run a command unless its line is cancelled; True when it was a heavy one."""
        line = command.line
        if line.cancelled and not command.closing:
            return False
        try:
            command.work(runtime)
        except Exception as error:  # the stream's boundary: it ends, the others go on
            _if_lost(error)
            _log.warning("a Talker stream failed", exc_info=error)
            if line.stream is not None:
                runtime.close(line.stream)
            self._lines.discard(line)
            line.give(_refusal(error))
        return command.heavy

    def _deliver(self, owners: Mapping[Stream, _Line], results: Sequence[Frame | Failure]) -> None:
        for result in results:
            line = owners[result.stream]
            if isinstance(result, Failure):
                _if_lost(result.error)
                _log.warning("a Talker stream failed", exc_info=result.error)
                heard = line.give(_refusal(result.error))
            else:
                with self._wake:
                    line.unplayed += len(result.samples)
                heard = line.give(result)
            if not heard:  # its event loop is gone, and the listener with it
                self.runtime.close(result.stream)
            if not result.stream.open:
                self._lines.discard(line)


class Utterance:
    """One stream of speech, from the event loop's side. Always ``aclose`` it."""

    def __init__(self, service: TalkerService, line: _Line) -> None:
        self._service, self._line = service, line

    def prefill(self, segment: Segment) -> None:
        """A part of the prompt, as soon as it is known; read in pieces between steps."""
        config, size = self._service.runtime.config, self._service.options.piece
        for piece in split(segment, size, config):
            self._read(piece)

    def begin(self) -> None:
        """Close the prompt."""
        self._send(lambda runtime, stream: runtime.begin(stream), heavy=True)

    def push(self, tokens: Sequence[int]) -> None:
        """Text token ids to speak."""
        self._send(lambda runtime, stream: runtime.push(stream, tokens))

    def end(self) -> None:
        """No text follows."""
        self._send(lambda runtime, stream: runtime.end(stream))

    def fail(self, error: Exception) -> None:
        """End the frames with an error of the caller's."""
        self._line.queue.put_nowait(error)

    def _read(self, piece: Segment) -> None:
        self._send(lambda runtime, stream: runtime.prefill(stream, piece), heavy=True)

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """Frames as they are made. Taking one makes room for another.

        Raises EngineError when the stream cannot go on.
        """
        while True:
            item = await self._line.queue.get()
            if isinstance(item, Exception):
                raise item
            self._service.played(self._line, len(item.samples))
            yield item
            if item.last:
                return

    async def aclose(self) -> None:
        """Stop, wherever it is; returns within one step, and the slot is free again."""
        await self._service.cancel(self._line)

    def _send(self, work: Callable[[Runtime, Stream], None], *, heavy: bool = False) -> None:
        line = self._line

        def guarded(runtime: Runtime) -> None:
            if line.stream is not None and line.stream.open:
                work(runtime, line.stream)

        self._service.send(line, guarded, heavy=heavy)


def _on_loop(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> bool:
    """Run ``call`` on an event loop from the model thread; False when that loop is closed."""
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:
        return False
    return True


def _settle(future: asyncio.Future[None], error: Exception | None = None) -> None:
    """Resolve a future that its waiter may have cancelled meanwhile."""
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


def _if_lost(error: Exception) -> None:
    """Raise what no later step could survive: a CUDA error leaves its process without a device."""
    if isinstance(error, torch.AcceleratorError):
        raise error


def _refusal(error: Exception) -> Exception:
    """What the caller is told of ``error``."""
    if isinstance(error, torch.OutOfMemoryError):
        return EngineError(
            "out of GPU memory: this stream is refused, the others go on; "
            "fewer slots, fewer positions or a shorter prompt would fit"
        )
    if isinstance(error, torch.AcceleratorError):
        return EngineUnavailable(f"the GPU failed, and what it held is lost; start again: {error}")
    return (
        error if isinstance(error, OmniAgentError) else EngineError(f"the Talker failed: {error!r}")
    )
