"""vLLM's way out for hidden states: a KV connector that hands over what the Talker needs.

The extract-hidden-states method keeps the chosen layer's output of every token in a
cache of vLLM's own, paged and prefix-cached like keys and values. When the step that
completes a prompt is done, the rows at the prompt's audio, image and video positions
are copied from there to the file that the request named (see ``shelf``): whether they
were computed in this step, in earlier chunks or for an earlier request. That is after
the step and before its first token is sent.

Loaded by vLLM in its scheduler and its workers (``kv_connector_module_path``).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from vllm.config import VllmConfig, get_layers_from_vllm_config
from vllm.distributed.kv_transfer.kv_connector.v1.base import (
    KVConnectorBase_V1,
    KVConnectorMetadata,
    KVConnectorRole,
    SupportsHMA,
)
from vllm.distributed.parallel_state import get_tensor_model_parallel_rank
from vllm.model_executor.models.extract_hidden_states import CacheOnlyAttentionLayer
from vllm.v1.kv_cache_interface import HiddenStateCacheSpec

from omni_agent.engines.qwen3_omni import shelf

if TYPE_CHECKING:
    from vllm.v1.core.sched.output import SchedulerOutput
    from vllm.v1.kv_cache_interface import KVCacheConfig
    from vllm.v1.request import Request

log = logging.getLogger(__name__)

FILE, ROWS = "omni_agent_file", "omni_agent_rows"
"""Keys in a request's ``kv_transfer_params``: the file's name, and how many of the prompt's
multimodal positions, the last ones, it is for."""


@dataclass(slots=True)
class _Prompt:
    """A request whose prompt is being computed. positions: tokens whose rows are wanted."""

    file: str
    length: int
    positions: np.ndarray[Any, np.dtype[np.int64]]
    blocks: list[int]


@dataclass(slots=True)
class Exports(KVConnectorMetadata):
    """What the workers copy after this step: file name, slots in the cache."""

    ready: list[tuple[str, np.ndarray[Any, np.dtype[np.int64]]]] = field(default_factory=list)


class FeatureConnector(KVConnectorBase_V1, SupportsHMA):
    """Copies out, never in: it offers the scheduler no tokens."""

    def __init__(
        self, vllm_config: VllmConfig, role: KVConnectorRole, kv_cache_config: KVCacheConfig
    ) -> None:
        super().__init__(vllm_config=vllm_config, role=role, kv_cache_config=kv_cache_config)
        extra = self._kv_transfer_config.get_from_extra_config
        self._directory = Path(extra("directory", ""))
        self._placeholders = np.array(extra("placeholders", []), np.int64)
        self._group, self._block_size = _cache_group(kv_cache_config)
        self._prompts: dict[str, _Prompt] = {}
        self._cache: torch.Tensor | None = None
        self._writes = True

    # -- in the scheduler ---------------------------------------------------------

    def get_num_new_matched_tokens(
        self, request: Request, num_computed_tokens: int
    ) -> tuple[int | None, bool]:
        return 0, False

    def update_state_after_alloc(
        self, request: Request, blocks: Any, num_external_tokens: int
    ) -> None:
        pass

    def build_connector_meta(self, scheduler_output: SchedulerOutput) -> KVConnectorMetadata:
        """Follow each request's blocks; export those whose prompt this step completes."""
        exports = Exports()
        scheduled = scheduler_output.num_scheduled_tokens
        for new in scheduler_output.scheduled_new_reqs:
            prompt = self._wanted(new)
            if prompt is not None:
                self._prompts[new.req_id] = prompt
                self._complete(new.req_id, new.num_computed_tokens, scheduled, exports)
        cached = scheduler_output.scheduled_cached_reqs
        for index, req_id in enumerate(cached.req_ids):
            known = self._prompts.get(req_id)
            if known is None:
                continue
            blocks = cached.new_block_ids[index]
            if blocks is not None:
                if req_id in cached.resumed_req_ids:  # it was preempted: all blocks are new
                    known.blocks.clear()
                known.blocks.extend(blocks[self._group])
            self._complete(req_id, cached.num_computed_tokens[index], scheduled, exports)
        return exports

    def _wanted(self, new: Any) -> _Prompt | None:
        sampling = new.sampling_params
        arguments = (sampling.extra_args or {}) if sampling is not None else {}
        asked = arguments.get("kv_transfer_params") or {}
        if FILE not in asked or new.prompt_token_ids is None:
            return None
        ids = np.array(new.prompt_token_ids, np.int64)
        positions = np.flatnonzero(np.isin(ids, self._placeholders))[-int(asked[ROWS]) :]
        return _Prompt(str(asked[FILE]), len(ids), positions, list(new.block_ids[self._group]))

    def _complete(
        self, req_id: str, computed: int, scheduled: dict[str, int], exports: Exports
    ) -> None:
        prompt = self._prompts[req_id]
        if computed + scheduled.get(req_id, 0) < prompt.length:
            return
        del self._prompts[req_id]
        if len(prompt.positions):
            blocks = np.array(prompt.blocks, np.int64)
            at, offset = np.divmod(prompt.positions, self._block_size)
            exports.ready.append((prompt.file, blocks[at] * self._block_size + offset))

    def request_finished(
        self, request: Request, block_ids: list[int]
    ) -> tuple[bool, dict[str, Any] | None]:
        self._prompts.pop(request.request_id, None)
        return False, None

    def request_finished_all_groups(
        self, request: Request, block_ids: tuple[list[int], ...]
    ) -> tuple[bool, dict[str, Any] | None]:
        return self.request_finished(request, [])

    @classmethod
    def get_required_kvcache_layout(cls, vllm_config: VllmConfig) -> str | None:
        return "LBNHC"  # a token's numbers lie together

    # -- in the worker ------------------------------------------------------------

    def register_kv_caches(self, kv_caches: dict[str, torch.Tensor]) -> None:
        self._writes = get_tensor_model_parallel_rank() == 0
        layers = get_layers_from_vllm_config(
            self._vllm_config, CacheOnlyAttentionLayer, list(kv_caches)
        )
        (name,) = layers
        self._cache = kv_caches[name]
        if self._cache.shape[2] != self._block_size:
            raise ValueError(
                f"hidden states are cached in blocks of {self._cache.shape[2]}, "
                f"not of {self._block_size}"
            )

    def start_load_kv(self, forward_context: Any, **kwargs: Any) -> None:
        pass

    def wait_for_layer_load(self, layer_name: str) -> None:
        pass

    def save_kv_layer(
        self, layer_name: str, kv_layer: torch.Tensor, attn_metadata: Any, **kwargs: Any
    ) -> None:
        pass

    def wait_for_save(self) -> None:
        """After the step: copy what this step completed."""
        if not self._writes or self._cache is None or not self.has_connector_metadata():
            return
        exports = self._get_connector_metadata()
        assert isinstance(exports, Exports)
        for file, slots in exports.ready:
            try:
                self._copy(file, slots)
            except (OSError, ValueError):
                # The Talker then speaks from the words alone; the engine goes on.
                log.exception("hidden states could not be handed over")

    def _copy(self, file: str, slots: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        cache = self._cache
        assert cache is not None
        index = torch.from_numpy(slots).to(cache.device)
        # (blocks, layers, block size, width): the Talker's layer is the last one kept.
        rows = cache[index // self._block_size, -1, index % self._block_size].contiguous().cpu()
        data = rows.view(torch.uint8).reshape(-1).numpy().data
        shelf.put(self._directory, file, rows.shape[1], rows.element_size(), data)


def _cache_group(config: KVCacheConfig) -> tuple[int, int]:
    """Number and block size of the group that holds hidden states."""
    groups = config.kv_cache_groups
    found = [
        number
        for number, group in enumerate(groups)
        if isinstance(group.kv_cache_spec, HiddenStateCacheSpec)
    ]
    number = found[0] if len(found) == 1 else 0
    return number, groups[number].kv_cache_spec.block_size
