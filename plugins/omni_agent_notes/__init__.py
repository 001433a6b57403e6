"""Notes a voice agent keeps for its user, between calls too."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from omni_agent import Panel, PanelRow, Tool, ToolContext, ToolError, hookimpl, tool
from omni_agent_notes.notebook import Note, Notebook, NotesProblem

log = logging.getLogger(__name__)

_SPOKEN = 5
_SHOWN = 30


@tool(
    examples={
        "Write down that the spare key is under the mat.": {
            "text": "The spare key is under the mat"
        },
        "Remember that Anna likes tea.": {"text": "Anna likes tea"},
    }
)
def add_note(text: str, call: ToolContext) -> str:
    """Make a note, only when the user asks to write down or remember. text: what to write"""
    notebook = _notebook(call)
    try:
        notebook.add(text)
    except NotesProblem as problem:
        raise ToolError(str(problem)) from problem
    _show(notebook, call)
    return "I wrote that down."


@tool(
    examples={
        "Read my notes.": {},
        "What did I note about the key?": {"about": "key"},
    }
)
def read_notes(call: ToolContext, about: str = "") -> str:
    """Read the user's notes. about: only notes with this word"""
    try:
        notebook = _notebook(call)
        found = notebook.find(about)
        _show(notebook, call)
    except NotesProblem as problem:
        raise ToolError(str(problem)) from problem
    if not found:
        return (
            f"There is no note about {about.strip()}." if about.strip() else "There are no notes."
        )
    count = len(found)
    lines = [_sentence(note.text) for note in found[:_SPOKEN]]
    head = "There is one note:" if count == 1 else f"There are {count} notes:"
    if count > _SPOKEN:
        head = f"There are {count} notes. The latest {_SPOKEN} are:"
    return " ".join([head, *lines])


@tool(examples={"Delete the note about milk.": {"about": "milk"}})
def delete_note(about: str, call: ToolContext) -> str:
    """Delete one note. about: a word of the note, or last"""
    try:
        notebook = _notebook(call)
        note = _meant(notebook, about)
        notebook.delete(note.id)
        _show(notebook, call)
    except NotesProblem as problem:
        raise ToolError(str(problem)) from problem
    return f"Deleted: {_sentence(note.text)}"


@hookimpl
def register_tools() -> Sequence[Tool]:
    return [add_note, read_notes, delete_note]


def _notebook(call: ToolContext) -> Notebook:
    """The caller's, where it is now: the environment may differ from call to call in tests."""
    return Notebook(caller=call.caller)


def _meant(notebook: Notebook, about: str) -> Note:
    """The one note a user means; a ToolError that asks when it is not clear."""
    wanted = about.strip().lower().removeprefix("the ").removesuffix(" note").strip()
    found = notebook.find("") if wanted in ("last", "latest", "newest") else notebook.find(about)
    if wanted in ("last", "latest", "newest"):
        found = found[:1]
    if not about.strip():
        raise ToolError("Which note should I delete?")
    if not found:
        raise ToolError(f"There is no note about {about.strip()}.")
    if len(found) > 1:
        texts = " ".join(_sentence(note.text) for note in found[:_SPOKEN])
        raise ToolError(f"Which one of {len(found)}? {texts}")
    return found[0]


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _show(notebook: Notebook, call: ToolContext) -> None:
    """What was done is done, whether or not it can be shown."""
    try:
        notes = notebook.find("")
    except NotesProblem as problem:
        log.warning("the notes cannot be shown: %s", problem)
        return
    rows = [
        PanelRow(label=f"{note.written:%d %b, %H:%M}", value=note.text) for note in notes[:_SHOWN]
    ]
    call.show("notes", Panel(title="Notes", rows=rows, empty="No notes yet."))
