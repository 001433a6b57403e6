"""What an error tells whom."""

from __future__ import annotations

import asyncio
import inspect
import pickle

import pytest

from omni_agent import Agent, errors, events
from omni_agent.errors import (
    EngineError,
    EngineUnavailable,
    OmniAgentError,
    PersonaError,
    ProtocolError,
    SignallingError,
    detail,
    public,
)
from omni_agent.server.agent_host import AgentHost
from omni_agent.testing import ScriptedThinker, rehearse, virtual_time

SECRET = "http://10.0.0.7:8000/v1 said: bad key sk-123 in /srv/keys"
KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
FOR_CLIENTS = {SignallingError, ProtocolError}


def made(kind: type[Exception]) -> Exception:
    """One of this kind, with the secret wherever a text fits."""
    required = {
        name: parameter
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.default is inspect.Parameter.empty
    }
    values = [0 if p.annotation == "int" else SECRET for p in required.values()]
    return kind(*values) if values else kind(SECRET)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if issubclass(kind, OmniAgentError)])
def test_callers_are_told_a_sentence_without_internals(kind: type[OmniAgentError]) -> None:
    error = made(kind)
    assert SECRET in detail(error)
    if kind not in FOR_CLIENTS:
        assert public(error) == kind.public
        assert kind.public.endswith(".")


def test_errors_that_nobody_foresaw_tell_callers_nothing() -> None:
    assert public(RuntimeError(SECRET)) == OmniAgentError.public
    assert SECRET in detail(RuntimeError(SECRET))


def test_what_is_raised_may_say_what_callers_are_told() -> None:
    error = PersonaError("/srv/p/x.md", 0, "no such persona", public="There is no such persona.")
    assert public(error) == "There is no such persona."
    assert public(SignallingError(503, "all lines are busy")) == "all lines are busy"


def test_what_an_error_says_survives_the_way_between_processes() -> None:
    error = EngineUnavailable("loading", may_recover=True, public="One moment.")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.may_recover, copy.public) == ("loading", True, "One moment.")


@virtual_time
async def test_a_failing_engine_shows_the_caller_no_address() -> None:
    async with rehearse(ScriptedThinker([EngineError(SECRET)])) as stage:
        await stage.user("Hello there, how are you?")
        failed = await stage.until(events.ErrorOccurred)
        assert (failed.message, failed.detail) == (EngineError.public, SECRET)


@virtual_time
async def test_a_bug_shows_the_caller_no_traceback_or_value() -> None:
    async with rehearse(ScriptedThinker([RuntimeError(SECRET)])) as stage:
        await stage.user("Hello there, how are you?")
        failed = await stage.until(events.ErrorOccurred)
        assert failed.message == OmniAgentError.public
        assert SECRET in failed.detail


@pytest.mark.parametrize("error", [EngineUnavailable(SECRET), RuntimeError(SECRET)])
def test_a_start_that_fails_is_told_to_callers_without_the_reason(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(agent: Agent) -> None:
        raise error

    monkeypatch.setattr(Agent, "start", fails)
    host = AgentHost(Agent())
    asyncio.run(host.start())
    assert host.readiness.failed
    assert host.readiness.progress == public(error)
    assert SECRET in host.readiness.detail
