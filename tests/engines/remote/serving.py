"""A real HTTP server that answers chat completions as scripted."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from omni_agent.conversation import user
from omni_agent.engines.remote.thinker import OpenAIThinker
from omni_agent.thinker import TextDelta, ThinkRequest, Thought

Answer = Callable[[], Response]


@dataclass
class Server:
    """Answers are used up in order; the last one stays. Requests are kept.

    health: what ``/health`` answers with; 404 is a server that has none. models: the
    names it offers; None is a server that keeps no list, a number an HTTP status.
    listed: answers instead of the list. encodings: what replies were asked for in.
    spoken: how ``/audio/speech`` answers; None refuses as vllm-omni does for a model
    that chats.
    """

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    requests: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    health: int = 404
    probes: list[str] = field(default_factory=list)
    models: list[str] | int | None = field(default_factory=lambda: ["first", "second"])
    root: str = ""
    listed: Answer | None = None
    encodings: list[str] = field(default_factory=list)
    spoken: Answer | None = None
    texts: list[dict[str, Any]] = field(default_factory=list)

    async def chat(self, request: Request) -> Response:
        self.encodings.append(request.headers.get("accept-encoding", ""))
        self.requests.append((await request.json(), request.headers.get("authorization", "")))
        return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])()

    async def speech(self, request: Request) -> Response:
        self.texts.append(await request.json())
        return (self.spoken or status(400, "only supported for dedicated TTS models"))()

    async def well(self, request: Request) -> Response:
        self.probes.append("health")
        return Response(status_code=self.health)

    async def offers(self, request: Request) -> Response:
        self.probes.append("models")
        if self.listed is not None:
            return self.listed()
        if self.models is None:
            return Response(status_code=404)
        if isinstance(self.models, int):
            return Response(status_code=self.models)
        return JSONResponse({"data": [{"id": name, "root": self.root} for name in self.models]})

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [body for body, _ in self.requests]


@asynccontextmanager
async def serving(*answers: Answer) -> AsyncIterator[Server]:
    server = Server(answers=list(answers))
    routes = [
        Route("/v1/chat/completions", server.chat, methods=["POST"]),
        Route("/v1/audio/speech", server.speech, methods=["POST"]),
        Route("/v1/models", server.offers),
        Route("/health", server.well),
    ]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        config = uvicorn.Config(Starlette(routes=routes), log_level="error", lifespan="off")
        running = uvicorn.Server(config)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(running.serve([listener]))
            try:
                yield server
            finally:
                running.should_exit = True


@asynccontextmanager
async def cluster(*answers: Answer) -> AsyncIterator[list[Server]]:
    """One server for each answer."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(serving(answer)) for answer in answers]


def joined(servers: list[Server]) -> str:
    """Their addresses as one base_url."""
    return ", ".join(server.url for server in servers)


_taken: list[socket.socket] = []


def nobody() -> str:
    """An address where nobody listens, nor will: it is taken, for as long as the tests run."""
    _taken.append(socket.socket())
    _taken[-1].bind(("127.0.0.1", 0))
    return f"http://127.0.0.1:{_taken[-1].getsockname()[1]}/v1"


def sse(*events: Any, done: bool = True) -> Answer:
    lines = [f"data: {e if isinstance(e, str) else json.dumps(e)}\n\n" for e in events]
    body = "".join([": keep-alive\n\n", *lines, *(["data: [DONE]\n\n"] if done else [])])
    return lambda: Response(body, media_type="text/event-stream")


def status(code: int, message: str = "no", **headers: str) -> Answer:
    return lambda: JSONResponse({"error": {"message": message}}, code, headers)


def text(words: str) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": words}, "finish_reason": None}]}


STOP = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
HELLO = sse(text("Hel"), text("lo."), STOP)
GREETED: list[Thought] = [TextDelta("Hel"), TextDelta("lo.")]
"""What a Thinker makes of HELLO."""
HI = ThinkRequest("", (user("hi"),))


async def said(thinker: OpenAIThinker, request: ThinkRequest = HI) -> list[Thought]:
    """All that it thinks."""
    async with aclosing(thinker.think(request)) as stream:  # type: ignore[type-var]  # an async generator
        return [thought async for thought in stream]


@dataclass
class Waits:
    """Stands in for asyncio.sleep between attempts."""

    seconds: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@dataclass
class Clock:
    """Stands in for time.monotonic."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now
