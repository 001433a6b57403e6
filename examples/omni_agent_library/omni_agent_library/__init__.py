"""A library for omni_agent: what it has on the user's words is read before the answer."""

import asyncio
import logging
from functools import cache
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, field_validator, model_validator

from omni_agent import Turn, hookimpl
from omni_agent_library.shelf import Shelf

log = logging.getLogger(__name__)


class LibrarySettings(BaseModel):
    """folder: of Markdown files; without one nothing is looked up. passages: read at most."""

    folder: Path | None = None
    passages: int = Field(default=2, ge=1, le=8)

    @field_validator("folder")
    @classmethod
    def _is_there(cls, folder: Path | None) -> Path | None:
        if folder is not None and not folder.is_dir():
            raise ValueError(f"there is no folder {folder}")
        return folder

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if self.folder is None and self.model_fields_set:
            log.warning("a persona's plugins.library names no folder: nothing is looked up for it")
        return self


@hookimpl
def register_settings() -> type[LibrarySettings]:
    return LibrarySettings


@hookimpl
async def context(turn: Turn) -> str | None:
    settings = turn.settings(LibrarySettings)
    if settings.folder is None:
        return None
    shelf = _shelf(settings.folder.resolve())
    # A disk may be slow: not on the thread that every call's audio goes through.
    passages = await asyncio.to_thread(shelf.look_up, turn.text, settings.passages)
    return "\n\n".join(map(str, passages)) or None


_shelf = cache(Shelf)
"""One for each folder that personas name."""
