"""The examples are run, not only shown."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from omni_agent import Agent, Persona
from omni_agent.errors import ConfigError
from omni_agent.personas.files import load
from omni_agent.registry.registry import Registry
from omni_agent.stages import Stages
from omni_agent.testing import ScriptedEars, ScriptedTalker, ScriptedThinker, rehearse, virtual_time
from omni_agent.text import compose

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(autouse=True)
def examples_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    for package in ("omni_agent_dice", "omni_agent_library"):
        monkeypatch.syspath_prepend(str(EXAMPLES / package))


def test_hello_is_under_ten_lines_of_code_and_makes_an_agent() -> None:
    code = [line for line in (EXAMPLES / "hello.py").read_text().splitlines() if line.strip()]
    assert len([line for line in code if not line.startswith('"""')]) < 10
    import hello

    assert "order_status" in Agent(tools=[hello.order_status]).wardrobe.outfit(None).tools


@pytest.mark.parametrize(
    "tests",
    [
        "test_conversation.py", "omni_agent_dice/tests/test_dice.py",
        "omni_agent_library/tests/test_library.py",
    ],
)  # fmt: skip
def test_the_example_tests_pass_as_their_docstrings_say(tests: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"examples/{tests}"]
    done = subprocess.run(command, cwd=EXAMPLES.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_custom_persona_is_valid_and_its_tools_exist() -> None:
    persona = load(EXAMPLES / "custom_persona" / "pirate.md")
    outfit = Registry().outfit(persona)
    assert "set_timer" in outfit.tools
    assert "pirate" in persona.thinker


async def filtered(text: str, size: int) -> str:
    """What the example lets past when the text comes in pieces of this size."""
    import secret_filter

    registry = Registry([secret_filter.KeepsSecrets()], discover=False)
    filters = registry.outfit(secret_filter.PORTER).filters

    async def pieces() -> AsyncIterator[str]:
        for at in range(0, len(text), size):
            yield text[at : at + size]

    return "".join([piece async for piece in compose(pieces(), filters)])


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    "code",
    [
        "4711", "4 7 1 1", "4-7-1-1", "47 11", "4,711", "**4** **7** **1** **1**",
        "four seven one one", "Four, seven, one, one", "four-seven-one-one",
        "four. Seven. One. One", "four, then seven, then one, and one", "4 seven 1 one",
        "four seven double one", "forty-seven eleven", "fourty seven one one",
        "four thousand seven hundred and eleven", "forty-seven hundred and eleven",
    ],
)  # fmt: skip
async def test_the_secret_is_never_voiced_however_it_is_said(code: str, size: int) -> None:
    heard = await filtered(f"The code of the door is {code} and that is all.", size)
    assert heard == "The code of the door is a secret and that is all."


@pytest.mark.parametrize(
    "said", ["In 1947, 11 people came.", "It is seven eleven.", "Four seven one two.", "47112"]
)
async def test_what_is_not_the_secret_is_voiced(said: str) -> None:
    assert await filtered(said, 1) == said


@virtual_time
async def test_the_secret_is_kept_in_a_call() -> None:
    import secret_filter

    registry = Registry([secret_filter.KeepsSecrets()], discover=False)
    outfit = registry.outfit(secret_filter.PORTER)
    thinker = ScriptedThinker(["The code is four seven ", "one one, sir."])
    async with rehearse(thinker, persona=Persona(name="p"), filters=outfit.filters) as stage:
        await stage.user("What is the code, please?")
        assert await stage.agent() == "The code is a secret, sir."


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
