"""Server-sent events with JSON in them, as chat servers stream their chunks."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx

from omni_agent.errors import EngineError

_LONGEST_LINE = 16 << 20
"""Characters. A server may send a whole reply's speech as one line: 3.8 MB of base64 a minute."""


async def events(response: httpx.Response) -> AsyncGenerator[Any, None]:
    """``data:`` lines as JSON until ``[DONE]``. Raises EngineError for anything unreadable."""
    seen = False
    async with aclosing(_lines(response)) as lines:
        async for line in lines:
            if not line.startswith("data:"):
                continue  # comments that keep the connection open, event names, blank lines
            seen = True
            data = line[5:].strip()
            if data == "[DONE]":
                return
            try:
                yield json.loads(data)
            except ValueError as error:
                raise EngineError(f"the server sent what is not JSON: {data[:80]!r}") from error
    if not seen:
        raise EngineError("the server sent no stream: is this an OpenAI-compatible address?")


async def _lines(response: httpx.Response) -> AsyncGenerator[str, None]:
    """Lines of bounded length. (httpx's own iterator waits for a line's end without bound.)"""
    held: list[str] = []
    async for text in response.aiter_text():
        first, *rest = text.split("\n")
        held.append(first)
        for following in rest:
            yield "".join(held).removesuffix("\r")
            held = [following]
        if sum(map(len, held)) > _LONGEST_LINE:
            raise EngineError("the server sent a line without end")
    yield "".join(held)
