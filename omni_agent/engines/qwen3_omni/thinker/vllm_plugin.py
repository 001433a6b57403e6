"""What every vLLM process of ours loads first (entry point ``vllm.general_plugins``).

It changes nothing in processes that we did not start.
"""

from __future__ import annotations

import multiprocessing
import os

from omni_agent.engines.process.parent import die_with_parent

OURS = "OMNI_AGENT_THINKER"
"""Environment variable that marks the processes of our engine."""
_ARCHITECTURE = "Qwen3OmniMoeForConditionalGeneration"
_MODEL = "omni_agent.engines.qwen3_omni.thinker.model:Thinker"


def register() -> None:
    """In our processes: our model class, and an end with the process that started them."""
    if os.environ.get(OURS) != "1":
        return
    die_with_parent()
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid != os.getppid():
        os._exit(1)  # it was killed before that could be said
    from vllm import ModelRegistry

    ModelRegistry.register_model(_ARCHITECTURE, _MODEL)
