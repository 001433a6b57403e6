"""A learned end of turn in a process of its own: smart-turn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omni_agent.audio import AudioFrame
from omni_agent.conversation import Item
from omni_agent.ears import EAR_RATE
from omni_agent.engines.process.worker import Job, Worker

_HEARD_S = 8
"""Seconds the model hears, the last ones."""
_DEADLINE_S = 10.0
"""A process that works longer on 8 s hangs: it takes 0.06 s of an idle core, 0.15 of a busy one."""


class LocalTurnEnd:
    """See :class:`omni_agent.turn_taking.TurnEnd`. Start with :meth:`start`.

    It goes by the sound alone, whatever the language.
    """

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    @staticmethod
    async def start(model: Path) -> LocalTurnEnd:
        """model: the ONNX file. Raises EngineUnavailable when it cannot be loaded."""
        job = Job(
            "end of turn",
            "omni_agent.engines.local.smart_turn:TurnEnding",
            {"model": str(model)},
            environment={"OMP_NUM_THREADS": "1"},
        )
        worker = Worker(job)
        await worker.start()
        return LocalTurnEnd(worker)

    async def is_over(self, audio: AudioFrame, words: str, items: Sequence[Item]) -> float:
        if audio.sample_rate != EAR_RATE:
            raise ValueError(f"an end of turn is heard at {EAR_RATE} Hz, not {audio.sample_rate}")
        pcm = audio.pcm[-_HEARD_S * EAR_RATE :].astype("<i2").tobytes()
        # While it is being restarted nobody waits: the words' own rules decide.
        reply = await self.worker.call("is_over", {}, pcm, deadline_s=_DEADLINE_S, wait_s=0.0)
        return float(reply.body["probability"])

    async def aclose(self) -> None:
        await self.worker.aclose()
