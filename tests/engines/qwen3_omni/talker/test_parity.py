"""Codes and waveform equal those of the public reference implementation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from omni_agent.engines.qwen3_omni.talker.prompt import Grid, Segment, split, talker_view
from omni_agent.engines.qwen3_omni.talker.runtime import Frame, Runtime, RuntimeOptions
from omni_agent.engines.qwen3_omni.talker.sampling import GREEDY
from omni_agent.engines.qwen3_omni.talker.weights import TalkerWeights

transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.filterwarnings("ignore")
FRAMES = 40


@dataclass(frozen=True)
class Case:
    """A Thinker prompt, and what the reference makes of it.

    codes (40, 16); wave (n,); text: the reply's token ids; features: the Thinker's
    hidden states at the placeholders.
    """

    ids: list[int]
    features: torch.Tensor | None
    grids: tuple[Grid, ...]
    text: list[int]
    codes: np.ndarray
    wave: np.ndarray


@pytest.fixture(scope="module")
def reference(checkpoint: Path) -> Any:
    model = transformers.Qwen3OmniMoeForConditionalGeneration.from_pretrained(checkpoint).eval()
    with torch.no_grad():
        model.talker.codec_head.weight[model.config.talker_config.codec_eos_token_id] = 0
    # Audio beside an image or video fails in the reference without this.
    model.talker.config.audio_config = model.config.thinker_config.audio_config
    return model


class Prompts:
    """Builds prompt ids and the Thinker's inputs for them."""

    def __init__(self, config: Any) -> None:
        self.config, self.thinker = config, config.thinker_config
        self.random = torch.Generator().manual_seed(7)
        self.inputs: dict[str, torch.Tensor] = {}
        self.grids: list[Grid] = []

    def words(self, count: int) -> list[int]:
        return torch.randint(0, 250, (count,), generator=self.random).tolist()

    def turn(self, role: int, body: list[int]) -> list[int]:
        head = [self.config.im_start_token_id, role, 198]
        return [*head, *body, self.config.im_end_token_id, 198]

    def user(self, *bodies: list[int]) -> list[int]:
        return self.turn(self.config.user_token_id, [token for body in bodies for token in body])

    def system(self) -> list[int]:
        return self.turn(self.config.system_token_id, self.words(6))

    def assistant(self) -> list[int]:
        return self.turn(self.config.assistant_token_id, self.words(9))

    def audio(self, mel_frames: int = 130) -> list[int]:
        mel = torch.randn(1, 128, mel_frames, generator=self.random)
        self.inputs["input_features"] = mel
        self.inputs["feature_attention_mask"] = torch.ones(1, mel_frames, dtype=torch.long)
        tail = mel_frames % 100
        for _ in range(3):
            tail = (tail + 1) // 2
        count = 13 * (mel_frames // 100) + tail
        thinker = self.thinker
        return [
            thinker.audio_start_token_id,
            *[thinker.audio_token_id] * count,
            self.config.thinker_config.audio_end_token_id,
        ]

    def image(self, height: int = 4, width: int = 6) -> list[int]:
        self.inputs["pixel_values"] = self._patches(height * width)
        self.inputs["image_grid_thw"] = torch.tensor([[1, height, width]])
        self.grids.append(Grid(1, height, width))
        return self._vision(self.thinker.image_token_id, height * width // 4)

    def video(self, time: int = 3, seconds: float = 2 / 3) -> list[int]:
        height, width = 4, 4
        self.inputs["pixel_values_videos"] = self._patches(time * height * width)
        self.inputs["video_grid_thw"] = torch.tensor([[time, height, width]])
        self.inputs["video_second_per_grid"] = torch.tensor([seconds])
        self.grids.append(Grid(time, height, width, seconds))
        return self._vision(self.thinker.video_token_id, time * height * width // 4)

    def _patches(self, count: int) -> torch.Tensor:
        return torch.randn(count, 3 * 2 * 16 * 16, generator=self.random)

    def _vision(self, pad: int, count: int) -> list[int]:
        return [
            self.thinker.vision_start_token_id,
            *[pad] * count,
            self.thinker.vision_end_token_id,
        ]


def build(name: str, prompts: Prompts) -> list[int]:
    words = prompts.words
    bodies = {
        "text": lambda: prompts.user(words(11)),
        "turns": lambda: (
            prompts.system() + prompts.user(words(5)) + prompts.assistant() + prompts.user(words(8))
        ),
        "audio": lambda: prompts.user(prompts.audio(), words(4)),
        "image": lambda: prompts.user(words(3), prompts.image(), words(4)),
        "video": lambda: prompts.user(prompts.video(), words(4)),
        "audio and image": lambda: (
            prompts.user(words(3), prompts.image())
            + prompts.assistant()
            + prompts.user(prompts.audio(250), words(2))
        ),
    }
    return bodies[name]()


CASES = ("text", "turns", "audio", "image", "video", "audio and image")


@pytest.fixture(scope="module")
def cases(reference: Any) -> dict[str, Case]:
    return {name: run_reference(reference, name) for name in CASES}


def run_reference(model: Any, name: str) -> Case:
    config = model.config
    prompts = Prompts(config)
    ids = build(name, prompts)
    ids += [config.im_start_token_id, config.assistant_token_id, 198]
    kept: dict[str, Any] = {}
    thinker_generate, talker_generate = model.thinker.generate, model.talker.generate
    model.thinker.generate = lambda *a, **k: kept.setdefault("thinker", thinker_generate(*a, **k))
    model.talker.generate = lambda *a, **k: kept.setdefault("talker", talker_generate(*a, **k))
    try:
        with torch.no_grad():
            sequence, _ = model.generate(
                input_ids=torch.tensor([ids]),
                attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                speaker="Ethan",
                thinker_max_new_tokens=14,
                thinker_eos_token_id=config.im_end_token_id,
                thinker_do_sample=False,
                talker_do_sample=False,
                talker_max_new_tokens=FRAMES + 1,
                **prompts.inputs,
            )
    finally:
        model.thinker.generate, model.talker.generate = thinker_generate, talker_generate
    codes = torch.stack([h[-1] for h in kept["talker"].hidden_states if h[-1] is not None], 1)[0]
    with torch.no_grad():
        wave = model.code2wav(codes.T.unsqueeze(0))[0, 0]
    layer = config.talker_config.accept_hidden_layer
    marks = {
        config.thinker_config.audio_token_id,
        config.thinker_config.image_token_id,
        config.thinker_config.video_token_id,
    }
    places = [index for index, token in enumerate(ids) if token in marks]
    hidden = kept["thinker"].hidden_states[0][layer][0]
    reply = sequence[0, len(ids) : -1].tolist()  # its last token is never spoken
    return Case(
        ids,
        hidden[places] if places else None,
        tuple(prompts.grids),
        reply,
        codes.numpy(),
        wave.numpy(),
    )


def speak(
    weights: TalkerWeights,
    segments: list[Segment],
    text: list[int],
    *,
    pushes: str = "at once",
    speaker: str = "ethan",
) -> list[Frame]:
    runtime = Runtime(weights, RuntimeOptions(slots=2, positions=512))
    stream = runtime.open(speaker, GREEDY, frame_limit=FRAMES)
    for segment in segments:
        runtime.prefill(stream, segment)
    runtime.begin(stream)
    frames: list[Frame] = []

    def run(steps: int = FRAMES + 2) -> None:
        for _ in range(steps):
            made = runtime.step([stream])
            assert all(isinstance(frame, Frame) for frame in made), made
            frames.extend(frame for frame in made if isinstance(frame, Frame))

    if pushes == "at once":
        runtime.push(stream, text)
    elif pushes == "one at a time":
        for token in text:
            runtime.push(stream, [token])
            run(1)
    else:  # stalls: the model is asked to step long before the text comes
        for index in range(0, len(text), 3):
            run(5)
            assert stream.stalled
            runtime.push(stream, text[index : index + 3])
    runtime.end(stream)
    run()
    return frames


def view(weights: TalkerWeights, case: Case) -> list[Segment]:
    return talker_view(weights.config, case.ids, case.features, case.grids)


def assert_equal(frames: list[Frame], case: Case) -> None:
    codes = np.stack([frame.codes for frame in frames if len(frame.codes)])
    assert codes.shape == (FRAMES, 16)
    assert np.array_equal(codes, case.codes)
    wave = np.concatenate([frame.samples for frame in frames if not frame.last])
    assert wave.shape == case.wave.shape
    assert np.abs(wave - case.wave).max() < 1e-4


@pytest.mark.parametrize("name", CASES)
def test_codes_and_waveform_equal_the_reference(
    name: str, cases: dict[str, Case], endless: TalkerWeights
) -> None:
    assert_equal(speak(endless, view(endless, cases[name]), cases[name].text), cases[name])


def test_the_cases_tell_apart_what_they_should(cases: dict[str, Case]) -> None:
    codes = [case.codes.tobytes() for case in cases.values()]
    assert len(set(codes)) == len(CASES), "a prompt changes nothing: parity would prove nothing"
    assert all(len(set(case.codes[:, 0])) > 5 for case in cases.values())
    for case in cases.values():
        assert np.abs(case.wave).mean() > 0.01
        assert (np.abs(case.wave) < 1).mean() > 0.999, "a clamped waveform would hide differences"


@pytest.mark.parametrize("pushes", ["one at a time", "with stalls"])
@pytest.mark.parametrize("name", ["text", "video"])
def test_when_the_text_arrives_does_not_matter(
    name: str, pushes: str, cases: dict[str, Case], endless: TalkerWeights
) -> None:
    case = cases[name]
    assert_equal(speak(endless, view(endless, case), case.text, pushes=pushes), case)


@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("name", CASES)
def test_the_prompt_may_be_read_in_pieces(
    name: str, size: int, cases: dict[str, Case], endless: TalkerWeights
) -> None:
    case = cases[name]
    pieces = [
        piece for segment in view(endless, case) for piece in split(segment, size, endless.config)
    ]
    assert sum(len(piece.ids) for piece in pieces) == sum(
        len(segment.ids) for segment in view(endless, case)
    )
    assert_equal(speak(endless, pieces, case.text), case)


def test_the_reference_and_the_runtime_end_at_the_same_frame(
    checkpoint: Path, weights: TalkerWeights
) -> None:
    model = transformers.Qwen3OmniMoeForConditionalGeneration.from_pretrained(checkpoint).eval()
    case = run_reference(model, "text")
    frames = speak(weights, view(weights, case), case.text)
    assert len(case.codes) < FRAMES
    assert np.array_equal(np.stack([frame.codes for frame in frames[:-1]]), case.codes)
    assert frames[-1].last
