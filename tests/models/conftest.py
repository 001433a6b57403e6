"""A real HTTP server that is hub and package index at once, and misbehaves on request."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from omni_agent.models import Model, ModelFile, Piece

CONTENT = bytes((i * i + i // 7) % 251 for i in range(300_000))


@dataclass
class Server:
    """files: by path. Every request is kept as (path, Range header)."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    cut_at: int | None = None
    """Close the line once this position of the file was sent."""
    ranges: bool = True
    status: int | None = None
    lengths: bool = True

    def paths(self, ending: str) -> list[str]:
        return [path for path, _ in self.requests if path.endswith(ending)]

    def offer(self, piece_name: str, member: str, data: bytes) -> Piece:
        """Publish a wheel with one file on the package index."""
        module = piece_name.replace("-", "_")
        packed = io.BytesIO()
        info = f"{module}-1.0.0.dist-info"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as wheel:
            wheel.writestr(f"{module}/{member}", data)
            wheel.writestr(f"{module}/__init__.py", "raise SystemExit('imported!')")
            wheel.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {piece_name}\nVersion: 1.0.0\n"
            )
            wheel.writestr(
                f"{info}/WHEEL",
                "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            )
            wheel.writestr(f"{info}/RECORD", "")
        name = f"{module}-1.0.0-py3-none-any.whl"
        self.files[f"/wheels/{name}"] = packed.getvalue()
        self.files[f"/simple/{piece_name}/"] = f'<a href="/wheels/{name}">{name}</a>'.encode()
        digest = hashlib.sha256(packed.getvalue()).hexdigest()
        return Piece(f"{piece_name}==1.0.0", digest, f"{module}/{member}", len(data))

    def model(
        self, *, hub: bool = True, registry: bool = False, content: bytes = CONTENT
    ) -> dict[str, Model]:
        """A one-file model, offered by the sources named, in three pieces by the registry."""
        url = None
        if hub:
            self.files["/hub/m.bin"] = content
            url = f"{self.url}/hub/m.bin"
        third = len(content) // 3 + 1
        cuts = [content[i * third : (i + 1) * third] for i in range(3)]
        pieces = tuple(
            self.offer(f"omni-test-part{i}", f"data/part{i:02}.bin", cut)
            for i, cut in enumerate(cuts, start=1)
        )
        file = ModelFile(
            "m.bin",
            len(content),
            hashlib.sha256(content).hexdigest(),
            url=url,
            pieces=pieces if registry else (),
        )
        return {"m": Model("m", "for tests", "MIT", (file,))}


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            server.requests.append((self.path, wanted))
            data = server.files.get(self.path)
            on_hub = self.path.startswith("/hub/")
            if data is None or (on_hub and server.status):
                self.send_error((on_hub and server.status) or 404)
                return
            start = 0
            match = re.fullmatch(r"bytes=(\d+)-", wanted or "")
            if match and server.ranges:
                start = int(match[1])
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            else:
                self.send_response(200)
            self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "x/y")
            if server.lengths:
                self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            end = server.cut_at if on_hub and server.cut_at is not None else len(data)
            self.wfile.write(data[start:end])

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Answer


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


class serving:  # reads as a statement
    def __enter__(self) -> Server:
        state = Server()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
        state.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        return state

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture(autouse=True)
def _only_this_server(monkeypatch: pytest.MonkeyPatch, server: Server, tmp_path: Path) -> None:
    """pip asks only the test's index, and no setting of the machine reaches the store."""
    for name in ("OMNI_AGENT_OFFLINE", "OMNI_AGENT_MODELS", "HF_ENDPOINT", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    nothing = tmp_path / "pip.conf"
    nothing.touch()
    monkeypatch.setenv("PIP_CONFIG_FILE", str(nothing))
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "60")
    # However long the machine was busy with something else.
    monkeypatch.setattr("omni_agent.models.sources.CONNECT_TIMEOUT_S", 60.0)
