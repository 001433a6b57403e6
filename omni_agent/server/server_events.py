"""Events of a call as Realtime server events: the outgoing half of the protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from omni_agent import events
from omni_agent.conversation import Item, Message, ToolCall
from omni_agent.server.view import ClientView
from omni_agent.server.wire import NO_USAGE, Json, call_item, heard_item, item_json, spoken_item

MAX_HEARING = 16
"""Turns whose words are waited for; the oldest are forgotten."""


@dataclass(slots=True)
class _Response:
    """A reply under way. output: wire items by id, in the order they began."""

    id: str
    metadata: Mapping[str, str] | None
    output: dict[str, Json] = field(default_factory=dict)
    playing: bool = False

    def index(self, item_id: str) -> int:
        return list(self.output).index(item_id)

    def json(self, status: str, details: Json | None = None) -> Json:
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": list(self.output.values()) if status != "in_progress" else [],
            "output_modalities": ["audio"],
            "metadata": dict(self.metadata) if self.metadata else None,
            "usage": NO_USAGE if status != "in_progress" else None,
        }


@dataclass(slots=True)
class _Utterance:
    response: str
    kind: str
    text: str = ""


class ServerEvents:
    """Maps events to what the client is told of them."""

    def __init__(self, view: ClientView) -> None:
        self._view = view
        self._responses: dict[str, _Response] = {}
        self._utterances: dict[str, _Utterance] = {}
        self._calls: set[str] = set()
        self._speech: dict[str, tuple[int, int]] = {}
        self._activity: str | None = None
        self._panels: dict[str, Mapping[str, Any]] = {}
        self._on_event: dict[type, Callable[[Any], list[Json]]] = {
            events.ActivityChanged: self._activity_changed,
            events.PersonaChanged: self._persona_changed,
            events.SpeechStarted: self._speech_started,
            events.SpeechStopped: self._speech_stopped,
            events.AudioCommitted: self._audio_committed,
            events.UserTranscript: self._user_transcript,
            events.BackchannelIgnored: self._backchannel_ignored,
            events.ItemAdded: lambda e: self._item_added(e.item),
            events.ItemRemoved: self._item_removed,
            events.ReplyStarted: self._reply_started,
            events.UtteranceStarted: self._utterance_started,
            events.SpokenText: self._spoken_text,
            events.PlaybackStarted: self._playback_started,
            events.UtteranceFinished: self._utterance_finished,
            events.ToolStarted: self._tool_started,
            events.ToolWaiting: self._tool_waiting,
            events.ToolAnswered: self._tool_answered,
            events.ToolProgress: self._tool_progress,
            events.ToolFinished: self._tool_finished,
            events.PanelShown: self._panel_shown,
            events.Interrupted: self._interrupted,
            events.ReplyFinished: self._reply_finished,
            events.Waterfall: self._waterfall,
            events.ErrorOccurred: self._error_occurred,
            events.SessionEnded: lambda e: self._view.extra("session.ended", reason=e.reason),
        }

    def render(self, event: events.Event) -> list[Json]:
        """What the client is told of an event; nothing for what is not its business."""
        handler = self._on_event.get(type(event))
        return handler(event) if handler else []

    def present(self) -> list[Json]:
        """The extension events that tell a client that opts in how things stand."""
        out: list[Json] = []
        if self._activity is not None:
            out += self._view.extra("activity", activity=self._activity)
        for panel, data in self._panels.items():
            out += self._view.extra("panel", panel=panel, data=dict(data))
        for item_id, utterance in self._utterances.items():
            out += self._view.extra(
                "utterance.started",
                item_id=item_id,
                response_id=utterance.response,
                kind=utterance.kind,
            )
        return out

    # -- the user ------------------------------------------------------------------

    def _speech_started(self, event: events.SpeechStarted) -> list[Json]:
        self._speech[event.item_id] = (event.audio_ms, event.audio_ms)
        if len(self._speech) > MAX_HEARING:
            del self._speech[next(iter(self._speech))]
        kind = "input_audio_buffer.speech_started"
        return [self._view.event(kind, audio_start_ms=event.audio_ms, item_id=event.item_id)]

    def _speech_stopped(self, event: events.SpeechStopped) -> list[Json]:
        if event.item_id in self._speech:
            start, _ = self._speech[event.item_id]
            self._speech[event.item_id] = (start, event.audio_ms)
        kind = "input_audio_buffer.speech_stopped"
        stopped = self._view.event(kind, audio_end_ms=event.audio_ms, item_id=event.item_id)
        return [stopped, *self._committed(event.item_id)]

    def _audio_committed(self, event: events.AudioCommitted) -> list[Json]:
        self._speech[event.item_id] = (0, event.duration_ms)
        return self._committed(event.item_id)

    def _committed(self, item_id: str) -> list[Json]:
        kind, previous = "input_audio_buffer.committed", self._view.last_item
        committed = self._view.event(kind, item_id=item_id, previous_item_id=previous)
        return [committed, *self._view.show(heard_item(item_id, None))]

    def _user_transcript(self, event: events.UserTranscript) -> list[Json]:
        if not event.final:
            return self._view.extra("transcript.partial", item_id=event.item_id, text=event.text)
        start, end = self._speech.pop(event.item_id, (0, 0))
        usage = {"type": "duration", "seconds": max(0, end - start) / 1000}
        kind = "conversation.item.input_audio_transcription"
        where: Json = {"item_id": event.item_id, "content_index": 0}
        shown = self._view.show(heard_item(event.item_id, event.text))
        return [
            *shown,
            self._view.event(f"{kind}.delta", **where, delta=event.text),
            self._view.event(f"{kind}.completed", **where, transcript=event.text, usage=usage),
        ]

    def _backchannel_ignored(self, event: events.BackchannelIgnored) -> list[Json]:
        return self._view.extra("backchannel", item_id=event.item_id, text=event.text)

    # -- items -----------------------------------------------------------------------

    def _item_added(self, item: Item) -> list[Json]:
        if isinstance(item, ToolCall):
            return self._show_call(item, next(reversed(self._responses), None))
        if isinstance(item, Message) and item.role == "assistant" and not item.text:
            # About to be voiced (UtteranceStarted tells), or nothing of it was heard.
            if item.id in self._view.items and item.id not in self._utterances:
                self._view.items[item.id] = item_json(item)
            return []
        if isinstance(item, Message) and item.id in self._utterances:
            return []  # UtteranceFinished tells
        return self._view.show(item_json(item))

    def _item_removed(self, event: events.ItemRemoved) -> list[Json]:
        self._view.items.pop(event.item_id, None)
        return [self._view.event("conversation.item.deleted", item_id=event.item_id)]

    def _show_call(self, call: ToolCall, response_id: str | None) -> list[Json]:
        if call.call_id in self._calls:
            return []
        self._calls.add(call.call_id)
        done = call_item(call)
        if response_id is None:
            return self._view.show(done)
        out, response = self._response(response_id)
        begun = call_item(call, status="in_progress", arguments="")
        response.output[call.id] = done
        place: Json = {"response_id": response.id, "output_index": response.index(call.id)}
        where: Json = {**place, "item_id": call.id, "call_id": call.call_id}
        kind = "response.function_call_arguments"
        return [
            *out,
            self._view.event("response.output_item.added", **place, item=begun),
            *self._view.begin(begun),
            self._view.event(f"{kind}.delta", **where, delta=done["arguments"]),
            self._view.event(f"{kind}.done", **where, name=call.name, arguments=done["arguments"]),
            self._view.event("response.output_item.done", **place, item=done),
            self._view.done(done),
        ]

    # -- replies ---------------------------------------------------------------------

    def _response(self, reply_id: str) -> tuple[list[Json], _Response]:
        """The response of a reply, begun now if need be."""
        response = self._responses.get(reply_id)
        if response is not None:
            return [], response
        response = self._responses[reply_id] = _Response(reply_id, self._view.metadata)
        self._view.metadata = None
        return [
            self._view.event("response.created", response=response.json("in_progress"))
        ], response

    def _reply_started(self, event: events.ReplyStarted) -> list[Json]:
        self._view.cancelled = False
        return self._response(event.reply_id)[0]

    def _utterance_started(self, event: events.UtteranceStarted) -> list[Json]:
        out, response = self._response(event.reply_id)
        item_id = event.utterance
        self._utterances[item_id] = _Utterance(response.id, event.kind)
        item = spoken_item(item_id, "", status="in_progress")
        response.output[item_id] = item
        place: Json = {"response_id": response.id, "output_index": response.index(item_id)}
        part = {"type": "audio", "transcript": ""}
        return [
            *out,
            self._view.event("response.output_item.added", **place, item=item),
            *self._view.begin(item),
            *self._view.extra(
                "utterance.started", item_id=item_id, response_id=response.id, kind=event.kind
            ),
            self._view.event(
                "response.content_part.added", **place, item_id=item_id, content_index=0, part=part
            ),
        ]

    def _place(self, item_id: str) -> Json | None:
        """Where an utterance stands in its response, for events about its audio."""
        utterance = self._utterances.get(item_id)
        response = self._responses.get(utterance.response) if utterance else None
        if response is None or item_id not in response.output:
            return None
        return {
            "response_id": response.id,
            "output_index": response.index(item_id),
            "item_id": item_id,
            "content_index": 0,
        }

    def _spoken_text(self, event: events.SpokenText) -> list[Json]:
        place = self._place(event.utterance)
        if place is None:
            return []
        self._utterances[event.utterance].text += event.text
        return [
            self._view.event("response.output_audio_transcript.delta", **place, delta=event.text)
        ]

    def _playback_started(self, event: events.PlaybackStarted) -> list[Json]:
        utterance = self._utterances.get(event.utterance)
        response = self._responses.get(utterance.response) if utterance else None
        out: list[Json] = []
        if response is not None and not response.playing:
            response.playing = True
            out.append(self._view.event("output_audio_buffer.started", response_id=response.id))
        return [*out, *self._view.extra("utterance.playing", item_id=event.utterance)]

    def _utterance_finished(self, event: events.UtteranceFinished) -> list[Json]:
        place = self._place(event.utterance)
        if place is None:
            return []
        del self._utterances[event.utterance]
        heard = event.heard
        status = "completed" if heard == event.text and not event.interrupted else "incomplete"
        written = event.text if event.interrupted else heard  # the rest, its voice failed at
        item = spoken_item(event.utterance, heard, status=status)
        self._responses[place["response_id"]].output[event.utterance] = item
        part = {"type": "audio", "transcript": heard}
        outer = {"response_id": place["response_id"], "output_index": place["output_index"]}
        out = [
            self._view.event("response.output_audio.done", **place),
            self._view.event("response.output_audio_transcript.done", **place, transcript=written),
            self._view.event("response.content_part.done", **place, part=part),
            self._view.event("response.output_item.done", **outer, item=item),
            self._view.done(item),
        ]
        if event.interrupted:
            out.append(self._truncated(event.utterance, event.heard_ms))
        return out + self._view.extra(
            "utterance.finished",
            item_id=event.utterance,
            response_id=event.reply_id,
            text=event.text,
            heard=event.heard,
            heard_ms=event.heard_ms,
            interrupted=event.interrupted,
        )

    def _truncated(self, item_id: str, audio_end_ms: int) -> Json:
        kind = "conversation.item.truncated"
        return self._view.event(kind, item_id=item_id, content_index=0, audio_end_ms=audio_end_ms)

    def _interrupted(self, event: events.Interrupted) -> list[Json]:
        out: list[Json] = []
        response = self._responses.get(event.reply_id)
        if response is not None and response.playing:
            response.playing = False
            out.append(self._view.event("output_audio_buffer.cleared", response_id=response.id))
        dropped = round(event.dropped_ms, 1)
        return out + self._view.extra("interrupted", response_id=event.reply_id, dropped_ms=dropped)

    def _reply_finished(self, event: events.ReplyFinished) -> list[Json]:
        out, response = self._response(event.reply_id)
        if response.playing:
            kind = (
                "output_audio_buffer.cleared"
                if event.interrupted
                else "output_audio_buffer.stopped"
            )
            out.append(self._view.event(kind, response_id=response.id))
        details: Json = {"type": "completed"}
        if event.interrupted:
            reason = "client_cancelled" if self._view.cancelled else "turn_detected"
            details = {"type": "cancelled", "reason": reason}
        out.append(
            self._view.event("response.done", response=response.json(details["type"], details))
        )
        del self._responses[response.id]
        self._view.cancelled = False
        return out

    # -- tools and the rest, mostly for our own page ------------------------------------

    def _tool_started(self, event: events.ToolStarted) -> list[Json]:
        call = ToolCall(event.call_id, event.name, event.arguments)
        return self._show_call(call, event.reply_id) + self._view.extra(
            "tool.started",
            call_id=event.call_id,
            response_id=event.reply_id,
            name=event.name,
            arguments=dict(event.arguments),
        )

    def _tool_waiting(self, event: events.ToolWaiting) -> list[Json]:
        return self._view.extra("tool.waiting", call_id=event.call_id, question=event.question)

    def _tool_answered(self, event: events.ToolAnswered) -> list[Json]:
        return self._view.extra("tool.answered", call_id=event.call_id, agreed=event.agreed)

    def _tool_progress(self, event: events.ToolProgress) -> list[Json]:
        return self._view.extra("tool.progress", call_id=event.call_id, text=event.text)

    def _tool_finished(self, event: events.ToolFinished) -> list[Json]:
        self._calls.discard(event.call_id)
        return self._view.extra(
            "tool.finished",
            call_id=event.call_id,
            name=event.name,
            output=event.output,
            ok=event.ok,
            ms=round(event.ms, 1),
        )

    def _activity_changed(self, event: events.ActivityChanged) -> list[Json]:
        self._activity = event.activity
        return self._view.extra("activity", activity=event.activity)

    def _persona_changed(self, event: events.PersonaChanged) -> list[Json]:
        self._view.session.persona = event.persona
        return self._view.extra("persona.changed", persona=event.persona)

    def _panel_shown(self, event: events.PanelShown) -> list[Json]:
        self._panels[event.panel] = event.data
        return self._view.extra("panel", panel=event.panel, data=dict(event.data))

    def _waterfall(self, event: events.Waterfall) -> list[Json]:
        return self._view.extra("waterfall", response_id=event.reply_id, marks=dict(event.marks))

    def _error_occurred(self, event: events.ErrorOccurred) -> list[Json]:
        body = {"type": "server_error", "code": event.source, "message": event.message}
        return [self._view.event("error", error=body)]
