"""The OpenAI Realtime (GA) protocol, as a pure mapping: events out, commands in.

One JSON object a message, over the ``oai-events`` data channel. The standard
part is what unmodified Realtime clients speak. A client that opts in with ::

    {"type": "session.update", "session": {"omni": {"extensions": true}}}

(or in the ``session`` part of its ``POST /v1/realtime/calls``, which loses
nothing) also gets the events below; strict clients raise on names they do not
know, so nobody else does. Who opts in late, or again, is told the present activity,
the panels and the utterance in progress at once.

``session.created`` and ``session.updated`` always carry ``session.omni``::

    {"persona": str, "personas": [str], "sees": bool, "engine": {"thinker": str, …},
     "limit_s": float | null, "extensions": bool, "ignored": [str]}

``personas`` are the names to choose from; ``engine`` names the models, by
stage; ``sees`` says whether camera frames are understood; ``limit_s`` is the longest
the call may last, from its beginning; ``ignored`` names the
fields of ``session.update`` and ``response.create`` that this server accepts and does
not act on, by their paths (``instructions``, ``audio.output.voice``, …: they belong to
the persona).

Extension events, server to client (each also has ``event_id``)
---------------------------------------------------------------

``omni.activity``
    ``activity``: ``listening`` | ``hearing`` | ``thinking`` | ``speaking``.
``omni.persona.changed``
    ``persona``: the name now in force (chosen, or its file was edited).
``omni.transcript.partial``
    ``item_id``, ``text``: what the user said so far; each replaces the last. The
    end is ``conversation.item.input_audio_transcription.completed``.
``omni.backchannel``
    ``item_id``, ``text``: a listening noise ("mm-hm") or an echo of the agent that was
    ignored. Its transcript still follows, and stands for nothing in the conversation.
``omni.utterance.started``
    ``item_id``, ``response_id``, ``kind``: ``answer`` | ``filler`` | ``greeting`` |
    ``announcement`` | ``apology`` | ``aside`` (a private reply, which is only written). Its
    words follow as ``response.output_audio_transcript.delta`` with the same ``item_id``.
``omni.utterance.playing``
    ``item_id``: its first audio left for the user.
``omni.utterance.finished``
    ``item_id``, ``response_id``, ``text`` (all that was to be said), ``heard`` (the
    part of it that the user heard; strike the rest), ``heard_ms``, ``interrupted``.
``omni.tool.started``
    ``call_id``, ``response_id``, ``name``, ``arguments`` (an object).
``omni.tool.waiting``
    ``call_id``, ``question``: what the user is asked; the tool runs after a yes, or goes
    on with the answer.
``omni.tool.answered``
    ``call_id``, ``agreed``: false after a no, and when no answer was understood.
``omni.tool.progress``
    ``call_id``, ``text``.
``omni.tool.finished``
    ``call_id``, ``name``, ``output`` (text), ``ok``, ``ms`` (how long it ran).
``omni.panel``
    ``panel``: the panel's id, one panel each; ``data``: ``{"title", "rows": [{"label",
    "value", "group", "state": "on" | "off" | "warn" | "none", "until"}], "empty"}`` (see
    :class:`omni_agent.tools.Panel`). A new one with the same id replaces the old.
``omni.interrupted``
    ``response_id``, ``dropped_ms``: speech that was never played.
``omni.waterfall``
    ``response_id``, ``marks``: milliseconds since the end of the user's speech by
    name, in order; names as in :class:`omni_agent.events.Waterfall`.
``omni.session.ended``
    ``reason``: see :data:`omni_agent.events.EndReason`.
    The line closes after it.

What a client sends too much of (docs/operating.md) is answered with an ``error`` whose
``error.code`` is ``rate_limit_exceeded``, and is left undone; one that goes on is told
``too_many_messages``, and its call ends.

A failure that the call survives is the standard ``error`` event, with
``error.type`` ``server_error`` and ``error.code`` the stage that failed.

Extension message, client to server
-----------------------------------

``omni.persona.choose``
    ``persona``: a name from ``personas``; in force with the next turn, answered by
    ``omni.persona.changed``.

Typing is the standard ``conversation.item.create`` with ``input_text``, then
``response.create``; the stop button is ``response.cancel``.
"""

from __future__ import annotations

import time

from omni_agent import events
from omni_agent.conversation import new_id
from omni_agent.server.allowance import Allowance
from omni_agent.server.client_commands import ClientCommands, Fits, Received
from omni_agent.server.client_messages import SessionConfig
from omni_agent.server.limits import MessageLimits
from omni_agent.server.rates import Clock
from omni_agent.server.server_events import ServerEvents
from omni_agent.server.view import ClientView
from omni_agent.server.wire import Facts, Json, SessionState
from omni_agent.wishes import NO_WISHES, Wishes


class Realtime:
    """One client's side of one call. Pure: nothing is sent, nothing is awaited.

    wishes: the line's, under the client's own.
    """

    def __init__(
        self,
        facts: Facts,
        *,
        session_id: str | None = None,
        wishes: Wishes = NO_WISHES,
        limits: MessageLimits | None = None,
        now: Clock = time.monotonic,
        fits: Fits = lambda persona, wishes: None,
    ) -> None:
        self._view = ClientView(SessionState(session_id or new_id("sess"), facts, wishes=wishes))
        self._events = ServerEvents(self._view)
        self._commands = ClientCommands(
            self._view, self._events, Allowance(limits or MessageLimits(), now), fits
        )

    @property
    def session_id(self) -> str:
        """The call's id, as the client knows it."""
        return self._view.session.id

    def configure(self, config: SessionConfig) -> Wishes:
        """Take over the session that came with the offer: all that is laid over the persona now.

        Raises ProtocolError for what cannot be."""
        self._commands.configure(config)
        return self._view.session.wishes

    def opening(self) -> list[Json]:
        """The first event of every call."""
        return [self._view.event("session.created", session=self._view.session.json())]

    def on_event(self, event: events.Event) -> list[Json]:
        """What the client is told of an event."""
        return self._events.render(event)

    def on_message(self, text: str) -> Received:
        """What a client's message means; anything wrong with it becomes an ``error`` reply."""
        return self._commands.receive(text)
