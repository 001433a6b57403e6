"""The process of the learned end of turn: smart-turn, which hears how a sentence ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omni_agent.engines.local.mel import HOP, RATE, log_mel
from omni_agent.engines.process.child import Replies, Report

Floats = NDArray[np.float32]

_WINDOW = 8 * RATE
"""Samples the model hears: the last 8 s, with silence before what is shorter."""
_FRAMES = _WINDOW // HOP
_EDGE = 200
"""Samples after the last that half a window of its spectrum reaches into."""


class SmartTurn:
    """smart-turn v3: Whisper's encoder, tiny, with a head that says "complete"."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])

    def completeness(self, samples: Floats) -> float:
        """The probability that who said this has done. samples: 16 kHz, in [-1, 1)."""
        (outputs,) = self._session.run(None, {"input_features": features(samples)[None]})
        return float(np.asarray(outputs).reshape(-1)[0])


def features(samples: Floats) -> Floats:
    """What the model is given, shape (80, 800): as pipecat's ``_whisper_features.py`` has it."""
    last = samples[-_WINDOW:]
    padded = np.pad(last, (_WINDOW - len(last), 0))
    normal = (padded - padded.mean()) / np.sqrt(padded.var() + 1e-7)
    mirrored = np.pad(normal.astype(np.float32), (0, _EDGE), mode="reflect")
    return log_mel(mirrored, 0.0)[:, :_FRAMES]


class TurnEnding:
    """The service behind :class:`omni_agent.engines.local.turn_end.LocalTurnEnd`.

    ``is_over`` with int16 PCM → {probability}.
    """

    lanes = {"is_over": "smart-turn"}  # noqa: RUF012  # a Protocol's plain attribute

    def __init__(self, options: Mapping[str, Any], report: Report) -> None:
        self._model = SmartTurn(Path(options["model"]))
        self.info: Mapping[str, Any] = {}
        self._model.completeness(np.zeros(RATE, np.float32))  # the first call allocates

    def handle(
        self, op: str, body: Mapping[str, Any], blob: bytes, gone: Callable[[], bool]
    ) -> Replies:
        if op != "is_over":
            raise ValueError(f"unknown operation {op!r}")
        samples = np.frombuffer(blob, "<i2").astype(np.float32) / 32768.0
        yield {"probability": self._model.completeness(samples)}, b""
