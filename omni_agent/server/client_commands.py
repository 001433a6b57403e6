"""Client messages as commands for the session: the incoming half of the protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from omni_agent.commands import (
    AddItem,
    ChoosePersona,
    ClearAudio,
    Command,
    CommitAudio,
    Configure,
    DeleteItem,
    Interrupt,
    ReplyRequest,
    Truncate,
)
from omni_agent.conversation import Message, TextPart, ToolResult, new_id
from omni_agent.errors import OmniAgentError, ProtocolError, public
from omni_agent.server import client_messages as client
from omni_agent.server.allowance import Allowance, OverLimit
from omni_agent.server.reading import parse_object, validate
from omni_agent.server.server_events import ServerEvents
from omni_agent.server.view import ClientView
from omni_agent.server.wire import Json
from omni_agent.thinker import ToolSchema
from omni_agent.tools.tool import Tool
from omni_agent.wishes import NO_WISHES, Wishes

Fits = Callable[[str, Wishes], None]
"""Raises OmniAgentError for wishes that cannot be laid over the persona of this name."""
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

    commands: tuple[Command, ...] = ()
    replies: tuple[Json, ...] = ()
    over: bool = False


class ClientCommands:
    """Understands client messages; never raises, whatever they are. fits: is asked before anything
    is taken, so that a client is told of nothing that is not in force."""

    def __init__(
        self, view: ClientView, server_events: ServerEvents, allowance: Allowance, fits: Fits
    ) -> None:
        self._view, self._events, self._allowance = view, server_events, allowance
        self._fits = fits
        self._kinds: dict[str, tuple[type[BaseModel], Callable[[Any], Received]]] = {
            "session.update": (client.SessionUpdate, self._session_update),
            "conversation.item.create": (client.ItemCreate, self._item_create),
            "conversation.item.truncate": (client.ItemTruncate, self._item_truncate),
            "conversation.item.retrieve": (client.ItemId, self._item_retrieve),
            "conversation.item.delete": (client.ItemId, self._item_delete),
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

    def configure(self, config: client.SessionConfig, persona: str | None = None) -> Wishes:
        """Take over what a session lays over the persona: that alone. persona: the one that is
        chosen with it; None is the one that is worn. Raises ProtocolError."""
        wishes = wished(config)
        both = wishes.over(self._view.session.wishes)
        self._check(persona, both)
        self._view.session.merge(config, both)
        return wishes

    def _check(self, persona: str | None, wishes: Wishes) -> None:
        session = self._view.session
        try:
            self._fits(persona or session.persona or session.facts.persona, wishes)
        except OmniAgentError as error:
            raise ProtocolError(public(error), field="session") from error

    def _session_update(self, message: client.SessionUpdate) -> Received:
        session, config = self._view.session, message.session
        commands: tuple[Command, ...] = ()
        persona = _chosen(config)
        if persona is not None:
            self._known_persona(persona, "session.omni.persona")
        wishes = self.configure(config, persona)
        if persona is not None:
            commands = (ChoosePersona(persona, wishes),)
        elif wishes != NO_WISHES:
            commands = (Configure(wishes),)
        updated = self._view.event("session.updated", session=session.json())
        # Who goes on over another connection says so again, and may have missed something.
        opts_in = config.omni is not None and config.omni.extensions
        present = self._events.present() if opts_in else []
        return Received(commands, (updated, *present))

    def _persona_choose(self, message: client.PersonaChoose) -> Received:
        self._known_persona(message.persona, "persona")
        self._check(message.persona, self._view.session.wishes)
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
        if item.id is not None and item.id in self._view.items:
            raise ProtocolError("an item with this id exists already", field="item.id")
        if item.type == "function_call_output":
            return self._tool_result(item)
        if item.type != "message" or item.role != "user":
            raise ProtocolError(
                "only user messages and results of the client's tools can be created: "
                "instructions belong to the persona",
                field="item.type",
            )
        return self._typed(item)

    def _tool_result(self, item: client.NewItem) -> Received:
        if item.call_id is None or item.output is None:
            missing = "call_id" if item.call_id is None else "output"
            raise ProtocolError(f"a result needs its {missing}", field=f"item.{missing}")
        self._allowance.text(len(item.output))
        result = ToolResult(item.call_id, item.output, id=item.id or new_id("item"))
        return Received((AddItem(result),))

    def _typed(self, item: client.NewItem) -> Received:
        words = [part.text for part in item.content if part.type == "input_text" and part.text]
        if not words:
            raise ProtocolError("the message has no input_text", field="item.content")
        text = " ".join(words)
        if len(text) > client.MAX_TEXT:
            raise ProtocolError(f"over {client.MAX_TEXT} characters long", field="item.content")
        self._allowance.text(len(text))
        return Received((AddItem(Message("user", (TextPart(text),), item.id or new_id("item"))),))

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

    def _item_retrieve(self, message: client.ItemId) -> Received:
        item = self._view.items.get(message.item_id)
        if item is None:
            raise ProtocolError("no item has this id", field="item_id")
        return self._reply("conversation.item.retrieved", item=item)

    def _item_delete(self, message: client.ItemId) -> Received:
        if message.item_id not in self._view.items:
            raise ProtocolError("no item has this id", field="item_id")
        return Received((DeleteItem(message.item_id),))

    # -- replies and audio -------------------------------------------------------------

    def _response_create(self, message: client.ResponseCreate) -> Received:
        given = message.response or client.ResponseOptions()
        if given.conversation == "none" or given.input is not None:
            raise ProtocolError(
                "replies outside the conversation are not given here: they would be spoken",
                field="response.input" if given.input is not None else "response.conversation",
            )
        self._view.metadata = given.metadata or self._view.metadata
        self._view.session.ignore(f"response.{path}" for path in given.unheeded)
        return Received((ReplyRequest(),))

    def _stop(self, _: client.Nothing) -> Received:
        self._view.cancelled = True
        return Received((Interrupt(),))

    def _audio_append(self, _: client.Nothing) -> Received:
        raise ProtocolError("audio comes over the call's audio track", field="type")

    def _audio_commit(self, _: client.Nothing) -> Received:
        if self._view.session.detection is not None:
            return Received()  # the server's own end-of-turn detection commits
        return Received((CommitAudio(),))

    def _audio_clear(self, _: client.Nothing) -> Received:
        return Received((ClearAudio(),), self._reply("input_audio_buffer.cleared").replies)


def _chosen(config: client.SessionConfig) -> str | None:
    return config.omni.persona if config.omni else None


def wished(config: client.SessionConfig) -> Wishes:
    """What of a session is laid over the persona.

    Raises ProtocolError for tools that cannot be.
    """
    wishes = NO_WISHES
    if config.tools is not None:
        wishes = replace(wishes, tools=tuple(map(_schema, config.tools)))
    wishes = replace(wishes, speed=config.speed)
    if (turns := config.turns) is None:
        return wishes
    if (how := turns.turn_detection) is None:
        return replace(wishes, turns="manual")
    answered, interrupts = how.create_response, how.interrupt_response
    return replace(wishes, turns="auto", answered=answered, interrupts=interrupts)


def _schema(tool: client.ClientTool) -> ToolSchema:
    schema = ToolSchema(tool.name, tool.description, tool.parameters)
    try:
        Tool.at_client(schema)
    except ProtocolError as error:
        raise ProtocolError(error.reason, field="session.tools") from error
    return schema
