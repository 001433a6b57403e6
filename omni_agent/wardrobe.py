"""Personas dressed for calls: found by name, reloaded when their files change."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from omni_agent import persona as personas
from omni_agent.call import Outfit
from omni_agent.errors import OmniAgentError
from omni_agent.persona import Persona
from omni_agent.registry import Registry
from omni_agent.tools import Tool

log = logging.getLogger(__name__)


class PersonaWardrobe:
    """Outfits of persona files (and of personas made in code).

    ``tools`` belong to every outfit, whatever the persona names. Raises
    OmniAgentError at once when the default persona cannot be used.
    """

    def __init__(
        self, registry: Registry, default: str | Path | Persona, tools: Sequence[Tool] = ()
    ) -> None:
        self._registry, self._tools = registry, tuple(tools)
        self._made: dict[str, Outfit] = {}
        self._files: dict[str, personas.PersonaFile] = {}
        self._problems: list[OmniAgentError] = []
        if isinstance(default, Persona):
            self.default = default.name
            self._made[default.name] = registry.outfit(default, self._tools)
        else:
            self.default = str(default)
            self.outfit(None)

    def outfit(self, persona: str | None) -> Outfit:
        """See :class:`omni_agent.session.Wardrobe`. Knows names as shown and as filed."""
        key = self.default if persona is None else self._key(persona)
        file = self._files.get(key)
        if file is None:
            if key not in self._made:
                self._load(key, personas.find(key, paths=persona is None))
            return self._made[key]
        try:
            if file.reload_if_changed():
                self._made[key] = self._registry.outfit(file.persona, self._tools)
        except OmniAgentError as error:
            self._problems.append(error)
        return self._made[key]

    def _load(self, key: str, path: Path) -> None:
        file = personas.PersonaFile(path)
        self._made[key] = self._registry.outfit(file.persona, self._tools)
        self._files[key] = file

    def _key(self, name: str) -> str:
        """The key of an outfit in use by its persona's name; else the name itself."""
        for key, outfit in self._made.items():
            if outfit.persona.name == name:
                return key
        return name

    @property
    def default_name(self) -> str:
        """The name of the persona that answers when the caller chooses none."""
        return self.outfit(None).persona.name

    def known(self) -> Sequence[Persona]:
        """The personas a caller can choose, the default first; broken files are left out."""
        chosen = {self.default_name: self.outfit(None).persona}
        for name in personas.available():
            try:
                persona = self.outfit(name).persona
            except OmniAgentError as error:
                log.warning("%s", error)
                continue
            chosen.setdefault(persona.name, persona)
        return tuple(chosen.values())

    def problems(self) -> Sequence[OmniAgentError]:
        problems, self._problems = self._problems, []
        return problems

    def retrieve(self, session_id: str, user_text: str) -> str:
        return self._registry.context(session_id, user_text)
