"""What a client asks of its call, done."""

from __future__ import annotations

from omni_agent import events
from omni_agent.call.asides import Asides
from omni_agent.call.attention import Attention
from omni_agent.call.dressing import Dressing
from omni_agent.call.keys import Keys
from omni_agent.call.replies import Replies
from omni_agent.call.reply_requests import ReplyRequests
from omni_agent.call.sense import nonsense
from omni_agent.call.state import Call
from omni_agent.commands import (
    AddItem,
    ChoosePersona,
    ClearAudio,
    Command,
    CommitAudio,
    Configure,
    DeleteItem,
    Digit,
    Interrupt,
    ReplyRequest,
    Truncate,
)
from omni_agent.conversation import Item, ToolResult
from omni_agent.errors import OmniAgentError, ProtocolError
from omni_agent.hearing.push_to_talk import PushToTalk

MOST_AWAITED = 8
"""Turns whose words are not known yet; a client that commits more has its audio kept."""


class Orders:
    """Obeys one client. push_to_talk: what it says while it ends its turns itself."""

    def __init__(
        self,
        call: Call,
        replies: Replies,
        attention: Attention,
        requests: ReplyRequests,
        dressing: Dressing,
        push_to_talk: PushToTalk,
    ) -> None:
        self._call, self._replies = call, replies
        self._attention, self._requests = attention, requests
        self._dressing, self._push_to_talk = dressing, push_to_talk
        self._asides, self._keys = Asides(call), Keys(call, requests)

    async def obey(self, command: Command) -> None:
        """What cannot be done, or makes no sense, is reported, and the call goes on."""
        if why := nonsense(command):
            self._call.report("session", ProtocolError(why))
            return
        match command:
            case Configure(wishes):
                self._dressing.configure(wishes)
                self._replies.rest()
            case ChoosePersona():
                self._choose(command)
            case AddItem(item):
                self._add(item)
            case DeleteItem(item_id):
                if self._call.conversation.remove(item_id):
                    self._call.emit(events.ItemRemoved(self._call.now(), item_id))
            case ReplyRequest(private=True):
                self._asides.think(command)
            case ReplyRequest():
                await self._requests.answer(command)
            case Interrupt():
                self._requests.forget()
                await self._replies.interrupt()
            case Truncate(item_id):
                if self._replies.voices(item_id):
                    await self._replies.interrupt()
                self._replies.truncate(command)
            case CommitAudio():
                self._commit()
            case ClearAudio():
                self._push_to_talk.clear()
            case Digit(key):
                self._keys.press(key)

    def _add(self, item: Item) -> None:
        source = "tool" if isinstance(item, ToolResult) else "item"
        try:
            if self._call.conversation.get(item.id) is not None:
                raise ProtocolError("an item with this id exists already", field="item.id")
            if isinstance(item, ToolResult):
                self._replies.client_answered(item)
            else:
                self._call.conversation.add(self._call.as_seen(item))
        except ProtocolError as error:
            self._call.report(source, error)
        else:
            self._requests.gave(item)

    def _choose(self, chosen: ChoosePersona) -> None:
        try:
            self._dressing.choose(chosen.name, chosen.wishes)
        except OmniAgentError as error:
            self._call.report("persona", error)
            return
        self._replies.rest()

    def _commit(self) -> None:
        """Push to talk was released; where turns end by themselves that means nothing."""
        if not self._call.outfit.manual:
            return
        try:
            if len(self._call.awaited) >= MOST_AWAITED:
                raise ProtocolError(f"the words of {MOST_AWAITED} turns are awaited already")
            turn = self._push_to_talk.commit(self._call.outfit.persona.language)
        except ProtocolError as error:
            self._call.report("audio", error)
        else:
            self._attention.committed(turn)
