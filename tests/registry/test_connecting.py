"""Tools that are elsewhere: a plugin connects to a server as the agent starts."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from omni_agent import (
    Agent,
    Persona,
    PluginSettings,
    Stages,
    Tool,
    ToolError,
    ToolSchema,
    events,
    hookimpl,
)
from omni_agent.errors import ConfigError
from omni_agent.testing import ScriptedTalker, ScriptedThinker, call, rehearse, virtual_time


class Server:
    """Speaks as an MCP server does, JSON-RPC a line, of the tools it has."""

    def __init__(self, *tools: str, slow_s: float = 0) -> None:
        self.tools, self.slow_s = tools, slow_s
        self.open = 0

    def _answer(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        match method:
            case "tools/list":
                schema = {"type": "object", "properties": {"text": {"type": "string"}}}
                return {
                    "tools": [
                        {"name": name, "description": f"{name}.", "inputSchema": schema}
                        for name in self.tools
                    ]
                }
            case "tools/call":
                text = f"{params['name']}: {params['arguments']['text']}"
                return {"content": [{"type": "text", "text": text}]}
            case _:
                return {}

    async def serve(self, asked: asyncio.StreamReader, answers: asyncio.StreamReader) -> None:
        self.open += 1
        async for line in asked:
            request = json.loads(line)
            await asyncio.sleep(self.slow_s)
            result = self._answer(request["method"], request["params"])
            reply = {"jsonrpc": "2.0", "id": request["id"], "result": result}
            answers.feed_data(json.dumps(reply).encode() + b"\n")
        self.open -= 1


class Connection:
    """To one server."""

    def __init__(self, server: Server) -> None:
        self._out, self._in = asyncio.StreamReader(), asyncio.StreamReader()
        self._ids, self._turn = itertools.count(1), asyncio.Lock()
        self.serving = asyncio.create_task(server.serve(self._out, self._in))

    async def ask(self, method: str, **params: Any) -> Any:
        async with self._turn:
            request = {"id": next(self._ids), "method": method, "params": params}
            self._out.feed_data(json.dumps(request).encode() + b"\n")
            return json.loads(await self._in.readline())["result"]

    async def aclose(self) -> None:
        self._out.feed_eof()
        await self.serving


class McpSettings(BaseModel):
    servers: tuple[str, ...] = ()


class Mcp:
    """A plugin as a stranger could write it."""

    __name__ = "mcp"

    def __init__(self, **servers: Server) -> None:
        self._servers = servers
        self._open: dict[str, Connection] = {}

    @hookimpl
    def register_settings(self) -> type[BaseModel]:
        return McpSettings

    @hookimpl
    async def connect_tools(self, settings: PluginSettings) -> Sequence[Tool]:
        found = [await self._tools(name) for name in settings(McpSettings).servers]
        return [one for tools in found for one in tools]

    async def _tools(self, server: str) -> list[Tool]:
        if server not in self._open:
            self._open[server] = Connection(self._servers[server])
        listed = await self._open[server].ask("tools/list")
        return [self._tool(self._open[server], each) for each in listed["tools"]]

    def _tool(self, connection: Connection, listed: Mapping[str, Any]) -> Tool:
        schema = ToolSchema(listed["name"], listed["description"], listed["inputSchema"])

        async def remote(**arguments: Any) -> str:
            done = await connection.ask("tools/call", name=schema.name, arguments=arguments)
            if done.get("isError"):
                raise ToolError("it failed")
            return str(done["content"][0]["text"])

        return Tool(schema, remote)

    @hookimpl
    async def agent_stopping(self) -> None:
        for connection in self._open.values():
            await connection.aclose()
        self._open.clear()


def asking(name: str, *tools: str, servers: str = "[shelf]") -> Persona:
    said = {"mcp": {"servers": servers.strip("[]").split(",")}} if servers else {}
    return Persona(name=name, tools=tools, plugins=said, fillers=())


@virtual_time
async def test_a_persona_uses_the_tools_of_a_server_that_its_settings_name() -> None:
    shelf = Server("search", "lend")
    thinker = ScriptedThinker([call("search", text="whales")], ["There is one."])
    async with rehearse(thinker, persona=asking("x", "mcp"), plugins=[Mcp(shelf=shelf)]) as stage:
        assert shelf.open == 1
        stage.types("Is there a book on whales?")
        assert await stage.agent() == "There is one."
        (finished,) = stage.seen(events.ToolFinished)
        assert (finished.ok, finished.output) == (True, "search: whales")
    assert {schema.name for schema in thinker.requests[0].tools} == {"search", "lend"}
    assert shelf.open == 0


def agent_of(*personas: Persona, plugins: Sequence[Any]) -> Agent:
    stages = Stages(ScriptedThinker(), ScriptedTalker())
    return Agent(personas[0], personas=personas[1:], plugins=plugins, stages=stages)


def tools_of(agent: Agent, persona: str) -> set[str]:
    return set(agent.wardrobe.outfit(persona).tools)


@virtual_time
async def test_each_persona_has_what_it_names_of_its_own_servers() -> None:
    personas = [
        asking("both", "mcp", servers="[shelf,desk]"),
        asking("one", "ring", servers="[desk]"),
        asking("none", "mcp", servers=""),
    ]
    plugin = Mcp(shelf=Server("search"), desk=Server("ring", "write"))
    async with agent_of(*personas, plugins=[plugin]) as agent:
        assert tools_of(agent, "both") == {"search", "ring", "write"}
        assert tools_of(agent, "one") == {"ring"}
        assert tools_of(agent, "none") == set()


@virtual_time
async def test_a_server_that_takes_too_long_is_named_and_the_persona_goes_without() -> None:
    late = asking("late", "mcp", "lend", servers="[slow]")
    plugin = Mcp(shelf=Server("search"), slow=Server("lend", slow_s=60))
    agent = agent_of(asking("x", "search"), late, plugins=[plugin])
    await agent.start()
    assert asyncio.get_running_loop().time() == 5
    assert tools_of(agent, "x") == {"search"}
    assert tools_of(agent, "late") == set()
    (problem,) = agent.registry.problems
    assert "connect_tools took more than 5 s" in problem.reason


@virtual_time
async def test_a_tool_that_no_server_has_is_an_error_once_all_have_said_what_they_have() -> None:
    agent = agent_of(asking("x", "serach"), plugins=[shelf := Mcp(shelf=Server("search"))])
    with pytest.raises(ConfigError, match="did you mean 'search'"):
        await agent.start()
    assert shelf._open == {}
