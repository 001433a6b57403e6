"""``omni-agent.toml``: the options of ``serve`` in a file, and a table for each stage.

Each key is the name of an option, with ``_`` for ``-``; ``[thinker]``, ``[talker]`` and ``[ears]``
are what is said of one stage. What is said on the command line, or by an option's environment
variable, comes before it. The file is checked as a whole, by the options' own types, whichever
command reads it.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from omni_agent.cli.printing import err, show
from omni_agent.errors import ConfigError
from omni_agent.registry.problems import meant

NAME = "omni-agent.toml"
STAGES = ("thinker", "talker", "ears")
_MAX_BYTES = 1_000_000
_VARIABLE = re.compile(r"\$\{(\w+)\}", re.ASCII)
_SECRETS = {"api_key", "server_key", "ice_credential", "turn_secret"}
_FOR_ALL = ("engine", "model", "base_url")
"""Options that speak of all stages: on the command line they put the file's tables aside."""

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Config:
    """What was read; path None: nothing was. stages: its tables. context: of the command."""

    path: Path | None = None
    text: str = field(default="", repr=False)
    stages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    context: typer.Context | None = field(default=None, repr=False)

    def tables(self) -> Mapping[str, Mapping[str, Any]]:
        """The tables that count: none beside a command line that speaks of all stages."""
        for_all = next((name for name in _FOR_ALL if self._source(name) == "COMMANDLINE"), None)
        return self.stages if for_all is None else {}

    def tell_of_tables(self) -> None:
        """Say so where the file's tables do not count."""
        for name in _FOR_ALL:
            if self.stages and self._source(name) == "COMMANDLINE":
                option = f"--{name.replace('_', '-')}"
                show(
                    (f"▸ {option} is for all stages: the tables of {self.path} are put aside "
                     "(--thinker, --talker and --ears change one)", "dim"),
                    to=err,
                )  # fmt: skip
                return

    def says(self, option: str) -> Any:
        """What the file says of an option of all stages; None where it says nothing."""
        return self._options.get(option)

    def origin(self, option: str) -> str:
        """Where an option of all stages was said: its name on the command line, its environment
        variable, or its place in the file; empty where nobody did."""
        match self._source(option):
            case "COMMANDLINE":
                return f"--{option.replace('_', '-')}"
            case "ENVIRONMENT":
                return next(str(one.envvar) for one in self._parameters if one.name == option)
            case "DEFAULT":
                return ""
        return self.place(option) if option in self._options else ""

    @property
    def _options(self) -> Mapping[str, Any]:
        return (self.context and self.context.default_map) or {}

    @property
    def _parameters(self) -> Sequence[Any]:
        return self.context.command.params if self.context else ()

    def _source(self, option: str) -> str | None:
        """None where the command has no such option."""
        source = self.context.get_parameter_source(option) if self.context else None
        return source and source.name

    def place(self, *key: str) -> str:
        """``file:line: key``; without the line where the key is written in a way of its own."""
        line = next((n for n, there in _keys(self.text) if _alike(there, key)), 0)
        return f"{self.path}{f':{line}' if line else ''}: {'.'.join(key)}"


def _alike(written: Key, key: Key) -> bool:
    return [one.replace("-", "_") for one in written] == [one.replace("-", "_") for one in key]


def _keys(text: str) -> Iterator[tuple[int, Key]]:
    """(line, key) of the keys that stand at the beginning of a line, and of tables."""
    table: Key = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\s*([\w.-]+)\s*\]", line):
            table = tuple(header[1].split("."))
            yield number, table
        elif key := re.match(r"\s*\"?([\w-]+)\"?\s*=", line):
            yield number, (*table, key[1])


def _read(context: typer.Context, named: str | None) -> Config:
    """The file, laid under the options of this command. Raises ConfigError."""
    if context.resilient_parsing:
        return Config()
    path = Path(NAME if named is None else named)
    if named is None and not _is_ours(path):
        return Config(context=context)
    text, mode = _text(path)
    show((f"▸ options of {path}", "dim"), to=err)
    config = Config(path, text)
    written = _parsed(config)
    if mode & (stat.S_IRGRP | stat.S_IROTH) and os.name == "posix":
        _warn_of_secrets(written, config)
    said = _filled(written, config)
    tables = {name: said.pop(name) for name in STAGES if name in said}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ConfigError(f"{config.place(name)} is a table: write [{name}], its keys below")
    context.default_map = _options(context, said, config)
    return Config(path, text, tables, context)


