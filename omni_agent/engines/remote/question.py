"""A ThinkRequest as a chat completion, as far as a server can take it."""

from __future__ import annotations

import logging
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

AUDIO = "audio"
"""In ``Server.lacks``: the server has refused audio, which goes to it as words since then."""
_OPTIONAL = ("stream_options", "seed", "top_p", "temperature", "max_tokens")
"""What a request has, and what servers refuse: some the field (Mistral), some any value but
one (OpenAI's reasoning models)."""
_NAMES_AUDIO = re.compile(r"audio|multi-?modal", re.IGNORECASE)


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
        self._recordings = recordings if messages.has_audio(request.items) else None

    @property
    def key(self) -> str:
        items = self._request.items
        return items[0].id if items else ""

    @property
    def needs(self) -> Collection[str]:
        return () if self._recordings is None else (AUDIO,)

    def body(self, server: Server) -> dict[str, Any]:
        request, sampling = self._request, self._request.sampling
        recordings = None if AUDIO in server.lacks else self._recordings
        body: dict[str, Any] = {
            "model": self._model,
            "messages": messages.messages(request, recordings, self._keepsakes),
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
        }
        if "max_tokens" in server.lacks:  # as OpenAI calls it now
            body["max_completion_tokens"] = sampling.max_tokens
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        if request.tools:
            body["tools"] = messages.tools(request.tools)
            if request.tool_choice != "auto":  # which is what every server takes it for
                body["tool_choice"] = request.tool_choice
        return {field: value for field, value in body.items() if field not in server.lacks}

    def reader(self, server: Server) -> ChunkReader:
        return ChunkReader(self._request.tools, server.habits, self._keepsakes)

    def concede(self, server: Server, refusal: Refusal) -> bool:
        if self._recordings is not None and _NAMES_AUDIO.search(refusal.said):
            return self._without(server, AUDIO, refusal, "it gets transcripts")
        refused = next((field for field in _OPTIONAL if field in refusal.said), "")
        return bool(refused) and self._without(server, refused, refusal, f"no {refused} for it")

    def _without(self, server: Server, what: str, refusal: Refusal, instead: str) -> bool:
        if what in server.lacks:
            return False
        server.lacks.add(what)
        log.warning("%s; %s from now on", refusal.reason, instead)
        return True
