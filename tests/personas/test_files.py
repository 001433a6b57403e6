"""Persona files: what is read, what is refused and on which line."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omni_agent.errors import PersonaError
from omni_agent.persona import Persona
from omni_agent.personas import files as personas
from omni_agent.personas.files import MAX_BYTES, PersonaFile, available, find, line_of, load

GOOD = """---
name: Concierge
voice: ethan            # a comment
language: no
tools: [clock, weather]
greeting: "Hello, front desk."
turn:
  patience_ms: 600
  backchannels: ignore
speech: {speed: 0.9, pause_ms: 200}
sampling: {temperature: 0.5}
---
Always polite.

# Thinker
You are the night concierge.

## Rules
Be brief.
```
# Talker
```
# Talker
Warm, unhurried.
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "concierge.md"


def read(path: Path, text: str | bytes) -> Persona:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path)


def test_a_persona_file_is_front_matter_and_two_prompts(path: Path) -> None:
    persona = read(path, GOOD)
    assert persona.name == "Concierge"
    assert persona.voice == "ethan"
    assert persona.language == "no"
    assert persona.tools == ("clock", "weather")
    assert persona.greeting == "Hello, front desk."
    assert persona.turn.patience_ms == 600
    assert persona.speech.speed == 0.9
    assert persona.sampling.temperature == 0.5
    assert persona.filters == ("no-markdown",)
    assert persona.thinker == (
        "Always polite.\n\nYou are the night concierge.\n\n## Rules\nBe brief.\n```\n# Talker\n```"
    )
    assert persona.talker == "Warm, unhurried."


def test_byte_order_marks_and_line_ends_of_any_system_are_read_alike(path: Path) -> None:
    expected = read(path, GOOD)
    assert read(path, b"\xef\xbb\xbf" + GOOD.encode()) == expected
    assert read(path, GOOD.replace("\n", "\r\n")) == expected
    assert read(path, GOOD.replace("\n", "\r")) == expected


def test_both_sections_are_optional_and_come_in_any_order(path: Path) -> None:
    assert read(path, "---\nname: A\n---").thinker == ""
    assert read(path, "---\nname: A\n---\nJust talk.").thinker == "Just talk."
    turned = read(path, "---\nname: A\n---\n# talker #\nSlow.\n#  THINKER\nThink.\n# Notes\nx")
    assert (turned.talker, turned.thinker) == ("Slow.", "Think.\n# Notes\nx")


def test_words_that_yaml_would_turn_into_something_else_stay_words(path: Path) -> None:
    persona = read(
        path, "---\nname: 007\nvoice: yes\ngreeting: 12:30\ndescription: 2026-99-99\n---"
    )
    assert (persona.name, persona.voice, persona.greeting) == ("007", "yes", "12:30")


