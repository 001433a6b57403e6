"""Saved states: bounded, the longest unused going first, and never in the way."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from omni_agent.engines.local import states
from omni_agent.engines.local.states import SavedStates


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    return path


def keep(saved: SavedStates, name: str, at: int, size: int = 10) -> None:
    (saved.folder / "new.tmp").write_bytes(bytes(size))
    os.utime(saved.folder / "new.tmp", (at, at))
    saved.keep("new.tmp", name)


def kept(saved: SavedStates) -> list[str]:
    return sorted(path.name for path in saved.folder.iterdir())


def test_the_longest_unused_go_first(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "MOST_FILES", 3)
    saved = SavedStates(tmp_path / "states", model, "1")
    for at, name in enumerate("abc", start=1):
        keep(saved, f"{name}.kv", at)
    saved.touch("a.kv")
    keep(saved, "d.kv", 4)
    assert kept(saved) == ["a.kv", "c.kv", "d.kv"]


def test_bytes_are_bounded_too_and_the_latest_always_stays(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "MOST_BYTES", 100)
    saved = SavedStates(tmp_path / "states", model, "1")
    keep(saved, "a.kv", 1, 60)
    keep(saved, "b.kv", 2, 60)
    assert kept(saved) == ["b.kv"]
    keep(saved, "c.kv", 3, 1000)
    assert kept(saved) == ["c.kv"]


def test_what_a_dead_process_left_unfinished_is_removed(tmp_path: Path, model: Path) -> None:
    folder = tmp_path / "states"
    folder.mkdir()
    (folder / "old.tmp").write_bytes(b"half")
    os.utime(folder / "old.tmp", (1, 1))
    (folder / "new.tmp").write_bytes(b"half")
    assert kept(SavedStates(folder, model, "1")) == ["new.tmp"]


def test_a_folder_that_cannot_be_made_is_no_failure(
    tmp_path: Path, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    with caplog.at_level(logging.WARNING):
        saved = SavedStates(tmp_path / "file" / "states", model, "1")
    assert "read anew at each start" in caplog.text
    name = saved.name("prefix")
    assert not saved.has(name)
    saved.touch(name)
    saved.forget(name)


def test_another_model_runtime_or_prefix_has_another_state(tmp_path: Path, model: Path) -> None:
    saved = SavedStates(tmp_path / "states", model, "1")
    names = {saved.name("a"), saved.name("b"), SavedStates(saved.folder, model, "2").name("a")}
    model.write_bytes(b"GGUF2")
    assert len(names | {SavedStates(saved.folder, model, "1").name("a")}) == 4
