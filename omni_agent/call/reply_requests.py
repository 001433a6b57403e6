"""What a client wants answered: at once, or once the words that it waits for are known."""

from __future__ import annotations

from collections.abc import Callable

from omni_agent.call.replies import Replies
from omni_agent.call.state import Call
from omni_agent.call.utterance import Utterance
from omni_agent.commands import ReplyRequest
from omni_agent.conversation import Item, Message
from omni_agent.errors import ProtocolError
from omni_agent.hearing.heard import UserTurn


class ReplyRequests:
    """Answers one client's. goodbye: told when the user has said goodbye."""

    def __init__(self, call: Call, replies: Replies, goodbye: Callable[[], None]) -> None:
        self._call, self._replies, self._goodbye = call, replies, goodbye
        self._waiting: ReplyRequest | None = None
        """One at most; for words."""
        self._given = False
        """Whether the client gave an item after the latest turn ended: that waits for no ears."""
        self._said: tuple[str, Utterance | None] = ("", None)
        """The item that the client gave or committed last, and the tool's question that the user
        had heard when they began to say it: what it is a yes to is known long after."""

    def gave(self, item: Item) -> None:
        """An item of the client's joined the conversation."""
        self._given = True
        self._said = (item.id, self._replies.questions.heard_by(self._call.now()))

    def committed(self, turn: UserTurn) -> None:
        """A turn that the client ended joined the conversation."""
        self._said = (turn.item_id, self._replies.questions.heard_by(turn.began_at))

    def await_words(self) -> None:
        """A turn ended; whoever asks for a reply now wants it answered."""
        self._given = False

    def forget(self) -> None:
        """The client wants no answer any more, or has it."""
        self._waiting = None

    async def answer_waiting(self) -> None:
        """What was asked for while words were awaited, once all are known."""
        request = self._waiting
        if request is None or self._call.awaited:
            self._replies.rest()
        else:
            self._waiting = None
            await self.answer(request)

    async def answer(self, request: ReplyRequest) -> None:
        """The client wants an answer, say to what it added to the conversation."""
        if self._call.awaited and request.items is None and not self._given:
            self._wait(request)
            return
        words, asked = self._newest() if request.items is None else ("", None)
        agreed = self._replies.questions.answer(words, asked, self._call.outfit.manners)
        if agreed is not None:
            self._replies.questions.settle(agreed)
            self._replies.rest()
            return
        async with self._replies.floor():
            if self._call.is_farewell(words):
                self._goodbye()
            else:
                self._replies.answer(request)

    def _wait(self, request: ReplyRequest) -> None:
        """For words, and one that waits already not at all."""
        if self._waiting is not None:
            why = "a later request for a reply took the place of one that waited for words"
            self._call.report("session", ProtocolError(why))
        self._waiting = request

    def _newest(self) -> tuple[str, Utterance | None]:
        """What the user said, if nothing came since, and the question that they had heard."""
        newest, (item_id, asked) = self._call.conversation.newest, self._said
        if not isinstance(newest, Message) or newest.role != "user":
            return "", None
        return newest.text, asked if newest.id == item_id else None
