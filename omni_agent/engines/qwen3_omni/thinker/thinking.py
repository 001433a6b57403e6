"""The Thinker's process: vLLM behind a line (see ``engines.process``).

Operations: ``put`` keeps an item for the encoders, ``think`` computes a prompt and streams
the reply, ``counters`` tells what is in use. Items are kept by key, the least used go
first, so that a conversation's audio crosses the line once.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from vllm import AsyncEngineArgs, SamplingParams
from vllm.inputs import TokensPrompt
from vllm.outputs import RequestOutput
from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError

from omni_agent.engines.process.async_child import AsyncReplies
from omni_agent.engines.qwen3_omni.features import MOST_ROWS, Patches
from omni_agent.engines.qwen3_omni.shelf import Shelf
from omni_agent.engines.qwen3_omni.thinker.connector import FILE, ROWS
from omni_agent.engines.qwen3_omni.thinker.engine_options import ThinkerOptions
from omni_agent.engines.qwen3_omni.thinker.pictures import PROFILED, Pixels, picture, video

_KEPT_BYTES = 1 << 30
_LOOK_EVERY_S = 0.2


class NotComputed(RuntimeError):
    """The engine gave a request back. It asks for another try: its two caches of media differ
    after a request that was cancelled on the way, and it puts them right when it notices."""


class BadPrompt(ValueError):
    """A prompt that would not be computed; it never reached the engine."""


@dataclass(frozen=True, slots=True)
class _Item:
    """value: float32 samples, or what vLLM takes for pixels. size: bytes."""

    key: str
    kind: str
    value: Any
    size: int
    grid: Patches | None = None


class _Items:
    """What was put, by key: at most ``_KEPT_BYTES``, the least used go first."""

    def __init__(self) -> None:
        self._items: OrderedDict[str, _Item] = OrderedDict()
        self._size = 0

    def put(self, item: _Item) -> None:
        self._drop(item.key)
        self._items[item.key] = item
        self._size += item.size
        while self._size > _KEPT_BYTES and len(self._items) > 1:
            self._drop(next(iter(self._items)))

    def _drop(self, key: str) -> None:
        if (item := self._items.pop(key, None)) is not None:
            self._size -= item.size

    def missing(self, keys: Sequence[str]) -> list[str]:
        return [key for key in keys if key not in self._items]

    def get(self, keys: Sequence[str]) -> list[_Item]:
        """All of them, none being missing."""
        for key in keys:
            self._items.move_to_end(key)
        return [self._items[key] for key in keys]


class Thinking:
    """See :class:`omni_agent.engines.process.async_child.AsyncService`."""

    def __init__(self, engine: AsyncLLM, shelf: Shelf, facts: Mapping[str, Any]) -> None:
        self.info = {"pid": os.getpid(), "shelf": str(shelf.path), **facts}
        self._engine, self._shelf = engine, shelf
        self._items = _Items()
        self._dead = asyncio.Event()
        self._numbers = itertools.count(1)
        self._placeholders: dict[int, str] = {
            facts["audio"]: "audio",
            facts["image"]: "image",
            facts["video"]: "video",
        }
        self._width, self._itemsize = int(facts["width"]), int(facts["itemsize"])

    async def died(self) -> str:
        while not self._engine.errored:  # vLLM has no event for it
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._dead.wait()
                    break
        return "the engine died: its process is gone"

    def handle(self, op: str, body: Mapping[str, Any], blob: bytes) -> AsyncReplies:
        match op:
            case "put":
                return self._put(body, blob)
            case "think":
                return self._think(body)
            case "counters":
                return self._counters()
            case _:
                raise BadPrompt(f"there is no operation {op!r}")

    async def aclose(self) -> None:
        self._shelf.close()
        self._engine.shutdown(timeout=1)

    # -- operations ------------------------------------------------------------------

    async def _put(self, body: Mapping[str, Any], blob: bytes) -> AsyncReplies:
        kind, key = str(body["kind"]), str(body["key"])
        if kind == "audio":
            samples = np.frombuffer(blob, "<i2").astype(np.float32) / 32768.0
            if not len(samples):
                raise BadPrompt("an audio item holds no samples")
            self._items.put(_Item(key, kind, samples, samples.nbytes))
        elif kind in ("image", "video"):
            seen = await asyncio.to_thread(picture if kind == "image" else video, blob)
            self._items.put(_Item(key, kind, seen.taken, seen.array.nbytes, seen.grid))
        else:
            raise BadPrompt(f"the Thinker reads audio, images and videos, not {kind!r}")
        yield {}, b""

    async def _counters(self) -> AsyncReplies:
        yield (
            {
                "requests": self._engine.get_num_unfinished_requests(),
                "files": len(self._shelf.names()),
            },
            b"",
        )

    async def _think(self, body: Mapping[str, Any]) -> AsyncReplies:
        """First ``{"missing": keys}`` and nothing else when items are needed again; otherwise
        ``{"prompt": …}`` with the first token (its rows then lie in ``file``), ``{"text": …}``,
        and the usage last."""
        keys = [str(key) for key in body["media"]]
        if missing := self._items.missing(keys):
            yield {"missing": missing}, b""
            return
        items = self._items.get(keys)  # now: while others are put, these may go
        for tries_left in (1, 0):
            try:
                async with aclosing(cast(Any, self._attempt(body, items))) as replies:
                    async for reply in replies:
                        yield reply, b""
                return
            except NotComputed:
                if not tries_left:
                    raise

    async def _attempt(
        self, body: Mapping[str, Any], items: Sequence[_Item]
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Raises NotComputed, having yielded nothing."""
        prompt = await self._render(body["ids"], items)
        name, counts = str(body["file"]), _counts(prompt)
        first, rows = _last(counts, MOST_ROWS) if self.info["features"] else (len(counts), 0)
        exports, done = {FILE: name, ROWS: rows} if rows else None, False
        try:
            if rows:
                self._shelf.make(name, rows, self._width, self._itemsize)
            parameters = _sampling(body["sampling"], exports)
            shape = {
                "counts": counts,
                "grids": [item.grid for item in items[first:] if item.grid],
                "features": rows > 0,
            }
            number = str(next(self._numbers))
            priority = 1 if body.get("ahead") else 0  # somebody waits for a reply
            replies = self._generate(prompt, parameters, number, shape, priority)
            async with aclosing(cast(Any, replies)):
                async for reply in replies:
                    yield reply
            done = True
        finally:
            # After an ending that it sees, the asking side removes the file.
            if not done:
                self._shelf.remove(name)

    async def _generate(
        self,
        prompt: Any,
        parameters: SamplingParams,
        number: str,
        shape: Mapping[str, Any],
        priority: int,
    ) -> AsyncIterator[Mapping[str, Any]]:
        usage: dict[str, Any] = {"prompt": len(prompt["prompt_token_ids"]), "completion": 0}
        outputs = self._engine.generate(prompt, parameters, number, priority=priority)
        try:
            async with aclosing(cast(Any, outputs)):
                async for output in outputs:
                    if output.outputs[0].finish_reason == "error":
                        raise NotComputed("the engine failed to compute this prompt")
                    if "cached" not in usage:
                        usage["cached"] = output.num_cached_tokens or 0
                        yield {"prompt": shape}
                    if text := _text(output, usage):
                        yield {"text": text}
        except EngineDeadError:
            self._dead.set()  # nobody else should be let in
            raise
        yield {"usage": usage}

    # -- prompts ---------------------------------------------------------------------

    async def _render(self, ids: Sequence[int], items: Sequence[_Item]) -> Any:
        """The engine's input. Raises BadPrompt for one that it could not compute."""
        kinds = [item.kind for item in items]
        placed = [self._placeholders[i] for i in ids if i in self._placeholders]
        if placed != kinds:
            raise BadPrompt(f"{len(placed)} placeholders for {len(kinds)} items, or of other kinds")
        data: dict[str, list[Any]] = {}
        uuids: dict[str, list[str]] = {}
        for item in items:
            data.setdefault(item.kind, []).append(item.value)
            uuids.setdefault(item.kind, []).append(item.key)
        tokens = TokensPrompt(prompt_token_ids=list(map(int, ids)))
        if data:
            tokens["multi_modal_data"] = cast(Any, data)
            tokens["multi_modal_uuids"] = cast(Any, uuids)
        renderer = self._engine.renderer
        (prompt,) = await renderer.render_cmpl_async([tokens], renderer.default_cmpl_tok_params)
        limit = self._engine.model_config.max_model_len
        length = len(cast(Any, prompt)["prompt_token_ids"])
        if length >= limit:
            raise BadPrompt(f"the prompt has {length:,} tokens; the context holds {limit:,}")
        for item, count in zip(items, _counts(prompt), strict=True):
            # Otherwise positions would not fit: the engine's end.
            if item.grid and count != Pixels.tokens(item.grid):
                raise BadPrompt(f"{item.grid} patches of a picture or video became {count} tokens")
        return prompt


