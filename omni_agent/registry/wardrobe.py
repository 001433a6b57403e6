"""Personas dressed for calls: found by name, reloaded when their files change."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from omni_agent.errors import (
    OmniAgentError,
    PersonaError,
    SettingsError,
    UnknownPartError,
    UnknownPersonaError,
)
from omni_agent.persona import Persona
from omni_agent.personas import files as personas
from omni_agent.personas.outfit import Outfit
from omni_agent.registry.problems import meant
from omni_agent.registry.registry import Registry
from omni_agent.tools.tool import Tool

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
        self._all_read = False
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
        self._again(lambda key: self._fitting(self._made[key], self._files.get(key)))

    def renew(self) -> None:
        """Make the outfits anew, with the tools that plugins have now. Raises as ``fit`` does."""
        self._again(self._anew)

    def _again(self, make: Callable[[str], Outfit]) -> None:
        for key in list(self._made):
            try:
                self._made[key] = make(key)
            except OmniAgentError as error:
                if key == self.default:
                    raise
                self._tell(str(error))
                del self._made[key]
                self._files.pop(key, None)

    def _anew(self, key: str) -> Outfit:
        if file := self._files.get(key):
            return self._dressed(file)
        return self._fitting(self._registry.outfit(self._made[key].persona, self._tools))

    def _fitting(self, outfit: Outfit, file: personas.PersonaFile | None = None) -> Outfit:
        if lacking := self._examine(outfit):
            ours = file is not None and personas.is_shipped(file.path)  # nobody asked for it
            line = f"persona {outfit.persona.name!r}: {'; '.join(lacking)}"
            self._tell(line, logging.INFO if ours else logging.WARNING)
        return outfit

    def outfit(self, persona: str | None) -> Outfit:
        """See :class:`omni_agent.call.dressing.Wardrobe`. Knows names as shown and as filed."""
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
        with _placed(file.path):
            return self._fitting(self._registry.outfit(file.persona, self._tools), file)

    def _key(self, name: str) -> str:
        """The key of an outfit by its persona's name, now or before, or by its file's.

        Everybody's name is looked at before any file's: which of them have been worn decides
        nothing.
        """
        if (key := self._shown(name)) is not None:
            return key
        if not self._all_read:
            self.known()
        for find in (self._shown, self._former.get, self._filed, self._alike):
            if (key := find(name)) is not None:
                return key
        self.known()  # a file that was added meanwhile
        if (key := self._alike(name)) is not None:
            return key
        there = [outfit.persona.name for outfit in self._made.values()]
        reason = f"no such persona is offered here; {meant(name, there)}there are: "
        raise UnknownPersonaError(name, reason + ", ".join(there), there)

    def _shown(self, name: str) -> str | None:
        return next((key for key, worn in self._made.items() if worn.persona.name == name), None)

    def _alike(self, name: str) -> str | None:
        """By its persona's name in another case."""
        made, wanted = self._made.items(), _folded(name)
        return next((key for key, worn in made if _folded(worn.persona.name) == wanted), None)

    def _filed(self, name: str) -> str | None:
        """By its file's name in any case, as ``personas.find`` does, or its key."""
        offered, wanted = self._offered(), _folded(name)
        if name in offered:
            return name
        return next((key for key in offered if _folded(self._stem(key)) == wanted), None)

    def _stem(self, key: str) -> str:
        in_code = key in self._made and key not in self._files
        return key if in_code or _is_name(key) else Path(key).stem

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
        self._all_read = True
        return tuple(chosen.values())

    def _tell(self, line: str, level: int = logging.WARNING) -> None:
        """Once: anybody may ask who there is, as often as they like."""
        if line not in self._told:
            self._told.add(line)
            log.log(level, "%s", line)

    def problems(self) -> Sequence[OmniAgentError]:
        problems, self._problems = self._problems, []
        return problems


def fitted(registry: Registry, path: Path) -> Outfit:
    """A persona's file with what it names. Raises PersonaError, with the line of what is wrong."""
    with _placed(path):
        return registry.outfit(personas.load(path))


@contextmanager
def _placed(path: Path) -> Iterator[None]:
    """What is wrong with what a file names is told with its line."""
    try:
        yield
    except (UnknownPartError, SettingsError) as error:
        raise PersonaError(path, personas.line_of(path, *error.key), error.reason) from error


def _kept(path: Path, error: OmniAgentError) -> PersonaError:
    """What is wrong with the new version, whoever found it."""
    at = error if isinstance(error, PersonaError) else PersonaError(path, 0, str(error))
    return PersonaError(at.path, at.line, at.reason, public=KEPT)


def _folded(name: str) -> str:
    return name.strip().lower()


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
