"""A plugin's manners, which may do anything."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from omni_agent import Manners, Persona, Wishes, hookimpl
from omni_agent.hearing.manners import WordManners, manners_in
from omni_agent.hearing.words import Words
from omni_agent.registry.manners import ContainedManners
from omni_agent.registry.registry import Registry

PERSONA = Persona(name="x", language="de")


class Pirates:
    """A plugin for whom "arr" is a listening noise, in German and to nobody else."""

    @hookimpl
    def manners(self, persona: Persona) -> WordManners | None:
        return WordManners(Words(hums=("a+rr+",))) if persona.language == "de" else None


class Bavarian:
    """Knows a goodbye more than the language has, and nothing else."""

    def __init__(self, own: Manners) -> None:
        self._own = own

    def is_farewell(self, text: str, after: str = "") -> bool:
        return "habedere" in text.lower() or self._own.is_farewell(text, after)


def test_a_plugin_s_manners_are_the_persona_s_where_it_has_some() -> None:
    registry = Registry([Pirates()], discover=False)
    assert registry.outfit(PERSONA).manners.is_backchannel("Arrr!")
    assert not registry.outfit(PERSONA).manners.is_backchannel("Ach so.")
    english = registry.outfit(Persona(name="y")).manners
    assert english is manners_in("en")


def test_another_language_that_a_caller_wishes_for_has_its_own_words() -> None:
    outfit = Registry([Pirates()], discover=False).outfit(PERSONA)
    assert outfit.wishing(Wishes(voice="ann")).manners.is_hum("arr")
    assert outfit.wishing(Wishes(language="fr")).manners is manners_in("fr")


def test_the_first_plugin_s_are_used() -> None:
    class Others:
        @hookimpl
        def manners(self) -> WordManners:
            return WordManners(Words(hums=("oink",)))

    registry = Registry([Pirates(), Others()], discover=False)
    assert not registry.outfit(PERSONA).manners.is_hum("oink")
    assert registry.outfit(Persona(name="y")).manners.is_hum("oink")


def answering(answer: Callable[[Manners], Any]) -> Registry:
    """With a plugin whose manners these are."""
    plugin = SimpleNamespace(__name__="odd", manners=hookimpl(lambda own: answer(own)))
    return Registry([plugin], discover=False)


def test_what_a_plugin_s_do_not_tell_the_language_s_words_do() -> None:
    registry = answering(Bavarian)
    manners = registry.outfit(PERSONA).manners
    assert manners.is_farewell("Habedere!")
    assert manners.is_farewell("Tschüss.")
    assert not manners.is_farewell("Hallo.")
    assert manners.is_backchannel("Ach so.")
    assert manners.consents("Ja, bitte.") is True
    assert manners.consents("Nein.") is False
    assert registry.problems == ()


def test_what_tells_nothing_is_named_and_the_language_s_words_hold() -> None:
    registry = answering(lambda own: object())
    assert registry.outfit(PERSONA).manners is manners_in("de")
    (problem,) = registry.problems
    assert "which has none of is_backchannel, is_patience" in str(problem)


def raising() -> bool:
    raise SystemExit(3)


@pytest.mark.parametrize("told", [raising, lambda: None, lambda: "yes"])
def test_where_a_plugin_s_fail_the_language_s_words_decide(told: Callable[[], Any]) -> None:
    class Odd:
        def __getattr__(self, name: str) -> Callable[..., Any]:
            return lambda *about: told() if name != "consents" else "maybe"

    failures: list[BaseException] = []
    manners: Any = ContainedManners(Odd(), manners_in("de"), failures.append)
    assert manners.is_backchannel("Ach so.") is True
    assert manners.is_hum("Hallo") is False
    assert manners.is_patience("Okay.") is True
    assert manners.is_command("Halt!") is True
    assert manners.is_unfinished("Ich möchte gern") is True
    assert manners.is_question("Was?") is True
    assert manners.is_farewell("Tschüss.", "") is True
    assert manners.consents("Ja, bitte.") is True
    assert len(failures) == 8
