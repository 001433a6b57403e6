"""What an agent's stages can do of a persona, found out before anybody talks to it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from omni_agent.ears import PickyEars
from omni_agent.errors import ConfigError, OmniAgentError, UnknownPartError, words_of
from omni_agent.hearing.words import languages
from omni_agent.persona import BY_WORDS
from omni_agent.personas.outfit import Outfit
from omni_agent.registry.engines import EngineTable, Lineup
from omni_agent.saying import saying
from omni_agent.stages import Stages
from omni_agent.talker import PickyTalker

log = logging.getLogger(__name__)

_UNHEARD = {
    "is_backchannel": "a listening noise over the agent stops it",
    "is_farewell": "a goodbye does not end the call",
    "is_unfinished": "of sentences that hang only the marks tell",
}
"""What comes of it where nobody tells these of a language."""


def objections(stages: Stages, outfit: Outfit) -> Sequence[str]:
    """What the persona will go without. Raises ConfigError where it would be deaf, or would
    never end a turn as it wants to.
    """
    persona, ears, talker = outfit.persona, stages.ears, stages.talker
    if why := "; ".join(_said(ears, PickyEars, "objection", persona.language)):
        raise ConfigError(f"persona {persona.name!r}: {why}")
    if ears is not None and persona.turn.end not in (BY_WORDS, *stages.turn_ends):
        reason = (
            f"the end of turn {persona.turn.end!r} is not running: it is started with the agent, "
            f"for personas that ask for it by then; start again, or write {BY_WORDS}"
        )
        raise UnknownPartError(persona.name, ("turn", "end"), reason)
    said = _said(talker, PickyTalker, "objections", outfit.voice)
    return [*said, *_whatever_engine(outfit, heard=ears is not None)]


def _said(stage: object, picky: type, what: str, about: object) -> Sequence[str]:
    """What a stage that is of this kind says; nothing where it fails: it is somebody else's."""
    try:
        said = getattr(stage, what)(about) if isinstance(stage, picky) else ()
        return list(filter(None, [said] if isinstance(said, str) else said))
    except OmniAgentError:
        raise
    except BaseException as error:
        log.warning(
            "%s: %s failed: %s", type(stage).__name__, what, words_of(error), exc_info=error
        )
        return ()


def foreseen(engines: EngineTable, lineup: Lineup, outfit: Outfit) -> Sequence[str]:
    """``objections`` as far as they are known of engines that have not been started.

    Raises ConfigError as it does.
    """
    try:
        said = engines.objections(lineup, outfit.voice)
    except ConfigError as error:
        raise ConfigError(f"persona {outfit.persona.name!r}: {error}") from error
    return [*said, *_whatever_engine(outfit, heard="ears" in lineup.roles)]


def _whatever_engine(outfit: Outfit, *, heard: bool) -> Iterator[str]:
    """What a persona goes without on any engine."""
    language = outfit.persona.language
    if outfit.persona.speech.numbers == "words" and saying(language) is None:
        yield f"numbers have no words in {language!r}: they are spoken as written"
    if lacking := lacking_words(outfit, heard=heard):
        yield lacking


def lacking_words(outfit: Outfit, *, heard: bool = True) -> str:
    """What is missing where nobody has written a language's words, nor a plugin has its own; empty
    where nothing is.

    heard: whether there are ears; who is typed to lacks what a yes means alone.
    """
    lacking = [why for what, why in _UNHEARD.items() if heard and not outfit.tells(what)]
    asking = [tool.name for tool in outfit.tools.values() if tool.approval]
    if (heard or asking) and not outfit.tells("consents"):
        lacking.append(_refused(asking))
    if not lacking:
        return ""
    return (
        f"language {outfit.persona.language!r} has no words for taking turns: "
        f"{'; '.join(lacking)}; there are words for {', '.join(languages())}"
    )


def _refused(asking: Sequence[str]) -> str:
    named = f" ({', '.join(asking)})" if asking else ""
    return (
        f"no yes is understood, so that tools with an approval{named}, and what tools ask(), are "
        "always refused"
    )
