"""The Talker reads along while its user speaks, and says the same as one that did not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.engines.qwen3_omni.features import PromptFeatures
from omni_agent.engines.qwen3_omni.shelf import Rows
from omni_agent.engines.qwen3_omni.talker import ahead
from omni_agent.engines.qwen3_omni.talker.config import OmniConfig, read_config
from omni_agent.engines.qwen3_omni.talker.engine import QwenTalker, start_talker
from omni_agent.engines.qwen3_omni.talker.prompt import Grid, Segment, joined, rest
from omni_agent.engines.qwen3_omni.talker.runtime import NoFreeSlot, RuntimeOptions
from omni_agent.engines.qwen3_omni.talker.sampling import GREEDY
from omni_agent.talker import Voice

TEXT = "Hello there."
TOOL_RESPONSE = 299


@pytest.fixture
async def talker(checkpoint: Path) -> AsyncIterator[QwenTalker]:
    started = await start_talker(
        checkpoint, device="cpu", sampling=GREEDY, runtime=RuntimeOptions(slots=2, positions=256)
    )
    yield started
    await started.aclose()


@pytest.fixture(scope="module")
def config(checkpoint: Path) -> OmniConfig:
    return read_config(checkpoint)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(6))


def handed(states: torch.Tensor) -> Rows:
    return Rows(len(states), states.shape[1], 4, bytearray(states.numpy().tobytes()))


class Turns:
    """Prompts as the Thinker reads them: token ids and rows, of a conversation that grows."""

    def __init__(self, config: OmniConfig) -> None:
        self.config, self.talker = config, config.talker_config
        self.rows = noise(500, self.talker.thinker_hidden_size)

    def user(self, *, pads: int, closed: bool = True, head: tuple[int, ...] = ()) -> list[int]:
        c = self.config
        ids = [c.im_start_token_id, c.user_token_id, 198, *head, self.talker.audio_start_token_id]
        ids += [self.talker.audio_token_id] * pads
        return [*ids, 250, c.im_end_token_id, 198] if closed else ids

    def assistant(self) -> list[int]:
        c = self.config
        return [c.im_start_token_id, c.assistant_token_id, 198, 20, 21, c.im_end_token_id, 198]

    def features(self, *turns: list[int], states: bool = True) -> PromptFeatures:
        ids = tuple(token for turn in turns for token in turn)
        held = ids.count(self.talker.audio_token_id)
        rows = handed(self.rows[:held]) if states and held else None
        return PromptFeatures("item_1", ids, rows)


@pytest.fixture(scope="module")
def turns(config: OmniConfig) -> Turns:
    return Turns(config)


async def one(text: str) -> AsyncIterator[str]:
    yield text


async def say(
    talker: QwenTalker, features: PromptFeatures | None, prompt: str = "Slowly."
) -> bytes:
    voice = Voice(prompt=prompt, features=features)
    async with asyncio.timeout(300):
        speech = [piece.audio.pcm async for piece in talker.speak(one(TEXT), voice)]
    return np.concatenate(speech).tobytes()


async def read(talker: QwenTalker, features: PromptFeatures, prompt: str = "Slowly.") -> None:
    await talker.prepare(Voice(prompt=prompt, features=features))


def open_slots(talker: QwenTalker) -> int:
    return len(talker._ahead._ahead)


async def test_what_was_read_ahead_changes_nothing_that_is_said(
    talker: QwenTalker, turns: Turns
) -> None:
    before = [turns.user(pads=5), turns.assistant()]
    whole = turns.features(*before, turns.user(pads=40))
    at_once = await say(talker, whole)
    for pads in (0, 13, 26, 39):
        await read(talker, turns.features(*before, turns.user(pads=pads, closed=False)))
        assert open_slots(talker) == 1
    assert await say(talker, whole) == at_once
    assert open_slots(talker) == 0
    assert at_once != await say(talker, None)


async def test_a_prompt_that_does_not_go_on_from_it_is_read_afresh(
    talker: QwenTalker, turns: Turns
) -> None:
    other = turns.features(turns.user(pads=7, head=(30, 31)))
    at_once = await say(talker, other)
    await read(talker, turns.features(turns.user(pads=7, head=(40,))))
    assert await say(talker, other) == at_once
    await read(talker, turns.features(turns.user(pads=7, head=(40,))))
    await read(talker, other)
    assert await say(talker, other) == at_once


async def test_another_voice_does_not_take_over_what_was_read(
    talker: QwenTalker, turns: Turns
) -> None:
    features = turns.features(turns.user(pads=3))
    loud = await say(talker, features, "Loud.")
    await read(talker, features, "Slowly.")
    assert await say(talker, features, "Loud.") == loud


async def test_reading_ahead_gives_way_to_speech(talker: QwenTalker, turns: Turns) -> None:
    features = turns.features(turns.user(pads=3))
    for number in range(5):  # more conversations than slots
        await read(talker, replace(features, conversation=f"item_{number}"))
    assert open_slots(talker) == 2
    async with asyncio.timeout(300):
        await asyncio.gather(say(talker, None), say(talker, None))
    assert open_slots(talker) == 0


async def test_a_full_house_refuses_speech_and_skips_reading(
    talker: QwenTalker, turns: Turns
) -> None:
    speaking = [talker.speak(one(TEXT), Voice()) for _ in range(2)]
    for speech in speaking:
        await anext(speech)
    await read(talker, turns.features(turns.user(pads=3)))
    assert open_slots(talker) == 0
    with pytest.raises(NoFreeSlot):
        await say(talker, None)
    for speech in speaking:
        await speech.aclose()  # type: ignore[attr-defined]  # a generator


async def test_nobody_came_so_the_slot_is_given_back(
    talker: QwenTalker, turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "_EXPIRES_S", 0.0)
    for _ in range(3):  # more often than there are slots
        await read(talker, turns.features(turns.user(pads=3)))
        async with asyncio.timeout(300):
            while open_slots(talker) or talker._ahead._closing:  # noqa: ASYNC110  # by looking
                await asyncio.sleep(0)


async def test_without_states_the_talker_reads_the_words_alone(
    talker: QwenTalker, turns: Turns
) -> None:
    assert await say(talker, turns.features(turns.user(pads=4), states=False))


def test_results_of_tools_and_the_assistants_turns_are_not_in_view(
    config: OmniConfig, turns: Turns
) -> None:
    user = turns.user(pads=2)
    result = turns.user(pads=0, head=(TOOL_RESPONSE, 50))
    features = turns.features(user, turns.assistant(), result)
    seen = ahead.view(config, features, TOOL_RESPONSE, 1000)
    assert list(seen.ids) == user
    assert seen.features is not None
    assert torch.equal(seen.features, turns.rows[:2])


def test_videos_in_view_keep_the_time_between_their_pictures(config: OmniConfig) -> None:
    ids, talker = config, config.talker_config

    def turn(*patches: int) -> list[int]:
        pads = [talker.video_token_id] * (patches[0] * patches[1] * patches[2] // 4)
        return [ids.im_start_token_id, ids.user_token_id, 198, talker.vision_start_token_id, *pads]

    shown = (*turn(2, 4, 2), *turn(3, 2, 2))
    rows = handed(noise(7, talker.thinker_hidden_size))
    features = PromptFeatures("item_1", shown, rows, ((2, 4, 2, 0.5), (3, 2, 2, 2.0)))
    seen = ahead.view(config, features, TOOL_RESPONSE, 1000)
    assert seen.ids == shown
    assert seen.grids == (Grid(2, 4, 2, seconds=0.5), Grid(3, 2, 2, seconds=2.0))


def test_the_oldest_turns_leave_a_view_that_is_too_small(config: OmniConfig, turns: Turns) -> None:
    said = [turns.user(pads=2, head=(number,)) for number in range(11)]
    seen = ahead.view(config, turns.features(*said), TOOL_RESPONSE, 4 * len(said[0]))
    assert list(seen.ids) == [token for turn in said[8:] for token in turn]
    assert seen.features is not None
    assert torch.equal(seen.features, turns.rows[16:22])


def test_of_a_turn_that_is_too_long_alone_the_end_stays_in_view(
    config: OmniConfig, turns: Turns
) -> None:
    turn = turns.user(pads=400)
    seen = ahead.view(config, turns.features(turn), TOOL_RESPONSE, 103)
    assert seen.features is not None
    assert 50 < len(seen.features) <= 100
    assert list(seen.ids) == turn[:3] + turn[3 - len(seen.ids) :]
    assert torch.equal(seen.features, turns.rows[:400][-len(seen.features) :])


def test_a_turn_that_grows_too_long_is_seldom_read_afresh(config: OmniConfig, turns: Turns) -> None:
    def seen(pads: int) -> Segment:
        features = turns.features(turns.user(pads=pads, closed=False))
        return ahead.view(config, features, TOOL_RESPONSE, 103)

    views = [seen(pads) for pads in range(1, 400)]
    assert max(len(view.ids) for view in views) <= 103
    afresh = [rest(after, before) is None for before, after in pairwise(views)]
    assert sum(afresh) == 7  # at 104 positions, and at every 50th from 151 on


def test_items_whose_states_were_not_handed_over_are_not_in_view(
    config: OmniConfig, turns: Turns
) -> None:
    talker = config.talker_config
    shown = (config.im_start_token_id, config.user_token_id, 198, talker.vision_start_token_id)
    pictures = (*shown, *[talker.image_token_id] * 4)
    before = turns.user(pads=5)
    whole = turns.features(before, list(pictures), list(pictures), turns.user(pads=6))
    rows = handed(turns.rows[:10])  # of the second picture and the last words
    features = replace(whole, rows=rows, grids=((1, 4, 4, 1.0),))
    seen = ahead.view(config, features, TOOL_RESPONSE, 1000)
    words = [token for token in before if token != talker.audio_token_id]
    assert list(seen.ids) == [*words, *shown, *pictures, *turns.user(pads=6)]
    assert seen.grids == (Grid(1, 4, 4),)
    assert seen.features is not None
    assert torch.equal(seen.features, turns.rows[:10])


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_rest_joined_to_what_was_begun_is_the_whole(one: int, other: int) -> None:
    begin, end = sorted((one, other))
    pad, rows = 7, torch.arange(60.0)[:, None]

    def segment(count: int) -> Segment:
        ids = tuple(pad if index % 3 else index + 100 for index in range(count))
        held = ids.count(pad)
        return Segment(ids, rows[:held] if held else None)

    whole, begun = segment(end), segment(begin)
    more = rest(whole, begun)
    assert more is not None
    together = joined([begun, more])
    assert together.ids == whole.ids
    if whole.features is not None and together.features is not None:
        assert torch.equal(together.features, whole.features)
    if begun.ids:
        assert rest(whole, Segment((1, *begun.ids[1:]))) is None
