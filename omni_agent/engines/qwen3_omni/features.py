"""What the Thinker read of a prompt, on its way to the Talker."""

from __future__ import annotations

from dataclasses import dataclass

from omni_agent.engines.qwen3_omni.shelf import Rows

Patches = tuple[int, int, int, float]
"""Of a picture or video: in time, height and width, before merging; and the seconds from one
to the next in time, 2 / fps of a video, 1 of a picture."""


@dataclass(frozen=True, slots=True)
class PromptFeatures:
    """A ``Features.handle``: a prompt, or what is certain of it while the user still speaks.

    conversation: the same for every prompt of a call. ids: token ids with every
    placeholder as often as its item takes positions. rows: hidden states at the
    placeholders in order (``accept_hidden_layer``); None when there are none.
    """

    conversation: str
    ids: tuple[int, ...]
    rows: Rows | None = None
    grids: tuple[Patches, ...] = ()
