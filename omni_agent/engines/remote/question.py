"""A ThinkRequest as a chat completion, as far as a server can take it."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Collection
from typing import Any

from omni_agent.engines.remote import messages
from omni_agent.engines.remote.asking import Refusal
from omni_agent.engines.remote.deltas import ChunkReader
from omni_agent.engines.remote.keepsakes import Keepsakes
from omni_agent.engines.remote.recordings import Recordings
from omni_agent.engines.remote.server import Server
from omni_agent.thinker import ThinkRequest

log = logging.getLogger(__name__)

_RENAMED = "max_completion_tokens"
"""What OpenAI calls ``max_tokens`` now."""
AUDIO = "audio"
"""In ``Server.lacks``: the server refuses audio, and gets words instead."""
OLDER = "older audio"
"""In ``Server.lacks``: it takes few recordings, and gets the latest only."""
SPARED_S = 3600.0
"""Then what was refused is tried again: a server may be another by then. Where it is not, a
caller hears an apology."""
_OPTIONAL = ("stream_options", "seed", "top_p", "temperature", "max_tokens", _RENAMED)
"""What a request has, and what servers refuse: some the field (Mistral), some any value but
one (OpenAI's reasoning models)."""
_NAMES_AUDIO = re.compile(r"audio|multi-?modal", re.IGNORECASE)
_UNSUPPORTED = re.compile(
    r"unsupported|(?:not|n't|only) support|unknown|unrecogni[sz]ed|unexpected|not permitted|"
    r"not allowed|forbidden|extra (?:inputs?|fields?|parameters?)",
    re.IGNORECASE,
)
"""The server takes no such thing from anybody …"""
_TOO_MUCH = re.compile(
    r"too (?:large|long|many|much|big|high|low|small)|exceed|maximum|at most [1-9]|between|"
    r"(?:greater|less|more|longer) than|decod|corrupt",
    re.IGNORECASE,
)
"""… unless it is about a size, a number or a recording: those are this request's own."""


class ChatQuestion:
    """See :class:`omni_agent.engines.remote.completions.Question`."""

    def __init__(
        self,
        model: str,
        request: ThinkRequest,
        recordings: Recordings | None,
        keepsakes: Keepsakes | None = None,
    ) -> None:
        """recordings: where the model hears; None sends words only."""
        self._model, self._request, self._keepsakes = model, request, keepsakes
        self._recorded = messages.recorded(request.items)
        self._recordings = recordings if self._recorded else None
        self._spared: set[str] = set()
        """What this question does without, whoever is asked."""
        self._without: frozenset[str] = frozenset()
        """What it did without when it was asked last."""

    @property
    def key(self) -> str:
        items = self._request.items
        return items[0].id if items else ""

    @property
    def needs(self) -> Collection[str]:
        return () if self._recordings is None else (AUDIO,)

    def body(self, server: Server) -> dict[str, Any]:
        request, sampling = self._request, self._request.sampling
        without = self._without = server.lacks | self._spared
        recordings = None if AUDIO in without else self._recordings
        rows = messages.messages(request, recordings, self._keepsakes, older=OLDER not in without)
        body: dict[str, Any] = {
            "model": self._model,
            "messages": rows,
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
        }
        if "max_tokens" in server.lacks:
            body[_RENAMED] = sampling.max_tokens
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        if request.tools:
            body["tools"] = messages.tools(request.tools)
            if request.tool_choice != "auto":  # which is what every server takes it for
                body["tool_choice"] = request.tool_choice
        return {field: value for field, value in body.items() if field not in without}

    def reader(self, server: Server) -> ChunkReader:
        return ChunkReader(self._request.tools, server.habits, self._keepsakes)

    def concede(self, server: Server, refusal: Refusal) -> bool:
        own = is_own(refusal)
        if self._recordings is not None and _NAMES_AUDIO.search(refusal.said):
            if own and self._recorded > 1 and OLDER not in self._without:
                return self._spare(server, OLDER, SPARED_S, refusal, "it hears the latest only")
            return self._spare(
                server, AUDIO, 0 if own else SPARED_S, refusal, "it gets transcripts"
            )
        named = (field for field in _OPTIONAL if re.search(rf"\b{field}\b", refusal.said))
        field = next((field for field in named if field not in self._without), "")
        own = own or not _UNSUPPORTED.search(refusal.said)
        return bool(field) and self._spare(
            server, field, 0 if own else math.inf, refusal, f"no {field} for it"
        )

    def _spare(
        self, server: Server, what: str, for_s: float, refusal: Refusal, instead: str
    ) -> bool:
        """Ask again without. for_s: how long everybody does without; 0: this question only."""
        if what in self._without:
            return False
        if for_s:
            server.spare(what, for_s)
        else:
            self._spared.add(what)
        log.warning("%s; %s %s", refusal.reason, instead, "from now on" if for_s else "this time")
        return True


def is_own(refusal: Refusal) -> bool:
    """Whether it is about the size or the number of what this request has, and not its kind."""
    return _TOO_MUCH.search(refusal.said) is not None
