"""The library, through the public API only."""

from pathlib import Path

import omni_agent_library
import pytest
from omni_agent_library import LibrarySettings
from omni_agent_library.shelf import MOST_CHARS, Shelf

from omni_agent import Persona
from omni_agent.errors import ConfigError
from omni_agent.testing import ScriptedThinker, rehearse, virtual_time

HANDBOOK = {
    "pool.md": """# Pool

The pool is on the roof.

## Opening hours

It closes at ten, on Sundays at eight.
""",
    "food.md": """# Breakfast
The breakfast is served in the garden until eleven.
# Bar
The bar never closes.
""",
    "more/café.md": "The café is round the corner, and its owner is called Zoë.",
}


@pytest.fixture
def handbook(tmp_path: Path) -> Path:
    for name, text in HANDBOOK.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def found(folder: Path, words: str, most: int = 1) -> str:
    return "\n".join(map(str, Shelf(folder).look_up(words, most)))


@pytest.mark.parametrize(
    ("words", "passage"),
    [
        ("When is breakfast served?", "Breakfast: The breakfast is served in the garden"),
        ("Are you open on a Sunday?", "Opening hours: It closes at ten"),
        ("the opening hours", "Opening hours"),
        ("is there a cafe?", "café: The café is round the corner"),
        ("who is ZOE", "café: "),
    ],
)
def test_what_is_asked_about_is_found(handbook: Path, words: str, passage: str) -> None:
    assert passage in found(handbook, words)


@pytest.mark.parametrize(
    "words", ["", "   ", "Hello, how are you?", "Thanks a lot.", "The the THE, is.", "🙂", "?!"]
)
def test_small_talk_finds_nothing(handbook: Path, words: str) -> None:
    assert found(handbook, words, 8) == ""


@pytest.mark.parametrize(
    "words",
    [
        'pool" OR "bar', "pool AND NOT bar", "pool*", "heading:pool", "NEAR(pool bar, 2)", "^pool",
        "pool'; DROP TABLE passages; --", '"', "(((", "{pool bar}: roof", "pool\0roof",
        "-pool +roof",
    ],
)  # fmt: skip
def test_no_words_are_a_query(handbook: Path, words: str) -> None:
    shelf = Shelf(handbook)
    shelf.look_up(words, 8)
    assert "roof" in str(shelf.look_up("pool", 8)[0])


def test_a_passage_is_short_and_nothing_of_a_long_text_is_lost(tmp_path: Path) -> None:
    words = [f"word{number}" for number in range(1000)]
    paragraphs = "\n\n".join(" ".join(words[at : at + 50]) for at in range(0, 1000, 50))
    (tmp_path / "long.md").write_text(f"# All\n\n{paragraphs}\n")
    shelf = Shelf(tmp_path)
    for word in ("word0", "word499", "word999"):
        (passage,) = shelf.look_up(word, 8)
        assert word in passage.text.split()
        assert len(passage.text) <= MOST_CHARS
        assert passage.heading == "All"


def test_files_that_change_are_read_again_and_odd_ones_do_not_matter(handbook: Path) -> None:
    shelf = Shelf(handbook)
    assert not shelf.look_up("sauna", 1)
    (handbook / "spa.md").write_text("The sauna is hot.")
    (handbook / "broken.md").write_bytes(b"\xff\xfe sauna \x00")
    (handbook / "folder.md").mkdir()
    assert "hot" in str(shelf.look_up("hot sauna", 1)[0])
    (handbook / "spa.md").unlink()
    assert "hot" not in str(shelf.look_up("sauna", 1)[0])


@virtual_time
async def test_the_agent_reads_it_before_it_answers(handbook: Path) -> None:
    thinker = ScriptedThinker(["Until eleven."], ["Good, thanks."])
    said = {"library": {"folder": str(handbook), "passages": "1"}}
    persona = Persona(name="Porter", plugins=said, fillers=())
    async with rehearse(thinker, persona=persona, plugins=[Library()]) as stage:
        stage.types("Until when is breakfast?")
        assert await stage.agent() == "Until eleven."
        stage.types("How are you?")
        assert await stage.agent() == "Good, thanks."
    read, said = thinker.requests[0].items
    assert read.text.startswith("Breakfast: The breakfast is served in the garden")
    assert said.text == "Until when is breakfast?"
    assert [item.text for item in thinker.requests[1].items[2:]] == [
        "Until eleven.",
        "How are you?",
    ]


@virtual_time
async def test_a_persona_without_a_folder_has_no_library() -> None:
    thinker = ScriptedThinker(["I do not know."])
    async with rehearse(thinker, persona=Persona(name="x"), plugins=[Library()]) as stage:
        stage.types("Until when is breakfast?")
        assert await stage.agent() == "I do not know."
    assert len(thinker.requests[0].items) == 1


async def test_a_folder_that_is_not_there_is_told_when_the_persona_is_loaded(
    tmp_path: Path,
) -> None:
    said = {"library": {"folder": str(tmp_path / "none")}}
    with pytest.raises(ConfigError, match=r"plugins\.library\.folder: there is no folder"):
        async with rehearse(persona=Persona(name="x", plugins=said), plugins=[Library()]):
            pass


class Library:
    """The plugin under the name that it has when it is installed."""

    __name__ = "library"
    register_settings = staticmethod(omni_agent_library.register_settings)
    context = staticmethod(omni_agent_library.context)


def test_what_a_persona_may_say_is_documented() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert all(f"{name}: " in readme for name in LibrarySettings.model_fields)


def test_settings_without_a_folder_are_warned_of_and_no_settings_are_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    LibrarySettings()
    assert "names no folder" not in caplog.text
    LibrarySettings(passages=3)
    assert "names no folder" in caplog.text
