"""How the Thinker is run. Plain data: it crosses to the Thinker's process as JSON."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ThinkerOptions:
    """context: tokens of one conversation. callers: replies computed at a time.

    chunk: most prompt tokens computed between two tokens of the other callers.
    memory: share of the GPU's memory for weights, caches and work; the default leaves
    the Talker its 12 GiB of an 80 GB card. strict_calls: tool calls are decoded under
    their schema, so that they can always be read. cpu_cache_gib: the cache without a GPU.
    random_weights: for benchmarks, the config's sizes without a checkpoint.
    """

    context: int = 32_768
    callers: int = 16
    chunk: int = 2048
    memory: float = 0.85
    tensor_parallel: int = 1
    strict_calls: bool = True
    eager: bool = False
    cpu_cache_gib: int = 1
    random_weights: bool = False
