"""Reading ahead: the Talker reads a conversation while its user still speaks.

An utterance is opened before there is anything to say and reads what is known; when
the reply comes it has only the rest to read. A prompt that does not go on from what was
read (the oldest turns left it, the voice changed) is read afresh.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import torch

from omni_agent.engines.qwen3_omni.features import PromptFeatures
from omni_agent.engines.qwen3_omni.talker.config import OmniConfig
from omni_agent.engines.qwen3_omni.talker.prompt import (
    Grid,
    Segment,
    joined,
    placeholders,
    rest,
    split,
    talker_view,
)
from omni_agent.engines.qwen3_omni.talker.runtime import NoFreeSlot
from omni_agent.engines.qwen3_omni.talker.service import Utterance
from omni_agent.talker import Voice

_EXPIRES_S = 30.0
"""An utterance that nobody comes for gives its slot back."""
_DROPPED = 4
"""Turns that leave a conversation at once when it is longer than the Talker's memory."""
_HEAD = 3
"""Tokens that open a turn: the mark, the role and a line's end."""
_DTYPES = {2: torch.bfloat16, 4: torch.float32}

Open = Callable[[Voice], Awaitable[Utterance]]


@dataclass(slots=True)
class _Ahead:
    """An utterance and what it has read."""

    utterance: Utterance
    read: Segment
    expiry: asyncio.TimerHandle


_Key = tuple[str, str, str | None]


class ReadAhead:
    """The utterances of conversations in which nothing is being said yet."""

    def __init__(self, open_utterance: Open) -> None:
        self._open = open_utterance
        self._ahead: OrderedDict[_Key, _Ahead] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    async def read(self, voice: Voice, conversation: str, segment: Segment) -> None:
        """Have the conversation read as far as it is known. Without a free slot, nothing."""
        key = (conversation, voice.prompt, voice.speaker)
        known, unread = self._take(key), segment
        if known is not None:
            more = rest(segment, known.read)
            if more is None:
                await known.utterance.aclose()
                known = None
            else:
                unread = more
        try:
            utterance = known.utterance if known is not None else await self._open(voice)
        except NoFreeSlot:
            return
        self._hold(key, utterance, segment)
        if unread.ids:
            utterance.prefill(unread)

    async def take(
        self, voice: Voice, conversation: str, segment: Segment
    ) -> tuple[Utterance, Segment]:
        """An utterance for a reply, and what it has still to read."""
        known = self._take((conversation, voice.prompt, voice.speaker))
        if known is not None:
            more = rest(segment, known.read)
            if more is not None:
                return known.utterance, more
            await known.utterance.aclose()
        return await self.open(voice), segment

    async def open(self, voice: Voice) -> Utterance:
        """A fresh utterance; those that only read ahead make room. Raises NoFreeSlot."""
        while True:
            try:
                return await self._open(voice)
            except NoFreeSlot:
                if not self._ahead:
                    raise
                oldest = self._take(next(iter(self._ahead)))
                if oldest is not None:
                    await oldest.utterance.aclose()

    async def aclose(self) -> None:
        for key in list(self._ahead):
            known = self._take(key)
            if known is not None:
                await known.utterance.aclose()
        if self._closing:
            await asyncio.wait(self._closing)

    def _hold(self, key: _Key, utterance: Utterance, read: Segment) -> None:
        expiry = asyncio.get_running_loop().call_later(_EXPIRES_S, self._expire, key)
        self._ahead[key] = _Ahead(utterance, read, expiry)

    def _take(self, key: _Key) -> _Ahead | None:
        known = self._ahead.pop(key, None)
        if known is not None:
            known.expiry.cancel()
        return known

    def _expire(self, key: _Key) -> None:
        known = self._take(key)
        if known is not None:  # no caller of ours is there to await it
            task = asyncio.create_task(known.utterance.aclose())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


def view(config: OmniConfig, features: PromptFeatures, tool_response: int, room: int) -> Segment:
    """What the Talker sees of the Thinker's prompt, at most about ``room`` positions of it.

    User turns, as the reference has it; results of tools, which stand in user turns, are
    not among them (tool_response: the id they begin with). The oldest turns go first; of a
    turn that is too long alone its beginning goes.
    """
    rows, states, grids = features.rows, None, []
    if rows is not None:
        flat = torch.frombuffer(rows.data, dtype=_DTYPES[rows.itemsize])
        states = flat.view(rows.rows, rows.width)
        grids = [Grid(*patches) for patches in features.grids]
    ids = _heard(config, features.ids, 0 if rows is None else rows.rows)
    segments = talker_view(config, ids, states, grids)
    said = [s for s in segments if s.ids[3:4] != (tool_response,)]
    return joined(_fitting(config, said, room))


def _heard(config: OmniConfig, ids: Sequence[int], rows: int) -> Sequence[int]:
    """Without the placeholders before the last ``rows``: what it cannot hear it must do without."""
    marks = placeholders(config)
    unheard = sum(token in marks for token in ids) - rows
    if unheard <= 0:
        return ids
    places = (index for index, token in enumerate(ids) if token in marks)
    gone = set(islice(places, unheard))
    return [token for index, token in enumerate(ids) if index not in gone]


def _fitting(config: OmniConfig, segments: Sequence[Segment], room: int) -> Sequence[Segment]:
    while len(segments) > 1 and sum(len(segment.ids) for segment in segments) > room:
        segments = segments[min(_DROPPED, len(segments) - 1) :]
    if sum(len(segment.ids) for segment in segments) <= room:
        return segments
    # In halves that stay where they are while the turn grows: what was read ahead goes on.
    (turn,) = segments
    *gone, last = split(turn, (room - _HEAD) // 2, config)
    kept = [last]
    if gone and len(gone[-1].ids) + len(last.ids) <= room - _HEAD:
        kept.insert(0, gone.pop())
    return [Segment(turn.ids[:_HEAD]), *kept] if gone else segments
