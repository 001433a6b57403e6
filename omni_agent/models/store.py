"""The folder where models live: fetch, verify, find, remove."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from omni_agent.errors import ConfigError, ModelStoreError
from omni_agent.models.catalogue import MODELS, Model, ModelFile
from omni_agent.models.progress import Progress, Report
from omni_agent.models.sources import Hub, SourceError, Wheels, carried, from_package, held
from omni_agent.runtime.distribution import program
from omni_agent.runtime.machine import home_folder

_MARK = ".verified.json"
_SPARE_BYTES = 200_000_000
"""Free space wanted beyond the model: the wheel on its way, and room to breathe."""
_CHUNK = 1 << 20


State = Literal["ready", "installed", "partial", "missing"]


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """state: ``partial`` has some bytes, ``ready`` is complete and was verified; ``installed`` is
    carried by a package that is here, so that it need not be in the store."""

    model: Model
    state: State
    bytes_here: int
    folder: Path

    @property
    def here(self) -> bool:
        """Whether it need not be fetched."""
        return self.state in ("ready", "installed")


def default_root() -> Path:
    """OMNI_AGENT_MODELS, or ``omni_agent/models`` in the user's cache folder (XDG).

    Raises ConfigError for the home of a user who does not exist.
    """
    if chosen := os.environ.get("OMNI_AGENT_MODELS"):
        try:
            return Path(chosen).expanduser()
        except RuntimeError as error:
            raise ConfigError(f"OMNI_AGENT_MODELS={chosen}: there is no such user") from error
    cache = os.environ.get("XDG_CACHE_HOME")
    home = Path(cache) if cache else home_folder("OMNI_AGENT_MODELS") / ".cache"
    return home / "omni_agent" / "models"


def offline() -> bool:
    """Whether OMNI_AGENT_OFFLINE forbids every use of the network."""
    return os.environ.get("OMNI_AGENT_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


class ModelStore:
    """Models in a folder, ``root/<model>/<file>``. Safe for several processes at once.

    Every method that takes a name raises ModelStoreError for one it does not know.
    All methods block; from a coroutine use ``asyncio.to_thread``.
    """

    def __init__(
        self, root: Path | str | None = None, models: Mapping[str, Model] = MODELS
    ) -> None:
        self.root = Path(root) if root is not None else default_root()
        self._models = models
        self._hub = Hub()

    def path(self, name: str) -> Path:
        """The file of a one-file model, the folder of any other.

        Costs a look at sizes and times once a file has been verified; a file
        that was put there by hand is hashed first. Raises ModelStoreError when
        it is missing or damaged; never touches the network.
        """
        model = self._model(name)
        for file in model.files:
            if not self._trusted(model, file):
                self._check(model, file)
        return self._path(model)

    def fetch(self, name: str, report: Report = lambda progress: None) -> Path:
        """Get what is missing of a model from wherever it can be had; returns ``path(name)``.

        Continues a fetch that was interrupted. report: told of progress; what it
        raises stops the fetch and leaves the part. Raises ModelStoreError when no
        source has the bytes, with each source's reason.
        """
        model = self._model(name)
        if all(self._trusted(model, file) for file in model.files):
            return self._path(model)
        with self._disk(name), self._locked(model, report):
            missing = [file for file in model.files if not self._adopted(model, file)]
            self._check_space(model, missing)
            for number, file in enumerate(missing):
                self._fetch_file(model, file, missing[number + 1 :], report)
            self._forget_wheels(model)
        return self._path(model)

    def verify(self, name: str, report: Report = lambda progress: None) -> None:
        """Hash every file. A damaged one is moved aside (``.damaged``), so that the
        next fetch replaces it. Raises ModelStoreError for the first that is missing or damaged."""
        model = self._model(name)
        done = 0
        for file in model.files:
            report(Progress(name, done, model.size, f"verifying {file.path}"))
            self._check(model, file)
            done += file.size
        report(Progress(name, done, model.size, "verified"))

    def remove(self, name: str) -> int:
        """Delete everything of a model, parts included; returns the bytes freed."""
        model = self._model(name)
        folder = self._folder(model)
        if not folder.exists():
            return 0
        with self._disk(name), self._locked(model, lambda progress: None):
            freed = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            shutil.rmtree(folder)
        return freed

    def status(self) -> list[ModelStatus]:
        """Every model and how much of it is here, without hashing anything."""
        found = []
        for model in self._models.values():
            folder = self._folder(model)
            here = sum(
                max(held(folder / file.path), held(_part(folder, file))) for file in model.files
            )
            ready = all(self._trusted(model, file) for file in model.files)
            state: State = "ready" if ready else "partial" if here else "missing"
            if not ready and all(carried(file) for file in model.files):
                state = "installed"
            found.append(ModelStatus(model, state, here, folder))
        return found

    def _model(self, name: str) -> Model:
        try:
            return self._models[name]
        except KeyError:
            known = ", ".join(self._models)
            raise ModelStoreError(name, f"there is no such model; known are {known}") from None

    def _folder(self, model: Model) -> Path:
        return self.root / model.name

    def _path(self, model: Model) -> Path:
        folder = self._folder(model)
        return folder / model.files[0].path if len(model.files) == 1 else folder

    def _fetch_file(
        self, model: Model, file: ModelFile, later: list[ModelFile], report: Report
    ) -> None:
        folder = self._folder(model)
        part = _part(folder, file)
        before = sum(other.size for other in model.files) - file.size - sum(f.size for f in later)
        keep = frozenset(piece.requirement for other in later for piece in other.pieces)
        wheels = Wheels(folder / ".wheels")

        best = 0

        def tick(done: int, note: str) -> None:
            # What pip holds is counted before it is unpacked: never let the bar go back.
            nonlocal best
            best = max(best, done)
            report(Progress(model.name, before + best, model.size, note))

        sources: list[Callable[[], None]] = []
        if file.installed:
            sources.append(lambda: from_package(file, part, tick))
        if file.url and not offline():
            sources.append(lambda: self._hub.fetch(file, part, tick))
        if file.pieces and not offline():
            sources.append(lambda: wheels.fetch(file, part, tick, keep))
        reasons = ["OMNI_AGENT_OFFLINE forbids the network"] if offline() else []
        for source in sources:
            for resumed in (held(part) > 0, False):
                best = 0
                try:
                    source()
                except SourceError as error:
                    reasons.append(str(error))
                    break
                tick(file.size, f"verifying {file.path}")
                if _sha256(part) == file.sha256:
                    self._accept(model, file, part)
                    return
                part.replace(_aside(part.with_suffix("")))
                if not resumed:
                    reasons.append("the bytes of that source have the wrong sha-256")
                    break
                # A part of unknown origin was continued: this source may be right from the start.
        remedy = "Unset it" if offline() else "Try again (it continues)"
        raise ModelStoreError(
            model.name,
            f"cannot fetch {file.path}: {'; '.join(reasons)}. "
            f"{remedy}, or put the file at {folder / file.path}",
        )

    def _accept(self, model: Model, file: ModelFile, part: Path) -> None:
        target = self._folder(model) / file.path
        part.replace(target)
        _aside(target).unlink(missing_ok=True)
        self._mark(model, file)

    def _adopted(self, model: Model, file: ModelFile) -> bool:
        """Whether a file is here and right, hashing it if it was never verified."""
        if self._trusted(model, file):
            return True
        try:
            self._check(model, file)
        except ModelStoreError:
            return False
        return True

    def _check(self, model: Model, file: ModelFile) -> None:
        """Hash a file and remember it; move it aside and raise when it is wrong."""
        path = self._folder(model) / file.path
        again = f"{program('omni-agent')} models fetch {model.name}"
        if not path.is_file():
            part = held(_part(self._folder(model), file))
            what = f"is only half here ({part} of {file.size} bytes)" if part else "is not here"
            raise ModelStoreError(model.name, f"{file.path} {what}", mend=again)
        with self._disk(model.name):
            size = path.stat().st_size
            reason = f"has {size} bytes, not {file.size}" if size != file.size else ""
            if not reason and _sha256(path) != file.sha256:
                reason = "has the wrong sha-256"
            if reason:
                aside = path.replace(_aside(path))
                raise ModelStoreError(
                    model.name, f"{path} {reason}; it was moved to {aside.name}", mend=again
                )
        self._mark(model, file)

    def _marks(self, model: Model) -> dict[str, list[object]]:
        try:
            marks = json.loads((self._folder(model) / _MARK).read_bytes())
        except (OSError, ValueError):
            return {}
        return marks if isinstance(marks, dict) else {}

    def _trusted(self, model: Model, file: ModelFile) -> bool:
        """Whether the file is the one that was verified: same size, time and wanted hash."""
        try:
            found = (self._folder(model) / file.path).stat()
        except OSError:
            return False
        mark = [found.st_size, found.st_mtime_ns, file.sha256]
        return found.st_size == file.size and self._marks(model).get(file.path) == mark

    def _mark(self, model: Model, file: ModelFile) -> None:
        folder = self._folder(model)
        found = (folder / file.path).stat()
        marks = self._marks(model)
        marks[file.path] = [found.st_size, found.st_mtime_ns, file.sha256]
        fresh = folder / f"{_MARK}.{os.getpid()}"
        try:
            fresh.write_text(json.dumps(marks))
            fresh.replace(folder / _MARK)
        except OSError:
            return  # a store that cannot be written to is hashed on every start, and works

    def _forget_wheels(self, model: Model) -> None:
        shutil.rmtree(self._folder(model) / ".wheels", ignore_errors=True)

    def _check_space(self, model: Model, missing: list[ModelFile]) -> None:
        folder = self._folder(model)
        need = sum(file.size - held(_part(folder, file)) for file in missing)
        free = shutil.disk_usage(self.root).free
        if need and free < need + _SPARE_BYTES:
            raise ModelStoreError(
                model.name,
                f"needs {(need + _SPARE_BYTES) / 1e6:.0f} MB in {self.root}, "
                f"{free / 1e6:.0f} MB are free; make room or set OMNI_AGENT_MODELS",
            )

    @contextmanager
    def _disk(self, name: str) -> Iterator[None]:
        """Any trouble with the disk as a ModelStoreError that says which."""
        try:
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            what = "the disk is full" if full else f"{error.strerror or error}"
            where = error.filename or self.root
            raise ModelStoreError(
                name, f"{where}: {what}; what was fetched so far is kept"
            ) from error

    @contextmanager
    def _locked(self, model: Model, report: Report) -> Iterator[None]:
        """One process at a time on a model. The lock file stays: removing it would race."""
        folder = self._folder(model)
        folder.mkdir(parents=True, exist_ok=True)
        with (self.root / f".{model.name}.lock").open("wb") as lock:
            try:
                import fcntl
            except ImportError:  # Windows: atomic renames keep files right, only work is doubled
                yield
                return
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                report(Progress(model.name, 0, model.size, "waiting for another process"))
                fcntl.flock(lock, fcntl.LOCK_EX)
            folder.mkdir(parents=True, exist_ok=True)  # the other process may have removed it
            yield


def _part(folder: Path, file: ModelFile) -> Path:
    return folder / f"{file.path}.part"


def _aside(path: Path) -> Path:
    """Where a damaged file goes: kept to look at until a right one has come."""
    return path.with_name(f"{path.name}.damaged")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as data:
        while chunk := data.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
