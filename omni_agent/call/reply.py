"""One reply: think, use tools, speak, until nothing is left to say.

A reply may start before the user's turn is certainly over. Until its speaker is confirmed it
thinks and synthesises, but nothing it does can be seen, heard or undone: events,
conversation items and tool calls wait in order for the confirmation.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from omni_agent.call.fillers import Fillers
from omni_agent.call.retrieval import Lookup
from omni_agent.call.speaker import Speaker
from omni_agent.call.state import Call
from omni_agent.conversation import DEEPEST, Item, Message, ToolCall, as_read, is_item, new_id
from omni_agent.errors import EngineError
from omni_agent.personas.outfit import Outfit
from omni_agent.runtime.scope import kin
from omni_agent.streams import Channel, heeding, one
from omni_agent.thinker import (
    Features,
    MalformedCall,
    TextDelta,
    ThinkRequest,
    Thought,
    ToolCallBegun,
    ToolCallRequest,
    Usage,
)
from omni_agent.tools.ledger import Outcome

log = logging.getLogger(__name__)

MAX_ROUNDS = 4
"""Thinker runs in one reply; the last one may not call tools, so a reply always ends."""
APOLOGY = "Sorry, something went wrong on my side. Could you say that again?"
CALL_APOLOGY = "Sorry, I could not do that."
CALL_FAULT = (
    "Your last tool call could not be read: {reason}. Make it again, exactly as the tool's "
    "parameters say, or tell the user that you cannot do it."
)
NO_ARGUMENTS = f"its arguments are no object of JSON, or lie over {DEEPEST} deep in each other"
UNSAID = "Sorry, I have no words for what came of that."
"""After tools that ran: who is asked to say it again has it done again."""
UNTOLD = "You have said nothing since the tool's result: tell the user now what came of it."
MAX_REASON = 300
"""Characters of it; some of them may be the model's own."""

ToolStarter = Callable[[str, ToolCall], "asyncio.Task[Outcome | None]"]


