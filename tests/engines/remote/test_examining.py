"""What the doctor says of a server."""

from __future__ import annotations

import asyncio

import pytest

from omni_agent.engine import StageOptions
from omni_agent.engines.remote import register_engines
from omni_agent.finding import Finding
from tests.engines.remote.serving import nobody, serving, status


def examined(**options: str | None) -> Finding:
    (engine,) = register_engines()
    assert engine.examine is not None
    (finding,) = engine.examine({"thinker": StageOptions(**options)})  # type: ignore[arg-type]  # given by name
    return finding


async def test_a_server_is_told_with_the_model_it_thinks_with() -> None:
    async with serving(status(404, "no such model")) as server:
        finding = await asyncio.to_thread(examined, base_url=server.url, model="second")
        assert finding == Finding("server", f"{server.url} thinks with second")
        finding = await asyncio.to_thread(examined, base_url=server.url, model="third")
        assert "second" in finding.how
        assert finding.mend


@pytest.mark.parametrize("address", [None, "http://", "nobody"])
def test_a_server_that_cannot_be_asked_is_told_with_what_to_mend(address: str | None) -> None:
    url = nobody() if address == "nobody" else address
    finding = examined(base_url=url)
    assert finding.how
    assert "address" in finding.mend
