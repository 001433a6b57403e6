"""What a persona goes without is said before anybody talks to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from omni_agent import Persona, hookimpl, tool
from omni_agent.engine import Engine, StageName, StageOptions
from omni_agent.errors import ConfigError, UnknownPartError
from omni_agent.hearing.manners import manners_in
from omni_agent.persona import TurnTaking
from omni_agent.personas.outfit import Outfit
from omni_agent.registry.fitting import foreseen, objections
from omni_agent.registry.registry import Registry
from omni_agent.stages import Stages
from omni_agent.talker import Voice
from omni_agent.testing import ScriptedEars, ScriptedTalker, ScriptedThinker, ScriptedTurnEnd

HEARING = Stages(ScriptedThinker(), ScriptedTalker(), ScriptedEars())
TYPED_TO = Stages(ScriptedThinker(), ScriptedTalker())


def outfit(language: str = "en", end: str = "words") -> Outfit:
    persona = Persona(name="Test", language=language, turn=TurnTaking(end=end))
    return Outfit(persona, {}, ())


@pytest.mark.parametrize("language", ["en", "de-AT", "es", "fr", "it", "pt-BR", "zh-Hant", "ja"])
def test_these_languages_have_words(language: str) -> None:
    assert not objections(HEARING, outfit(language))


def test_a_language_without_words_is_named_with_what_is_missing_and_those_that_have_some() -> None:
    (said,) = objections(HEARING, outfit("sv"))
    assert "'sv' has no words for taking turns" in said
    assert "a goodbye does not end the call" in said
    assert said.endswith("there are words for de, en, es, fr, it, ja, pt, zh")


def test_who_is_only_typed_to_needs_no_words() -> None:
    assert not objections(TYPED_TO, outfit("sv", end="nobody-s"))


def parrots(objections: Callable[[StageName, StageOptions, Voice], Sequence[str]]) -> Registry:
    async def start(options: StageOptions) -> Any:
        raise AssertionError("nothing is started")

    parrot = Engine("parrot", talker=start, ears=start, objections=objections)
    plugin = SimpleNamespace(register_engines=hookimpl(lambda: [parrot]))
    return Registry([plugin], discover=False)


def test_what_an_engine_will_not_do_is_known_before_it_is_started() -> None:
    def objections(stage: StageName, options: StageOptions, voice: Voice) -> list[str]:
        return [f"no {voice.language} {options.engine}"] if stage == "talker" else []

    engines = parrots(objections).engines
    lineup = engines.lineup({"talker": "parrot", "ears": "parrot"}, StageOptions())
    unable, wordless = foreseen(engines, lineup, outfit("sv"))
    assert unable == "no sv parrot"
    assert "'sv' has no words for taking turns" in wordless
    assert foreseen(engines, lineup, outfit()) == ["no en parrot"]


def test_a_persona_that_an_engine_cannot_hear_is_an_error_before_it_is_started() -> None:
    def objections(stage: StageName, options: StageOptions, voice: Voice) -> list[str]:
        raise ConfigError("these ears are deaf")

    engines = parrots(objections).engines
    with pytest.raises(ConfigError, match="persona 'Test': these ears are deaf"):
        foreseen(engines, engines.lineup({"ears": "parrot"}, StageOptions()), outfit("sv"))


def test_an_engine_that_fails_to_say_what_it_will_not_do_is_named_and_used_all_the_same() -> None:
    def objections(stage: StageName, options: StageOptions, voice: Voice) -> list[str]:
        raise RuntimeError("who knows")

    registry = parrots(objections)
    lineup = registry.engines.lineup({"talker": "parrot"}, StageOptions())
    assert not foreseen(registry.engines, lineup, outfit())
    (problem,) = registry.problems
    assert "who knows" in problem.reason


@tool(approval="Shall I open the door?")
def open_door() -> str:
    """Opens the door."""
    return "open"


@pytest.mark.parametrize("stages", [HEARING, TYPED_TO])
def test_that_no_yes_is_understood_there_is_said_of_the_tools_that_need_one(stages: Stages) -> None:
    swedish = replace(outfit("sv"), tools={"open_door": open_door})
    (said,) = objections(stages, swedish)
    assert "tools with an approval (open_door), and what tools ask(), are always refused" in said
    assert not objections(stages, replace(swedish, persona=outfit("de").persona))


def test_that_no_yes_is_understood_there_is_said_to_whose_tools_may_ask() -> None:
    (said,) = objections(HEARING, outfit("sv"))
    assert "no yes is understood" in said


def test_a_plugin_s_manners_are_words_enough() -> None:
    persona = Persona(name="Test", language="sv")
    assert not objections(HEARING, Outfit(persona, {}, (), own_manners=manners_in("en")))


def test_of_a_plugin_that_tells_some_of_it_the_rest_is_missing() -> None:
    class Farewells:
        def is_farewell(self, text: str, after: str = "") -> bool:
            return text == "Hej då."

    registry = Registry([SimpleNamespace(manners=hookimpl(lambda: Farewells()))], discover=False)
    outfit = registry.outfit(Persona(name="Test", language="sv"))
    assert (outfit.tells("is_farewell"), outfit.tells("consents")) == (True, False)
    (said,) = objections(HEARING, outfit)
    assert "a goodbye" not in said
    assert "a listening noise over the agent stops it" in said
    assert "no yes is understood" in said


def test_an_end_of_turn_that_does_not_run_is_an_error_and_one_that_does_is_none() -> None:
    with pytest.raises(UnknownPartError, match=r"'keen' is not running: .* or write words"):
        objections(HEARING, outfit(end="keen"))
    running = Stages(
        ScriptedThinker(), ScriptedTalker(), ScriptedEars(), {"keen": ScriptedTurnEnd(0.9)}
    )
    assert not objections(running, outfit(end="keen"))


class Picky(ScriptedTalker):
    """Says this of a voice, or fails at it."""

    def __init__(self, said: Any) -> None:
        super().__init__()
        self._said = said

    def objections(self, voice: Voice) -> Any:
        if isinstance(self._said, BaseException):
            raise self._said
        return self._said


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (["no whispering", "no song"], ["no whispering", "no song"]),
        ("no whispering", ["no whispering"]),
        (None, []),
        (SystemExit(3), []),
        (RuntimeError("bug"), []),
    ],
)
def test_a_talker_that_cannot_say_what_it_lacks_is_used_all_the_same(
    said: Any, told: Sequence[str]
) -> None:
    stages = Stages(ScriptedThinker(), Picky(said), ScriptedEars())
    assert objections(stages, outfit()) == told