class _Round:
    """One run of the Thinker, and what came of it."""

    def __init__(self, text: Channel) -> None:
        self.id = new_id("run")
        self.text = text
        self.written = ""
        self.calls = 0
        self.malformed = ""
        self.decided: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when it has words or a tool call, or is over."""

    def write(self, text: str) -> None:
        self.written += text
        self.text.put(text)

    def apologise(self, apology: str) -> None:
        """It goes on from words that may have broken off anywhere."""
        said = self.written.rstrip()
        stop = "" if not said or said[-1:] in ".!?…" else "…"
        self.text.put(f"{stop} {apology}" if said else apology)

    def decide(self) -> None:
        """Nobody waits for the Thinker now."""
        if not self.decided.done():
            self.decided.set_result(None)


class Reply:
    """Answers once, through its speaker.

    ``start_tool`` runs a call in the session, beyond this reply's life; its task ends with None
    where the result comes from the client, which then asks for the reply that tells of it.
    """

    def __init__(
        self,
        call: Call,
        outfit: Outfit,
        start_tool: ToolStarter,
        asking: Callable[[], bool],
        *,
        since: float,
        heard: Message | None = None,
        items: Sequence[Item] | None = None,
    ) -> None:
        """asking: whether a tool has a question that the user has not answered. items: what it
        answers, instead of the conversation."""
        self.heard, self._items = heard, items
        self.speaker = Speaker(call, outfit, since=since)
        self._found: Message | None = None
        self._call, self._outfit, self._start_tool = call, outfit, start_tool
        self._fillers = Fillers(call, outfit, self.speaker, asking)
        self._tasks: asyncio.TaskGroup
        self._tools: list[asyncio.Task[Outcome | None]] = []
        self._answering = self._handed_out = False
        self._filling: asyncio.Task[None] | None = None
        self._written = ""  # by the latest round
        self._fault = ""
        self._runs: set[str] = set()
        self._retried = self._untold = self._used_tools = False

    # -- the run ----------------------------------------------------------------

    async def think(self, lookup: Lookup) -> None:
        """Think, use tools and speak until nothing is left to say; wait until it was played.

        lookup: what there is to read beside the turn, which it begins with.
        """
        async with self.speaker, asyncio.TaskGroup() as self._tasks:
            if (found := await lookup.found()) is not None:
                self.speaker.mark("context")
                self._inform(found)
            await self._think_on()
            if not (self._answering or self._handed_out):
                await self._make_do()
        self.speaker.finish()

    def _inform(self, found: Message) -> None:
        """It joins the conversation before the turn, which may be answered more than once."""
        self._found, turn = found, self.heard.id if self.heard else ""
        conversation = self._call.conversation

        def add() -> None:
            if conversation.get(turn) is not None and conversation.get(found.id) is None:
                conversation.add(found, before=turn)

        self.speaker.confirmation.then(add)

    async def _think_on(self) -> None:
        for number in range(MAX_ROUNDS):
            if not await self._round(with_tools=number < MAX_ROUNDS - 1):
                if self._answering or self._written.strip() or not self._untold:
                    break
                self._untold, self._fault = False, UNTOLD
            await self.speaker.confirmation.wait()
            await self._finish_tools()
            if self._handed_out:
                break

    async def _finish_tools(self) -> None:
        if self._tools:
            ended, _ = await asyncio.wait(self._tools)
            self._handed_out = any(not e.cancelled() and e.result() is None for e in ended)
            self._tools, self._untold = [], True
            self._used_tools = True
            self.speaker.mark("tool_done")

    async def _make_do(self) -> None:
        """Nothing could be said."""
        if not await self.speaker.show(self._written):
            words = UNSAID if self._used_tools else APOLOGY
            await self.speaker.voice(one(words), "answer")

    async def _round(self, *, with_tools: bool) -> bool:
        """One Thinker run; True when there is to be another."""
        text = Channel()
        run = _Round(text)
        self._runs.add(run.id)
        self._answering, self._written = False, ""
        kin(self._tasks.create_task(self._fillers.while_thinking(run.decided)))
        try:
            async with asyncio.TaskGroup() as pair:
                note, self._fault = self._fault, ""
                request = self._call.request(
                    self._unheard_of(),
                    outfit=self._outfit,
                    found=self._found,
                    with_tools=with_tools,
                    note=note,
                )
                if self._items is not None:
                    request = replace(request, items=(*self._items, *self._tool_items()))
                if self._used_tools:  # what was required has been done
                    request = replace(request, tool_choice="auto")
                thinking = kin(pair.create_task(self._think(run, request)))
                await self.speaker.voice(aiter(text), "answer", lambda: self._begun(run))
        finally:
            run.decide()
        return thinking.result()

    def _unheard_of(self) -> Message | None:
        """The turn it answers, if that has not joined the conversation: it may be deleted again."""
        return None if self.speaker.confirmation.given else self.heard

    def _begun(self, run: _Round) -> None:
        self._answering = True
        run.decide()

    async def _think(self, run: _Round, request: ThinkRequest) -> bool:
        try:
            async with aclosing(heeding(self._call.stages.thinker.think(request))) as thoughts:
                async for thought in thoughts:
                    self._take(run, thought)
            if run.malformed and (run.calls or self._retried or not request.tools):
                run.apologise(CALL_APOLOGY)
            elif run.malformed:  # once, it is told why instead
                self._retried = True
                self._fault = CALL_FAULT.format(reason=run.malformed[:MAX_REASON])
                return True
        except EngineError as error:
            self.speaker.failed("thinker", error)
            run.apologise(APOLOGY)
        finally:
            self._written = run.written
            run.text.close()
        return run.calls > 0

    def _take(self, run: _Round, thought: Thought) -> None:
        mark = self.speaker.mark
        if not isinstance(thought, Usage):
            mark("first_thought")
        match thought:
            case TextDelta(text):
                run.write(text)
                self._written = run.written
            case Features(handle):
                self.speaker.features = handle
            case ToolCallBegun():
                mark("tool_decided")
            case ToolCallRequest(call_id, name, given) if not is_item(
                ToolCall(call_id, name, given)
            ):
                run.malformed = NO_ARGUMENTS
            case ToolCallRequest():
                mark("tool_decided")
                run.calls += self._begin_tool(thought, run.id)
                run.decide()
                self._fill_for_tools()
            case MalformedCall(raw, reason):
                log.error("malformed tool call (%s): %r", reason, raw)
                run.malformed = reason or "it is malformed"
            case Usage(prompt, cached, completion):
                self.speaker.used(prompt, cached, completion)
            case _:
                pass

    def _tool_items(self) -> list[Item]:
        """This reply's tool calls, and what came of them."""
        calls = {
            item.call_id
            for item in self._call.conversation
            if isinstance(item, ToolCall) and item.run in self._runs
        }
        items = self._call.conversation.items
        return as_read(i for i in items if not isinstance(i, Message) and i.call_id in calls)

    # -- tools -----------------------------------------------------------------------

    def _begin_tool(self, request: ToolCallRequest, run: str) -> int:
        """Enter a call; 1 when it is new. It starts when the turn is confirmed."""
        if not self._call.ledger.open(request, self._outfit.tools):
            return 0

        def start() -> None:
            arguments = dict(request.arguments)
            made = ToolCall(request.call_id, request.name, arguments, run=run)
            self._tools.append(self._start_tool(self.speaker.id, made))

        self.speaker.confirmation.then(start)
        return 1

    def _fill_for_tools(self) -> None:
        if self._filling is None or self._filling.done():
            said = bool(self.speaker.utterances or self._written.strip())
            waiting = self._fillers.while_working(lambda: self._tools, said=said)
            self._filling = kin(self._tasks.create_task(waiting))
