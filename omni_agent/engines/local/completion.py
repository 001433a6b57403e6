"""A client of llama.cpp's server: completions that stop when they are closed, slot states."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import httpx

from omni_agent.errors import EngineError
from omni_agent.thinker import Sampling, Usage

_MIN_P = 0.3
"""Tokens less than 0.3 times as likely as the best are never drawn: where the model is
sure (a call's arguments) it is greedy, where it is not (speech) the temperature works."""


STALL_S = 60.0
"""The server tells of each batch of 64 tokens it has read (1.1 s on two idle cores, four times that
among eight busy processes) and of each token it has made: silent for longer, it hangs."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text; the last one carries the usage."""

    text: str
    usage: Usage | None = None


class Llama:
    """One incarnation of the server. hung: told when it makes no progress for STALL_S."""

    def __init__(
        self, address: str, key: str, hung: Callable[[str], None] = lambda reason: None
    ) -> None:
        self.address, self._hung = address, hung
        self._http = httpx.AsyncClient(
            base_url=address,
            headers={"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(STALL_S, connect=5.0),
            trust_env=False,  # a proxy has no business with the loopback
            # The server drops idle connections after 5 s, in the middle of the next request.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def complete(
        self,
        prompt: str,
        grammar: str,
        sampling: Sampling,
        bias: Mapping[str, float] | None = None,
    ) -> AsyncGenerator[Piece, None]:
        """Continue ``prompt``. Closing stops the model. Raises EngineError.

        bias: added to the logits of the tokens of each text, at every position.
        """
        body = {
            "grammar": grammar,
            "n_predict": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "min_p": _MIN_P,
            "logit_bias": list((bias or {}).items()),
            "seed": sampling.seed if sampling.seed is not None else -1,
        }
        async with aclosing(self._stream(prompt, body)) as pieces:
            async for piece in pieces:
                yield piece

    async def prefill(self, prompt: str) -> None:
        """Compute the KV state of ``prompt`` as far as it is not there yet. Raises EngineError."""
        async with aclosing(self._stream(prompt, {"n_predict": 0})) as pieces:
            async for _ in pieces:
                pass

    async def _stream(self, prompt: str, options: Mapping[str, Any]) -> AsyncGenerator[Piece, None]:
        body = {
            **options,
            "prompt": prompt,
            "cache_prompt": True,
            "stream": True,
            "return_progress": True,
            "id_slot": 0,
        }
        try:
            async with self._http.stream("POST", "/completion", json=body) as response:
                if response.status_code != 200:
                    await response.aread()
                    raise EngineError(f"mind: {_reason(response)}")
                async for line in response.aiter_lines():
                    if line.startswith("data: "):
                        if piece := _piece(json.loads(line[6:])):
                            yield piece
                    elif line.startswith("error: "):
                        raise EngineError(f"mind: {line[7:]}")
        except httpx.ReadTimeout as error:
            self._hung(f"no progress for {STALL_S:.0f} s")
            raise _broken(error) from error
        except (httpx.HTTPError, ValueError) as error:
            raise _broken(error) from error

    async def save(self, name: str) -> None:
        """Write the slot's state to the file ``name`` in the states folder. Raises EngineError."""
        await self._post("/slots/0?action=save", {"filename": name})

    async def restore(self, name: str) -> None:
        """Read the slot's state from a file. Raises EngineError."""
        await self._post("/slots/0?action=restore", {"filename": name})

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _post(self, path: str, body: Mapping[str, Any]) -> None:
        try:
            response = await self._http.post(path, json=body)
        except httpx.HTTPError as error:
            raise _broken(error) from error
        if response.status_code != 200:
            raise EngineError(f"mind: {_reason(response)}")


def _broken(error: Exception) -> EngineError:
    return EngineError(f"mind: the model process failed ({str(error) or type(error).__name__})")


def _reason(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {response.status_code}"


def _piece(body: Mapping[str, Any]) -> Piece | None:
    """None for news of the prompt's being read."""
    if "error" in body:
        raise EngineError(f"mind: {body['error']}")
    if "prompt_progress" in body:
        return None
    usage = None
    if body.get("stop"):
        timings = body.get("timings") or {}
        new = int(timings.get("prompt_n", 0))
        total = int(body.get("tokens_evaluated", new))
        usage = Usage(total, max(0, total - new), int(timings.get("predicted_n", 0)))
    return Piece(str(body.get("content", "")), usage)
