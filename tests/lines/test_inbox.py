from __future__ import annotations

import asyncio

from omni_agent.audio import SHORTEST_S, AudioFrame
from omni_agent.lines.inbox import EARSHOT_S, MAX_MESSAGES, Inbox
from omni_agent.testing import virtual_time
from omni_agent.transport import PlayoutFinished, PlayoutStarted, VideoFrame


def heard(number: int) -> AudioFrame:
    return AudioFrame.silence(0.02, 16_000, number)


async def test_of_audio_that_waits_for_ears_the_oldest_is_lost() -> None:
    inbox: Inbox[str] = Inbox()
    for number in range(int(EARSHOT_S * 50) + 10):
        inbox.put(heard(number))
    inbox.close()
    kept = [frame.position async for frame in inbox.audio.read()]
    assert kept == list(range(10, int(EARSHOT_S * 50) + 10))
    assert inbox.audio.lost == 10


async def test_pieces_of_audio_with_nothing_in_them_do_not_wait_for_ever() -> None:
    inbox: Inbox[str] = Inbox()
    for _ in range(2 * int(EARSHOT_S / SHORTEST_S)):
        inbox.put(AudioFrame.silence(0, 16_000))
    assert abs(inbox.audio.lost - EARSHOT_S / SHORTEST_S) < 10


async def test_one_piece_of_audio_is_heard_however_long_it_is() -> None:
    inbox: Inbox[str] = Inbox()
    inbox.put(AudioFrame.silence(2 * EARSHOT_S, 16_000))
    inbox.close()
    assert [frame.seconds async for frame in inbox.audio.read()] == [2 * EARSHOT_S]


async def test_a_picture_that_nobody_took_gives_way_to_the_next() -> None:
    inbox: Inbox[str] = Inbox()
    for number in range(3):
        inbox.put(VideoFrame(b"", number, 1, 0.0))
    inbox.close()
    assert [picture.width async for picture in inbox.video.read()] == [2]


async def test_a_burst_of_messages_costs_the_last_of_them() -> None:
    inbox: Inbox[str] = Inbox()
    for number in range(MAX_MESSAGES + 5):
        inbox.put(str(number))
    inbox.close()
    inbox.put("too late")
    assert [text async for text in inbox.messages.read()] == [str(n) for n in range(MAX_MESSAGES)]
    assert inbox.messages.lost == 5


@virtual_time
async def test_no_stream_waits_for_the_reader_of_another() -> None:
    inbox: Inbox[str] = Inbox()
    inbox.put(heard(0))
    inbox.put("stop")
    inbox.put(PlayoutStarted("u", 0.0))
    inbox.put(PlayoutFinished("u", 1.0))
    async with asyncio.timeout(1):
        assert await anext(inbox.messages.read()) == "stop"
        news = inbox.playback.read()
        assert [await anext(news), await anext(news)] == [
            PlayoutStarted("u", 0.0),
            PlayoutFinished("u", 1.0),
        ]


@virtual_time
async def test_a_reader_that_waits_gets_what_comes_and_ends_with_the_line() -> None:
    inbox: Inbox[str] = Inbox()

    async def read() -> list[str]:
        return [text async for text in inbox.messages.read()]

    reading = asyncio.ensure_future(read())
    for text in ("a", "b"):
        await asyncio.sleep(1)
        inbox.put(text)
    inbox.close()
    assert await reading == ["a", "b"]
