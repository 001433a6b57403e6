"""The model thread: order, back-pressure, cancellation, and failures that stay alone.

The model runs on its own thread, so these tests wait for what must happen and
check order and counts, never durations.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import pairwise

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
from omni_agent.engines.qwen3_omni.talker.sampling import GREEDY
from omni_agent.engines.qwen3_omni.talker.service import ServiceOptions, TalkerService, Utterance
from omni_agent.engines.qwen3_omni.talker.weights import TalkerWeights
from omni_agent.errors import EngineError, EngineUnavailable

PATIENCE = 300.0  # seconds until a test that waits for ever fails


@pytest.fixture
async def service(endless: TalkerWeights) -> AsyncIterator[TalkerService]:
    running = TalkerService(
        lambda: Runtime(endless, RuntimeOptions(slots=3, positions=256)),
        ServiceOptions(ahead_ms=400, piece=16),
    )
    await running.start()
    yield running
    await running.aclose()


async def begin(service: TalkerService, *, frames: int = 4095, text: int = 3) -> Utterance:
    utterance = await service.open("ethan", GREEDY, frame_limit=frames)
    utterance.begin()
    utterance.push(range(40, 40 + text))
    return utterance


async def collect(utterance: Utterance) -> list[Frame]:
    async with asyncio.timeout(PATIENCE):
        return [frame async for frame in utterance.frames()]


async def on_thread(service: TalkerService, read: Callable[[Runtime], object]) -> object:
    """What ``read`` sees on the model thread, between steps."""
    utterance = await service.open()
    answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()

    def work(runtime: Runtime) -> None:
        value = read(runtime)
        loop.call_soon_threadsafe(answer.set_result, value)

    service.send(utterance._line, work)
    async with asyncio.timeout(PATIENCE):
        value = await answer
    await utterance.aclose()
    return value


async def test_an_utterance_speaks_as_the_runtime_alone_does(
    service: TalkerService, endless: TalkerWeights
) -> None:
    config = endless.config
    segment = Segment((config.im_start_token_id, config.user_token_id, 198, *range(50)))
    utterance = await service.open("ethan", GREEDY, frame_limit=8)
    utterance.prefill(segment)  # 53 positions: four pieces of 16
    utterance.begin()
    for token in range(40, 50):
        utterance.push([token])
    utterance.end()
    frames = await collect(utterance)
    await utterance.aclose()

    runtime = Runtime(endless, RuntimeOptions(slots=1, positions=256))
    stream = runtime.open("ethan", GREEDY, frame_limit=8)
    runtime.prefill(stream, segment)
    runtime.begin(stream)
    runtime.push(stream, range(40, 50))
    alone = [result for _ in range(9) for result in runtime.step([stream])]
    assert len(frames) == len(alone) == 9
    for mine, other in zip(frames, alone, strict=True):
        assert isinstance(other, Frame)
        assert np.array_equal(mine.codes, other.codes)
    assert frames[-1].last


async def test_speech_is_made_only_so_far_ahead_of_its_listener(service: TalkerService) -> None:
    utterance = await begin(service)
    utterance.end()
    limit = 400 * 24  # samples

    def ahead(_: Runtime) -> int:
        return utterance._line.unplayed

    async with asyncio.timeout(PATIENCE):
        while await on_thread(service, ahead) < limit:  # type: ignore[operator]
            pass
        # At the limit: other streams come and go, and not a frame is made.
        full = await on_thread(service, ahead)
        assert isinstance(full, int)
        assert limit <= full < limit + 1920
        assert [await on_thread(service, ahead) for _ in range(10)] == [full] * 10
        frames = utterance.frames()
        for _ in range(20):  # taking makes room
            await anext(frames)
        await frames.aclose()
    await utterance.aclose()


async def test_streams_speak_together(service: TalkerService) -> None:
    utterances = [await begin(service, frames=12) for _ in range(3)]
    for utterance in utterances:
        utterance.end()
    spoken = await asyncio.gather(*(collect(utterance) for utterance in utterances))
    assert [len(frames) for frames in spoken] == [13] * 3
    for frames in spoken[1:]:
        assert np.array_equal(frames[5].codes, spoken[0][5].codes)


async def test_cancelling_frees_the_slot_within_one_step(
    service: TalkerService, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, freed_at = 0, []
    step, close = Runtime.step, Runtime.close

    def counted(runtime: Runtime, streams: list) -> list:  # type: ignore[type-arg]
        nonlocal steps
        steps += 1
        return step(runtime, streams)

    def noted(runtime: Runtime, stream: Stream) -> None:
        freed_at.append(steps)
        close(runtime, stream)

    monkeypatch.setattr(Runtime, "step", counted)
    monkeypatch.setattr(Runtime, "close", noted)
    speaking = [await begin(service) for _ in range(3)]
    for utterance in speaking:
        utterance.end()
    with pytest.raises(NoFreeSlot):
        await service.open()
    frames = speaking[0].frames()
    await anext(frames)
    await frames.aclose()
    with service._wake:  # so that no step is decided on between these two lines
        before, freed = steps, service.cancel(speaking[0]._line)
    await freed
    assert freed_at[0] - before <= 1
    again = await service.open()  # at once
    await again.aclose()
    for utterance in speaking[1:]:
        await utterance.aclose()
    assert await on_thread(service, lambda runtime: runtime.free_slots) == 2


async def test_cancelling_does_not_wait_for_the_rest_of_a_long_prompt(
    service: TalkerService, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, release = threading.Event(), threading.Event()
    pieces = 0
    prefill = Runtime.prefill

    def slow(runtime: Runtime, stream: object, segment: Segment) -> None:
        nonlocal pieces
        pieces += 1
        started.set()
        assert release.wait(PATIENCE)
        prefill(runtime, stream, segment)  # type: ignore[arg-type]

    monkeypatch.setattr(Runtime, "prefill", slow)
    utterance = await service.open()
    utterance.prefill(Segment(tuple(range(160))))  # ten pieces
    assert await asyncio.to_thread(started.wait, PATIENCE)
    closing = asyncio.ensure_future(utterance.aclose())
    await asyncio.sleep(0)
    release.set()
    async with asyncio.timeout(PATIENCE):
        await closing
    assert pieces == 1


async def test_a_long_prompt_lets_others_speak_between_its_pieces(
    service: TalkerService, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    prefill, step = Runtime.prefill, Runtime.step

    def noted_prefill(runtime: Runtime, stream: object, segment: Segment) -> None:
        order.append("read")
        prefill(runtime, stream, segment)  # type: ignore[arg-type]

    def noted_step(runtime: Runtime, streams: list) -> list:  # type: ignore[type-arg]
        order.append("step")
        return step(runtime, streams)

    speaker = await begin(service, frames=200)
    speaker.end()
    listener = asyncio.ensure_future(collect(speaker))
    monkeypatch.setattr(Runtime, "prefill", noted_prefill)
    monkeypatch.setattr(Runtime, "step", noted_step)
    reader = await service.open("ethan", GREEDY, frame_limit=2)
    reader.prefill(Segment(tuple(range(80))))  # five pieces
    reader.begin()
    reader.push([40])
    reader.end()
    assert len(await collect(reader)) == 3
    reads = [index for index, what in enumerate(order) if what == "read"]
    assert len(reads) == 5
    assert all("step" in order[a:b] for a, b in pairwise(reads))
    await reader.aclose()
    await speaker.aclose()
    listener.cancel()


async def test_text_that_comes_faster_than_it_is_taken_holds_up_nobody(
    service: TalkerService,
) -> None:
    speaking = await begin(service, frames=3, text=6)
    flooding = await service.open("ethan", GREEDY)
    flooding.begin()

    def flood(runtime: Runtime) -> None:
        service.send(flooding._line, flood)  # there is always one command more

    service.send(flooding._line, flood)
    assert len(await collect(speaking)) == 4  # the last one ends the sound
    await flooding.aclose()
    await speaking.aclose()


async def test_a_bad_token_ends_its_own_stream_only(service: TalkerService) -> None:
    good, bad = await begin(service, frames=6), await begin(service)
    bad.push([10**9])
    with pytest.raises(PromptError, match="outside the vocabulary"):
        await collect(bad)
    good.end()
    assert len(await collect(good)) == 7
    await bad.aclose()
    await good.aclose()


async def test_a_stream_that_fails_in_a_step_ends_with_its_own_error(
    service: TalkerService, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = await begin(service, frames=6), await begin(service)
    step = Runtime.step

    def failing(runtime: Runtime, streams: list) -> list:  # type: ignore[type-arg]
        out = step(runtime, [stream for stream in streams if stream is not bad._line.stream])
        if bad._line.stream in streams:
            runtime.close(bad._line.stream)
            out.append(Failure(bad._line.stream, RuntimeError("broken row")))
        return out

    monkeypatch.setattr(Runtime, "step", failing)
    bad.end()
    with pytest.raises(EngineError, match="broken row"):
        await collect(bad)
    good.end()
    assert len(await collect(good)) == 7


async def test_running_out_of_memory_refuses_that_stream_clearly(
    service: TalkerService, monkeypatch: pytest.MonkeyPatch
) -> None:
    speaking = await begin(service, frames=6)

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    with monkeypatch.context() as patch:
        patch.setattr(Runtime, "open", full)
        with pytest.raises(EngineError, match="out of GPU memory: this stream is refused"):
            await service.open()
        patch.setattr(Runtime, "prefill", full)
    with monkeypatch.context() as patch:
        patch.setattr(Runtime, "prefill", full)
        refused = await service.open()
        refused.prefill(Segment((1, 2, 3)))
        with pytest.raises(EngineError, match="out of GPU memory"):
            await collect(refused)
    speaking.end()
    assert len(await collect(speaking)) == 7


async def test_a_model_thread_that_dies_tells_everyone(
    service: TalkerService, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the device is gone")

    monkeypatch.setattr(Runtime, "step", broken)
    waiting = await service.open()
    utterance = await begin(service)
    for line in (utterance, waiting):
        with pytest.raises(EngineError, match="the device is gone"):
            await collect(line)
    with pytest.raises(EngineUnavailable):
        await service.open()
    await utterance.aclose()
    assert "model thread failed" in caplog.text


@pytest.mark.parametrize("where", ["prefill", "open", "step"])
async def test_a_lost_gpu_ends_every_stream_because_no_later_one_could_speak(
    service: TalkerService, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    error = torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    def lost(runtime: Runtime, streams: Sequence[Stream] = (), *_: object, **__: object) -> object:
        if where == "step":  # told row by row
            return [Failure(stream, error) for stream in streams]
        raise error

    other = await service.open()
    with monkeypatch.context() as patch:
        patch.setattr(Runtime, where, lost)
        if where == "prefill":
            other.prefill(Segment((1, 2)))
        elif where == "open":
            with pytest.raises(EngineUnavailable, match="the GPU failed"):
                await service.open()
        else:
            await begin(service)
        with pytest.raises(EngineUnavailable, match="the GPU failed"):
            await collect(other)
    with pytest.raises(EngineUnavailable):
        await service.open()


async def test_closing_the_service_ends_open_utterances(endless: TalkerWeights) -> None:
    service = TalkerService(lambda: Runtime(endless, RuntimeOptions(slots=1, positions=64)))
    await service.start()
    utterance = await service.open()
    await service.aclose()
    with pytest.raises(EngineUnavailable):
        await collect(utterance)
    await utterance.aclose()
    await service.aclose()


async def test_what_stops_the_start_is_raised_there() -> None:
    def build() -> Runtime:
        raise EngineError("no such checkpoint")

    service = TalkerService(build)
    with pytest.raises(EngineError, match="no such checkpoint"):
        await service.start()
    with pytest.raises(EngineUnavailable):
        await service.open()


async def test_a_model_that_does_not_fit_says_so_at_the_start() -> None:
    def build() -> Runtime:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(EngineUnavailable, match="fewer slots or positions would fit"):
        await TalkerService(build).start()


async def test_the_event_loop_turns_while_the_model_steps(
    service: TalkerService, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, release = threading.Event(), threading.Event()
    step = Runtime.step

    def blocked(runtime: Runtime, streams: list) -> list:  # type: ignore[type-arg]
        inside.set()
        assert release.wait(PATIENCE)
        return step(runtime, streams)

    monkeypatch.setattr(Runtime, "step", blocked)
    utterance = await begin(service)
    assert await asyncio.to_thread(inside.wait, PATIENCE)
    utterance.push([45])  # neither blocks nor is lost
    utterance.end()
    release.set()
    frames = utterance.frames()
    for index in range(4):
        assert (await anext(frames)).token == index
    await frames.aclose()
    await utterance.aclose()


async def test_500_openings_and_cancellations_leave_no_line_behind(service: TalkerService) -> None:
    for _ in range(500):
        utterance = await service.open()
        await utterance.aclose()
    opening = [asyncio.ensure_future(service.open()) for _ in range(3)]
    await asyncio.sleep(0)
    for task in opening:
        task.cancel()
    await asyncio.gather(*opening, return_exceptions=True)
    assert await on_thread(service, lambda runtime: runtime.free_slots) == 2
    assert not service._lines
