"""Taking turns in each language."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass

import pytest

from omni_agent.hearing.manners import LONGEST, manners_in
from omni_agent.hearing.words import Words, languages, words_in
from omni_agent.turn_taking import Manners
from tests.hearing.said import SAID

each_language = pytest.mark.parametrize("language", SAID)


def said(language: str, *kinds: str) -> tuple[Manners, Sequence[str]]:
    """A language's manners, and what is said in it."""
    texts = [text for kind in kinds for text in getattr(SAID[language], kind)]
    assert texts
    return manners_in(language), texts


def test_every_language_is_tried_here() -> None:
    assert set(SAID) == set(languages())


@each_language
def test_a_listening_noise_is_no_turn(language: str) -> None:
    manners, texts = said(language, "noises")
    assert not [text for text in texts if not manners.is_backchannel(text)]


@each_language
def test_what_wants_the_turn_is_no_listening_noise(language: str) -> None:
    manners, texts = said(language, "turns", "commands", "unfinished")
    assert not [text for text in texts if manners.is_backchannel(text)]


@each_language
def test_who_will_wait_says_so_in_words_that_are_no_answer(language: str) -> None:
    manners, texts = said(language, "patience")
    assert not [text for text in texts if not manners.is_patience(text)]


@each_language
def test_a_command_stops_the_agent(language: str) -> None:
    manners, texts = said(language, "commands")
    assert not [text for text in texts if not manners.is_command(text)]


@each_language
def test_anything_else_is_no_command(language: str) -> None:
    manners, texts = said(language, "noises", "finished", "farewells")
    assert not [text for text in texts if manners.is_command(text)]


@each_language
def test_a_sentence_that_hangs_is_unfinished(language: str) -> None:
    manners, texts = said(language, "unfinished")
    assert not [text for text in texts if not manners.is_unfinished(text)]


@each_language
def test_a_whole_sentence_is_not(language: str) -> None:
    manners, texts = said(language, "finished", "noises", "commands", "farewells", "yes", "no")
    assert not [text for text in texts if manners.is_unfinished(text)]


@each_language
def test_a_goodbye_is_a_farewell(language: str) -> None:
    manners, texts = said(language, "farewells")
    assert not [text for text in texts if not manners.is_farewell(text)]


@each_language
def test_what_only_has_a_goodbye_in_it_is_none(language: str) -> None:
    manners, texts = said(language, "no_farewells", "finished", "noises", "yes", "no", "neither")
    assert not [text for text in texts if manners.is_farewell(text)]


@each_language
def test_a_goodbye_may_be_the_word_that_was_asked_for(language: str) -> None:
    manners, told = manners_in(language), SAID[language]
    assert not manners.is_farewell(told.word, told.asks_for_the_word)
    assert manners.is_farewell(told.word, told.offers)


@each_language
def test_a_yes_consents(language: str) -> None:
    manners, texts = said(language, "yes")
    assert not [text for text in texts if manners.consents(text) is not True]


@each_language
def test_a_no_does_not(language: str) -> None:
    manners, texts = said(language, "no")
    assert not [text for text in texts if manners.consents(text) is not False]


@each_language
def test_what_has_a_condition_or_asks_back_is_neither(language: str) -> None:
    manners, texts = said(language, "neither", "unfinished")
    assert not [text for text in texts if manners.consents(text) is not None]


@pytest.mark.parametrize(
    ("language", "asked", "answer"),
    [
        ("de", "Bis wann brauchen Sie das Zimmer?", "Bis Montag."),
        ("es", "¿Hasta cuándo necesita la habitación?", "Hasta mañana."),
        ("fr", "C'est pour quand ?", "À demain."),
        ("it", "Quando vuole spostarlo?", "A domani."),
        ("pt", "Até quando precisa do quarto?", "Até amanhã."),
    ],
)
def test_a_goodbye_may_be_the_day_that_was_asked_for(
    language: str, asked: str, answer: str
) -> None:
    manners = manners_in(language)
    assert not manners.is_farewell(answer, asked)
    assert manners.is_farewell(answer, SAID[language].offers)


def test_a_question_without_a_mark_is_known_where_it_has_a_word() -> None:
    assert manners_in("ja").is_question("ご予約は何名様ですか。")
    assert not manners_in("ja").is_question("予約しました。")
    assert manners_in("zh").is_question("您要订几位的呢。")
    assert manners_in("es").is_question("¿Lo reservo?")


@pytest.mark.parametrize(
    ("tag", "language"),
    [("pt-BR", "pt"), ("EN", "en"), ("zh-Hant-TW", "zh"), ("cmn-Hans", "zh"), ("de_AT", "de")],
)
def test_a_region_makes_no_difference(tag: str, language: str) -> None:
    assert words_in(tag) is words_in(language)
    assert manners_in(tag).is_backchannel("okay")


def test_tags_that_clients_make_up_are_not_kept() -> None:
    made_up = {id(manners_in(f"x{number}-{number}")) for number in range(100)}
    assert len(made_up) == 1
    assert manners_in("de-AT") is manners_in("de-x-anything")


def test_a_language_without_words_has_its_marks_still() -> None:
    manners = manners_in("tlh")
    assert words_in("tlh") is None
    assert manners.is_unfinished("HIja',")
    assert manners.is_question("nuqneH?")
    assert not manners.is_backchannel("mm-hm")
    assert not manners.is_farewell("Goodbye.")
    assert manners.consents("HIja'") is None


def patterns(words: object) -> Iterator[str]:
    assert is_dataclass(words)
    for field in fields(words):
        value = getattr(words, field.name)
        if isinstance(value, tuple):
            yield from value
        elif is_dataclass(value):
            yield from patterns(value)


def interrupted(*_: object) -> None:
    raise AssertionError("it does not return")


@pytest.fixture
def bounded() -> Iterator[None]:
    """Ends a test that would go on for years, as patterns do that can be read in two ways."""
    before = signal.signal(signal.SIGALRM, interrupted)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("bounded")
@each_language
def test_no_repetition_of_a_word_holds_the_caller_up(language: str) -> None:
    manners, words = manners_in(language), words_in(language)
    assert isinstance(words, Words)
    known = {word for pattern in patterns(words) for word in re.findall(r"[^\W\d_]+", pattern)}
    for word in sorted(known):
        for gap in ("", " ", ", "):
            text = ((word + gap) * LONGEST)[: LONGEST - 1] + "§"
            assert not manners.is_backchannel(text)
            assert manners.consents(text) is None
            for tell in (manners.is_command, manners.is_unfinished, manners.is_farewell):
                tell(text)
