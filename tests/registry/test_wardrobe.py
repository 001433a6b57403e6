"""Which personas callers may choose, and what they are dressed in."""

from __future__ import annotations

from pathlib import Path

import pytest

from omni_agent.errors import OmniAgentError
from omni_agent.persona import Persona
from omni_agent.personas.files import available
from omni_agent.registry.registry import Registry
from omni_agent.registry.wardrobe import KEPT, PersonaWardrobe, Source


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A developer's folder with two personas of their own; the working directory is above it."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "personas"
    folder.mkdir()
    for name in ("desk", "night"):
        write(folder / f"{name}.md", name.title())
    (folder / "README.md").write_text("Notes on these.")
    return folder


def write(path: Path, name: str) -> None:
    path.write_text(f"---\nname: {name}\n---\n# Thinker\nYou answer.\n")


def offered(default: Source, *more: Source, only: bool = False) -> list[str]:
    wardrobe = PersonaWardrobe(Registry(), default, offered=more if more or only else None)
    return [persona.name for persona in wardrobe.known()]


def test_a_persona_that_comes_along_offers_all_that_are_found_by_name(own: Path) -> None:
    names = offered("concierge")
    assert len(names) == len(available())
    assert {"Desk", "Night"} < set(names)


def test_one_from_the_developers_folder_offers_that_folder_alone(own: Path) -> None:
    assert offered("night") == ["Night", "Desk"]


def test_a_file_offers_itself_alone(own: Path) -> None:
    assert offered(own / "desk.md") == ["Desk"]
    assert offered("personas/desk.md") == ["Desk"]


def test_a_folder_offers_what_is_in_it(own: Path) -> None:
    assert offered(own) == offered("personas/") == ["Desk", "Night"]


def test_a_persona_made_in_code_offers_itself_alone() -> None:
    assert offered(Persona(name="Made")) == ["Made"]


def test_a_list_is_all_there_is_beside_the_default(own: Path) -> None:
    assert offered("concierge", only=True) == offered("concierge")[:1]
    made = Persona(name="Made")
    assert offered("desk", own / "night.md", made) == ["Desk", "Night", "Made"]
    assert offered(made, own) == ["Made", "Desk", "Night"]


def test_what_is_not_offered_cannot_be_chosen(own: Path) -> None:
    wardrobe = PersonaWardrobe(Registry(), own / "desk.md")
    assert wardrobe.outfit("Desk").persona.name == "Desk"
    for name in ("Night", "night", "concierge", str(own / "night.md"), "../personas/night.md"):
        with pytest.raises(OmniAgentError):
            wardrobe.outfit(name)


@pytest.mark.parametrize("name", ["who", "WHO", " Who ", "Doctor Who", "doctor who"])
@pytest.mark.parametrize(
    ("default", "more"),
    [
        ("desk", None),
        ("concierge", None),
        (Path("personas"), None),
        ("personas/who.md", None),
        ("personas/desk.md", ["personas/who.md"]),
        (Persona(name="Made"), [Path("personas")]),
    ],
)
def test_one_that_is_offered_is_chosen_by_its_file_s_name_or_its_own_before_anybody_asked_for_all(
    own: Path, default: Source, more: list[Source] | None, name: str
) -> None:
    write(own / "who.md", "Doctor Who")
    wardrobe = PersonaWardrobe(Registry(), default, offered=more)
    assert wardrobe.outfit(name).persona.name == "Doctor Who"


def test_one_made_in_code_is_chosen_by_its_name_whatever_is_in_it(own: Path) -> None:
    wardrobe = PersonaWardrobe(Registry(), own / "desk.md", offered=[Persona(name="Dr. Who/2.md")])
    assert wardrobe.outfit("dr. who/2.md").persona.name == "Dr. Who/2.md"
    with pytest.raises(OmniAgentError):
        wardrobe.outfit("2")


def test_a_name_that_is_shown_comes_before_a_file_s_whoever_was_worn(own: Path) -> None:
    write(own / "doctor.md", "Nurse")
    write(own / "nurse.md", "Doctor")
    for known_before in (False, True):
        wardrobe = PersonaWardrobe(Registry(), own)
        if known_before:
            wardrobe.known()
        assert wardrobe.outfit("Doctor").persona.name == "Doctor"
        assert wardrobe.outfit("doctor").persona.name == "Nurse"


def test_who_is_not_offered_is_told_with_those_who_are(own: Path) -> None:
    wardrobe = PersonaWardrobe(Registry(), own)
    with pytest.raises(OmniAgentError, match=r"offered here; did you mean 'Night'\? there are: "):
        wardrobe.outfit("Nigth")