def _counts(prompt: Any) -> list[int]:
    """The positions that every item takes, in order."""
    ranges = [
        (item.offset, item.length)
        for items in prompt.get("mm_placeholders", {}).values()
        for item in items
    ]
    return [length for _, length in sorted(ranges)]


def _last(counts: Sequence[int], most: int) -> tuple[int, int]:
    """The first of the last items that take at most so many positions, and how many they take."""
    first, taken = len(counts), 0
    while first and taken + counts[first - 1] <= most:
        first -= 1
        taken += counts[first]
    return first, taken


def _sampling(options: Mapping[str, Any], exports: Mapping[str, Any] | None) -> SamplingParams:
    tag = options.get("structural_tag")
    return SamplingParams(
        temperature=float(options["temperature"]),
        top_p=float(options["top_p"]),
        max_tokens=int(options["max_tokens"]),
        seed=options.get("seed"),
        output_kind=RequestOutputKind.DELTA,
        structured_outputs=StructuredOutputsParams(structural_tag=tag) if tag else None,
        extra_args={"kv_transfer_params": dict(exports)} if exports else None,
    )


def _text(output: RequestOutput, usage: dict[str, Any]) -> str:
    """The new text; counts go into ``usage``."""
    (completion,) = output.outputs
    usage["completion"] += len(completion.token_ids)
    if completion.finish_reason:
        usage["finish"] = completion.finish_reason
    return completion.text


