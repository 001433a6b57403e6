"""What the Talker sees of a conversation, and where."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from omni_agent.engines.qwen3_omni.talker.prompt import (
    Grid,
    Prompter,
    PromptError,
    Segment,
    split,
    system_segment,
    talker_view,
)
from omni_agent.engines.qwen3_omni.talker.runtime import Frame, Runtime, RuntimeOptions
from omni_agent.engines.qwen3_omni.talker.sampling import GREEDY
from omni_agent.engines.qwen3_omni.talker.weights import TalkerWeights


def turn(weights: TalkerWeights, role: str, *body: int) -> list[int]:
    config = weights.config
    head = [config.im_start_token_id, getattr(config, f"{role}_token_id"), 198]
    return [*head, *body, config.im_end_token_id, 198]


def conversation(weights: TalkerWeights) -> list[int]:
    config = weights.config
    return [
        *turn(weights, "system", 1, 2),
        *turn(weights, "user", 3),
        *turn(weights, "assistant", 4, 5),
        *turn(weights, "user", 6),
        config.im_start_token_id,
        config.assistant_token_id,
        198,
    ]


def codes(weights: TalkerWeights, segments: list[Segment]) -> np.ndarray:
    runtime = Runtime(weights, RuntimeOptions(slots=1, positions=256))
    stream = runtime.open("ethan", GREEDY, frame_limit=6)
    for segment in segments:
        runtime.prefill(stream, segment)
    runtime.begin(stream)
    runtime.push(stream, range(40, 50))
    made = [result for _ in range(6) for result in runtime.step([stream])]
    return np.stack([frame.codes for frame in made if isinstance(frame, Frame)])


def test_only_user_turns_are_seen_as_in_the_reference(weights: TalkerWeights) -> None:
    seen = talker_view(weights.config, conversation(weights))
    assert [list(segment.ids) for segment in seen] == [
        turn(weights, "user", 3),
        turn(weights, "user", 6),
    ]


def test_past_assistant_turns_are_seen_when_asked_for_and_the_open_one_never(
    weights: TalkerWeights,
) -> None:
    seen = talker_view(weights.config, conversation(weights), past_assistant=True)
    assert [list(segment.ids) for segment in seen] == [
        turn(weights, "user", 3),
        turn(weights, "assistant", 4, 5),
        turn(weights, "user", 6),
    ]


def test_a_talker_prompt_changes_the_speech_and_its_absence_does_not(
    endless: TalkerWeights,
) -> None:
    seen = talker_view(endless.config, conversation(endless))
    plain = codes(endless, seen)
    assert np.array_equal(plain, codes(endless, seen))
    prompted = codes(endless, [system_segment(endless.config, [9, 9, 9]), *seen])
    assert not np.array_equal(plain, prompted)
    assert list(system_segment(endless.config, [1, 2]).ids) == turn(endless, "system", 1, 2)


def test_speakers_sound_different(endless: TalkerWeights) -> None:
    made = set()
    for speaker in ("chelsie", "Ethan", "aiden"):
        runtime = Runtime(endless, RuntimeOptions(slots=1, positions=64))
        stream = runtime.open(speaker, GREEDY)
        runtime.begin(stream)
        runtime.push(stream, [40, 41, 42])
        frames = [result for _ in range(3) for result in runtime.step([stream])]
        made.add(b"".join(frame.codes.tobytes() for frame in frames if isinstance(frame, Frame)))
    assert len(made) == 3


def test_positions_of_text_count_up_on_every_axis(weights: TalkerWeights) -> None:
    positions = Prompter(weights).positions([1, 2, 3], (), 5.0)
    assert positions.tolist() == [[5.0, 6.0, 7.0]] * 3


def test_positions_of_a_video_spread_over_time_height_and_width(weights: TalkerWeights) -> None:
    talker = weights.config.talker_config
    ids = [1, talker.vision_start_token_id, *[talker.video_token_id] * 8, 2]
    grid = Grid(2, 4, 4, seconds=2.0)
    time, height, width = Prompter(weights).positions(ids, (grid,), 0.0).tolist()
    assert time == [0, 1, 2, 2, 2, 2, 28, 28, 28, 28, 29]
    assert height == [0, 1, 2, 2, 3, 3, 2, 2, 3, 3, 29]
    assert width == [0, 1, 2, 3, 2, 3, 2, 3, 2, 3, 29]


def test_video_with_its_audio_counts_up_as_in_the_reference(weights: TalkerWeights) -> None:
    talker = weights.config.talker_config
    ids = [
        talker.vision_start_token_id, talker.audio_start_token_id,
        talker.video_token_id, talker.audio_token_id, talker.video_token_id, 5,
    ]  # fmt: skip
    assert Prompter(weights).positions(ids, (), 0.0)[0].tolist() == [0, 1, 2, 3, 4, 5]


def features(weights: TalkerWeights, rows: int) -> torch.Tensor:
    return torch.zeros(rows, weights.config.talker_config.thinker_hidden_size)


def test_features_and_grids_must_fit_the_ids(weights: TalkerWeights) -> None:
    talker = weights.config.talker_config
    audio = (talker.audio_start_token_id, talker.audio_token_id, talker.audio_token_id)
    image = (talker.vision_start_token_id, *[talker.image_token_id] * 4)
    grid = Grid(1, 4, 4)
    prompter = Prompter(weights)
    wrong = [
        (Segment(audio), "2 audio, image or video placeholders, 0 feature rows"),
        (Segment(audio, features(weights, 3)), "2 audio.*3 feature rows"),
        (Segment(audio, torch.zeros(2, 5)), r"features are \(2, 5\)"),
        (Segment((1, 2), features(weights, 1)), "0 audio.*1 feature rows"),
        (Segment(image, features(weights, 4)), "1 images or videos, 0 grids"),
        (Segment(image, features(weights, 4), (Grid(1, 4, 6),)), "do not fill"),
        (Segment(image, features(weights, 4), (Grid(1, 3, 4),)), "does not divide"),
        (Segment((1, 10**9)), "outside the vocabulary"),
        (Segment((-1,)), "outside the vocabulary"),
    ]
    for segment, message in wrong:
        with pytest.raises(PromptError, match=message):
            prompter.piece(segment, 0.0)
    prompter.piece(Segment(image, features(weights, 4), (grid,)), 0.0)


def test_a_grid_needs_patches_and_a_pace() -> None:
    for wrong in ((0, 2, 2, 1.0), (1, 2, 2, 0.0), (1, 2, 2, float("nan"))):
        with pytest.raises(PromptError):
            Grid(*wrong)


def test_a_segment_splits_anywhere_but_inside_an_image(weights: TalkerWeights) -> None:
    talker = weights.config.talker_config
    ids = (1, 2, talker.vision_start_token_id, *[talker.image_token_id] * 4, 3, 4)
    segment = Segment(ids, features(weights, 4), (Grid(1, 4, 4),))
    for size in range(1, 12):
        pieces = list(split(segment, size, weights.config))
        assert sum((piece.ids for piece in pieces), ()) == ids
        (whole,) = [piece for piece in pieces if piece.grids]
        assert whole.features is not None
        assert whole.features.shape[0] == 4
        assert all(piece.features is None for piece in pieces if piece is not whole)
