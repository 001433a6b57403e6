"""Personas dressed for calls: found by name, reloaded when their files change."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from omni_agent import persona as personas
from omni_agent.call import Outfit
from omni_agent.errors import OmniAgentError, PersonaError, UnknownPartError
from omni_agent.persona import Persona
from omni_agent.registry import Registry
from omni_agent.tools import Tool

log = logging.getLogger(__name__)


Source = str | Path | Persona
"""A persona's name, its file, a folder of such files, or one made in code."""
KEPT = (
    "This persona was edited and has a mistake, which the server's log names; the version before "
    "it stays in force."
)
"""What callers are told of it."""
Examine = Callable[[Outfit], Sequence[str]]
"""Says what an outfit will go without; raises OmniAgentError for one that nobody can wear."""


class PersonaWardrobe:
    """Outfits of persona files (and of personas made in code), and which of them are offered.

    A default that comes along offers all that are found by name; one found by name in
    the user's own folder offers that folder. A file or a Persona offers itself alone, a
    folder what is in it. offered: with the default, these alone. ``tools`` belong to
    every outfit, whatever the persona names. Raises OmniAgentError at once when the
    default, or one that is named here, cannot be used.
    """

    def __init__(
        self,
        registry: Registry,
        default: Source,
        tools: Sequence[Tool] = (),
        offered: Sequence[Source] | None = None,
    ) -> None:
        self._registry, self._tools = registry, tuple(tools)
        self._made: dict[str, Outfit] = {}
        self._files: dict[str, personas.PersonaFile] = {}
        self._former: dict[str, str] = {}
        """Keys by the names that personas had before they were edited: calls go by them still."""
        self._problems: list[OmniAgentError] = []
        self._examine: Examine = lambda outfit: ()
        self._told: set[str] = set()
        sources: Sequence[Source] | None = (default, *(offered or ()))
        if offered is None and isinstance(default, str) and _is_name(default):
            file = personas.find(default, paths=False)
            shipped = personas.is_shipped(file)
            default, sources = file.stem if shipped else file, None if shipped else [file.parent]
        self._sources = sources
        self.default = self._take(default)
        self.outfit(None)
        for source in sources or ():
            self._take(source)

    def _take(self, source: Source) -> str:
        """Dress what the operator named (a folder's when they are asked for); its first key."""
        keys = _keys(source)
        if not keys:
            raise PersonaError(str(source), 0, "no personas (files ending in .md) in this folder")
        if isinstance(source, Persona):
            self._made[source.name] = self._registry.outfit(source, self._tools)
        elif keys == [str(source)]:
            self._outfit(keys[0])
        return keys[0]

    def fit(self, examine: Examine) -> None:
        """From now on an outfit is examined before it is worn, and so are those made already.

        What one goes without is said once. Raises OmniAgentError for the default persona; any
        other that does not fit is unknown, like one whose file is broken.
        """
        self._examine = examine
        for key, outfit in list(self._made.items()):
            try:
                self._fitting(outfit)
            except OmniAgentError as error:
                if key == self.default:
                    raise
                self._tell(str(error))
                del self._made[key]
                self._files.pop(key, None)

    def _fitting(self, outfit: Outfit) -> Outfit:
        if lacking := self._examine(outfit):
            self._tell(f"persona {outfit.persona.name!r}: {'; '.join(lacking)}")
        return outfit

    def outfit(self, persona: str | None) -> Outfit:
        """See :class:`omni_agent.session.Wardrobe`. Knows names as shown and as filed."""
        return self._outfit(self.default if persona is None else self._key(persona))

    def _outfit(self, key: str) -> Outfit:
        file = self._files.get(key)
        if file is None:
            if key not in self._made:
                self._load(key, personas.find(key, paths=self._sources is not None))
            return self._made[key]
        try:
            if file.reload_if_changed():
                outfit = self._dressed(file)
                self._former[self._made[key].persona.name] = key
                self._made[key] = outfit
                log.info("%s: the new version is in force", file.path)
        except OmniAgentError as error:
            self._problems.append(problem := _kept(file.path, error))
            log.warning("%s; the last good version stays in force", problem)
        return self._made[key]

    def _load(self, key: str, path: Path) -> None:
        file = personas.PersonaFile(path)
        self._made[key] = self._dressed(file)
        self._files[key] = file

    def _dressed(self, file: personas.PersonaFile) -> Outfit:
        try:
            return self._fitting(self._registry.outfit(file.persona, self._tools))
        except UnknownPartError as error:
            line = personas.line_of(file.path, *error.key)
            raise PersonaError(file.path, line, error.reason) from error

    def _key(self, name: str) -> str:
        """The key of an outfit by its persona's name, now or before, or by its file's."""
        for key, outfit in self._made.items():
            if outfit.persona.name == name:
                return key
        if name in self._former:
            return self._former[name]
        if self._sources is None:
            return personas.find(name, paths=False).stem
        if name not in self._offered():
            raise PersonaError(name, 0, "no such persona is offered here")
        return name

    def _offered(self) -> Sequence[str]:
        """Keys, the default's first."""
        if self._sources is None:
            return [self.default, *personas.available()]
        return [self.default, *(key for source in self._sources for key in _keys(source))]

    def offers(self, persona: Persona) -> tuple[str, ...]:
        """What a persona can do, for a page: the plugins and tools it names, and the
        application's own tools."""
        return tuple(dict.fromkeys((*persona.tools, *(tool.name for tool in self._tools))))

    @property
    def default_name(self) -> str:
        """The name of the persona that answers when the caller chooses none."""
        return self.outfit(None).persona.name

    def known(self) -> Sequence[Persona]:
        """The personas a caller can choose, the default first; broken files are left out."""
        chosen: dict[str, Persona] = {}
        for key in dict.fromkeys(self._offered()):
            try:
                persona = self._outfit(key).persona
            except OmniAgentError as error:
                self._tell(str(error))
                continue
            chosen.setdefault(persona.name, persona)
        return tuple(chosen.values())

    def _tell(self, warning: str) -> None:
        """Once: anybody may ask who there is, as often as they like."""
        if warning not in self._told:
            self._told.add(warning)
            log.warning("%s", warning)

    def problems(self) -> Sequence[OmniAgentError]:
        problems, self._problems = self._problems, []
        return problems

    def retrieve(self, session_id: str, user_text: str) -> str:
        return self._registry.context(session_id, user_text)


def _kept(path: Path, error: OmniAgentError) -> PersonaError:
    """What is wrong with the new version, whoever found it."""
    at = error if isinstance(error, PersonaError) else PersonaError(path, 0, str(error))
    return PersonaError(at.path, at.line, at.reason, public=KEPT)


def _is_name(source: Source) -> bool:
    """Whether it is to be found by name, and is no file or folder."""
    return (
        isinstance(source, str)
        and not source.lower().endswith(".md")
        and not any(mark in source for mark in ("/", "\\"))
    )


def _keys(source: Source) -> Sequence[str]:
    """What its outfits are kept by; a folder's in the order of their names."""
    if isinstance(source, Persona):
        return [source.name]
    if _is_name(source) or not Path(source).is_dir():
        return [str(source)]
    files = sorted(Path(source).glob("*.md"))
    return [str(path) for path in files if path.stem.lower() != "readme"]
