"""The mind's process: llama.cpp's server on the loopback, embedded through xllamacpp.

Tokens go to the media process over HTTP: closing the connection stops the model.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from omni_agent.engines.process.child import Replies, Report


class Minding:
    """Starts the server; everything else is asked of it directly.

    options: model (path), context (tokens), threads, key (what callers must
    present: other users of this machine can reach the loopback, too), states
    (folder for saved KV states).
    """

    lanes: Mapping[str, str] = {}  # a Protocol's plain attribute

    def __init__(self, options: Mapping[str, Any], report: Report) -> None:
        # Its names come out of a compiled module, which type checkers cannot read.
        xllamacpp: Any = importlib.import_module("xllamacpp")
        params = xllamacpp.CommonParams()
        params.model.path = str(options["model"])
        params.n_ctx = int(options["context"])
        params.n_parallel = 1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = int(options["threads"])
        # Small batches: a prefill can be cancelled between them. Measured no slower.
        params.n_batch = params.n_ubatch = 64
        # Weights are repacked for the processor, so a mapped file would be held twice:
        # 1.33 GB instead of 1.92 GB for the 1.5B, at one second of loading.
        params.load_mode = xllamacpp.llama_load_mode.LLAMA_LOAD_MODE_NONE
        params.cache_ram_mib = 0  # prefixes are kept on disk, by us
        params.ctx_shift = False
        params.warmup = False
        params.hostnames = ["127.0.0.1"]
        params.port = 0
        params.api_keys = [str(options["key"])]
        params.slot_save_path = str(options["states"]).rstrip("/") + "/"
        params.verbosity = 1
        for name, value in (options.get("overrides") or {}).items():
            setattr(params, name, value)
        self._server = xllamacpp.Server(params)
        self.info: Mapping[str, Any] = {"address": str(self._server.listening_address)}

    def handle(
        self, op: str, body: Mapping[str, Any], blob: bytes, gone: Callable[[], bool]
    ) -> Replies:
        raise ValueError(f"unknown operation {op!r}")