def _is_ours(path: Path) -> bool:
    """Whether there is such a file here, and nobody else put it there for us to obey."""
    try:
        found = path.stat()
    except OSError:
        return False
    if hasattr(os, "geteuid") and found.st_uid not in (0, os.geteuid()):
        raise ConfigError(
            f"{path.absolute()} belongs to somebody else: where you trust it, name it (--config)"
        )
    return True


def _text(path: Path) -> tuple[str, int]:
    """The file's text and its mode."""
    try:
        with path.open("rb") as file:
            mode, data = os.fstat(file.fileno()).st_mode, file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror} (--config)") from error
    if len(data) > _MAX_BYTES:
        raise ConfigError(f"{path}: is over {_MAX_BYTES // 1_000_000} MB (--config)")
    try:
        return data.decode("utf-8-sig"), mode
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8 text; save it as UTF-8") from error


def _parsed(config: Config) -> dict[str, Any]:
    try:
        return tomllib.loads(config.text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        reason, _, rest = str(error).partition(" (at line ")
        line = f":{rest.partition(',')[0]}" if rest else ""
        raise ConfigError(f"{config.path}{line}: not TOML: {reason}") from error


def _filled(value: Any, config: Config, key: Key = ()) -> Any:
    """The values with ``${NAME}`` replaced by the environment's, at any depth."""

    def variable(found: re.Match[str]) -> str:
        if (there := os.environ.get(found[1])) is None:
            raise ConfigError(f"{config.place(*key)}: there is no environment variable {found[1]}")
        return there

    match value:
        case str():
            return _VARIABLE.sub(variable, value)
        case dict():
            return {name: _filled(each, config, (*key, name)) for name, each in value.items()}
        case list():
            return [_filled(each, config, key) for each in value]
        case _:
            return value


def _warn_of_secrets(written: Mapping[str, Any], config: Config, *table: str) -> None:
    for name, value in written.items():
        if isinstance(value, dict):
            _warn_of_secrets(value, config, *table, name)
        elif name.replace("-", "_") in _SECRETS and not _VARIABLE.search(str(value)):
            way_out = f'chmod 600 {config.path}, or write "${{NAME}}" for an environment variable'
            place = config.place(*table, name)
            show((f"{place} can be read by other users: {way_out}", "yellow"), to=err)


def _options(context: typer.Context, said: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """What is said, by the names of the options of ``serve``. Raises ConfigError."""
    known = _known(context)
    options = {}
    for key, value in said.items():
        name = key.replace("-", "_")
        if (option := known.get(name)) is None:
            there = ", ".join(sorted(known))
            hint = meant(name, (*known, *STAGES))
            raise ConfigError(f"{config.place(key)} is no option; {hint}there are: {there}, and "
                              f"tables {', '.join(STAGES)}")  # fmt: skip
        try:
            options[name] = _value(option, value)
            option.process_value(context, options[name])
        except (typer.BadParameter, ConfigError, TypeError, ValueError) as error:
            why = error.message if isinstance(error, typer.BadParameter) else str(error)
            raise ConfigError(f"{config.place(key)}: {why}") from error
    return options


def _known(context: typer.Context) -> dict[str, Any]:
    """The options of ``serve`` that can be in the file."""
    root = context.find_root()
    serve = cast(Any, root.command).get_command(root, "serve")
    return {one.name: one for one in serve.params if one.name not in ("help", "config", *STAGES)}


def _value(option: Any, value: Any) -> Any:
    """The value as the command line would have it. Raises ValueError for one of a wrong kind."""
    values = value if isinstance(value, list) and option.multiple else [value]
    flag = bool(getattr(option, "is_flag", False))
    for each in values:
        if not isinstance(each, str | int | float) or isinstance(each, bool) != flag:
            kind = "true or false" if flag else "a text or a number, in quotes where it is a text"
            raise ValueError(f"{each!r} cannot be its value: give {kind}")
    return values if option.multiple else value


ConfigFile = Annotated[
    Any,
    typer.Option(
        "--config",
        parser=str,
        callback=_read,
        is_eager=True,
        metavar="FILE",
        help=f"A file of options instead of {NAME} in this folder.",
    ),
]