async def start(options: Mapping[str, Any], report: Callable[[str], None]) -> Thinking:
    """options: ``model`` (a directory or a hub's id) and a ThinkerOptions as a mapping."""
    chosen = ThinkerOptions(**options["options"])
    shelf = Shelf()
    report("loading the Thinker")
    try:
        # On this thread: the engine's processes end when the thread that made them does.
        engine = _engine(str(options["model"]), chosen, shelf.path)
    except BaseException:
        shelf.close()
        raise
    return Thinking(engine, shelf, _facts(engine))


def _engine(model: str, options: ThinkerOptions, directory: Path) -> AsyncLLM:
    from vllm.platforms import current_platform
    from vllm.transformers_utils.config import get_config

    config = get_config(model, trust_remote_code=False)
    thinker = config.thinker_config
    speaks = getattr(config, "talker_config", None)
    layer = getattr(speaks, "accept_hidden_layer", None)
    cpu = current_platform.is_cpu()
    arguments: dict[str, Any] = {
        "model": model,
        "max_model_len": options.context,
        "max_num_seqs": options.callers,
        "max_num_batched_tokens": options.chunk,
        "scheduling_policy": "priority",
        "tensor_parallel_size": options.tensor_parallel,
        "enable_prefix_caching": True,
        "enforce_eager": options.eager or cpu,
        "load_format": "dummy" if options.random_weights else "auto",
        # Nothing but the context bounds how many there are.
        "limit_mm_per_prompt": {
            "audio": options.context,
            "image": options.context,
            "video": {"count": options.context, **PROFILED},
        },
        "skip_mm_profiling": cpu,
        "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
        "enable_log_requests": False,
        "disable_log_stats": True,
    }
    if cpu:
        arguments |= {"dtype": "float32", "block_size": 32}
    else:
        arguments["gpu_memory_utilization"] = options.memory
    if layer is not None:
        arguments["speculative_config"] = {
            "method": "extract_hidden_states",
            "num_speculative_tokens": 1,
            "draft_model_config": {"hf_config": {"eagle_aux_hidden_state_layer_ids": [layer]}},
        }
        arguments["kv_transfer_config"] = {
            "kv_connector": "FeatureConnector",
            "kv_connector_module_path": "omni_agent.engines.qwen3_omni.thinker.connector",
            "kv_role": "kv_producer",
            "kv_connector_extra_config": {
                "directory": str(directory),
                "placeholders": [
                    thinker.audio_token_id,
                    thinker.image_token_id,
                    thinker.video_token_id,
                ],
            },
        }
    return AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))


def _facts(engine: AsyncLLM) -> dict[str, Any]:
    model = engine.model_config
    config: Any = model.hf_config
    thinker = config.thinker_config
    return {
        "context": model.max_model_len,
        "width": model.get_hidden_size(),
        "itemsize": cast(torch.dtype, model.dtype).itemsize,
        "audio": thinker.audio_token_id,
        "image": thinker.image_token_id,
        "video": thinker.video_token_id,
        "features": engine.vllm_config.kv_transfer_config is not None,
    }
