"""What one caller's camera shows: the latest picture, or the last seconds for a Thinker that
watches."""

from __future__ import annotations

from collections import deque
from itertools import takewhile

from omni_agent.conversation import ImagePart, VideoPart
from omni_agent.thinker import Thinker, WatchingThinker
from omni_agent.transport import VideoFrame

PICTURE_AGE_S = 5.0
"""An older picture is not shown to the Thinker."""
MOST_PICTURES = 32
"""Of a clip; of more, the oldest are forgotten."""
_JPEG = "image/jpeg"


class Sight:
    """Keeps what a Thinker may be shown of the pictures that come."""

    def __init__(self, thinker: Thinker) -> None:
        self._sees = thinker.sees
        self._watches_s = thinker.watches_s if isinstance(thinker, WatchingThinker) else 0.0
        self._frames: deque[VideoFrame] = deque(maxlen=MOST_PICTURES if self._watches_s else 1)

    def take(self, frame: VideoFrame) -> None:
        self._frames.append(frame)

    def parts(self, now: float) -> tuple[ImagePart | VideoPart, ...]:
        """What goes into the user's turn at loop time ``now``."""
        if not self._sees or not self._frames or now - self._frames[-1].at >= PICTURE_AGE_S:
            return ()
        since = self._frames[-1].at - self._watches_s
        size = (self._frames[-1].width, self._frames[-1].height)  # a camera may be turned
        kept = reversed(self._frames)
        clip = [*takewhile(lambda one: one.at >= since and (one.width, one.height) == size, kept)]
        clip.reverse()
        seconds = clip[-1].at - clip[0].at
        if not seconds:
            return (ImagePart(clip[-1].jpeg, _JPEG),)
        pictures = tuple(frame.jpeg for frame in clip)
        return (VideoPart(pictures, fps=(len(clip) - 1) / seconds, mime=_JPEG),)
