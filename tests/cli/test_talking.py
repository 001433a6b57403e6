"""Calls in a terminal: how they end, and what is said where a model fails."""

from __future__ import annotations

import asyncio
import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from omni_agent import Agent, Persona
from omni_agent.audio import read_wav
from omni_agent.errors import EngineError
from omni_agent.registry.registry import Registry
from omni_agent.stages import Stages
from omni_agent.talker import MuteTalker, Talker
from omni_agent.testing import ScriptedEars, ScriptedTalker, ScriptedThinker, virtual_time
from tests.cli.conftest import Ran

Command = Callable[..., Ran]
calls = importlib.import_module("omni_agent.cli.talking")

PERSONA = Persona(name="Test", greeting="Hello.", goodbye="Goodbye.", fillers=())
FAILURE = EngineError("the model is gone")


def agent(talker: Talker, *answers: str) -> Agent:
    thinker = ScriptedThinker(*([answer] for answer in answers))
    return Agent(PERSONA, stages=Stages(thinker, talker, ScriptedEars()))


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """What is not typed in this test."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, never: threading.Event) -> list[str]:
    """Lines to be typed; behind the last one nobody types for long."""
    lines: list[str] = []

    def prompt() -> str:
        if not lines:
            never.wait(60)
        return lines.pop(0) if lines else ""

    monkeypatch.setattr(calls, "_prompt", prompt)
    return lines


async def held(call: Any) -> None:
    async with asyncio.timeout(3600):
        await call


@virtual_time
async def _chat(chatting: Agent) -> None:
    await held(calls._chat(chatting))


def test_a_chat_goes_on_until_nothing_is_typed(
    typed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    typed += ["Hi.", "Hi again.", ""]
    _chat(agent(MuteTalker(), "One.", "Two."))
    out, err = capsys.readouterr()
    assert out.split() == ["Hello.", "One.", "Two."]
    assert err == ""


def test_a_chat_ends_with_the_goodbye_and_says_so(
    typed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    typed += ["Hi.", "bye"]
    _chat(agent(MuteTalker(), "One."))
    out, err = capsys.readouterr()
    assert out.split() == ["Hello.", "One.", "Goodbye."]
    assert err == "\nthe call is over (goodbye)\n"


def test_what_is_no_text_is_read_as_far_as_it_is(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "make_agent", lambda *_, silent: agent(MuteTalker(), "One."))
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"caf\xe9?\n"), "utf-8"))
    status, out, err = command("chat")
    assert (status, err) == (0, "")
    assert out.split() == ["Hello.", ">", "One.", ">"]


def _demo(demonstrated: Agent, *said: str, output: Path) -> None:
    ears = demonstrated.stages.ears
    assert isinstance(ears, ScriptedEars)

    @virtual_time
    async def run() -> None:
        await held(calls._demo(demonstrated, [ears.say(text) for text in said], output))

    run()


def test_a_demonstration_that_is_told_goodbye_ends_with_what_was_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    thrice = ("Goodbye.", "Are you still there?", "Hello?")
    _demo(agent(ScriptedTalker()), *thrice, output=tmp_path / "reply.wav")
    out, err = capsys.readouterr()
    assert "the call is over (goodbye)" in err
    assert "still there" not in out
    assert read_wav(tmp_path / "reply.wav").seconds == pytest.approx(0.7, abs=0.1)


@pytest.mark.parametrize("talker", [MuteTalker(), ScriptedTalker(error=FAILURE)])
def test_a_demonstration_without_a_voice_says_that_nothing_was_voiced(
    talker: Talker, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match=r"nothing was voiced: there is no .*reply\.wav"):
        _demo(agent(talker, "One."), "Hello there.", output=tmp_path / "reply.wav")
    assert not (tmp_path / "reply.wav").exists()


def test_a_bug_beside_them_keeps_its_traceback(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends_with_a_bug() -> None:
        raise ExceptionGroup("in a call", [FAILURE, ZeroDivisionError("a bug")])

    monkeypatch.setattr("omni_agent.cli.app", ends_with_a_bug)
    monkeypatch.setattr(Registry, "extend_cli", lambda registry, app: None)
    with pytest.raises(ExceptionGroup) as failed:
        command("chat")
    assert failed.group_contains(ZeroDivisionError, match="a bug")
