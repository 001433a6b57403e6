"""The personas that a call may have, and what its client is told of the one it gets."""

from __future__ import annotations

from omni_agent.conversation import new_id
from omni_agent.errors import SignallingError
from omni_agent.server.client_commands import wished
from omni_agent.server.client_messages import SessionConfig
from omni_agent.server.host import Host
from omni_agent.server.tokens import Grant
from omni_agent.server.wire import Facts, Json, SessionState


class Offered:
    """What a host offers to whom. max_call_s: of a call."""

    def __init__(self, host: Host, *, max_call_s: float) -> None:
        self._host, self._max_call_s = host, max_call_s

    def choose(
        self, persona: str | None, session: SessionConfig | None, grant: Grant
    ) -> str | None:
        """The persona that answers, if it may; None is the default. Raises SignallingError."""
        if persona is None and session is not None and session.omni is not None:
            persona = session.omni.persona
        offered = [card.name for card in self._host.personas]
        granted = grant.among(offered)
        if grant.personas is not None and not granted:  # renamed or deleted since
            raise SignallingError(
                403, "no persona that this token is for is offered now: get another token"
            )
        if persona is None:
            default = self._host.default_persona
            return None if default in granted else next(iter(granted), None)
        shown = self._host.shown_name(persona)
        if shown in granted:
            return shown
        if shown in offered:
            raise SignallingError(403, f"this token is not for the persona {persona[:80]!r}")
        known = ", ".join(granted) or "none"
        raise SignallingError(400, f"no persona is called {persona[:80]!r}; there are {known}")

    def facts(self, persona: str | None, grant: Grant) -> Facts:
        host = self._host
        return Facts(
            persona=persona or host.default_persona,
            personas=grant.among([card.name for card in host.personas]),
            sees=host.sees,
            engine=host.engine,
            limit_s=self._max_call_s,
        )

    def session_json(self, session: SessionConfig | None, grant: Grant) -> Json:
        """The session a call with this configuration would begin with. Raises SignallingError
        for a persona that it could not have, ProtocolError for tools that nobody may bring."""
        facts = self.facts(self.choose(None, session, grant), grant)
        state = SessionState(new_id("sess"), facts)
        if session is not None:
            state.merge(session, wished(session))
        return state.json()
