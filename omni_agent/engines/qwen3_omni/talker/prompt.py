"""What the Talker reads before it speaks: segments of the conversation, then the opening.

The reference lets user segments in and drops the rest. Ours adds two options,
off by default: a Talker system segment first, and the assistant's past turns
(report section 2.4: Thinker and Talker "can use distinct system prompts", and
the Talker shares "the full conversational history"). A text position is a
projected row of the Thinker's embedding table, so speaking needs no Thinker run;
an audio, image or video placeholder is a projected hidden state of the Thinker.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from omni_agent.engines.qwen3_omni.talker.backbone import project
from omni_agent.engines.qwen3_omni.talker.config import OmniConfig
from omni_agent.engines.qwen3_omni.talker.weights import TalkerWeights
from omni_agent.errors import EngineError

# "\n" in byte-level BPE's order: the same id in every Qwen vocabulary.
NEWLINE = 198
OPENING = 8  # positions before the first text token; with it the assistant's opening has 9


class PromptError(EngineError):
    """A prompt whose ids, features and grids do not fit together, or that is too long."""


@dataclass(frozen=True, slots=True)
class Grid:
    """An image or video: patches in time, height and width before merging.

    seconds: time between temporal patches, 2 / fps of a video; 1 for an image.
    """

    time: int
    height: int
    width: int
    seconds: float = 1.0

    def __post_init__(self) -> None:
        if min(self.time, self.height, self.width) < 1 or not 0 < self.seconds < 1e4:
            raise PromptError(f"not a grid of patches: {self}")


@dataclass(frozen=True, slots=True)
class Segment:
    """One turn from ``<|im_start|>`` on, or a piece of one.

    ids: token ids. features: (m, thinker hidden), the Thinker's hidden states at its
    m audio, image and video placeholders in order (``accept_hidden_layer``); None
    without placeholders. grids: one for each image or video, in order.
    """

    ids: tuple[int, ...]
    features: Tensor | None = None
    grids: tuple[Grid, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """Prefill input: rows (n, H) on the device, positions (3, n) fp32, and where to go on."""

    rows: Tensor
    positions: Tensor
    next_position: float


def talker_view(
    config: OmniConfig,
    ids: Sequence[int],
    features: Tensor | None = None,
    grids: Sequence[Grid] = (),
    *,
    past_assistant: bool = False,
) -> list[Segment]:
    """The segments of a whole Thinker prompt that the Talker sees.

    User turns; with ``past_assistant`` also closed assistant turns. features and
    grids cover the whole prompt. The open assistant turn at the end is never among
    them: the Talker's opening takes its place.
    """
    starts = [i for i, token in enumerate(ids) if token == config.im_start_token_id]
    roles = {config.user_token_id}
    if past_assistant:
        roles.add(config.assistant_token_id)
    marks = placeholders(config)
    segments, row, grid = [], 0, 0
    for begin, end in pairwise([*starts, len(ids)]):
        part = tuple(ids[begin:end])
        held = sum(token in marks for token in part)
        seen = len(_visuals(config, part))
        role = part[1] if len(part) > 1 else None
        closed = config.im_end_token_id in part
        if role in roles and (role == config.user_token_id or closed):
            own = None if features is None or not held else features[row : row + held]
            segments.append(Segment(part, own, tuple(grids[grid : grid + seen])))
        row, grid = row + held, grid + seen
    return segments


def placeholders(config: OmniConfig) -> set[int]:
    """The ids that stand for audio, pictures and videos."""
    talker = config.talker_config
    return {talker.audio_token_id, talker.image_token_id, talker.video_token_id}


def _visuals(config: OmniConfig, ids: Sequence[int]) -> list[int]:
    """Where images and plain videos begin: the index of their first placeholder.

    A video with its audio (vision start, then audio start) is not one of them: the
    reference gives it linear positions, because it does not tell the Talker that
    the two are interleaved.
    """
    talker = config.talker_config
    visual = {talker.image_token_id, talker.video_token_id}
    return [
        index + 1
        for index, (token, after) in enumerate(pairwise(ids))
        if token == talker.vision_start_token_id and after in visual
    ]


class Prompter:
    """Turns segments into prefill input. Used on the model thread only."""

    def __init__(self, weights: TalkerWeights) -> None:
        self._weights, self._config = weights, weights.config
        backbone = weights.backbone
        self._device, self._dtype = backbone.norm.device, backbone.norm.dtype

    def text_rows(self, ids: Sequence[int]) -> Tensor:
        """Rows of the Thinker's embedding table, (n, thinker hidden), on the device."""
        table = self._weights.text_rows
        self.check_ids(ids)
        rows = table[torch.tensor(list(ids), dtype=torch.int64)]
        return rows.to(device=self._device, dtype=self._dtype)

    def check_ids(self, ids: Sequence[int]) -> None:
        """Raise PromptError for an id outside the Thinker's vocabulary."""
        size = self._weights.text_rows.shape[0]
        for token in ids:
            if not 0 <= token < size:
                raise PromptError(f"token id {token} is outside the vocabulary of {size}")

    def piece(self, segment: Segment, start: float) -> Piece:
        """Prefill input for a segment whose first position is ``start``.

        Raises PromptError when features or grids do not fit the ids.
        """
        marks = placeholders(self._config)
        special = torch.tensor([token in marks for token in segment.ids])
        held, given = int(special.sum()), 0
        if segment.features is not None:
            width = self._config.talker_config.thinker_hidden_size
            if segment.features.ndim != 2 or segment.features.shape[1] != width:
                raise PromptError(
                    f"features are {tuple(segment.features.shape)}, expected (m, {width})"
                )
            given = segment.features.shape[0]
        if held != given:
            raise PromptError(f"{held} audio, image or video placeholders, {given} feature rows")
        backbone = self._weights.backbone
        rows = project(self.text_rows(segment.ids), backbone.text_projection)
        if segment.features is not None:
            features = segment.features.to(device=self._device, dtype=self._dtype)
            projected = project(features, backbone.hidden_projection)
            rows[special.to(self._device)] = projected
        positions = self.positions(segment.ids, segment.grids, start)
        following = float(positions.max()) + 1 if len(segment.ids) else start
        return Piece(rows, positions.to(self._device), following)

    def positions(self, ids: Sequence[int], grids: Sequence[Grid], start: float) -> Tensor:
        """TM-RoPE positions (3, n) fp32: time, height, width.

        Text and audio count up by one on all three; an image or video spreads over its
        grid, 13 time positions a second, and what follows begins after its largest.
        """
        begins = _visuals(self._config, ids)
        if len(begins) != len(grids):
            raise PromptError(f"{len(begins)} images or videos, {len(grids)} grids")
        parts, done, position = [], 0, torch.tensor(start, dtype=torch.float32)
        for begin, grid in zip(begins, grids, strict=True):
            parts.append(torch.arange(begin - done).expand(3, -1) + position)
            position = position + (begin - done)
            spread = self._spread(grid)
            end = begin + spread.shape[1]
            if tuple(ids[begin:end]) != (ids[begin],) * spread.shape[1]:
                raise PromptError(f"the placeholders at {begin} do not fill {grid}")
            parts.append(spread + position)
            position, done = parts[-1].max() + 1, end
        parts.append(torch.arange(len(ids) - done).expand(3, -1) + position)
        return torch.cat(parts, dim=1)

    def _spread(self, grid: Grid) -> Tensor:
        """Positions of a grid's merged patches (3, t h w), from zero."""
        talker = self._config.talker_config
        merge = talker.spatial_merge_size
        if grid.height % merge or grid.width % merge:
            raise PromptError(f"{grid} does not divide into {merge} x {merge} patches")
        height, width = grid.height // merge, grid.width // merge
        time = torch.arange(grid.time) * torch.tensor(grid.seconds) * talker.position_id_per_seconds
        return torch.stack(
            [
                time.float().repeat_interleave(height * width),
                torch.arange(height).float().repeat_interleave(width).repeat(grid.time),
                torch.arange(width).float().repeat(grid.time * height),
            ]
        )

    def opening(self, speaker: int, start: float) -> Piece:
        """The eight positions before the first text token, text and codec rows summed.

        im_start assistant \\n and four tts_pad, tts_bos; with nothing, nothing, nothing,
        nothink, think_bos, think_eos, the speaker and pad on the codec side. The ninth
        position, the first token with codec bos, is the first decoding step.
        """
        config, talker = self._config, self._config.talker_config
        text = [
            config.im_start_token_id, config.assistant_token_id, NEWLINE,
            *[config.tts_pad_token_id] * 4, config.tts_bos_token_id,
        ]  # fmt: skip
        codec = [
            talker.codec_nothink_id, talker.codec_think_bos_id, talker.codec_think_eos_id,
            speaker, talker.codec_pad_id,
        ]  # fmt: skip
        rows = project(self.text_rows(text), self._weights.backbone.text_projection)
        embedding = self._weights.backbone.codec_embedding
        rows[OPENING - len(codec) :] += embedding[torch.tensor(codec, device=self._device)]
        positions = torch.arange(OPENING).expand(3, -1) + torch.tensor(start, dtype=torch.float32)
        return Piece(rows, positions.to(self._device), float(positions.max()) + 1)