def test_an_empty_value_is_the_same_as_none_where_none_is_allowed(path: Path) -> None:
    assert read(path, "---\nname: A\nvoice:\ngreeting: ~\n---").voice is None


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("---\nname: A\nvoce: x\n---", 3, "unknown key 'voce'; did you mean 'voice'?"),
        ("---\nname: A\nzzzz: x\n---", 3, "unknown key 'zzzz'; known are name, description"),
        (
            "---\nname: A\nturn:\n  patience: 5\n---",
            4,
            "unknown key 'turn.patience'; did you mean 'patience_ms'?",
        ),
        (
            "---\nname: A\n\n# c\nturn:\n\n  patience_ms: 5\n---",
            7,
            "turn.patience_ms: should be greater than or equal to 200, not '5'",
        ),
        ("---\nname: A\nturn: {patience_ms: soon}\n---", 3, "turn.patience_ms: should be a valid"),
        ("---\nname: A\nturn: 5\n---", 3, "turn: should be"),
        ("---\nvoice: x\n---", 1, "'name' is missing"),
        ("---\n---", 1, "'name' is missing"),
        ("---\n# nothing\n---", 1, "'name' is missing"),
        ("---\nname: ''\n---", 2, "name: should have at least 1 character"),
        ("---\nname: " + "a" * 81 + "\n---", 2, "name: should have at most 80 characters"),
        ("---\nname:\n---", 2, "name: should be a valid string, not nothing"),
        ("---\nname: A\ntools: clock\n---", 3, "tools: should be a list, such as [clock]"),
        ("---\nname: A\ntools:\n- clock\n- {a: b}\n---", 5, "tools: should be a valid string"),
        (
            "---\nname: A\nlanguage: klingonese!\n---",
            3,
            "language: should be a tag such as de or en-GB, not 'klingonese!'",
        ),
        ("---\nname: A\nname: B\n---", 3, "'name' is given twice"),
        ("---\nname: A\nthinker: x\n---", 3, "under '# Thinker'"),
        ("---\nname: A\n  bad: indent\n---", 3, "front matter: mapping values are not allowed"),
        (
            "---\nname: A\ngreeting: Hello: you\n---",
            3,
            "mapping values are not allowed here; a text with ': ' in it stands in quotes",
        ),
        ("---\nname: [A\n---", 2, "front matter: "),
        ("---\nname: \x07\n---", 2, "front matter: special characters are not allowed"),
        ("---\n- a\n- b\n---", 2, "front matter must be keys and values"),
        ("---\n? [a]\n: b\n---", 2, "a key must be a word"),
        ("---\nname: &a A\nvoice: *a\n---", 2, "anchors and aliases are not supported"),
        ("---\nname: !!python/name:os.system A\n---", 2, "YAML tags"),
        ("---\nname: A\nx: " + "[" * 5000 + "\n---", 3, "nested too deeply"),
        ("---\nname: A\nx: " + "y" * 8_000 + "\n---", 1, "front matter is over"),
        (
            "---\nname: A\nfillers: [" + "a, " * 33 + "]\n---",
            3,
            "fillers: should have at most 32 e",
        ),
        ("---\nname: A\ntools: [" + "a, " * 33 + "]\n---", 3, "tools: should have at most 32 e"),
        ('---\nname: "A\\nb"\n---', 2, "name: should be one line, without control characters"),
        ('---\nname: "\\e[31mA"\n---', 2, "name: should be one line"),
        ('---\nname: "\\u202eA"\n---', 2, "name: should be one line"),
        ("---\nname: A\ndescription: a\u2066b\n---", 3, "description: should be one line"),
        ("---\nname: A\ndescription: |\n  a\n  b\n---", 3, "description: should be one line"),
        ("name: A\n", 1, "begins with a line ---"),
        ("---\nname: A\n", 1, "not closed"),
        ("", 0, "is empty"),
        (" \n\n", 0, "is empty"),
        ("---\nname: A\n---\nx\n\0", 5, "is a binary file"),
        (b"---\nname: A\n---\n\xff\xfe", 4, "is not UTF-8"),
        (
            "---\nname: A\n---\n# Thinker\n\n# Talker\n# Thinker\n",
            7,
            "twice; the first is on line 4",
        ),
        (
            "---\nname: A\n---\n\n# Thniker\nx",
            5,
            "'# Thniker' is no section: did you mean '# Thinker'?",
        ),
        (
            "---\nname: A\nturn: {end: by ear}\n---\nx",
            3,
            "turn.end: should be words, or a name such as smart-turn, not 'by ear'",
        ),
        (b"x" * (MAX_BYTES + 1), 0, "is over 1 MB"),
    ],
)
def test_a_broken_file_gives_file_line_and_reason(
    path: Path, text: str | bytes, line: int, reason: str
) -> None:
    with pytest.raises(PersonaError) as caught:
        read(path, text)
    assert reason in caught.value.reason
    assert caught.value.line == line
    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}:{line}: " if line else f"{path}: ")


def test_all_problems_of_a_file_are_told_at_once(path: Path) -> None:
    text = "---\nvoce: x\nturn: {patience_ms: 1}\n---\n# Thinker\n# Talker\n# Talker\n"
    with pytest.raises(PersonaError) as caught:
        read(path, text)
    assert str(caught.value).splitlines() == [
        f"{path}:1: 'name' is missing",
        f"{path}:2: unknown key 'voce'; did you mean 'voice'?",
        f"{path}:3: turn.patience_ms: should be greater than or equal to 200, not '1'",
        f"{path}:7: '# Talker' is here twice; the first is on line 6",
    ]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("---\nname: A\n---\n" + "# Thinker\n" * 50_000, 49_999),
        ("---\nname: A\n" + "".join(f"k{n}: 1\n" for n in range(700)) + "---\n", 700),
    ],
    ids=["headings", "keys"],
)
def test_a_message_names_the_first_ten_problems(path: Path, text: str, problems: int) -> None:
    with pytest.raises(PersonaError) as caught:
        read(path, text)
    *told, more = str(caught.value).splitlines()
    assert len(told) == 10
    assert more == f"{path}: and {problems - 10} more"
    assert caught.value.line <= 5


def test_names_of_all_scripts_and_joined_emoji_are_printable(path: Path) -> None:
    for name in ("Zoë", "می‌خواهم", "שלום", "👩‍🚀 Ada", "प्रिया"):
        assert read(path, f"---\nname: {name}\ndescription: >\n  {name}\n---").name == name


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_what_is_no_regular_file_is_said_to_be_none(tmp_path: Path) -> None:
    pipe, device = tmp_path / "pipe.md", tmp_path / "device.md"
    os.mkfifo(pipe)
    device.symlink_to(os.devnull)
    for path in (pipe, device):
        for read_or_find in (load, find):
            with pytest.raises(PersonaError, match="is not a regular file"):
                read_or_find(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PersonaError, match="there is no such file"):
        load(tmp_path / "nope.md")
    with pytest.raises(PersonaError, match="is a folder"):
        load(tmp_path)


