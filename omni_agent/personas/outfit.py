"""A persona with the tools and filters its names stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from omni_agent.errors import ProtocolError
from omni_agent.hearing.manners import manners_in
from omni_agent.hearing.words import words_in
from omni_agent.markdown import no_markdown
from omni_agent.persona import Persona
from omni_agent.plugin_settings import PluginSettings
from omni_agent.talker import Voice
from omni_agent.text import TextFilter
from omni_agent.thinker import Sampling, ToolChoice, ToolSchema
from omni_agent.tools.tool import Tool
from omni_agent.turn_taking import Manners, PartialManners
from omni_agent.wishes import NO_WISHES, Wishes

NOTHING_SAID = PluginSettings()


@dataclass(frozen=True, slots=True)
class Outfit:
    """A persona with the tools and filters its names stand for, and the wishes laid over it.

    own_manners: a plugin's for this persona, before those of its language. settings: what it
    says of its plugins.
    """

    persona: Persona
    tools: Mapping[str, Tool]
    filters: tuple[TextFilter, ...]
    wishes: Wishes = NO_WISHES
    own_manners: Manners | None = None
    settings: PluginSettings = NOTHING_SAID

    @property
    def manners(self) -> Manners:
        """What words mean in the language that is spoken."""
        return self.own_manners or manners_in(self.persona.language)

    @property
    def shown_filters(self) -> tuple[TextFilter, ...]:
        """Those for text that is read and not heard, in which markdown stays."""
        return tuple(each for each in self.filters if each is not no_markdown)

    def tells(self, what: str) -> bool:
        """Whether anybody knows what words mean for this method of manners: the language's, or a
        plugin's own. ``tells("consents")``: whether a yes is understood at all."""
        own = self.own_manners
        if words_in(self.persona.language) is not None:
            return True
        return own is not None and (not isinstance(own, PartialManners) or own.tells(what))

    def wishing(self, wishes: Wishes) -> Outfit:
        """This one with these wishes, beside those it has.

        Raises ProtocolError for what no persona may say, and when the client brings a tool that
        this one has already.
        """
        if wishes == NO_WISHES:
            return self
        tools = {name: tool for name, tool in self.tools.items() if tool.runs_at == "server"}
        both = wishes.over(self.wishes)
        for schema in both.tools or ():
            if schema.name in tools:
                raise ProtocolError(
                    f"tool {schema.name!r} is the persona's already: give yours another name"
                )
            known = self.tools.get(schema.name)
            same = known is not None and known.schema is schema
            tools[schema.name] = known if known and same else Tool.at_client(schema)
        persona = _wishing(self.persona, wishes)
        own = self.own_manners if persona.language == self.persona.language else None
        return replace(self, persona=persona, tools=tools, wishes=both, own_manners=own)

    @property
    def schemas(self) -> tuple[ToolSchema, ...]:
        if self.wishes.tool_choice == "none":
            return ()
        return tuple(tool.schema for tool in self.tools.values())

    @property
    def tool_choice(self) -> ToolChoice:
        return "required" if self.wishes.tool_choice == "required" else "auto"

    @property
    def sampling(self) -> Sampling:
        options = self.persona.sampling
        return Sampling(options.temperature, options.top_p, options.max_tokens)

    @property
    def voice(self) -> Voice:
        persona = self.persona
        return Voice(
            prompt=persona.talker,
            speaker=persona.voice,
            language=persona.language,
            speed=persona.speech.speed,
            pause_ms=persona.speech.pause_ms,
        )

    @property
    def speaks(self) -> bool:
        """False when replies are written only."""
        return self.wishes.spoken is not False

    @property
    def manual(self) -> bool:
        """Whether the client says when a turn is over."""
        return self.wishes.turns == "manual"

    @property
    def answers(self) -> bool:
        """Whether a turn that is over is answered by itself."""
        return self.wishes.answered is not False

    @property
    def yields(self) -> bool:
        """Whether speech over the agent makes it stop."""
        return self.wishes.interrupts is not False


def _wishing(persona: Persona, wishes: Wishes) -> Persona:
    """Raises ProtocolError for what no persona may say."""
    told = {"thinker": wishes.instructions, "voice": wishes.voice, "language": wishes.language}
    changes: dict[str, Any] = {key: value for key, value in told.items() if value is not None}
    if wishes.speed is not None:
        changes["speech"] = {**persona.speech.model_dump(), "speed": wishes.speed}
    if wishes.max_tokens is not None:
        changes["sampling"] = {**persona.sampling.model_dump(), "max_tokens": wishes.max_tokens}
    try:
        checked = Persona.model_validate({"name": persona.name, **changes})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ProtocolError(f"{where}: {first['msg']}", field=where) from error
    return persona.model_copy(update={key: getattr(checked, key) for key in changes})
