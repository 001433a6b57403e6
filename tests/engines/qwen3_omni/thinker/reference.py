"""The reference Thinker (transformers), fed with exactly what our engine's encoders read."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from omni_agent.engines.qwen3_omni.clips import Frames
from omni_agent.engines.qwen3_omni.features import PromptFeatures
from omni_agent.engines.qwen3_omni.media import Media

LAYER = 4
"""``accept_hidden_layer`` of the tiny checkpoint."""


class Reference:
    """exact: in float64."""

    def __init__(self, checkpoint: Path, *, exact: bool = False) -> None:
        from transformers import Qwen3OmniMoeForConditionalGeneration, Qwen3OmniMoeProcessor

        whole = Qwen3OmniMoeForConditionalGeneration.from_pretrained(checkpoint).eval()
        self.model = whole.thinker
        if exact:
            self.model.double().set_experts_implementation("eager")  # grouped products have none
        self.processor = Qwen3OmniMoeProcessor.from_pretrained(checkpoint)

    def inputs(self, ids: Sequence[int], media: Sequence[Media]) -> dict[str, Any]:
        """Model inputs for expanded ids and the items their placeholders stand for."""
        inputs: dict[str, Any] = {"input_ids": torch.tensor([list(ids)])}
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        sounds = [item for item in media if item.kind == "audio"]
        if sounds:
            features = self.processor.feature_extractor(
                [_samples(item) for item in sounds],
                sampling_rate=16_000, padding=True, truncation=False,
                return_attention_mask=True, return_tensors="pt",
            )  # fmt: skip
            inputs["input_features"] = features["input_features"]
            inputs["feature_attention_mask"] = features["attention_mask"]
        pictures = [item for item in media if item.kind == "image"]
        if pictures:
            opened = [_opened(item.data) for item in pictures]
            inputs |= self.processor.image_processor(images=opened, return_tensors="pt")
        videos = [Frames.unpacked(item.data) for item in media if item.kind == "video"]
        if videos:
            arrays = [np.stack([_opened(file) for file in video.pictures]) for video in videos]
            inputs |= self.processor.video_processor(
                videos=arrays, do_resize=False, do_sample_frames=False, return_tensors="pt"
            )
            inputs["video_second_per_grid"] = torch.tensor([2 / video.fps for video in videos])
        dtype = self.model.dtype
        return {
            name: given.to(dtype) if given.is_floating_point() else given
            for name, given in inputs.items()
        }

    @torch.no_grad()
    def rows(self, features: PromptFeatures, media: Sequence[Media]) -> np.ndarray:
        """Hidden states at the placeholders, as the Talker should get them."""
        config = self.model.config
        out = self.model(**self.inputs(features.ids, media), output_hidden_states=True)
        states = out.hidden_states[LAYER][0]
        held = {config.audio_token_id, config.image_token_id, config.video_token_id}
        return np.asarray(states[[token in held for token in features.ids]])

    @torch.no_grad()
    def reply(self, features: PromptFeatures, media: Sequence[Media], tokens: int) -> str:
        """The greedy reply's text, without special tokens."""
        inputs = self.inputs(features.ids, media)
        out = self.model.generate(
            **inputs, do_sample=False, max_new_tokens=tokens, eos_token_id=[151_645, 151_643]
        )
        made = out[0, len(features.ids) :]
        return str(self.processor.tokenizer.decode(made, skip_special_tokens=True))


def _opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def _samples(item: Media) -> np.ndarray:
    """As float, filled up to whole frames of features, as vLLM does it."""
    pcm = np.frombuffer(item.data, "<i2").astype(np.float32) / 32768.0
    return np.pad(pcm, (0, -len(pcm) % 160))
