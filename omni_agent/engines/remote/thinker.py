"""A Thinker on any OpenAI-compatible chat server, over httpx."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import httpx

from omni_agent.engines.remote import messages
from omni_agent.engines.remote.deltas import ChunkReader
from omni_agent.errors import ConfigError, EngineError, EngineUnavailable
from omni_agent.thinker import ThinkRequest, Thought

log = logging.getLogger(__name__)

_TIMEOUT = httpx.Timeout(connect=5.0, read=60.0, write=20.0, pool=5.0)
_ATTEMPTS = 3
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.3, 5.0
_TRANSIENT = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_LONGEST_LINE = 1 << 20

Sleep = Callable[[float], Awaitable[None]]


class _Transient(Exception):
    """A failure that may pass: tried again as long as nothing of a reply has come."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        self.reason, self.wait_s = reason, wait_s
        super().__init__(reason)


class OpenAIThinker:
    """See :class:`omni_agent.thinker.Thinker`. Pictures are sent; audio goes as its transcript."""

    hears = False
    sees = True

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key: str | None = None,
        *,
        timeout: httpx.Timeout = _TIMEOUT,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """base_url: up to and with ``/v1``. Raises ConfigError when it is no address."""
        self.base_url = _checked(base_url)
        self.model = model
        self._sleep = sleep
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.AsyncClient(headers=headers, timeout=timeout)

    @staticmethod
    async def start(base_url: str | None, model: str | None, api_key: str | None) -> OpenAIThinker:
        """Checks that the server answers. ``model`` None takes the first it offers.

        Raises ConfigError, or EngineUnavailable saying what to do.
        """
        if not base_url:
            raise ConfigError("the remote Thinker needs base_url, e.g. http://127.0.0.1:8000/v1")
        thinker = OpenAIThinker(base_url, model or "", api_key)
        try:
            offered = await thinker.models()
            if model is None:
                if not offered:
                    raise EngineUnavailable(f"{thinker.base_url} offers no model: name one")
                thinker.model = offered[0]
        except BaseException:
            await thinker.aclose()
            raise
        return thinker

    async def models(self) -> list[str]:
        """Names of the models the server offers; empty when it does not say.

        Raises EngineUnavailable.
        """
        try:
            response = await self._http.get(f"{self.base_url}/models")
        except httpx.HTTPError as error:
            raise EngineUnavailable(self._unreachable(error)) from error
        if response.status_code in (401, 403):
            raise EngineUnavailable(self._refused(response.status_code, ""))
        try:
            return [str(model["id"]) for model in response.json()["data"]]
        except (ValueError, KeyError, TypeError):
            return []  # many servers have no such list; the first reply will tell

    async def think(self, request: ThinkRequest) -> AsyncIterator[Thought]:
        body = self._body(request)
        for attempt in range(_ATTEMPTS):
            reader, begun = ChunkReader(), False
            try:
                async with aclosing(self._chunks(body)) as chunks:
                    async for chunk in chunks:
                        for thought in reader.read(chunk):
                            begun = True
                            yield thought
            except _Transient as failure:
                if begun or attempt == _ATTEMPTS - 1:
                    raise EngineError(failure.reason) from failure
                await self._sleep(_wait_s(attempt, failure.wait_s))
                log.warning("%s; trying again", failure.reason)
                continue
            if not reader.stopped and not begun:
                raise EngineError(f"{self.base_url} sent an empty reply")
            for thought in reader.finish():
                yield thought
            return

    async def prepare(self, request: ThinkRequest) -> None:
        """Nothing: a server keeps its own prefix cache, and a paid one bills every prompt."""

    async def aclose(self) -> None:
        await self._http.aclose()

    def _body(self, request: ThinkRequest) -> dict[str, Any]:
        sampling = request.sampling
        body: dict[str, Any] = {
            "model": self.model,
            "messages": messages.messages(request),
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        if request.tools:
            body["tools"] = messages.tools(request.tools)
            if request.tool_choice != "auto":  # which is what every server takes it for
                body["tool_choice"] = request.tool_choice
        return body

    async def _chunks(self, body: dict[str, Any]) -> AsyncGenerator[Any, None]:
        """The parsed ``data:`` events of one streamed completion."""
        try:
            url = f"{self.base_url}/chat/completions"
            async with self._http.stream("POST", url, json=body) as response:
                if response.status_code != 200:
                    raise await self._failure(response)
                async with aclosing(_events(response)) as events:
                    async for data in events:
                        yield data
        except httpx.TimeoutException as error:
            raise _Transient(f"{self.base_url} took too long ({type(error).__name__})") from error
        except httpx.HTTPError as error:
            raise _Transient(self._unreachable(error)) from error

    async def _failure(self, response: httpx.Response) -> Exception:
        await response.aread()
        said = _message(response)
        status = response.status_code
        if status in _TRANSIENT:
            wait = response.headers.get("retry-after", "")
            reason = f"{self.base_url} answered HTTP {status}{said}"
            return _Transient(reason, float(wait) if wait.isdigit() else None)
        return EngineError(self._refused(status, said))

    def _refused(self, status: int, said: str) -> str:
        match status:
            case 401 | 403:
                advice = "check the API key"
            case 404:
                advice = f"check the address (it ends in /v1) and the model {self.model!r}"
            case _:
                advice = "the server does not accept this request"
        return f"{self.base_url} answered HTTP {status}{said}: {advice}"

    def _unreachable(self, error: httpx.HTTPError) -> str:
        return (
            f"{self.base_url} cannot be reached ({error or type(error).__name__}): is it running?"
        )


def _checked(base_url: str) -> str:
    try:
        url = httpx.URL(base_url.strip())
    except (httpx.InvalidURL, ValueError) as error:
        raise ConfigError(f"base_url {base_url!r}: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError(f"base_url {base_url!r} must begin with http:// or https://")
    return str(url).rstrip("/")


def _wait_s(attempt: int, asked: float | None) -> float:
    """Exponential with jitter, so that many callers do not come back at once."""
    if asked is not None:
        return min(asked, _LONGEST_WAIT_S)
    return float(_FIRST_WAIT_S * 2**attempt * random.uniform(0.5, 1.5))


async def _lines(response: httpx.Response) -> AsyncGenerator[str, None]:
    """Lines of bounded length. (httpx's own iterator waits for a line's end without bound.)"""
    held = ""
    async for text in response.aiter_text():
        *lines, held = (held + text).split("\n")
        for line in lines:
            yield line.removesuffix("\r")
        if len(held) > _LONGEST_LINE:
            raise EngineError("the server sent a line without end")
    yield held


async def _events(response: httpx.Response) -> AsyncGenerator[Any, None]:
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


def _message(response: httpx.Response) -> str:
    """The server's own words, in short."""
    try:
        error = response.json()["error"]
        words = str(error["message"] if isinstance(error, dict) else error)
    except (ValueError, KeyError, TypeError):
        return ""
    return f" ({words[:200]})"
