"""What the Thinker read of a prompt, on its way to the Talker."""

from __future__ import annotations

from dataclasses import dataclass

from omni_agent.engines.qwen3_omni.shelf import Rows

Patches = tuple[int, int, int, float]
"""Of a picture or video: in time, height and width, before merging; and the seconds from one
to the next in time, 2 / fps of a video, 1 of a picture."""

POSITIONS = 4096
"""Of each slot of the Talker: what it remembers of a call, in steps."""
MOST_ROWS = POSITIONS // 2
"""Hidden states handed over of one prompt, those of its last items: as many as the Talker
reads (see ``talker.ahead``). More would cross from process to process, 53 KB for every
second that was ever said, and not be used."""


@dataclass(frozen=True, slots=True)
class PromptFeatures:
    """A ``Features.handle``: a prompt, or what is certain of it while the user still speaks.

    conversation: the same for every prompt of a call. ids: token ids with every
    placeholder as often as its item takes positions. rows: hidden states at the last
    placeholders in order (``accept_hidden_layer``), of whole items; None when there are
    none. grids: of the pictures and videos among these.
    """

    conversation: str
    ids: tuple[int, ...]
    rows: Rows | None = None
    grids: tuple[Patches, ...] = ()
