"""Talking to the model's process."""

from __future__ import annotations

import httpx
import pytest

from omni_agent.engines.local.completion import Llama
from omni_agent.errors import EngineError


async def test_a_process_that_fails_without_words_is_told_by_the_kind_of_its_failure() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("")

    llama = Llama("http://127.0.0.1:9", "key")
    await llama.aclose()
    llama._http = httpx.AsyncClient(
        base_url="http://127.0.0.1:9", transport=httpx.MockTransport(fail)
    )
    with pytest.raises(EngineError, match=r"failed \(ReadError\)"):
        await llama.prefill("Hello.")
    await llama.aclose()
