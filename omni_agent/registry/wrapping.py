"""What a plugin puts between a call and its line, contained: where it fails, the line is asked."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

from omni_agent.audio import AudioFrame
from omni_agent.commands import Command
from omni_agent.errors import EngineError
from omni_agent.events import Event
from omni_agent.registry.problems import Misfit, shown
from omni_agent.runtime.scope import Scope, answer_within
from omni_agent.streams import closing, heeding
from omni_agent.transport import Heard, Playback, Transport, VideoFrame

CLOSES_S = 5.0
"""A plugin that takes longer to hang up has the line closed for it."""
_COMES: Mapping[str, Any] = {
    "audio": AudioFrame,
    "video": VideoFrame,
    "commands": object,  # who obeys them looks at them
    "playback": Playback,
}


class Lent:
    """A line as a plugin gets it: what one of its streams leaves is still there to be read on.

    lost: what the line's own streams raised, by their names.
    """

    def __init__(self, line: Transport) -> None:
        self.line = line
        self.lost: dict[str, Exception] = {}
        self._own: dict[str, AsyncIterator[Any]] = {}
        self._coming: dict[str, asyncio.Future[Any]] = {}
        self._reading = defaultdict[str, asyncio.Lock](asyncio.Lock)

    @asynccontextmanager
    async def whole(self, what: str) -> AsyncGenerator[AsyncIterator[Any], None]:
        """One of the line's streams, for whoever reads on after the plugin; closed in the end."""
        own = self._opened(what)
        try:
            yield self._read(what)
        finally:
            if coming := self._coming.pop(what, None):
                coming.cancel()
                await asyncio.wait([coming])
            if isinstance(own, AsyncGenerator):
                await own.aclose()

    def _opened(self, what: str) -> AsyncIterator[Any]:
        """The line's own, opened once, whoever reads first."""
        if what not in self._own:
            self._own[what] = aiter(getattr(self.line, what)())
        return self._own[what]

    async def _read(self, what: str) -> AsyncGenerator[Any, None]:
        while True:
            try:
                each = await self._next(what)
            except StopAsyncIteration:
                return
            except Exception as error:
                self.lost[what] = error
                raise
            yield each

    async def _next(self, what: str) -> Any:
        """Each goes to one reader; who gives up leaves it to the next."""
        async with self._reading[what]:
            if what not in self._coming:
                self._coming[what] = asyncio.ensure_future(anext(self._opened(what)))
            coming = self._coming[what]
            await asyncio.wait([coming])
            self._coming.pop(what, None)
            return coming.result()

    def audio(self) -> AsyncIterator[AudioFrame]:
        return self._read("audio")

    def video(self) -> AsyncIterator[VideoFrame]:
        return self._read("video")

    def commands(self) -> AsyncIterator[Command]:
        return self._read("commands")

    def playback(self) -> AsyncIterator[Playback]:
        return self._read("playback")

    async def play(self, utterance: str, frame: AudioFrame) -> None:
        await self.line.play(utterance, frame)

    def finish(self, utterance: str) -> None:
        self.line.finish(utterance)

    def hold(self) -> None:
        self.line.hold()

    def resume(self) -> None:
        self.line.resume()

    def flush(self) -> float:
        return self.line.flush()

    def heard(self, utterance: str) -> Heard:
        return self.line.heard(utterance)

    def notify(self, event: Event) -> None:
        self.line.notify(event)

    async def aclose(self) -> None:
        await self.line.aclose()


class ContainedTransport:
    """See :class:`omni_agent.transport.Transport`. theirs: made around ``line``, which was lent
    for that. failed: is told what the plugin's raised.

    Where a stream of theirs breaks off, the line's own goes on.
    """

    def __init__(
        self, theirs: Transport, line: Lent, failed: Callable[[BaseException], None]
    ) -> None:
        self.theirs, self._line, self._failed = theirs, line, failed

    def _do(self, what: str, *about: Any, kind: Any = object, called: str = "") -> Any:
        try:
            done = getattr(self.theirs, what)(*about)
            if not isinstance(done, kind):
                raise Misfit(f"{what} returned {shown(done)}, not {called}")
        except BaseException as error:
            self._failed(error)
            done = getattr(self._line, what)(*about)
        return done

    async def _stream(self, what: str) -> AsyncGenerator[Any, None]:
        async with self._line.whole(what) as own:
            try:
                async with aclosing(heeding(self._theirs(what))) as pieces:
                    async for each in pieces:
                        yield each
                return
            except Exception as error:
                if what in self._line.lost:  # it is the line's
                    raise
                self._failed(_raised(error))
            async for each in own:
                yield each

    async def _theirs(self, what: str) -> AsyncGenerator[Any, None]:
        async with closing(getattr(self.theirs, what)()) as pieces:
            async for each in pieces:
                if not isinstance(each, _COMES[what]):
                    raise Misfit(f"{what} yielded {shown(each)}")
                yield each

    def audio(self) -> AsyncIterator[AudioFrame]:
        return self._stream("audio")

    def video(self) -> AsyncIterator[VideoFrame]:
        return self._stream("video")

    def commands(self) -> AsyncIterator[Command]:
        return self._stream("commands")

    def playback(self) -> AsyncIterator[Playback]:
        return self._stream("playback")

    async def play(self, utterance: str, frame: AudioFrame) -> None:
        try:
            await answer_within(lambda: self.theirs.play(utterance, frame), None, "play")
        except EngineError as error:
            self._failed(_raised(error))
            await self._line.play(utterance, frame)

    def finish(self, utterance: str) -> None:
        self._do("finish", utterance)

    def hold(self) -> None:
        self._do("hold")

    def resume(self) -> None:
        self._do("resume")

    def flush(self) -> float:
        dropped: float = self._do("flush", kind=int | float, called="milliseconds")
        return dropped

    def heard(self, utterance: str) -> Heard:
        reached: Heard = self._do("heard", utterance, kind=Heard, called="a Heard")
        return reached

    def notify(self, event: Event) -> None:
        self._do("notify", event)

    async def aclose(self) -> None:
        scope = Scope()
        ending = scope.spawn(self._close(), "a plugin's transport")
        try:
            await asyncio.wait([ending], timeout=CLOSES_S)
            closed = ending.done() and not ending.cancelled() and ending.result()
        finally:
            await scope.aclose()
        if not closed:
            await self._line.aclose()

    async def _close(self) -> bool:
        """Whether it did."""
        try:
            await answer_within(self.theirs.aclose, None, "aclose")
        except asyncio.CancelledError:
            self._failed(Misfit(f"aclose took more than {CLOSES_S:g} s"))
            raise
        except EngineError as error:
            self._failed(_raised(error))
            return False
        return True


def _raised(error: BaseException) -> BaseException:
    """What a plugin raised, of what became of it here."""
    return error.__cause__ or error if isinstance(error, EngineError) else error
