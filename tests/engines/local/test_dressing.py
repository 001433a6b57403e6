"""Which persona a request is for, and what is only read beside it."""

from __future__ import annotations

from omni_agent.conversation import assistant, user
from omni_agent.engines.local.dressing import Dressing
from omni_agent.thinker import ThinkRequest, ToolSchema

TOOL = ToolSchema("look", "Look it up.", {"type": "object", "properties": {}})
KIND, FOUND = "Be kind.", "It is in the cellar."


def opening(instructions: str = KIND, *tools: ToolSchema) -> ThinkRequest:
    return ThinkRequest(instructions, (), tools)


def asked(instructions: str = KIND, *tools: ToolSchema) -> ThinkRequest:
    return ThinkRequest(instructions, (user("Where is it?"),), tools)


def test_text_that_was_found_for_a_turn_leaves_the_personas_prompt_as_it_was() -> None:
    dressing = Dressing()
    persona, beside = dressing.of(opening())
    assert beside == ""
    for found in (FOUND, "It is gone.", f"{FOUND}\n\nReally."):
        assert dressing.of(asked(f"{KIND}\n\n{found}")) == (persona, found)
    assert dressing.of(asked()) == (persona, "")


def test_a_persona_that_goes_on_from_another_is_itself_once_it_was_read_without_words() -> None:
    dressing = Dressing()
    short, _ = dressing.of(opening())
    longer = f"{KIND}\n\nAnd brief."
    assert dressing.of(asked(longer)) == (short, "And brief.")
    read, beside = dressing.of(ThinkRequest(longer, (user("Hi."), assistant("Hello."))))
    assert (read.instructions, read.lasting, beside) == (longer, True, "")
    assert dressing.of(asked(longer)) == (read, "")
    assert dressing.of(asked(f"{longer}\n\n{FOUND}")) == (read, FOUND)
    assert dressing.of(asked("Be kinder.\n\nAnd brief."))[1] == ""


def test_only_what_was_read_without_a_users_words_is_worth_keeping() -> None:
    dressing = Dressing()
    first, _ = dressing.of(asked(f"{KIND}\n\n{FOUND}"))
    assert not first.lasting
    assert dressing.of(opening())[0].lasting


def test_a_reply_without_tools_keeps_the_prompt_that_has_them() -> None:
    dressing = Dressing()
    with_tools, _ = dressing.of(opening(KIND, TOOL))
    assert dressing.of(asked())[0] == with_tools
    assert dressing.of(asked(f"{KIND}\n\n{FOUND}")) == (with_tools, FOUND)


def test_only_so_many_are_remembered_and_those_in_use_longest() -> None:
    dressing = Dressing()
    dressing.of(opening())
    for number in range(40):
        dressing.of(asked(f"{KIND}\n\n{FOUND}"))
        dressing.of(opening(f"Persona {number}."))
    assert len(dressing._seen) == 16
    assert dressing.of(asked(f"{KIND}\n\n{FOUND}"))[1] == FOUND
