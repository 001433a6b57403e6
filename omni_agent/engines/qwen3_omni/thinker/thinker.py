"""The Thinker a session uses: prompts go to vLLM's process, thoughts come back."""

from __future__ import annotations

import json
import logging
import secrets
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from omni_agent.conversation import Message
from omni_agent.engines.process.worker import Job, Worker
from omni_agent.engines.qwen3_omni.chat import ChatWriter, Prompt, SpecialIds
from omni_agent.engines.qwen3_omni.features import PromptFeatures
from omni_agent.engines.qwen3_omni.hermes import HermesParser
from omni_agent.engines.qwen3_omni.media import Media
from omni_agent.engines.qwen3_omni.shelf import take
from omni_agent.engines.qwen3_omni.talker.tokens import TextTokenizer, added_tokens
from omni_agent.engines.qwen3_omni.thinker.engine_options import ThinkerOptions
from omni_agent.engines.qwen3_omni.thinker.guidance import structural_tag
from omni_agent.errors import EngineError, EngineUnavailable, ModelStoreError
from omni_agent.thinker import Features, ThinkRequest, Thought, Usage

log = logging.getLogger(__name__)

T = TypeVar("T")

_START_S = 900.0
"""Loading 60 GB and capturing graphs takes minutes."""
_REMEMBERED, _READ = 4096, 64


