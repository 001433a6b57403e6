"""Replies that are no part of the call: a client asks, and reads the answer."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from omni_agent import events
from omni_agent.call.state import Call
from omni_agent.commands import ReplyRequest
from omni_agent.conversation import Item, as_read, new_id
from omni_agent.errors import EngineError, ProtocolError
from omni_agent.personas.outfit import Outfit
from omni_agent.streams import heeding
from omni_agent.text import compose
from omni_agent.thinker import TextDelta, ThinkRequest, Usage

log = logging.getLogger(__name__)

MOST = 4
"""At once in one call."""


class Asides:
    """Those of one call. They are written, use no tools, and run beside what is said."""

    def __init__(self, call: Call) -> None:
        self._call, self._running = call, 0

    def think(self, request: ReplyRequest) -> None:
        if self._running >= MOST:
            busy = ProtocolError(f"{MOST} private replies are on their way already")
            self._call.report("session", busy)
        else:
            self._running += 1
            self._call.perform(self._reply(request), "private reply")

    async def _reply(self, request: ReplyRequest) -> None:
        call, reply, item, text = self._call, new_id("resp"), new_id("item"), ""
        call.emit(events.ReplyStarted(call.now(), reply))
        call.emit(events.UtteranceStarted(call.now(), reply, item, "aside"))
        try:
            outfit = call.outfit.wishing(request.wishes)
            written = self._written(self._asked(request, outfit), reply)
            async with aclosing(heeding(compose(written, outfit.shown_filters))) as pieces:
                async for piece in pieces:
                    text += piece
                    call.emit(events.SpokenText(call.now(), item, piece))
        except Exception as error:  # a model or a bug of ours: the call goes on
            source = "thinker" if isinstance(error, EngineError) else "session"
            log.error("a private reply failed", exc_info=error)
            call.report(source, error)
        finally:
            self._running -= 1
            now = call.now()
            call.emit(events.UtteranceFinished(now, reply, item, text, text, 0, interrupted=False))
            call.emit(events.ReplyFinished(now, reply, interrupted=False))

    async def _written(self, asked: ThinkRequest, reply: str) -> AsyncGenerator[str, None]:
        call = self._call
        async with aclosing(heeding(call.stages.thinker.think(asked))) as thoughts:
            async for thought in thoughts:
                match thought:
                    case TextDelta(delta):
                        yield delta
                    case Usage(prompt, cached, written):
                        used = events.TokensUsed(call.now(), reply, prompt, cached, written)
                        call.emit(used)
                    case _:
                        pass

    def _asked(self, request: ReplyRequest, outfit: Outfit) -> ThinkRequest:
        given = request.items
        items: tuple[Item, ...] = tuple(
            as_read(self._call.conversation if given is None else given)
        )
        return ThinkRequest(outfit.persona.thinker, items, sampling=outfit.sampling)
