"""The examples are run, not only shown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from omni_agent import Agent, Persona
from omni_agent.call import Stages
from omni_agent.errors import ConfigError
from omni_agent.persona import load
from omni_agent.registry import Registry
from omni_agent.testing import ScriptedEars, ScriptedTalker, ScriptedThinker, rehearse, virtual_time

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(autouse=True)
def examples_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.syspath_prepend(str(EXAMPLES / "omni_agent_dice"))


def test_hello_is_under_ten_lines_of_code_and_makes_an_agent() -> None:
    code = [line for line in (EXAMPLES / "hello.py").read_text().splitlines() if line.strip()]
    assert len([line for line in code if not line.startswith('"""')]) < 10
    import hello

    assert "order_status" in Agent(tools=[hello.order_status]).wardrobe.outfit(None).tools


@pytest.mark.parametrize("tests", ["test_conversation.py", "omni_agent_dice/tests/test_dice.py"])
def test_the_example_tests_pass_as_their_docstrings_say(tests: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"examples/{tests}"]
    done = subprocess.run(command, cwd=EXAMPLES.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_custom_persona_is_valid_and_its_tools_exist() -> None:
    persona = load(EXAMPLES / "custom_persona" / "pirate.md")
    outfit = Registry().outfit(persona)
    assert "set_timer" in outfit.tools
    assert "pirate" in persona.thinker


@virtual_time
async def test_the_secret_is_thought_of_and_never_voiced() -> None:
    import secret_filter

    registry = Registry([secret_filter.KeepsSecrets()], discover=False)
    outfit = registry.outfit(secret_filter.PORTER)
    for said in (
        ["The code is 4711, ", "sir."],
        ["It is 4", "7", "11", "."],
        ["4-7-1", "-1 it is"],
    ):
        thinker = ScriptedThinker(said)
        async with rehearse(thinker, persona=Persona(name="p"), filters=outfit.filters) as stage:
            await stage.user("What is the code, please?")
            heard = await stage.agent()
            assert "a secret" in heard
            assert "47" not in heard


def scripted(**options: object) -> Agent:
    stages = Stages(ScriptedThinker(), ScriptedTalker(), ScriptedEars())
    return Agent(stages=stages, **options)  # type: ignore[arg-type]  # options of Agent, passed through


def test_the_agent_can_be_mounted_in_an_application() -> None:
    import mounted

    with TestClient(mounted.create_app(scripted()), base_url="http://localhost") as client:
        assert "Your application" in client.get("/").text
        assert "<!doctype html>" in client.get("/voice/").text.lower()
        assert client.get("/voice/healthz").status_code == 200
        assert len(client.get("/voice/v1/personas").json()) >= 1


def test_an_agent_says_at_once_which_persona_it_does_not_know() -> None:
    with pytest.raises(Exception, match="no such persona") as caught:
        Agent("nobody")
    assert isinstance(caught.value, ConfigError)
