"""vLLM's preparation of what the encoders read, with videos taken as they come.

vLLM 0.32 gives all videos of a prompt one ``fps``, and scales their frames. Ours bring
their own, as metadata, and are scaled already (see ``pictures``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from vllm.model_executor.models.qwen3_omni_moe_thinker import (
    Qwen3OmniMoeThinkerDummyInputsBuilder,
    Qwen3OmniMoeThinkerMultiModalProcessor,
    Qwen3OmniMoeThinkerProcessingInfo,
)

from omni_agent.engines.qwen3_omni.clips import TOGETHER

_AS_THEY_ARE = {"do_resize": False, "do_sample_frames": False}


class ProcessingInfo(Qwen3OmniMoeThinkerProcessingInfo):
    def get_data_parser(self) -> Any:
        parser = super().get_data_parser()  # type: ignore[no-untyped-call]
        parser.video_needs_metadata = True
        return parser


class DummyInputs(Qwen3OmniMoeThinkerDummyInputsBuilder):
    """What vLLM reads at the start."""

    def get_dummy_mm_data(self, *args: Any, **kwargs: Any) -> Any:
        data: dict[str, Any] = dict(super().get_dummy_mm_data(*args, **kwargs))
        data["video"] = [(frames, {"fps": 2.0}) for frames in data["video"]]
        return data


class Processor(Qwen3OmniMoeThinkerMultiModalProcessor):
    def _call_hf_processor(
        self, hf_data: Mapping[str, Any], hf_kwargs: Mapping[str, object]
    ) -> Any:
        videos = hf_data.get("videos")
        if not videos:
            return super()._call_hf_processor(hf_data, hf_kwargs)
        processed = super()._call_hf_processor(
            {**hf_data, "videos": [frames for frames, _ in videos]},
            {**hf_kwargs, "videos_kwargs": _AS_THEY_ARE},
        )
        seconds = [TOGETHER / metadata["fps"] for _, metadata in videos]
        processed["video_second_per_grid"] = torch.tensor(seconds)
        return processed
