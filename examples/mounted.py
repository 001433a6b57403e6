"""The agent inside an application you already have (Starlette here; FastAPI is the same).

Run it: uvicorn --app-dir examples mounted:app
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from omni_agent import Agent
from omni_agent.server.options import ServerOptions


def create_app(agent: Agent) -> Starlette:
    """Your routes, and the agent under /voice/."""
    voice = agent.app(ServerOptions(allow_private=True))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with voice.router.lifespan_context(voice):  # starts and stops the models
            yield

    async def home(request: Request) -> PlainTextResponse:
        return PlainTextResponse("Your application. The agent is at /voice/")

    return Starlette(routes=[Route("/", home), Mount("/voice", voice)], lifespan=lifespan)


app = create_app(Agent())
