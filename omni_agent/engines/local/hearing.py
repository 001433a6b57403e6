"""The ears' process: Silero VAD for every caller, and Whisper, side by side in two threads."""

from __future__ import annotations

import importlib.util
import math
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omni_agent.engines.local.languages import whisper_code
from omni_agent.engines.local.mel import RATE, log_mel
from omni_agent.engines.process.child import Replies, Report

Floats = NDArray[np.float32]

WINDOW = 512
"""Samples per VAD window at 16 kHz (32 ms), fixed by the Silero model."""
_CONTEXT = 64
_PADDINGS_S = (6.0, 15.0, 30.0)
"""Silence after the utterance: 6 s instead of Whisper's own 30 s makes the encoder
five times cheaper; the longer ones are for when that makes it loop."""
_LONGEST_S = 30.0
_PIECE_S, _CUT_S = 28.0, 6.0
_TOKENS_PER_S = 9.0
_COMPRESSION = 2.4
"""Text that zlib shrinks by more is a loop (threshold of Whisper's own decoder)."""
_NO_SPEECH = 0.6
_LOW_SCORE = -1.0


class SileroVad:
    """Speech probability of one window at a time; the state of each caller is its own."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        self._states: dict[int, tuple[Floats, Floats, Floats]] = {}

    def push(self, caller: int, windows: Floats) -> list[float]:
        """windows: shape (n, 512), float32 in [-1, 1), in order."""
        blank = np.zeros((1, 1, 128), np.float32)
        h, c, context = self._states.get(caller, (blank, blank, np.zeros(_CONTEXT, np.float32)))
        probabilities: list[float] = []
        for window in windows:
            batch = np.concatenate([context, window])[None, :]
            outputs = self._session.run(None, {"input": batch, "h": h, "c": c})
            out, h, c = (np.asarray(output, dtype=np.float32) for output in outputs)
            context = window[-_CONTEXT:]
            probabilities.append(float(out.reshape(-1)[0]))
        self._states[caller] = (h, c, context)
        return probabilities

    def forget(self, caller: int) -> None:
        self._states.pop(caller, None)


@dataclass(frozen=True, slots=True)
class _Decoded:
    text: str
    score: float
    no_speech: float
    loops: bool


class Whisper:
    """Whisper through CTranslate2, greedy, with an encoder window as short as the utterance."""

    def __init__(self, folder: Path) -> None:
        import ctranslate2
        import tokenizers

        self._ct2 = ctranslate2
        self._model = ctranslate2.models.Whisper(
            str(folder), device="cpu", compute_type="int8", intra_threads=2, inter_threads=1
        )
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.languages = self._languages() if self._model.is_multilingual else ("en",)
        self._eot = self._token("<|endoftext|>")

    def _languages(self) -> tuple[str, ...]:
        """The codes of its language tokens: in Whisper's vocabulary they stand in a row."""
        added = self._tokenizer.get_added_tokens_decoder().values()
        marks = (re.fullmatch(r"<\|([a-z]{2,3})\|>", token.content) for token in added)
        return tuple(mark[1] for mark in marks if mark)

    def _token(self, text: str) -> int:
        token = self._tokenizer.token_to_id(text)
        if token is None:
            raise ValueError(f"this Whisper model does not know {text}")
        return int(token)

    def prompt(self, language: str) -> list[int]:
        """Start tokens. Raises ValueError for a language the model was not trained on."""
        code = whisper_code(language, self.languages)
        if code is None:
            raise ValueError(f"this Whisper model does not hear {language!r}")
        if len(self.languages) == 1:
            return [self._token("<|startoftranscript|>"), self._token("<|notimestamps|>")]
        return [
            self._token("<|startoftranscript|>"),
            self._token(f"<|{code}|>"),
            self._token("<|transcribe|>"),
            self._token("<|notimestamps|>"),
        ]

    def transcribe(
        self, samples: Floats, language: str, gone: Callable[[], bool]
    ) -> _Decoded | None:
        """At most 30 s of speech; None when nobody waits any more.

        Tried again with more silence when the text loops.
        """
        prompt = self.prompt(language)
        seconds = len(samples) / RATE
        best: _Decoded | None = None
        for padding in _PADDINGS_S:
            decoded = self._decode(samples, min(padding, _LONGEST_S - seconds), prompt, gone)
            if decoded is None:
                return None
            if best is None or not decoded.loops or decoded.score > best.score:
                best = decoded
            if not decoded.loops or seconds + padding >= _LONGEST_S:
                break
        return best

    def _decode(
        self, samples: Floats, padding_s: float, prompt: list[int], gone: Callable[[], bool]
    ) -> _Decoded | None:
        seconds = len(samples) / RATE
        features = self._ct2.StorageView.from_array(log_mel(samples, max(padding_s, 0.0))[None])
        if gone():
            return None
        encoded = self._model.encode(features, to_cpu=True)
        if gone():
            return None
        room = min(224, math.ceil(seconds * _TOKENS_PER_S) + 12)
        result = self._model.generate(
            encoded,
            [prompt],
            beam_size=1,
            max_length=len(prompt) + room,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
        )[0]
        tokens = [token for token in result.sequences_ids[0] if token < self._eot]
        text = self._tokenizer.decode(tokens).strip()
        unfinished = len(result.sequences_ids[0]) >= room
        return _Decoded(
            text, float(result.scores[0]), float(result.no_speech_prob), unfinished or loops(text)
        )


