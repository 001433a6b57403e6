"""Client messages as commands for the session: the incoming half of the protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from omni_agent.errors import ProtocolError
from omni_agent.server import client_messages as client
from omni_agent.server.allowance import Allowance, OverLimit
from omni_agent.server.reading import parse_object, validate
from omni_agent.server.server_events import ServerEvents
from omni_agent.server.view import ClientView
from omni_agent.server.wire import Json
from omni_agent.transport import (
    ChoosePersona,
    Incoming,
    Interrupt,
    ReplyRequest,
    Truncate,
    UserText,
)

MAX_EVENT_ID = 128
"""Characters of a client's event_id that are sent back with an error."""
_SPENT = {
    "session.update": "updates_per_minute",
    "omni.persona.choose": "updates_per_minute",
    "response.create": "replies_per_minute",
}


@dataclass(frozen=True, slots=True)
class Received:
    """What one client message means: commands for the session, answers for the client.

    over: the client sent far too much, and its call ends.
    """

    commands: tuple[Incoming, ...] = ()
    replies: tuple[Json, ...] = ()
    over: bool = False


class ClientCommands:
    """Understands client messages; never raises, whatever they are."""

    def __init__(self, view: ClientView, server_events: ServerEvents, allowance: Allowance) -> None:
        self._view, self._events, self._allowance = view, server_events, allowance
        self._kinds: dict[str, tuple[type[BaseModel], Callable[[Any], Received]]] = {
            "session.update": (client.SessionUpdate, self._session_update),
            "conversation.item.create": (client.ItemCreate, self._item_create),
            "conversation.item.truncate": (client.ItemTruncate, self._item_truncate),
            "conversation.item.retrieve": (client.ItemRetrieve, self._item_retrieve),
            "response.create": (client.ResponseCreate, self._response_create),
            "response.cancel": (client.Nothing, self._stop),
            "output_audio_buffer.clear": (client.Nothing, self._stop),
            "input_audio_buffer.append": (client.Nothing, self._audio_append),
            "input_audio_buffer.commit": (client.Nothing, self._audio_commit),
            "input_audio_buffer.clear": (client.Nothing, self._audio_clear),
            "omni.persona.choose": (client.PersonaChoose, self._persona_choose),
        }

    def receive(self, text: str) -> Received:
        """What a message means. Anything wrong with it becomes an ``error`` reply."""
        event_id: str | None = None
        try:
            self._allowance.message(text)
            message = parse_object(text, self._allowance.limits.depth)
            given = message.get("event_id")
            event_id = given[:MAX_EVENT_ID] if isinstance(given, str) else None
            return self._dispatch(message)
        except ProtocolError as error:
            return self._refused(error, event_id)

    def _refused(self, error: ProtocolError, event_id: str | None) -> Received:
        over = self._allowance.exhausted
        if not (over or self._allowance.may_tell()):
            return Received()
        code = "rate_limit_exceeded" if isinstance(error, OverLimit) else "invalid_message"
        body = {
            "type": "invalid_request_error",
            "code": "too_many_messages" if over else code,
            "message": error.reason,
            "param": error.field,
            "event_id": event_id,
        }
        return Received(replies=(self._view.event("error", error=body),), over=over)

    def _dispatch(self, message: dict[str, Any]) -> Received:
        kind = message.get("type")
        if not isinstance(kind, str):
            raise ProtocolError("the message has no type", field="type")
        if kind not in self._kinds:
            raise ProtocolError(f"unknown message type {kind[:80]!r}", field="type")
        model, handler = self._kinds[kind]
        if kind in _SPENT:
            self._allowance.spend(_SPENT[kind])
        return handler(validate(model, message, kind))

    def _reply(self, kind: str, **fields: Any) -> Received:
        return Received(replies=(self._view.event(kind, **fields),))

    # -- the session ---------------------------------------------------------------

    def _session_update(self, message: client.SessionUpdate) -> Received:
        session, config = self._view.session, message.session
        commands: tuple[Incoming, ...] = ()
        if config.omni and config.omni.persona is not None:
            self._known_persona(config.omni.persona, "session.omni.persona")
            commands = (ChoosePersona(config.omni.persona),)
        session.merge(config)
        updated = self._view.event("session.updated", session=session.json())
        # Who goes on over another connection says so again, and may have missed something.
        opts_in = config.omni is not None and config.omni.extensions
        present = self._events.present() if opts_in else []
        return Received(commands, (updated, *present))

    def _persona_choose(self, message: client.PersonaChoose) -> Received:
        self._known_persona(message.persona, "persona")
        return Received((ChoosePersona(message.persona),))

    def _known_persona(self, name: str, field: str) -> None:
        known = self._view.session.facts.personas
        if name not in known:
            raise ProtocolError(
                f"no persona is called {name[:80]!r}; there are {', '.join(known) or 'none'}",
                field=field,
            )

    # -- items -----------------------------------------------------------------------

    def _item_create(self, message: client.ItemCreate) -> Received:
        item = message.item
        if item.type != "message" or item.role != "user":
            raise ProtocolError(
                "only user messages can be created: tools and instructions belong to the persona",
                field="item.type",
            )
        words = [part.text for part in item.content if part.type == "input_text" and part.text]
        if not words:
            raise ProtocolError("the message has no input_text", field="item.content")
        text = " ".join(words)
        if len(text) > client.MAX_TEXT:
            raise ProtocolError(f"over {client.MAX_TEXT} characters long", field="item.content")
        if item.id is not None and item.id in self._view.items:
            raise ProtocolError("an item with this id exists already", field="item.id")
        self._allowance.text(len(text))
        return Received((UserText(text, item.id),))

    def _item_truncate(self, message: client.ItemTruncate) -> Received:
        item = self._view.items.get(message.item_id)
        if item is None or item.get("role") != "assistant":
            raise ProtocolError("no assistant message has this id", field="item_id")
        command = Truncate(message.item_id, message.audio_end_ms)
        answer = self._view.event(
            "conversation.item.truncated",
            item_id=message.item_id,
            content_index=0,
            audio_end_ms=message.audio_end_ms,
        )
        return Received((command,), (answer,))

    def _item_retrieve(self, message: client.ItemRetrieve) -> Received:
        item = self._view.items.get(message.item_id)
        if item is None:
            raise ProtocolError("no item has this id", field="item_id")
        return self._reply("conversation.item.retrieved", item=item)

    # -- replies and audio -------------------------------------------------------------

    def _response_create(self, message: client.ResponseCreate) -> Received:
        if message.response is not None and message.response.metadata:
            self._view.metadata = message.response.metadata
        return Received((ReplyRequest(),))

    def _stop(self, _: client.Nothing) -> Received:
        self._view.cancelled = True
        return Received((Interrupt(),))

    def _audio_append(self, _: client.Nothing) -> Received:
        raise ProtocolError("audio comes over the call's audio track", field="type")

    def _audio_commit(self, _: client.Nothing) -> Received:
        return Received()  # the server's own end-of-turn detection commits

    def _audio_clear(self, _: client.Nothing) -> Received:
        return self._reply("input_audio_buffer.cleared")
