"""A persona's ``plugins`` section: read by each plugin's own model, wrong ones with their line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from omni_agent import Persona, PluginSettings, ToolContext, Turn, hookimpl, tool
from omni_agent.errors import ConfigError, PersonaError, SettingsError, UnknownPartError
from omni_agent.registry.registry import Registry
from omni_agent.registry.wardrobe import PersonaWardrobe
from omni_agent.testing import FakeCall, ScriptedThinker, call, rehearse, virtual_time
from omni_agent.text import TextFilter


class Hours(BaseModel):
    opens: int = Field(default=9, ge=0, le=24)


class ShopSettings(BaseModel):
    name: str = "the shop"
    hours: Hours = Hours()

    @field_validator("name")
    @classmethod
    def is_polite(cls, name: str) -> str:
        if name == "hell":
            raise ValueError("A shop has a nicer name.")
        if name == "exit":
            raise SystemExit(3)
        return name


@tool
def shop_name(call: ToolContext) -> str:
    """Tell the shop's name."""
    return call.settings(ShopSettings).name


class Shop:
    __name__ = "shop"

    @hookimpl
    def register_settings(self) -> type[BaseModel]:
        return ShopSettings

    @hookimpl
    def register_tools(self) -> list[Any]:
        return [shop_name]

    @hookimpl
    def context(self, turn: Turn) -> str:
        return f"It opens at {turn.settings(ShopSettings).hours.opens}."

    @hookimpl
    def text_filters(self, settings: PluginSettings) -> Mapping[str, TextFilter]:
        shop = settings(ShopSettings)

        async def named(pieces: AsyncIterator[str]) -> AsyncIterator[str]:
            async for piece in pieces:
                yield piece.replace("SHOP", shop.name)

        return {"named": named}


class Mute:
    @hookimpl
    def register_tools(self) -> list[Any]:
        return []


def settings_of(model: Any, name: str = "odd") -> SimpleNamespace:
    return SimpleNamespace(__name__=name, register_settings=hookimpl(lambda: model))


def registry(*plugins: Any) -> Registry:
    return Registry([Shop(), Mute(), *plugins], discover=False)


def persona(**plugins: Any) -> Persona:
    return Persona(name="x", plugins=plugins, tools=("shop",), filters=("named",), fillers=())


def test_settings_are_read_as_they_are_written_in_yaml() -> None:
    outfit = registry().outfit(persona(shop={"name": "Ada's", "hours": {"opens": "7"}}))
    assert outfit.settings(ShopSettings) == ShopSettings(name="Ada's", hours=Hours(opens=7))


def test_a_persona_that_says_nothing_has_the_defaults() -> None:
    for said in (persona(), persona(shop={})):
        assert registry().outfit(said).settings(ShopSettings) == ShopSettings()


@virtual_time
async def test_tools_filters_and_what_is_found_know_them_in_a_call() -> None:
    thinker = ScriptedThinker([call("shop_name")], ["Welcome to SHOP."])
    said = persona(shop={"name": "Ada's", "hours": {"opens": "7"}})
    async with rehearse(thinker, persona=said, plugins=[Shop()]) as stage:
        await stage.user("What is this shop called?")
        assert await stage.agent() == "Welcome to Ada's."
        result = thinker.requests[1].items[-1]
        assert result.output == "Ada's"  # type: ignore[union-attr]  # the tool's
        assert thinker.requests[0].items[0].text == "It opens at 7."  # type: ignore[union-attr]  # what was found


async def test_a_tool_alone_is_tried_with_settings() -> None:
    assert await shop_name.call({}, FakeCall()) == "the shop"
    assert await shop_name.call({}, FakeCall(settings=[ShopSettings(name="Bo's")])) == "Bo's"


# -- what is wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "key", "reason"),
    [
        ({"shop": {"name": "hell"}}, ("name",), "plugins.shop.name: A shop has a nicer name."),
        ({"shop": {"nmae": "x"}}, ("nmae",), "key 'plugins.shop.nmae'; did you mean 'name'"),
        ({"shop": {"hours": {"opens": "25"}}}, ("hours", "opens"), "shop.hours.opens: should"),
        ({"shop": {"hours": {"shuts": "2"}}}, ("hours", "shuts"), "known are opens"),
        ({"shop": {"name": None}}, ("name",), "should be a valid string, not nothing"),
        ({"shop": {"name": "exit"}}, (), "plugin 'shop' cannot read its settings"),
    ],
)  # fmt: skip
async def test_what_does_not_fit_is_told_with_its_place(
    said: dict[str, Any], key: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        registry().outfit(persona(**said))
    assert raised.value.key == ("plugins", "shop", *key)
    assert reason in str(raised.value)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("shopp", "no plugin 'shopp'; did you mean 'shop'? those that take some: shop"),
        ("Mute", "plugin 'Mute' takes no settings; those that take some: shop"),
    ],
)
def test_a_section_for_nobody_is_an_error(name: str, reason: str) -> None:
    with pytest.raises(UnknownPartError, match="persona 'x'") as raised:
        registry().outfit(persona(**{name: {}}))
    assert raised.value.key == ("plugins", name)
    assert raised.value.reason == reason


