"""Slots, joining and leaving, and that nobody's speech depends on anybody else's."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch

from omni_agent.engines.qwen3_omni.talker.prompt import PromptError, Segment
from omni_agent.engines.qwen3_omni.talker.runtime import (
    Failure,
    Frame,
    NoFreeSlot,
    Runtime,
    RuntimeOptions,
    Stream,
)
from omni_agent.engines.qwen3_omni.talker.sampling import GREEDY, TalkerSampling
from omni_agent.engines.qwen3_omni.talker.weights import TalkerWeights
from omni_agent.errors import EngineError

SAMPLED = TalkerSampling(seed=11)


def user(weights: TalkerWeights, *words: int) -> Segment:
    config = weights.config
    head = (config.im_start_token_id, config.user_token_id, 198)
    return Segment((*head, *words, config.im_end_token_id, 198))


def begin(
    runtime: Runtime,
    weights: TalkerWeights,
    words: tuple[int, ...] = (20, 21, 22),
    sampling: TalkerSampling = SAMPLED,
    frame_limit: int = 4095,
) -> Stream:
    stream = runtime.open("ethan", sampling, frame_limit=frame_limit)
    runtime.prefill(stream, user(weights, *words))
    runtime.begin(stream)
    return stream


def speak_alone(
    weights: TalkerWeights, sampling: TalkerSampling, widths: tuple[int, ...], frames: int
) -> list[Frame]:
    runtime = Runtime(weights, RuntimeOptions(slots=8, positions=128, widths=widths))
    stream = begin(runtime, weights, sampling=sampling, frame_limit=frames)
    runtime.push(stream, range(40, 60))
    runtime.end(stream)
    out: list[Frame] = []
    while stream.open:
        out += [frame for frame in runtime.step([stream]) if isinstance(frame, Frame)]
    return out


class Crowd:
    """Up to seven other streams that join, stall, are cancelled and end at random."""

    def __init__(self, runtime: Runtime, weights: TalkerWeights, seed: int) -> None:
        self.runtime, self.weights = runtime, weights
        self.random = np.random.default_rng(seed)
        self.streams: list[Stream] = []
        self.joined = 0

    def stir(self) -> list[Stream]:
        random, runtime = self.random, self.runtime
        self.streams = [stream for stream in self.streams if stream.open]
        if len(self.streams) < 7 and random.random() < 0.6:
            words = tuple(int(word) for word in random.integers(0, 250, random.integers(1, 20)))
            sampling = TalkerSampling(seed=int(random.integers(1 << 30)))
            self.streams.append(begin(runtime, self.weights, words, sampling))
            self.joined += 1
        for stream in self.streams:
            action = random.random()
            if action < 0.5 and not stream.text_ended:
                runtime.push(stream, [int(random.integers(0, 250))])
            elif action < 0.55:
                runtime.end(stream)
            elif action < 0.65:
                runtime.close(stream)
        return [stream for stream in self.streams if random.random() < 0.8]


@pytest.mark.parametrize("widths", [(1,), (8,)])
@pytest.mark.parametrize(
    ("stored", "sampling"),
    [("endless", GREEDY), ("endless", SAMPLED), ("endless_bf16", SAMPLED)],
    ids=["greedy", "sampled", "bf16"],
)
def test_a_stream_sounds_the_same_alone_and_in_a_crowd_to_the_last_bit(
    stored: str,
    sampling: TalkerSampling,
    widths: tuple[int, ...],
    request: pytest.FixtureRequest,
) -> None:
    endless: TalkerWeights = request.getfixturevalue(stored)
    alone = speak_alone(endless, sampling, widths, frames=30)
    for seed in (1, 2):
        runtime = Runtime(endless, RuntimeOptions(slots=8, positions=128, widths=widths))
        crowd = Crowd(runtime, endless, seed)
        for _ in range(5):
            runtime.step(crowd.stir())
        stream = begin(runtime, endless, sampling=sampling, frame_limit=30)
        text, out = list(range(40, 60)), []
        while stream.open:
            others = crowd.stir()
            if text and crowd.random.random() < 0.7:
                runtime.push(stream, [text.pop(0)])
                if not text:
                    runtime.end(stream)
            batch = [*others, stream]
            crowd.random.shuffle(batch)
            made = runtime.step(batch)
            assert not [result for result in made if isinstance(result, Failure)]
            out += [frame for frame in made if isinstance(frame, Frame) and frame.stream is stream]
        assert crowd.joined > 8, "the crowd must be one"
        assert len(out) == len(alone) == 31
        for mine, other in zip(alone, out, strict=True):
            assert np.array_equal(mine.codes, other.codes)
            assert np.array_equal(mine.samples, other.samples)


def test_batch_buckets_change_nothing_but_rounding(endless: TalkerWeights) -> None:
    alone = speak_alone(endless, GREEDY, (1,), frames=12)
    runtime = Runtime(endless, RuntimeOptions(slots=8, positions=128, widths=(1, 2, 4, 8)))
    streams = [begin(runtime, endless, sampling=GREEDY, frame_limit=12) for _ in range(5)]
    for stream in streams:
        runtime.push(stream, range(40, 60))
    out = [result for _ in range(13) for result in runtime.step(streams)]
    for stream in streams:
        frames = [frame for frame in out if isinstance(frame, Frame) and frame.stream is stream]
        for mine, other in zip(alone, frames, strict=True):
            assert np.array_equal(mine.codes, other.codes)
            assert np.abs(mine.samples - other.samples).max() < 1e-4


def test_the_same_seed_speaks_the_same_and_another_does_not(endless: TalkerWeights) -> None:
    def codes(seed: int) -> np.ndarray:
        frames = speak_alone(endless, TalkerSampling(seed=seed), (1,), 8)
        return np.stack([frame.codes for frame in frames[:-1]])

    assert np.array_equal(codes(3), codes(3))
    assert not np.array_equal(codes(3), codes(4))


def test_a_step_without_its_text_token_stalls_instead_of_padding(endless: TalkerWeights) -> None:
    runtime = Runtime(endless, RuntimeOptions(slots=1, positions=128))
    stream = begin(runtime, endless)
    assert runtime.step([stream]) == []
    runtime.push(stream, [40, 41])
    made = [runtime.step([stream]) for _ in range(4)]
    assert [len(results) for results in made] == [1, 1, 0, 0]
    assert stream.stalled
    runtime.end(stream)
    assert stream.ready


def test_each_frame_tells_which_text_token_it_read(endless: TalkerWeights) -> None:
    frames = speak_alone(endless, GREEDY, (1,), frames=25)
    assert [frame.token for frame in frames] == [*range(20), *[20] * 6]
    assert [frame.index for frame in frames] == list(range(26))


def test_frames_have_1365_then_1920_samples_and_the_end_555(endless: TalkerWeights) -> None:
    frames = speak_alone(endless, GREEDY, (1,), frames=4)
    assert [len(frame.samples) for frame in frames] == [1365, 1920, 1920, 1920, 555]
    assert [frame.last for frame in frames] == [False] * 4 + [True]


def test_an_empty_text_ends_without_a_sound(endless: TalkerWeights) -> None:
    runtime = Runtime(endless, RuntimeOptions(slots=1, positions=128))
    stream = begin(runtime, endless)
    runtime.end(stream)
    (end,) = runtime.step([stream])
    assert isinstance(end, Frame)
    assert (end.last, len(end.samples), runtime.free_slots) == (True, 0, 1)


def test_text_is_spoken_without_any_prompt(endless: TalkerWeights) -> None:
    runtime = Runtime(endless, RuntimeOptions(slots=1, positions=128))
    stream = runtime.open(sampling=GREEDY)
    runtime.begin(stream)
    runtime.push(stream, [40])
    (frame,) = runtime.step([stream])
    assert isinstance(frame, Frame)
    assert len(frame.codes) == 16


def test_a_stream_ends_where_its_cache_does(endless: TalkerWeights) -> None:
    runtime = Runtime(endless, RuntimeOptions(slots=1, positions=64))
    stream = begin(runtime, endless)
    runtime.push(stream, [40])
    runtime.end(stream)
    frames = [result for _ in range(70) for result in runtime.step([stream])]
    prompt = 8 + 8  # the user segment and the opening up to the first token
    assert len(frames) == 64 - prompt + 1
    assert isinstance(frames[-1], Frame)
    assert frames[-1].last


def test_a_prompt_that_does_not_fit_is_refused_and_leaves_the_stream_usable(
    endless: TalkerWeights,
) -> None:
    runtime = Runtime(endless, RuntimeOptions(slots=1, positions=64))
    stream = runtime.open()
    with pytest.raises(PromptError, match="needs 65 more positions and 55 of 64"):
        runtime.prefill(stream, user(endless, *range(60)))
    runtime.begin(stream)
    assert stream.length == 8


def test_a_full_house_refuses_and_a_leaving_stream_makes_room(endless: TalkerWeights) -> None:
    runtime = Runtime(endless, RuntimeOptions(slots=2, positions=64))
    first, _ = runtime.open(), runtime.open()
    with pytest.raises(NoFreeSlot, match="all 2 Talker slots"):
        runtime.open()
    runtime.close(first)
    assert runtime.open().slot == first.slot


def test_an_unknown_speaker_is_named_with_those_there_are(endless: TalkerWeights) -> None:
    runtime = Runtime(endless, RuntimeOptions(slots=1, positions=64))
    with pytest.raises(EngineError, match=r"'bob'.*aiden, chelsie, ethan"):
        runtime.open("bob")
    assert runtime.free_slots == 1


def test_a_reused_slot_remembers_nothing(endless: TalkerWeights) -> None:
    fresh = speak_alone(endless, SAMPLED, (1,), frames=10)
    runtime = Runtime(endless, RuntimeOptions(slots=1, positions=128))
    other = begin(runtime, endless, (1, 2, 3, 4, 5, 6, 7), TalkerSampling(seed=99))
    runtime.push(other, range(100, 120))
    for _ in range(15):
        runtime.step([other])
    runtime.close(other)
    stream = begin(runtime, endless, frame_limit=10)
    runtime.push(stream, range(40, 60))
    again = [result for _ in range(11) for result in runtime.step([stream])]
    for mine, other_frame in zip(fresh, again, strict=True):
        assert isinstance(other_frame, Frame)
        assert np.array_equal(mine.codes, other_frame.codes)
        assert np.array_equal(mine.samples, other_frame.samples)


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
def test_a_failing_stream_ends_alone(endless: TalkerWeights, sampling: TalkerSampling) -> None:
    runtime = Runtime(endless, RuntimeOptions(slots=3, positions=128, widths=(4,)))
    streams = [begin(runtime, endless, sampling=sampling) for _ in range(3)]
    for stream in streams:
        runtime.push(stream, range(40, 60))
    runtime.step(streams)
    # A poisoned cache: not-a-number reaches this stream's logits and no other's.
    runtime._stepper.cache.values[:, streams[1].slot] = torch.nan
    results = {result.stream: result for result in runtime.step(streams)}
    failure = results[streams[1]]
    assert isinstance(failure, Failure)
    assert "not finite" in str(failure.error)
    assert isinstance(results[streams[0]], Frame)
    assert isinstance(results[streams[2]], Frame)
    assert runtime.free_slots == 1


def test_a_row_that_raises_does_not_take_its_batch_down(
    endless: TalkerWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = Runtime(endless, RuntimeOptions(slots=3, positions=128, widths=(4,)))
    reference = speak_alone(endless, GREEDY, (4,), frames=2)
    streams = [begin(runtime, endless, sampling=GREEDY) for _ in range(3)]
    for stream in streams:
        runtime.push(stream, range(40, 60))
    run = runtime._batches._run_codes
    bad = streams[2].slot

    def run_codes(jobs, width):  # type: ignore[no-untyped-def]
        if any(job.slot == bad for job in jobs):
            raise RuntimeError("device assert")
        return run(jobs, width)

    monkeypatch.setattr(runtime._batches, "_run_codes", run_codes)
    results = {result.stream: result for result in runtime.step(streams)}
    assert isinstance(results[streams[2]], Failure)
    for stream in streams[:2]:
        frame = results[stream]
        assert isinstance(frame, Frame)
        assert np.array_equal(frame.codes, reference[0].codes)


def test_500_openings_and_cancellations_leave_nothing_behind(endless: TalkerWeights) -> None:
    runtime = Runtime(endless, RuntimeOptions(slots=4, positions=64))

    def cycle() -> None:
        stream = begin(runtime, endless)
        runtime.push(stream, [40, 41])
        runtime.step([stream])
        runtime.close(stream)

    def held() -> tuple[int, int]:
        gc.collect()
        storages = {
            tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
            for tensor in gc.get_objects()
            if type(tensor) is torch.Tensor and tensor.layout is torch.strided  # oneDNN's hide it
        }
        return len(storages), sum(storages.values())

    for _ in range(20):
        cycle()
    before = held()
    for _ in range(500):
        cycle()
    assert held() == before
    assert runtime.free_slots == 4
    streams = [kept for kept in gc.get_objects() if type(kept) is Stream]
    assert streams == []