def system_segment(config: OmniConfig, tokens: Sequence[int]) -> Segment:
    """A Talker system segment around the prompt's tokens: our option, not the reference's."""
    head = (config.im_start_token_id, config.system_token_id, NEWLINE)
    return Segment((*head, *tokens, config.im_end_token_id, NEWLINE))


def joined(segments: Sequence[Segment]) -> Segment:
    """Segments as one, which reads the same: positions go on from segment to segment."""
    features = [segment.features for segment in segments if segment.features is not None]
    return Segment(
        tuple(token for segment in segments for token in segment.ids),
        torch.cat(features) if features else None,
        tuple(grid for segment in segments for grid in segment.grids),
    )


def rest(whole: Segment, begun: Segment) -> Segment | None:
    """What follows ``begun`` in ``whole``; None when it does not begin so.

    ``begun`` must not end within an image or video.
    """
    if whole.ids[: len(begun.ids)] != begun.ids or whole.grids[: len(begun.grids)] != begun.grids:
        return None
    rows = 0 if begun.features is None else len(begun.features)
    features = None if whole.features is None else whole.features[rows:]
    if features is not None and not len(features):
        features = None
    return Segment(whole.ids[len(begun.ids) :], features, whole.grids[len(begun.grids) :])


def split(segment: Segment, size: int, config: OmniConfig) -> Iterator[Segment]:
    """A segment in pieces of at most ``size`` positions, never cut inside an image or video."""
    marks, ends = placeholders(config), set(_visuals(config, segment.ids))
    merge = config.talker_config.spatial_merge_size**2
    begin, row, grid = 0, 0, 0
    while begin < len(segment.ids):
        end = begin
        seen = grid
        while end < len(segment.ids) and (end - begin < size or end == begin):
            if end + 1 in ends:  # vision start and its placeholders stay together
                patches = segment.grids[seen]
                end += patches.time * patches.height * patches.width // merge
                seen += 1
            end += 1
        ids = segment.ids[begin:end]
        held = sum(token in marks for token in ids)
        features = (
            None if segment.features is None or not held else segment.features[row : row + held]
        )
        yield Segment(ids, features, segment.grids[grid:seen])
        begin, row, grid = end, row + held, seen
