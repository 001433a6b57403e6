"""What every vLLM process of ours loads first (entry point ``vllm.general_plugins``).

It changes nothing in processes that we did not start.
"""

from __future__ import annotations

import multiprocessing
import os
from typing import TYPE_CHECKING

from omni_agent.engines.process.parent import die_with_parent

if TYPE_CHECKING:
    from torch import Tensor

OURS = "OMNI_AGENT_THINKER"
"""Environment variable that marks the processes of our engine."""
_ARCHITECTURE = "Qwen3OmniMoeForConditionalGeneration"
_MODEL = "omni_agent.engines.qwen3_omni.thinker.model:Thinker"


def register() -> None:
    """In our processes: our model class, its sampling on a CPU mended, and an end with the
    process that started them."""
    if os.environ.get(OURS) != "1":
        return
    die_with_parent()
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid != os.getppid():
        os._exit(1)  # it was killed before that could be said
    from vllm import ModelRegistry
    from vllm.utils import cpu_triton_utils

    ModelRegistry.register_model(_ARCHITECTURE, _MODEL)
    # On a CPU vLLM 0.32 fills a copy of any ``output`` but int64 ones: temperature and top_p were
    # what lay in memory, and a reply the same token again and again.
    cpu_triton_utils._expand_kernel_impl = _expand


def _expand(
    output: Tensor,
    values: Tensor,
    ends: Tensor,
    replace_from: float,
    replace_to: float,
    MAX_NUM_TOKENS: int | None = None,
) -> None:
    """Each request's value for each of its tokens, which end at ``ends``."""
    counts = ends.diff(prepend=ends.new_zeros(1))
    output.copy_(values.masked_fill(values == replace_from, replace_to).repeat_interleave(counts))
