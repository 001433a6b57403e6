"""What every vLLM process of ours loads first (entry point ``vllm.general_plugins``).

It changes nothing in processes that we did not start.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys

OURS = "OMNI_AGENT_THINKER"
"""Environment variable that marks the processes of our engine."""
_ARCHITECTURE = "Qwen3OmniMoeForConditionalGeneration"
_MODEL = "omni_agent.engines.qwen3_omni.thinker.model:Thinker"
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def register() -> None:
    """In our processes: our model class, and an end with the process that started them."""
    if os.environ.get(OURS) != "1":
        return
    if sys.platform == "linux":  # a killed parent must not leave a model in the GPU's memory
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        parent = multiprocessing.parent_process()
        if parent is not None and parent.pid != os.getppid():
            os._exit(1)  # it was killed before it could be told
    from vllm import ModelRegistry

    ModelRegistry.register_model(_ARCHITECTURE, _MODEL)
