"""What personas say of plugins, read by the plugins' own models."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from pydantic import BaseModel, ValidationError

from omni_agent.errors import SettingsError, UnknownPartError, words_of
from omni_agent.persona import Persona
from omni_agent.personas.explaining import explained
from omni_agent.plugin_settings import PluginSettings
from omni_agent.registry.hooks import Hooks
from omni_agent.registry.problems import meant, shown

log = logging.getLogger(__name__)

_MOST_TOLD = 10
"""Problems of a section that a message names."""


class SettingsModels:
    """The plugins' models: a persona's section ``plugins.NAME`` is read by that plugin's."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks

    def read(self, persona: Persona) -> PluginSettings:
        """Raises UnknownPartError for a plugin that is not there or takes no settings, and
        SettingsError for what does not fit its model."""
        said = (self._section(persona.name, *each) for each in persona.plugins.items())
        return PluginSettings(*(settings for settings in said if settings is not None))

    def _section(self, persona: str, plugin: str, section: Mapping[str, Any]) -> BaseModel | None:
        models, twins = self._models()
        if model := models.get(plugin):
            return self._read(persona, plugin, model, section)
        if twin := twins.get(plugin):
            raise SettingsError(persona, ("plugins", plugin), f"plugin {plugin!r}: {twin}")
        if broken := next((p for p in self._hooks.problems.known if p.plugin == plugin), None):
            log.warning("persona %s says something of %s", persona, broken)
            return None
        there = ", ".join(sorted(models)) or "none"
        wrong = "plugin %r takes no settings" if plugin in self._hooks.names else "no plugin %r"
        reason = f"{wrong % plugin}; {meant(plugin, models)}those that take some: {there}"
        raise UnknownPartError(persona, ("plugins", plugin), reason)

    def _models(self) -> tuple[dict[str, type[BaseModel]], dict[str, str]]:
        """The models by plugin, and what is wrong with those that are another plugin's: what is
        said is found by its model."""
        models, owners, twins = dict[str, type[BaseModel]](), dict[Any, str](), dict[str, str]()
        for plugin, model in self._hooks.once("register_settings"):
            if (owner := owners.setdefault(model, plugin)) == plugin:
                models[plugin] = model
                continue
            twins[plugin] = (
                f"register_settings returned {model.__name__}, which is plugin {owner!r}'s "
                f"already; it needs a model of its own (class Own({model.__name__}): ...)"
            )
            self._hooks.problems.report(plugin, "register_settings twin", twins[plugin])
        return models, twins

    def _read(
        self, persona: str, plugin: str, model: type[BaseModel], section: Mapping[str, Any]
    ) -> BaseModel:
        here = ("plugins", plugin)
        lenient = "extra" in model.model_config
        try:
            settings = model.model_validate(deepcopy(section), extra=None if lenient else "forbid")
            if type(settings) is not model:
                raise TypeError(f"the model made {shown(settings)}")
            return settings
        except ValidationError as error:
            problems = error.errors(include_url=False)[:_MOST_TOLD]
            reason = "; ".join(explained(problem, model, here) for problem in problems)
            raise SettingsError(persona, (*here, *problems[0]["loc"]), reason) from error
        except BaseException as error:
            self._hooks.problems.failed(plugin, "settings", error)
            reason = f"plugin {plugin!r} cannot read its settings: {words_of(error)}"
            raise SettingsError(persona, here, reason) from error
