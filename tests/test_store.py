"""Transcripts that survive a crash."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from omni_agent import events
from omni_agent.conversation import Message, TextPart, ToolCall, ToolResult, user
from omni_agent.errors import ConfigError
from omni_agent.store import TranscriptStore


def test_items_are_kept_in_order_and_replaced_in_place(tmp_path: Path) -> None:
    store = TranscriptStore(tmp_path / "t.sqlite3")
    store.record("s1", events.SessionStarted(0.0, "s1", "concierge"))
    empty = Message("assistant", (), "a1")
    for item in (user("hi"), empty, ToolCall("c1", "f", {"x": 1}), ToolResult("c1", "ok")):
        store.record("s1", events.ItemAdded(0.0, item))
    heard = Message("assistant", (TextPart("hel"),), "a1", interrupted=True)
    store.record("s1", events.ItemAdded(0.0, heard))
    store.record("s1", events.SessionEnded(0.0, "hangup"))
    kept = store.items("s1")
    assert [item.kind for item in kept] == ["user", "assistant", "call", "result"]
    assert kept[1].body == {"text": "hel", "interrupted": True}
    assert kept[2].body["arguments"] == {"x": 1}
    assert store.sessions()[0][1::2] == ("concierge", "hangup")
    store.close()


def test_what_was_written_survives_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite3"
    script = f"""
        import os, signal
        from pathlib import Path
        from omni_agent import events
        from omni_agent.conversation import user
        from omni_agent.store import TranscriptStore
        store = TranscriptStore(Path({str(path)!r}))
        store.record("s", events.SessionStarted(0.0, "s", "p"))
        store.record("s", events.ItemAdded(0.0, user("do not lose me")))
        store.items("s")  # returns when the writes before it are done
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert done.returncode == -9
    store = TranscriptStore(path)
    assert [item.body["text"] for item in store.items("s")] == ["do not lose me"]
    store.close()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="transcripts cannot be kept here"):
        TranscriptStore(tmp_path / "file" / "t.sqlite3")
