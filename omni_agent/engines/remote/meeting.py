"""The first word with the servers: which answer, what they offer, and the one model to use.

What is wrong here is wrong for every call, so it is said before the first one.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx

from omni_agent.engines.remote.asking import words
from omni_agent.engines.remote.server import Model, Server, models, right_address
from omni_agent.engines.remote.servers import Servers
from omni_agent.errors import EngineUnavailable

_LOADING_S = 30.0
"""Who takes longer to refuse a model is loading it."""
_UNKNOWN_MODEL = re.compile(
    r"invalid model|not a valid model|model\b.*\b(not found|not exist|unknown)|unknown model",
    re.IGNORECASE | re.DOTALL,
)

T = TypeVar("T")


async def meet(servers: Servers, model: str | None) -> Model:
    """Ask all servers what they offer; agree on one model, by default the first offered.

    Who does not answer, or does not have what another has, is set aside with a
    warning. Raises EngineUnavailable when nobody answers, when the address is not one of
    such a server, or when the model is not there; ``may_recover`` when waiting could help.
    """
    offers = await _each(servers.all, lambda server: _offer(servers, server))
    listed = [offer for models in offers.given.values() for offer in models]
    if model is None and not listed:
        raise EngineUnavailable(f"{next(iter(offers.given)).url} offers no model: name one")
    chosen = next((offer for offer in listed if model in (None, offer.name)), Model(model or ""))
    if chosen in listed:
        refused = {
            server: EngineUnavailable(server.without(chosen.name, models))
            for server, models in offers.given.items()
            if models and chosen.name not in [offer.name for offer in models]
        }
    else:  # an alias or an adapter, perhaps
        insist = await _each(
            list(offers.given),
            lambda server: _insist(servers, server, chosen, offers.given[server]),
        )
        refused = insist.failed
    servers.model = chosen.name
    for server, reason in (offers.failed | refused).items():
        server.known = False
        servers.lose(server, str(reason))
    return chosen


@dataclass(frozen=True, slots=True)
class _Answers(Generic[T]):
    given: dict[Server, T]
    failed: dict[Server, EngineUnavailable]


async def _each(asked: Sequence[Server], ask: Callable[[Server], Awaitable[T]]) -> _Answers[T]:
    """Ask all at once. Raises EngineUnavailable, naming every reason, when all fail."""
    answers: _Answers[T] = _Answers({}, {})

    async def note(server: Server) -> None:
        try:
            answers.given[server] = await ask(server)
        except EngineUnavailable as error:
            answers.failed[server] = error

    async with asyncio.TaskGroup() as tasks:
        for server in asked:
            tasks.create_task(note(server))
    if answers.given:
        return answers
    reasons = [answers.failed[server] for server in asked]
    raise EngineUnavailable(
        "; ".join(map(str, reasons)), may_recover=any(reason.may_recover for reason in reasons)
    )


async def _offer(servers: Servers, server: Server) -> Sequence[Model]:
    offered = await models(servers.http, server)
    if not offered and (meant := await right_address(servers.http, server)):
        raise EngineUnavailable(f"{server.url} lists no models, but {meant} does: use that address")
    return offered


async def _insist(servers: Servers, server: Server, model: Model, offered: Sequence[Model]) -> None:
    """Ask for one token of a model that the server does not list.

    Raises EngineUnavailable when it refuses the model or the address. Anything else, the
    first reply will tell.
    """
    question = {"role": "user", "content": "Hi"}
    body = {"model": model.name, "messages": [question], "max_tokens": 1, "stream": True}
    url = f"{server.url}/chat/completions"
    try:
        async with (
            asyncio.timeout(_LOADING_S),
            servers.http.stream("POST", url, json=body) as answer,
        ):
            status = answer.status_code
            said = await words(answer) if status != 200 else ""
    except (httpx.HTTPError, TimeoutError):
        return
    if status in (401, 403):
        raise EngineUnavailable(f"{server.url} answered HTTP {status}: check the API key")
    if status != 404 and not (status in (400, 422) and _names(said, model.name)):
        return
    if offered:
        raise EngineUnavailable(server.without(model.name, offered))
    quoted = f" ({said})" if said else ""
    raise EngineUnavailable(
        f"{server.url} answered HTTP {status}{quoted}: check the address (it usually ends in "
        f"/v1) and the model {model.name!r}"
    )


def _names(said: str, name: str) -> bool:
    return name in said or _UNKNOWN_MODEL.search(said) is not None