def repetition(text: str) -> int | None:
    """Words after which ``text`` only repeats itself, as Whisper does on a window it
    does not know; None when it does not. The last repetition may be cut short.
    """
    words = [word.strip(".,!?").lower() for word in text.split()]
    for period in range(1, len(words) // 2 + 1):
        same = 0
        while same < len(words) - period and words[-1 - same] == words[-1 - same - period]:
            same += 1
        # People do say "no, no, no"; they rarely repeat three words and more on end.
        if same >= (period if period > 2 else 4 * period):
            return len(words) - same
    return None


def loops(text: str) -> bool:
    """True when the text repeats itself, at its end or all over."""
    data = text.encode()
    shrinks = len(data) > 40 and len(data) / len(zlib.compress(data)) > _COMPRESSION
    return shrinks or repetition(text) is not None


class Hearing:
    """The service behind :class:`omni_agent.engines.local.ears.LocalEars`.

    ``vad`` {caller} with int16 PCM, whole windows → {probabilities};
    ``forget`` {caller}; ``transcribe`` {language} with int16 PCM → {text, confidence}.
    """

    # VAD runs in the reading thread (0.12 ms a window), so it never waits behind Whisper,
    # which releases the interpreter lock while it computes.
    lanes = {"transcribe": "whisper"}  # noqa: RUF012  # a Protocol's plain attribute

    def __init__(self, options: Mapping[str, Any], report: Report) -> None:
        self._vad = SileroVad(Path(options["vad"]) if options.get("vad") else silero_path())
        self._whisper = Whisper(Path(options["whisper"]))
        self.info: Mapping[str, Any] = {"languages": self._whisper.languages}
        # First calls allocate and pick kernels: do it before anybody waits.
        rng = np.random.default_rng(0)
        self._vad.push(0, np.zeros((2, WINDOW), np.float32))
        self._vad.forget(0)
        hiss = (rng.standard_normal(2 * RATE) * 1e-3).astype(np.float32)
        self._whisper.transcribe(hiss, "en", lambda: False)

    def handle(
        self, op: str, body: Mapping[str, Any], blob: bytes, gone: Callable[[], bool]
    ) -> Replies:
        samples = np.frombuffer(blob, "<i2").astype(np.float32) / 32768.0
        match op:
            case "vad":
                windows = samples.reshape(-1, WINDOW)
                yield {"probabilities": self._vad.push(int(body["caller"]), windows)}, b""
            case "forget":
                self._vad.forget(int(body["caller"]))
                yield {}, b""
            case "transcribe":
                yield self._heard(samples, str(body["language"]), gone), b""
            case _:
                raise ValueError(f"unknown operation {op!r}")

    def _heard(self, samples: Floats, language: str, gone: Callable[[], bool]) -> Mapping[str, Any]:
        texts: list[str] = []
        scores: list[float] = []
        for piece in pieces(samples):
            decoded = self._whisper.transcribe(piece, language, gone)
            if decoded is None:
                return {"text": "", "confidence": 0.0}
            scores.append(decoded.score)
            if decoded.no_speech <= _NO_SPEECH or decoded.score >= _LOW_SCORE:
                kept = repetition(decoded.text)
                texts.extend(decoded.text.split()[:kept])
        confidence = min(1.0, math.exp(sum(scores) / max(1, len(scores))))
        return {"text": " ".join(texts), "confidence": confidence}


def pieces(samples: Floats) -> Iterator[Floats]:
    """Speech longer than Whisper's window, cut where it is quietest in the last seconds of each."""
    longest, tail, width = (round(seconds * RATE) for seconds in (_PIECE_S, _CUT_S, 0.1))
    while len(samples) > longest:
        energy = (samples[longest - tail : longest].reshape(-1, width) ** 2).sum(axis=1)
        cut = longest - tail + int(energy.argmin()) * width + width // 2
        yield samples[:cut]
        samples = samples[cut:]
    yield samples


def silero_path() -> Path:
    """The Silero export that the faster-whisper package carries, found without importing it."""
    spec = importlib.util.find_spec("faster_whisper")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder).glob("assets/silero_vad*.onnx")):
            return path
    raise FileNotFoundError("the faster-whisper package with its Silero VAD is not installed")
