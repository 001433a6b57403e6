"""``omni-agent transcripts``: what was kept of the calls: list, show, export, delete."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from omni_agent.cli.options import days
from omni_agent.cli.printing import counted, show
from omni_agent.errors import ConfigError
from omni_agent.records.database import Records, StoredCall, StoredItem, default_path
from omni_agent.runtime.logs import plain

transcripts = typer.Typer(help="What was kept of the calls: list, show, export, delete.")
DAY_S = 86_400
UNHEARD = "(interrupted before it was heard)"
MOST = 1_000_000
"""Calls in a list."""


class Form(StrEnum):
    """jsonl: a line of JSON for each call. md: Markdown, to read."""

    jsonl = "jsonl"
    md = "md"


@contextmanager
def _records() -> Iterator[Records]:
    records = Records.opened(default_path())
    try:
        yield records
    except sqlite3.Error as error:
        raise ConfigError(
            f"{records.path}: {error}: if another program uses the file, try again when it is "
            "done; if it is damaged, move it away"
        ) from error
    finally:
        records.close()


@transcripts.callback(invoke_without_command=True)
def listed_by_default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_calls()


@transcripts.command("list")
def list_calls(limit: Annotated[int, typer.Option(help="How many.", min=1, max=MOST)] = 20) -> None:
    """The calls, newest first: id, begin, length, persona, caller, how it ended."""
    with _records() as records:
        calls = records.calls(limit)
        if not calls:
            others = "`serve` records, `demo` and `chat` do not"
            show(f"no calls are recorded in {records.path}: {others}")
        for call in calls:
            show(
                f"{call.id}  {_clock(call.started, day=True)}  {_length(call):>7}  {call.persona}",
                f"  {call.caller}" if call.caller else "",
                (f"  {call.reason or 'not ended'}", "dim"),
            )


@transcripts.command("show")
def show_call(call: Annotated[str, typer.Argument(help="A call's id.")]) -> None:
    """Print one call: words, and tools with their arguments and results."""
    with _records() as records:
        found = _find(records, call)
        show((_title(found), "bold"))
        show((_facts(found), "dim"))
        for item in records.items(found.id):
            mark = " (interrupted)" if _is_cut(item) else ""
            when = (f"{_clock(item.created)}  ", "dim")
            show(when, (f"{item.kind:<10} ", "bold"), _words(item), mark)


@transcripts.command()
def export(
    calls: Annotated[list[str] | None, typer.Argument(help="Ids; none: all calls.")] = None,
    form: Annotated[Form, typer.Option("--format", "-f", help="jsonl or md.")] = Form.jsonl,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file, readable by you alone.")
    ] = None,
) -> None:
    """Write calls as JSON lines or Markdown, the oldest first."""
    with _records() as records:
        chosen = [_find(records, one) for one in calls] if calls else records.calls()[::-1]
        write = _as_json if form is Form.jsonl else _as_markdown
        with _sink(output) as sink:
            for call in chosen:
                print(write(call, list(records.items(call.id))), file=sink)
    if output is not None:
        show(f"{output}: {counted(len(chosen), 'call')}")


@transcripts.command()
def delete(
    calls: Annotated[list[str] | None, typer.Argument(help="Ids of calls.")] = None,
    older_than: Annotated[
        float | None,
        typer.Option(parser=days, metavar="AGE", help="Those that ended 30d, 12h ago."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All calls.")] = False,
) -> None:
    """Delete calls for good: what is deleted is overwritten on the disk."""
    if (bool(calls) + (older_than is not None) + every) != 1:
        raise ConfigError("say which calls: their ids, --older-than 30d, or --all")
    with _records() as records:
        if older_than is not None:
            gone = records.delete_before(time.time() - older_than * DAY_S)
        else:
            ids = [call.id for call in records.calls()] if every else calls or []
            gone = records.delete([_find(records, one).id for one in ids])
    show(f"{counted(gone, 'call')} deleted")


# -- forms -------------------------------------------------------------------------------


def _find(records: Records, session_id: str) -> StoredCall:
    found = records.call(plain(session_id))  # what a terminal may send is no text for SQLite
    if found is None:
        raise ConfigError(f"there is no call {session_id!r}; `omni-agent transcripts` lists them")
    return found


def _as_json(call: StoredCall, items: list[StoredItem]) -> str:
    """One line: the call and its items, times in ISO 8601."""
    whole: dict[str, Any] = {
        "id": call.id,
        "persona": call.persona,
        "caller": call.caller,
        "started": _iso(call.started),
        "ended": None if call.ended is None else _iso(call.ended),
        "seconds": call.seconds,
        "reason": call.reason,
        "items": [
            {"id": item.id, "at": _iso(item.created), "kind": item.kind, **item.body}
            for item in items
        ],
    }
    return json.dumps(_finite(whole), allow_nan=False)


def _finite(value: Any) -> Any:
    """With NaN and infinity, which JSON does not have, as words: a tool may answer with them."""
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case dict():
            return {name: _finite(one) for name, one in value.items()}
        case list():
            return [_finite(one) for one in value]
        case _:
            return value


def _as_markdown(call: StoredCall, items: list[StoredItem]) -> str:
    lines = [f"# {_title(call)}", "", _facts(call), ""]
    for item in items:
        mark = " *(interrupted)*" if _is_cut(item) else ""
        words = _words(item).replace("\n", "\n> ")
        lines += [f"**{item.kind}** {_clock(item.created)}{mark}", "", f"> {words}", ""]
    return plain("\n".join(lines))


def _words(item: StoredItem) -> str:
    """What was said, or what a tool was asked or answered."""
    body = item.body
    match item.kind:
        case "call":
            return f"{body.get('name')}({json.dumps(body.get('arguments'), ensure_ascii=False)})"
        case "result":
            return f"{'' if body.get('ok', True) else 'failed: '}{body.get('output', '')}"
        case _:
            return UNHEARD if _is_unheard(item) else str(body.get("text", ""))


def _is_unheard(item: StoredItem) -> bool:
    """Whether it was interrupted before its first word."""
    return _is_interrupted(item) and not str(item.body.get("text", "")).strip()


def _is_interrupted(item: StoredItem) -> bool:
    return bool(item.body.get("interrupted"))


def _is_cut(item: StoredItem) -> bool:
    """Whether it was interrupted after its first words."""
    return _is_interrupted(item) and not _is_unheard(item)


def _title(call: StoredCall) -> str:
    return f"{call.id}, {_clock(call.started, day=True)}"


def _facts(call: StoredCall) -> str:
    facts = [call.persona, f"caller {call.caller}" if call.caller else "", _length(call)]
    return ", ".join([fact for fact in facts if fact] + [call.reason or "not ended"])


def _length(call: StoredCall) -> str:
    return "" if call.seconds is None else f"{call.seconds:.0f} s"


def _clock(at: float, *, day: bool = False) -> str:
    """Local time."""
    return datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M:%S" if day else "%H:%M:%S")


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec="milliseconds")


@contextmanager
def _sink(output: Path | None) -> Iterator[TextIO]:
    """Where exported lines go: a private file, or standard output."""
    if output is None:
        yield sys.stdout
        return
    try:
        handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        if stat.S_ISREG(os.fstat(handle).st_mode):  # one that was there had a mode of its own
            output.chmod(0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written: {error.strerror}") from error
