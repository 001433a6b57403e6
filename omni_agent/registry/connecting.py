"""Tools that are elsewhere, such as an MCP server's: found as the agent starts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from omni_agent.persona import Persona
from omni_agent.registry.hooks import Hooks
from omni_agent.registry.settings import SettingsModels
from omni_agent.tools.tool import Tool


class ConnectedTools:
    """What ``connect_tools`` found, for each persona that was there when the agent started."""

    def __init__(self, hooks: Hooks, settings: SettingsModels) -> None:
        self._hooks, self._settings = hooks, settings
        self._found: dict[str, dict[str, Mapping[str, Tool]]] = {}

    @property
    def plugins(self) -> list[str]:
        """Those that may have some."""
        return [plugin for plugin, _ in self._hooks.each("connect_tools")]

    async def connect(self, personas: Sequence[Persona]) -> None:
        """Ask for what there is, all at once; who takes too long or fails has nothing."""
        asked = [
            (persona.name, plugin, answer)
            for persona in personas
            for plugin, answer in self._ask(persona)
        ]
        settling = (self._hooks.settled("connect_tools", [answer]) for *_, answer in asked)
        settled = await asyncio.gather(*settling)
        self._found = {persona.name: {} for persona in personas}
        for (persona, plugin, _), answers in zip(asked, settled, strict=True):
            for tools in answers:
                self._found[persona][plugin] = {tool.name: tool for tool in tools}

    def _ask(self, persona: Persona) -> list[tuple[str, object]]:
        settings = self._settings.read(persona)
        return self._hooks.ask("connect_tools", persona=persona, settings=settings)

    def of(self, persona: Persona) -> Mapping[str, Mapping[str, Tool]]:
        """By plugin and name, of all that may have some."""
        found = self._found.get(persona.name, {})
        return {plugin: found.get(plugin, {}) for plugin in self.plugins}

    def wanting(self, persona: Persona) -> bool:
        """Whether some plugin has not said what it has for this persona: not yet, or it failed."""
        return not self._found.get(persona.name, {}).keys() >= set(self.plugins)