def test_a_file_by_its_path_is_never_a_callers_to_choose(own: Path) -> None:
    wardrobe = PersonaWardrobe(Registry(), "concierge")
    with pytest.raises(OmniAgentError):
        wardrobe.outfit(str(own / "night.md"))


def test_one_that_is_added_to_the_folder_is_offered_at_once(own: Path) -> None:
    wardrobe = PersonaWardrobe(Registry(), own)
    write(own / "late.md", "Late")
    assert [persona.name for persona in wardrobe.known()] == ["Desk", "Late", "Night"]
    assert wardrobe.outfit("Late").persona.name == "Late"


def test_a_broken_file_is_left_out_and_said_once(
    own: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (own / "broken.md").write_text("---\nname: [\n---\n")
    wardrobe = PersonaWardrobe(Registry(), own / "desk.md", offered=[own])
    for _ in range(3):
        assert [persona.name for persona in wardrobe.known()] == ["Desk", "Night"]
    assert len([record for record in caplog.records if "broken.md" in record.message]) == 1


BROKEN = "---\nname: Desk\npatience: 3\n---\n# Thinker\nYou answer.\n"
UNKNOWN = "---\nname: Desk\ntools: [no_such]\n---\n# Thinker\nYou answer.\n"


@pytest.mark.parametrize(
    ("edit", "where", "why"), [(BROKEN, "desk.md:3", "patience"), (UNKNOWN, "desk.md:3", "no_such")]
)
def test_a_mistake_in_an_edit_is_logged_once_with_its_place_and_the_last_good_version_stays(
    own: Path, caplog: pytest.LogCaptureFixture, edit: str, where: str, why: str
) -> None:
    wardrobe = PersonaWardrobe(Registry(), own / "desk.md")
    before = wardrobe.outfit(None)
    (own / "desk.md").write_text(edit)
    assert [wardrobe.outfit(None) for _ in range(3)] == [before] * 3
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert where in record.message
    assert why in record.message
    (problem,) = wardrobe.problems()
    assert problem.public == KEPT
    assert not wardrobe.problems()


def test_what_a_persona_of_ours_goes_without_is_no_warning_to_whom_it_was_given(
    own: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "omni_agent.registry.wardrobe")
    for default in ("concierge", own / "night.md"):
        wardrobe = PersonaWardrobe(Registry(), default)
        wardrobe.fit(lambda outfit: ["no such voice"])
    levels = [(one.levelname, one.getMessage()) for one in caplog.records]
    assert levels == [
        ("INFO", "persona 'Concierge': no such voice"),
        ("WARNING", "persona 'Night': no such voice"),
    ]


def test_a_good_edit_is_said_once(own: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "omni_agent.registry.wardrobe")
    wardrobe = PersonaWardrobe(Registry(), own / "desk.md")
    write(own / "desk.md", "Counter")
    for _ in range(3):
        assert wardrobe.outfit(None).persona.name == "Counter"
    (record,) = caplog.records
    assert record.levelname == "INFO"
    assert "desk.md" in record.message


def test_who_chose_a_persona_by_its_name_keeps_it_when_it_is_renamed(own: Path) -> None:
    wardrobe = PersonaWardrobe(Registry(), own)
    wardrobe.known()
    write(own / "night.md", "Late")
    assert [wardrobe.outfit("Night").persona.name for _ in range(2)] == ["Late", "Late"]
    write(own / "desk.md", "Night")
    wardrobe.known()
    assert wardrobe.outfit("Night").persona.name == "Night"  # somebody has that name now


def test_a_persona_is_dressed_once_however_its_name_is_written() -> None:
    wardrobe = PersonaWardrobe(Registry(), "concierge")
    outfits = [wardrobe.outfit(name) for name in ("tutor", " Tutor ", "TUTOR")]
    assert outfits == [outfits[0]] * 3
    assert all(outfit is outfits[0] for outfit in outfits)


@pytest.mark.parametrize("named", ["nobody", "personas/nobody.md", "empty/"])
def test_what_an_operator_names_and_is_not_there_is_said_at_once(own: Path, named: str) -> None:
    (own.parent / "empty").mkdir()
    with pytest.raises(OmniAgentError):
        PersonaWardrobe(Registry(), named)
    with pytest.raises(OmniAgentError):
        PersonaWardrobe(Registry(), "desk", offered=[named])