class QwenThinker:
    """See :class:`omni_agent.thinker.Thinker`. Start with :meth:`start`."""

    hears = True
    sees = True

    def __init__(
        self,
        worker: Worker,
        writer: ChatWriter,
        options: ThinkerOptions,
        *,
        thinking: bool = False,
    ) -> None:
        self.worker = worker
        self._writer, self._options, self._thinking = writer, options, thinking
        self._known: OrderedDict[str, None] = OrderedDict()  # items that the process holds
        self._read: OrderedDict[Prompt, None] = OrderedDict()  # prompts that it read ahead
        self._known_by: int | None = None  # … the process with this id

    @staticmethod
    async def start(
        model: Path | str,
        options: ThinkerOptions | None = None,
        report: Callable[[str], None] = lambda line: None,
    ) -> QwenThinker:
        """model: a checkpoint directory. Raises EngineUnavailable saying what is wrong."""
        chosen = options or ThinkerOptions()
        root = Path(model)
        try:
            tokenizer = TextTokenizer.open(root)
            config = json.loads((root / "config.json").read_text(encoding="utf-8"))
            special = SpecialIds.of(config, added_tokens(root))
        except (ModelStoreError, OSError) as error:
            raise EngineUnavailable(f"the Thinker cannot start: {error}") from error
        except (KeyError, ValueError, TypeError) as error:
            raise EngineUnavailable(
                f"{root / 'config.json'} is not a Qwen3-Omni model's ({error!r})"
            ) from error
        job = Job(
            "thinker",
            "omni_agent.engines.qwen3_omni.thinker.thinking:start",
            {"model": str(model), "options": asdict(chosen)},
            environment=_environment(chosen),
            start_timeout_s=_START_S,
        )
        worker = Worker(job, report)
        info = await worker.start()
        thinking = "thinking" in root.name.lower()
        writer = ChatWriter(tokenizer, special, int(info["context"]), thinking=thinking)
        return QwenThinker(worker, writer, chosen, thinking=thinking)

    async def think(self, request: ThinkRequest) -> AsyncIterator[Thought]:
        prompt = self._writer.write(request)
        parser = HermesParser(thinking=self._thinking)
        usage: Mapping[str, Any] = {}
        async with aclosing(self._replies(prompt, self._sampling(request))) as replies:
            async for reply in replies:
                if shape := reply.get("prompt"):
                    yield Features(_features(request, prompt, shape, reply["file"]))
                for thought in parser.feed(reply.get("text", "")):
                    yield thought
                usage = reply.get("usage", usage)
        for thought in parser.finish(cut=usage.get("finish") == "length"):
            yield thought
        yield Usage(usage["prompt"], usage["cached"], usage["completion"])

    async def prepare(self, request: ThinkRequest) -> Features | None:
        """Compute the prompt as far as it is certain. What was computed before is in the cache."""
        if self.worker.pid is None:
            return None
        prompt = self._writer.write_open(request)
        self._forget_the_dead()
        if prompt in self._read:  # nothing whole has come since
            return None
        sampling = {**self._sampling(request), "max_tokens": 1}
        features = None
        async with aclosing(self._replies(prompt, sampling, ahead=True)) as replies:
            async for reply in replies:
                if shape := reply.get("prompt"):
                    features = Features(_features(request, prompt, shape, reply["file"]))
        _remember(self._read, prompt, _READ)
        return features

    async def counters(self) -> Mapping[str, Any]:
        """What is in use now: ``requests`` under way, ``files`` of hidden states not taken."""
        return (await self.worker.call("counters")).body

    async def aclose(self) -> None:
        await self.worker.aclose()

    # -- the line ----------------------------------------------------------------------

    async def _replies(
        self, prompt: Prompt, sampling: Mapping[str, Any], *, ahead: bool = False
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        if self.worker.pid is None:  # it takes minutes: nobody should wait on the line for it
            raise EngineUnavailable("the Thinker died and is being started again")
        info = await self.worker.info()
        file = Path(info["shelf"]) / secrets.token_hex(8)
        body = {
            "ids": prompt.ids,
            "media": [item.key for item in prompt.media],
            "sampling": sampling,
            "ahead": ahead,
            "file": file.name,
        }
        self._forget_the_dead()
        await self._put([item for item in prompt.media if item.key not in self._known])
        try:
            for _ in range(2):
                missing: set[str] = set()
                async with aclosing(self.worker.stream("think", body)) as packets:
                    async for packet in packets:
                        if "missing" in packet.body:
                            missing = set(packet.body["missing"])
                        else:
                            yield {**packet.body, "file": file}
                if not missing:
                    return
                await self._put([item for item in prompt.media if item.key in missing])
        finally:
            file.unlink(missing_ok=True)
        raise EngineError(
            "the conversation's audio, pictures and videos are more than the Thinker keeps"
        )

    def _sampling(self, request: ThinkRequest) -> dict[str, Any]:
        sampling, required = request.sampling, request.tool_choice == "required"
        guide = None
        if request.tools and (self._options.strict_calls or required):
            guide = structural_tag(request.tools, required=required, thinking=self._thinking)
        return {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "seed": sampling.seed,
            "structural_tag": guide,
        }

    def _forget_the_dead(self) -> None:
        """What a process knew went with it."""
        if self._known_by != self.worker.pid:
            self._known.clear()
            self._read.clear()
            self._known_by = self.worker.pid

    async def _put(self, items: list[Media]) -> None:
        for item in {item.key: item for item in items}.values():
            await self.worker.call("put", {"kind": item.kind, "key": item.key}, item.data)
            _remember(self._known, item.key, _REMEMBERED)


def _remember(known: OrderedDict[T, None], new: T, most: int) -> None:
    known[new] = None
    if len(known) > most:
        known.popitem(last=False)


def _environment(options: ThinkerOptions) -> dict[str, str]:
    return {
        "OMNI_AGENT_THINKER": "1",
        "VLLM_LOGGING_LEVEL": "WARNING",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
        "VLLM_CPU_KVCACHE_SPACE": str(options.cpu_cache_gib),
        "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
    }


def _features(
    request: ThinkRequest, prompt: Prompt, shape: Mapping[str, Any], file: Path
) -> PromptFeatures:
    """The expanded prompt and its rows, which leave the shelf."""
    users = (item.id for item in request.items if isinstance(item, Message) and item.role == "user")
    rows = take(file) if shape["features"] else None
    if shape["features"] and rows is None:
        log.warning("the Thinker handed over no hidden states: the Talker reads the words alone")
    grids = tuple((int(t), int(h), int(w), float(s)) for t, h, w, s in shape["grids"])
    return PromptFeatures(next(users, ""), prompt.expanded(shape["counts"]), rows, grids)
