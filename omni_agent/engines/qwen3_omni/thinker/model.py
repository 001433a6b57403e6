"""vLLM's Qwen3-Omni Thinker with positions that no prompt can break.

vLLM places a position after each audio item as if an end mark always followed it: an
item that follows another directly, or ends the prompt, makes the count of positions
wrong, and that error ends the engine for every user. Audio counts up by one like text,
so it needs no such care; and items that follow each other directly are how an
utterance is heard in pieces (see ``chat``).
"""

from __future__ import annotations

import torch
from vllm.model_executor.models.qwen3_omni_moe_thinker import (
    Qwen3OmniMoeThinkerForConditionalGeneration,
)
from vllm.multimodal import MULTIMODAL_REGISTRY
from vllm.multimodal.inputs import MultiModalFeatureSpec

from omni_agent.engines.qwen3_omni.thinker.processor import DummyInputs, ProcessingInfo, Processor


@MULTIMODAL_REGISTRY.register_processor(Processor, info=ProcessingInfo, dummy_inputs=DummyInputs)
class Thinker(Qwen3OmniMoeThinkerForConditionalGeneration):  # type: ignore[no-untyped-call]  # vLLM's __init_subclass__
    """See the module."""

    def get_mrope_input_positions(
        self, input_tokens: list[int], mm_features: list[MultiModalFeatureSpec]
    ) -> tuple[torch.Tensor, int]:
        """Positions (3, n) and what to add to a later token's index to get its position."""
        videos = [f.mm_position for f in mm_features if f.modality == "video"]

        def in_video(offset: int) -> bool:
            return any(v.offset <= offset < v.offset + v.length for v in videos)

        spread = [
            feature
            for feature in mm_features
            if feature.modality != "audio" or in_video(feature.mm_position.offset)
        ]
        positions: tuple[torch.Tensor, int] = super().get_mrope_input_positions(
            input_tokens, spread
        )
        return positions