def test_the_line_of_any_key_can_be_asked_for(path: Path) -> None:
    read(path, GOOD)
    assert line_of(path, "tools", 1) == 5
    assert line_of(path, "turn", "patience_ms") == 8
    assert line_of(path, "turn", "nope") == 7
    assert line_of(path, "nope") == 1


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with one persona in ./personas and another elsewhere."""
    for place, name in (("personas", "here"), ("mine", "Own"), ("mine", "here")):
        (tmp_path / place).mkdir(exist_ok=True)
        (tmp_path / place / f"{name}.md").write_text(f"---\nname: {place}\n---")
    (tmp_path / "personas/README.md").write_text("not a persona")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_personas_are_found_by_name_in_several_folders(folder: Path) -> None:
    assert load(find("here")).name == "personas"
    assert load(find("HERE", [folder / "mine"])).name == "mine"
    assert find("own", [folder / "mine"]).name == "Own.md"
    assert find("mine/Own.md") == Path("mine/Own.md")
    assert set(available([folder / "mine"])) >= {"here", "Own"}
    assert "README" not in available()


def test_a_persona_that_is_not_there_is_answered_with_those_that_are(folder: Path) -> None:
    with pytest.raises(
        PersonaError, match=r"no such persona; did you mean 'here'\? known are .*here"
    ):
        find("hera")
    with pytest.raises(PersonaError, match="there is no such file"):
        find("elsewhere/x.md")
    with pytest.raises(PersonaError, match="no such persona"):
        find("")


def test_a_name_from_the_network_cannot_name_a_file(folder: Path) -> None:
    for name in ("mine/Own.md", "../secret.md", str(folder / "mine/Own.md"), "mine/Own"):
        with pytest.raises(PersonaError, match="no such persona"):
            find(name, paths=False)
    assert find("here", paths=False).stem == "here"


def test_a_changed_file_is_in_force_at_the_next_look(path: Path) -> None:
    path.write_text("---\nname: A\n---")
    file = PersonaFile(path)
    assert not file.reload_if_changed()
    path.write_text("---\nname: B\n---")
    assert file.reload_if_changed()
    assert file.persona.name == "B"
    assert not file.reload_if_changed()


def test_a_change_of_the_same_size_and_time_is_seen(path: Path) -> None:
    path.write_text("---\nname: A\n---")
    file, before = PersonaFile(path), path.stat()
    path.write_text("---\nname: B\n---")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.reload_if_changed()


def test_a_change_that_changes_nothing_is_none(path: Path) -> None:
    path.write_text("---\nname: A\n---")
    file = PersonaFile(path)
    path.write_text("---\nname: A # really\n---")
    assert not file.reload_if_changed()


def test_a_broken_new_version_keeps_the_old_one_and_is_reported_once(path: Path) -> None:
    path.write_text("---\nname: A\n---")
    file = PersonaFile(path)
    path.write_text("---\nnome: A\n---")
    with pytest.raises(PersonaError, match="nome"):
        file.reload_if_changed()
    assert file.persona.name == "A"
    assert not file.reload_if_changed()
    path.unlink()
    with pytest.raises(PersonaError, match="no such file"):
        file.reload_if_changed()
    assert not file.reload_if_changed()
    path.write_text("---\nname: A\n---")
    assert not file.reload_if_changed()
    path.write_text("---\nname: C\n---")
    assert file.reload_if_changed()


def test_the_schema_for_editors_accepts_what_is_accepted() -> None:
    schema = personas.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"name": "A", "turn": {"patience_ms": 300}, "tools": ["clock"]}, schema)
    assert {"thinker", "talker"}.isdisjoint(schema["properties"])
    for wrong in ({}, {"name": "A", "voce": "x"}, {"name": "A", "turn": {"patience_ms": 1}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


# fmt: off
pieces = st.sampled_from([
    "---", "---\n", "\n", "name: A\n", "name", ": ", "[", "]", "{", "}", "&a ", "*a", "!!str ",
    "'", '"', "|\n", "# Thinker\n", "# Talker\n", "turn:\n", "  patience_ms: 300\n", "\t", "- ",
    "? ", "```\n", "\r\n", "\ufeff", "\x85", "\u2028", "%YAML 9.9\n", "...\n", "tools: ", "#", "é",
])
# fmt: on


# A busy machine is no failure: no deadline, no health check of the clock.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.binary(max_size=200)
    | st.lists(pieces, max_size=25).map(lambda parts: "".join(parts).encode())
    | st.lists(pieces, max_size=12).map(
        lambda parts: ("---\nname: A\n" + "".join(parts) + "\n---\n").encode()
    )
)
def test_any_bytes_are_a_persona_or_a_persona_error(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "p.md")
        path.write_bytes(data)
        try:
            persona = load(path)
        except PersonaError as error:
            last = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1
            within = 0 <= error.line <= last
            if not within:
                raise
        else:
            assert persona.name
