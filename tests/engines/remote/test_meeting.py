"""What is wrong with an address, a name or a server is said at the start, with the remedy."""

from __future__ import annotations

import gzip

import pytest
from starlette.responses import Response

from omni_agent.engines.remote.meeting import meet
from omni_agent.engines.remote.server import Model
from omni_agent.engines.remote.servers import Servers
from omni_agent.errors import EngineUnavailable
from tests.engines.remote.serving import (
    HELLO,
    Answer,
    Clock,
    cluster,
    joined,
    nobody,
    serving,
    status,
)


async def refused(url: str, model: str | None = None) -> EngineUnavailable:
    """Why there is no start."""
    pool = Servers(url)
    try:
        with pytest.raises(EngineUnavailable) as raised:
            await meet(pool, model)
        return raised.value
    finally:
        await pool.aclose()


async def test_a_server_that_is_not_up_yet_is_worth_waiting_for() -> None:
    url = nobody()
    error = await refused(url)
    assert f"{url} cannot be reached" in str(error)
    assert "is it running" in str(error)
    assert error.may_recover


@pytest.mark.parametrize(("code", "may_recover"), [(502, True), (503, True), (401, False)])
async def test_whether_waiting_could_help_is_told(code: int, may_recover: bool) -> None:
    async with serving(HELLO) as server:
        server.models = code
        error = await refused(server.url)
    assert f"{server.url} answered HTTP {code}" in str(error)
    assert error.may_recover is may_recover


async def test_one_server_of_several_that_may_come_is_worth_waiting_for() -> None:
    async with serving(HELLO) as server:
        server.models = 401
        error = await refused(f"{server.url},{nobody()}")
    assert "API key" in str(error)
    assert error.may_recover


@pytest.mark.parametrize("typed", ["", "/v2", "/v1/v1"])
async def test_an_address_that_is_not_quite_right_is_told_with_the_right_one(typed: str) -> None:
    async with serving(HELLO) as server:
        error = await refused(server.url.removesuffix("/v1") + typed, "first")
    assert f"{server.url} does: use that address" in str(error)
    assert not error.may_recover


@pytest.mark.parametrize(
    "answer",
    [
        status(404, "The model `frist` does not exist."),
        status(400, "Invalid model: frist"),
        status(400, "Model Not Exist"),
        status(422, "frist is not a valid model ID"),
    ],
    ids=["vLLM, OpenAI, Ollama", "Mistral, LiteLLM", "DeepSeek", "OpenRouter"],
)
async def test_a_model_that_is_not_there_is_told_with_those_that_are(answer: Answer) -> None:
    async with serving(answer) as server:
        error = await refused(server.url, "frist")
    assert "does not offer the model 'frist' (did you mean 'first'? it has first, second)" in str(
        error
    )
    assert not error.may_recover


async def test_of_many_models_some_are_named() -> None:
    async with serving(status(404)) as server:
        server.models = [f"model-{n}" for n in range(20)]
        error = await refused(server.url, "other")
    assert "model-7 and 12 more" in str(error)
    assert "model-8" not in str(error)


async def test_where_nothing_is_listed_the_address_and_the_model_may_be_wrong() -> None:
    async with serving(status(404, "Not Found")) as server:
        server.models = None
        error = await refused(server.url, "m")
    assert "HTTP 404 (Not Found): check the address" in str(error)
    assert "the model 'm'" in str(error)


async def test_a_refusal_that_is_compressed_is_one_all_the_same() -> None:
    def packed() -> Response:
        body = gzip.compress(b'{"error": "no such model"}')
        return Response(body, 404, {"content-encoding": "gzip"})

    async with serving(packed) as server:
        server.models = None
        assert "HTTP 404: check the address" in str(await refused(server.url, "m"))


async def test_a_key_that_listing_did_not_need_is_checked_with_the_model() -> None:
    async with serving(status(401)) as server:
        assert "API key" in str(await refused(server.url, "an-alias"))


@pytest.mark.parametrize(
    "answer",
    [
        HELLO,
        status(503, "loading"),
        status(400, "Unsupported parameter: 'max_tokens' is not supported with this model."),
    ],
)
async def test_a_model_that_nobody_lists_is_taken_where_the_server_takes_it(
    answer: Answer,
) -> None:
    async with serving(answer) as server:
        pool = Servers(server.url)
        assert await meet(pool, "an-alias") == Model("an-alias")
        assert pool.choose() is pool.all[0]
        assert server.bodies[0]["max_tokens"] == 1
        await pool.aclose()


async def test_a_server_that_refuses_an_alias_is_set_aside() -> None:
    async with cluster(status(404), HELLO) as servers:
        pool = Servers(joined(servers))
        assert await meet(pool, "an-alias") == Model("an-alias")
        assert [server.aside for server in pool.all] == [True, False]
        await pool.aclose()


async def test_a_list_without_end_is_not_read_to_the_end() -> None:
    async with serving(HELLO) as server:
        server.models = ["x" * (1 << 20)] * 40
        assert "offers no model" in str(await refused(server.url))


async def test_all_servers_agree_on_the_model_and_who_lacks_it_is_set_aside(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    async with cluster(HELLO, HELLO, HELLO) as servers:
        has, lacks, silent = servers
        has.models, lacks.models, silent.models = ["big"], ["small"], None
        pool = Servers(joined(servers), clock=clock)
        assert await meet(pool, "big") == Model("big")
        assert [server.aside for server in pool.all] == [False, True, False]
        assert f"{lacks.url} does not offer the model 'big' (it has small)" in caplog.text
        clock.now, lacks.health = 2.0, 200
        await pool.probe_due()
        assert pool.all[1].aside  # it is well, and still without the model
        clock.now, lacks.models = 60.0, ["small", "big"]
        await pool.probe_due()
        assert not pool.all[1].aside
        await pool.aclose()


async def test_without_a_name_the_first_model_offered_is_taken_and_its_origin_told() -> None:
    async with cluster(HELLO, HELLO) as servers:
        servers[0].models, servers[1].models, servers[1].root = None, ["m", "n"], "Qwen/Some"
        pool = Servers(joined(servers))
        assert await meet(pool, None) == Model("m", "Qwen/Some")
        assert pool.model == "m"
        await pool.aclose()


async def test_one_server_that_answers_is_enough_and_the_others_are_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away = nobody()
    async with serving(HELLO) as server:
        pool = Servers(f"{away}, {server.url}")
        assert await meet(pool, None) == Model("first")
        assert pool.choose() is pool.all[1]
        await pool.aclose()
    assert f"{away} cannot be reached" in caplog.text
    assert "WARNING" in caplog.text


async def test_when_nobody_answers_all_are_named() -> None:
    one, two = nobody(), nobody()
    pool = Servers(f"{one},{two}")
    with pytest.raises(EngineUnavailable, match=f"{one} cannot be reached.*{two} cannot"):
        await meet(pool, None)
    await pool.aclose()


async def test_servers_without_any_model_ask_for_a_name() -> None:
    async with serving(HELLO) as server:
        server.models = []
        pool = Servers(server.url)
        with pytest.raises(EngineUnavailable, match="name one"):
            await meet(pool, None)
        await pool.aclose()
