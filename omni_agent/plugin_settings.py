"""What a persona says of plugins, as a plugin asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pydantic import BaseModel

M = TypeVar("M", bound="BaseModel")


class PluginSettings:
    """What a persona says of its plugins, each by the model that it registers
    (``register_settings``)::

        call.settings(ClockSettings).home
    """

    def __init__(self, *said: BaseModel) -> None:
        self._said: Mapping[type[BaseModel], BaseModel] = {type(one): one for one in said}

    def __call__(self, model: type[M]) -> M:
        """The persona's, or the model's defaults where it says nothing."""
        said = self._said.get(model)
        return said if isinstance(said, model) else model()