def test_a_persona_goes_without_a_plugin_that_is_broken() -> None:
    broken = SimpleNamespace(__name__="odd", register_tolls=hookimpl(lambda: None))
    outfit = registry(broken).outfit(persona(odd={"a": "1"}))
    assert outfit.settings(ShopSettings) == ShopSettings()


class Demanding(BaseModel):
    key: str


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Demanding, "needs key: give all a default"),
        (ShopSettings(), "not a pydantic model's class"),
        (dict, "not a pydantic model's class"),
    ],
)
def test_a_plugin_whose_model_is_none_is_named(model: Any, reason: str) -> None:
    asked = registry(settings_of(model))
    asked.outfit(persona(shop={}, odd={}))
    (problem,) = asked.problems
    assert problem.plugin == "odd"
    assert reason in problem.reason


def test_a_model_that_takes_any_key_is_let() -> None:
    outfit = registry(settings_of(Open)).outfit(persona(odd={"anything": "goes"}))
    assert outfit.settings(Open).model_extra == {"anything": "goes"}


# -- in files ---------------------------------------------------------------------------------


FILE = """---
name: Keeper
tools: [shop]
plugins:
  shop:
    name: {name}
    hours: {{opens: {opens}}}
---
Be kind.
"""


def test_what_is_wrong_in_a_file_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "keeper.md"
    file.write_text(FILE.format(name="Ada's", opens="noon"))
    with pytest.raises(PersonaError, match=r"keeper\.md:7: plugins\.shop\.hours\.opens: should"):
        PersonaWardrobe(registry(), file)
    file.write_text(FILE.format(name="Ada's", opens="8").replace("  shop:", "  shut:"))
    with pytest.raises(PersonaError, match=r"keeper\.md:5: no plugin 'shut'") as raised:
        PersonaWardrobe(registry(), file)
    assert isinstance(raised.value, ConfigError)


def test_settings_that_are_edited_are_taken_up_and_a_broken_version_is_told(
    tmp_path: Path,
) -> None:
    file = tmp_path / "keeper.md"
    file.write_text(FILE.format(name="Ada's", opens="8"))
    wardrobe = PersonaWardrobe(registry(), file)
    file.write_text(FILE.format(name="hell", opens="8"))
    assert wardrobe.outfit(None).settings(ShopSettings).name == "Ada's"
    assert "keeper.md:6: plugins.shop.name: A shop" in str(wardrobe.problems()[0])
    file.write_text(FILE.format(name="Bo's", opens="8"))
    assert wardrobe.outfit(None).settings(ShopSettings).name == "Bo's"


def test_a_model_is_one_plugins() -> None:
    """What a persona says is found by its model: the second plugin would read the first's."""
    registry = Registry([settings_of(Hours, "aa"), settings_of(Hours, "bb")], discover=False)
    said = registry.outfit(Persona(name="p", plugins={"aa": {"opens": 8}})).settings
    assert said(Hours).opens == 8
    assert [problem.plugin for problem in registry.problems] == ["bb"]
    with pytest.raises(
        SettingsError, match=r"'bb': register_settings returned Hours, .* plugin 'aa'"
    ):
        registry.outfit(Persona(name="p", plugins={"aa": {"opens": 8}, "bb": {"opens": 7}}))


class Tidied(BaseModel):
    hours: Hours = Hours()

    @model_validator(mode="before")
    @classmethod
    def tidy(cls, said: dict[str, Any]) -> dict[str, Any]:
        if hours := said.get("hours"):
            hours["opens"] = hours.pop("from")
        return said


def test_what_a_persona_says_is_the_same_for_all_plugins() -> None:
    """A model may rewrite what it reads, which is a copy; what hooks are shown is kept."""
    persona = Persona(name="p", plugins={"tidied": {"hours": {"from": 8}}})
    registry = Registry([settings_of(Tidied, "tidied")], discover=False)
    assert registry.outfit(persona).settings(Tidied).hours.opens == 8
    with pytest.raises(TypeError, match="change a copy"):
        persona.plugins["tidied"]["hours"]["from"] = 7
    assert persona.plugins == {"tidied": {"hours": {"from": 8}}}
